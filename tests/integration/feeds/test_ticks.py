"""Trades from a real broker become bars, once each, over any number of restarts."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from app.doors.kafka import KafkaPolicy

START = datetime(2024, 1, 2, 15, tzinfo=UTC)


PATIENT = KafkaPolicy(wait_ms=20, silent_s=3600, session_timeout_ms=6_000)


def trade(symbol: str, seconds: float, price: float, size: float = 1.0) -> tuple[str, bytes]:
    at = START + timedelta(seconds=seconds)
    value = {"symbol": symbol, "timestamp": at.isoformat(), "price": price, "size": size}
    return symbol, json.dumps(value).encode()


def clock_at(seconds: float) -> Callable[[], datetime]:
    return lambda: START + timedelta(seconds=seconds)


async def test_trades_become_bars_also_when_the_reader_restarts_in_the_middle_of_one(
    broker: Any, receiver: Any
) -> None:
    await receiver.know("A")
    await broker.create("ticks", 1)
    await broker.create("bars", 1)
    total = 0
    for stretch in range(5):
        # Each stretch ends in the middle of a minute.
        trades = [
            trade("A", second, 100 + second, 2.0)
            for second in range(stretch * 90, stretch * 90 + 90, 10)
        ]
        total += 9
        await broker.produce("ticks", trades)
        async with receiver.reading(PATIENT, clock=clock_at(3600)) as feed:
            await receiver.until(lambda feed=feed: counted(feed, 9))
    async with receiver.reading(clock=clock_at(3600)):
        # Nothing more comes: the stream is silent, and the last minute closes by the clock.
        await receiver.until(lambda: bars(receiver, 8))
    found = await receiver.bars.read("A", timeframe="1m")
    assert found.open.tolist() == [100.0 + 60 * n for n in range(8)]
    assert found.close.tolist() == [150.0 + 60 * n for n in range(7)] + [540.0]
    assert found.volume.sum() == 2.0 * total
    assert await receiver.count("feed_open_bars") == 0
    assert await receiver.reasons() == []


async def counted(feed: Any, messages: int) -> bool:
    return bool(feed.stats.messages >= messages)


async def bars(receiver: Any, count: int) -> bool:
    return bool(await receiver.count() >= count)


async def refused(receiver: Any, count: int) -> bool:
    return bool(await receiver.count("feed_refusals") >= count)


async def test_late_and_impossible_trades_are_reported_and_change_no_bar(
    broker: Any, receiver: Any
) -> None:
    await receiver.know("A")
    await receiver.know("OIL", kind="commodity")
    await broker.create("ticks", 1)
    await broker.create("bars", 1)
    await broker.produce(
        "ticks",
        [
            trade("A", 0, 10.0),
            trade("OIL", 5, -37.63),
            trade("A", 130, 11.0),
            trade("A", 30, 99.0),
            trade("A", 131, -5.0),
            trade("A", 132, 12.0, -1.0),
            trade("A", 100_000, 12.0),
            trade("WHO", 133, 1.0),
            ("A", b"{"),
            trade("A", 134, 12.0),
        ],
    )
    async with receiver.reading(clock=clock_at(3600)):
        await receiver.until(lambda: refused(receiver, 6))
        await receiver.until(lambda: bars(receiver, 3))
    first = await receiver.bars.read("A", timeframe="1m")
    assert (first.close.tolist(), first.high.tolist()) == ([10.0, 12.0], [10.0, 12.0])
    oil = await receiver.bars.read("OIL", timeframe="1m")
    assert oil.close.tolist() == [-37.63]
    reasons = await receiver.reasons()
    for reason, words in zip(
        reasons, ("late", "above 0", "size is -1", "future", "unknown", "truncated"), strict=True
    ):
        assert words in reason
