"""Nothing that is said about a day depends on a later one.

Two gates over every output. Cut: what is computed from bars up to t equals what a longer history
says about t. Poison: replacing all bars after t by garbage changes nothing said about t.
"""

from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import pytest

from tests.unit.tools.samples import as_prices, assert_alike
from tools.analytics import cases as analytics
from tools.analytics import changes, composite, indicators, outcomes, signals, trend, volatility
from tools.analytics.levels import SIDE, find, pivot_bars
from tools.desk import market_tools
from tools.market.bars import Bars
from tools.market.demo import VENDORED
from tools.market.store import InProcessMarket
from tools.registry import ToolBox
from tools.signal_views import SignalMaker
from tools.tool import ToolContext

DAYS = 50


def some_bars(count: int, *, seed: int, least: int = 2) -> list[int]:
    picks = np.random.default_rng(seed).integers(least, count - 1, DAYS)
    return sorted({*map(int, picks), least, count - 2})


def poisoned(bars: Bars, last: int) -> Bars:
    """Return the bars with garbage after `last`: other prices, other volumes, a false split."""
    rest = len(bars) - 1 - last
    wild = np.random.default_rng(7).uniform(0.01, 9_999, rest)

    def replaced(column: np.ndarray, garbage: np.ndarray) -> np.ndarray:
        return np.concatenate([column[: last + 1], garbage])

    assert bars.adjusted_close is not None
    return Bars(
        **{
            **vars(bars),
            "open": replaced(bars.open, wild),
            "high": replaced(bars.high, wild * 3),
            "low": replaced(bars.low, wild / 3),
            "close": replaced(bars.close, wild[::-1].copy()),
            "volume": replaced(bars.volume, wild * 1e6),
            "adjusted_close": replaced(bars.adjusted_close, wild[::-1] * 7),
        }
    )


@pytest.mark.parametrize("symbol", ["GOOG", "AAPL", "FB"])
def test_series_do_not_change_when_the_history_grows(symbol: str, shipped: dict[str, Bars]) -> None:
    prices = as_prices(shipped[symbol])
    whole = indicators.compute(prices)
    line = trend.lines(prices.close)
    moves = volatility.rolling(prices.total, 20)
    strength = composite.combine(prices, whole)
    highs, lows = changes.extremes(prices)
    for last in some_bars(len(prices), seed=1):
        cut = prices.upto(last)
        short = indicators.compute(cut)
        for field in fields(whole):
            np.testing.assert_array_equal(
                getattr(whole, field.name)[: last + 1], getattr(short, field.name), field.name
            )
        for long, brief in zip(line, trend.lines(cut.close), strict=True):
            np.testing.assert_allclose(long[: last + 1], brief, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(moves[: last + 1], volatility.rolling(cut.total, 20), rtol=1e-9)
        np.testing.assert_allclose(
            strength.strength[: last + 1], composite.combine(cut, short).strength, rtol=1e-9
        )
        cut_highs, cut_lows = changes.extremes(cut)
        assert (highs[: last + 1] == cut_highs).all()
        assert (lows[: last + 1] == cut_lows).all()


@pytest.mark.parametrize("symbol", ["GOOG", "AAPL", "FB"])
def test_firings_up_to_a_day_are_the_same_whenever_one_looks(
    symbol: str, shipped: dict[str, Bars]
) -> None:
    prices = as_prices(shipped[symbol])
    computed = indicators.compute(prices)
    fired = signals.fire(prices, computed, composite.combine(prices, computed))
    assert len(fired) > 20
    for last in some_bars(len(prices), seed=2):
        cut = prices.upto(last)
        known = indicators.compute(cut)
        early = signals.fire(cut, known, composite.combine(cut, known))
        expected = [firing for firing in fired if firing.bar <= last]
        assert [replace(f, strength=0.0) for f in early] == [
            replace(f, strength=0.0) for f in expected
        ]
        assert [f.strength for f in early] == pytest.approx([f.strength for f in expected])


def test_outcomes_become_known_only_when_their_horizon_has_passed(
    shipped: dict[str, Bars],
) -> None:
    prices = as_prices(shipped["GOOG"])
    whole = outcomes.judge(prices, indicators.compute(prices).atr)
    for last in some_bars(len(prices), seed=3, least=100):
        cut = prices.upto(last)
        early = outcomes.judge(cut, indicators.compute(cut).atr)
        for like, outcome in early.items():
            horizon = outcome.horizon_bars
            assert np.isnan(outcome.hits[last + 1 - horizon :]).all(), like
            np.testing.assert_array_equal(
                outcome.hits[: last + 1 - horizon], whole[like].hits[: last + 1 - horizon], like
            )
            np.testing.assert_array_equal(
                outcome.base_rates(), whole[like].base_rates()[: last + 1], like
            )


def test_the_newest_bars_say_the_same_as_the_whole_history(shipped: dict[str, Bars]) -> None:
    """What is read when one bar arrives is enough: nothing remembers further back."""
    prices = as_prices(shipped["AAPL"])
    assert len(prices) > 3_000
    whole = analytics.study(prices)
    tail = analytics.study(prices.newest(2_000))
    start = len(prices) - 2_000

    def late(found: analytics.Study, offset: int) -> list[signals.Firing]:
        moved = [replace(f, bar=f.bar + offset) for f in found.firings]
        return [f for f in moved if f.bar >= start + 1_400]

    expected = late(whole, 0)
    assert len(expected) > 100
    found = late(tail, start)
    assert [replace(f, strength=0.0) for f in found] == [replace(f, strength=0.0) for f in expected]
    assert [f.strength for f in found] == pytest.approx([f.strength for f in expected], rel=1e-9)
    for like, outcome in tail.outcomes.items():
        np.testing.assert_array_equal(
            outcome.hits[1_400:], whole.outcomes[like].hits[start + 1_400 :], like
        )
    # A base rate remembers as many outcomes as those remember bars.
    longer = analytics.study(prices.newest(2_800))
    for like, outcome in longer.outcomes.items():
        np.testing.assert_array_equal(
            outcome.base_rates()[2_540:], whole.outcomes[like].base_rates()[-260:], like
        )


def test_a_pivot_is_known_five_bars_later_and_not_sooner(shipped: dict[str, Bars]) -> None:
    high = as_prices(shipped["GOOG"]).high
    pivots = set(pivot_bars(high).tolist())
    assert len(pivots) > 100
    for bar in sorted(pivots)[:60]:
        assert bar not in pivot_bars(high[: bar + SIDE])
        assert bar in pivot_bars(high[: bar + SIDE + 1])
    prices = as_prices(shipped["GOOG"])
    for last in some_bars(len(prices), seed=4, least=60):
        cut = prices.upto(last)
        for side in find(cut, atr=float(indicators.compute(cut).atr[-1])):
            assert all(level.confirmed_at <= last for level in side)


def calls(day: str) -> Iterator[tuple[str, dict[str, Any]]]:
    yield "quotes", {"symbol": "AAPL", "to": day, "period": "3m"}
    yield "indicators", {"symbol": "AAPL", "at": day}
    yield "signals", {"symbol": "AAPL", "at": day}
    yield "compare", {"symbols": ["AAPL", "GOOG"], "to": day, "period": "6m"}


def one_box(apple: Bars, google: Bars) -> ToolBox:
    instruments = [VENDORED.instrument(symbol, bars=1) for symbol in ("AAPL", "GOOG")]
    market = InProcessMarket(instruments, [apple, google])
    return ToolBox(market_tools(market, market))


@pytest.mark.parametrize("way", ["cut", "poison", "now"])
async def test_no_tool_says_anything_about_a_day_that_it_could_not_have_said_then(
    way: str, shipped: dict[str, Bars], context: ToolContext
) -> None:
    apple, google = shipped["AAPL"], shipped["GOOG"]
    full = one_box(apple, google)
    least = apple.position(google.day(130))
    for last in some_bars(len(apple), seed=5, least=least)[::6]:
        day = apple.day(last)
        there = google.until(day)
        then, box = context, full
        if way == "cut":
            box = one_box(apple.slice(0, last + 1), there)
        elif way == "poison":
            box = one_box(poisoned(apple, last), poisoned(google, len(there) - 1))
        else:
            after = datetime(day.year, day.month, day.day, 1, tzinfo=UTC) + timedelta(days=1)
            then = ToolContext(principal_id="somebody", now=after)
        for name, arguments in calls(day.isoformat()):
            expected = await full.call(name, arguments, context)
            got = await box.call(name, arguments, then)
            for result in (expected, got):
                # How old the newest bar is depends on the day one asks, and on nothing else.
                result.data.pop("newestBarAgeDays", None)
            assert got.data == expected.data, (name, day)
            assert got.as_of == expected.as_of
            assert got.cards == expected.cards


async def test_without_a_day_the_clock_decides_what_exists(
    shipped: dict[str, Bars],
) -> None:
    box = one_box(shipped["AAPL"], shipped["GOOG"])
    # NASDAQ closes at 20:00 UTC on that day.
    then = ToolContext(principal_id="x", now=datetime(2008, 10, 10, 19, 59, tzinfo=UTC))
    for name, arguments in (
        ("quotes", {"symbol": "AAPL"}),
        ("indicators", {"symbol": "AAPL"}),
        ("signals", {"symbol": "AAPL"}),
        ("compare", {"symbols": ["AAPL", "GOOG"]}),
    ):
        result = await box.call(name, arguments, then)
        assert result.as_of == datetime(2008, 10, 9, tzinfo=UTC), name
        assert "2013" not in str(result.data).replace("up to 2018", ""), name


@pytest.mark.parametrize("way", ["cut", "poison"])
def test_a_signal_and_its_confidence_stand_on_nothing_that_came_later(
    way: str, shipped: dict[str, Bars]
) -> None:
    google, instrument = shipped["GOOG"], VENDORED.instrument("GOOG", bars=1)
    closed = google.ends().astype(np.int64)
    now = datetime(2026, 1, 1, tzinfo=UTC)

    def read(bars: Bars) -> tuple[analytics.Study, dict[str, analytics.Cases]]:
        found = analytics.study(as_prices(bars))
        return found, analytics.collect(found, "GOOG", closed=bars.ends().astype(np.int64))

    def told(bars: Bars, last: int, found: analytics.Study, cases: Any) -> list[Any]:
        maker = SignalMaker(instrument, bars, found, cases, now=now)
        return [
            msgspec.to_builtins(msgspec.structs.replace(maker.make(firing, None), outcome=None))
            for firing in found.firings
            if firing.bar == last
        ]

    whole, cases = read(google)
    fired = sorted({firing.bar for firing in whole.firings if firing.bar > 280})
    picks = np.random.default_rng(6).choice(fired, DAYS, replace=False)
    for last in sorted(map(int, picks)):
        there = google.slice(0, last + 1) if way == "cut" else poisoned(google, last)
        early, known = read(there)
        for like, some in cases.items():
            mine, theirs = some.before(int(closed[last])), known[like].before(int(closed[last]))
            for name in ("fired", "resolved", "hits", "base_rates"):
                np.testing.assert_array_equal(getattr(mine, name), getattr(theirs, name), like)
            np.testing.assert_allclose(mine.values, theirs.values, rtol=1e-9)
            np.testing.assert_allclose(mine.paths, theirs.paths, rtol=1e-9)
        assert_alike(told(there, last, early, known), told(google, last, whole, cases))


async def test_a_scorecard_knows_only_what_was_settled(shipped: dict[str, Bars]) -> None:
    apple, google = shipped["AAPL"], shipped["GOOG"]
    full = one_box(apple, google)
    for day in ("2008-10-10", "2010-05-07", "2012-01-03"):
        last = apple.position(datetime.fromisoformat(day).date())
        there = google.until(apple.day(last))
        after = datetime.fromisoformat(day).replace(hour=23, tzinfo=UTC)
        then = ToolContext(principal_id="somebody", now=after)
        expected = await full.call("scorecard", {}, then)
        cut = await one_box(apple.slice(0, last + 1), there).call("scorecard", {}, then)
        wild = await one_box(poisoned(apple, last), poisoned(google, len(there) - 1)).call(
            "scorecard", {}, then
        )
        assert expected.as_of is not None
        assert expected.as_of <= after
        assert_alike(cut.data, expected.data)
        assert_alike(wild.data, expected.data)
