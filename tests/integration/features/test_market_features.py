"""The market's views: what training saw, what is served, and what a forecast reads are the same."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pytest

from app.domain.errors import NotFound
from app.services.datasets.datasets import BarsWanted
from app.services.predictions.features import FeatureReader
from app.services.predictions.panels import moment_of, read_panel
from inference.bundle import InputColumn
from inference.datasets.catalog import VIEWS
from inference.datasets.views import FeatureView, Table
from inference.panel import Panel
from tests.fakes.models import linear_bundle
from tests.fakes.panels import random_bars
from tests.integration.features.feature_desk import FeatureDesk

SYMBOLS = ("AAA", "BBB", "CCC")


async def trained_on(desk: FeatureDesk, view: FeatureView) -> tuple[Panel, dict[str, Table]]:
    """Return the rows that a training of now would learn from: of a recorded dataset."""
    recorded = await desk.datasets.record_bars(
        BarsWanted(market="equity USD", as_of=desk.now), by=None
    )
    panel = await desk.datasets.read(recorded)
    return panel, dict(view.compute(panel))


def row(view: FeatureView, table: Table, at: int) -> list[float | None]:
    values = [float(table.columns[column.name][at]) for column in view.columns]
    return [None if value != value else value for value in values]


@pytest.mark.parametrize("key", list(VIEWS))
async def test_training_the_online_store_and_forecasts_read_the_same_numbers(
    desk: FeatureDesk, key: str
) -> None:
    await desk.stock(*SYMBOLS, bars=400)
    view = VIEWS[key]

    told = await desk.materialize(key)
    _, tables = await trained_on(desk, view)

    assert told["written"] == len(SYMBOLS)
    definition = await desk.store.definition(key)
    served = await desk.store.values(definition, SYMBOLS)
    for symbol, one in zip(SYMBOLS, served, strict=True):
        assert one.status == "fresh"
        assert one.values is not None
        assert one.event_time == one.known_at == moment_of(tables[symbol].times[-1])
        # Bit by bit: the same computation over the same bars, through Parquet and Postgres.
        assert list(one.values.values()) == row(view, tables[symbol], -1)
        bundle: Any = linear_bundle(
            [1.0] * len(view.columns),
            inputs=tuple(InputColumn(name=c.name, required=False) for c in view.columns),
            feature_view=key,
            timeframe="1d",
        )
        case = await desk.reader.case(bundle, symbol, timeframe="1d", at=None)
        read = [None if value != value else value for value in case.rows.numbers[0].tolist()]
        assert case.as_of == one.event_time
        assert read == pytest.approx(list(one.values.values()), rel=1e-6, abs=1e-6)


async def test_forecasts_read_what_training_saw_where_history_is_longer_than_what_they_read(
    desk: FeatureDesk,
) -> None:
    """`market.volatility@1` forgets: 1,600 bars give what 2,600 give, to 1e-6."""
    desk.now = datetime.fromisoformat("2026-06-20T12:00:00+00:00")
    await desk.stock(*SYMBOLS, bars=2_600, start="2016-06-20")
    await desk.materialize("market.volatility")
    view = VIEWS["market.volatility@1"]
    definition = await desk.store.definition(view.key)
    (one,) = await desk.store.values(definition, ["BBB"])
    bundle: Any = linear_bundle(
        [1.0] * len(view.columns), inputs=view.columns, feature_view=view.key, timeframe="1d"
    )
    assert one.event_time is not None

    reader = FeatureReader(desk.instruments, desk.bars, VIEWS, clock=lambda: desk.now)
    case = await reader.case(bundle, "BBB", timeframe="1d", at=None)

    history = await desk.store.history(definition, [("BBB", one.event_time)])
    assert history[0].values is not None
    assert case.rows.numbers[0].tolist() == pytest.approx(
        list(history[0].values.values()), rel=1e-6, abs=1e-6
    )


async def test_at_every_moment_history_gives_the_row_of_training(desk: FeatureDesk) -> None:
    await desk.stock(*SYMBOLS, bars=400)
    view = VIEWS["market.volatility@1"]
    await desk.materialize(view.key)
    _, tables = await trained_on(desk, view)
    definition = await desk.store.definition(view.key)
    wanted = [(symbol, at) for symbol in SYMBOLS for at in range(380, 400)]
    closes = [moment_of(tables[symbol].times[at]) for symbol, at in wanted]

    at_close = await desk.store.history(
        definition, [(symbol, close) for (symbol, _), close in zip(wanted, closes, strict=True)]
    )
    just_before = await desk.store.history(
        definition,
        [
            (symbol, close - timedelta(microseconds=1))
            for (symbol, _), close in zip(wanted, closes, strict=True)
        ],
    )

    for (symbol, at), now, before in zip(wanted, at_close, just_before, strict=True):
        assert now.values is not None
        assert before.values is not None
        assert list(now.values.values()) == row(view, tables[symbol], at)
        assert list(before.values.values()) == row(view, tables[symbol], at - 1)


async def test_new_bars_are_new_rows_and_a_corrected_bar_leaks_into_no_past(
    desk: FeatureDesk,
) -> None:
    await desk.stock("AAA", bars=400)
    key = "market.path_state@1"
    first = await desk.materialize(key)
    definition = await desk.store.definition(key)
    assert (await desk.materialize(key))["added"] == 0

    whole = random_bars("AAA", 402, start="2024-06-20")
    desk.now += timedelta(days=3)
    await desk.bars.add(whole.slice(400))
    later = await desk.materialize(key)
    assert (later["added"], later["corrected"], later["written"]) == (2, 0, 1)

    before = desk.now
    asked = [("AAA", moment_of(time)) for time in whole.ends()[300:402]]
    answers = await desk.store.history(definition, asked)
    wrong = whole.slice(350, 351)
    fixed = type(wrong)(
        **{
            **{name: getattr(wrong, name) for name in wrong.__dataclass_fields__},
            "close": wrong.close * 1.001,
            "high": wrong.high * 1.01,
        }
    )
    desk.now += timedelta(hours=1)
    await desk.bars.add(fixed)
    corrected = await desk.materialize(key)

    assert corrected["added"] == corrected["corrected"] > 0
    assert first["rows"] + 2 + corrected["added"] == corrected["rows"]
    assert await desk.store.history(definition, asked) == answers
    now_known, then_known = await desk.store.history(
        definition, [("AAA", desk.now), ("AAA", before)]
    )
    assert now_known.event_time == then_known.event_time
    assert now_known.values != then_known.values
    (online,) = await desk.store.values(definition, ["AAA"])
    assert online.values == now_known.values


async def test_what_is_missing_or_stale_is_told_and_not_served(desk: FeatureDesk) -> None:
    await desk.stock("AAA", bars=400)
    key = "market.volatility@1"
    definition = await desk.store.definition(key)
    assert (await desk.store.card(key)).status == "empty"
    await desk.materialize(key)
    assert (await desk.store.card(key)).status == "fresh"

    desk.now += timedelta(days=30)
    stale, missing = await desk.store.values(definition, ["AAA", "nobody"])

    assert (stale.status, missing.status) == ("stale", "missing")
    assert (stale.values, missing.values) == (None, None)
    assert stale.age_seconds is not None
    assert stale.age_seconds > 29 * 86_400
    card = await desk.store.card(key)
    assert card.status == "stale"
    assert card.online is not None
    assert (card.online.entities, card.online.stale) == (1, 1)
    (then,) = await desk.store.history(definition, [("AAA", desk.now)])
    assert then.values is None


async def test_views_of_hours_are_there_for_the_asking_and_listed_once_they_hold_something(
    desk: FeatureDesk,
) -> None:
    whole = random_bars("AAA", 500)
    hours = np.datetime64("2025-12-15T00:00:00", "s") + np.arange(500) * np.timedelta64(1, "h")
    await desk.stock("AAA", bars=400)
    await desk.bars.replace(replace(whole, timeframe="1h", timestamps=hours))
    key = "market.volatility.1h"
    assert key not in {one.name for one in await desk.store.definitions()}

    await desk.materialize(key)

    assert key in {one.name for one in await desk.store.definitions()}
    view = await desk.store.definition(f"{key}@1")
    (one,) = await desk.store.values(view, ["AAA"])
    panel = await read_panel(desk.bars, ["AAA"], timeframe="1h", as_of=desk.now)
    table = VIEWS["market.volatility@1"].compute(panel)["AAA"]
    assert one.values is not None
    assert one.event_time == moment_of(table.times[-1]) <= desk.now
    assert list(one.values.values()) == row(VIEWS["market.volatility@1"], table, -1)
    daily = await desk.store.definition("market.volatility")
    assert (daily.timeframe, view.timeframe) == ("1d", "1h")
    assert (await desk.store.values(daily, ["AAA"]))[0].status == "missing"
    with pytest.raises(NotFound, match=r"market\.volatility\.2h"):
        await desk.store.definition("market.volatility.2h")
