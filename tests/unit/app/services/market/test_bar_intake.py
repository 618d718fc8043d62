"""Bars come in by one door, and whoever listens hears of what is new once it is stored."""

from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pytest

from app.domain.errors import Invalid, NotFound
from app.services.market import bar_intake
from app.services.market.bar_intake import BarIntake
from tests.unit.tools.samples import made_up
from tools.market.instruments import Instrument
from tools.market.intake import BarsStored
from tools.market.rows import Rows
from tools.market.store import InProcessMarket

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
TEST = Instrument(symbol="TEST", name="Test Company", source="a test")


@pytest.fixture
def market() -> InProcessMarket:
    return InProcessMarket([TEST])


@pytest.fixture
def intake(market: InProcessMarket) -> BarIntake:
    return BarIntake(market, market, clock=lambda: NOW)


def row(day: int, close: float = 10.0) -> msgspec.Raw:
    opened = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=day)
    return msgspec.Raw(
        msgspec.json.encode(
            {"timestamp": opened, "open": 10, "high": 20, "low": 5, "close": close, "volume": 7}
        )
    )


def rows_of(closes: list[float]) -> Rows:
    bars = made_up(closes)
    return Rows(
        timestamps=bars.timestamps.astype("datetime64[us]"),
        open=bars.open,
        high=bars.high,
        low=bars.low,
        close=bars.close,
        volume=bars.volume,
        adjusted_close=bars.close / 2,
    )


async def test_listeners_hear_of_what_is_new_after_it_is_stored(
    market: InProcessMarket, intake: BarIntake
) -> None:
    heard: list[BarsStored] = []
    intake.listeners.append(heard.append)
    await intake.take("test", "1d", [row(0), row(1)])
    await intake.take("TEST", "1d", [row(0), row(1)])
    assert [(one.symbol, one.count, one.corrected) for one in heard] == [("TEST", 2, False)]
    await intake.take("TEST", "1d", [row(1, close=11.0), row(2)])
    assert (heard[1].count, heard[1].corrected) == (2, True)
    assert heard[1].first == datetime(2025, 1, 2, tzinfo=UTC)
    assert (await market.read("TEST")).close.tolist() == [10.0, 11.0, 10.0]


async def test_a_listener_that_fails_keeps_nothing_from_being_stored_or_told(
    market: InProcessMarket, intake: BarIntake
) -> None:
    heard: list[BarsStored] = []

    def broken(_: BarsStored) -> None:
        raise RuntimeError("on purpose")

    intake.listeners += [broken, heard.append]
    assert (await intake.take("TEST", "1d", [row(0)])).accepted == 1
    assert len(heard) == 1
    assert len(await market.read("TEST")) == 1


async def test_columns_go_the_same_way_with_their_adjusted_close(
    market: InProcessMarket, intake: BarIntake
) -> None:
    rows = rows_of([10.0, 11.0, 12.0])
    broken = Rows(**{**vars(rows), "unread": {1: "close is not a number: N/A"}})
    taken = await intake.take("TEST", "1d", broken)
    assert taken.accepted == 2
    assert [(one.index, one.reason) for one in taken.refused] == [(1, "close is not a number: N/A")]
    stored = await market.read("TEST")
    assert stored.adjusted_close is not None
    assert stored.adjusted_close.tolist() == [5.0, 6.0]


async def test_many_rows_go_in_several_batches_and_keep_their_numbers(
    market: InProcessMarket, intake: BarIntake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bar_intake, "MAX_BATCH", 3)
    heard: list[BarsStored] = []
    intake.listeners.append(heard.append)
    rows = rows_of([10.0 + i for i in range(8)])
    volume = np.where(np.arange(8) == 7, np.nan, rows.volume)
    taken = await intake.take("TEST", "1d", Rows(**{**vars(rows), "volume": volume}))
    assert taken.accepted == 7
    assert [(one.index, one.reason) for one in taken.refused] == [
        (7, "volume is nan; not a volume")
    ]
    assert [one.count for one in heard] == [3, 3, 1]
    assert len(await market.read("TEST")) == 7


async def test_what_cannot_be_meant_is_refused_whole(intake: BarIntake) -> None:
    with pytest.raises(NotFound) as unknown:
        await intake.take("TSET", "1d", [row(0)])
    assert unknown.value.code == "unknown_symbol"
    with pytest.raises(Invalid, match="must be one of 1m"):
        await intake.take("TEST", "2d", [row(0)])
    with pytest.raises(Invalid, match="empty"):
        await intake.take("TEST", "1d", [])
