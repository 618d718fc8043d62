"""A roll changes no return, comes from nothing that was not known, and is never guessed."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest

from tests.unit.tools.samples import made_up
from tools.market.bars import Bars
from tools.market.futures import BadContracts, Chain, Continuous, Contract, chain
from tools.market.resample import resample

NOW = datetime(2021, 1, 1, tzinfo=UTC)
Floats = np.ndarray[Any, np.dtype[np.float64]]


def series_of(rule: str, adjustment: str) -> Continuous:
    return Continuous(root="CL", rule=rule, adjustment=adjustment)  # type: ignore[arg-type]  # tests name them as text


def contract(
    symbol: str, closes: Floats, expires: date, *, rolls: date | None = None, volume: object = None
) -> tuple[Contract, Bars]:
    bars = made_up(closes, volume=volume, symbol=symbol)
    return Contract(root="CL", expires_on=expires, rolls_on=rolls), bars


def joined(contracts: list[tuple[Contract, Bars]], rule: str, adjustment: str) -> Chain:
    return chain(
        contracts, series_of(rule, adjustment), symbol="CL.C", source="a test", known_at=NOW
    )


def two(*, below_zero: bool = False) -> list[tuple[Contract, Bars]]:
    """Two contracts of 60 days; the first rolls at day 30 and its volume fails at day 20."""
    random = np.random.default_rng(11)
    first = 50.0 + np.cumsum(random.normal(0, 1, 60))
    second = first + 7.3 + np.cumsum(random.normal(0, 0.1, 60))
    if below_zero:
        first = first - 60.0
    days = made_up(first)
    traded = np.where(np.arange(60) < 20, 1000.0, 10.0)
    return [
        contract("CLF", first, days.day(40), rolls=days.day(30), volume=traded),
        contract("CLG", second, days.day(59), volume=np.full(60, 100.0)),
    ]


@pytest.mark.parametrize(("rule", "at"), [("date", 30), ("volume", 21)])
@pytest.mark.parametrize("adjustment", ["ratio", "difference"])
def test_returns_are_those_of_the_contract_that_is_held(
    rule: str, at: int, adjustment: str
) -> None:
    contracts = two()
    (_, first), (_, second) = contracts
    made = joined(contracts, rule, adjustment)
    (roll,) = made.rolls
    assert (roll.from_contract, roll.to_contract, roll.ex_date) == ("CLF", "CLG", first.day(at))
    assert (made.held, made.problem) == ("CLG", None)
    assert np.array_equal(made.bars.close[:at], first.close[:at]), "raw prices are as traded"
    assert np.array_equal(made.bars.close[at:], second.close[at:])

    bars = replace(made.bars, actions=made.rolls)
    held = np.concatenate([first.close[1:at], second.close[at:]])
    before = np.concatenate([first.close[: at - 1], second.close[at - 1 : -1]])
    returns = bars.total_return_close()
    np.testing.assert_allclose(returns[1:] / returns[:-1], held / before, rtol=1e-12)
    adjusted = bars.split_adjusted()
    if adjustment == "ratio":
        np.testing.assert_allclose(
            adjusted.close[1:] / adjusted.close[:-1], held / before, rtol=1e-12
        )
    else:
        np.testing.assert_allclose(np.diff(adjusted.close), held - before, atol=1e-12 * 100)
    assert np.array_equal(adjusted.close[at:], second.close[at:]), "levels are on what is held"
    assert np.array_equal(adjusted.volume, bars.volume)
    assert adjusted.split_adjusted() is adjusted, "adjusting twice is adjusting once"


def test_a_cut_before_the_roll_knows_nothing_of_it() -> None:
    made = joined(two(), "date", "ratio")
    bars = replace(made.bars, actions=made.rolls)
    early = bars.until(bars.day(29))
    assert early.split_adjusted() is early


@pytest.mark.parametrize("rule", ["date", "volume"])
def test_a_series_made_day_by_day_is_the_beginning_of_the_whole_one(rule: str) -> None:
    contracts = [*two(), contract("CLH", np.linspace(70, 80, 60), made_up(np.ones(90)).day(80))]
    whole = joined(contracts, rule, "difference")
    for day in range(1, 61):
        last = contracts[0][1].day(day - 1)
        cut = [(one, bars.until(last)) for one, bars in contracts]
        made = joined(cut, rule, "difference")
        assert np.array_equal(made.bars.close, whole.bars.close[: len(made.bars)]), day
        assert made.bars.day(-1) == last
        assert made.rolls == tuple(one for one in whole.rolls if one.ex_date <= last)


@pytest.mark.parametrize("rule", ["date", "volume"])
def test_what_a_contract_does_after_it_was_left_changes_nothing(rule: str) -> None:
    contracts = two()
    whole = joined(contracts, rule, "ratio")
    (first, bars), following = contracts
    poisoned = replace(bars, close=np.where(np.arange(60) > 30, 9999.0, bars.close))
    again = joined([(first, poisoned), following], rule, "ratio")
    assert np.array_equal(again.bars.close, whole.bars.close)
    assert again.rolls == whole.rolls


def test_prices_below_zero_roll_by_difference_and_by_nothing_else() -> None:
    contracts = two(below_zero=True)
    made = joined(contracts, "date", "difference")
    bars = replace(made.bars, actions=made.rolls)
    adjusted = bars.split_adjusted().close
    assert (made.bars.close < 0).any()
    assert np.diff(adjusted)[29] == pytest.approx(
        contracts[1][1].close[30] - contracts[1][1].close[29], abs=1e-12
    )
    assert np.isfinite(bars.total_return_close()).all()
    refused = joined(contracts, "date", "ratio")
    assert refused.problem is not None
    assert "their ratio means nothing" in refused.problem
    assert refused.rolls == ()
    assert refused.held == "CLF"


def test_a_day_without_a_bar_of_one_contract_postpones_the_roll() -> None:
    (first, bars), (second, following) = two()
    gone = np.ones(60, bool)
    gone[28:33] = False
    made = joined([(first, bars), (second, following.pick(gone))], "date", "ratio")
    (roll,) = made.rolls
    assert roll.ex_date == bars.day(34)
    assert roll.from_price == Decimal(repr(float(bars.close[33])))
    assert np.array_equal(made.bars.close[:34], bars.close[:34]), "held until both have a bar"


def test_contracts_without_a_common_day_are_not_joined() -> None:
    (first, bars), (second, following) = two()
    made = joined([(first, bars), (second, following.slice(45))], "date", "difference")
    assert made.problem is not None
    assert "no day until" in made.problem
    assert made.bars.day(-1) == first.expires_on, "no bar after its last day of trading"
    assert made.rolls == ()


def test_a_gap_on_the_day_of_the_roll_is_a_gap() -> None:
    (first, bars), (second, following) = two()
    there = np.ones(60, bool)
    there[30] = False
    made = joined([(first, bars), (second, following.pick(there))], "date", "ratio")
    assert len(made.bars) == 59
    assert made.rolls[0].ex_date == bars.day(31)


def test_contracts_in_a_wrong_order_or_twice_are_refused() -> None:
    (first, bars), (second, following) = two()
    with pytest.raises(BadContracts, match="both expire on"):
        joined([(first, bars), (first, following)], "date", "ratio")
    early = Contract(root="CL", expires_on=second.expires_on, rolls_on=bars.day(10))
    with pytest.raises(BadContracts, match="not after"):
        joined([(first, bars), (early, following)], "date", "ratio")
    late = Contract(
        root="CL", expires_on=first.expires_on, rolls_on=first.expires_on + timedelta(days=1)
    )
    with pytest.raises(BadContracts, match="after it expires"):
        joined([(late, bars)], "date", "ratio")
    whole = joined([(second, following), (first, bars)], "date", "ratio")
    assert whole.held == "CLG", "the order in which they are told does not matter"


def test_contracts_that_have_no_bars_are_waited_for() -> None:
    (first, bars), (second, following) = two()
    nothing = following.slice(0, 0)
    assert len(joined([(first, nothing), (second, nothing)], "date", "ratio").bars) == 0
    made = joined([(first, nothing), (second, following)], "volume", "ratio")
    assert np.array_equal(made.bars.close, following.close)
    third = contract("CLH", np.ones(5), second.expires_on + timedelta(days=30))
    waits = joined([(first, bars), (second, nothing), third], "date", "ratio")
    assert waits.held == "CLF"
    assert len(waits.bars) == 41
    assert waits.problem is not None


def test_a_hundred_rolls_leave_no_more_error_than_one() -> None:
    random = np.random.default_rng(3)
    contracts = []
    for number in range(100):
        closes = 80 * np.exp(np.cumsum(random.normal(0, 0.02, 1010)))
        expires = made_up(closes).day(10 * number + 10)
        contracts.append(contract(f"C{number:03}", closes, expires))
    made = joined(contracts, "date", "ratio")
    assert len(made.rolls) == 99
    bars = replace(made.bars, actions=made.rolls)
    adjusted = bars.split_adjusted().close
    true = []
    for bar in range(1, len(bars)):
        held = contracts[min(bar // 10, 99) if bar >= 10 else 0][1]
        true.append(held.close[bar] / held.close[bar - 1])
    np.testing.assert_allclose(adjusted[1:] / adjusted[:-1], true, rtol=1e-12)


@pytest.mark.parametrize("adjustment", ["ratio", "difference"])
def test_weeks_are_made_of_prices_on_one_contract(adjustment: str) -> None:
    made = joined(two(), "date", adjustment)
    bars = replace(made.bars, actions=made.rolls)
    weeks = resample(bars, "1w")
    assert weeks.close[-1] == bars.close[-1]
    assert np.array_equal(weeks.split_adjusted().close, weeks.close)
    daily = bars.total_return_close()
    total = weeks.total_return_close()
    assert total[-1] / total[0] == pytest.approx(
        daily[-1] / daily[bars.until(weeks.day(1) - timedelta(days=1)).__len__() - 1], rel=1e-12
    )
