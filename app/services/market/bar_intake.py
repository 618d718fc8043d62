"""The one way bars get in, whoever brings them: REST, a file, a topic, a replay.

Rows are judged, what can be taken is stored, what cannot be believed goes to quarantine, and only
then is it told to those who listen.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import structlog

from app.domain.errors import Conflict, Invalid
from app.services.market.instruments import find_instrument
from tools.errors import MixedBasis
from tools.market.bars import TIMEFRAMES, Bars, Basis
from tools.market.calendars import calendar_name
from tools.market.checks import (
    Circumstances,
    Doubted,
    Judgement,
    Refused,
    as_bars,
    as_suspect,
    judge,
)
from tools.market.instruments import Instrument
from tools.market.intake import BarsStored
from tools.market.records import Suspect
from tools.market.rows import Rows, read_rows
from tools.market.store import BarStore, InstrumentStore

log = structlog.get_logger(__name__)

MAX_BATCH = 50_000
"""So many rows go into one transaction; more go into several, in the order they came."""


class BarsTaken(msgspec.Struct, frozen=True):
    """What became of bars that were brought."""

    accepted: int
    """Rows that are stored now, whether they were new or known already."""
    refused: list[Refused]
    """Rows that are no bars."""
    suspect: list[Refused] = []
    """Rows in quarantine: bars that nobody should believe until somebody decides."""


class BarIntake:
    """Judges, stores and tells."""

    def __init__(
        self, instruments: InstrumentStore, bars: BarStore, *, clock: Callable[[], datetime]
    ) -> None:
        self._instruments = instruments
        self._bars = bars
        self._clock = clock
        self.listeners: list[Callable[[BarsStored], None]] = []
        """Called after the commit, in order, on the event loop. They must never wait."""
        self.announce: Callable[[BarsStored], None] | None = None
        """Tells other processes of what this one stored; must never wait either."""

    async def take(
        self,
        symbol: str,
        timeframe: str,
        rows: Sequence[msgspec.Raw] | Rows,
        *,
        source: str | None = None,
        basis: Basis | None = None,
    ) -> BarsTaken:
        """Store the rows that can be believed and say why the others were not.

        A bar at a known time supersedes the old one. Doing it again changes nothing. `rows` are
        JSON objects, or columns that a source has read already; `index` counts them from 0.
        `source` is whom to cite; by default that of the instrument. `basis` is what its prices
        are; by default what the stored bars are, and as traded where there are none.

        Raises:
            NotFound: `unknown_symbol`, with the nearest known ones.
            Invalid: the timeframe is unknown or there are no rows.
            Conflict: `mixed_basis`, stored bars are on another basis.
            Unavailable: the database cannot be reached; of several batches some may be stored.
        """
        if timeframe not in TIMEFRAMES:
            raise Invalid(f"`timeframe` must be one of {', '.join(TIMEFRAMES)}.")
        if not len(rows):
            raise Invalid("`bars` is empty.")
        instrument = await find_instrument(self._instruments, symbol)
        if instrument.continuous is not None:
            raise Invalid(
                f"{instrument.symbol} is made of the contracts of {instrument.continuous.root}; "
                f"bring their bars, and its own follow."
            )
        columns = rows if isinstance(rows, Rows) else await asyncio.to_thread(read_rows, rows)
        accepted = 0
        refused: list[Refused] = []
        suspect: list[Refused] = []
        for start in range(0, len(columns), MAX_BATCH):
            part = columns.part(start, start + MAX_BATCH)
            by = await self._circumstances(instrument, timeframe, part, source, basis)
            verdict = await asyncio.to_thread(judge, part, by)
            known, waiting = await self._doubt(instrument, part, verdict, by, source)
            accepted += len(verdict.taken) + known
            refused += [Refused(start + one.index, one.reason) for one in verdict.refused]
            suspect += [Refused(start + one.index, one.reason) for one in waiting]
            if len(verdict.taken):
                bars = as_bars(
                    part,
                    verdict.taken,
                    symbol=instrument.symbol,
                    timeframe=timeframe,
                    source=source or instrument.source,
                    basis=by.basis,
                )
                await self._store(bars)
        return BarsTaken(accepted=accepted, refused=refused, suspect=suspect)

    async def rehearse(self, timeframe: str, rows: Rows, *, instrument: Instrument) -> BarsTaken:
        """Tell what `take` would make of an instrument's rows; nothing is stored.

        The instrument need not be known. Doubts that somebody decided on are told as doubts.

        Raises:
            Invalid: the timeframe is unknown.
        """
        if timeframe not in TIMEFRAMES:
            raise Invalid(f"`timeframe` must be one of {', '.join(TIMEFRAMES)}.")
        by = Circumstances(
            timeframe=timeframe,
            now=self._clock(),
            kind=instrument.kind,
            calendar=calendar_name(instrument.exchange, instrument.kind),
        )
        if await self._instruments.find(instrument.symbol) is not None:
            by = await self._circumstances(instrument, timeframe, rows, None, None)
        verdict = await asyncio.to_thread(judge, rows, by)
        return BarsTaken(
            accepted=len(verdict.taken),
            refused=verdict.refused,
            suspect=[Refused(one.index, one.reason) for one in verdict.doubted],
        )

    async def believed_before(
        self, symbols: Sequence[str], timeframe: str, time_us: int
    ) -> dict[str, Bars]:
        """Return the last bar of each symbol that opened before a time, µs since 1970."""
        before = _inside(np.datetime64(time_us, "us"), self._clock()) - timedelta(seconds=1)
        return await self._bars.read_many(symbols, timeframe=timeframe, end=before, limit=1)

    async def accept(self, suspect: Suspect, *, by: str) -> bool:
        """Store a suspect after all, because somebody knows better; False if it was decided.

        Raises:
            Invalid: it contradicts itself, so that nobody can know better.
            Conflict: `mixed_basis`, stored bars are on another basis by now.
        """
        if not suspect.possible:
            raise Invalid(
                f"This bar cannot be true ({suspect.reason}). Reject it, and post the right one."
            )
        stored = await self._bars.read(suspect.symbol, timeframe=suspect.timeframe, limit=1)
        if suspect.status != "quarantined":
            return False
        adjusted = suspect.adjusted_close
        await self._store(
            Bars(
                symbol=suspect.symbol,
                timeframe=suspect.timeframe,
                source=suspect.source,
                timestamps=np.array([int(suspect.timestamp.timestamp())], "datetime64[s]"),
                open=np.array([suspect.open]),
                high=np.array([suspect.high]),
                low=np.array([suspect.low]),
                close=np.array([suspect.close]),
                volume=np.array([suspect.volume]),
                adjusted_close=None if adjusted is None else np.array([adjusted]),
                basis=stored.basis,
            )
        )
        return await self._bars.decide(suspect.id, "accepted", by=by)

    async def _circumstances(
        self,
        instrument: Instrument,
        timeframe: str,
        rows: Rows,
        source: str | None,
        basis: Basis | None,
    ) -> Circumstances:
        """Look up what rows are judged by."""
        times = rows.timestamps[~np.isnat(rows.timestamps)]
        now = self._clock()
        first = _inside(times.min(), now) if len(times) else now
        before = await self._bars.read(
            instrument.symbol, timeframe=timeframe, end=first - timedelta(seconds=1), limit=1
        )
        elsewhere = None
        if source is not None and source != instrument.source and len(times):
            elsewhere = await self._bars.read(
                instrument.symbol, timeframe=timeframe, start=first, end=_inside(times.max(), now)
            )
        return Circumstances(
            timeframe=timeframe,
            now=now,
            kind=instrument.kind,
            basis=basis or before.basis,
            calendar=calendar_name(instrument.exchange, instrument.kind),
            listed_on=instrument.listed_on,
            delisted_on=instrument.delisted_on,
            before=before,
            elsewhere=elsewhere,
        )

    async def _doubt(
        self,
        instrument: Instrument,
        rows: Rows,
        verdict: Judgement,
        by: Circumstances,
        source: str | None,
    ) -> tuple[int, list[Doubted]]:
        """Put suspects into quarantine; return how many were accepted before, and the others."""
        unlike: dict[tuple[object, ...], Doubted] = {}
        for one in verdict.doubted:
            unlike.setdefault(_numbers(rows, one.index), one)
        kept = list(unlike.values())
        stand = await self._bars.quarantine(
            instrument.symbol,
            by.timeframe,
            [as_suspect(rows, one) for one in kept],
            source=source or instrument.source,
        )
        waiting = [one for one, status in zip(kept, stand, strict=True) if status != "accepted"]
        return len(kept) - len(waiting), waiting

    async def _store(self, bars: Bars) -> None:
        try:
            stored = await self._bars.add(bars)
        except MixedBasis as error:
            raise Conflict(error.message, code="mixed_basis") from error
        if stored is not None:
            self.tell(stored)

    def tell(self, stored: BarsStored) -> None:
        """Tell whoever listens, here and in other processes, of bars that this one stored."""
        if self.announce is not None:
            self.announce(stored)
        self.hear(stored)

    def hear(self, stored: BarsStored) -> None:
        """Tell whoever listens here of bars that are stored, by whichever process."""
        for listener in self.listeners:
            try:
                listener(stored)
            except Exception:  # whoever listens must not undo what is stored
                log.exception("bars.listener_failed", symbol=stored.symbol)


def _inside(time: np.datetime64, now: datetime) -> datetime:
    """Return a time of a row as one that can be looked up, whatever the row says."""
    micros = int(time.astype("datetime64[us]").astype(np.int64))
    lowest, highest = datetime(1000, 1, 1, tzinfo=UTC).timestamp(), now.timestamp()
    return datetime.fromtimestamp(min(max(micros / 1e6, lowest), highest), UTC)


def _numbers(rows: Rows, index: int) -> tuple[object, ...]:
    columns = (rows.timestamps, rows.open, rows.high, rows.low, rows.close, rows.volume)
    return tuple(column[index].item() for column in columns)
