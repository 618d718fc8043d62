"""One suite for both homes of prices: memory and Postgres keep and give back the same."""

from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
import numpy as np
import pytest

from app.storage.bars import PostgresBars
from app.storage.engine import Database
from app.storage.instruments import PostgresInstruments
from tests.unit.tools.samples import made_up
from tools.desk import market_tools
from tools.errors import UnknownSymbol
from tools.market.bars import Bars
from tools.market.demo import read_vendored
from tools.market.instruments import Instrument
from tools.market.intake import BarsStored
from tools.market.store import BarStore, InProcessMarket, InstrumentStore
from tools.registry import ToolBox
from tools.tool import ToolContext

TEST = Instrument(symbol="TEST", name="Test Company", source="a test", provenance={"a": [1, None]})


class Stores(NamedTuple):
    instruments: InstrumentStore
    bars: BarStore


@pytest.fixture(params=["memory", "postgres"])
def stores(request: pytest.FixtureRequest) -> Stores:
    if request.param == "memory":
        market = InProcessMarket()
        return Stores(market, market)
    database: Database = request.getfixturevalue("database")
    return Stores(PostgresInstruments(database), PostgresBars(database))


def assert_same(one: Bars, other: Bars) -> None:
    assert (one.symbol, one.timeframe) == (other.symbol, other.timeframe)
    for name in ("timestamps", "open", "high", "low", "close", "volume"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), name)
    if one.adjusted_close is None or other.adjusted_close is None:
        assert one.adjusted_close is other.adjusted_close
    else:
        np.testing.assert_array_equal(one.adjusted_close, other.adjusted_close)


async def test_bars_come_back_bit_for_bit(stores: Stores) -> None:
    history = read_vendored()["GOOG"]
    await stores.instruments.put(Instrument(symbol="GOOG", name="Google", source=history.source))
    assert await stores.bars.replace(history) == 2148
    read = await stores.bars.read("GOOG")
    assert_same(read, history)
    assert read.source == history.source


async def test_a_symbol_nobody_knows_is_refused(stores: Stores) -> None:
    with pytest.raises(UnknownSymbol):
        await stores.bars.read("TEST")
    with pytest.raises(UnknownSymbol):
        await stores.bars.replace(made_up([1.0]))
    with pytest.raises(UnknownSymbol):
        await stores.bars.add(made_up([1.0]))
    assert await stores.instruments.find("TEST") is None


@pytest.mark.parametrize("said", ["GO\0OG", "\ud800", "'; DROP TABLE bars; --", "G" * 80, "日本"])
async def test_hostile_names_are_unknown_symbols(stores: Stores, said: str) -> None:
    await stores.instruments.put(TEST)
    box = ToolBox(market_tools(*stores))
    context = ToolContext(principal_id="somebody", now=datetime(2026, 1, 1, tzinfo=UTC))
    with pytest.raises(UnknownSymbol) as refused:
        await box.call("quotes", {"symbol": said}, context)
    refused.value.message.encode()
    assert "\0" not in refused.value.message


async def test_an_instrument_without_bars_has_an_empty_history(stores: Stores) -> None:
    await stores.instruments.put(TEST)
    assert len(await stores.bars.read("TEST")) == 0
    found = await stores.instruments.find("TEST")
    assert found is not None
    assert found.id is not None
    assert msgspec.structs.replace(found, id=None) == TEST


async def test_spans_and_limits_count_from_the_newest(stores: Stores) -> None:
    bars = made_up(np.arange(1.0, 11.0))
    await stores.instruments.put(TEST)
    await stores.bars.replace(bars)
    first, last = bars.time(2), bars.time(6)
    inside = await stores.bars.read("TEST", start=first, end=last)
    assert inside.close.tolist() == [3.0, 4.0, 5.0, 6.0, 7.0]
    newest = await stores.bars.read("TEST", end=last, limit=2)
    assert newest.close.tolist() == [6.0, 7.0]
    assert len(await stores.bars.read("TEST", timeframe="1h")) == 0
    assert len(await stores.bars.read("TEST", end=datetime(1999, 1, 1, tzinfo=UTC))) == 0


async def test_the_span_of_daily_bars_is_told(stores: Stores) -> None:
    bars = made_up(np.arange(1.0, 11.0))
    await stores.instruments.put(TEST)
    await stores.bars.replace(bars)
    for found in (await stores.instruments.find("TEST"), (await stores.instruments.all())[0]):
        assert found is not None
        assert (found.first_bar, found.last_bar) == (bars.time(0), bars.time(-1))
        assert found.bar_count == 10
        assert found.provenance == TEST.provenance


async def test_replacing_leaves_nothing_of_what_was_there(stores: Stores) -> None:
    await stores.instruments.put(TEST)
    await stores.bars.replace(made_up(np.arange(1.0, 11.0)))
    shorter = made_up([7.0, 8.0])
    assert await stores.bars.replace(shorter) == 2
    assert await stores.bars.replace(shorter) == 2
    assert_same(await stores.bars.read("TEST"), shorter)


async def test_adding_overwrites_known_times_and_keeps_the_rest(stores: Stores) -> None:
    await stores.instruments.put(TEST)
    old, new = made_up([1.0, 2.0, 3.0]), made_up([10.0, 20.0, 30.0, 40.0])
    await stores.bars.replace(old)
    told = await stores.bars.add(new.slice(2))
    assert told == BarsStored(
        symbol="TEST",
        timeframe="1d",
        first=new.time(2),
        last=new.time(3),
        count=2,
        corrected=True,
    )
    assert (await stores.bars.read("TEST")).close.tolist() == [1.0, 2.0, 30.0, 40.0]
    assert await stores.bars.add(new.slice(2)) is None, "nothing is new"
    assert (await stores.bars.read("TEST")).close.tolist() == [1.0, 2.0, 30.0, 40.0]


async def test_only_what_is_new_or_differs_is_told(stores: Stores) -> None:
    await stores.instruments.put(TEST)
    bars = made_up([1.0, 2.0, 3.0, 4.0])
    await stores.bars.add(bars.slice(0, 2))
    told = await stores.bars.add(bars)
    assert told is not None
    assert (told.first, told.last, told.count) == (bars.time(2), bars.time(3), 2)
    assert not told.corrected


async def test_many_symbols_are_read_in_one_go(stores: Stores) -> None:
    for number, symbol in enumerate(("AAA", "BBB", "CCC")):
        await stores.instruments.put(Instrument(symbol=symbol, name=symbol, source=symbol.lower()))
        if number < 2:
            await stores.bars.replace(made_up(np.arange(1.0, 6.0) + 10 * number, symbol=symbol))
    found = await stores.bars.read_many(["BBB", "CCC", "AAA", "NOPE"], limit=2)
    assert sorted(found) == ["AAA", "BBB"], "what has no bars is left out"
    assert found["BBB"].close.tolist() == [14.0, 15.0]
    assert (found["AAA"].symbol, found["AAA"].source) == ("AAA", "aaa")
    earlier = await stores.bars.read_many(["AAA"], limit=9, end=found["AAA"].time(0))
    assert earlier["AAA"].close.tolist() == [1.0, 2.0, 3.0, 4.0]


async def test_bars_added_without_adjustment_continue_the_last_factor(stores: Stores) -> None:
    await stores.instruments.put(TEST)
    bars = made_up([10.0, 10.0, 12.0])
    known = Bars(**{**vars(bars.slice(0, 2)), "adjusted_close": np.array([5.0, 5.0])})
    await stores.bars.replace(known)
    await stores.bars.add(bars.slice(2))
    adjusted = (await stores.bars.read("TEST")).adjusted_close
    assert adjusted is not None
    assert adjusted.tolist() == [5.0, 5.0, 6.0]


async def test_putting_again_changes_what_is_said(stores: Stores) -> None:
    await stores.instruments.put(TEST)
    await stores.bars.replace(made_up([1.0, 2.0]))
    await stores.instruments.put(Instrument(symbol="TEST", name="Renamed", source="another"))
    found = await stores.instruments.find("TEST")
    assert found is not None
    assert (found.name, found.source, found.bar_count) == ("Renamed", "another", 2)
    assert (await stores.bars.read("TEST")).close.tolist() == [1.0, 2.0]


async def test_instruments_are_listed_by_symbol(stores: Stores) -> None:
    for symbol in ("ZZZ", "AAA", "MMM"):
        await stores.instruments.put(Instrument(symbol=symbol, name=symbol, source="x"))
    assert [one.symbol for one in await stores.instruments.all()] == ["AAA", "MMM", "ZZZ"]
