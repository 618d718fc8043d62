"""What making and settling predictions needs from elsewhere."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, Protocol
from uuid import UUID

from app.domain.ids import UserId
from app.domain.models import ModelFilter
from app.domain.predictions import (
    Answered,
    NewPrediction,
    PastForecast,
    Prediction,
    PredictionFeedback,
    PredictionFilter,
    Settled,
)
from app.domain.views import Position
from app.services.experiments.routes import Route
from app.services.paging import Page
from inference.bundle import Bundle
from inference.cards import ModelCard
from inference.requests import Answers, Rows


class ModelBook(Protocol):
    """Which models there are; `app.services.models.models.Models`."""

    async def find(self, ref: str) -> ModelCard:
        """Return the model of an id, `name`, `name@version` or `name@alias`.

        Raises:
            NotFound: there is none.
        """
        ...

    async def champion(
        self, task: str, *, timeframe: str | None = None, horizon: int | None = None
    ) -> ModelCard | None:
        """Return what forecasts a task by default."""
        ...


class ModelCatalog(ModelBook, Protocol):
    """The same, with those that do not serve."""

    async def withdrawn_champion(
        self, task: str, *, timeframe: str | None = None, horizon: int | None = None
    ) -> ModelCard | None:
        """Return the champion of a task whose files were found changed, if there is no other."""
        ...

    async def page(self, asked: ModelFilter, *, cursor: str | None, limit: int) -> Page[ModelCard]:
        """Return versions, the newest first."""
        ...


class Router(Protocol):
    """Decides which version answers; `app.services.experiments.experiments.Experiments`."""

    async def route(self, card: ModelCard, *, unit: str, pinned: bool) -> Route:
        """Return who answers a request to `card`, and who repeats it unseen."""
        ...


class StraightOn:
    """A router for desks without experiments: who was asked answers."""

    async def route(self, card: ModelCard, *, unit: str, pinned: bool) -> Route:
        """Return the card itself."""
        return Route(answers=card)


class BundleReader(Protocol):
    """Reads what an artifact says of itself."""

    async def __call__(self, card: ModelCard) -> Bundle:
        """Return the bundle of a model.

        Raises:
            DamagedArtifact: its bytes are not those that were approved.
        """
        ...


class PredictionEngine(Protocol):
    """Runs models; `inference.engine`."""

    async def predict(
        self,
        artifact: str,
        rows: Rows,
        *,
        deadline_s: float,
        priority: Literal["interactive", "batch"] = "interactive",
        explain: bool = False,
    ) -> Answers: ...


class PredictionStore(Protocol):
    """Keeps predictions; met by `app.storage.predictions`."""

    async def begin(self, new: NewPrediction) -> bool: ...

    async def begin_many(self, news: Sequence[NewPrediction]) -> None: ...

    async def finish(self, prediction_id: UUID, answered: Answered) -> None: ...

    async def finish_many(self, answers: Sequence[tuple[UUID, Answered]]) -> None: ...

    async def attach_job(self, user_id: UserId, batch: str, job_id: UUID) -> int: ...

    async def waiting(self, job_id: UUID, *, limit: int) -> list[Prediction]: ...

    async def tally(self, job_id: UUID) -> dict[str, int]: ...

    async def cancel_waiting(self, job_id: UUID) -> None: ...

    async def abandon(self, prediction_id: UUID) -> None: ...

    async def give_up(self, *, before: datetime) -> int: ...

    async def settle(self, prediction_id: UUID, settled: Settled) -> bool: ...

    async def add_feedback(
        self, prediction_id: UUID, user_id: UserId, feedback: PredictionFeedback
    ) -> bool: ...

    async def requested(
        self, user_id: UUID | None, request_id: str
    ) -> tuple[Prediction, str] | None: ...

    async def find(self, prediction_id: UUID, user_id: UserId) -> Prediction | None: ...

    async def page(
        self, user_id: UserId, which: PredictionFilter, *, after: Position | None, limit: int
    ) -> list[Prediction]: ...

    async def due(self, *, now: datetime, limit: int, after: UUID | None) -> list[Prediction]: ...

    async def of_series(
        self, symbol: str, timeframe: str, *, since: datetime, settled: bool
    ) -> list[Prediction]: ...

    async def past(self, model_id: UUID, *, before: datetime, limit: int) -> list[PastForecast]: ...

    async def of_symbol(
        self, user_id: UserId, symbol: str | None, *, task: str | None, limit: int
    ) -> list[Prediction]: ...
