"""A real past shown again on a clock, under a name of its own: GOOG's as GOOG@REPLAY.

What is stored of the instrument itself is only read. Its replay is an instrument like any other,
with the true dates and prices, so that indicators, signals, alerts and charts need not know of it;
that it is a replay stands in its symbol, its name and its source.
"""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time

import msgspec
import numpy as np

from app.domain.errors import Invalid, NotFound
from app.services.market.bar_intake import BarIntake
from tools.errors import UnknownSymbol
from tools.market.bars import TIMEFRAMES, Bars
from tools.market.instruments import Instrument
from tools.market.replays import is_replay, replay_of
from tools.market.store import BarStore, InstrumentStore
from tools.market.symbols import nearest

SHOWN = 250
"""Bars that are shown when no beginning is given: of daily bars, a year."""


class Replay(msgspec.Struct, frozen=True):
    """What will be shown of one instrument."""

    symbol: str
    """Of the replay."""
    coming: Bars
    """Bars that are still to come, under the replay's symbol."""
    known: int
    """Bars before them, which are there from the beginning."""


class Replays:
    """Prepares replays and shows their bars."""

    def __init__(
        self,
        instruments: InstrumentStore,
        bars: BarStore,
        intake: BarIntake,
        *,
        remove: Callable[[str], Awaitable[None]],
    ) -> None:
        """Make the service; `remove` takes a replay out with all that was stored of it."""
        self._instruments = instruments
        self._bars = bars
        self._intake = intake
        self._remove = remove

    async def begin(
        self, symbol: str, timeframe: str, *, start: date | None, end: date | None
    ) -> Replay:
        """Set a replay up at its first day, instead of an earlier one of the same instrument.

        Raises:
            NotFound: `unknown_symbol`, with the nearest known ones.
            Invalid: there is nothing to show, or the timeframe is unknown.
        """
        if timeframe not in TIMEFRAMES:
            raise Invalid(f"The timeframe must be one of {', '.join(TIMEFRAMES)}.")
        instrument = await self._find(symbol)
        until = None if end is None else datetime.combine(end, time.max, UTC)
        stored = await self._bars.read(instrument.symbol, timeframe=timeframe, end=until)
        first = len(stored) - SHOWN if start is None else stored.position(start)
        first = max(first, 0)
        if first >= len(stored):
            raise Invalid(_nothing_to_show(stored, instrument.symbol, timeframe))
        name = replay_of(instrument.symbol)
        await self._remove(name)
        await self._instruments.put(_replayed(instrument, name, stored, first))
        for action in stored.actions:
            # A split or a dividend counts from its day on, as it did then.
            await self._instruments.add_action(name, action)
        bars = replace(stored, symbol=name)
        if first:
            await self._bars.add(bars.slice(0, first))
        return Replay(name, bars.slice(first), first)

    async def show(self, bars: Bars) -> None:
        """Store bars of a replay, as if they had just closed."""
        if stored := await self._bars.add(bars):
            self._intake.tell(stored)

    async def clear(self) -> list[str]:
        """Remove every replay and return their names."""
        found = [one.symbol for one in await self._instruments.all() if is_replay(one.symbol)]
        for symbol in found:
            await self._remove(symbol)
        return found

    async def _find(self, symbol: str) -> Instrument:
        wanted = symbol.strip().upper()
        instrument = await self._instruments.find(wanted)
        if instrument is None or is_replay(instrument.symbol):
            known = [one for one in await self._instruments.all() if not is_replay(one.symbol)]
            unknown = UnknownSymbol(wanted[:40], nearest=nearest(wanted, known))
            raise NotFound(unknown.message, code="unknown_symbol")
        return instrument


def in_step(replays: Sequence[Replay]) -> Iterator[tuple[np.datetime64, list[Bars]]]:
    """Return each opening time of any replay in order, with the bars that have it."""
    times = np.unique(np.concatenate([one.coming.timestamps for one in replays]))
    for opened in times:
        found = []
        for one in replays:
            at = int(np.searchsorted(one.coming.timestamps, opened))
            if at < len(one.coming) and one.coming.timestamps[at] == opened:
                found.append(one.coming.slice(at, at + 1))
        yield opened, found


def bars_per_second(speed: str, timeframe: str) -> float:
    """Return how many bars a speed such as `1d/s` shows a second; closed hours do not count.

    Raises:
        Invalid: it is no speed.
    """
    amount, _, per = speed.strip().lower().partition("/")
    number, unit = amount[:-1], amount[-1:]
    units = {"m": 60.0, "h": 3_600.0, "d": 86_400.0, "w": 604_800.0}
    seconds = {"s": 1.0, "m": 60.0}.get(per or "s")
    try:
        count = float(number)
    except ValueError:
        count = 0.0
    if unit not in units or seconds is None or not 0 < count < 1e6:
        raise Invalid(f"--speed {speed}: give an amount of market time a second, such as 1d/s.")
    rate = count * units[unit] / TIMEFRAMES[timeframe].total_seconds() / seconds
    return min(rate, 200.0)


def _replayed(instrument: Instrument, name: str, stored: Bars, first: int) -> Instrument:
    return Instrument(
        symbol=name,
        name=f"Replay of {instrument.name}",
        kind=instrument.kind,
        currency=instrument.currency,
        exchange=instrument.exchange,
        source=f"replay of {instrument.source}",
        provenance={
            "replayOf": instrument.symbol,
            "from": stored.time(first).isoformat(),
            "to": stored.time(-1).isoformat(),
            **{key: value for key, value in instrument.provenance.items() if key != "addedBy"},
        },
    )


def _nothing_to_show(stored: Bars, symbol: str, timeframe: str) -> str:
    if not len(stored):
        return f"There are no {timeframe} bars of {symbol} in that span."
    return (
        f"There are no {timeframe} bars of {symbol} in that span; "
        f"they go from {stored.day(0)} to {stored.day(-1)}."
    )
