"""Longer bars are made of stored shorter ones, whole ones only, and said to be."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from tools.desk import market_tools
from tools.errors import NoData
from tools.market.demo import vendored_market
from tools.market.longer import read_or_make
from tools.market.resample import resample
from tools.registry import ToolBox
from tools.tool import ToolContext

NOW = datetime(2026, 11, 26, tzinfo=UTC)


@pytest.mark.parametrize("timeframe", ["1w", "1mo"])
@pytest.mark.parametrize("limit", [None, 1, 5, 100_000])
async def test_a_part_of_the_history_is_a_part_of_the_whole(
    timeframe: str, limit: int | None
) -> None:
    market = vendored_market()
    whole = resample(await market.read("GOOG"), timeframe)
    start, end = datetime(2008, 3, 5, tzinfo=UTC), datetime(2010, 6, 17, tzinfo=UTC)
    for since, until in ((None, None), (start, end), (start, None), (None, end)):
        made, of = await read_or_make(
            market, "GOOG", timeframe, now=NOW, start=since, end=until, limit=limit
        )
        inside = np.ones(len(whole), bool)
        if since is not None:
            inside &= whole.timestamps >= np.datetime64(since.replace(tzinfo=None), "s")
        if until is not None:
            inside &= whole.timestamps <= np.datetime64(until.replace(tzinfo=None), "s")
        expected = whole.pick(inside)
        if limit is not None:
            expected = expected.slice(max(0, len(expected) - limit))
        assert of == "1d"
        for column in ("timestamps", "open", "high", "low", "close", "volume"):
            assert np.array_equal(getattr(made, column), getattr(expected, column)), column


async def test_a_week_is_seen_once_it_is_over_and_reads_nothing_later() -> None:
    market = vendored_market()
    friday = datetime(2012, 8, 17, 12, tzinfo=UTC)
    early, _ = await read_or_make(market, "GOOG", "1w", now=friday, end=friday)
    assert early.day(-1).isoformat() == "2012-08-06"
    late, _ = await read_or_make(market, "GOOG", "1w", now=NOW)
    assert np.array_equal(early.close, late.close[: len(early)])
    monday = friday + timedelta(days=3)
    next_, _ = await read_or_make(market, "GOOG", "1w", now=monday, end=monday)
    assert next_.day(-1).isoformat() == "2012-08-13"


async def test_what_is_stored_is_not_made_also_outside_its_span() -> None:
    market = vendored_market()
    weekly = resample(await market.read("GOOG"), "1w").slice(-3)
    await market.replace(weekly)
    stored, of = await read_or_make(market, "GOOG", "1w", now=NOW)
    assert (len(stored), of) == (3, None)
    nothing, of = await read_or_make(
        market, "GOOG", "1w", now=NOW, end=datetime(2010, 1, 1, tzinfo=UTC)
    )
    assert (len(nothing), of) == (0, None)
    finer, of = await read_or_make(market, "GOOG", "1h", now=NOW)
    assert (len(finer), of) == (0, None), "nothing is made of longer bars"


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("what_changed", {"symbol": "GOOG", "period": "1y"}),
        ("compare", {"symbols": ["GOOG", "AAPL"], "period": "2y"}),
        ("signals", {"symbol": "GOOG"}),
    ],
)
async def test_tools_speak_of_the_bars_they_were_asked_for(
    tool: str, arguments: dict[str, Any]
) -> None:
    market = vendored_market()
    box = ToolBox(market_tools(market, market))
    context = ToolContext(principal_id="somebody", now=NOW)
    daily = await box.call(tool, arguments, context)
    weekly = await box.call(tool, {**arguments, "timeframe": "1w"}, context)
    assert weekly.data["timeframe"] == "1w"
    assert not set(weekly.units.values()) & {"daily bars"}
    assert weekly.data != daily.data
    if tool == "compare":
        one, other = daily.data["instruments"][0], weekly.data["instruments"][0]
        assert other["rsi"] != one["rsi"]
        assert 0.5 < other["volatilityPercent"] / one["volatilityPercent"] < 2, "both a year"
    else:
        assert weekly.data["resampledFrom"] == "1d"
    with pytest.raises(NoData, match="no 1h bars"):
        await box.call(tool, {**arguments, "timeframe": "1h"}, context)
