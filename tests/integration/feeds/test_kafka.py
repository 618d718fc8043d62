"""Bars from a real broker: each exactly once, whatever dies, and nothing stops the feed."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from app.doors.kafka import KafkaPolicy
from tools.market.bars import Bars

START = datetime(2024, 1, 2, tzinfo=UTC)


def bar(symbol: str, number: int, **changes: Any) -> tuple[str, bytes]:
    """Return the message of a symbol's minute bar."""
    close = 100 + number % 977 / 10
    value = {
        "symbol": symbol,
        "timeframe": "1m",
        "timestamp": (START + timedelta(minutes=number)).isoformat(),
        "open": close,
        "high": close + 1,
        "low": close - 1,
        "close": close,
        "volume": number,
        **changes,
    }
    return symbol, json.dumps(value).encode()


def bars(symbols: list[str], count: int) -> Iterator[tuple[str, bytes]]:
    for number in range(count):
        for symbol in symbols:
            yield bar(symbol, number)


async def stored(receiver: Any, symbol: str) -> list[tuple[float, float]]:
    found = await receiver.bars.read(symbol, timeframe="1m")
    return list(zip(found.close.tolist(), found.volume.tolist(), strict=True))


def expected(count: int) -> list[tuple[float, float]]:
    return [(100 + number % 977 / 10, float(number)) for number in range(count)]


async def test_bars_are_stored_and_a_second_reader_begins_behind_them(
    broker: Any, receiver: Any
) -> None:
    await receiver.know("A", "B")
    await broker.create("bars")
    await broker.produce("bars", bars(["A", "B"], 500))
    async with receiver.reading() as feed:
        await receiver.until(lambda: at_least(receiver, 1000))
        assert feed.stats.summary().behind == 0
    await broker.produce("bars", [bar("A", 500)])
    async with receiver.reading() as feed:
        await receiver.until(lambda: at_least(receiver, 1001))
        assert feed.stats.messages == 1
    assert await stored(receiver, "A") == expected(501)
    assert await stored(receiver, "B") == expected(500)


async def at_least(receiver: Any, count: int, table: str = "bars") -> bool:
    return bool(await receiver.count(table) >= count)


async def test_poison_is_kept_with_its_reason_and_stops_nothing(broker: Any, receiver: Any) -> None:
    await receiver.know("A")
    await broker.create("bars", 1)
    poison = [
        ("k", b"\xff\x00 not json"),
        ("k", b"[]"),
        ("k", b""),
        ("k", b"[" * 100_000),
        bar("A", 1, close="NaN"),
        bar("A", 2, close=1e308, high=1e308),
        bar("A", 3, low=500),
        bar("A", 4, volume=-1),
        bar("A", 5, timeframe="7m"),
        bar("A", 6, timestamp="2024-01-02T00:06:00"),
        bar("A", 7, timestamp="2999-01-01T00:00:00Z"),
        bar("NOBODY", 8),
    ]
    await broker.produce("bars", [bar("A", 0), *poison, bar("A", 9)])
    async with receiver.reading():
        await receiver.until(lambda: at_least(receiver, 2))
        await receiver.until(lambda: at_least(receiver, len(poison), "feed_refusals"))
    assert await receiver.count() == 2
    reasons = await receiver.reasons()
    for reason, words in zip(
        reasons,
        (
            "malformed",
            "Expected `object`",
            "empty",
            "",
            "float",
            "not a price",
            "below low",
            "volume is -1",
            "timeframe must be one of",
            "no zone",
            "future",
            "unknown symbol NOBODY",
        ),
        strict=True,
    ):
        assert words in reason
    kept = await receiver.database.fetchval(
        "SELECT payload FROM feed_refusals WHERE message_offset = 1"
    )
    assert kept == poison[0][1]


async def test_a_later_message_of_the_same_bar_wins_also_within_one_batch(
    broker: Any, receiver: Any
) -> None:
    await receiver.know("A")
    await broker.create("bars", 1)
    await broker.produce("bars", [bar("A", 0), bar("A", 0, volume=7), bar("A", 0, volume=-7)])
    async with receiver.reading():
        await receiver.until(lambda: at_least(receiver, 1, "feed_refusals"))
    assert await stored(receiver, "A") == [(100.0, 7.0)]


async def test_news_is_stored_scored_and_once_also_when_it_is_told_again(
    broker: Any, receiver: Any
) -> None:
    await receiver.know("A")
    await broker.create("news", 1)

    def item(title: str, minute: int) -> tuple[str, bytes]:
        value = {
            "type": "news",
            "sourceName": "Wire",
            "title": title,
            "publishedAt": f"2024-01-02T15:{minute:02}:00Z",
            "symbols": ["A"],
        }
        return "A", json.dumps(value).encode()

    first = item("A raises its outlook after record growth", 1)
    told = [first, ("A", b"{}"), first, item("A cuts its outlook, losses mount", 30)]
    await broker.produce("news", told)
    async with receiver.reading():
        await receiver.until(lambda: at_least(receiver, 2, "news"))
        await receiver.until(lambda: at_least(receiver, 1, "feed_refusals"))
    # As after a crash between the news and its position.
    await receiver.database.execute("DELETE FROM feed_positions")
    async with receiver.reading() as feed:
        await receiver.until(lambda: async_bool(feed.stats.messages >= 4))
    assert await receiver.count("news") == 2
    assert await receiver.count("feed_refusals") == 1


async def test_bars_of_a_split_adjusted_series_are_taken_for_what_it_is(
    broker: Any, receiver: Any
) -> None:
    await receiver.know("A", "B")
    old = Bars(
        symbol="A",
        timeframe="1m",
        source="topic",
        timestamps=np.array(["2024-01-01T00:00:00"], dtype="datetime64[s]"),
        open=np.array([100.0]),
        high=np.array([100.0]),
        low=np.array([100.0]),
        close=np.array([100.0]),
        volume=np.array([1.0]),
        basis="split_adjusted",
    )
    await receiver.bars.add(old)
    await broker.create("bars", 1)
    await broker.produce("bars", bars(["A", "B"], 50))
    async with receiver.reading():
        await receiver.until(lambda: at_least(receiver, 101))
    assert (await receiver.bars.read("A", timeframe="1m")).basis == "split_adjusted"
    assert (await receiver.bars.read("B", timeframe="1m")).basis == "as_traded"
    assert await receiver.reasons() == []


async def test_two_readers_share_the_partitions_and_one_takes_over_when_the_other_goes(
    broker: Any, receiver: Any
) -> None:
    symbols = [f"S{number}" for number in range(12)]
    await receiver.know(*symbols)
    await broker.create("bars", 4)

    async def produce() -> None:
        async with broker.producer() as producer:
            for number in range(400):
                for symbol in symbols:
                    key, value = bar(symbol, number)
                    await producer.send("bars", value, key=key.encode())
                await asyncio.sleep(0.01)

    async with receiver.reading() as first:
        producing = asyncio.create_task(produce())
        await receiver.until(lambda: at_least(receiver, 100))
        async with receiver.reading() as second:
            await receiver.until(lambda: async_bool(second.stats.messages > 0))
        await producing
        await receiver.until(lambda: at_least(receiver, 400 * 12))
    for symbol in symbols:
        assert await stored(receiver, symbol) == expected(400)
    assert first.stats.messages + second.stats.messages == 400 * 12, "each message once"


async def async_bool(value: bool) -> bool:
    return value


async def test_a_broker_that_is_away_at_the_start_is_said_and_waited_for(
    broker: Any, receiver: Any
) -> None:
    broker.kill()
    await receiver.know("A")
    async with receiver.reading():
        async with asyncio.timeout(20):
            while not receiver.said:  # noqa: ASYNC110 - a list, no event
                await asyncio.sleep(0.02)
        assert "cannot be read" in receiver.said[0]
        broker.start()
        await broker.create("bars", 1)
        await broker.produce("bars", bars(["A"], 10))
        await receiver.until(lambda: at_least(receiver, 10))
    assert "is there" in receiver.said[1]
    assert len(receiver.said) == 2, "said once, not at every try"


@pytest.mark.slow
async def test_a_broker_that_comes_back_empty_is_read_from_its_new_beginning(
    broker: Any, receiver: Any
) -> None:
    await receiver.know("A")
    await broker.create("bars", 1)
    await broker.produce("bars", bars(["A"], 100))
    async with receiver.reading():
        await receiver.until(lambda: at_least(receiver, 100))
        broker.kill()
        broker.start()
        await broker.create("bars", 1)
        await broker.produce("bars", [bar("A", number) for number in range(100, 110)])
        await receiver.until(lambda: at_least(receiver, 110), within_s=50)
    assert await stored(receiver, "A") == expected(110)


async def test_a_database_that_is_away_pauses_the_feed_and_loses_nothing(
    broker: Any, receiver: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from app.domain.errors import Unavailable  # noqa: PLC0415
    from app.storage.feeds import PostgresFeeds  # noqa: PLC0415

    write, left = PostgresFeeds.write, [3, 2]

    async def flaky(self: PostgresFeeds, batch: Any) -> Any:
        if left[0]:
            left[0] -= 1
            raise Unavailable("away")
        stored = await write(self, batch)
        if left[1]:
            left[1] -= 1
            raise Unavailable("the answer was lost")
        return stored

    monkeypatch.setattr(PostgresFeeds, "write", flaky)
    await receiver.know("A")
    await broker.create("bars", 1)
    await broker.produce("bars", bars(["A"], 300))
    async with receiver.reading(KafkaPolicy(batch=50, wait_ms=20, first_pause_s=0.01)) as feed:
        await receiver.until(lambda: at_least(receiver, 300))
        assert feed.stats.summary().paused_s > 0
    assert await stored(receiver, "A") == expected(300)
