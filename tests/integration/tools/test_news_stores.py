"""Both news stores keep the same promises."""

from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from app.domain.ids import new_id
from app.storage.engine import Database
from app.storage.news import PostgresNews
from tools.analytics.sentiment import Sentiment
from tools.market.news import InProcessNews, NewsItem, NewsStore

START = datetime(2024, 1, 1, tzinfo=UTC)


def item(number: int, **changed: Any) -> NewsItem:
    published = START + timedelta(hours=number)
    values: dict[str, Any] = {
        "id": new_id(),
        "fingerprint": f"f{number}",
        "type": "news",
        "source_name": "Wire",
        "title": f"Title {number}",
        "symbols": ("AAPL",),
        "published_at": published,
        "known_at": published,
        "positive": 0.7,
        "neutral": 0.2,
        "negative": 0.1,
        "scorer": "test/1",
        "keywords": ("title",),
        "topics": ("earnings",),
        **changed,
    }
    return NewsItem(**values)


@pytest.fixture(params=["in process", "postgres"])
async def store(request: pytest.FixtureRequest, database: Database) -> NewsStore:
    return InProcessNews() if request.param == "in process" else PostgresNews(database)


async def test_what_is_stored_is_read_back_whole(store: NewsStore) -> None:
    assert await store.is_empty()
    whole = item(
        1, body="Text 利益", url="https://a.example/x", language="pt-BR", synthetic=True,
        symbols=("AAPL", "^GSPC"),
    )  # fmt: skip
    copy = item(2, duplicate_of=whole.id)
    assert await store.add([whole, copy]) == {"f1", "f2"}
    assert await store.read() == [copy, whole]
    assert not await store.is_empty()


async def test_a_known_fingerprint_is_not_stored_again(store: NewsStore) -> None:
    first = item(1)
    await store.add([first])
    assert await store.add([msgspec.structs.replace(item(1), title="Other"), item(2)]) == {"f2"}
    assert (await store.read())[-1] == first


async def test_reading_narrows_by_symbol_type_and_time(store: NewsStore) -> None:
    items = [
        item(1),
        item(2, symbols=("MSFT", "AAPL"), type="social"),
        item(3, symbols=(), known_at=START + timedelta(days=9)),
    ]
    await store.add(items)

    async def numbers(**wanted: Any) -> list[int]:
        return [int(one.fingerprint[1:]) for one in await store.read(**wanted)]

    assert await numbers(symbol="AAPL") == [2, 1]
    assert await numbers(symbol="AAPL' OR 1=1 --\x00") == []
    assert await numbers(type="social") == [2]
    assert await numbers(until=START + timedelta(hours=2)) == [2, 1]
    assert await numbers(since=START + timedelta(hours=2)) == [3]
    assert await numbers(known_by=START + timedelta(days=1)) == [2, 1]
    assert await numbers(limit=1) == [3]


async def test_pages_neither_repeat_nor_skip_items_of_one_moment(store: NewsStore) -> None:
    same = [item(n, published_at=START, known_at=START) for n in range(7)]
    await store.add(same)
    seen: list[NewsItem] = []
    while page := await store.read(
        after=(seen[-1].published_at, seen[-1].id) if seen else None, limit=3
    ):
        seen.extend(page)
    assert sorted(one.fingerprint for one in seen) == sorted(one.fingerprint for one in same)


async def test_first_tellings_of_a_stretch_come_oldest_first(store: NewsStore) -> None:
    first = item(1)
    others = [item(3, symbols=("IBM",)), item(4, symbols=()), item(5), item(9)]
    await store.add([first, item(2, duplicate_of=first.id), *others])
    found = await store.near(since=START, until=START + timedelta(hours=5), symbols=["AAPL", "X"])
    assert [title for _, title, _ in found] == ["Title 1", "Title 4", "Title 5"]


async def test_other_scores_take_the_place_of_the_first(store: NewsStore) -> None:
    first, second = item(1), item(2)
    await store.add([first, second])
    await store.rescore([(first.id, Sentiment(0.1, 0.2, 0.7))], scorer="other/2")
    again, kept = (await store.read())[::-1]
    assert (again.positive, again.neutral, again.negative, again.scorer) == (
        0.1, 0.2, 0.7, "other/2"
    )  # fmt: skip
    assert kept == second


async def test_a_source_is_forgotten_whole(store: NewsStore) -> None:
    first = item(1, source_name="Demo")
    await store.add([first, item(2, duplicate_of=first.id)])
    assert await store.forget(source_name="Demo") == 1
    (left,) = await store.read()
    assert left.fingerprint == "f2"
