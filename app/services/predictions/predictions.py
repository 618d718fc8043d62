"""The one way to a prediction: tools, REST, the terminal and batches all come through here.

A request is written before its model is asked, once by its id, so that the same request gives the
same prediction, also when it comes twice at once. Work that was begun goes on to its deadline when
its caller leaves.
"""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from time import monotonic
from typing import Any, Literal
from uuid import UUID

import msgspec
import structlog

from app.domain.errors import Conflict, Invalid, NotFound, Refusal, Unavailable, Unreadable
from app.domain.ids import UserId, new_id
from app.domain.predictions import (
    GRADES,
    STATUSES,
    Answered,
    NewPrediction,
    Prediction,
    PredictionFeedback,
    PredictionFilter,
)
from app.domain.principal import Principal
from app.domain.text import clean_text
from app.services.experiments.routes import Route, is_pinned
from app.services.paging import Page, checked_limit, cut, decode_cursor
from app.services.predictions.answering import Answering, Asked
from app.services.predictions.prediction_costs import asks_llm
from app.services.predictions.prediction_inputs import check_request, hash_of
from app.services.predictions.prediction_ports import ModelBook, PredictionStore, Router, StraightOn
from app.services.predictions.stand_ins import SHARE, NobodyElse, StandIns
from inference.cards import ModelCard
from inference.errors import Overloaded

log = structlog.get_logger(__name__)

MOST_ITEMS = 64
"""Predictions in one request; more are a batch."""
DEADLINE_S = 10.0
_FIRST_LOOK_S, _LAST_LOOK_S = 0.02, 0.5
SERVES = ("deployed", "ready")
_LONGEST_COMMENT = 4_000


class PredictCommand(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of which model."""

    model: str
    """An id, `name`, `name@version` or `name@alias`."""
    request_id: str
    input: dict[str, Any]
    deadline_s: float = DEADLINE_S
    explain: bool = False
    priority: Literal["interactive", "batch"] = "interactive"
    stand_in: bool = True
    """Whether another version may answer while this one is away; never for one version by name."""

    @property
    def alone(self) -> bool:
        """Whether nobody else may answer."""
        return is_pinned(self.model) or not self.stand_in


class FeedbackCommand(msgspec.Struct, frozen=True, kw_only=True):
    """What a person says of a prediction."""

    is_correct: bool | None = None
    actual_value: Any = None
    rating: int | None = None
    comment: str | None = None


class Predictions:
    """The use cases of predictions."""

    def __init__(
        self,
        store: PredictionStore,
        models: ModelBook,
        answering: Answering,
        *,
        clock: Callable[[], datetime],
        router: Router | None = None,
        stand_ins: StandIns | None = None,
    ) -> None:
        self._store = store
        self._models = models
        self._answering = answering
        self._router = router or StraightOn()
        self._stand_ins = stand_ins or StandIns(NobodyElse(), answering)
        self._clock = clock
        self._working: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Wait for what was begun; each has its own deadline."""
        if self._working:
            await asyncio.wait(self._working, timeout=5)

    async def predict(self, principal: Principal, command: PredictCommand) -> Prediction:
        """Return the prediction of a request: a new one, or the one it has had before.

        Raises:
            NotFound: no such model, instrument or history.
            Invalid: the input does not fit the model, or looks ahead.
            Conflict: the request's id was used for another question (`request_id_taken`), or the
                model does not serve (`model_not_serving`).
            Unavailable: too much is waiting; the request may be sent again.
        """
        check_request(command.request_id, deadline_s=command.deadline_s)
        digest = hash_of(command.model, command.input, explain=command.explain)
        before = await self._requested(principal.user_id, command, digest)
        if before is not None:
            return before
        route, asked = await self._find(principal, command)
        new = NewPrediction(
            id=new_id(),
            model_id=route.answers.id,
            user_id=principal.user_id,
            request_id=command.request_id,
            input=command.input,
            input_hash=digest,
            created_at=self._clock(),
            experiment_id=route.experiment_id,
            variant=route.variant,
        )
        if not await self._store.begin(new):
            twin = await self._requested(principal.user_id, command, digest)
            if twin is None:  # it was taken back meanwhile
                raise Unavailable("The same request was refused just now.", retry_after_s=1)
            return twin
        await self._carry_out(new.id, route, asked, command)
        made = await self.get(principal, new.id)
        if route.repeats is not None and isinstance(asked, Asked) and not made.degraded:
            self._begin(self._repeat(new, route.repeats, asked, command))
        return made

    async def predict_all(
        self, principal: Principal, commands: Sequence[PredictCommand]
    ) -> list[Prediction]:
        """Return the predictions of several requests, which run together.

        Raises:
            Invalid: there are none, too many, or two of one id.
            Refusal: what refused the first of them that was refused.
        """
        if not 1 <= len(commands) <= MOST_ITEMS:
            raise Invalid(
                f"`items` must have 1 to {MOST_ITEMS} requests; it has {len(commands)}. "
                "POST /predictions/batch takes thousands."
            )
        ids = [command.request_id for command in commands]
        if len(set(ids)) != len(ids):
            raise Invalid("Two of the `items` have the same `requestId`.")
        made = await asyncio.gather(
            *(self.predict(principal, command) for command in commands), return_exceptions=True
        )
        found: list[Prediction] = []
        for index, one in enumerate(made):
            if isinstance(one, Refusal):
                raise type(one)(
                    f"items[{index}]: {one.message}", code=one.code, retry_after_s=one.retry_after_s
                ) from one
            if isinstance(one, BaseException):
                raise one
            found.append(one)
        return found

    async def get(self, principal: Principal, prediction_id: UUID) -> Prediction:
        """Return one prediction.

        Raises:
            NotFound: it is unknown or somebody else's.
        """
        found = await self._store.find(prediction_id, principal.user_id)
        if found is None:
            raise NotFound("There is no such prediction.")
        return found

    async def page(
        self,
        principal: Principal,
        which: PredictionFilter,
        *,
        cursor: str | None,
        limit: int,
    ) -> Page[Prediction]:
        """Return the caller's predictions, the newest first.

        Raises:
            Invalid: a filter has a value it cannot have, or the cursor is not ours.
        """
        limit, after = checked_limit(limit), decode_cursor(cursor)
        for name, value, allowed in (
            ("status", which.status, STATUSES),
            ("grade", which.grade, GRADES),
        ):
            if value is not None and value not in allowed:
                raise Invalid(f"`{name}` must be one of {', '.join(allowed)}.")
        found = await self._store.page(principal.user_id, which, after=after, limit=limit + 1)
        return cut(found, limit, lambda one: (one.created_at, one.id))

    async def past(
        self, user_id: UserId, symbol: str | None, *, task: str | None, limit: int
    ) -> list[Prediction]:
        """Return a user's newest forecasts of an instrument, or of all."""
        return await self._store.of_symbol(user_id, symbol, task=task, limit=limit)

    async def give_feedback(
        self, principal: Principal, prediction_id: UUID, said: FeedbackCommand
    ) -> Prediction:
        """Keep what a person says of a prediction; it never changes the outcome.

        Raises:
            NotFound: it is unknown or somebody else's.
            Invalid: nothing is said, the rating is not 1 to 5, or the comment is too long.
        """
        if said == FeedbackCommand():
            raise Invalid("Say at least one of `isCorrect`, `actualValue`, `rating`, `comment`.")
        if said.rating is not None and not 1 <= said.rating <= 5:
            raise Invalid(f"`rating` must be from 1 to 5; it is {said.rating}.")
        comment = None if said.comment is None else clean_text(said.comment)
        if comment is not None and len(comment) > _LONGEST_COMMENT:
            raise Invalid(f"`comment` may have {_LONGEST_COMMENT:,} characters.")
        feedback = PredictionFeedback(
            feedback_at=self._clock(),
            is_correct=said.is_correct,
            actual_value=said.actual_value,
            rating=said.rating,
            comment=comment,
        )
        if not await self._store.add_feedback(prediction_id, principal.user_id, feedback):
            raise NotFound("There is no such prediction.")
        return await self.get(principal, prediction_id)

    async def _find(
        self, principal: Principal, command: PredictCommand
    ) -> tuple[Route, Asked | Refusal]:
        """Return who is asked what; or why the one that is meant cannot be, if another can."""
        pinned, lost = is_pinned(command.model), None
        try:
            card = await self._models.find(command.model)
            if card.status not in SERVES or card.failure is not None:
                raise Conflict(
                    f"{card.name}@{card.version} is {card.status} and does not serve"
                    + (f": {card.failure}." if card.failure else "."),
                    code="model_not_serving",
                )
            route = await self._router.route(
                card, unit=f"{principal.user_id} {command.request_id}", pinned=pinned
            )
        except (NotFound, Conflict):
            # Files that were found changed take a version out of service, and its alias with it.
            gone = None if command.alone else await self._stand_ins.withdrawn(command.model)
            if gone is None:
                raise
            route = Route(answers=gone)
            lost = Conflict(f"{gone.name}@{gone.version}: {gone.failure}", code="damaged_artifact")
        if lost is None:
            try:
                return route, await self._answering.prepare(route.answers, command.input)
            except Unreadable as unreadable:
                if command.alone:
                    raise
                lost = unreadable
        if not await self._stand_ins.is_there_one(route.answers, command.input):
            raise lost
        return route, lost

    async def _requested(
        self, user_id: UserId, command: PredictCommand, digest: str
    ) -> Prediction | None:
        """Return what the request has had before, waiting for it while it is being computed."""
        give_up_at = asyncio.get_running_loop().time() + command.deadline_s
        pause_s = _FIRST_LOOK_S
        while True:
            found = await self._store.requested(user_id, command.request_id)
            if found is None:
                return None
            prediction, known = found
            if known != digest:
                raise Conflict(
                    f"The requestId {command.request_id!r} was used for another question.",
                    code="request_id_taken",
                )
            waiting = prediction.status in ("pending", "processing")
            if not waiting or asyncio.get_running_loop().time() + pause_s > give_up_at:
                return prediction
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, _LAST_LOOK_S)

    async def _carry_out(
        self, prediction_id: UUID, route: Route, asked: Asked | Refusal, command: PredictCommand
    ) -> None:
        """Ask the model and store what it says, also when the caller leaves."""
        work = (
            self._ask(route.answers, asked, command)
            if command.alone
            else self._ask_or_another(route, asked, command)
        )
        await asyncio.shield(self._begin(self._answer(prediction_id, work)))

    def _begin(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._working.add(task)
        task.add_done_callback(self._done)
        return task

    async def _repeat(
        self, shown: NewPrediction, card: ModelCard, asked: Asked, command: PredictCommand
    ) -> None:
        """Let another version answer the same case, for nobody to see, when nobody waits."""
        shadow = msgspec.structs.replace(
            shown, id=new_id(), model_id=card.id, shadow_of=shown.id, created_at=self._clock()
        )
        if not await self._store.begin(shadow):
            return
        try:
            repeated = await self._answering.prepare(card, command.input, like=asked.case)
        except Refusal as refusal:
            refused = Answered(
                status="failed", latency_ms=0.0, error_code=refusal.code, error=refusal.message
            )
            await self._store.finish(shadow.id, refused)
            return
        quietly = msgspec.structs.replace(command, priority="batch", explain=False)
        await self._answer(shadow.id, self._ask(card, repeated, quietly))

    async def _ask(
        self, card: ModelCard, asked: Asked | Refusal, command: PredictCommand, share: float = 1.0
    ) -> Answered:
        if isinstance(asked, Refusal):
            return Answered(
                status="failed",
                latency_ms=0.0,
                error_code=asked.code,
                error=asked.message,
                away=True,
            )
        return await self._answering.answer(
            card,
            asked,
            deadline_s=command.deadline_s * share,
            priority=command.priority,
            explain=command.explain,
        )

    async def _ask_or_another(
        self, route: Route, asked: Asked | Refusal, command: PredictCommand
    ) -> Answered:
        """Ask the model, or while it is away another version, both within one deadline."""
        card, other = route.answers, route.repeats
        until, share, case = monotonic() + command.deadline_s, 1.0, None
        if isinstance(asked, Asked):
            case = asked
            if asks_llm(case.bundle) and await self._stand_ins.is_there_one(card, command.input):
                share = SHARE
        answered = await self._ask(card, asked, command, share)
        if not answered.away:
            return answered
        return await self._stand_ins.answer(
            card,
            command.input,
            answered,
            asked=case,
            until=until,
            priority=command.priority,
            explain=command.explain,
            champion=other if other is not None and "champion" in other.aliases else None,
        )

    async def _answer(self, prediction_id: UUID, work: Coroutine[None, None, Answered]) -> None:
        try:
            answered = await work
        except Overloaded as full:
            await self._store.abandon(prediction_id)
            raise Unavailable(f"{full}", code=full.code, retry_after_s=full.retry_after_s) from full
        except Exception:
            log.exception("prediction.failed", prediction_id=str(prediction_id))
            answered = Answered(
                status="failed",
                latency_ms=0.0,
                error_code="internal_error",
                error="Something went wrong here; it was logged.",
            )
        await self._store.finish(prediction_id, answered)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._working.discard(task)
        if not task.cancelled() and (wrong := task.exception()) is not None:
            # Its caller hears of it too, unless it has gone.
            log.warning("prediction.unfinished", reason=str(wrong))
