"""No field of the catalogue, no trend line and no level knows anything after its bar.

Driven by the catalogue and by the fields of the values themselves: what is added to them later is
tested without a word here. Cut: what bars up to t say of t, whatever follows. Poison: the same,
with garbage after t.
"""

from collections.abc import Callable
from dataclasses import fields

import numpy as np
import pytest

from tests.unit.tools.histories import prices_of, walk
from tests.unit.tools.samples import as_prices
from tools.analytics import batch, levels, snapshot, trend
from tools.analytics.levels import SIDE, Level
from tools.analytics.prices import Prices
from tools.analytics.snapshot import FIELDS
from tools.analytics.streaming import IndicatorMatrix
from tools.analytics.trend import Trend
from tools.market.bars import Bars

DAYS = 50
SYMBOLS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")


def some_bars(count: int, *, seed: int) -> list[int]:
    picks = np.random.default_rng(seed).integers(0, count - 1, DAYS)
    return sorted({*map(int, picks), 0, count - 2})


def cut(prices: Prices, last: int) -> Prices:
    return prices.upto(last)


def poisoned(prices: Prices, last: int) -> Prices:
    """Return the prices with garbage after `last`: other prices, volumes, dividends."""
    rest = len(prices) - 1 - last
    wild = np.random.default_rng(7).uniform(0.01, 9_999, rest)

    def replaced(column: np.ndarray, garbage: np.ndarray) -> np.ndarray:
        return np.concatenate([column[: last + 1], garbage])

    return Prices(
        days=prices.days,
        open=replaced(prices.open, wild),
        high=replaced(prices.high, wild * 3),
        low=replaced(prices.low, wild / 3),
        close=replaced(prices.close, wild[::-1]),
        volume=replaced(prices.volume, wild * 1e6),
        total=replaced(prices.total, wild[::-1] * 7),
    )


@pytest.mark.parametrize("way", [cut, poisoned])
@pytest.mark.parametrize("symbol", SYMBOLS)
def test_no_field_changes_with_what_comes_after(
    symbol: str, way: Callable[[Prices, int], Prices], shipped: dict[str, Bars]
) -> None:
    prices = as_prices(shipped[symbol])
    whole = snapshot.table(prices)
    assert whole.keys() == FIELDS.keys()
    for last in some_bars(len(prices), seed=1):
        then = snapshot.table(way(prices, last))
        for name in FIELDS:
            np.testing.assert_allclose(
                then[name][: last + 1], whole[name][: last + 1], rtol=1e-9, atol=1e-9, err_msg=name
            )


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_the_stream_and_the_newest_snapshots_know_no_more_than_the_table(
    symbol: str, shipped: dict[str, Bars]
) -> None:
    prices = as_prices(shipped[symbol])
    whole = snapshot.table(prices)
    bars = some_bars(len(prices), seed=2)
    matrix = IndicatorMatrix()
    matrix.seed_many({row: prices.upto(last) for row, last in enumerate(bars)})
    streamed = matrix.table(range(len(bars)))
    newest = batch.newest({str(last): prices.upto(last) for last in bars[::10]})
    for name in FIELDS:
        np.testing.assert_allclose(
            streamed[name], whole[name][bars], rtol=1e-8, atol=1e-6, err_msg=name
        )
    for last in bars[::10]:
        now, _ = newest[str(last)]
        for name, value in snapshot.at(whole, last).items():
            known = now[name]
            assert (known is None) == (value is None), name
            assert known is None or known == pytest.approx(value, rel=1e-8, abs=1e-6), name


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_batches_do_not_look_ahead_either(symbol: str, shipped: dict[str, Bars]) -> None:
    prices = as_prices(shipped[symbol])

    def ten(of: Prices) -> dict[str, np.ndarray]:
        found = batch.compute(of.high[None], of.low[None], of.close[None])
        return {name: values[0] for name, values in found.items()}

    whole = ten(prices)
    for last in some_bars(len(prices), seed=3):
        for way in (cut, poisoned):
            then = ten(way(prices, last))
            for name in batch.OUTPUTS:
                np.testing.assert_allclose(
                    then[name][: last + 1], whole[name][: last + 1], rtol=1e-8, atol=1e-9
                )


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_every_number_of_a_trend_line_is_that_of_the_bars_up_to_it(
    symbol: str, shipped: dict[str, Bars]
) -> None:
    prices = as_prices(shipped[symbol])
    lines = dict(
        zip(("slope", "intercept", "r2", "t_value"), trend.lines(prices.close), strict=True)
    )
    assert lines.keys() <= {field.name for field in fields(Trend)}
    for last in some_bars(len(prices), seed=4):
        known = poisoned(prices, last)
        then = dict(zip(lines, trend.lines(known.close), strict=True))
        fitted = trend.fit(prices.close[: last + 1], atr=1.0)
        assert (fitted is None) == (last < trend.BARS - 1)
        for name, values in lines.items():
            np.testing.assert_allclose(
                then[name][: last + 1], values[: last + 1], rtol=1e-9, atol=1e-9, err_msg=name
            )
            if fitted is not None:
                assert getattr(fitted, name) == pytest.approx(values[last], rel=1e-9, abs=1e-9)
        again = trend.fit(known.upto(last).close, atr=1.0)
        assert again == fitted


@pytest.mark.parametrize("symbol", SYMBOLS)
def test_every_number_of_a_level_was_known_at_the_bar_it_is_drawn_at(
    symbol: str, shipped: dict[str, Bars]
) -> None:
    prices = as_prices(shipped[symbol])
    pivots = {sign: levels.pivot_bars(sign * column).tolist() for sign, column in _sides(prices)}
    for last in some_bars(len(prices), seed=5):
        known = poisoned(prices, last)
        for sign, column in _sides(known):
            settled = [bar for bar in levels.pivot_bars(sign * column) if bar + SIDE <= last]
            assert settled == [bar for bar in pivots[sign] if bar + SIDE <= last]
        drawn = levels.find(prices.upto(last), atr=1.0)
        assert drawn == levels.find(known.upto(last), atr=1.0)
        for level in (*drawn[0], *drawn[1]):
            assert level.pivot_at + SIDE == level.confirmed_at <= last
            assert level.pivot_at in pivots[1.0] or level.pivot_at in pivots[-1.0]
            assert (level.price < prices.close[last]) == (level.kind == "support")


def test_a_level_says_all_there_is_to_say_and_would_be_seen_to_look_ahead() -> None:
    assert {field.name for field in fields(Level)} == {
        "kind", "price", "touches", "pivot_at", "confirmed_at", "score",
    }  # fmt: skip
    # The gates close: a field that peeks at the next bar is caught by both.
    prices = prices_of(walk(120))

    def peeking(of: Prices) -> np.ndarray:
        return np.concatenate([of.close[1:], [np.nan]])

    for way in (cut, poisoned):
        assert not np.allclose(peeking(way(prices, 60))[:61], peeking(prices)[:61], equal_nan=True)


def _sides(prices: Prices) -> tuple[tuple[float, np.ndarray], ...]:
    return (1.0, prices.high), (-1.0, prices.low)
