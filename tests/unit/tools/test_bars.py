"""A price history is cut, adjusted and merged without inventing or leaking anything."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from tests.unit.tools.samples import made_up
from tools.market.bars import Bars, split_factors, without_gaps
from tools.market.store import merge


def test_the_shipped_splits_are_found_and_nothing_else(shipped: dict[str, Bars]) -> None:
    def splits(symbol: str) -> list[tuple[str, float]]:
        factors = split_factors(shipped[symbol])
        at = np.flatnonzero(np.diff(factors)) + 1
        return [(str(shipped[symbol].day(int(i))), factors[i - 1] / factors[i]) for i in at]

    assert splits("AAPL") == [("2000-06-21", 2.0), ("2005-02-28", 2.0)]
    # Not the special dividend of 2004-11-15, a step of 1.11.
    assert splits("MSFT") == [("2003-02-18", 2.0)]
    assert [splits(symbol) for symbol in ("GOOG", "IBM", "FB")] == [[], [], []]


def test_a_split_is_no_crash_and_the_last_close_stays_what_was_paid(
    shipped: dict[str, Bars],
) -> None:
    apple = shipped["AAPL"]
    adjusted = apple.split_adjusted()
    assert adjusted.close[-1] == 430.47
    assert np.abs(np.diff(np.log(apple.close))).max() > np.log(2) * 0.9
    day = apple.position(date(2005, 2, 28))
    assert abs(adjusted.close[day] / adjusted.close[day - 1] - 1) < 0.02
    assert adjusted.volume[day - 1] == 2 * apple.volume[day - 1]


def test_a_split_that_is_still_to_come_is_not_known(shipped: dict[str, Bars]) -> None:
    early = shipped["AAPL"].until(date(2005, 2, 25)).split_adjusted()
    assert early.close[-1] == 88.99


@pytest.mark.parametrize(("step", "factor"), [(20.0, 20.0), (0.1, 0.1), (1.5, 1.5), (1.0, 1.0)])
def test_splits_of_any_plain_ratio_are_found(step: float, factor: float) -> None:
    bars = made_up([100.0, 100.0, 100.0 / step, 100.0 / step])
    ratio = np.array([1.0, 1.0, step, step])
    whole = merge(bars, Bars(**{**vars(bars), "adjusted_close": bars.close * ratio}))
    assert split_factors(whole)[0] == pytest.approx(factor)


def test_a_bar_is_closed_only_when_its_day_is_over(shipped: dict[str, Bars]) -> None:
    google = shipped["GOOG"]
    evening = datetime(2013, 3, 1, 23, 59, 59, tzinfo=UTC)
    assert google.closed_by(evening).day(-1) == date(2013, 2, 28)
    assert google.closed_by(evening + timedelta(seconds=1)).day(-1) == date(2013, 3, 1)
    assert len(google.closed_by(datetime(1999, 1, 1, tzinfo=UTC))) == 0


def test_cutting_by_day_keeps_that_day(shipped: dict[str, Bars]) -> None:
    google = shipped["GOOG"]
    day = date(2012, 7, 4)  # no trading
    assert google.until(day).day(-1) == date(2012, 7, 3)
    assert google.since(day).day(0) == date(2012, 7, 5)
    assert len(google.until(day)) + len(google.since(day)) == len(google)


def test_columns_that_do_not_fit_together_are_refused() -> None:
    bars = made_up([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="length"):
        Bars(**{**vars(bars), "close": bars.close[:2]})
    with pytest.raises(ValueError, match="rising"):
        Bars(**{**vars(bars), "timestamps": bars.timestamps[::-1]})
    with pytest.raises(ValueError, match="timeframe"):
        Bars(**{**vars(bars), "timeframe": "1fortnight"})


def test_merging_lets_the_newer_bar_win_and_keeps_the_order() -> None:
    old, new = made_up([1.0, 2.0, 3.0, 4.0]), made_up([10.0, 20.0, 30.0, 40.0, 50.0])
    joined = merge(old.slice(0, 3), new.slice(2, 5))
    assert joined.close.tolist() == [1.0, 2.0, 30.0, 40.0, 50.0]
    assert joined.adjusted_close is None


def test_bars_without_an_adjusted_close_continue_the_last_known_factor() -> None:
    nan = np.nan
    filled = without_gaps(np.array([10.0, 10, 20, 20]), np.array([nan, 5.0, 10.0, nan]))
    assert filled is not None
    assert filled.tolist() == [5.0, 5.0, 10.0, 10.0]
    assert without_gaps(np.array([10.0]), np.array([nan])) is None
