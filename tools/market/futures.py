"""Futures: contracts that end, and the one series that is made of them.

`chain` decides bar by bar which contract is held, by what was known on that day: the roll takes
place between two closes of one day, so that somebody could have traded it. Prices stay as they
were traded; each roll is an action, and reading adjusts (`actions.roll_lines`).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Literal

import msgspec
import numpy as np

from tools.market.actions import Action, Adjustment
from tools.market.bars import Bars
from tools.market.merging import empty

RollRule = Literal["date", "volume"]


class Contract(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What makes an instrument a contract."""

    root: str
    """What all contracts of one future share, e.g. CL."""
    expires_on: date
    """Its last day of trading."""
    rolls_on: date | None = None
    """The first day on which the next one is held at the latest; None: the day it expires."""

    @property
    def deadline(self) -> date:
        return self.rolls_on or self.expires_on


class Continuous(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What makes an instrument a series of contracts."""

    root: str
    rule: RollRule
    """`date`: the next contract is held from `rollsOn` of the one before. `volume`: already from
    the day after its volume was the larger one."""
    adjustment: Adjustment
    """How prices before a roll are brought to the contract after it."""


class BadContracts(ValueError):
    """Contracts that make no series; the message says which and why."""


@dataclass(frozen=True, eq=False)
class Chain:
    """What came of some contracts."""

    bars: Bars
    """As traded: each day's bar is of the contract that was held."""
    rolls: tuple[Action, ...]
    held: str | None
    """Symbol of the contract that the last bar is of."""
    problem: str | None
    """Why the series ends before its contracts do."""


def chain(
    contracts: Sequence[tuple[Contract, Bars]],
    series: Continuous,
    *,
    symbol: str,
    source: str,
    known_at: datetime,
) -> Chain:
    """Return the daily bars of the contract that is held, and the rolls between them.

    Raises:
        BadContracts: two expire on one day, or they roll in another order than they expire.
    """
    order = _in_order(contracts)
    while order and not len(order[0][1]):
        order = order[1:]
    pieces: list[Bars] = []
    rolls: list[Action] = []
    problem = held = None
    start = date.min
    for at, (contract, bars) in enumerate(order):
        mine = bars.until(contract.expires_on)
        mine = mine if start == date.min else mine.since(start)
        held = bars.symbol if len(mine) else held
        if at + 1 == len(order):
            pieces.append(mine)
            break
        following = order[at + 1][1]
        seen = max((_last(other) for _, other in order[at:]), default=date.min)
        when = _rolled(contract, mine, following, series.rule, seen=seen)
        if isinstance(when, str):
            pieces.append(mine)
            problem = when or None
            break
        priced, since = when
        pieces.append(mine.until(priced))
        begun = following.since(since)
        if not len(begun):
            break
        roll = _roll(mine, following, priced, begun.day(0), series, source, known_at)
        if series.adjustment == "ratio" and not roll.has_ratio:
            problem = (
                f"On {priced} {mine.symbol} closed at {roll.from_price} and {following.symbol} at "
                f"{roll.to_price}: their ratio means nothing. Make the series with `difference`."
            )
            break
        rolls.append(roll)
        start = roll.ex_date
    return Chain(_joined(pieces, symbol, source), tuple(rolls), held, problem)


def _in_order(contracts: Sequence[tuple[Contract, Bars]]) -> list[tuple[Contract, Bars]]:
    check_order([(contract, bars.symbol) for contract, bars in contracts])
    return sorted(contracts, key=lambda one: one[0].expires_on)


def check_order(contracts: Sequence[tuple[Contract, str]]) -> None:
    """Return if contracts, each with its symbol, follow each other.

    Raises:
        BadContracts: two expire on one day, or they roll in another order than they expire.
    """
    order = sorted(contracts, key=lambda one: (one[0].expires_on, one[1]))
    for (a, first), (b, second) in pairwise(order):
        if a.expires_on == b.expires_on:
            raise BadContracts(
                f"{first} and {second} both expire on {a.expires_on}; only one of them can be held."
            )
        if b.deadline <= a.deadline:
            raise BadContracts(
                f"{second} expires after {first} and rolls on {b.deadline}, not after {a.deadline}."
            )
    for contract, symbol in order:
        if contract.deadline > contract.expires_on:
            raise BadContracts(
                f"{symbol} rolls on {contract.deadline}, after it expires on {contract.expires_on}."
            )


def _rolled(
    contract: Contract, mine: Bars, following: Bars, rule: RollRule, *, seen: date
) -> tuple[date, date] | str:
    """Return the last day on which a contract is held, on whose closes it is rolled, and the first
    on which the following one may be.

    A text where there is none: empty while its time has not come, else why it cannot be told.
    """
    tomorrow = timedelta(days=1)
    common = np.intersect1d(mine.timestamps, following.timestamps)
    common_days = [_day(time) for time in common]
    if rule == "volume":
        for day in common_days:
            if day < contract.deadline and _volume_passed(mine, following, day):
                return day, day + tomorrow
    before = mine.slice(0, mine.position(contract.deadline))
    if seen < contract.deadline:
        return ""
    if len(before) and before.day(-1) in common_days:
        return before.day(-1), contract.deadline
    # One of the two has no bar on that day: it is held until both have one.
    late = [day for day in common_days if day >= contract.deadline]
    if late:
        return late[0], late[0] + tomorrow
    if seen <= contract.expires_on:
        return ""
    return (
        f"{mine.symbol} should give way to {following.symbol} on {contract.deadline}, but there is "
        f"no day until {contract.expires_on} on which both have a bar: nothing says what the roll "
        f"cost."
    )


def _volume_passed(mine: Bars, following: Bars, day: date) -> bool:
    time = np.datetime64(day, "s")
    old, new = mine.volume[mine.timestamps == time], following.volume[following.timestamps == time]
    return bool(len(old) and len(new) and new[0] > old[0])


def _roll(
    mine: Bars,
    following: Bars,
    priced: date,
    ex_date: date,
    series: Continuous,
    source: str,
    known_at: datetime,
) -> Action:
    return Action(
        kind="roll",
        ex_date=ex_date,
        from_contract=mine.symbol,
        to_contract=following.symbol,
        from_price=_close(mine, priced),
        to_price=_close(following, priced),
        adjustment=series.adjustment,
        note=f"closes of {priced}; rule: {series.rule}",
        source=source,
        known_at=known_at,
    )


def _close(bars: Bars, day: date) -> Decimal:
    close = bars.close[bars.position(day)]
    return Decimal(f"{Decimal(repr(float(close))).normalize():f}")


def _last(bars: Bars) -> date:
    return bars.day(-1) if len(bars) else date.min


def _day(time: np.datetime64) -> date:
    day: date = time.astype("datetime64[D]").astype(date)
    return day


def _joined(pieces: Sequence[Bars], symbol: str, source: str) -> Bars:
    full = [piece for piece in pieces if len(piece)]
    if not full:
        return replace(empty(symbol, "1d", source), adjusted_close=None)
    return replace(
        full[0],
        symbol=symbol,
        source=source,
        timestamps=np.concatenate([one.timestamps for one in full]),
        open=np.concatenate([one.open for one in full]),
        high=np.concatenate([one.high for one in full]),
        low=np.concatenate([one.low for one in full]),
        close=np.concatenate([one.close for one in full]),
        volume=np.concatenate([one.volume for one in full]),
        adjusted_close=None,
        basis="as_traded",
        adjusted_until=None,
        actions=(),
    )
