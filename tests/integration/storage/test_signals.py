"""Signals in Postgres: the same as in memory, once for everybody, paged, filtered and graded."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import msgspec
import pytest

from app.services.signals.signal_memory import InProcessSignals
from app.services.signals.signals import SignalBook
from app.storage.bars import PostgresBars
from app.storage.engine import Database
from app.storage.instruments import PostgresInstruments
from app.storage.signals import PostgresSignals
from app.storage.statements import PostgresStatements
from tools.analytics.fundamentals import Statement
from tools.market.bars import Bars
from tools.market.demo import VENDORED, read_vendored
from tools.market.news import InProcessNews, NewsItem
from tools.market.signals import MarketSignal
from tools.market.store import InProcessMarket
from tools.opinions import OpinionBook

NOW = datetime(2026, 11, 26, tzinfo=UTC)
SHIPPED = read_vendored()


class Stage:
    """Books over one database."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.instruments, self.bars = PostgresInstruments(database), PostgresBars(database)
        self.store = PostgresSignals(database)
        self.book = self.another()

    def another(self) -> SignalBook:
        return SignalBook(self.store, self.instruments, self.bars, clock=lambda: NOW)

    async def bring(self, bars: Bars) -> None:
        if await self.instruments.find(bars.symbol) is None:
            await self.instruments.put(VENDORED.instrument(bars.symbol, bars=1))
        await self.bars.replace(bars)

    async def count(self) -> int:
        return int(await self.database.fetchval("SELECT count(*) FROM market_signals"))


@pytest.fixture
def stage(database: Database) -> Stage:
    return Stage(database)


async def every(book: SignalBook, **asked: Any) -> list[MarketSignal]:
    found: list[MarketSignal] = []
    cursor = None
    while True:
        page = await book.page(
            **{"symbol": None, "signal_type": None, "timeframe": None, "state": None, **asked},
            cursor=cursor,
            limit=90,
        )
        found += page.items
        if (cursor := page.next_cursor) is None:
            return found


def plain(signals: list[MarketSignal]) -> list[Any]:
    return [msgspec.to_builtins(msgspec.structs.replace(s, created_at=NOW)) for s in signals]


async def test_what_is_stored_is_what_memory_would_keep(stage: Stage) -> None:
    series = [SHIPPED[symbol].slice(0, 900) for symbol in ("AAPL", "MSFT")]
    market = InProcessMarket([VENDORED.instrument(b.symbol, bars=1) for b in series], series)
    memory = SignalBook(InProcessSignals(market, market), market, market, clock=lambda: NOW)
    await memory.catch_up(lambda _: None)
    for bars in series:
        await stage.bring(bars)
    assert await stage.book.catch_up(lambda _: None) == 2
    stored = await every(stage.book)
    assert len(stored) > 300
    assert plain(stored) == plain(await every(memory))
    for timeframe in ("1d", "1w"):
        mine, theirs = [
            await book.scorecard(None, signal_type=None, timeframe=timeframe)
            for book in (stage.book, memory)
        ]
        assert msgspec.to_builtins(mine) == msgspec.to_builtins(theirs)
    assert await stage.book.catch_up(lambda _: None) == 0


async def test_bars_one_by_one_store_each_signal_once_and_settle_it(stage: Stage) -> None:
    google = SHIPPED["GOOG"]
    await stage.bring(google.slice(0, 600))
    await stage.book.refresh("GOOG", "1d")
    told: list[MarketSignal] = []
    for length in range(601, 661):
        await stage.bars.add(google.slice(length - 1, length))
        told += await stage.book.refresh("GOOG", "1d")
        assert await stage.book.refresh("GOOG", "1d") == []
    assert len({one.id for one in told}) == len(told) > 10
    stored = {one.id: one for one in await every(stage.book)}
    assert {one.id for one in told} == {
        key for key, one in stored.items() if one.valid_from >= google.time(600)
    }
    due = [one for one in stored.values() if one.valid_from <= google.time(630)]
    assert all(one.outcome is not None for one in due)
    assert all(one.valid_until > one.valid_from for one in stored.values())


async def test_opinions_of_a_live_signal_are_stored_as_they_were_told(stage: Stage) -> None:
    google = SHIPPED["GOOG"]
    google = google.slice(0, google.position(date(2013, 2, 20)) + 1)
    await stage.bring(google)
    told_at, now = google.time(-15), google.time(-1) + timedelta(days=1)
    news = InProcessNews(
        [
            NewsItem(
                id=UUID(int=1), fingerprint="1", type="analyst", source_name="Wire",
                title="Praise", symbols=("GOOG",), published_at=told_at, known_at=told_at,
                positive=0.7, neutral=0.2, negative=0.1, scorer="made-up/1", synthetic=True,
            )
        ]
    )  # fmt: skip
    statements = PostgresStatements(stage.database)
    await statements.add(
        [
            Statement(
                symbol="GOOG", period_end=date(2012, 12, 31), months=12, published_at=told_at,
                currency="USD", net_income=Decimal("10000.5"), shares=Decimal(330), source="x",
            )
        ]
    )  # fmt: skip
    book = SignalBook(
        stage.store,
        stage.instruments,
        stage.bars,
        clock=lambda: now,
        opinions=OpinionBook(news, statements),
    )
    await book.refresh("GOOG", "1d")
    stored = await every(book)
    live = [one for one in stored if one.sentiment_analysis is not None]
    assert live
    assert all(one.known_at >= now - timedelta(days=5) for one in live)
    for one in live:
        assert one.sentiment_analysis is not None
        assert one.sentiment_analysis["score"] == pytest.approx(0.6 / 6)  # one story weighs a sixth
        assert one.fundamental_analysis is not None
        assert one.fundamental_analysis["earnings"] == "10000.5"
        assert [vote.name for vote in one.indicators if vote.weight == 0] == [
            "News sentiment",
            "Fundamentals",
        ]
        assert any("(synthetic)" in note for note in one.metadata["notes"])


async def test_two_processes_at_once_tell_and_store_each_signal_once(stage: Stage) -> None:
    google = SHIPPED["GOOG"]
    await stage.bring(google.slice(0, 600))
    books = [stage.another() for _ in range(4)]
    first = await asyncio.gather(*(book.refresh("GOOG", "1d") for book in books))
    once = await stage.count()
    assert sum(map(bool, first)) <= 1
    told: list[MarketSignal] = []
    for length in range(605, 660, 5):
        await stage.bars.add(google.slice(length - 5, length))
        for fired in await asyncio.gather(*(book.refresh("GOOG", "1d") for book in books)):
            told += fired
    assert len({one.id for one in told}) == len(told)
    assert await stage.count() == once + len(told)
    backfilled = await asyncio.gather(*(book.catch_up(lambda _: None) for book in books))
    assert backfilled == [0, 0, 0, 0]


async def test_lists_are_filtered_and_paged_without_gaps(stage: Stage) -> None:
    for symbol in ("AAPL", "MSFT"):
        await stage.bring(SHIPPED[symbol].slice(0, 600))
    await stage.book.catch_up(lambda _: None)
    whole = await every(stage.book)
    assert len(whole) == await stage.count() == len({one.id for one in whole})
    moments = [(one.valid_from, one.id) for one in whole]
    assert moments == sorted(moments, reverse=True)
    for field, asked in (
        ("symbol", "AAPL"), ("signal_type", "reversal"), ("timeframe", "1d"), ("state", "active")
    ):  # fmt: skip
        found = await every(stage.book, **{field: asked})
        assert found == [one for one in whole if getattr(one, field) == asked], field
        assert found, field
    assert await every(stage.book, timeframe="1h") == []
    one = whole[3]
    assert await stage.book.signal(one.id) == one


async def test_a_corrected_history_withdraws_and_a_removed_instrument_takes_its_signals(
    stage: Stage,
) -> None:
    google = SHIPPED["GOOG"].slice(0, 600)
    volume = google.volume.copy()
    volume[560] *= 50
    await stage.bring(Bars(**{**vars(google), "volume": volume}))
    await stage.book.refresh("GOOG", "1d")
    before = await stage.count()
    await stage.bars.add(google.slice(560, 561))
    await stage.bars.add(SHIPPED["GOOG"].slice(600, 601))
    await stage.book.refresh("GOOG", "1d")
    gone = await every(stage.book, state="superseded", signal_type="volume_spike")
    withdrawn = [one for one in gone if one.valid_from == google.time(560)]
    assert [one.end_reason for one in withdrawn] == ["the bars it stood on were corrected"]
    assert await stage.count() >= before
    await stage.database.execute("DELETE FROM instruments WHERE symbol = 'GOOG'")
    assert await stage.count() == 0
