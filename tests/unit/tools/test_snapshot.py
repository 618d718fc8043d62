"""The catalogue of per-bar numbers: complete, on time, and what the desk says elsewhere."""

from pathlib import Path

import numpy as np
import pytest

from tests.unit.tools.samples import as_prices, made_up
from tools.analytics import snapshot
from tools.analytics.prices import BARS_A_YEAR
from tools.analytics.snapshot import FIELDS, YEAR_BARS
from tools.market.bars import TIMEFRAMES, Bars
from tools.registry import ToolBox
from tools.tool import ToolContext


def walk(count: int, *, seed: int = 1) -> Bars:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, count)))
    return made_up(close, volume=rng.uniform(1e5, 1e7, count))


def test_a_table_has_every_field_of_the_catalogue_and_no_other() -> None:
    for count in (0, 1, 2, 51, 300):
        table = snapshot.table(as_prices(walk(count)))
        assert list(table) == list(FIELDS)
        assert {len(values) for values in table.values()} == {count}


def test_each_field_begins_at_the_bar_that_the_catalogue_says() -> None:
    table = snapshot.table(as_prices(walk(400)))
    for name, values in table.items():
        ready = np.isfinite(values)
        assert int(np.argmax(ready)) + 1 == FIELDS[name].bars, name
        assert ready[FIELDS[name].bars - 1 :].all(), name


def test_a_snapshot_says_none_where_there_is_no_value() -> None:
    table = snapshot.table(as_prices(walk(60)))
    first, last = snapshot.at(table, 0), snapshot.at(table, -1)
    assert first["close"] == table["close"][0]
    assert first["rsi"] is None
    assert first["changePercent"] is None
    assert last["sma200"] is None
    assert last["sma50"] == table["sma50"][59]
    with pytest.raises(IndexError):
        snapshot.at(table, 60)


async def test_a_snapshot_tells_the_same_numbers_as_the_tools(
    shipped: dict[str, Bars], box: ToolBox, context: ToolContext
) -> None:
    bars = shipped["GOOG"]
    now = snapshot.at(snapshot.table(as_prices(bars)), -1)
    told = (await box.call("indicators", {"symbol": "GOOG"}, context)).data
    quoted = (await box.call("quotes", {"symbol": "GOOG"}, context)).data
    strength = (await box.call("signals", {"symbol": "GOOG"}, context)).data["composite"]
    pairs = [
        (now["close"], told["close"]),
        (now["rsi"], told["rsi"]["value"]),
        (now["macdHistogram"], told["macd"]["histogram"]),
        (now["sma200"], told["movingAverages"]["sma200"]),
        (now["bollingerUpper"], told["bollingerBands"]["upper"]),
        (now["bandwidth"], told["bollingerBands"]["width"]),
        (now["percentB"], told["bollingerBands"]["percentB"]),
        (now["atrPercent"], told["volatility"]["atrPercent"]),
        (now["volatility20"], told["volatility"]["days20"]["annualisedPercent"]),
        (now["volatility60"], told["volatility"]["days60"]["annualisedPercent"]),
        (now["trendSlope"], told["trend"]["slope"]),
        (now["trendR2"], told["trend"]["r2"]),
        (now["changePercent"], quoted["changes"]["oneDay"]["changePercent"]),
        (now["volumeRatio"], quoted["volumeRatio"]),
        (now["strength"], strength["strength"]),
    ]
    for ours, theirs in pairs:
        assert ours == pytest.approx(theirs, rel=1e-9)


def test_52_weeks_are_252_daily_and_52_weekly_bars_and_nothing_on_shorter_ones() -> None:
    prices = as_prices(walk(300))
    daily = snapshot.table(prices)
    weekly = snapshot.table(prices, timeframe="1w")
    hourly = snapshot.table(prices, timeframe="1h")
    assert daily["high52w"][-1] == prices.high[-252:].max()
    assert daily["low52w"][-1] == prices.low[-252:].min()
    assert weekly["high52w"][-1] == prices.high[-52:].max()
    assert np.isnan(hourly["high52w"]).all()
    assert set(YEAR_BARS) < set(TIMEFRAMES)


def test_a_volatility_is_annualised_by_the_bars_a_year_has_of_its_timeframe() -> None:
    prices = as_prices(walk(300))
    daily = snapshot.table(prices)["volatility20"][-1]
    for timeframe in TIMEFRAMES:
        other = snapshot.table(prices, timeframe=timeframe)["volatility20"][-1]
        assert other / daily == pytest.approx(np.sqrt(BARS_A_YEAR[timeframe] / 252))
    assert list(BARS_A_YEAR) == list(TIMEFRAMES)


def test_no_volume_and_no_movement_give_no_ratio_instead_of_infinity() -> None:
    still = made_up(np.full(300, 50.0), spread=0.0, volume=np.zeros(300))
    now = snapshot.at(snapshot.table(as_prices(still)), -1)
    assert now["volumeRatio"] is None
    assert now["percentB"] is None
    assert now["rsi"] == 50.0
    assert (now["adx"], now["plusDi"], now["minusDi"], now["atr"]) == (0.0, 0.0, 0.0, 0.0)
    assert (now["volatility20"], now["trendSlope"], now["trendR2"]) == (0.0, 0.0, 0.0)
    assert now["strength"] == 0.0
    assert now["fromHigh52wPercent"] == 0.0


def test_every_field_is_defined_in_the_docs_with_its_first_bar() -> None:
    text = (Path(__file__).parents[3] / "docs" / "indicators.md").read_text()
    table = text.split("<!-- begin fields -->")[1].split("<!-- end fields -->")[0]
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in table.splitlines()]
    told = {row[0].strip("`"): row[1] for row in rows if row and row[0].startswith("`")}
    assert told == {name: str(field.bars) for name, field in FIELDS.items()}
