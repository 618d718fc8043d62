"""From messages to stored rows, each message exactly once.

A batch is read, judged by the same rules as any other bars, and written in one transaction with
the position behind it. So a crash at any moment leaves either both or neither, and whoever reads
on begins at the stored position. A position moves only from where this process left it: a process
that lost its partition to another cannot write what the other one writes too.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Protocol, cast

import msgspec

from app.domain.errors import Unavailable
from app.domain.feed_kinds import FeedKind
from app.domain.feeds import (
    FeedMessage,
    FeedWrite,
    Partition,
    PartitionWrite,
    Position,
    Refusal,
)
from app.services.feeds.feed_reading import (
    GivenBars,
    SeriesKey,
    closed_bars,
    count_ticks,
    judge_bars,
    microseconds,
    read_bars,
    read_ticks,
    refusal,
)
from app.services.market.bar_intake import BarIntake
from app.services.market.known_instruments import KnownInstruments
from app.services.news.news import NewsTaken
from app.services.news.news_checks import MAX_ITEMS
from tools.errors import MixedBasis, UnknownSymbol
from tools.market.bars import Bars, Basis
from tools.market.intake import BarsStored
from tools.market.scorer import ScoringFailed
from tools.market.ticks import LATENESS, OpenBar, TickBars

Batch = Mapping[Partition, Sequence[FeedMessage]]


class FeedStore(Protocol):
    """Keeps positions, open bars and refusals, and writes bars together with them."""

    async def positions(self, partitions: Iterable[Partition]) -> dict[Partition, Position]:
        """Return where each partition was left; those never read are missing."""
        ...

    async def write(self, batch: FeedWrite) -> list[BarsStored]:
        """Write a batch whole and return what it changed.

        Raises:
            Fenced: a position is not the expected one; nothing was written.
            UnknownSymbol: an instrument has gone; nothing was written.
            Unavailable: the database is away; nothing was written, or the answer was lost.
        """
        ...

    async def reset(self, partition: Partition, next_offset: int) -> None:
        """Let a partition be read from `next_offset`, whatever was stored."""
        ...


class NewsTaker(Protocol):
    """`app.services.news.news.NewsIntake`, as far as it is needed here."""

    async def take(self, items: Sequence[msgspec.Raw]) -> NewsTaken: ...


class FeedTaken(msgspec.Struct, frozen=True):
    """What became of a batch."""

    messages: int
    accepted: int
    """Bars that are stored now."""
    refused: int


class _State:
    """One partition while this process reads it."""

    __slots__ = ("next_offset", "ticks")

    def __init__(self, next_offset: int | None, ticks: TickBars | None) -> None:
        self.next_offset = next_offset
        self.ticks = ticks


class FeedIntake:
    """Takes batches of the topics' messages."""

    def __init__(
        self,
        store: FeedStore,
        intake: BarIntake,
        instruments: KnownInstruments,
        *,
        kinds: Mapping[str, FeedKind],
        clock: Callable[[], datetime],
        news: NewsTaker | None = None,
        tick_timeframe: str = "1m",
    ) -> None:
        """Make an intake; `kinds` says what each topic carries."""
        self._store = store
        self._intake = intake
        self._instruments = instruments
        self._kinds = kinds
        self._clock = clock
        self._news = news
        self._tick_timeframe = tick_timeframe
        self._states: dict[Partition, _State] = {}
        self._bases: dict[SeriesKey, Basis] = {}
        """What is stored of the series that are not as traded."""
        self.open_bar_listeners: list[Callable[[str, OpenBar], None]] = []
        """Called after the commit with the timeframe and each open bar that changed."""

    async def begin(self, partitions: Sequence[Partition]) -> dict[Partition, int]:
        """Take up partitions and return where each goes on; those never read are missing.

        Raises:
            Unavailable: the database is away.
        """
        found = await self._store.positions(partitions)
        for partition in partitions:
            position = found.get(partition)
            next_offset = None if position is None else position.next_offset
            self._states[partition] = _State(next_offset, self._tick_bars(partition, position))
        return {partition: position.next_offset for partition, position in found.items()}

    def end(self, partitions: Iterable[Partition]) -> None:
        """Forget partitions that are another process's now."""
        for partition in partitions:
            self._states.pop(partition, None)

    def position(self, partition: Partition) -> int | None:
        """Return the offset that a partition goes on at."""
        state = self._states.get(partition)
        return None if state is None else state.next_offset

    async def start_over(self, partition: Partition, next_offset: int) -> None:
        """Read a partition from another offset than the stored one, which its topic has lost.

        Raises:
            Unavailable: the database is away.
        """
        await self._store.reset(partition, next_offset)
        await self.begin([partition])

    async def take(self, batch: Batch) -> FeedTaken:
        """Store a batch. After an error the batch's partitions must be taken up anew (`begin`).

        Raises:
            Fenced: another process reads one of the partitions now.
            Unavailable: the database is away.
        """
        while True:
            try:
                return await self._take(batch)
            except UnknownSymbol:
                # It was there a moment ago; without it these rows are refused.
                self._instruments.forget()
            except MixedBasis as mixed:
                # What a series holds already is what comes to it.
                if self._bases.get(mixed.series) == mixed.stored:
                    raise
                self._bases[mixed.series] = cast("Basis", mixed.stored)
            await self.begin(list(batch))

    async def fall_silent(self, partition: Partition) -> None:
        """Close the open bars of a stream that has brought nothing for a while.

        Only bars whose time is over by our clock; trades of them that come later are late.

        Raises:
            Fenced: another process reads the partition now.
            Unavailable: the database is away.
        """
        state = self._states.get(partition)
        if state is None or state.ticks is None or state.next_offset is None:
            return
        ends_us = state.ticks.newest_end_us()
        if ends_us is None:
            return
        until_us = min(ends_us, microseconds(self._clock() - LATENESS))
        if until_us > (state.ticks.watermark_us or 0):
            state.ticks.pass_time(until_us)
            await self.take({partition: ()})

    # --- one batch --------------------------------------------------------------------------------

    async def _take(self, batch: Batch) -> FeedTaken:
        batch = {of: self._unseen(of, messages) for of, messages in batch.items()}
        refused: dict[Partition, list[Refusal]] = {partition: [] for partition in batch}
        series: dict[SeriesKey, GivenBars] = {}
        ticks = {}
        for partition, messages in batch.items():
            if self._kinds[partition[0]] == "ticks":
                ticks[partition] = read_ticks(messages, refused[partition])
            elif self._kinds[partition[0]] == "news":
                await self._take_news(messages, refused[partition])
            else:
                read_bars(partition, messages, series, refused[partition])
        symbols = {symbol for symbol, _ in series}
        for partition, found in ticks.items():
            symbols.update(tick.symbol for _, tick, _ in found)
            symbols.update(self._open_symbols(partition))
        known = await self._instruments.find(symbols)
        bars, suspects = await asyncio.to_thread(
            judge_bars,
            series,
            known,
            refused,
            now=self._clock(),
            bases=self._bases,
            before=await self._before(series),
        )
        newest_us = microseconds(self._clock() + LATENESS)
        closed: dict[Partition, list[OpenBar]] = {}
        for partition, found in ticks.items():
            closed[partition] = count_ticks(
                self._ticks(partition), found, known, refused[partition], newest_us=newest_us
            )
            bars += closed_bars(closed[partition], self._tick_timeframe, known, self._bases)
        written = [
            self._write_of(partition, messages, refused[partition], closed.get(partition, []))
            for partition, messages in batch.items()
        ]
        stored = await self._store.write(FeedWrite(bars, written, suspects))
        self._after(stored, written)
        return FeedTaken(
            messages=sum(map(len, batch.values())),
            accepted=sum(map(len, bars)),
            refused=sum(map(len, refused.values())),
        )

    async def _before(self, series: Mapping[SeriesKey, GivenBars]) -> dict[SeriesKey, Bars]:
        """Return the last bar that is believed of each series, before those that came."""
        found: dict[SeriesKey, Bars] = {}
        for timeframe in {timeframe for _, timeframe in series}:
            symbols = [symbol for symbol, of in series if of == timeframe]
            first_us = min(min(series[symbol, timeframe].times) for symbol in symbols)
            last = await self._intake.believed_before(symbols, timeframe, first_us)
            found |= {(symbol, timeframe): bars for symbol, bars in last.items()}
        return found

    def _unseen(self, of: Partition, messages: Sequence[FeedMessage]) -> Sequence[FeedMessage]:
        """Return messages without those that are stored already."""
        next_offset = self._states[of].next_offset or 0
        if not messages or messages[0].offset >= next_offset:
            return messages
        return [message for message in messages if message.offset >= next_offset]

    async def _take_news(self, messages: Sequence[FeedMessage], refused: list[Refusal]) -> None:
        """Store a partition's news before its position: told again, an item is known already."""
        if self._news is None:
            raise TypeError("nobody takes news here")
        told = [message for message in messages if message.value]
        refused += [refusal(one, "the message is empty") for one in messages if not one.value]
        for start in range(0, len(told), MAX_ITEMS):
            part = told[start : start + MAX_ITEMS]
            try:
                taken = await self._news.take([msgspec.Raw(one.value or b"") for one in part])
            except ScoringFailed as failed:
                raise Unavailable(f"News cannot be scored: {failed}", retry_after_s=5) from failed
            refused += [refusal(part[one.index], one.reason) for one in taken.refused]

    def _write_of(
        self,
        partition: Partition,
        messages: Sequence[FeedMessage],
        refused: list[Refusal],
        closed: list[OpenBar],
    ) -> PartitionWrite:
        state = self._states[partition]
        next_offset = messages[-1].offset + 1 if messages else state.next_offset or 0
        return PartitionWrite(
            partition=partition,
            expected_offset=state.next_offset,
            next_offset=next_offset,
            watermark_us=state.ticks.watermark_us if state.ticks else None,
            refusals=refused,
            touched=state.ticks.take_touched() if state.ticks else [],
            closed=closed,
            timeframe=self._tick_timeframe,
        )

    def _after(self, stored: Iterable[BarsStored], written: Iterable[PartitionWrite]) -> None:
        """Take up what was committed, and tell it."""
        for one in written:
            self._states[one.partition].next_offset = one.next_offset
        for change in stored:
            self._intake.tell(change)
        for one in written:
            for bar in one.touched:
                for listener in self.open_bar_listeners:
                    listener(self._tick_timeframe, bar)

    def _tick_bars(self, partition: Partition, position: Position | None) -> TickBars | None:
        if self._kinds[partition[0]] != "ticks":
            return None
        if position is None:
            return TickBars(self._tick_timeframe)
        return TickBars(
            self._tick_timeframe,
            watermark_us=position.watermark_us,
            open_bars=position.open_bars,
        )

    def _ticks(self, partition: Partition) -> TickBars:
        bars = self._states[partition].ticks
        if bars is None:
            raise TypeError(f"{partition[0]} is no topic of trades")
        return bars

    def _open_symbols(self, partition: Partition) -> set[str]:
        return self._ticks(partition).symbols()
