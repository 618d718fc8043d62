"""A change of a watched series is shown, once per burst, and nothing else is even read."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np
import pytest

from app.domain.errors import Invalid, NotFound, Unavailable
from app.protocol.frames import MarketFrame
from app.services.bar_intake import BarIntake
from app.services.live import Live
from tools.market.bars import TIMEFRAMES, Bars
from tools.market.instruments import Instrument
from tools.market.store import InProcessMarket

NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)


def bars(symbol: str, count: int, *, end: str = "2024-02-29", timeframe: str = "1d") -> Bars:
    step = np.timedelta64(int(TIMEFRAMES[timeframe].total_seconds()), "s")
    times = np.datetime64(end, "s") - step * np.arange(count)[::-1]
    close = 100.0 + np.cumsum(np.sin(np.arange(count)))
    return Bars(
        symbol=symbol,
        timeframe=timeframe,
        source="test",
        timestamps=times,
        open=close - 0.1,
        high=close + 1,
        low=close - 1,
        close=close,
        volume=np.full(count, 1000.0),
    )


class Screen:
    """A ticker that keeps what it was shown."""

    def __init__(self) -> None:
        self.keys = {("GOOG", "1d")}
        self.frames: list[MarketFrame] = []
        self._shown = asyncio.Condition()

    def publish(self, frame: MarketFrame) -> None:
        self.frames.append(frame)

    def is_watched(self, symbol: str, timeframe: str) -> bool:
        return (symbol, timeframe) in self.keys

    def watched(self) -> list[tuple[str, str]]:
        return list(self.keys)


class CountingMarket(InProcessMarket):
    """Counts what is read, and can be away."""

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.reads: list[str] = []
        self.away = 0
        self.read_once = asyncio.Event()

    async def read(self, symbol: str, **kwargs: Any) -> Bars:
        self.read_once.set()
        await asyncio.sleep(0)
        if self.away:
            self.away -= 1
            raise Unavailable("gone", code="database_unavailable")
        self.reads.append(symbol)
        return await super().read(symbol, **kwargs)


@pytest.fixture
def market() -> CountingMarket:
    known = [Instrument(symbol=name, name=name, source="test") for name in ("GOOG", "IBM")]
    return CountingMarket(known, [bars("GOOG", 300), bars("IBM", 300)])


@pytest.fixture
def screen() -> Screen:
    return Screen()


@pytest.fixture
async def live(market: CountingMarket, screen: Screen) -> AsyncIterator[Live]:
    async with Live(market, market, screen, clock=lambda: NOW) as live:
        yield live


async def until(condition: Any) -> None:
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - a counter, no event
            await asyncio.sleep(0.001)


async def test_the_newest_bar_is_shown_to_who_begins_to_watch(live: Live, screen: Screen) -> None:
    live.want("GOOG", "1d")
    await until(lambda: screen.frames)
    [frame] = screen.frames
    assert frame.bar.timestamp == datetime(2024, 2, 29, tzinfo=UTC)
    assert frame.indicators["sma200"] is not None
    assert not frame.provisional


async def test_a_series_nobody_watches_is_not_read(
    live: Live, screen: Screen, market: CountingMarket
) -> None:
    live.want("IBM", "1d")
    live.want("GOOG", "1d")
    await until(lambda: screen.frames)
    assert market.reads == ["GOOG"]


async def test_a_bar_that_is_still_open_is_provisional(
    live: Live, screen: Screen, market: CountingMarket
) -> None:
    await market.replace(bars("GOOG", 300, end="2024-03-01"))
    live.want("GOOG", "1d")
    await until(lambda: screen.frames)
    assert screen.frames[0].provisional


async def test_a_burst_of_stored_bars_is_shown_once_and_its_lag_measured(
    live: Live, screen: Screen, market: CountingMarket
) -> None:
    intake = BarIntake(market, market, clock=lambda: NOW)
    intake.listeners.append(live.bars_stored)
    for number in range(20, 30):
        bar: dict[str, Any] = {"open": 1, "high": 2, "low": 1, "close": 2, "volume": number}
        bar["timestamp"] = f"2024-02-{number}T00:00:00Z"
        row = msgspec.Raw(msgspec.json.encode(bar))
        await intake.take("GOOG", "1d", [row])
        await intake.take("IBM", "1d", [row])
    await until(lambda: screen.frames and screen.frames[-1].bar.volume == 29.0)
    assert {frame.symbol for frame in screen.frames} == {"GOOG"}
    assert len(screen.frames) <= 10
    assert live.lag.summary().count == len(screen.frames)


async def test_a_database_that_is_away_is_waited_for(
    live: Live, screen: Screen, market: CountingMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.services.live._FIRST_PAUSE_S", 0.001)
    market.away = 3
    live.want("GOOG", "1d")
    await until(lambda: screen.frames)
    assert market.away == 0


async def test_what_cannot_be_watched_is_refused_with_what_can(live: Live) -> None:
    await live.check(["GOOG", "IBM"], "1d")
    with pytest.raises(Invalid, match="1m, 5m") as wrong:
        await live.check(["GOOG"], "2d")
    assert wrong.value.code == "unknown_timeframe"
    with pytest.raises(NotFound, match="GOOG") as unknown:
        await live.check(["GOOG", "GOGO"], "1d")
    assert unknown.value.code == "unknown_symbol"
