"""What one process stores, another hears of; nothing is lost for good when the line is."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from app.domain.ids import UserId
from app.protocol.frames import LiveBar, NoticeFrame
from app.storage.engine import Database
from app.storage.wakeups import CHANNEL, Announcer, Listener
from tools.market.intake import BarsStored

DAY = datetime(2024, 1, 2, tzinfo=UTC)


class Heard:
    """Keeps what was heard."""

    def __init__(self) -> None:
        self.stored: list[BarsStored] = []
        self.open_bars: list[tuple[str, str, LiveBar]] = []
        self.notices: list[tuple[UserId, NoticeFrame]] = []
        self.missed = 0
        self.changed = asyncio.Event()

    def on_stored(self, stored: BarsStored) -> None:
        self.stored.append(stored)
        self.changed.set()

    def on_open(self, symbol: str, timeframe: str, bar: LiveBar) -> None:
        self.open_bars.append((symbol, timeframe, bar))
        self.changed.set()

    def on_notice(self, user_id: UserId, notice: NoticeFrame) -> None:
        self.notices.append((user_id, notice))
        self.changed.set()

    def on_missed(self) -> None:
        self.missed += 1
        self.changed.set()

    async def until(self, condition: Any) -> None:
        async with asyncio.timeout(20):
            while not condition():
                self.changed.clear()
                await self.changed.wait()


@asynccontextmanager
async def listening(database: Database, origin: str) -> AsyncIterator[Heard]:
    heard = Heard()
    listener = Listener(
        database.connect,
        origin,
        bars_stored=heard.on_stored,
        bar_open=heard.on_open,
        notify=heard.on_notice,
        may_have_missed=heard.on_missed,
    )
    async with listener, asyncio.timeout(60):
        await listener.listening.wait()
        yield heard


def stored(symbol: str, count: int = 1) -> BarsStored:
    return BarsStored(
        symbol=symbol, timeframe="1d", first=DAY, last=DAY, count=count, corrected=False
    )


async def test_another_process_hears_everything_and_oneself_nothing(database: Database) -> None:
    user, bar = UserId(uuid4()), LiveBar(DAY, 1.0, 2.0, 0.5, 1.5, 10.0)
    notice = NoticeFrame(kind="alert", title="é 😀", thread_id=uuid4(), alert_id=uuid4(), at=DAY)
    async with (
        listening(database, "here") as here,
        listening(database, "there") as there,
        Announcer(database, "here") as announcer,
    ):
        announcer.bars_stored(stored("A"))
        announcer.bar_open("A", "1m", bar)
        announcer.notify(user, notice)
        await there.until(lambda: there.stored and there.open_bars and there.notices)
        assert there.stored == [stored("A")]
        assert there.open_bars == [("A", "1m", bar)]
        assert there.notices == [(user, notice)]
        assert [here.stored, here.open_bars, here.notices] == [[], [], []]


async def test_a_flood_is_gathered_by_series_and_cut_to_what_postgres_takes(
    database: Database,
) -> None:
    async with listening(database, "there") as there, Announcer(database, "here") as announcer:
        for _ in range(5):
            for number in range(2_000):
                announcer.bars_stored(stored(f"SYMBOL-WITH-A-LONG-NAME-{number}"))
        await there.until(lambda: sum(one.count for one in there.stored) == 10_000)
        assert len(there.stored) == 2_000


async def test_what_was_told_last_is_still_sent_when_the_process_ends(database: Database) -> None:
    async with listening(database, "there") as there:
        async with Announcer(database, "here") as announcer:
            announcer.bars_stored(stored("LAST"))
        await there.until(lambda: there.stored)


async def test_a_lost_line_is_taken_up_again_and_everything_looked_at(database: Database) -> None:
    async with listening(database, "there") as there:
        await database.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE query LIKE 'LISTEN%' AND datname = current_database()"
        )
        async with Announcer(database, "here") as announcer:
            announcer.bars_stored(stored("BEFORE"))
        await database.execute("SELECT pg_notify($1, 'no json')", CHANNEL)
        await there.until(lambda: there.missed)
        async with Announcer(database, "here") as announcer:
            announcer.bars_stored(stored("AFTER"))
            await there.until(lambda: stored("AFTER") in there.stored)
