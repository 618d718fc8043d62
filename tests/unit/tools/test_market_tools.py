"""What the tools tell a model: exact, dated, cited, finite, small, and drawn in cards."""

import json
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
import talib

from tests.unit.tools.samples import as_prices, made_up
from tools.cards import SHOWN
from tools.desk import market_tools
from tools.errors import InvalidArguments, NoData
from tools.market.bars import Bars
from tools.market.instruments import Instrument
from tools.market.store import InProcessMarket
from tools.registry import ToolBox
from tools.tool import ToolContext, ToolResult

SYMBOLS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")
CALLS: list[tuple[str, dict[str, Any]]] = [
    *[
        (name, {"symbol": s})
        for name in ("quotes", "indicators", "signals", "levels", "what_changed")
        for s in SYMBOLS
    ],
    ("what_changed", {"symbol": "AAPL", "period": "max"}),
    ("screen", {"where": {"field": "rsi", "op": ">", "value": 50}}),
    ("screen", {"rankBy": "volatility20", "limit": 50}),
    *[("quotes", {"symbol": s, "period": p}) for s in SYMBOLS for p in ("1w", "1y", "max")],
    *[("indicators", {"symbol": "GOOG", "at": at}) for at in ("2004-08-19", "2004-10-01")],
    *[("signals", {"symbol": "GOOG", "at": at}) for at in ("2004-08-19", "2005-01-03")],
    ("compare", {"symbols": ["AAPL", "GOOG", "IBM", "MSFT", "FB"], "period": "max"}),
    ("compare", {"symbols": ["google", "apple"], "period": "1w"}),
    ("compare", {"symbols": ["GOOG", "IBM"], "baseline": "MSFT", "fields": ["adx", "sma200"]}),
    ("instruments", {}),
    ("instruments", {"query": "micro"}),
    ("instruments", {"query": "nothing like it"}),
]


def leaves(value: Any, path: str = "") -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [leaf for key, inner in value.items() for leaf in leaves(inner, f"{path}/{key}")]
    if isinstance(value, list):
        return [leaf for i, inner in enumerate(value) for leaf in leaves(inner, f"{path}/{i}")]
    return [(path, value)]


def compact(value: Any) -> str:
    return json.dumps(value, allow_nan=False, separators=(",", ":"))


@pytest.mark.parametrize(("name", "arguments"), CALLS)
async def test_every_result_is_plain_finite_dated_cited_and_small(
    name: str, arguments: dict[str, Any], box: ToolBox, context: ToolContext
) -> None:
    result = await box.call(name, arguments, context)
    text = compact(result.evidence())
    assert len(text) < 8_000
    for path, value in leaves(result.data):
        assert value is None or type(value) in (int, float, str, bool), (path, type(value))
    if result.data.get("count") != 0:
        assert result.as_of is not None
        assert result.as_of <= context.now
        assert "bokeh-sampledata" in result.source
    assert result.summary
    assert all(f'"{key}":' in text.split(',"units":')[0] for key in result.units)


@pytest.mark.parametrize(("name", "arguments"), CALLS)
async def test_every_card_can_be_drawn_and_is_under_sixty_kilobytes(
    name: str, arguments: dict[str, Any], box: ToolBox, context: ToolContext
) -> None:
    result = await box.call(name, arguments, context)
    charts = [card for card in result.cards if card.activity_type == "chart.candles"]
    assert len(charts) == (0 if name in {"instruments", "screen"} else 1)
    for card in result.cards:
        assert len(compact(card.content)) < 60_000
        assert {"symbol", "timeframe", "source", "asOf"} <= card.content.keys()
    for chart in charts:
        bars = chart.content["bars"]
        times = [bar[0] for bar in bars]
        assert 0 < len(bars) <= SHOWN
        assert times == sorted(set(times))
        for _, first, high, low, last, volume in bars:
            assert low <= min(first, last) <= max(first, last) <= high
            assert volume >= 0
        lines = [*chart.content["overlays"]]
        lines += [line for pane in chart.content["panes"] for line in pane["lines"]]
        for line in lines:
            assert {point[0] for point in line["points"]} <= set(times), line["name"]
        assert {marker["time"] for marker in chart.content["markers"]} <= set(times)
        assert all(level["kind"] in ("support", "resistance") for level in chart.content["levels"])


async def test_quotes_say_what_the_bars_say(
    box: ToolBox, context: ToolContext, shipped: dict[str, Bars]
) -> None:
    data = (await box.call("quotes", {"symbol": "google"}, context)).data
    google = shipped["GOOG"]
    assert data["symbol"] == "GOOG"
    assert data["close"] == 806.19
    assert data["lastBar"] == "2013-03-01"
    assert data["bars"] == 2148
    assert data["newestBarAgeDays"] == (context.now.date() - google.day(-1)).days
    assert data["changes"]["oneDay"]["closeThen"] == google.close[-2]
    assert data["changes"]["fiveDays"]["closeThen"] == google.close[-6]
    assert data["changes"]["oneMonth"]["since"] == "2013-02-01"
    assert data["changes"]["oneYear"]["since"] == "2012-03-01"
    year = google.close[-1] / google.until(datetime(2012, 3, 1, tzinfo=UTC).date()).close[-1]
    assert data["changes"]["oneYear"]["changePercent"] == pytest.approx(100 * (year - 1))
    assert data["yearRange"]["high"] == 808.97
    assert data["yearRange"]["highOn"] == "2013-02-20"
    assert 0 <= data["yearRange"]["placePercent"] <= 100
    assert data["averageVolume50"] == pytest.approx(google.volume[-51:-1].mean())
    assert "period" not in data


async def test_what_changed_since_starts_from_the_close_one_had_then(
    box: ToolBox, context: ToolContext, shipped: dict[str, Bars]
) -> None:
    # 2012-07-04 was a holiday: the close one had was that of the 3rd.
    asked = {"symbol": "GOOG", "from": "2012-07-04", "to": "2012-12-25"}
    result = await box.call("quotes", asked, context)
    period, google = result.data["period"], shipped["GOOG"]
    start, end = google.position(datetime(2012, 7, 3, tzinfo=UTC).date()), 2102
    assert (period["from"], period["to"]) == ("2012-07-03", "2012-12-24")
    assert google.day(end).isoformat() == "2012-12-24"
    assert period["startClose"] == google.close[start]
    assert period["endClose"] == google.close[end]
    assert period["tradingDays"] == end - start
    assert period["high"] == google.high[start + 1 : end + 1].max()
    assert period["low"] == google.low[start + 1 : end + 1].min()
    assert result.as_of == google.time(end)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"from": "2013-03-01"}, "not before the last bar"),
        ({"from": "2013-02-01", "to": "2013-01-01"}, "before `to`"),
        ({"from": "2012-01-01", "period": "1y"}, "not both"),
        ({"from": "yesterday"}, "from"),
    ],
)
async def test_a_span_that_cannot_be_is_explained(
    arguments: dict[str, Any], said: str, box: ToolBox, context: ToolContext
) -> None:
    with pytest.raises(InvalidArguments, match=said):
        await box.call("quotes", {"symbol": "GOOG", **arguments}, context)


async def test_a_day_before_the_first_bar_has_no_data(box: ToolBox, context: ToolContext) -> None:
    with pytest.raises(NoData, match="2004-08-19 to 2013-03-01"):
        await box.call("indicators", {"symbol": "GOOG", "at": "2004-01-01"}, context)
    early = ToolContext(principal_id="x", now=datetime(1999, 1, 1, tzinfo=UTC))
    with pytest.raises(NoData, match="closed yet"):
        await box.call("quotes", {"symbol": "GOOG"}, early)


@pytest.mark.parametrize("symbol", SYMBOLS)
async def test_indicators_are_the_reference_values_unrounded(
    symbol: str, box: ToolBox, context: ToolContext, shipped: dict[str, Bars]
) -> None:
    data = (await box.call("indicators", {"symbol": symbol}, context)).data
    bars = shipped[symbol].split_adjusted()
    macd, signal, histogram = talib.MACD(bars.close, 12, 26, 9)
    upper, middle, lower = talib.BBANDS(bars.close, 20, 2.0, 2.0)
    assert data["rsi"]["value"] == talib.RSI(bars.close, 14)[-1]
    assert [data["macd"][k] for k in ("macd", "signal", "histogram")] == [
        macd[-1], signal[-1], histogram[-1],
    ]  # fmt: skip
    for name, function, period in (
        ("sma20", talib.SMA, 20), ("sma50", talib.SMA, 50), ("sma200", talib.SMA, 200),
        ("ema12", talib.EMA, 12), ("ema26", talib.EMA, 26),
    ):  # fmt: skip
        expected = function(bars.close, period)[-1]
        assert data["movingAverages"][name] == (None if np.isnan(expected) else expected)
    bands = data["bollingerBands"]
    assert (bands["upper"], bands["middle"], bands["lower"]) == (upper[-1], middle[-1], lower[-1])
    columns = bars.high, bars.low, bars.close
    slow_k, slow_d = talib.STOCH(*columns, fastk_period=14)
    assert data["stochastic"] == {"k": slow_k[-1], "d": slow_d[-1]}
    assert (data["adx"], data["plusDi"], data["minusDi"]) == (
        talib.ADX(*columns)[-1], talib.PLUS_DI(*columns)[-1], talib.MINUS_DI(*columns)[-1],
    )  # fmt: skip
    balance = talib.OBV(bars.close, bars.volume)
    assert data["obvChange20"] == balance[-1] - balance[-21]


async def test_what_is_not_ready_is_null_with_its_reason(
    box: ToolBox, context: ToolContext
) -> None:
    data = (await box.call("indicators", {"symbol": "FB"}, context)).data
    assert data["movingAverages"]["sma200"] is None
    assert data["notReady"] == {"sma200": "needs 200 bars, there are 196"}
    assert data["ready"] is False
    assert data["rsi"]["value"] is not None


async def test_every_null_of_a_young_history_is_explained(
    box: ToolBox, context: ToolContext
) -> None:
    one = {"symbol": "GOOG", "at": "2004-08-19"}
    result = await box.call("indicators", one, context)
    assert result.data["bars"] == 1
    assert set(result.data["notReady"]) >= {"rsi", "macd", "sma20", "sma200", "trend"}
    signals = await box.call("signals", one, context)
    assert signals.data["composite"] is None
    assert signals.data["signals"] == []
    assert "too few" in signals.summary
    quotes = await box.call("quotes", {"symbol": "GOOG", "to": "2004-08-19"}, context)
    assert quotes.data["changes"] == dict.fromkeys(("oneDay", "fiveDays", "oneMonth", "oneYear"))


async def test_signals_that_hold_say_since_when_and_on_what(
    box: ToolBox, context: ToolContext
) -> None:
    result = await box.call("signals", {"symbol": "GOOG"}, context)
    held = result.data["signals"]
    assert [signal["signalType"] for signal in held] == ["reversal", "breakout", "trend_change"]
    for signal in held:
        assert signal["direction"] in ("bullish", "bearish", "neutral")
        assert signal["validFrom"] <= "2013-03-01T00:00:00Z" < signal["validUntil"]
    for indicator in result.data["indicators"]:
        assert {"name", "value", "signal", "weight"} <= indicator.keys()
    assert {"rsi", "macd", "movingAverages", "bollingerBands", "support", "resistance",
            "trendLine"} == result.data["technicalAnalysis"].keys()  # fmt: skip
    again = await box.call("signals", {"symbol": "Google"}, context)
    assert again.data == result.data


async def test_confidence_is_what_was_measured_and_for_a_direction_without_edge_the_base_rate(
    box: ToolBox, context: ToolContext
) -> None:
    seen = set()
    for symbol in SYMBOLS:
        for day in ("2008-10-10", "2010-05-07", "2013-03-01"):
            try:
                data = (await box.call("signals", {"symbol": symbol, "at": day}, context)).data
            except NoData:
                continue
            for one in filter(None, [data["composite"], *data["signals"]]):
                record = one["trackRecord"]
                seen.add(one["edge"])
                base = record["baseRate"]
                assert record["event"]
                if record["n"] < 30:
                    assert record["hitRate"] is record["wilsonLow"] is None
                    assert one["edge"] == "too few"
                else:
                    assert record["hitRate"] == pytest.approx(100 * record["hits"] / record["n"])
                    assert record["wilsonLow"] < record["hitRate"] < record["wilsonHigh"]
                sided = one is data["composite"] or one["direction"] != "neutral"
                if one["edge"] == "measured edge" or not sided:
                    expected = (record["hits"] + base) / (record["n"] + 100)
                    assert one["confidence"] == pytest.approx(expected)
                elif base is not None:
                    assert one["confidence"] == pytest.approx(base / 100)
    assert {"too few", "no measured edge", "measured edge"} <= seen


async def test_the_signal_card_carries_the_badge_and_the_record(
    box: ToolBox, context: ToolContext
) -> None:
    result = await box.call("signals", {"symbol": "GOOG"}, context)
    card = next(card for card in result.cards if card.activity_type == "signal")
    assert card.content["edge"] == "no measured edge"
    assert card.content["trackRecord"]["n"] == 36
    assert len(card.content["signals"]) == 3
    chart = next(card for card in result.cards if card.activity_type == "chart.candles")
    assert {marker["direction"] for marker in chart.content["markers"]} <= {"bullish", "bearish"}
    assert chart.content["trendLine"]["direction"] == "up"


async def test_a_comparison_ends_on_the_last_day_they_share(
    shipped: dict[str, Bars], context: ToolContext
) -> None:
    google = shipped["GOOG"].until(datetime(2012, 6, 29, tzinfo=UTC).date())
    market = InProcessMarket(
        [Instrument(symbol=s, name=s, source="x") for s in ("AAPL", "GOOG")],
        [shipped["AAPL"], google],
    )
    box = ToolBox(market_tools(market, market))
    result = await box.call("compare", {"symbols": ["AAPL", "GOOG"], "period": "6m"}, context)
    assert result.data["to"] == "2012-06-29"
    assert result.data["from"] == "2011-12-29"
    first, second = result.data["instruments"]
    assert second["endClose"] == google.close[-1]
    assert result.data["notes"] == [
        "GOOG ends on 2012-06-29, others go on to 2013-03-01; the comparison ends there."
    ]
    apple = as_prices(shipped["AAPL"].until(google.day(-1)))
    assert first["endClose"] == apple.close[-1]


async def test_a_comparison_says_when_a_history_is_too_short_for_it(
    box: ToolBox, context: ToolContext
) -> None:
    result = await box.call("compare", {"symbols": ["FB", "IBM"], "period": "1y"}, context)
    assert result.data["from"] == "2012-05-18"
    assert result.data["notes"] == ["FB begins on 2012-05-18; the comparison cannot start sooner."]


async def test_correlation_is_of_daily_returns_over_shared_days(context: ToolContext) -> None:
    rng = np.random.default_rng(4)
    shared = rng.normal(0, 0.01, 300)
    other = rng.normal(0, 0.01, 300)

    def closes(moves: Any) -> Any:
        return 100 * np.exp(np.cumsum(moves))

    series = {
        "ONE": made_up(closes(shared), symbol="ONE"),
        "SAME": made_up(closes(2 * shared), symbol="SAME"),
        "ELSE": made_up(closes(other), symbol="ELSE"),
    }
    market = InProcessMarket(
        [Instrument(symbol=s, name=s, source="x") for s in series], series.values()
    )
    box = ToolBox(market_tools(market, market))
    asked = {"symbols": list(series), "period": "max"}
    pairs = (await box.call("compare", asked, context)).data["correlations"]
    values = {tuple(pair["between"]): pair["correlation"] for pair in pairs}
    assert values["ONE", "SAME"] == pytest.approx(1.0)
    assert values["ONE", "ELSE"] == pytest.approx(np.corrcoef(shared[1:], other[1:])[0, 1])
    assert all(pair["days"] == 299 for pair in pairs)


async def test_days_that_never_meet_cannot_be_compared(
    shipped: dict[str, Bars], context: ToolContext
) -> None:
    early = shipped["AAPL"].until(datetime(2003, 1, 1, tzinfo=UTC).date())
    market = InProcessMarket(
        [Instrument(symbol=s, name=s, source="x") for s in ("AAPL", "GOOG")],
        [early, shipped["GOOG"]],
    )
    with pytest.raises(NoData, match="no day to compare"):
        await ToolBox(market_tools(market, market)).call(
            "compare", {"symbols": ["AAPL", "GOOG"]}, context
        )


async def test_the_same_company_twice_is_no_comparison(box: ToolBox, context: ToolContext) -> None:
    with pytest.raises(InvalidArguments, match="same instrument"):
        await box.call("compare", {"symbols": ["GOOG", "google"]}, context)


@pytest.mark.parametrize("count", [1, 2, 21, 60, 260])
@pytest.mark.parametrize("shape", ["flat", "no volume", "gap", "penny"])
async def test_odd_prices_break_no_tool(count: int, shape: str, context: ToolContext) -> None:
    close = np.full(count, 50.0) if shape == "flat" else 50 + np.sin(np.arange(count))
    if shape == "penny":
        close = close / 1e6
    bars = made_up(
        close,
        volume=np.zeros(count) if shape == "no volume" else None,
        spread=0.0 if shape == "flat" else 0.01,
    )
    if shape == "gap" and count > 30:
        whole: dict[str, Any] = vars(bars)
        kept = np.r_[0 : count // 2, count // 2 + 10 : count]
        cut: dict[str, Any] = {
            k: v[kept] if isinstance(v, np.ndarray) else v for k, v in whole.items()
        }
        bars = Bars(**cut)
    market = InProcessMarket([Instrument(symbol="TEST", name="Test", source="x")], [bars])
    box = ToolBox(market_tools(market, market))
    for name in ("quotes", "indicators", "signals"):
        result: ToolResult = await box.call(name, {"symbol": "TEST"}, context)
        compact(result.evidence())
        compact([card.content for card in result.cards])
    if shape == "flat" and count > 21:
        indicators = (await box.call("indicators", {"symbol": "TEST"}, context)).data
        assert indicators["rsi"]["value"] == 50.0


async def test_instruments_are_listed_with_their_spans(box: ToolBox, context: ToolContext) -> None:
    listed = (await box.call("instruments", {}, context)).data["instruments"]
    assert [one["symbol"] for one in listed] == list(SYMBOLS)
    assert listed[2] | {"source": ""} == {
        "symbol": "GOOG",
        "name": "Google Inc. (now Alphabet)",
        "kind": "equity",
        "currency": "USD",
        "firstBar": "2004-08-19",
        "lastBar": "2013-03-01",
        "bars": 2148,
        "source": "",
    }
    found = (await box.call("instruments", {"query": "big blue"}, context)).data
    assert [one["symbol"] for one in found["instruments"]] == ["IBM"]
    near = (await box.call("instruments", {"query": "appel"}, context)).data
    assert near["nearest"] == ["AAPL"]


async def test_indicators_of_other_bars_say_which_and_count_a_year_by_them(
    shipped: dict[str, Bars], context: ToolContext
) -> None:
    daily = shipped["GOOG"].slice(0, 400)
    hours = np.datetime64("2010-01-04T14:00", "s") + np.arange(400) * np.timedelta64(3600, "s")
    hourly = Bars(**{**vars(daily), "timeframe": "1h", "timestamps": hours})
    instruments = [Instrument(symbol="GOOG", name="Google", source="x")]
    box = ToolBox(market_tools(*(InProcessMarket(instruments, [daily, hourly]),) * 2))
    by_day = await box.call("indicators", {"symbol": "GOOG"}, context)
    by_hour = await box.call("indicators", {"symbol": "GOOG", "timeframe": "1h"}, context)
    assert by_hour.data["rsi"]["value"] == by_day.data["rsi"]["value"]
    assert by_hour.data["timeframe"] == "1h"
    assert "400 1h bars" in by_hour.summary
    assert by_hour.units["slopePercent"] == "% a bar"
    assert by_hour.units["rankedDays"] == "1h bars"
    assert by_day.units["slopePercent"] == "% a day"
    assert any("1,638 of them" in note for note in by_hour.data["notes"])
    month = [one.data["volatility"]["days20"]["annualisedPercent"] for one in (by_day, by_hour)]
    assert month[1] / month[0] == pytest.approx((1638 / 252) ** 0.5)
    weekly = await box.call("indicators", {"symbol": "GOOG", "timeframe": "1w"}, context)
    assert weekly.data["resampledFrom"] == "1d"
    assert any("Made of 1d bars" in note for note in weekly.data["notes"])
    with pytest.raises(NoData, match="no 5m bars"):
        await box.call("indicators", {"symbol": "GOOG", "timeframe": "5m"}, context)
