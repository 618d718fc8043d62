"""Which bars of a source can be taken, which are suspect, which are no bars. Pure.

Three verdicts. *Refused*: it is not a time and five finite numbers of possible size, or it is not
there yet. *Suspect*: it is, and nobody should believe it; it waits for somebody, and is left out of
everything meanwhile. Everything else is *taken*. `docs/market-data.md` lists which is which.

Rows are judged as columns, so that a file of a million costs what numpy costs. Only rows that are
wrong are ever put into words.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from tools.market.actions import Action, positions, split_factors
from tools.market.bars import TIMEFRAMES, Bars, Basis, Floats, Times
from tools.market.calendars import closing_times
from tools.market.records import NewSuspect
from tools.market.rows import Rows, microseconds, read_rows

__all__ = [
    "BIGGEST_MOVE",
    "DUPLICATE",
    "MAY_BE_NEGATIVE",
    "Circumstances",
    "Doubted",
    "Judgement",
    "Refused",
    "Rows",
    "as_bars",
    "as_suspect",
    "judge",
    "read_rows",
]

DUPLICATE = "duplicate timestamp"
MAY_BE_NEGATIVE = frozenset({"future", "commodity", "rate", "spread"})
"""Kinds of instrument whose price may really be zero or less (oil, on 20 April 2020)."""
COUNTED_IN_SHARES = frozenset({"equity", "etf"})
"""Kinds whose volume, as traded, is a whole number."""
BIGGEST_MOVE = 25.0
"""A close more than so many times the one before, or less than that part of it, is not believed:
more than the largest usual splits (20:1, 1:20), less than a price in the wrong unit twice over."""
DISAGREEMENT = 0.05
"""Two sources whose closes of one bar differ by this share of the price contradict each other."""
_HIGHEST_PRICE = 1e12
_HIGHEST_VOLUME = 1e18
_EARLIEST = datetime(1800, 1, 1, tzinfo=UTC)
_PRICES = ("open", "high", "low", "close")
_NUMBERS = (*_PRICES, "volume")

Words: TypeAlias = Callable[[int], str]
Fault: TypeAlias = tuple[NDArray[np.bool_], Words]


class Refused(msgspec.Struct, frozen=True):
    """One row that was not taken."""

    index: int
    reason: str


class Doubted(msgspec.Struct, frozen=True):
    """One row that parses and cannot be believed."""

    index: int
    reason: str
    possible: bool
    """It could be true, if somebody knows better."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Circumstances:
    """What rows are judged by besides themselves."""

    timeframe: str
    now: datetime
    kind: str = "equity"
    basis: Basis = "as_traded"
    calendar: str | None = None
    listed_on: date | None = None
    delisted_on: date | None = None
    before: Bars | None = None
    """The last stored bar before the rows, if there is one; with the actions that are known."""
    elsewhere: Bars | None = None
    """What another source said of the same times."""


@dataclass(frozen=True, eq=False)
class Judgement:
    """The verdicts."""

    taken: NDArray[np.intp]
    """Positions of the rows to take, oldest first."""
    refused: list[Refused]
    doubted: list[Doubted]


def judge(rows: Rows, by: Circumstances) -> Judgement:
    """Return a verdict on every row. They need not be in order; of doubles the first counts."""
    refused: dict[int, str] = dict(rows.unread)
    doubted: dict[int, Doubted] = {}

    def note(faults: Iterator[Fault], possible: bool | None) -> None:
        for wrong, why in faults:
            for index in np.flatnonzero(wrong).tolist():
                if index in refused or index in doubted:
                    continue
                if possible is None:
                    refused[index] = why(index)
                else:
                    doubted[index] = Doubted(index, why(index), possible)

    words = _words(rows)
    note(_no_numbers(rows, words), None)
    note(_wrong_times(rows.timestamps, by), None)
    note(_impossible(rows, by, words), possible=False)
    note(_improbable(rows, by, words), possible=True)
    fit = np.ones(len(rows), dtype=bool)
    fit[[*refused, *doubted]] = False
    standing = np.flatnonzero(fit)
    order = standing[np.argsort(rows.timestamps[standing], kind="stable")]
    again = np.zeros(len(order), dtype=bool)
    again[1:] = np.diff(rows.timestamps[order]) == np.timedelta64(0, "us")
    refused |= dict.fromkeys(order[again].tolist(), DUPLICATE)
    order = order[~again]
    jumps = _jumps(rows, order, by)
    doubted |= jumps
    return Judgement(
        order[~np.isin(order, list(jumps))],
        [Refused(index, refused[index]) for index in sorted(refused)],
        [doubted[index] for index in sorted(doubted)],
    )


def as_bars(
    rows: Rows,
    taken: NDArray[np.intp],
    *,
    symbol: str,
    timeframe: str,
    source: str,
    basis: Basis = "as_traded",
) -> Bars:
    """Return the rows at the positions that `judge` gave as a price history."""
    adjusted = rows.adjusted_close
    return Bars(
        symbol=symbol,
        timeframe=timeframe,
        source=source,
        timestamps=rows.timestamps[taken].astype("datetime64[s]"),
        open=rows.open[taken],
        high=rows.high[taken],
        low=rows.low[taken],
        close=rows.close[taken],
        # Adding nothing turns -0 into 0.
        volume=rows.volume[taken] + 0.0,
        adjusted_close=None if adjusted is None else adjusted[taken],
        basis=basis,
    )


def as_suspect(rows: Rows, doubted: Doubted) -> NewSuspect:
    """Return a doubted row as what is put into quarantine."""
    index = doubted.index
    adjusted = np.nan if rows.adjusted_close is None else float(rows.adjusted_close[index])
    opened = int(rows.timestamps[index].astype("datetime64[s]").astype(np.int64))
    return NewSuspect(
        timestamp=datetime.fromtimestamp(opened, UTC),
        open=float(rows.open[index]),
        high=float(rows.high[index]),
        low=float(rows.low[index]),
        close=float(rows.close[index]),
        volume=float(rows.volume[index]),
        adjusted_close=None if np.isnan(adjusted) else adjusted,
        reason=doubted.reason,
        possible=doubted.possible,
    )


def _words(rows: Rows) -> Callable[[str, str], Words]:
    """Return a maker of reasons: a column and a text with the row's numbers in it."""

    def of(name: str, text: str) -> Words:
        def said(index: int) -> str:
            values = {column: getattr(rows, column)[index] for column in _NUMBERS}
            return text.format(name=name, value=getattr(rows, name)[index], **values)

        return said

    return of


def _always(text: str) -> Words:
    return lambda _: text


def _no_numbers(rows: Rows, words: Callable[[str, str], Words]) -> Iterator[Fault]:
    """Return which rows hold what is no number, or none of a size that exists."""
    for name in _PRICES:
        price: Floats = getattr(rows, name)
        yield ~(np.abs(price) <= _HIGHEST_PRICE), words(name, "{name} is not a price: {value}")
    volume = rows.volume
    yield ~(np.abs(volume) <= _HIGHEST_VOLUME), words("volume", "volume is {value:g}; not a volume")
    if rows.adjusted_close is not None:
        adjusted = rows.adjusted_close
        possible = np.isnan(adjusted) | (np.abs(adjusted) <= _HIGHEST_PRICE)
        yield ~possible, words("adjusted_close", "adjusted close is not a price: {value}")


def _wrong_times(opened: Times, by: Circumstances) -> Iterator[Fault]:
    """Return which rows are not at an opening of their timeframe, or not over yet."""
    length = TIMEFRAMES[by.timeframe]
    yield np.isnat(opened), _always("timestamp is missing")
    opened = np.where(np.isnat(opened), np.datetime64(0, "us"), opened)
    micros = opened.astype("datetime64[us]").astype(np.int64)
    yield micros < microseconds(_EARLIEST), _always("timestamp is before 1800")
    yield micros > microseconds(by.now), _always("timestamp is in the future")
    ends = closing_times(opened.astype("datetime64[s]"), by.timeframe, calendar=by.calendar)
    now = np.datetime64(int(by.now.timestamp()), "s")
    yield ends > now, _always("the bar has not closed yet")
    # Sessions begin at half past somewhere, and bars of an hour or four with them.
    step = timedelta(days=1) if length >= timedelta(days=1) else min(length, timedelta(minutes=30))
    at = "00:00" if step == timedelta(days=1) else f"a multiple of {step.seconds // 60} minutes"
    yield (
        micros % (step // timedelta(microseconds=1)) != 0,
        _always(f"timestamp is not an opening: a {by.timeframe} bar opens at {at} UTC"),
    )
    days = opened.astype("datetime64[D]")
    if by.listed_on is not None:
        early = days < np.datetime64(by.listed_on)
        yield early, _always(f"it was not listed before {by.listed_on}")
    if by.delisted_on is not None:
        late = days > np.datetime64(by.delisted_on)
        yield late, _always(f"it was delisted on {by.delisted_on}")


def _impossible(
    rows: Rows, by: Circumstances, words: Callable[[str, str], Words]
) -> Iterator[Fault]:
    """Return which rows contradict themselves."""
    low, high = rows.low, rows.high
    if by.kind not in MAY_BE_NEGATIVE:
        for name in _PRICES:
            yield (
                getattr(rows, name) <= 0,
                words(name, "{name} is {value:g}; a price must be above 0"),
            )
    yield rows.volume < 0, words("volume", "volume is {value:g}; it must be 0 or more")
    yield high < low, words("high", "high {high:g} is below low {low:g}")
    for name in ("open", "close"):
        price: Floats = getattr(rows, name)
        outside = ~((low <= price) & (price <= high))
        yield outside, words(name, "{name} {value:g} is outside low {low:g} to high {high:g}")


def _improbable(
    rows: Rows, by: Circumstances, words: Callable[[str, str], Words]
) -> Iterator[Fault]:
    """Return which rows are hard to believe by themselves, or against another source."""
    if by.kind in COUNTED_IN_SHARES and by.basis == "as_traded":
        fractional = rows.volume != np.floor(rows.volume)
        yield fractional, words("volume", "volume is {value:.15g}; shares are counted in whole")
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        wide = (rows.low > 0) & (rows.high / rows.low > BIGGEST_MOVE)
    yield wide, words("high", f"high {{high:g}} is over {BIGGEST_MOVE:g} times low {{low:g}}")
    if by.elsewhere is None or not len(by.elsewhere):
        return
    other = by.elsewhere
    at = np.searchsorted(other.timestamps, rows.timestamps)
    same = at < len(other)
    same[same] = other.timestamps[at[same]] == rows.timestamps[same]
    stored = np.full(len(rows), np.nan)
    stored[same] = other.close[at[same]]
    with np.errstate(invalid="ignore"):
        conflict = np.abs(rows.close - stored) >= DISAGREEMENT * np.abs(stored)
    yield (
        conflict,
        lambda index: (
            f"conflict: close is {rows.close[index]:g} here "
            f"and {stored[index]:g} from {other.source}"
        ),
    )


def _jumps(rows: Rows, order: NDArray[np.intp], by: Circumstances) -> dict[int, Doubted]:
    """Return the rows whose close is out of reach of the last one that was believed.

    One that is not believed is not compared with: a bar is judged by what was known before it, so
    that bars that come one by one get the verdicts of bars that come all at once.
    """
    close, times = rows.close[order], rows.timestamps[order].astype("datetime64[s]")
    actions: tuple[Action, ...] = () if by.before is None else by.before.actions
    shift = 0
    if by.before is not None and len(by.before):
        shift = 1
        close = np.concatenate([by.before.close[-1:], close])
        times = np.concatenate([by.before.timestamps[-1:], times])
    if len(close) < 2:
        return {}
    if actions and by.basis == "as_traded":
        ends = closing_times(times, by.timeframe, calendar=by.calendar)
        close = close / split_factors(positions(actions, ends), len(close))
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.where(close > 0, np.log(np.abs(close)), np.nan)
        # NaN, where there is no ratio, is no jump.
        steps = np.flatnonzero(np.abs(np.diff(size)) > np.log(BIGGEST_MOVE)) + 1
    found: dict[int, Doubted] = {}
    limit = float(np.log(BIGGEST_MOVE))
    at = int(steps[0]) if len(steps) else len(close)
    while at < len(close):
        believed = at - 1
        while at < len(close) and abs(size[at] - size[believed]) > limit:
            index = int(order[at - shift])
            change = 100.0 * (float(close[at] / close[believed]) - 1.0)
            found[index] = Doubted(
                index,
                f"close {rows.close[index]:g} is {change:+,.2f} % from the one before; "
                f"if that is a split, add it to the instrument's actions first",
                True,
            )
            at += 1
        later = steps[steps > at]
        at = int(later[0]) if len(later) else len(close)
    return found
