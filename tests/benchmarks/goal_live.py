"""Live prices: from a bar's arrival to the frame that shows it, and how fast topics are read.

On a real server with sign-in and Postgres; the broker is a real one on loopback.
"""

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from tests.benchmarks import cpu
from tests.benchmarks.results import Figures, significant
from tests.faults.client import Wire
from tests.faults.server import Server
from tests.integration.feeds.broker import Broker

WATCHED = 50
HISTORY = 1_000
"""Daily bars of each watched symbol before the measurement."""
RATES = {5: 150, 20: 450}
"""Bars a second by HTTP, spread over the watched symbols, and how many of them."""
TOPIC_SYMBOLS = 50
TOPIC_BARS = 2_000
"""Of each symbol: 100,000 in all."""
START = datetime(2015, 1, 1, tzinfo=UTC)


async def live() -> Figures:
    """Bar to frame by HTTP at a steady rate; bars a second from a topic with signals on."""
    figures: Figures = {"http": await _http()}
    print(f"  http: {figures['http']}")
    figures["topic"] = await _topic()
    print(f"  topic: {figures['topic']}")
    return figures


@asynccontextmanager
async def _desk(environment: dict[str, str] | None = None) -> AsyncIterator[tuple[Server, str]]:
    with tempfile.TemporaryDirectory(prefix="outcry-live-") as folder:
        server = Server(Path(folder) / "data", environment or {})
        try:
            await asyncio.to_thread(server.start)
            yield server, await asyncio.to_thread(server.api_key)
        finally:
            await asyncio.to_thread(server.clean_up)


def _bar(number: int, timeframe: str = "1d", *, seed: int = 0) -> dict[str, Any]:
    step = timedelta(days=1) if timeframe == "1d" else timedelta(minutes=1)
    close = 100 + (number * 7919 + seed * 104_729) % 997 / 50
    return {
        "timestamp": (START + number * step).isoformat(),
        "open": close,
        "high": close + 1,
        "low": close - 1,
        "close": close,
        "volume": 1_000 + (number * 31) % 777,
    }


async def _know(server: Server, key: str, symbols: list[str]) -> None:
    for symbol in symbols:
        body = {"symbol": symbol, "name": symbol, "source": "benchmark"}
        made = await asyncio.to_thread(server.request, "POST", "/api/v1/instruments", body, key=key)
        if made.status >= 300:
            raise RuntimeError(str(made.body))


async def _http() -> Figures:
    symbols = [f"W{number:02}" for number in range(WATCHED)]
    async with _desk() as (server, key):
        await _know(server, key, symbols)
        url = f"{server.origin}/api/v1/bars"
        headers = {"Authorization": f"Bearer {key}"}
        async with (
            aiohttp.ClientSession(headers=headers) as http,
            Wire.open(server.port, key=key) as wire,
        ):
            await wire.hello()

            async def post(symbol: str, bars: list[dict[str, Any]]) -> None:
                body = {"symbol": symbol, "timeframe": "1d", "bars": bars}
                async with http.post(url, json=body) as answer:
                    answer.raise_for_status()

            for index, symbol in enumerate(symbols):
                await post(symbol, [_bar(n, seed=index) for n in range(HISTORY)])
            await wire.reply_to(await wire.command("watch", symbols=symbols, timeframe="1d"))
            waiting: dict[str, dict[str, float]] = {symbol: {} for symbol in symbols}
            lags: list[float] = []

            async def read() -> None:
                while True:
                    frame = json.loads(await wire.connection.recv())
                    if frame["type"] != "market":
                        continue
                    # A frame shows its bar and, when there was no time for them, those before it.
                    sent, shown = waiting[frame["symbol"]], frame["bar"]["timestamp"][:10]
                    now = time.perf_counter()
                    lags.extend(now - sent.pop(day) for day in sorted(sent) if day <= shown)

            async def at_rate(rate: int, bars: int, first: int) -> Figures:
                lags.clear()
                before = cpu.cpu_seconds(cpu.descendants(server.pid))
                begun = time.perf_counter()
                posting: list[asyncio.Task[None]] = []
                for number in range(first, first + bars):
                    index, day = number % WATCHED, HISTORY + number // WATCHED
                    bar = _bar(day, seed=index)
                    waiting[symbols[index]][bar["timestamp"][:10]] = time.perf_counter()
                    posting.append(asyncio.create_task(post(symbols[index], [bar])))
                    due = begun + (number + 1 - first) / rate
                    await asyncio.sleep(max(0.0, due - time.perf_counter()))
                await asyncio.gather(*posting)
                async with asyncio.timeout(120):
                    while len(lags) < bars:  # noqa: ASYNC110 - a list, no event
                        await asyncio.sleep(0.01)
                took = time.perf_counter() - begun
                spent = cpu.cpu_seconds(cpu.descendants(server.pid)) - before
                lags.sort()
                return {
                    "bars": bars,
                    "frame_ms_p50": significant(statistics.median(lags) * 1000),
                    "frame_ms_p99": significant(lags[int(len(lags) * 0.99)] * 1000),
                    "frame_ms_max": significant(lags[-1] * 1000),
                    "server_cpu_percent": significant(spent / took * 100),
                }

            reading = asyncio.create_task(read())
            await asyncio.sleep(5)
            figures: Figures = {"watched": WATCHED, "history_bars": HISTORY}
            first = 0
            for rate, bars in RATES.items():
                figures[f"at_{rate}_bars_per_s"] = await at_rate(rate, bars, first)
                first += bars
            reading.cancel()
    return figures


async def _topic() -> Figures:
    symbols = [f"T{number:02}" for number in range(TOPIC_SYMBOLS)]
    total = TOPIC_SYMBOLS * TOPIC_BARS
    with tempfile.TemporaryDirectory(prefix="outcry-broker-") as folder:
        broker = Broker(Path(folder))
        broker.start()
        try:
            await broker.create("bars", 4)
            await broker.create("ticks", 1)
            environment = {"KAFKA_BOOTSTRAP_SERVERS": broker.servers, "LOG_LEVEL": "WARNING"}
            async with _desk(environment) as (server, key):
                await _know(server, key, symbols)
                async with Wire.open(server.port, key=key) as wire:
                    await wire.hello()
                    watch = await wire.command("watch", symbols=symbols, timeframe="1m")
                    await wire.reply_to(watch)
                    before = cpu.rss_bytes([server.pid])
                    return {
                        "messages": total,
                        "symbols": TOPIC_SYMBOLS,
                        **await _read_topic(broker, server, wire, symbols, total),
                        "rss_mib_before": significant(before / 2**20),
                        "rss_mib_after": significant(cpu.rss_bytes([server.pid]) / 2**20),
                    }
        finally:
            broker.kill()


async def _read_topic(
    broker: Broker, server: Server, wire: Wire, symbols: list[str], total: int
) -> Figures:
    frames = 0
    last = _bar(TOPIC_BARS - 1, "1m")["timestamp"][:16]
    finished: set[str] = set()
    begun = time.perf_counter()
    producing = asyncio.create_task(
        broker.produce(
            "bars",
            (
                (symbol, json.dumps({"symbol": symbol, "timeframe": "1m", **bar}).encode())
                for number in range(TOPIC_BARS)
                for index, symbol in enumerate(symbols)
                for bar in [_bar(number, "1m", seed=index)]
            ),
        )
    )
    peak = 0
    while len(finished) < len(symbols):
        async with asyncio.timeout(300):
            frame = json.loads(await wire.connection.recv())
        if frame["type"] == "market":
            frames += 1
            peak = max(peak, cpu.rss_bytes([server.pid])) if frames % 20 == 0 else peak
            if frame["bar"]["timestamp"][:16] == last:
                finished.add(frame["symbol"])
    took = time.perf_counter() - begun
    await producing
    return {
        "bars_per_s": significant(total / took),
        "seconds": significant(took),
        "frames": frames,
        "rss_mib_peak": significant(peak / 2**20),
    }
