"""Signals that fire now carry what was said then; those of history carry nothing."""

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import msgspec

from app.services.signals.signal_memory import InProcessSignals
from app.services.signals.signals import SignalBook
from tools.analytics.fundamentals import Statement
from tools.market.bars import Bars
from tools.market.demo import VENDORED, read_vendored
from tools.market.fundamentals import InProcessStatements
from tools.market.mood import SYNTHETIC
from tools.market.news import InProcessNews, NewsItem
from tools.market.signals import MarketSignal
from tools.market.store import InProcessMarket
from tools.opinions import OpinionBook

GOOGLE = read_vendored()["GOOG"].slice(0, 700)


def item(at: datetime, *, score: float = 0.8, synthetic: bool = False) -> NewsItem:
    return NewsItem(
        id=uuid4(), fingerprint=uuid4().hex, type="news", source_name="Wire",
        title=f"{uuid4().hex} {uuid4().hex}", symbols=("GOOG",), published_at=at, known_at=at,
        positive=max(score, 0.0), neutral=1 - abs(score), negative=max(-score, 0.0),
        scorer="made-up/1", synthetic=synthetic,
    )  # fmt: skip


def report(published_at: datetime) -> Statement:
    day = published_at.date()
    return Statement(
        symbol="GOOG", period_end=date(day.year - 1, 12, 31), months=12,
        published_at=published_at, currency="USD", net_income=Decimal(100), equity=Decimal(400),
        shares=Decimal(10), source="made up",
    )  # fmt: skip


class Counted(InProcessNews):
    """News that counts how often it is read."""

    reads = 0

    async def read(self, **asked: Any) -> list[NewsItem]:
        self.reads += 1
        return await super().read(**asked)


async def fired(
    bars: Bars, *, now: datetime, opinions: OpinionBook | None
) -> dict[str, MarketSignal]:
    """Read the history up to its last bar, then that one; return everything stored."""
    until = bars.slice(0, len(bars) - 1)
    market = InProcessMarket([VENDORED.instrument("GOOG", bars=1)], [until])
    store = InProcessSignals(market, market)
    book = SignalBook(store, market, market, clock=lambda: now, opinions=opinions)
    await book.refresh("GOOG", "1d")
    await market.replace(bars)
    await book.refresh("GOOG", "1d")
    found: list[MarketSignal] = []
    cursor = None
    while True:
        page = await book.page(
            symbol=None, signal_type=None, timeframe=None, state=None, cursor=cursor, limit=200
        )
        found += page.items
        if (cursor := page.next_cursor) is None:
            return {str(one.id): one for one in found}


async def cut() -> tuple[Bars, datetime]:
    """Return the history up to the newest bar at which something fires, and when that closed."""
    every = await fired(GOOGLE, now=GOOGLE.time(-1) + timedelta(days=1), opinions=None)
    newest = max(every.values(), key=lambda one: one.valid_from)
    return GOOGLE.slice(0, GOOGLE.position(newest.valid_from.date()) + 1), newest.known_at


async def test_a_signal_that_fires_now_carries_what_was_known_at_its_close() -> None:
    bars, close = await cut()
    before = [item(close - timedelta(hours=h)) for h in range(1, 6)]
    later = [item(close + timedelta(seconds=1), score=-1.0) for _ in range(9)]
    opinions = OpinionBook(
        InProcessNews([*before, *later]),
        InProcessStatements([report(close), report(close + timedelta(seconds=1))]),
    )
    stored = await fired(bars, now=close + timedelta(hours=3), opinions=opinions)
    live = [one for one in stored.values() if one.valid_from == bars.time(-1)]
    assert live
    for one in live:
        assert one.sentiment_analysis is not None
        assert one.sentiment_analysis.keys() == {"score", "sources", "keywords", "topics"}
        assert 0.39 < one.sentiment_analysis["score"] < 0.41  # 0.8 x 5 / 10
        assert one.fundamental_analysis is not None
        assert one.fundamental_analysis["earnings"] == "100"
        weights = {vote.name: vote.weight for vote in one.indicators}
        assert weights["News sentiment"] == weights["Fundamentals"] == 0.0
        assert "weight 0" in one.metadata["notes"][0]


async def test_opinions_change_no_other_digit_of_any_signal() -> None:
    bars, close = await cut()
    opinions = OpinionBook(
        InProcessNews([item(close - timedelta(hours=1), score=-1.0)]),
        InProcessStatements([report(close)]),
    )
    plain = await fired(bars, now=close, opinions=None)
    full = await fired(bars, now=close, opinions=opinions)
    assert plain.keys() == full.keys()
    differ = 0
    for key, one in full.items():
        differ += one != plain[key]
        bare = msgspec.structs.replace(
            one,
            sentiment_analysis=None,
            fundamental_analysis=None,
            metadata={**plain[key].metadata, "like": one.metadata["like"]},
            indicators=[vote for vote in one.indicators if vote.weight > 0],
        )
        assert bare == plain[key]
    assert differ > 0


async def test_history_carries_no_opinions_and_costs_no_reads() -> None:
    bars, close = await cut()
    news = Counted([item(bars.time(bar) + timedelta(hours=20)) for bar in range(600, len(bars))])
    opinions = OpinionBook(news, None)
    stored = await fired(bars, now=close + timedelta(days=6), opinions=opinions)
    assert len(stored) > 100
    assert all(one.sentiment_analysis is None for one in stored.values())
    assert news.reads == 0
    stored = await fired(bars, now=close, opinions=opinions)
    with_news = [one for one in stored.values() if one.sentiment_analysis is not None]
    assert with_news
    assert min(one.known_at for one in with_news) >= close - timedelta(days=5)
    assert 1 <= news.reads <= 5


async def test_nothing_stored_leaves_them_null() -> None:
    bars, close = await cut()
    opinions = OpinionBook(InProcessNews(), InProcessStatements())
    stored = await fired(bars, now=close, opinions=opinions)
    assert all(one.sentiment_analysis is None for one in stored.values())
    assert all(one.fundamental_analysis is None for one in stored.values())
    assert all(one.metadata.keys() == {"like", "opinions"} for one in stored.values())
    assert {one.metadata["opinions"] for one in stored.values()} == {"read", "not_read"}


async def test_invented_news_is_said_to_be_invented() -> None:
    bars, close = await cut()
    news = InProcessNews([item(close - timedelta(hours=1), synthetic=True)])
    stored = await fired(bars, now=close, opinions=OpinionBook(news, None))
    live = [one for one in stored.values() if one.valid_from == bars.time(-1)]
    assert live
    assert all(SYNTHETIC in one.metadata["notes"] for one in live)
    assert all(one.fundamental_analysis is None for one in live)
