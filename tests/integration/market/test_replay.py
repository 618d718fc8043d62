"""`outcry replay`: the past is shown again under its own name, and nothing else is touched."""

from datetime import UTC, date, datetime
from typing import Any

import numpy as np
import pytest

from app.domain.errors import Invalid, NotFound
from app.services.market.bar_intake import BarIntake
from app.services.market.replays import Replays, bars_per_second, in_step
from app.storage.bars import PostgresBars
from app.storage.engine import Database
from app.storage.instruments import PostgresInstruments
from app.storage.replays import StoredReplays
from tools.history import Market
from tools.market.demo import vendored_market
from tools.market.intake import BarsStored
from tools.market.symbols import mentions, resolve
from tools.tool import ToolContext

NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Stage:
    """A market with GOOG and IBM, and what is told of its bars."""

    def __init__(self, database: Database) -> None:
        self.instruments, self.bars = PostgresInstruments(database), PostgresBars(database)
        self.intake = BarIntake(self.instruments, self.bars, clock=lambda: NOW)
        self.told: list[BarsStored] = []
        self.intake.listeners.append(self.told.append)
        self.removal = StoredReplays(database)
        self.replays = Replays(self.instruments, self.bars, self.intake, remove=self.removal.remove)


@pytest.fixture
async def stage(database: Database) -> Stage:
    stage, shipped = Stage(database), vendored_market()
    for symbol in ("GOOG", "IBM"):
        found = await shipped.find(symbol)
        assert found is not None
        await stage.instruments.put(found)
        await stage.bars.add(await shipped.read(symbol))
    return stage


async def test_a_replay_ends_with_the_same_bars_and_leaves_the_original_alone(stage: Stage) -> None:
    before = await stage.bars.read("GOOG")
    replay = await stage.replays.begin("goog", "1d", start=date(2013, 2, 1), end=None)
    assert replay.symbol == "GOOG@REPLAY"
    assert replay.known + len(replay.coming) == len(before)
    assert len(await stage.bars.read("GOOG@REPLAY")) == replay.known
    assert stage.told == [], "the past is no news"
    for _, bars in in_step([replay]):
        for series in bars:
            await stage.replays.show(series)
    assert [one.count for one in stage.told] == [1] * len(replay.coming)
    assert {one.symbol for one in stage.told} == {"GOOG@REPLAY"}
    again, after = await stage.bars.read("GOOG@REPLAY"), await stage.bars.read("GOOG")
    for name in ("timestamps", "open", "high", "low", "close", "volume"):
        assert np.array_equal(getattr(again, name), getattr(before, name)), name
        assert np.array_equal(getattr(after, name), getattr(before, name)), name
    assert again.source.startswith("replay of ")


async def test_a_second_replay_begins_anew(stage: Stage) -> None:
    first = await stage.replays.begin("GOOG", "1d", start=date(2013, 1, 2), end=None)
    for _, [series] in in_step([first]):
        await stage.replays.show(series)
    second = await stage.replays.begin("GOOG", "1d", start=date(2012, 1, 3), end=date(2012, 6, 1))
    assert len(await stage.bars.read("GOOG@REPLAY")) == second.known
    assert second.coming.day(0) == date(2012, 1, 3)
    assert second.coming.day(-1) == date(2012, 6, 1)
    assert await stage.replays.clear() == ["GOOG@REPLAY"]
    assert await stage.instruments.find("GOOG@REPLAY") is None
    assert await stage.instruments.find("GOOG") is not None


async def test_a_split_in_the_past_is_one_in_its_replay(stage: Stage) -> None:
    shipped = vendored_market()
    found = await shipped.find("AAPL")
    assert found is not None
    await stage.instruments.put(found)
    await stage.bars.add(await shipped.read("AAPL"))
    for action in await shipped.actions("AAPL"):
        await stage.instruments.add_action("AAPL", action)
    replay = await stage.replays.begin("AAPL", "1d", start=date(2005, 2, 1), end=date(2005, 3, 31))
    for _, [series] in in_step([replay]):
        await stage.replays.show(series)
    original = await stage.bars.read("AAPL", end=datetime(2005, 3, 31, tzinfo=UTC))
    again = await stage.bars.read("AAPL@REPLAY")
    assert not np.array_equal(original.close, original.split_adjusted().close)
    assert np.array_equal(again.split_adjusted().close, original.split_adjusted().close)


async def test_several_are_shown_in_step(stage: Stage) -> None:
    replays = [
        await stage.replays.begin(symbol, "1d", start=date(2013, 2, 20), end=None)
        for symbol in ("GOOG", "IBM")
    ]
    steps = list(in_step(replays))
    times = [opened for opened, _ in steps]
    assert times == sorted(set(times))
    assert all({series.timestamps[0] for series in bars} == {opened} for opened, bars in steps)
    assert [one.symbol for one in steps[0][1]] == ["GOOG@REPLAY", "IBM@REPLAY"]


async def test_what_cannot_be_shown_is_refused_with_what_can(stage: Stage) -> None:
    with pytest.raises(NotFound, match="GOOG"):
        await stage.replays.begin("GOGO", "1d", start=None, end=None)
    with pytest.raises(Invalid, match="they go from 2004-08-19 to 2013-03-01"):
        await stage.replays.begin("GOOG", "1d", start=date(2020, 1, 1), end=None)
    with pytest.raises(Invalid, match="no 1h bars"):
        await stage.replays.begin("GOOG", "1h", start=None, end=None)
    with pytest.raises(Invalid, match="1m, 5m"):
        await stage.replays.begin("GOOG", "2d", start=None, end=None)
    await stage.replays.begin("GOOG", "1d", start=None, end=None)
    with pytest.raises(NotFound):
        await stage.replays.begin("GOOG@REPLAY", "1d", start=None, end=None)
    with pytest.raises(ValueError, match="no replay"):
        await stage.removal.remove("GOOG")


async def test_a_replay_can_be_asked_about_and_says_what_it_is(stage: Stage) -> None:
    await stage.replays.begin("GOOG", "1d", start=date(2013, 1, 2), end=None)
    known = await stage.instruments.all()
    assert resolve("goog@replay", known).symbol == "GOOG@REPLAY"
    assert resolve("google", known).symbol == "GOOG"
    [mention] = mentions("How does GOOG@REPLAY look?", known)
    assert mention.symbol == "GOOG@REPLAY"
    market = Market(stage.instruments, stage.bars)
    history = await market.history("GOOG@REPLAY", ToolContext(principal_id="x", now=NOW))
    assert history.bars.day(-1) == date(2012, 12, 31)
    assert history.instrument.source.startswith("replay of ")


@pytest.mark.parametrize(
    ("speed", "timeframe", "bars"),
    [
        ("1d/s", "1d", 1.0),
        ("5d/s", "1d", 5.0),
        ("1.5d", "1d", 1.5),
        ("1h/s", "1m", 60.0),
        ("1w/m", "1d", 7 / 60),
        ("1000d/s", "1m", 200.0),
    ],
)
def test_a_speed_is_market_time_a_second(speed: str, timeframe: str, bars: float) -> None:
    assert bars_per_second(speed, timeframe) == pytest.approx(bars)


@pytest.mark.parametrize("speed", ["", "fast", "0d/s", "-1d/s", "1y/s", "1d/x", "nand/s", "d/s"])
def test_what_is_no_speed_is_refused(speed: Any) -> None:
    with pytest.raises(Invalid, match="1d/s"):
        bars_per_second(speed, "1d")
