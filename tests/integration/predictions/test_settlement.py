"""A month later: forecasts are settled by the bars that came, once, and again when they change."""

from dataclasses import replace

import numpy as np
import pytest

from app.domain.predictions import Prediction
from app.domain.principal import Principal
from app.services.predictions.market_tasks import qlike, realised_variance, total_return
from app.services.predictions.panels import series_of
from app.services.predictions.predictions import PredictCommand
from inference.datasets.market_targets import variances
from inference.monitoring.conformal import LEAST
from tests.integration.predictions.small_models import (
    BARS,
    DIRECTION,
    VARIANCE,
    PredictionDesk,
    prices,
)
from tools.market.intake import BarsStored


async def made(
    desk: PredictionDesk, who: Principal, model: str = "variance-small", symbol: str = "AAA"
) -> Prediction:
    command = PredictCommand(
        model=model, request_id=f"{model} {symbol} {desk.now}", input={"symbol": symbol}
    )
    return await desk.predictions.predict(who, command)


async def test_a_month_later_a_forecast_shows_how_it_turned_out(
    desk: PredictionDesk, ann: Principal
) -> None:
    await desk.load()
    await desk.models.add(VARIANCE)
    before = await made(desk, ann)
    assert await desk.settlement.sweep() == 0
    await desk.append(BARS + 22)
    assert await desk.settlement.sweep() == 1
    after = await desk.predictions.get(ann, before.id)
    happened = realised_variance(series_of(prices("AAA", BARS + 5)), BARS - 1, 5)
    assert after.outcome is not None
    assert after.outcome.value == pytest.approx(happened)
    assert after.outcome.first_bar == desk.close_of(BARS)
    assert after.outcome.last_bar == desk.close_of(BARS + 4)
    assert before.output is not None
    assert after.loss == pytest.approx(qlike(before.output.value, happened))
    assert before.baseline is not None
    assert after.baseline_loss == pytest.approx(qlike(before.baseline.value, happened))
    assert before.interval is not None
    inside = before.interval.low <= happened <= before.interval.high
    assert after.grade == ("hit" if inside else "miss")
    assert after.pit is not None
    assert 0 < after.pit < 1
    assert after.resolved_at == desk.now
    # What was said stays as it was said.
    assert (after.output, after.interval, after.confidence) == (
        before.output,
        before.interval,
        before.confidence,
    )


async def test_settling_again_changes_nothing(desk: PredictionDesk, ann: Principal) -> None:
    await desk.load()
    await desk.models.add(VARIANCE)
    one = await made(desk, ann)
    await desk.append(BARS + 22)
    await desk.settlement.sweep()
    settled = await desk.predictions.get(ann, one.id)
    await desk.append(BARS + 30)
    assert await desk.settlement.sweep() == 0
    assert await desk.settlement.settle_one(settled) is False
    assert await desk.predictions.get(ann, one.id) == settled


async def test_a_horizon_whose_bars_are_missing_stays_open(
    desk: PredictionDesk, ann: Principal
) -> None:
    await desk.load()
    await desk.models.add(VARIANCE)
    one = await made(desk, ann)
    await desk.append(BARS + 4)  # a month later by the clock, and one bar short
    assert await desk.settlement.sweep() == 0
    assert (await desk.predictions.get(ann, one.id)).grade is None


async def test_a_corrected_bar_settles_again_and_keeps_what_was_thought_before(
    desk: PredictionDesk, ann: Principal
) -> None:
    await desk.load()
    await desk.models.add(VARIANCE)
    one = await made(desk, ann)
    await desk.append(BARS + 22)
    await desk.settlement.sweep()
    first = await desk.predictions.get(ann, one.id)
    bars = prices("AAA", BARS + 22)
    bars.high[BARS + 2] *= 1.4
    stored = await desk.bars.add(bars)
    assert stored is not None
    assert stored.corrected
    desk.settlement.bars_stored(stored)
    assert await desk.settlement.settle_heard() == 1
    again = await desk.predictions.get(ann, one.id)
    assert again.outcome is not None
    assert first.outcome is not None
    assert again.outcome.value == pytest.approx(realised_variance(series_of(bars), BARS - 1, 5))
    assert again.outcome.value > first.outcome.value
    kept = again.metadata["earlierOutcomes"]
    assert [one["outcome"]["value"] for one in kept] == [first.outcome.value]
    assert kept[0]["grade"] == first.grade


async def test_bars_that_are_heard_of_settle_what_they_decide(
    desk: PredictionDesk, ann: Principal
) -> None:
    await desk.load()
    await desk.models.add(DIRECTION, weight=0.05)
    one = await made(desk, ann, "direction-small", "BBB")
    await desk.append(BARS + 5)
    last = desk.close_of(BARS + 4)
    desk.settlement.bars_stored(
        BarsStored(symbol="BBB", timeframe="1d", first=last, last=last, count=5, corrected=False)
    )
    assert await desk.settlement.settle_heard() == 1
    after = await desk.predictions.get(ann, one.id)
    rose = total_return(series_of(prices("BBB", BARS + 5)), BARS - 1, 5) > 0
    assert after.outcome is not None
    assert after.outcome.value == ("up" if rose else "down")
    assert after.output is not None
    assert after.output.probabilities is not None
    assert after.grade == ("hit" if after.output.value == after.outcome.value else "miss")
    assert after.loss == pytest.approx((after.output.probabilities["up"] - rose) ** 2)


async def test_one_forecast_that_cannot_be_graded_keeps_no_other_from_it(
    desk: PredictionDesk, ann: Principal
) -> None:
    await desk.load()
    await desk.models.add(DIRECTION, weight=0.05)
    await desk.models.add(VARIANCE)
    broken, whole = await made(desk, ann, "direction-small"), await made(desk, ann)
    await desk.database.execute(
        "UPDATE predictions SET metadata = metadata - 'classes' WHERE id = $1", broken.id
    )
    await desk.append(BARS + 22)
    assert await desk.settlement.sweep() == 1
    assert (await desk.predictions.get(ann, whole.id)).grade is not None
    assert (await desk.predictions.get(ann, broken.id)).grade is None


async def test_a_split_in_between_is_no_storm(desk: PredictionDesk, ann: Principal) -> None:
    await desk.load()
    await desk.models.add(VARIANCE)
    one = await made(desk, ann)
    whole = prices("AAA", BARS + 22)
    shares = np.where(np.arange(BARS + 22) >= BARS + 2, 2.0, 1.0)
    halved = replace(
        whole,
        open=whole.open / shares,
        high=whole.high / shares,
        low=whole.low / shares,
        close=whole.close / shares,
        adjusted_close=whole.close / 2,
    )
    await desk.bars.replace(halved)
    desk.now = desk.close_of(BARS + 30)
    await desk.settlement.sweep()
    after = await desk.predictions.get(ann, one.id)
    assert after.outcome is not None
    happened = realised_variance(series_of(prices("AAA", BARS + 5)), BARS - 1, 5)
    assert after.outcome.value == pytest.approx(happened)


async def test_confidence_is_counted_on_settled_forecasts_once_there_are_enough(
    desk: PredictionDesk, ann: Principal
) -> None:
    await desk.load(60)
    await desk.models.add(VARIANCE)
    count = 60
    while count < 60 + LEAST // 4 + 3:
        for symbol in ("AAA", "BBB", "CCC", "DDD"):
            await made(desk, ann, symbol=symbol)
        count += 1
        await desk.append(count)
        desk.now = desk.close_of(count - 1)
    await desk.append(count + 10)
    assert await desk.settlement.sweep() == 60
    last = await made(desk, ann)
    basis = last.confidence_basis
    assert basis is not None
    assert (basis.measured_on, basis.n) == ("settled_predictions", 60)
    past = await desk.store.past(last.model_id, before=desk.now, limit=1_000)
    assert last.confidence == np.mean([one.grade == "hit" for one in past])
    assert last.interval is not None
    assert last.interval.model_low is not None
    week = float(np.mean(variances(series_of(prices("AAA", count + 10)))[-5:]))
    assert last.interval.model_low == pytest.approx(week * np.exp(-0.7))


async def test_a_forecast_made_after_the_fact_measures_nothing(
    desk: PredictionDesk, ann: Principal
) -> None:
    await desk.load()
    await desk.models.add(VARIANCE)
    then = desk.close_of(200).isoformat()
    command = PredictCommand(
        model="variance-small", request_id="old", input={"symbol": "AAA", "asOf": then}
    )
    old = await desk.predictions.predict(ann, command)
    assert await desk.settlement.sweep() == 1
    settled = await desk.predictions.get(ann, old.id)
    assert settled.grade in ("hit", "miss")
    assert await desk.store.past(old.model_id, before=desk.now, limit=10) == []


async def test_what_a_lost_process_was_computing_ends_as_a_timeout(
    desk: PredictionDesk, ann: Principal
) -> None:
    await desk.load()
    await desk.models.add(VARIANCE)
    one = await made(desk, ann)
    await desk.database.execute(
        "UPDATE predictions SET status = 'processing', created_at = $2 WHERE id = $1",
        one.id,
        desk.close_of(10),
    )
    await desk.settlement.sweep()
    after = await desk.predictions.get(ann, one.id)
    assert (after.status, after.error_code) == ("timeout", "worker_lost")
