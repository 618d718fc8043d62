"""Screens: who meets a condition on a day, in which order, and who could not be judged."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from tests.unit.tools.samples import as_prices, assert_alike, made_up
from tools.analytics import snapshot
from tools.errors import InvalidArguments, NoData
from tools.history import History, Market
from tools.market.bars import Bars
from tools.market.instruments import Instrument
from tools.market.store import InProcessMarket
from tools.registry import ToolBox
from tools.screen import BARS, MANY, Screen, snapshots
from tools.tool import ToolContext

RSI_LOW = {"field": "rsi", "op": "<", "value": 60}


def screen_of(*series: Bars, extra: tuple[str, ...] = ()) -> Screen:
    names = [*(bars.symbol for bars in series), *extra]
    known = [Instrument(symbol=name, name=name, source="made up") for name in names]
    market = InProcessMarket(known, series)
    return Screen(Market(market, market))


async def find(box: ToolBox, context: ToolContext, **arguments: Any) -> dict[str, Any]:
    return (await box.call("screen", arguments, context)).data


async def test_the_values_of_a_row_are_those_of_the_whole_history(
    box: ToolBox, context: ToolContext, shipped: dict[str, Bars]
) -> None:
    found = await find(box, context, rankBy="rsi", limit=50)
    for row in found["rows"]:
        bars = shipped[row["symbol"]]
        whole = snapshot.at(snapshot.table(as_prices(bars)), -1)
        assert row["rsi"] == pytest.approx(whole["rsi"], rel=1e-12)
        assert row["close"] == whole["close"]
    assert [row["rsi"] for row in found["rows"]] == sorted(
        (row["rsi"] for row in found["rows"]), reverse=True
    )


async def test_every_instrument_is_told_of_once_and_only_once(
    box: ToolBox, context: ToolContext
) -> None:
    both = [{"field": "close", "op": ">", "value": {"field": "sma200"}}, RSI_LOW]
    found = await find(box, context, where={"all": both})
    assert [row["symbol"] for row in found["rows"]] == ["IBM"]
    assert found["notReady"] == {"count": 1, "examples": ["FB"]}
    assert (found["matched"], found["judged"], found["withoutBars"]) == (1, 4, 0)
    assert found["parts"] == [
        {"condition": "close above SMA 200", "held": 2},
        {"condition": "RSI below 60", "held": 4},
    ]
    none = await find(box, context, where={"not": {"all": both}})
    assert none["matched"] == 3
    assert none["notReady"]["count"] == 1


async def test_an_old_history_does_not_speak_of_today(context: ToolContext) -> None:
    fresh, old = made_up(np.arange(1.0, 400.0), symbol="NEW"), made_up([5.0] * 300, symbol="OLD")
    data = (await screen_of(fresh, old, extra=("NONE",))({"rankBy": "close"}, context)).data
    assert [row["symbol"] for row in data["rows"]] == ["NEW"]
    assert data["tooOld"] == {"count": 1, "examples": ["OLD"]}
    assert data["withoutBars"] == 1
    then = await screen_of(fresh, old)({"rankBy": "close", "at": str(old.day(-1))}, context)
    assert {row["symbol"] for row in then.data["rows"]} == {"NEW", "OLD"}


async def test_nothing_after_the_day_is_read(context: ToolContext) -> None:
    closes = np.concatenate([np.linspace(100, 120, 300), np.full(50, 1e6)])
    bars = made_up(closes, symbol="JUMP")
    data = (await screen_of(bars)({"rankBy": "close", "at": str(bars.day(299))}, context)).data
    assert data["rows"][0]["close"] == 120.0
    early = ToolContext(principal_id="x", now=bars.time(300).replace(tzinfo=UTC))
    assert (await screen_of(bars)({"rankBy": "close"}, early)).data["rows"][0]["close"] == 120.0


async def test_low_values_come_first_when_low_ones_are_looked_for(
    box: ToolBox, context: ToolContext
) -> None:
    low = await find(box, context, where=RSI_LOW)
    values = [row["rsi"] for row in low["rows"]]
    assert values == sorted(values)
    assert low["order"] == "lowest"
    turned = await find(box, context, where=RSI_LOW, order="highest", limit=2)
    assert [row["rsi"] for row in turned["rows"]] == sorted(values, reverse=True)[:2]
    assert turned["rowsLeftOut"] == len(values) - 2


async def test_signals_are_looked_for_like_numbers(box: ToolBox, context: ToolContext) -> None:
    found = await find(box, context, where={"signal": "breakout", "direction": "bullish"})
    assert [row["symbol"] for row in found["rows"]] == ["GOOG"]
    signals = (await box.call("signals", {"symbol": "GOOG"}, context)).data["signals"]
    assert "breakout" in {signal["signalType"] for signal in signals}
    assert (await find(box, context, where={"signal": "breakout", "fired": True}))["matched"] == 0


async def test_a_crossing_needs_the_bar_before(context: ToolContext) -> None:
    flat = [100.0] * 60
    up, down = made_up([*flat, 101.0], symbol="UP"), made_up([*flat, 99.0], symbol="DOWN")
    one = made_up([100.0], symbol="ONE")
    where = {"field": "close", "op": "crosses_above", "value": {"field": "sma50"}}
    data = (await screen_of(up, down, one)({"where": where}, context)).data
    # The one bar is older than the others by months, so it is not judged at all.
    assert [row["symbol"] for row in data["rows"]] == ["UP"]
    alone = (await screen_of(one)({"where": where}, context)).data
    assert alone["notReady"] == {"count": 1, "examples": ["ONE"]}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({}, "Give `where`, a condition, or `rankBy`"),
        ({"where": {"field": "rsi14", "op": ">", "value": 1}}, "Did you mean 'rsi'"),
        ({"rankBy": "beauty"}, "`rankBy` 'beauty' is no field. Allowed: close, open"),
        ({"rankBy": "obv"}, "compares no two instruments"),
        ({"rankBy": "rsi", "limit": 51}, "limit"),
        ({"rankBy": "rsi", "timeframe": "2d"}, "timeframe"),
    ],
)
async def test_a_wrong_search_is_explained(
    arguments: dict[str, Any], said: str, box: ToolBox, context: ToolContext
) -> None:
    with pytest.raises(InvalidArguments) as refused:
        await box.call("screen", arguments, context)
    assert said in refused.value.message


async def test_an_empty_desk_says_so(context: ToolContext) -> None:
    with pytest.raises(NoData, match="no bars of any instrument"):
        await screen_of()({"rankBy": "rsi"}, context)


async def test_weeks_are_made_of_days_where_no_weeks_are_stored(
    box: ToolBox, context: ToolContext
) -> None:
    found = await find(box, context, rankBy="rsi", timeframe="1w")
    assert found["judged"] == 5
    for row in found["rows"]:
        one = {"symbol": row["symbol"], "timeframe": "1w"}
        alone = (await box.call("indicators", one, context)).data
        assert row["close"] == alone["close"]
        assert row["lastBar"] == alone["lastBar"]
        assert row["rsi"] == pytest.approx(alone["rsi"]["value"], rel=1e-6)


async def test_two_thousand_symbols_are_judged_in_one_call() -> None:
    rng = np.random.default_rng(7)
    base = made_up(100 * np.exp(np.cumsum(rng.normal(0, 0.02, BARS))), symbol="X")
    series = [
        Bars(**{**base.__dict__, "symbol": f"S{n:04}", "close": base.close * (1 + n / 1e4)})
        for n in range(2000)
    ]
    now = datetime(2026, 11, 23, tzinfo=UTC)
    context = ToolContext(principal_id="x", now=now, timeout_s=60)
    found = await screen_of(*series)({"rankBy": "close", "limit": 5}, context)
    assert found.data["judged"] == 2000
    assert [row["symbol"] for row in found.data["rows"]] == [f"S{n}" for n in range(1999, 1994, -1)]


@pytest.mark.parametrize("timeframe", ["1d", "1w"])
def test_all_at_once_says_what_one_by_one_says(
    shipped: dict[str, Bars], timeframe: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real prices from many ends, short ones, and prices below zero."""
    histories = {}
    for symbol, bars in shipped.items():
        for cut in (1, 2, 14, 51, 252, 300, 777, len(bars)):
            histories[f"{symbol}{cut}"] = _history(bars.slice(0, cut))
    low = made_up(np.linspace(5.0, -5.0, 300))
    histories["BELOW"] = _history(low)
    assert len(histories) > MANY
    together = snapshots(histories, timeframe=timeframe)
    monkeypatch.setattr("tools.screen.MANY", 10**9)
    alone = snapshots(histories, timeframe=timeframe)
    assert together.keys() == alone.keys()
    for name, (now, before) in alone.items():
        assert_alike(together[name][0], now, name)
        assert_alike(together[name][1], before, name)


def _history(bars: Bars) -> History:
    instrument = Instrument(symbol=bars.symbol, name=bars.symbol, source="made up")
    return History(
        instrument=instrument,
        bars=bars.split_adjusted(),
        prices=as_prices(bars),
        stored=bars,
        as_traded=True,
        newest=bars.day(-1),
        age_days=0,
    )
