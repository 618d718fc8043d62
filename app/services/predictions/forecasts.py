"""Forecasts as the tools ask for them: the champion of a task, asked once for each bar it reads."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

import msgspec

from app.domain.errors import Conflict, NotFound, Refusal, Unavailable
from app.domain.ids import UserId, new_id
from app.domain.models import ModelFilter
from app.domain.predictions import Prediction
from app.domain.principal import Principal
from app.services.paging import MAX_LIMIT
from app.services.predictions.prediction_inputs import NOW
from app.services.predictions.prediction_ports import ModelCatalog
from app.services.predictions.predictions import PredictCommand, Predictions
from app.services.training.training_records import record_of
from inference.cards import ModelCard
from tools.errors import ToolError
from tools.forecast_book import TASK_OF, Basis, PastTold, Skill, Told, Untrained, Wanted, What

_TASKS = {task: what for what, task in TASK_OF.items()}


class Forecasts:
    """Implements `tools.forecast_book.ForecastBook`."""

    def __init__(
        self, predictions: Predictions, models: ModelCatalog, *, clock: Callable[[], datetime]
    ) -> None:
        self._predictions = predictions
        self._models = models
        self._clock = clock

    async def forecast(
        self, wanted: Wanted, *, principal_id: str, deadline_s: float
    ) -> Told | Untrained:
        """Return the champion's forecast; asked again for the same bars, the same one.

        Raises:
            ToolError: it could not be made; says why.
        """
        task = TASK_OF[wanted.what]
        card = await self._models.champion(
            task, timeframe=wanted.timeframe, horizon=wanted.horizon_bars
        )
        if card is None:
            # Its files were found changed: an earlier version may stand in for it.
            card = await self._models.withdrawn_champion(
                task, timeframe=wanted.timeframe, horizon=wanted.horizon_bars
            )
        if card is None:
            return _untrained(wanted, task, await self._judged(task, wanted))
        made = await self._made(_person(principal_id), card, wanted, deadline_s)
        if made.model_id != card.id:  # an experiment's challenger, or who stood in for it
            card = await self._models.find(str(made.model_id))
        if made.status != "completed" or made.output is None:
            raise ToolError(
                f"{made.model_version} gave no forecast ({made.status}): "
                f"{made.error or 'it is still being computed'}"
            )
        return _told(made, card)

    async def past(
        self, symbol: str | None, *, what: What | None, principal_id: str, limit: int
    ) -> list[PastTold]:
        """Return this person's newest forecasts, the newest first."""
        found = await self._predictions.past(
            _person(principal_id).user_id,
            symbol,
            task=None if what is None else TASK_OF[what],
            limit=limit,
        )
        return [_past(one) for one in found if one.task in _TASKS and one.output is not None]

    async def _judged(self, task: str, wanted: Wanted) -> ModelCard | None:
        """Return the newest version that was judged and found not good enough to serve."""
        ready = await self._models.page(
            ModelFilter(task=task, status="ready"), cursor=None, limit=MAX_LIMIT
        )
        for card in ready.items:
            fits = (card.timeframe, card.horizon_bars) == (wanted.timeframe, wanted.horizon_bars)
            evaluation = card.evaluation()
            if fits and evaluation is not None and not evaluation.has_skill:
                return card
        return None

    async def _made(
        self, principal: Principal, card: ModelCard, wanted: Wanted, deadline_s: float
    ) -> Prediction:
        request_id = (
            f"forecast {card.id} {wanted.symbol} {wanted.timeframe} "
            f"{wanted.as_of.isoformat()} {wanted.fingerprint}"
        )
        command = PredictCommand(
            model=f"{card.name}@champion",
            request_id=request_id[:200],
            input={
                "symbol": wanted.symbol,
                "timeframe": wanted.timeframe,
                "asOf": wanted.as_of.isoformat(),
                # What is asked about now is asked with all that has been corrected by now.
                **({} if wanted.past else {"knownAt": NOW}),
            },
            deadline_s=min(max(deadline_s, 0.1), 30.0),
            explain=True,
        )
        begun = self._clock()
        again = msgspec.structs.replace(command, request_id=f"{request_id[:160]} {new_id()}")
        try:
            made = await self._predictions.predict(principal, command)
            if made.status in ("failed", "timeout"):
                # What went wrong once is tried again when somebody asks again.
                made = await self._predictions.predict(principal, again)
            elif made.degraded and made.created_at < begun:
                made = await self._itself(principal, again) or made
        except Refusal as refusal:
            raise ToolError(refusal.message) from refusal
        return made

    async def _itself(self, principal: Principal, command: PredictCommand) -> Prediction | None:
        """Return what the model says that was away when it was asked the first time.

        While it still is, nobody stands in again: one question counts once for whoever does.
        """
        alone = msgspec.structs.replace(command, stand_in=False)
        try:
            made = await self._predictions.predict(principal, alone)
        except (NotFound, Conflict, Unavailable):
            return None
        return made if made.status == "completed" else None


def _untrained(wanted: Wanted, task: str, judged: ModelCard | None) -> Untrained:
    ahead = "bar" if wanted.horizon_bars == 1 else "bars"
    return Untrained(
        reason=(
            f"No model that forecasts {wanted.what} {wanted.horizon_bars} {ahead} ahead on "
            f"{wanted.timeframe} bars is deployed here."
        ),
        how=f"outcry train {task} trains one; an administrator deploys it when it shows skill.",
        model="" if judged is None else f"{judged.name}@{judged.version}",
        skill=None if judged is None else _skill(judged),
    )


def _told(made: Prediction, card: ModelCard) -> Told:
    output, interval, baseline = made.output, made.interval, made.baseline
    if output is None or made.as_of is None:
        raise ValueError(f"prediction {made.id} is not about a market")
    beside = None if baseline is None else baseline.interval
    return Told(
        prediction_id=str(made.id),
        model=made.model_version,
        model_id=str(made.model_id),
        event=made.event,
        horizon_bars=made.horizon_bars or 0,
        as_of=made.as_of,
        resolves_at=made.resolves_at,
        value=output.value,
        low=None if interval is None else interval.low,
        high=None if interval is None else interval.high,
        level=None if interval is None else interval.level,
        quantiles=_levels(output.quantiles),
        probabilities=output.probabilities or {},
        classes=tuple(made.metadata.get("classes", ())),
        baseline_name="" if baseline is None else baseline.name,
        baseline_value=None if baseline is None else baseline.value,
        baseline_low=None if beside is None else beside.low,
        baseline_high=None if beside is None else beside.high,
        baseline_quantiles={} if baseline is None else _levels(baseline.quantiles),
        baseline_probabilities={} if baseline is None else baseline.probabilities or {},
        skill=_skill(card),
        basis=_basis(made),
        contributions=output.features or {},
        after_the_fact=made.metadata.get("afterTheFact") is True,
        learned_until=_learned_until(card),
        degraded=made.degraded,
        asked_model=made.asked_model or "",
        degraded_because=made.degraded_because or "",
        latency_ms=made.latency_ms or 0.0,
        cost="not known" if made.cost is None else made.cost.words,
    )


def _learned_until(card: ModelCard) -> datetime | None:
    record = record_of(card)
    return None if record is None else record.as_of


def _skill(card: ModelCard) -> Skill | None:
    evaluation = card.evaluation()
    if evaluation is None or not evaluation.baselines:
        return None
    best = evaluation.least_sure()
    return Skill(
        value=best.skill,
        low=best.skill_low,
        high=best.skill_high,
        baseline=best.name,
        metric=evaluation.metric,
        n=evaluation.n,
        has_edge=evaluation.has_skill,
    )


def _basis(made: Prediction) -> Basis | None:
    basis = made.confidence_basis
    if made.confidence is None or basis is None or basis.kind == "not_measured":
        return None
    return Basis(
        confidence=made.confidence,
        n=basis.n,
        observed=basis.observed,
        measured_on="settled forecasts"
        if basis.measured_on == "settled_predictions"
        else "walk-forward evaluation",
    )


def _past(one: Prediction) -> PastTold:
    output, interval = one.output, one.interval
    if output is None or one.as_of is None:
        raise ValueError(f"prediction {one.id} is not about a market")
    return PastTold(
        prediction_id=str(one.id),
        symbol=one.symbol or "",
        what=_TASKS[one.task or ""],
        model=one.model_version,
        horizon_bars=one.horizon_bars or 0,
        timeframe=one.timeframe or "1d",
        as_of=one.as_of,
        resolves_at=one.resolves_at,
        value=output.value,
        low=None if interval is None else interval.low,
        high=None if interval is None else interval.high,
        probabilities=output.probabilities or {},
        classes=tuple(one.metadata.get("classes", ())),
        grade=one.grade,
        outcome=None if one.outcome is None else one.outcome.value,
        loss=one.loss,
        baseline_loss=one.baseline_loss,
        baseline_name="" if one.baseline is None else one.baseline.name,
    )


def _levels(quantiles: dict[str, float] | None) -> dict[float, float]:
    return {float(level): value for level, value in (quantiles or {}).items()}


def _person(principal_id: str) -> Principal:
    """Return whoever a tool works for, with no more rights than talking.

    Raises:
        ToolError: it works for nobody, so that a forecast could not be kept.
    """
    try:
        user_id = UserId(UUID(principal_id))
    except ValueError:
        raise ToolError(
            "Forecasts are kept for the person who asks; nobody is signed in."
        ) from None
    return Principal(
        user_id=user_id,
        email="",
        name="",
        role="user",
        scopes=frozenset(("chat",)),
        credential="local",
        credential_id="tool",
    )
