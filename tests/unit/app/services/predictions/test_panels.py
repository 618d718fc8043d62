"""Panels hold what had closed, in one share count, and nothing after it."""

from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pytest

from app.domain.errors import Invalid
from app.services.predictions.panels import read_panel
from tests.fakes.panels import random_bars
from tools.market.actions import Action
from tools.market.instruments import Instrument
from tools.market.store import InProcessMarket

LATE = datetime(2026, 1, 1, tzinfo=UTC)


def market(**given: int) -> InProcessMarket:
    return InProcessMarket(
        [Instrument(symbol=name, name=name, source="made up") for name in given],
        [random_bars(name, count) for name, count in given.items()],
    )


async def test_a_panel_has_the_symbols_that_have_bars() -> None:
    panel = await read_panel(market(AAA=300, BBB=200), ["BBB", "AAA", "ZZZ"], as_of=LATE)

    assert {one.symbol: len(one) for one in panel.series} == {"AAA": 300, "BBB": 200}
    assert panel.bars_a_year == 252.0


async def test_a_bar_that_is_still_open_at_the_cut_is_not_read() -> None:
    store = market(AAA=300)
    bars = await store.read("AAA")
    during = bars.time(200).replace(hour=12)

    panel = await read_panel(store, ["AAA"], as_of=during)

    assert len(panel.series[0]) == 200
    assert panel.series[0].times[-1] <= np.datetime64(during.replace(tzinfo=None), "s")


async def test_the_newest_bars_are_read_where_few_are_asked_for() -> None:
    store = market(AAA=300)
    whole = await read_panel(store, ["AAA"], as_of=LATE)
    newest = await read_panel(store, ["AAA"], as_of=LATE, limit=50)

    assert (newest.series[0].close == whole.series[0].close[-50:]).all()


async def test_a_split_is_no_crash() -> None:
    bars = random_bars("AAA", 100)
    split = Action(
        kind="split",
        ex_date=date.fromisoformat(str(bars.timestamps[60].astype("datetime64[D]"))),
        new_shares=Decimal(2),
        old_shares=Decimal(1),
        source="test",
        known_at=LATE,
    )
    store = InProcessMarket(
        [Instrument(symbol="AAA", name="AAA", source="made up")], [bars], actions={"AAA": [split]}
    )

    panel = await read_panel(store, ["AAA"], as_of=LATE)

    assert panel.series[0].close[:60] == pytest.approx(bars.close[:60] / 2)
    assert panel.series[0].close[60:] == pytest.approx(bars.close[60:])
    assert panel.series[0].volume[:60] == pytest.approx(bars.volume[:60] * 2)


async def test_an_unknown_timeframe_is_refused_with_the_known_ones() -> None:
    with pytest.raises(Invalid, match="1d"):
        await read_panel(market(AAA=10), ["AAA"], timeframe="1y", as_of=LATE)
