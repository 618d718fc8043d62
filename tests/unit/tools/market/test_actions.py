"""Splits leave returns alone, dividends are put back, and nothing is known before its time."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from tests.unit.tools.samples import made_up
from tools.market.actions import Action, known
from tools.market.bars import Bars, split_factors
from tools.market.currencies import code, in_units_of
from tools.market.demo import VENDORED

THEN = datetime(2020, 1, 1, tzinfo=UTC)


def action(kind: str, day: date, **fields: Any) -> Action:
    return Action(kind=kind, ex_date=day, source="a test", known_at=THEN, **fields)  # type: ignore[arg-type]  # a test names kinds as text


def split(day: date, new: str, old: str = "1") -> Action:
    return action("split", day, new_shares=Decimal(new), old_shares=Decimal(old))


def walk(length: int) -> np.ndarray[Any, np.dtype[np.float64]]:
    steps = np.random.default_rng(7).normal(0, 0.01, length)
    walked: np.ndarray[Any, np.dtype[np.float64]] = 100 * np.exp(np.cumsum(steps))
    return walked


@pytest.mark.parametrize(("new", "old"), [("10", "1"), ("1", "20"), ("3", "2"), ("7", "1")])
@pytest.mark.parametrize("at", [1, 50, 99])
def test_a_split_leaves_returns_unchanged_to_twelve_digits(new: str, old: str, at: int) -> None:
    true = walk(100)
    ratio = float(new) / float(old)
    traded = np.where(np.arange(100) < at, true * ratio, true)
    bars = made_up(traded)
    bars = replace(bars, actions=(split(bars.day(at), new, old),))
    adjusted = bars.split_adjusted()
    returns = adjusted.close[1:] / adjusted.close[:-1]
    np.testing.assert_allclose(returns, true[1:] / true[:-1], rtol=1e-12)
    assert adjusted.close[-1] == bars.close[-1], "the last close stays what was paid"
    assert adjusted.volume[0] == pytest.approx(bars.volume[0] * ratio, rel=1e-15)
    again = adjusted.split_adjusted()
    assert again is adjusted, "adjusting twice is adjusting once"


def test_a_split_and_its_undoing_cancel_exactly() -> None:
    bars = made_up(walk(30))
    bars = replace(bars, actions=(split(bars.day(10), "1", "3"), split(bars.day(20), "3", "1")))
    factors = split_factors(bars)
    assert factors[0] == 1.0
    assert factors[15] == 3.0
    assert factors[25] == 1.0


def test_a_split_after_the_last_bar_is_not_known_yet() -> None:
    bars = made_up(walk(30))
    bars = replace(bars, actions=(split(bars.day(20), "10"),))
    early = bars.until(bars.day(19))
    assert early.split_adjusted() is early


def test_prices_that_are_split_adjusted_already_are_divided_only_by_later_splits() -> None:
    bars = made_up(walk(30))
    before, after = split(bars.day(10), "4"), split(bars.day(25), "2")
    adjusted = replace(
        bars, basis="split_adjusted", adjusted_until=bars.day(20), actions=(before, after)
    )
    factors = split_factors(adjusted)
    assert factors[:25].tolist() == [2.0] * 25
    assert factors[25:].tolist() == [1.0] * 5


def test_a_known_action_explains_a_step_of_the_adjusted_close(shipped: dict[str, Bars]) -> None:
    apple = shipped["AAPL"]
    told = replace(apple, actions=tuple(VENDORED.events("AAPL")))
    np.testing.assert_array_equal(split_factors(told), split_factors(apple))
    # A step of that size may be a dividend: then it is no split.
    day = date(2005, 2, 28)
    special = action("special_dividend", day, amount=Decimal(40), currency="USD")
    factors = split_factors(replace(apple, actions=(special,)))
    at = apple.position(day)
    assert factors[at - 1] == factors[at]


def test_dividends_are_put_back_as_the_sources_do(shipped: dict[str, Bars]) -> None:
    microsoft = shipped["MSFT"]
    day = date(2004, 11, 15)
    at = microsoft.position(day)
    assert microsoft.adjusted_close is not None
    source = microsoft.adjusted_close[at] / microsoft.adjusted_close[at - 1]
    bare = replace(
        microsoft, adjusted_close=None, actions=tuple(VENDORED.events("MSFT"))
    ).total_return_close()
    assert bare[at] / bare[at - 1] == pytest.approx(source, rel=2e-4)
    assert microsoft.close[at] / microsoft.close[at - 1] < 0.92, "as traded it looks like a fall"


def test_dividends_before_a_split_are_in_the_shares_of_their_day() -> None:
    true = np.full(20, 50.0)
    true[5:] -= 1.0  # one unit leaves on day 5, in today's shares
    traded = np.where(np.arange(20) < 10, true * 2, true)
    bars = made_up(traded)
    dividend = action("dividend", bars.day(5), amount=Decimal(2), currency="USD")
    total = replace(bars, actions=(dividend, split(bars.day(10), "2"))).total_return_close()
    np.testing.assert_allclose(total[1:] / total[:-1], 1.0, rtol=1e-12)


@pytest.mark.parametrize(("said", "is_"), [("GBp", "GBX"), ("gbx", "GBX"), ("GBP", "GBP"),
                                           ("usd", "USD"), ("ZAc", "ZAC")])  # fmt: skip
def test_pence_are_never_taken_for_pounds(said: str, is_: str) -> None:
    assert code(said) == is_


def test_only_a_currency_and_its_hundredth_are_converted() -> None:
    assert in_units_of(Decimal("1.5"), "GBP", "GBX") == 150
    assert in_units_of(Decimal(150), "GBX", "GBP") == Decimal("1.5")
    assert in_units_of(Decimal(1), "USD", "GBP") is None
    pence = replace(made_up([500.0, 500.0, 490.0]), currency="GBX")
    paid = action("dividend", pence.day(2), amount=Decimal("0.10"), currency="GBP")
    total = replace(pence, actions=(paid,)).total_return_close()
    assert total[2] / total[1] == pytest.approx(1.0, rel=1e-12)


def test_what_was_known_is_told_by_the_moment() -> None:
    first = split(date(2021, 1, 4), "2")
    wrong = replace_times(first, known="2021-02-01", withdrawn="2021-03-01")
    right = replace_times(split(date(2021, 1, 4), "3"), known="2021-03-01")
    both = [right, wrong]
    assert known(both, None) == (right,)
    assert known(both, datetime(2021, 2, 15, tzinfo=UTC)) == (wrong,)
    assert known(both, datetime(2021, 1, 15, tzinfo=UTC)) == ()
    assert known(both, datetime(2021, 3, 1, tzinfo=UTC)) == (right,)


def replace_times(one: Action, *, known: str, withdrawn: str | None = None) -> Action:
    return Action(
        kind=one.kind,
        ex_date=one.ex_date,
        new_shares=one.new_shares,
        old_shares=one.old_shares,
        source=one.source,
        known_at=datetime.fromisoformat(known).replace(tzinfo=UTC),
        withdrawn_at=None
        if withdrawn is None
        else datetime.fromisoformat(withdrawn).replace(tzinfo=UTC),
    )
