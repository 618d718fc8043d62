"""A change of a watched series is shown, once per burst, and nothing else is even read."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import numpy as np
import pytest

from app.domain.errors import Invalid, NotFound, Unavailable
from app.protocol.frames import LiveBar, MarketFrame
from app.services.live.live import FEW_SERIES, Live
from app.services.live.live_numbers import prices_of
from app.services.market.bar_intake import BarIntake
from tools.analytics.snapshot import at, table
from tools.market.bars import TIMEFRAMES, Bars
from tools.market.instruments import Instrument
from tools.market.intake import BarsStored
from tools.market.replays import replay_of
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
        self.whole: list[str] = []
        self.away = 0
        self.read_once = asyncio.Event()

    def series(self, symbol: str) -> Bars:
        return self._series[self._owner[symbol], "1d"].bars

    async def read(self, symbol: str, **kwargs: Any) -> Bars:
        self.read_once.set()
        await asyncio.sleep(0)
        if self.away:
            self.away -= 1
            raise Unavailable("gone", code="database_unavailable")
        self.reads.append(symbol)
        if kwargs.get("start") is None:
            self.whole.append(symbol)
        return await super().read(symbol, **kwargs)


class Book:
    """A keeper of signals that says what it is told to."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []
        self.fires: list[Any] = []

    async def refresh(self, symbol: str, timeframe: str) -> list[Any]:
        self.asked.append((symbol, timeframe))
        fires, self.fires = self.fires, []
        return fires


class Judge:
    """Notes each bar it is brought for the first time."""

    def __init__(self) -> None:
        self.watching: set[tuple[str, str]] = set()
        self.bars: list[tuple[str, datetime]] = []
        self.reviewed: list[tuple[str, datetime]] = []

    async def watches(self, symbol: str, timeframe: str) -> bool:
        return (symbol, timeframe) in self.watching

    async def series(self) -> list[tuple[str, str]]:
        return list(self.watching)

    async def review(self, closed: Bars, since: datetime) -> None:
        self.reviewed.append((closed.symbol, since))

    async def judge(self, closed: Bars, steps: Any) -> None:
        for step in steps:
            bar = (closed.symbol, step.bar.timestamp)
            if not self.bars or bar[1] > self.bars[-1][1]:
                self.bars.append(bar)


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def judge() -> Judge:
    return Judge()


@pytest.fixture
def market() -> CountingMarket:
    known = [Instrument(symbol=name, name=name, source="test") for name in ("GOOG", "IBM")]
    return CountingMarket(known, [bars("GOOG", 300), bars("IBM", 300)])


@pytest.fixture
def screen() -> Screen:
    return Screen()


@pytest.fixture
async def live(
    market: CountingMarket, screen: Screen, book: Book, judge: Judge
) -> AsyncIterator[Live]:
    live = Live(market, market, screen, clock=lambda: NOW, signals=book, alerts=judge)
    async with live:
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


async def test_an_open_bar_is_shown_as_provisional_and_read_by_nothing_else(
    live: Live, screen: Screen, book: Book, judge: Judge, market: CountingMarket
) -> None:
    await market.replace(bars("GOOG", 300, end="2024-02-28"))
    live.want("GOOG", "1d")
    await live.idle()
    today = LiveBar(datetime(2024, 2, 29, tzinfo=UTC), 110.0, 125.0, 105.0, 120.0, 10.0)
    live.bar_open("GOOG", "1d", today)
    live.bar_open("IBM", "1d", today)
    await live.idle()
    closed, provisional = screen.frames
    assert (closed.provisional, provisional.provisional) == (False, True)
    assert provisional.bar == today
    assert provisional.indicators["close"] == 120.0
    assert provisional.indicators["rsi"] != closed.indicators["rsi"]
    assert (book.asked, judge.bars) == ([], [])
    # Once the bar has closed, what was open of it is gone.
    await store(live, "GOOG", bars("GOOG", 1, end="2024-02-29"))
    await live.idle()
    assert not screen.frames[-1].provisional
    assert screen.frames[-1].bar.close == 100.0


async def test_every_new_bar_is_judged_once_in_order_however_they_come(
    live: Live, judge: Judge, screen: Screen, market: CountingMarket
) -> None:
    judge.watching.add(("IBM", "1d"))
    history = market.series("IBM")
    await market.replace(history.slice(0, 200))
    for start, stop in ((200, 201), (201, 205), (205, 206), (206, 290), (290, 300)):
        await store(live, "IBM", history.slice(start, stop))
        await asyncio.sleep(0)
    await live.idle()
    times = [time for _, time in judge.bars]
    assert times[-100:] == [history.time(n) for n in range(200, 300)]
    assert times == sorted(set(times))
    assert screen.frames == [], "nobody watches"


async def test_the_numbers_of_a_bar_are_those_of_a_computation_from_the_beginning(
    live: Live, screen: Screen, market: CountingMarket, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("BUSY", "BUSY_COMPILED"):
        monkeypatch.setattr(f"app.services.live.live_numbers.{name}", 3)
    history = market.series("GOOG")
    await market.replace(history.slice(0, 250))
    live.want("GOOG", "1d")
    await live.idle()
    for n in range(250, 300):
        await store(live, "GOOG", history.slice(n, n + 1))
        await live.idle()
    # Read whole until it is busy, then only what is new.
    assert len(market.whole) == 4
    expected = at(table(prices_of(history, history)), -1)
    assert screen.frames[-1].bar.timestamp == history.time(-1)
    for name, value in expected.items():
        shown = screen.frames[-1].indicators[name]
        assert shown == pytest.approx(value, rel=1e-8, abs=1e-8), name


@pytest.mark.parametrize("at_bar", [100, 299])
async def test_a_corrected_bar_changes_the_numbers_and_is_not_judged_anew(
    live: Live, judge: Judge, screen: Screen, market: CountingMarket, at_bar: int
) -> None:
    judge.watching.add(("GOOG", "1d"))
    live.want("GOOG", "1d")
    await live.idle()
    judged = list(judge.bars)
    before = screen.frames[-1]
    old = market.series("GOOG").slice(at_bar, at_bar + 1)
    await store(live, "GOOG", replace(old, close=old.close + 0.9, high=old.high + 5))
    await live.idle()
    after = screen.frames[-1]
    assert after.bar.timestamp == before.bar.timestamp
    assert after.indicators["obv"] != before.indicators["obv"] or at_bar == 100
    assert after.indicators["high52w"] == pytest.approx(
        max(before.indicators["high52w"] or 0, float(old.high[0]) + 5)
    )
    assert judge.bars == judged


async def test_bars_that_came_while_nobody_looked_are_judged_at_the_start_and_after_a_gap(
    market: CountingMarket, screen: Screen, judge: Judge
) -> None:
    judge.watching.add(("IBM", "1d"))
    history = market.series("IBM")
    await market.replace(history.slice(0, 290))
    judge.bars.append(("IBM", history.time(279)))
    async with Live(market, market, screen, clock=lambda: NOW, alerts=judge) as live:
        async with asyncio.timeout(5):
            while len(judge.bars) < 11:  # noqa: ASYNC110 - a list, no event
                await asyncio.sleep(0.001)
        await market.add(history.slice(290, 300))
        live.may_have_missed()
        await live.idle()
        async with asyncio.timeout(5):
            while len(judge.bars) < 21:  # noqa: ASYNC110 - a list, no event
                await asyncio.sleep(0.001)
    assert [time for _, time in judge.bars] == [history.time(n) for n in range(279, 300)]


async def test_an_import_of_the_past_is_no_news(
    live: Live, judge: Judge, market: CountingMarket
) -> None:
    judge.watching.add(("IBM", "1d"))
    await market.replace(market.series("IBM").slice(0, 10))
    await store(live, "IBM", bars("IBM", 5_000))
    await live.idle()
    assert len(judge.bars) == 1


async def test_signals_that_fired_come_with_the_frame_and_only_for_who_matters(
    live: Live, screen: Screen, book: Book, market: CountingMarket
) -> None:
    book.fires = [{"type": "breakout"}]
    await market.replace(bars("GOOG", 300, end="2024-02-28"))
    await store(live, "GOOG", bars("GOOG", 1, end="2024-02-29"))
    await live.idle()
    # The picture first, and again with what fired once that is known.
    assert [frame.signals for frame in screen.frames] == [(), ({"type": "breakout"},)]
    assert book.asked == [("GOOG", "1d")]
    live.want("GOOG", "1d")
    await live.idle()
    assert screen.frames[-1].signals == ()
    assert book.asked == [("GOOG", "1d")], "no bar came"


async def test_beyond_a_few_series_only_what_is_followed_costs_anything(
    live: Live, book: Book, market: CountingMarket
) -> None:
    symbols = [f"S{number}" for number in range(FEW_SERIES + 40)]
    for symbol in symbols:
        await market.put(Instrument(symbol=symbol, name=symbol, source="test"))
        await store(live, symbol, bars(symbol, 30))
    await live.idle()
    book.asked.clear()
    for symbol in [*symbols, "GOOG"]:
        await store(live, symbol, bars(symbol, 1, end="2024-02-29"))
    await live.idle()
    assert book.asked == [("GOOG", "1d")]


async def test_prices_at_or_below_zero_are_shown_too(
    live: Live, screen: Screen, market: CountingMarket
) -> None:
    oil = bars("GOOG", 60)
    await market.replace(
        replace(oil, open=oil.open - 100, high=oil.high - 100, low=oil.low - 100,
                close=oil.close - 100)
    )  # fmt: skip
    live.want("GOOG", "1d")
    await live.idle()
    assert screen.frames[-1].indicators["close"] == pytest.approx(float(oil.close[-1]) - 100)


async def test_a_longer_timeframe_is_made_of_a_shorter_one_and_moves_when_its_bar_has_closed(
    live: Live, screen: Screen, judge: Judge, market: CountingMarket
) -> None:
    key = ("GOOG", "1h")
    screen.keys = {key}
    judge.watching.add(key)
    await market.put(Instrument(symbol="GOOG", name="GOOG", kind="crypto", source="test"))
    minutes = bars("GOOG", 600, end="2024-02-29T10:00", timeframe="1m")
    await market.replace(minutes.slice(0, 540))  # to 09:00, which is the first of its hour
    live.want(*key)
    await live.idle()
    assert screen.frames[-1].bar.timestamp == datetime(2024, 2, 29, 8, tzinfo=UTC)
    screen.frames.clear()
    for n in range(540, 600):
        await store(live, "GOOG", minutes.slice(n, n + 1))
        await live.idle()
    hours = {frame.bar.timestamp.hour for frame in screen.frames}
    assert hours == {8, 9}
    last = screen.frames[-1].bar
    hour = minutes.slice(540 - 1, 599)
    assert (last.open, last.close) == (float(hour.open[0]), float(hour.close[-1]))
    assert last.high == float(hour.high.max())
    assert judge.bars[-1][1] == datetime(2024, 2, 29, 9, tzinfo=UTC)


async def test_a_replay_is_marked_in_every_frame(
    live: Live, screen: Screen, market: CountingMarket
) -> None:
    symbol = replay_of("GOOG")
    screen.keys.add((symbol, "1d"))
    await market.put(Instrument(symbol=symbol, name="again", source="replay of test"))
    await store(live, symbol, replace(bars("GOOG", 30), symbol=symbol))
    live.want("GOOG", "1d")
    await live.idle()
    assert {frame.symbol: frame.replay for frame in screen.frames} == {symbol: True, "GOOG": False}


async def store(live: Live, symbol: str, new: Bars) -> None:
    """Store bars and tell the pipeline, as the intake does."""
    market: CountingMarket = live._bars._bars  # type: ignore[assignment]
    stored = await market.add(new)
    if stored is not None:
        live.bars_stored(stored)


async def test_a_burst_of_stored_bars_is_shown_once_and_its_lag_measured(
    live: Live, screen: Screen, market: CountingMarket
) -> None:
    intake = BarIntake(market, market, clock=lambda: NOW)
    intake.listeners.append(live.bars_stored)
    for number in range(20, 30):
        bar: dict[str, Any] = {"open": 99, "high": 101, "low": 98, "close": 100, "volume": number}
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
    monkeypatch.setattr("app.services.live.live._FIRST_PAUSE_S", 0.001)
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


async def test_a_corrected_bar_lets_what_fired_be_reviewed(
    live: Live, market: CountingMarket, judge: Judge
) -> None:
    judge.watching.add(("GOOG", "1d"))
    known = bars("GOOG", 300)
    at = known.time(250)
    told = BarsStored(symbol="GOOG", timeframe="1d", first=at, last=at, count=1, corrected=True)
    live.bars_stored(told)
    await live.idle()
    assert judge.reviewed == [("GOOG", at - timedelta(days=1))]
    live.bars_stored(msgspec.structs.replace(told, corrected=False))
    await live.idle()
    assert len(judge.reviewed) == 1
