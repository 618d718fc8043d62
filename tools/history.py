"""How a tool gets at prices: the instrument people mean, its bars up to a moment, ready to compute.

The only place that turns "google" and "last year" into rows, so that no tool can read past `now`.
"""

import asyncio
import calendar
import math
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal

import numpy as np

from tools.analytics.prices import Prices
from tools.errors import InvalidArguments, NoData
from tools.market.actions import Action
from tools.market.bars import TIMEFRAMES, Bars
from tools.market.freshness import doubts
from tools.market.instruments import Instrument
from tools.market.longer import MOST_RESAMPLED, read_or_make
from tools.market.resample import finer_than, resample
from tools.market.store import BarStore, InstrumentStore
from tools.market.symbols import resolve
from tools.tool import ToolContext

Period = Literal["1w", "1m", "3m", "6m", "1y", "2y", "3y", "5y", "10y", "ytd", "max"]
LOT = 200
"""Instruments read at once."""
_MONTHS = {"1m": 1, "3m": 3, "6m": 6, "1y": 12, "2y": 24, "3y": 36, "5y": 60, "10y": 120}


@dataclass(frozen=True, eq=False)
class History:
    """What may be known about one instrument, at least one bar."""

    instrument: Instrument
    bars: Bars
    """Split-adjusted, cut at the moment asked for."""
    prices: Prices
    stored: Bars
    """The same bars as they are kept: before a split, in the shares of their day."""
    as_traded: bool
    """False: prices were divided by a split, or moved by a roll, inside the history."""

    newest: date
    """Day of the newest bar there is, also when asked about an earlier one."""
    age_days: int
    """Calendar days from that to now."""
    resampled_from: str | None = None
    """The timeframe that is stored, where these bars were made of shorter ones."""
    doubts: tuple[str, ...] = ()
    """What speaks against the newest bars: late, or stuck."""

    @property
    def symbol(self) -> str:
        return self.instrument.symbol

    @property
    def as_of(self) -> datetime:
        """When the last bar opened."""
        return self.bars.time(-1)

    def day(self, bar: int) -> str:
        """Return the UTC date of a bar, ISO 8601."""
        return self.bars.day(bar).isoformat()

    def span(self) -> dict[str, object]:
        """Return what every result says about what it speaks of."""
        said: dict[str, object] = {
            "symbol": self.symbol,
            "name": self.instrument.name,
            "timeframe": self.bars.timeframe,
            "bars": len(self.bars),
            "firstBar": self.day(0),
            "lastBar": self.day(-1),
            "newestBarAgeDays": self.age_days,
        }
        if self.resampled_from is not None:
            said["resampledFrom"] = self.resampled_from
        if self.instrument.suspect_count:
            said["suspectBars"] = self.instrument.suspect_count
        return said

    def notes(self) -> list[str]:
        """Return what a reader of the numbers must know about their source."""
        said = []
        rolls = [one for one in self._inside() if one.kind == "roll"]
        if not self.as_traded and (not rolls or len(rolls) < len(self._inside())):
            said.append("Prices before a share split are divided by it, so that they compare.")
        if rolls:
            said.append(_rolled(rolls[-1], len(rolls)))
        if problem := self.instrument.provenance.get("problem"):
            said.append(f"The series ends early: {problem}")
        if self.resampled_from is not None:
            said.append(
                f"Made of {self.resampled_from} bars; {self.bars.timeframe} ones are not stored."
            )
        if self.instrument.suspect_count:
            said.append(
                f"{self.instrument.suspect_count} bars of {self.symbol} are in quarantine, because "
                f"they cannot be believed; they are left out."
            )
        if (self.bars.close <= 0).any():
            bar = int(np.argmax(self.bars.close <= 0))
            said.append(
                f"The price was zero or below (first on {self.day(bar)}): percent changes and log "
                f"returns across such bars do not exist and are left out."
            )
        if self.instrument.delisted_on is not None:
            said.append(f"{self.symbol} was delisted on {self.instrument.delisted_on}.")
        said += self.doubts
        survivorship = self.instrument.provenance.get("survivorship")
        if survivorship:
            said.append(str(survivorship))
        return said

    def _inside(self) -> list[Action]:
        """Return the splits and rolls between the first and the last bar."""
        first, last = self.bars.day(0), self.bars.day(-1)
        return [
            one
            for one in self.bars.actions
            if one.kind in ("split", "roll") and first < one.ex_date <= last
        ]


class Market:
    """Both stores, as tools use them."""

    def __init__(self, instruments: InstrumentStore, bars: BarStore) -> None:
        self._instruments = instruments
        self._bars = bars

    async def instruments(self) -> list[Instrument]:
        return await self._instruments.all()

    async def history(
        self, said: str, context: ToolContext, *, at: date | None = None, timeframe: str = "1d"
    ) -> History:
        """Return the history of what was `said`, up to `context.now` and to the day `at`.

        Raises:
            UnknownSymbol: with the nearest known ones.
            NoData: there is no bar that early.
        """
        # The usual case needs one row, not the whole list.
        instrument = await self._instruments.find(said.strip().upper())
        if instrument is None:
            instrument = resolve(said, await self._instruments.all())
        # Rows after the cut are never even fetched.
        stored, made_of = await read_or_make(
            self._bars, instrument.symbol, timeframe, now=context.now, end=context.now
        )
        known = stored.closed_by(context.now)
        history = _known(instrument, known, context, at)
        if history is None:
            raise NoData(_nothing(instrument, known, at, timeframe))
        return history if made_of is None else replace(history, resampled_from=made_of)

    async def many(
        self,
        instruments: Sequence[Instrument],
        context: ToolContext,
        *,
        timeframe: str,
        bars: int,
        at: date | None = None,
    ) -> AsyncIterator[list[History]]:
        """Yield the newest `bars` of each instrument up to `context.now` and to `at`, in lots.

        Those without a single bar are left out. Whoever reads computes on one lot while the
        next is still stored, so that thousands of symbols never stand in memory at once.
        """
        end = context.now if at is None else min(context.now, end_of(at))
        for start in range(0, len(instruments), LOT):
            lot = instruments[start : start + LOT]
            read = await self._bars.read_many(
                [one.symbol for one in lot], timeframe=timeframe, end=end, limit=bars
            )
            missing = [one.symbol for one in lot if one.symbol not in read]
            read |= await self._made_of_shorter(missing, context, timeframe, end=end, bars=bars)
            found = [
                _known(one, read[one.symbol].closed_by(context.now), context, at)
                for one in lot
                if one.symbol in read
            ]
            yield [history for history in found if history is not None]

    async def _made_of_shorter(
        self,
        symbols: list[str],
        context: ToolContext,
        timeframe: str,
        *,
        end: datetime,
        bars: int,
    ) -> dict[str, Bars]:
        """Return bars made of the longest shorter ones that each of the symbols has."""
        made: dict[str, Bars] = {}
        for finer in finer_than(timeframe):
            wanted = [symbol for symbol in symbols if symbol not in made]
            if not wanted:
                break
            limit = min(MOST_RESAMPLED, bars * math.ceil(TIMEFRAMES[timeframe] / TIMEFRAMES[finer]))
            read = await self._bars.read_many(wanted, timeframe=finer, end=end, limit=limit)
            for symbol, stored in read.items():
                whole = await asyncio.to_thread(
                    resample, stored.closed_by(min(context.now, end)), timeframe
                )
                # Where more is stored than was read, the first bar is made of a part.
                made[symbol] = whole.slice(1) if len(stored) == limit else whole
        return made


def end_of(day: date) -> datetime:
    """Return the last moment of a day, UTC."""
    return datetime.combine(day, time.max, tzinfo=UTC)


def _known(
    instrument: Instrument, known: Bars, context: ToolContext, at: date | None
) -> History | None:
    """Return the history of bars that had closed by now, cut at a day; None of no bar."""
    bars = known if at is None else known.until(at)
    if at is not None and TIMEFRAMES[known.timeframe] > timedelta(days=1):
        # A week that began by then may have ended later.
        bars = bars.closed_by(end_of(at) + timedelta(microseconds=1))
    if not len(bars):
        return None
    adjusted = bars.split_adjusted()
    return History(
        instrument=instrument,
        bars=adjusted,
        prices=Prices(
            days=adjusted.timestamps,
            open=adjusted.open,
            high=adjusted.high,
            low=adjusted.low,
            close=adjusted.close,
            volume=adjusted.volume,
            total=bars.total_return_close(),
        ),
        stored=bars,
        as_traded=adjusted is bars and not _split_inside(bars),
        newest=known.day(-1),
        age_days=(context.now.date() - known.day(-1)).days,
        doubts=tuple(doubts(bars, context.now)) if at is None else (),
    )


def _rolled(newest: Action, count: int) -> str:
    how = "multiplied by the ratio" if newest.adjustment == "ratio" else "moved by the difference"
    return (
        f"A series of contracts: the price is that of {newest.to_contract}, held since "
        f"{newest.ex_date}; prices before a roll ({count} of them) are {how} of both contracts' "
        f"closes, so levels are on the contract that is held."
    )


def _split_inside(bars: Bars) -> bool:
    """Tell whether the source divided prices by a split between the first and the last bar."""
    return any(
        one.kind == "split" and bars.day(0) < one.ex_date <= bars.day(-1) for one in bars.actions
    )


def start_of(history: History, *, start: date | None, period: Period | None) -> int:
    """Return the bar whose close a period starts from: the last on or before its first day.

    Raises:
        InvalidArguments: both or neither given, or the period is not before the last bar.
    """
    if (start is None) == (period is None):
        raise InvalidArguments("Give either `from` or `period`, not both.")
    last = history.bars.day(-1)
    if len(history.bars) < 2:
        raise NoData(f"{history.symbol} has a single bar, of {last}; a change needs two.")
    first_day = start if start is not None else _back(last, period, history.bars.day(0))
    bar = history.bars.position(first_day + timedelta(days=1)) - 1
    if bar >= len(history.bars) - 1:
        raise InvalidArguments(
            f"{first_day} is not before the last bar of {history.symbol}, {last}. "
            f"It has bars from {history.day(0)}."
        )
    return max(bar, 0)


def months_before(day: date, months: int) -> date:
    """Return the same day of the month so many months earlier, or that month's last day."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))


def _back(last: date, period: Period | None, first: date) -> date:
    if period == "1w":
        return last - timedelta(days=7)
    if period == "ytd":
        return date(last.year - 1, 12, 31)
    if period is None or period == "max":
        return first
    return months_before(last, _MONTHS[period])


def _nothing(instrument: Instrument, known: Bars, at: date | None, timeframe: str) -> str:
    if not len(known):
        kind = "" if timeframe == "1d" else f"{timeframe} "
        return f"{instrument.symbol} has no {kind}bars that have closed yet."
    return (
        f"{instrument.symbol} has no bars on or before {at}; "
        f"its bars go from {known.day(0)} to {known.day(-1)}."
    )
