"""What `levels`, `what_changed` and `compare` say beyond what all tools have in common."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.unit.tools.samples import as_prices
from tools.analytics import levels as analytics
from tools.analytics import snapshot
from tools.errors import InvalidArguments
from tools.levels import PLACEBO
from tools.market.bars import Bars
from tools.registry import ToolBox
from tools.tool import ToolContext

SYMBOLS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")


@pytest.mark.parametrize("symbol", SYMBOLS)
async def test_levels_lie_on_their_side_and_were_known_in_time(
    symbol: str, box: ToolBox, context: ToolContext
) -> None:
    data = (await box.call("levels", {"symbol": symbol}, context)).data
    for side, sign in (("support", -1), ("resistance", 1)):
        for level in data[side]:
            assert sign * (level["price"] - data["close"]) > 0
            assert sign * level["distancePercent"] > 0
            assert level["distanceInAtr"] > 0
            assert level["lastTouchOn"] < level["knownSince"] <= data["lastBar"]
    assert not any("confidence" in key for level in data["support"] for key in level)


def test_the_placebo_of_levels_is_the_published_one() -> None:
    published = (Path(__file__).resolve().parents[3] / "docs/signals.md").read_text()
    row = re.search(
        rf"\| {PLACEBO['symbols']} symbols \| support \| (0\.\d+) .*?\(n ([\d,]+)\) \| (0\.\d+) ",
        published,
    )
    assert row is not None
    at, cases, shifted = row.groups()
    assert float(at) * 100 == pytest.approx(PLACEBO["atLevelsPercent"])
    assert float(shifted) * 100 == pytest.approx(PLACEBO["atShiftedLinesPercent"])
    assert cases == f"{PLACEBO['cases']:,}"
    assert f"Run on {PLACEBO['measuredOn']}: {PLACEBO['symbols']} symbols" in published


async def test_the_trend_line_is_read_at_the_last_bar(
    box: ToolBox, context: ToolContext, shipped: dict[str, Bars]
) -> None:
    line = (await box.call("levels", {"symbol": "GOOG"}, context)).data["trendLine"]
    close = shipped["GOOG"].split_adjusted().close[-50:]
    slope, intercept = np.polyfit(np.arange(50), close, 1)
    assert line["value"] == pytest.approx(intercept + 49 * slope)
    assert line["closeVsLinePercent"] == pytest.approx(100 * (close[-1] / line["value"] - 1))


async def test_what_changed_is_the_difference_of_two_snapshots(
    box: ToolBox, context: ToolContext, shipped: dict[str, Bars]
) -> None:
    arguments = {"symbol": "GOOG", "from": "2012-11-30", "to": "2013-02-01"}
    data = (await box.call("what_changed", arguments, context)).data
    prices = as_prices(shipped["GOOG"].until(shipped["GOOG"].time(-1).date()))
    table = snapshot.table(prices)
    days = prices.days.astype("datetime64[D]").astype(str).tolist()
    for moment, day in (("then", data["from"]), ("now", data["to"])):
        at = snapshot.at(table, days.index(day))
        for key, value in data[moment].items():
            assert key == "trend" or value == pytest.approx(at[key]), (moment, key)
    assert data["changePercent"] == pytest.approx(
        100 * (data["now"]["close"] / data["then"]["close"] - 1)
    )


async def test_signals_that_fired_are_those_the_signals_tool_saw_then(
    box: ToolBox, context: ToolContext
) -> None:
    data = (await box.call("what_changed", {"symbol": "GOOG", "period": "3m"}, context)).data
    fired = data["signalsFired"]
    assert [signal["firedOn"] for signal in fired] == sorted(s["firedOn"] for s in fired)
    assert all(data["from"] < signal["firedOn"] <= data["to"] for signal in fired)
    for signal in fired[-3:]:
        asked = {"symbol": "GOOG", "at": signal["firedOn"]}
        then = (await box.call("signals", asked, context)).data["signals"]
        assert signal["signalType"] in {one["signalType"] for one in then}
    now = (await box.call("signals", {"symbol": "GOOG"}, context)).data["signals"]
    valid = {(s["signalType"], s["firedOn"]) for s in fired if s["stillValid"]}
    assert {(s["signalType"], s["validFrom"][:10]) for s in now} >= valid


async def test_levels_passed_were_drawn_before_the_change(
    box: ToolBox, context: ToolContext, shipped: dict[str, Bars]
) -> None:
    data = (await box.call("what_changed", {"symbol": "GOOG", "period": "3m"}, context)).data
    assert [level["kind"] for level in data["levelsPassed"]] == ["resistance"] * 2
    then = await box.call("levels", {"symbol": "GOOG", "at": data["from"]}, context)
    drawn = {level["price"] for level in then.data["resistance"]}
    assert {level["price"] for level in data["levelsPassed"]} <= drawn
    assert analytics.SIDE == 5


async def test_what_changed_speaks_of_a_month_by_default(
    box: ToolBox, context: ToolContext
) -> None:
    plain = (await box.call("what_changed", {"symbol": "IBM"}, context)).data
    month = (await box.call("what_changed", {"symbol": "IBM", "period": "1m"}, context)).data
    assert plain == month
    with pytest.raises(InvalidArguments, match="before `to`"):
        await box.call(
            "what_changed", {"symbol": "IBM", "from": "2013-02-01", "to": "2013-01-01"}, context
        )


async def compare(box: ToolBox, context: ToolContext, **arguments: Any) -> dict[str, Any]:
    return (await box.call("compare", arguments, context)).data


async def test_a_comparison_is_measured_against_its_baseline(
    box: ToolBox, context: ToolContext
) -> None:
    alone = await compare(box, context, symbols=["GOOG", "AAPL", "IBM"])
    rows = {row["symbol"]: row for row in alone["instruments"]}
    mean = np.mean([row["changePercent"] for row in rows.values()])
    assert alone["baseline"] == {
        "name": "the mean of those compared",
        "changePercent": pytest.approx(mean),
    }
    assert sum(row["excessPercent"] for row in rows.values()) == pytest.approx(0)
    named = await compare(box, context, symbols=["GOOG", "AAPL"], baseline="MSFT")
    both = await compare(box, context, symbols=["GOOG", "MSFT"])
    goog = named["instruments"][0]
    assert named["baseline"]["changePercent"] == both["instruments"][1]["changePercent"]
    assert goog["excessPercent"] == goog["changePercent"] - named["baseline"]["changePercent"]
    assert goog["correlation"] == both["correlations"][0]["correlation"]
    assert 0 < goog["beta"] < 2
    itself = await compare(box, context, symbols=["GOOG", "MSFT"], baseline="MSFT")
    assert "beta" not in itself["instruments"][1]
    assert itself["instruments"][1]["excessPercent"] == 0


async def test_a_comparison_tells_any_field_of_the_catalogue(
    box: ToolBox, context: ToolContext
) -> None:
    data = await compare(
        box, context, symbols=["GOOG", "IBM"], fields=["adx", "fromHigh52wPercent"]
    )
    indicators = (await box.call("indicators", {"symbol": "GOOG"}, context)).data
    assert data["instruments"][0]["adx"] == indicators["adx"]
    with pytest.raises(InvalidArguments, match="Allowed: close, open"):
        await compare(box, context, symbols=["GOOG", "IBM"], fields=["beauty"])
