"""One suite for both homes of prices: versions, actions, symbols and suspects."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import uuid4

import msgspec
import numpy as np
import pytest

from app.storage.bars import PostgresBars
from app.storage.engine import Database
from app.storage.instruments import PostgresInstruments
from tests.unit.tools.samples import made_up
from tools.errors import MixedBasis, SymbolTaken, UnknownSymbol
from tools.market.actions import Action
from tools.market.bars import Bars
from tools.market.instruments import Instrument
from tools.market.records import NewSuspect
from tools.market.store import BarStore, InProcessMarket, InstrumentStore

TEST = Instrument(symbol="TEST", name="Test Company", source="a test")
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)


class Clock:
    def __init__(self) -> None:
        self.now = BEGAN

    def __call__(self) -> datetime:
        return self.now

    def goes_on(self) -> datetime:
        self.now += timedelta(hours=1)
        return self.now


class Stores(NamedTuple):
    instruments: InstrumentStore
    bars: BarStore
    clock: Clock


@pytest.fixture(params=["memory", "postgres"])
def stores(request: pytest.FixtureRequest) -> Stores:
    clock = Clock()
    if request.param == "memory":
        market = InProcessMarket(clock=clock)
        return Stores(market, market, clock)
    database: Database = request.getfixturevalue("database")
    return Stores(
        PostgresInstruments(database, clock=clock), PostgresBars(database, clock=clock), clock
    )


@pytest.fixture(autouse=True)
async def known(stores: Stores) -> None:
    await stores.instruments.put(TEST)


def with_close(bars: Bars, at: int, close: float) -> Bars:
    closes = bars.close.copy()
    closes[at] = close
    return replace(bars, close=closes, high=np.maximum(bars.high, closes))


def action(kind: str, day: date, **fields: Any) -> Action:
    fields.setdefault("known_at", BEGAN)
    return Action(kind=kind, ex_date=day, source="a test", **fields)  # type: ignore[arg-type]  # a test names kinds as text


# --- versions -----------------------------------------------------------------------------------


async def test_a_corrected_bar_keeps_what_was_believed_before(stores: Stores) -> None:
    bars = made_up([1.0, 2.0, 3.0])
    first = stores.clock.now
    await stores.bars.add(bars)
    second = stores.clock.goes_on()
    await stores.bars.add(with_close(bars, 1, 2.5))
    third = stores.clock.goes_on()
    await stores.bars.add(with_close(bars, 1, 2.25).slice(1, 2))
    await stores.bars.add(with_close(bars, 1, 2.25))

    versions = await stores.bars.versions("TEST", timeframe="1d", timestamp=bars.time(1))
    assert [(one.close, one.known_at, one.superseded_at) for one in versions] == [
        (2.0, first, second),
        (2.5, second, third),
        (2.25, third, None),
    ]
    untouched = await stores.bars.versions("TEST", timeframe="1d", timestamp=bars.time(0))
    assert [(one.close, one.superseded_at) for one in untouched] == [(1.0, None)]
    nothing = await stores.bars.versions("TEST", timeframe="1h", timestamp=bars.time(0))
    assert nothing == []


async def test_a_read_as_of_a_moment_gives_what_was_known_then(stores: Stores) -> None:
    bars = made_up([1.0, 2.0, 3.0, 4.0])
    await stores.bars.add(bars.slice(0, 2))
    then = stores.clock.now
    later = stores.clock.goes_on()
    await stores.bars.add(with_close(bars, 0, 9.0))

    async def closes(known_at: datetime | None, **asked: Any) -> list[float]:
        read = await stores.bars.read("TEST", known_at=known_at, **asked)
        return [float(close) for close in read.close]

    assert await closes(None) == [9.0, 2.0, 3.0, 4.0]
    assert await closes(later) == [9.0, 2.0, 3.0, 4.0]
    assert await closes(then) == [1.0, 2.0]
    assert await closes(then, limit=1) == [2.0]
    assert await closes(then, end=bars.time(0)) == [1.0]
    assert await closes(then - timedelta(seconds=1)) == []


async def test_what_came_later_can_be_read_as_it_first_came(stores: Stores) -> None:
    bars = made_up([1.0, 2.0, 3.0, 4.0])
    await stores.bars.add(bars.slice(0, 2))
    then = stores.clock.now
    stores.clock.goes_on()
    await stores.bars.add(with_close(bars, 0, 9.0))  # a correction, and two bars that are new
    stores.clock.goes_on()
    await stores.bars.add(with_close(with_close(bars, 0, 8.0), 2, 7.0))

    async def closes(known_at: datetime, **asked: Any) -> list[float]:
        given = {"known_at": known_at, "backfilled": True, **asked}
        many = await stores.bars.read_many(["TEST", "NOPE"], **{"limit": 9, **given})
        read = await stores.bars.read("TEST", **given)
        assert many["TEST"].close.tolist()[-len(read) :] == read.close.tolist()
        return [float(close) for close in read.close]

    assert await closes(then) == [1.0, 2.0, 3.0, 4.0]
    assert await closes(then - timedelta(days=9)) == [1.0, 2.0, 3.0, 4.0]
    assert await closes(then, limit=2) == [3.0, 4.0]
    assert await closes(then, end=bars.time(1)) == [1.0, 2.0]
    assert await closes(stores.clock.now) == [8.0, 2.0, 7.0, 4.0]
    strict = await stores.bars.read_many(["TEST"], limit=9, known_at=then)
    assert strict["TEST"].close.tolist() == [1.0, 2.0]
    none = await stores.bars.read_many(["TEST"], limit=9, known_at=then - timedelta(days=9))
    assert none == {}


async def test_actions_that_came_later_can_be_read_as_they_first_came(stores: Stores) -> None:
    bars = made_up([4.0, 4.0, 2.0, 2.0])
    await stores.bars.add(bars)
    then = stores.clock.now
    stores.clock.goes_on()
    split = Action(
        kind="split",
        ex_date=bars.day(2),
        new_shares=Decimal(2),
        old_shares=Decimal(1),
        source="a test",
        known_at=stores.clock.now,
    )
    await stores.instruments.add_action("TEST", split)
    stores.clock.goes_on()
    wrong = msgspec.structs.replace(split, new_shares=Decimal(3), known_at=stores.clock.now)
    await stores.instruments.add_action("TEST", wrong)

    async def shares(**asked: Any) -> list[Decimal | None]:
        read = await stores.bars.read("TEST", known_at=then, **asked)
        return [one.new_shares for one in read.actions]

    assert await shares() == []
    assert await shares(backfilled=True) == [Decimal(2)]
    assert [one.new_shares for one in (await stores.bars.read("TEST")).actions] == [Decimal(3)]


async def test_replacing_a_history_keeps_what_goes_as_versions(stores: Stores) -> None:
    old = made_up([1.0, 2.0, 3.0])
    await stores.bars.replace(old)
    then = stores.clock.now
    stores.clock.goes_on()
    await stores.bars.replace(with_close(old, 0, 7.0).slice(0, 2))
    assert (await stores.bars.read("TEST")).close.tolist() == [7.0, 2.0]
    assert (await stores.bars.read("TEST", known_at=then)).close.tolist() == [1.0, 2.0, 3.0]
    gone = await stores.bars.versions("TEST", timeframe="1d", timestamp=old.time(2))
    assert [(one.close, one.superseded_at) for one in gone] == [(3.0, stores.clock.now)]


async def test_a_clock_that_goes_back_makes_no_version_end_before_it_began(stores: Stores) -> None:
    bars = made_up([1.0])
    await stores.bars.add(bars)
    stores.clock.now -= timedelta(days=1)
    await stores.bars.add(with_close(bars, 0, 2.0))
    old, new = await stores.bars.versions("TEST", timeframe="1d", timestamp=bars.time(0))
    assert old.superseded_at is not None
    assert old.known_at < old.superseded_at == new.known_at


async def test_an_adjusted_close_that_is_not_said_is_no_correction(stores: Stores) -> None:
    bars = made_up([10.0, 10.0])
    adjusted = replace(bars, adjusted_close=np.array([5.0, 5.0]))
    await stores.bars.add(adjusted)
    assert await stores.bars.add(bars) is None
    stores.clock.goes_on()
    await stores.bars.replace(bars)
    assert (await stores.bars.read("TEST")).adjusted_close is None


async def test_many_bars_some_with_an_adjusted_close_come_back_bit_for_bit(stores: Stores) -> None:
    length = 30_000
    closes = np.random.default_rng(5).uniform(1, 2, length)
    adjusted = np.where(np.arange(length) % 3 == 0, np.nan, closes / 3)
    times = np.datetime64("2000-01-01", "s") + 60 * np.arange(length)
    whole = Bars(
        "TEST", "1m", "x", times, closes, closes + 1, closes - 1, closes, closes * 1e9,
        adjusted_close=adjusted,
    )  # fmt: skip
    await stores.bars.add(whole)
    read = await stores.bars.read("TEST", timeframe="1m")
    for name in ("timestamps", "open", "high", "low", "close", "volume"):
        np.testing.assert_array_equal(getattr(read, name), getattr(whole, name), name)
    assert read.adjusted_close is not None
    said = ~np.isnan(adjusted)
    np.testing.assert_array_equal(read.adjusted_close[said], adjusted[said])


# --- one basis ----------------------------------------------------------------------------------


async def test_bars_on_two_bases_are_never_mixed(stores: Stores) -> None:
    bars = made_up([1.0, 2.0, 3.0])
    adjusted = replace(bars, basis="split_adjusted")
    await stores.bars.add(adjusted.slice(0, 2))
    with pytest.raises(MixedBasis, match="split adjusted and these are as traded"):
        await stores.bars.add(bars)
    read = await stores.bars.read("TEST")
    assert (read.basis, read.adjusted_until) == ("split_adjusted", bars.day(1))
    await stores.bars.add(replace(adjusted, timeframe="1h"))
    await stores.bars.replace(bars)
    again = await stores.bars.read("TEST")
    assert (again.basis, again.adjusted_until, len(again)) == ("as_traded", None, 3)


# --- actions ------------------------------------------------------------------------------------


async def test_bars_carry_the_splits_that_were_known_at_the_moment(stores: Stores) -> None:
    bars = made_up([20.0, 20.0, 10.0, 10.0])
    await stores.bars.add(bars)
    day = bars.day(2)
    before = stores.clock.now
    known_at = stores.clock.goes_on()
    wrong = action("split", day, new_shares=Decimal(3), old_shares=Decimal(1), known_at=known_at)
    await stores.instruments.add_action("TEST", wrong)
    corrected_at = stores.clock.goes_on()
    right = action(
        "split", day, new_shares=Decimal(2), old_shares=Decimal(1), known_at=corrected_at
    )
    await stores.instruments.add_action("TEST", right)

    async def first_close(at: datetime | None) -> float:
        read = await stores.bars.read("TEST", known_at=at)
        return float(read.split_adjusted().close[0])

    assert await first_close(None) == 10.0
    assert await first_close(known_at) == pytest.approx(20 / 3)
    assert await first_close(before) == 20.0
    told = await stores.instruments.actions("TEST")
    assert [(one.new_shares, one.withdrawn_at) for one in told] == [
        (Decimal(3), corrected_at),
        (Decimal(2), None),
    ]


async def test_the_same_action_again_changes_nothing_and_a_wrong_one_is_withdrawn(
    stores: Stores,
) -> None:
    paid = action("dividend", date(2025, 3, 3), amount=Decimal("0.1234567890123"), currency="USD")
    await stores.instruments.add_action("TEST", paid)
    again = await stores.instruments.add_action(
        "TEST", msgspec.structs.replace(paid, known_at=BEGAN + timedelta(days=9))
    )
    assert again == paid
    assert await stores.instruments.actions("TEST") == [paid]
    stores.clock.goes_on()
    day = paid.ex_date
    assert await stores.instruments.withdraw_action("TEST", ex_date=day, kind="dividend")
    assert not await stores.instruments.withdraw_action("TEST", ex_date=day, kind="dividend")
    (left,) = await stores.instruments.actions("TEST")
    assert left.withdrawn_at == stores.clock.now
    with pytest.raises(UnknownSymbol):
        await stores.instruments.actions("NOPE")
    with pytest.raises(UnknownSymbol):
        await stores.instruments.add_action("NOPE", paid)


# --- symbols ------------------------------------------------------------------------------------


async def test_a_new_symbol_takes_the_bars_along_and_the_old_one_is_still_understood(
    stores: Stores,
) -> None:
    bars = made_up([1.0, 2.0])
    await stores.bars.add(bars)
    stored = await stores.instruments.find("TEST")
    assert stored is not None
    await stores.instruments.add_action(
        "TEST", action("symbol_change", date(2025, 6, 2), new_symbol="NEW")
    )
    assert (await stores.bars.read("NEW")).close.tolist() == [1.0, 2.0]
    with pytest.raises(UnknownSymbol):
        await stores.bars.read("TEST")
    for said, on in (("NEW", None), ("TEST", None), ("TEST", date(2025, 6, 1))):
        found = await stores.instruments.find(said, on=on)
        assert found is not None, (said, on)
        assert (found.id, found.symbol) == (stored.id, "NEW")
    found = await stores.instruments.find("NEW")
    assert found is not None
    assert [(one.symbol, one.valid_to) for one in found.former_symbols] == [
        ("TEST", date(2025, 6, 2))
    ]
    assert await stores.instruments.find("OTHER") is None


async def test_a_symbol_that_is_used_again_is_another_instrument(stores: Stores) -> None:
    old_bars = made_up([1.0, 2.0])
    await stores.bars.add(old_bars)
    before = await stores.instruments.find("TEST")
    assert before is not None
    last = date(2021, 5, 28)
    await stores.instruments.add_action("TEST", action("delisting", last))
    again = Instrument(
        symbol="TEST", name="Another Company", source="x", listed_on=date(2023, 1, 9)
    )
    await stores.instruments.put(again)
    await stores.bars.add(made_up([70.0]))
    now = await stores.instruments.find("TEST")
    then = await stores.instruments.find("TEST", on=date(2020, 1, 2))
    assert now is not None
    assert then is not None
    assert (now.name, then.name) == ("Another Company", "Test Company")
    assert now.id != before.id == then.id
    assert (then.symbol, then.delisted_on) == ("TEST@2021-05-28", last)
    assert (await stores.bars.read(then.symbol)).close.tolist() == [1.0, 2.0]
    assert (await stores.bars.read("TEST")).close.tolist() == [70.0]


async def test_a_symbol_of_somebody_who_is_listed_cannot_be_taken(stores: Stores) -> None:
    await stores.instruments.put(Instrument(symbol="NEW", name="Other", source="x"))
    change = action("symbol_change", date(2025, 6, 2), new_symbol="NEW")
    with pytest.raises(SymbolTaken, match="NEW is the symbol of another"):
        await stores.instruments.add_action("TEST", change)
    assert await stores.instruments.actions("TEST") == []
    await stores.instruments.add_action("NEW", action("delisting", date(2025, 1, 3)))
    await stores.instruments.add_action("TEST", change)
    assert [one.symbol for one in await stores.instruments.all()] == ["NEW", "NEW@2025-01-03"]


# --- suspects -----------------------------------------------------------------------------------


def suspect(close: float = 0.5, day: int = 0) -> NewSuspect:
    return NewSuspect(
        timestamp=datetime(2025, 1, 6, tzinfo=UTC) + timedelta(days=day),
        open=1.0, high=2.0, low=0.1, close=close, volume=3.0, reason="odd", possible=True,
    )  # fmt: skip


async def test_suspects_wait_once_each_until_somebody_decides(stores: Stores) -> None:
    for _ in range(2):
        stand = await stores.bars.quarantine(
            "TEST", "1d", [suspect(0.5), suspect(0.6)], source="a feed"
        )
        assert stand == ["quarantined", "quarantined"]
        stores.clock.goes_on()
    found = await stores.instruments.find("TEST")
    assert found is not None
    assert found.suspect_count == 2
    newest, older = await stores.bars.suspects("TEST")
    assert {newest.close, older.close} == {0.5, 0.6}
    assert (newest.symbol, newest.source, newest.arrived_at) == ("TEST", "a feed", BEGAN)
    assert await stores.bars.suspects("TEST", after=newest.id) == [older]
    assert await stores.bars.suspects("OTHER") == []

    assert await stores.bars.decide(older.id, "rejected", by="root@example.org")
    assert not await stores.bars.decide(older.id, "accepted", by="root@example.org")
    decided = await stores.bars.suspect(older.id)
    assert decided is not None
    assert (decided.status, decided.decided_by) == ("rejected", "root@example.org")
    assert decided.decided_at == stores.clock.now
    assert await stores.bars.suspects("TEST") == [newest]
    assert len(await stores.bars.suspects(status=None)) == 2
    stand = await stores.bars.quarantine("TEST", "1d", [suspect(older.close)], source="a feed")
    assert stand == ["rejected"], "sent again, it stays decided"
    twice = await stores.bars.quarantine(
        "TEST", "1d", [suspect(0.7), suspect(older.close), suspect(0.7)], source="a feed"
    )
    assert twice == ["quarantined", "rejected", "quarantined"]
    assert len(await stores.bars.suspects("TEST")) == 2
    assert await stores.bars.suspect(uuid4()) is None
    with pytest.raises(UnknownSymbol):
        await stores.bars.quarantine("NOPE", "1d", [suspect()], source="a feed")


async def test_suspects_go_with_their_instrument_when_its_symbol_changes(stores: Stores) -> None:
    await stores.bars.quarantine("TEST", "1d", [suspect()], source="a feed")
    await stores.instruments.add_action(
        "TEST", action("symbol_change", date(2025, 6, 2), new_symbol="NEW")
    )
    assert [one.symbol for one in await stores.bars.suspects()] == ["NEW"]
    found = await stores.instruments.find("NEW")
    assert found is not None
    assert found.suspect_count == 1


async def test_each_version_of_a_bar_says_who_gave_it(stores: Stores) -> None:
    bars = made_up([1.0, 2.0, 3.0])
    own = replace(bars, source=TEST.source)
    await stores.bars.add(own)
    stores.clock.goes_on()
    other = replace(with_close(bars, 1, 2.5), source="another ünit’s file")
    await stores.bars.add(other.slice(1, 2))
    stores.clock.goes_on()
    await stores.bars.add(replace(with_close(bars, 1, 2.75), source=TEST.source).slice(1, 2))
    more = made_up([1.0, 2.75, 3.0, 4.0])
    await stores.bars.add(replace(more, source="another ünit’s file").slice(3))

    async def sources(at: int) -> list[str | None]:
        found = await stores.bars.versions("TEST", timeframe="1d", timestamp=more.time(at))
        return [one.source for one in found]

    assert await sources(0) == ["a test"]
    assert await sources(1) == ["a test", "another ünit’s file", "a test"]
    assert await sources(3) == ["another ünit’s file"]
    assert (await stores.bars.read("TEST")).source == "a test", "answers cite the instrument's own"
