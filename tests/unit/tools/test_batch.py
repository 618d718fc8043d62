"""Thousands at once say what each says alone, and what TA-Lib says."""

from typing import Any

import numpy as np
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.tools.histories import histories, prices_of, walk
from tests.unit.tools.samples import as_prices
from tools.analytics import batch, batch_step, indicators, snapshot
from tools.analytics.compiling import Kernel
from tools.analytics.prices import Floats, Prices
from tools.market.bars import Bars

LOOPED = Kernel(batch_step.fuse, example=list)
"""Never prepared: TA-Lib in a loop."""
PLAIN = Kernel(batch_step.fuse, example=list)
"""The fused steps, not compiled."""


@np.errstate(invalid="ignore")
def plainly(*arguments: Any) -> None:
    """Let a still price divide 0 by 0, as compiled code does silently, before it is put right."""
    batch_step.fuse(*arguments)


PLAIN.fast = plainly
PRICED = [name for name in batch.OUTPUTS if name != "rsi"]


def matrix_of(many: list[Prices]) -> tuple[Floats, Floats, Floats, np.ndarray]:
    """Return high, low and close of all, side by side, with garbage where a history has ended."""
    lengths = np.array([len(one) for one in many])
    columns = [np.full((len(many), max(lengths)), 1e9) for _ in range(3)]
    for row, one in enumerate(many):
        for column, name in zip(columns, ("high", "low", "close"), strict=True):
            column[row, : len(one)] = getattr(one, name)
    return columns[0], columns[1], columns[2], lengths


def talib_says(prices: Prices) -> dict[str, Floats]:
    high, low, close = prices.high, prices.low, prices.close
    macd = talib.MACD(close, 12, 26, 9)
    bands = talib.BBANDS(close, 20, 2.0, 2.0)
    one_each = talib.SMA(close, 20), talib.EMA(close, 20), indicators.rsi(close)
    return dict(
        zip(batch.OUTPUTS, (*one_each, *macd, *bands, talib.ATR(high, low, close, 14)), strict=True)
    )


def assert_talibs(many: list[Prices], kernel: Kernel) -> None:
    """Hold every value to a relative 1e-8, and to rounding of the price where it crosses zero."""
    high, low, close, lengths = matrix_of(many)
    got = batch.compute(high, low, close, lengths, fused=kernel)
    for row, prices in enumerate(many):
        count = len(prices)
        for name, wanted in talib_says(prices).items():
            assert np.isnan(got[name][row, count:]).all(), name
            one = got[name][row, :count]
            assert (np.isnan(one) == np.isnan(wanted)).all(), name
            ready = ~np.isnan(wanted)
            floor = 1e-10 * (prices.close[ready] if name in PRICED else 1.0)
            error = np.abs(one - wanted)[ready]
            assert (error <= 1e-8 * np.abs(wanted[ready]) + floor).all(), (name, error.max())


@settings(max_examples=25, deadline=None)
@given(many=st.lists(histories(), min_size=1, max_size=4))
def test_any_histories_side_by_side_have_talibs_values(many: list[Prices]) -> None:
    assert_talibs(many, PLAIN)


def test_real_prices_have_talibs_values_with_the_fused_pass(shipped: dict[str, Bars]) -> None:
    pytest.importorskip("numba")
    assert batch.FUSED.prepare()
    assert_talibs([as_prices(bars) for bars in shipped.values()], batch.FUSED)


@pytest.mark.parametrize("kernel", [PLAIN, LOOPED])
def test_histories_of_every_short_length_have_values_from_the_bar_that_has_them(
    kernel: Kernel,
) -> None:
    assert_talibs([prices_of(walk(count, seed=count)) for count in range(1, 110)], kernel)


def test_a_hush_after_a_crash_keeps_its_bands() -> None:
    quiet = 0.37 + 1e-5 * np.random.default_rng(5).normal(size=150)
    still = np.full(150, 12.1)
    assert_talibs(
        [prices_of(np.concatenate([walk(200, start=5_000.0), part])) for part in (quiet, still)],
        PLAIN,
    )


def test_a_price_that_stands_still_has_an_rsi_of_fifty_here_too() -> None:
    flat = prices_of(np.full(200, 50.1), spread=0.0)
    for kernel in (PLAIN, LOOPED):
        high, low, close, lengths = matrix_of([flat])
        got = batch.compute(high, low, close, lengths, fused=kernel)
        assert (got["rsi"][0, 14:] == 50.0).all()
        assert (got["bollingerUpper"][0, 19:] == got["bollingerLower"][0, 19:]).all()


def test_nothing_at_all_gives_nothing() -> None:
    for kernel in (PLAIN, LOOPED):
        got = batch.compute(*(np.ones((2, 60)),) * 3, np.array([0, 60]), fused=kernel)
        assert all(np.isnan(values[0]).all() for values in got.values())
        assert batch.compute(*(np.ones((0, 60)),) * 3, fused=kernel)["rsi"].shape == (0, 60)


def test_shapes_that_do_not_fit_are_refused() -> None:
    one = np.ones((2, 50))
    with pytest.raises(ValueError, match="instruments x bars"):
        batch.compute(one, one, np.ones((2, 49)))
    with pytest.raises(ValueError, match="from 0 to 50"):
        batch.compute(one, one, one, np.array([50, 51]))
    with pytest.raises(ValueError, match="out must be"):
        batch.compute(one, one, one, out=np.empty((9, 2, 50)))


def test_the_newest_snapshots_are_those_of_each_table() -> None:
    many = {f"S{count}": prices_of(walk(count, seed=count)) for count in (0, 1, 2, 60, 300, 301)}
    found = batch.newest(many)
    assert "S0" not in found
    assert found["S1"][1] is None
    for name, (now, before) in found.items():
        table = snapshot.table(many[name])
        wanted = [snapshot.at(table, -1), snapshot.at(table, -2) if len(many[name]) > 1 else None]
        for said, told in zip((now, before), wanted, strict=True):
            for field, value in (told or {}).items():
                assert (said or {})[field] == (
                    None if value is None else pytest.approx(value, rel=1e-8, abs=1e-9)
                ), (name, field)
