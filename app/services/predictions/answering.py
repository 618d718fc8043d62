"""From an input to an answer that can be checked: features, model, interval, confidence, baseline.

Nothing is stored here. Whatever the engine could not do becomes a status with its reason.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import msgspec
import numpy as np
import structlog

from app.domain.errors import Unreadable
from app.domain.predictions import (
    Answered,
    BaselineForecast,
    ConfidenceBasis,
    Interval,
    PastForecast,
    PredictionOutput,
)
from app.services.predictions import confidence
from app.services.predictions.contributions import explained, largest
from app.services.predictions.features import Case, FeatureReader, resolves_at
from app.services.predictions.market_baselines import baseline
from app.services.predictions.market_tasks import TASKS
from app.services.predictions.prediction_costs import PredictionCosts, cost_of
from app.services.predictions.prediction_inputs import (
    check_horizon,
    known_when,
    read_market,
    read_rows,
)
from app.services.predictions.prediction_ports import (
    BundleReader,
    PredictionEngine,
    PredictionStore,
)
from app.services.predictions.stored_inputs import StoredInputs, StoredRead
from inference.bundle import Bundle
from inference.cards import Evaluation, ModelCard
from inference.engine.answers import join_rows, part_answers
from inference.errors import (
    AWAY,
    BadInput,
    DamagedArtifact,
    DeadlineExceeded,
    InferenceError,
    ModelFailed,
    Overloaded,
)
from inference.requests import Answers, Rows
from inference.usage import Usage

log = structlog.get_logger(__name__)

PAST = 1_000
"""Newest settled forecasts that confidence is measured on."""
_MOST_PATHS = 20


@dataclass(frozen=True, eq=False)
class Asked:
    """An input that fits its model."""

    bundle: Bundle
    rows: Rows
    case: Case | None
    """None where the input is not about a market."""
    read: StoredRead | None = None
    """What it was looked up as in the feature store."""


class Answering:
    """Prepares inputs and asks the engine."""

    def __init__(
        self,
        store: PredictionStore,
        bundles: BundleReader,
        engine: PredictionEngine,
        features: FeatureReader,
        *,
        clock: Callable[[], datetime],
        costs: PredictionCosts,
        on_damage: Callable[[ModelCard, str], Awaitable[None]] | None = None,
        stored: StoredInputs | None = None,
    ) -> None:
        """Args:
        costs: prices what others' language models were used for.
        on_damage: hears of a model whose bytes are not those that were approved.
        stored: looks rows up in the feature store.
        """
        self._store = store
        self._bundles = bundles
        self._engine = engine
        self._features = features
        self._clock = clock
        self._costs = costs
        self._on_damage = on_damage
        self._stored = stored

    async def prepare(
        self, card: ModelCard, given: dict[str, Any], *, like: Case | None = None
    ) -> Asked:
        """Return what the model is to be asked; `like`: of the same moment and bars as that.

        Raises:
            NotFound: no such instrument or history.
            Invalid: the input does not fit, or looks ahead.
            Unreadable: the model's files cannot be read.
        """
        try:
            bundle = await self._bundles(card)
        except InferenceError as error:
            await self._damaged(card, error)
            raise Unreadable(f"{card.name}@{card.version}: {error}", code=error.code) from error
        if "view" in given and self._stored is not None:
            read = await self._stored.read(given, bundle)
            return Asked(bundle, read.rows, None, read)
        if "symbol" not in given:
            return Asked(bundle, read_rows(given, bundle, now=self._clock()), None)
        asked = read_market(given)
        check_horizon(asked, bundle)
        case = await self._features.case(
            bundle,
            asked.symbol,
            timeframe=asked.timeframe or bundle.timeframe or "1d",
            at=asked.as_of if like is None else like.as_of,
            known=known_when(asked) if like is None else like.known,
        )
        return Asked(bundle, case.rows, case)

    async def answer(
        self,
        card: ModelCard,
        asked: Asked,
        *,
        deadline_s: float,
        priority: Literal["interactive", "batch"] = "interactive",
        explain: bool = False,
    ) -> Answered:
        """Return what the model says, or why it says nothing.

        Raises:
            Overloaded: too much is waiting; nothing was tried.
        """
        begun = time.perf_counter()
        try:
            if card.runs_as is None:
                raise InferenceError(f"{card.name}@{card.version} has no artifact to run.")
            answers = await self._engine.predict(
                card.runs_as,
                asked.rows,
                deadline_s=deadline_s,
                priority=priority,
                explain=explain,
            )
            return await self.complete(card, asked, answers, latency_ms=_since(begun))
        except Overloaded:
            raise
        except InferenceError as error:
            return await self._unanswered(card, asked, error, begun)

    async def _damaged(self, card: ModelCard, error: InferenceError) -> None:
        if isinstance(error, DamagedArtifact) and self._on_damage is not None:
            await self._on_damage(card, str(error))

    async def answer_many(
        self, card: ModelCard, asked: Sequence[Asked], *, deadline_s: float, explain: bool = False
    ) -> list[Answered]:
        """Return what the model says of each, asked together as a batch.

        Where one of them does not fit, each is asked alone, so that it fails alone.

        Raises:
            Overloaded: too much is waiting; nothing was tried.
        """
        begun = time.perf_counter()
        if card.runs_as is None or len({one.rows.names for one in asked}) > 1:
            return await self._one_by_one(card, asked, deadline_s=deadline_s, explain=explain)
        try:
            answers = await self._engine.predict(
                card.runs_as,
                join_rows([one.rows for one in asked]),
                deadline_s=deadline_s,
                priority="batch",
                explain=explain,
            )
        except (BadInput, ModelFailed) as error:
            alone = await self._one_by_one(card, asked, deadline_s=deadline_s, explain=explain)
            return await self._with_tried(asked, alone, error.usage)
        except Overloaded:
            raise
        except InferenceError as error:
            # What was used for all of them is entered once.
            first, *others = asked
            told = [await self._unanswered(card, first, error, begun)]
            error.usage = ()
            return told + [await self._unanswered(card, one, error, begun) for one in others]
        latency_ms = _since(begun)
        past = await self._store.past(card.id, before=self._clock(), limit=PAST)
        return [
            await self.complete(card, one, own, latency_ms=latency_ms, past=past)
            for one, own in zip(
                asked, part_answers(answers, [len(one.rows) for one in asked]), strict=True
            )
        ]

    async def _one_by_one(
        self, card: ModelCard, asked: Sequence[Asked], *, deadline_s: float, explain: bool
    ) -> list[Answered]:
        return [
            await self.answer(card, one, deadline_s=deadline_s, priority="batch", explain=explain)
            for one in asked
        ]

    async def _with_tried(
        self, asked: Sequence[Asked], answered: list[Answered], usage: tuple[Usage, ...]
    ) -> list[Answered]:
        """Enter with the first of several what they were asked together for, in vain."""
        if not usage:
            return answered
        spent = (*await self._costs.spent(usage), *answered[0].spent)
        first = msgspec.structs.replace(
            answered[0], spent=spent, cost=cost_of(asked[0].bundle, spent)
        )
        return [first, *answered[1:]]

    async def _unanswered(
        self, card: ModelCard, asked: Asked, error: InferenceError, begun: float
    ) -> Answered:
        await self._damaged(card, error)
        log.warning("prediction.not_answered", model=card.name, reason=error.code)
        spent = await self._costs.spent(error.usage)
        begun_elsewhere = bool(spent) or isinstance(error, DeadlineExceeded)
        return Answered(
            cost=cost_of(asked.bundle, spent) if begun_elsewhere else None,
            spent=spent,
            status="timeout" if isinstance(error, DeadlineExceeded) else "failed",
            latency_ms=_since(begun),
            error_code=error.code,
            error=str(error),
            away=isinstance(error, AWAY),
        )

    async def complete(
        self,
        card: ModelCard,
        asked: Asked,
        answers: Answers,
        *,
        latency_ms: float,
        past: Sequence[PastForecast] | None = None,
    ) -> Answered:
        """Return the answers as a prediction, with what stands beside it.

        `past` is what confidence is measured on, where it was read already.
        """
        bundle, case = asked.bundle, asked.case
        output = _output(bundle, answers)
        spent = await self._costs.spent(answers.usage)
        cost = cost_of(bundle, spent)
        evaluation = card.evaluation()
        interval, sure, basis = await self._confidence(
            card, bundle, answers, output, evaluation, past
        )
        read = asked.read
        answered = Answered(
            status="completed",
            latency_ms=latency_ms,
            output=output,
            interval=interval,
            confidence=sure,
            confidence_basis=basis,
            event=bundle.event,
            task=bundle.task,
            feature_hash=None if read is None else read.feature_hash,
            cost=cost,
            spent=spent,
            metadata=_metadata(bundle) | ({} if read is None else read.metadata),
        )
        if case is None:
            return answered
        horizon = bundle.horizon_bars
        return msgspec.structs.replace(
            answered,
            baseline=await asyncio.to_thread(_baseline, bundle, case),
            symbol=case.instrument.symbol,
            timeframe=case.timeframe,
            horizon_bars=horizon,
            as_of=case.as_of,
            resolves_at=None if horizon is None else resolves_at(case, horizon),
            feature_hash=case.feature_hash,
            metadata=_metadata(bundle)
            | {
                "featureView": bundle.feature_view,
                "panelSymbols": len(case.panel.series),
                "close": float(case.series.close[-1]),
            }
            | case.reading(),
        )

    async def _confidence(
        self,
        card: ModelCard,
        bundle: Bundle,
        answers: Answers,
        output: PredictionOutput,
        evaluation: Evaluation | None,
        past: Sequence[PastForecast] | None,
    ) -> tuple[Interval | None, float | None, ConfidenceBasis]:
        if len(answers) != 1:
            return None, None, confidence.unmeasured("Several rows have no single confidence.")
        if output.probabilities is not None:
            sure, basis = confidence.of_class(
                output.probabilities, str(output.value), bundle, evaluation
            )
            return None, sure, basis
        if answers.low is None or answers.high is None or answers.interval_level is None:
            return None, None, confidence.unmeasured()
        task = TASKS.get(bundle.task)
        if past is None:
            past = await self._store.past(card.id, before=self._clock(), limit=PAST)
        return confidence.of_interval(
            float(answers.low[0]),
            float(answers.high[0]),
            nominal=answers.interval_level,
            positive=task is not None and task.positive,
            past=past,
            evaluation=evaluation,
        )


def _baseline(bundle: Bundle, case: Case) -> BaselineForecast | None:
    """Return what a plain way of forecasting says of the same case."""
    if bundle.horizon_bars is None:
        return None
    return baseline(
        bundle.task,
        case.panel,
        case.instrument.symbol,
        bundle.horizon_bars,
        levels=bundle.head.levels,
        classes=bundle.head.classes,
    )


def _output(bundle: Bundle, answers: Answers) -> PredictionOutput:
    """Return the seed's output; of several rows only their values."""
    if len(answers) != 1:
        values = answers.values
        listed = values.tolist() if isinstance(values, np.ndarray) else list(values)
        return PredictionOutput(value=listed, unit=bundle.unit or None)
    first = answers.values[0]
    quantiles = probabilities = features = paths = None
    if answers.quantiles is not None:
        quantiles = {
            f"{level:g}": float(value)
            for level, value in zip(answers.levels, answers.quantiles[0], strict=True)
        }
    if answers.probabilities is not None:
        probabilities = {
            name: float(share)
            for name, share in zip(answers.classes, answers.probabilities[0], strict=True)
        }
    if answers.contributions is not None:
        features = largest(answers.contribution_names, answers.contributions[0])
    if answers.paths is not None:
        paths = answers.paths[0][:_MOST_PATHS].tolist()
    return PredictionOutput(
        value=first if isinstance(first, str) else float(first),
        probabilities=probabilities,
        explanation=None if features is None else explained(features),
        features=features,
        unit=bundle.unit or None,
        quantiles=quantiles,
        paths=paths,
    )


def _metadata(bundle: Bundle) -> dict[str, Any]:
    """Return what settlement needs and a row does not say: JSON keys have no order."""
    return {"classes": list(bundle.head.classes)} if bundle.head.classes else {}


def _since(begun: float) -> float:
    return (time.perf_counter() - begun) * 1_000
