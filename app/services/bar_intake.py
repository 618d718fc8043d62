"""The one way bars get in, whoever brings them: REST, a file, a topic, a replay.

Rows are judged, what can be taken is stored, and only then is it told to those who listen.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec
import structlog

from app.domain.errors import Invalid, NotFound
from tools.errors import UnknownSymbol
from tools.market.bars import TIMEFRAMES
from tools.market.checks import Refused, Rows, as_bars, judge, read_rows
from tools.market.instruments import Instrument
from tools.market.intake import BarsStored
from tools.market.store import BarStore, InstrumentStore
from tools.market.symbols import nearest

log = structlog.get_logger(__name__)

MAX_BATCH = 50_000
"""So many rows go into one transaction; more go into several, oldest rows of the file first."""


class BarsTaken(msgspec.Struct, frozen=True):
    """What became of bars that were brought."""

    accepted: int
    """Rows that are stored now, whether they were new or known already."""
    refused: list[Refused]


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
    ) -> BarsTaken:
        """Store the rows that can be believed and say why the others were refused.

        A bar at a known time replaces the old one. Doing it again changes nothing. `rows` are JSON
        objects, or columns that a source has read already; `index` counts them from 0. `source`
        is whom to cite; by default that of the instrument.

        Raises:
            NotFound: `unknown_symbol`, with the nearest known ones.
            Invalid: the timeframe is unknown or there are no rows.
            Unavailable: the database cannot be reached; of several batches some may be stored.
        """
        if timeframe not in TIMEFRAMES:
            raise Invalid(f"`timeframe` must be one of {', '.join(TIMEFRAMES)}.")
        if not len(rows):
            raise Invalid("`bars` is empty.")
        instrument = await self._instrument(symbol)
        columns = rows if isinstance(rows, Rows) else await asyncio.to_thread(read_rows, rows)
        accepted, refused = 0, []
        for start in range(0, len(columns), MAX_BATCH):
            part = columns.part(start, start + MAX_BATCH)
            taken, wrong = await asyncio.to_thread(
                judge, part, timeframe, kind=instrument.kind, now=self._clock()
            )
            refused += [Refused(start + one.index, one.reason) for one in wrong]
            accepted += len(taken)
            if not len(taken):
                continue
            bars = as_bars(
                part,
                taken,
                symbol=instrument.symbol,
                timeframe=timeframe,
                source=source or instrument.source,
            )
            if stored := await self._bars.add(bars):
                self.tell(stored)
        return BarsTaken(accepted=accepted, refused=refused)

    async def rehearse(self, timeframe: str, rows: Rows, *, kind: str) -> BarsTaken:
        """Tell what `take` would make of rows of an instrument of this kind; nothing is stored.

        Raises:
            Invalid: the timeframe is unknown.
        """
        if timeframe not in TIMEFRAMES:
            raise Invalid(f"`timeframe` must be one of {', '.join(TIMEFRAMES)}.")
        taken, refused = await asyncio.to_thread(
            judge, rows, timeframe, kind=kind, now=self._clock()
        )
        return BarsTaken(accepted=len(taken), refused=refused)

    async def _instrument(self, symbol: str) -> Instrument:
        found = await self._instruments.find(symbol)
        if found is None and symbol != symbol.upper():
            found = await self._instruments.find(symbol.upper())
        if found is None:
            near = nearest(symbol, await self._instruments.all())
            unknown = UnknownSymbol(symbol[:40], nearest=near)
            raise NotFound(unknown.message, code="unknown_symbol")
        return found

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
