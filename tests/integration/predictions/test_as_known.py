"""Forecasts as of the past read the bars that the desk had then, not those it has by now."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import numpy as np
import pytest

from app.domain.errors import Invalid
from app.domain.predictions import Prediction
from app.domain.principal import Principal
from app.services.predictions.forecasts import Forecasts
from app.services.predictions.predictions import PredictCommand
from tests.integration.predictions.small_models import (
    BARS,
    SYMBOLS,
    VARIANCE,
    PredictionDesk,
    expected_variance,
    prices,
)
from tools.desk import market_tools
from tools.market.bars import Bars
from tools.market.instruments import Instrument
from tools.registry import ToolBox
from tools.tool import ToolContext

KNOWN = 200


@pytest.fixture
async def live(desk: PredictionDesk) -> PredictionDesk:
    """A desk that had the first 200 bars an hour after they closed."""
    desk.now = desk.close_of(KNOWN - 1) + timedelta(hours=1)
    for symbol in SYMBOLS:
        await desk.instruments.put(Instrument(symbol=symbol, name=symbol, source="a test"))
        await desk.bars.replace(prices(symbol, KNOWN))
    await desk.models.add(VARIANCE)
    return desk


async def ask(desk: PredictionDesk, who: Principal, **given: Any) -> Prediction:
    told = {
        key: one.isoformat() if isinstance(one, datetime) else one for key, one in given.items()
    }
    command = PredictCommand(
        model="variance-small@champion",
        request_id=str(uuid4()),
        input={"symbol": "AAA", **told},
        deadline_s=5.0,
    )
    # What was read before must not answer for what is stored now.
    desk.features.bars_stored(None)  # type: ignore[arg-type]  # what came does not matter
    return await desk.predictions.predict(who, command)


def same(one: Prediction, other: Prediction) -> bool:
    """Tell whether two forecasts and their baselines are equal to the bit."""
    assert one.output is not None
    assert other.output is not None
    return (one.feature_hash, one.as_of, one.output, one.baseline, one.interval) == (
        other.feature_hash,
        other.as_of,
        other.output,
        other.baseline,
        other.interval,
    )


def corrected(symbol: str, *bars: int, count: int = KNOWN) -> Bars:
    """Return these bars of a series with a range that is three times as wide."""
    series = prices(symbol, count)
    high = series.high.copy()
    high[list(bars)] *= 1.1
    return replace(series, high=high).pick(np.isin(np.arange(count), bars))


async def correct(desk: PredictionDesk, *bars: int) -> None:
    """Correct bars of every instrument, two days on."""
    desk.now += timedelta(days=2)
    for symbol in SYMBOLS:
        await desk.bars.add(corrected(symbol, *bars))


async def test_a_later_correction_leaves_a_forecast_as_of_before_it_unchanged_to_the_bit(
    live: PredictionDesk, ann: Principal
) -> None:
    then = live.now
    before = await ask(live, ann, asOf=then)
    assert before.output is not None
    assert before.output.value == pytest.approx(expected_variance("AAA", KNOWN), rel=1e-6)

    await correct(live, KNOWN - 1, KNOWN - 3, 40)

    assert same(before, await ask(live, ann, asOf=then))
    # Asked about now, and about then with today's knowledge, the corrections are read.
    for given in ({}, {"asOf": then, "knownAt": "now"}, {"asOf": then, "knownAt": live.now}):
        after = await ask(live, ann, **given)
        assert after.as_of == before.as_of
        assert after.feature_hash != before.feature_hash
        assert after.baseline != before.baseline


async def test_a_bar_that_came_later_is_not_read(live: PredictionDesk, ann: Principal) -> None:
    then = live.now
    before = await ask(live, ann, asOf=then)
    live.now += timedelta(days=3)
    for symbol in SYMBOLS:
        await live.bars.add(prices(symbol, KNOWN + 1))
    # It had closed by then, and was not here.
    late = live.close_of(KNOWN)
    asked = await ask(live, ann, asOf=late)
    assert asked.as_of == live.close_of(KNOWN - 1)
    assert same(before, asked)
    assert (await ask(live, ann, asOf=late, knownAt="now")).as_of == late
    assert "barsCameLater" not in asked.metadata
    assert asked.metadata["barsKnownAt"] == late.isoformat()


async def test_an_instrument_that_joined_the_market_later_moves_no_earlier_forecast(
    live: PredictionDesk, ann: Principal
) -> None:
    then = live.now
    before = await ask(live, ann, asOf=then)
    live.now += timedelta(days=1)
    await live.instruments.put(Instrument(symbol="NEW", name="New", source="a test"))
    await live.bars.replace(replace(prices("AAA", KNOWN), symbol="NEW"))
    again = await ask(live, ann, asOf=then)
    assert same(before, again)
    assert again.metadata["panelSymbols"] == len(SYMBOLS)


async def test_a_history_that_was_loaded_later_is_read_as_it_first_came(
    live: PredictionDesk, ann: Principal
) -> None:
    early = live.close_of(150) + timedelta(hours=1)
    before = await ask(live, ann, asOf=early)
    assert before.metadata["barsCameLater"] is True
    assert before.output is not None
    assert before.output.value == pytest.approx(expected_variance("AAA", 151), rel=1e-6)

    await correct(live, 150, 149, 60)

    assert same(before, await ask(live, ann, asOf=early))
    assert not same(before, await ask(live, ann, asOf=early, knownAt="now"))


async def test_a_history_that_was_withdrawn_is_still_what_was_known(
    live: PredictionDesk, ann: Principal
) -> None:
    then = live.now
    before = await ask(live, ann, asOf=then)
    live.now += timedelta(days=1)
    for symbol in SYMBOLS:
        await live.bars.replace(prices(symbol, KNOWN - 10))
    assert same(before, await ask(live, ann, asOf=then))
    assert (await ask(live, ann)).as_of == live.close_of(KNOWN - 11)


@pytest.mark.parametrize("said", ["yesterday", "2026-13-01"])
async def test_a_moment_of_knowledge_is_a_moment_or_now(
    live: PredictionDesk, ann: Principal, said: str
) -> None:
    with pytest.raises(Invalid, match="ISO 8601 moment or 'now'"):
        await ask(live, ann, knownAt=said)
    with pytest.raises(Invalid, match="lies ahead of now"):
        await ask(live, ann, knownAt=live.now + timedelta(seconds=1))


async def test_the_tool_reads_the_past_as_it_was_and_the_present_as_it_is(
    live: PredictionDesk, ann: Principal
) -> None:
    tools = ToolBox(
        market_tools(
            live.instruments,
            live.bars,
            forecasts=Forecasts(live.predictions, live.models, clock=live.clock),
        )
    )

    async def told(**given: Any) -> dict[str, Any]:
        context = ToolContext(principal_id=str(ann.user_id), now=live.now)
        result = await tools.call("forecast", {"symbol": "AAA", **given}, context)
        return dict(result.data)

    day = live.now.date()
    then, now = await told(at=day.isoformat()), await told()
    assert then["expectedPercent"] == now["expectedPercent"]
    await correct(live, KNOWN - 1)
    live.features.bars_stored(None)  # type: ignore[arg-type]  # what came does not matter
    # To the end of a day that is over by now, which the first question could not yet ask about.
    assert (await told(at=day.isoformat()))["expectedPercent"] == then["expectedPercent"]
    assert (await told())["expectedPercent"] > now["expectedPercent"]


async def test_the_tool_says_when_a_bar_of_the_day_was_not_here_yet(
    live: PredictionDesk, ann: Principal
) -> None:
    live.now += timedelta(days=3)
    for symbol in SYMBOLS:
        await live.bars.add(prices(symbol, KNOWN + 1))
    tools = ToolBox(
        market_tools(
            live.instruments,
            live.bars,
            forecasts=Forecasts(live.predictions, live.models, clock=live.clock),
        )
    )
    context = ToolContext(principal_id=str(ann.user_id), now=live.now)
    day = live.close_of(KNOWN).date() - timedelta(days=1)
    result = await tools.call("forecast", {"symbol": "AAA", "at": day.isoformat()}, context)
    assert result.data["lastBar"] == day.isoformat()
    after, late = result.data["notes"][:2]
    assert after.startswith("It was asked for after the fact")
    assert "was not on this desk by then" in late


def test_there_are_bars_left_to_come() -> None:
    assert BARS > KNOWN
