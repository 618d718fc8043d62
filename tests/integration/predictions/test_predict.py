"""One request, one prediction: through Postgres and the engine, with checkable models."""

import asyncio
from datetime import timedelta
from typing import Any

import numpy as np
import pytest

from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.predictions import Prediction, PredictionFilter
from app.domain.principal import Principal
from app.services.predictions.predictions import FeedbackCommand, PredictCommand
from tests.integration.predictions.small_models import (
    BARS,
    DIRECTION,
    VARIANCE,
    PredictionDesk,
    expected_interval,
    expected_variance,
    prices,
)


def ask(request_id: str = "r-1", model: str = "variance-small@champion", **given: Any) -> (
    PredictCommand
):  # fmt: skip
    return PredictCommand(
        model=model, request_id=request_id, input=given or {"symbol": "AAA"}, deadline_s=5.0
    )


async def test_a_forecast_says_what_of_when_until_when_beside_what_and_how_sure(
    desk: PredictionDesk, ann: Principal
) -> None:
    await desk.load()
    await desk.models.add(VARIANCE)
    made = await desk.predictions.predict(ann, ask(symbol="aaa"))
    value = expected_variance("AAA", BARS)
    assert made.status == "completed"
    assert made.output is not None
    assert made.output.value == pytest.approx(value, rel=1e-6)
    assert made.interval is not None
    assert (made.interval.low, made.interval.high) == pytest.approx(expected_interval(value))
    assert made.interval.level == 0.8
    assert made.model_version == "variance-small@1"
    assert (made.symbol, made.timeframe, made.horizon_bars) == ("AAA", "1d", 5)
    assert made.as_of == desk.close_of(BARS - 1)
    assert made.resolves_at == desk.close_of(BARS + 4)
    assert made.event == "the mean variance of the next 5 daily bars"
    assert made.baseline is not None
    assert made.baseline.name == "log-HAR"
    assert made.confidence == 0.79
    assert made.confidence_basis is not None
    assert (made.confidence_basis.n, made.confidence_basis.nominal) == (10_140, 0.8)
    assert made.latency_ms is not None
    assert made.latency_ms > 0
    assert made.grade is None


async def test_nothing_after_the_asked_moment_is_read(desk: PredictionDesk, ann: Principal) -> None:
    await desk.load()
    await desk.models.add(VARIANCE)
    then = desk.close_of(199) + timedelta(hours=2)
    before = await desk.predictions.predict(ann, ask(symbol="AAA", asOf=then.isoformat()))
    assert before.as_of == desk.close_of(199)
    assert before.output is not None
    assert before.output.value == pytest.approx(expected_variance("AAA", 200), rel=1e-6)
    assert before.metadata["afterTheFact"] is True
    # A poisoned future changes nothing.
    wild = prices("AAA", scale=30.0)
    bad = prices("AAA")
    for name in ("open", "high", "low", "close"):
        getattr(bad, name)[200:] = getattr(wild, name)[200:]
    await desk.bars.replace(bad)
    desk.features.bars_stored(None)  # type: ignore[arg-type]  # what came does not matter
    again = await desk.predictions.predict(ann, ask("r-2", symbol="AAA", asOf=then.isoformat()))
    assert again.output is not None
    assert again.output.value == before.output.value
    assert again.feature_hash == before.feature_hash


async def test_what_lies_ahead_is_refused(desk: PredictionDesk, ann: Principal) -> None:
    await desk.load()
    await desk.models.add(VARIANCE)
    ahead = (desk.now + timedelta(seconds=1)).isoformat()
    with pytest.raises(Invalid, match="lies ahead of now"):
        await desk.predictions.predict(ann, ask(symbol="AAA", asOf=ahead))
    with pytest.raises(Invalid, match="lies ahead of now") as refused:
        await desk.predictions.predict(
            ann, ask(features={"log_variance_5": -9.0, "timestamp": ahead})
        )
    assert refused.value.code == "look_ahead"
    with pytest.raises(Invalid, match="5 bars ahead, not 20"):
        await desk.predictions.predict(ann, ask(symbol="AAA", horizon=20))
    with pytest.raises(NotFound, match="no 1d bars that had closed"):
        await desk.predictions.predict(ann, ask(symbol="AAA", asOf="2025-06-01T00:00:00Z"))
    early = (desk.close_of(12) + timedelta(hours=1)).isoformat()
    with pytest.raises(Invalid, match="needs about 25"):
        await desk.predictions.predict(ann, ask(symbol="AAA", asOf=early))
    assert (await all_of(desk, ann)) == []


async def test_the_same_request_twice_at_once_is_one_prediction(
    desk: PredictionDesk, ann: Principal, bob: Principal
) -> None:
    await desk.load()
    await desk.models.add(VARIANCE)
    made = await asyncio.gather(*(desk.predictions.predict(ann, ask()) for _ in range(20)))
    assert len({one.id for one in made}) == 1
    assert {one.status for one in made} == {"completed"}
    assert await desk.predictions.predict(ann, ask()) == made[0]
    # Another's request of the same id is another prediction.
    other = await desk.predictions.predict(bob, ask())
    assert other.id != made[0].id
    assert len(await all_of(desk, ann)) == 1
    with pytest.raises(NotFound):
        await desk.predictions.get(bob, made[0].id)


async def test_an_id_that_was_used_for_another_question_is_refused(
    desk: PredictionDesk, ann: Principal
) -> None:
    await desk.load()
    await desk.models.add(VARIANCE)
    await desk.predictions.predict(ann, ask(symbol="AAA"))
    with pytest.raises(Conflict) as refused:
        await desk.predictions.predict(ann, ask(symbol="BBB"))
    assert refused.value.code == "request_id_taken"


async def test_rows_and_features_go_the_same_way_as_markets(
    desk: PredictionDesk, ann: Principal
) -> None:
    await desk.models.add(VARIANCE)
    one = await desk.predictions.predict(ann, ask(features={"log_variance_5": -9.0}))
    assert one.output is not None
    assert one.output.value == pytest.approx(np.exp(-9.0))
    assert (one.symbol, one.resolves_at, one.baseline) == (None, None, None)
    two = await desk.predictions.predict(
        ann, ask("r-2", rows=[{"log_variance_5": -9.0}, {"log_variance_5": -8.0}])
    )
    assert two.output is not None
    assert two.output.value == pytest.approx(list(np.exp([-9.0, -8.0])))
    wrong = await desk.predictions.predict(ann, ask("r-3", features={"other": 1.0}))
    assert (wrong.status, wrong.error_code) == ("failed", "bad_input")
    assert wrong.error is not None
    assert "log_variance_5" in wrong.error
    with pytest.raises(Invalid, match="this one has"):
        await desk.predictions.predict(ann, ask("r-4", features={}, text="both"))


async def test_a_class_carries_its_probability_and_the_rate_of_its_like(
    desk: PredictionDesk, ann: Principal
) -> None:
    await desk.load()
    await desk.models.add(DIRECTION, weight=0.05)
    made = await desk.predictions.predict(ann, ask(model="direction-small"))
    assert made.output is not None
    assert made.output.probabilities is not None
    assert made.confidence == made.output.probabilities[made.output.value]
    assert made.confidence_basis is not None
    assert made.confidence_basis.bin is not None
    assert made.confidence_basis.bin.n == 4_000


async def test_a_model_that_does_not_serve_is_not_asked(
    desk: PredictionDesk, ann: Principal
) -> None:
    await desk.load()
    await desk.models.add(VARIANCE, status="deprecated")
    with pytest.raises(Conflict, match="is deprecated and does not serve"):
        await desk.predictions.predict(ann, ask())
    with pytest.raises(NotFound):
        await desk.predictions.predict(ann, ask(model="nobody"))


async def test_what_a_person_says_stands_apart_from_what_happened(
    desk: PredictionDesk, ann: Principal, bob: Principal
) -> None:
    await desk.load()
    await desk.models.add(VARIANCE)
    made = await desk.predictions.predict(ann, ask())
    said = FeedbackCommand(is_correct=False, actual_value=0.1, rating=2, comment="too calm")
    after = await desk.predictions.give_feedback(ann, made.id, said)
    assert after.feedback is not None
    assert (after.feedback.is_correct, after.feedback.rating) == (False, 2)
    assert (after.outcome, after.grade) == (None, None)
    with pytest.raises(Invalid, match="1 to 5"):
        await desk.predictions.give_feedback(ann, made.id, FeedbackCommand(rating=6))
    with pytest.raises(NotFound):
        await desk.predictions.give_feedback(bob, made.id, said)


async def all_of(desk: PredictionDesk, who: Principal) -> list[Prediction]:
    page = await desk.predictions.page(who, PredictionFilter(), cursor=None, limit=50)
    return page.items
