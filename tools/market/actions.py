"""What happens to an instrument: splits, dividends, new symbols, the end; rolls of a future.

An action is a fact about an instrument at a date, told by somebody at a moment. It is kept as exact
numbers; only when prices are adjusted do its ratios become floats.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal
from fractions import Fraction
from typing import Literal, get_args

import msgspec
import numpy as np
from numpy.typing import NDArray

from tools.market.currencies import in_units_of

ActionKind = Literal["split", "dividend", "special_dividend", "symbol_change", "delisting", "roll"]
KINDS: tuple[ActionKind, ...] = get_args(ActionKind)
IN_PRICES: tuple[ActionKind, ...] = ("split", "dividend", "special_dividend", "roll")
"""Kinds that reading prices must know of."""
Adjustment = Literal["ratio", "difference"]
"""What prices before a roll are multiplied with, or what is added to them."""
_DIVIDENDS = ("dividend", "special_dividend")


class Action(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One action. Which of the optional fields it has depends on its kind."""

    kind: ActionKind
    ex_date: date
    """The first day on which it is in the price; of a delisting, the last day of trading."""
    new_shares: Decimal | None = None
    old_shares: Decimal | None = None
    """A split gives `new_shares` for `old_shares`: 10 for 1, or 1 for 20."""
    amount: Decimal | None = None
    """Of a dividend, per share as it was on the ex-date."""
    currency: str | None = None
    new_symbol: str | None = None
    note: str | None = None
    source: str
    known_at: datetime
    """Since when the desk knows it."""
    withdrawn_at: datetime | None = None
    """Since when it is known to be wrong; then it adjusts nothing any more."""
    from_contract: str | None = None
    to_contract: str | None = None
    from_price: Decimal | None = None
    to_price: Decimal | None = None
    """Of a roll: closes of both contracts on the last day on which the first was held."""
    adjustment: Adjustment | None = None

    @property
    def ratio(self) -> Fraction:
        """Return how many shares one share became; of anything but a split, one."""
        if self.kind != "split" or self.new_shares is None or self.old_shares is None:
            return Fraction(1)
        return Fraction(self.new_shares) / Fraction(self.old_shares)

    @property
    def has_ratio(self) -> bool:
        """Tell whether it is a roll between two prices whose ratio means something."""
        prices = (self.from_price, self.to_price)
        return self.kind == "roll" and all(price is not None and price > 0 for price in prices)


def known(
    actions: Iterable[Action], at: datetime | None, *, backfilled: bool = False
) -> tuple[Action, ...]:
    """Return the actions that were known and not withdrawn at a moment, by date; None is now.

    `backfilled`: of those that became known later, the first version.
    """
    valid = [
        one
        for one in actions
        if (one.withdrawn_at is None or (at is not None and one.withdrawn_at > at))
        and (at is None or backfilled or one.known_at <= at)
    ]
    valid.sort(key=lambda one: one.known_at, reverse=True)
    first = {(one.ex_date, one.kind): one for one in valid}
    return tuple(first[key] for key in sorted(first))


def positions(actions: Sequence[Action], ends: NDArray[np.datetime64]) -> list[tuple[int, Action]]:
    """Return each action with the first bar whose prices have it in them.

    `ends` are when the bars close. Actions after the last bar are not there yet and left out;
    those before the first bar stand at 0.
    """
    found = []
    for one in actions:
        first = int(np.searchsorted(ends, np.datetime64(one.ex_date, "s"), side="right"))
        if first < len(ends):
            found.append((first, one))
    return found


def split_factors(
    splits: Sequence[tuple[int, Action]], length: int, *, after: date | None = None
) -> NDArray[np.float64]:
    """Return for each bar how many of the last bar's shares one share was then.

    `after`: the source has divided by splits up to this day itself.
    """
    factors = np.ones(length)
    # Multiplied as fractions and rounded once, so that 1:3 after 3:1 is exactly nothing.
    whole = Fraction(1)
    later = length
    for first, action in sorted(splits, key=lambda one: one[0], reverse=True):
        if action.ratio == 1 or (after is not None and action.ex_date <= after):
            continue
        factors[first:later] = float(whole)
        whole *= action.ratio
        later = first
    factors[:later] = float(whole)
    return factors


def roll_lines(
    placed: Sequence[tuple[int, Action]],
    length: int,
    *,
    after: date | None = None,
    only_ratios: bool = False,
) -> tuple[NDArray[np.float64], NDArray[np.float64]] | None:
    """Return for each bar by what its price is multiplied, and what is added, to be in the prices
    of the contract that the last bar is of; None where nothing is rolled.

    `after`: that was done up to this day already. `only_ratios`: by ratios whatever a roll says, so
    that relative returns are those of the contract that was held.
    """
    rolls = [
        (first, one)
        for first, one in sorted(placed, key=lambda pair: pair[0], reverse=True)
        if one.kind == "roll" and first and (after is None or one.ex_date > after)
    ]
    if not rolls:
        return None
    scale, shift = np.ones(length), np.zeros(length)
    # Exact until each is rounded once: a hundred rolls leave no more error than one.
    times, plus = Fraction(1), Fraction(0)
    later = length
    for first, one in rolls:
        scale[first:later], shift[first:later] = float(times), float(plus)
        left, taken = Fraction(one.from_price or 0), Fraction(one.to_price or 0)
        if only_ratios or one.adjustment == "ratio":
            times *= taken / left
        else:
            plus += times * (taken - left)
        later = first
    scale[:later], shift[:later] = float(times), float(plus)
    return scale, shift


def dividend_factors(
    dividends: Sequence[tuple[int, Action]],
    close: NDArray[np.float64],
    split: NDArray[np.float64],
    *,
    currency: str,
) -> NDArray[np.float64]:
    """Return for each bar what its close is multiplied with, so that ratios include dividends.

    The return of an ex-date is (close + dividend) / close before, as if the dividend bought shares
    at that close. `close` is divided by `split` already; amounts are per share of their day.
    """
    paid = np.zeros(len(close))
    for first, action in dividends:
        if first == 0 or action.kind not in _DIVIDENDS or action.amount is None:
            continue
        amount = in_units_of(action.amount, action.currency or currency, currency)
        if amount is not None:
            paid[first] += float(amount) / split[first]
    # Where a price is zero or less there is no return to put anything into.
    real = (close > 0) & (paid > 0)
    kept = np.ones(len(close))
    kept[real] = close[real] / (close[real] + paid[real])
    later = np.ones(len(close))
    later[:-1] = np.cumprod(kept[:0:-1])[::-1]
    return later


def changes_returns(actions: Iterable[Action]) -> bool:
    """Tell whether returns are others than the ratios of adjusted closes say: dividends, rolls."""
    return any(action.kind == "roll" or action.kind in _DIVIDENDS for action in actions)
