"""The row that a live forecast reads is the row that the model learned from, for every view."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from app.services.predictions.features import FeatureReader
from app.services.predictions.panels import moment_of, read_panel
from inference.bundle import Bundle, Head, Member
from inference.datasets.catalog import VIEWS
from inference.datasets.views import FeatureView
from tests.fakes.panels import random_bars
from tools.market.bars import Bars
from tools.market.instruments import Instrument
from tools.market.replays import replay_of
from tools.market.store import InProcessMarket

LATE = datetime(2035, 1, 1, tzinfo=UTC)
BARS = 3_000
"""More than the reader reads for any view but the regime's, whose percentile needs them all."""
MARKET = ("AAA", "BBB", "CCC", "DDD")


def gappy(bars: Bars) -> Bars:
    """Return a series with halts, days without a trade, and bars without a range."""
    kept = np.ones(len(bars), dtype=bool)
    kept[400:460] = kept[1500:1503] = kept[2900:2905] = False
    volume, high, low = bars.volume.copy(), bars.high.copy(), bars.low.copy()
    volume[2960] = 0.0
    quiet = slice(2970, 2973)
    high[quiet] = np.maximum(bars.open, bars.close)[quiet]
    low[quiet] = np.minimum(bars.open, bars.close)[quiet]
    return replace(bars, volume=volume, high=high, low=low).pick(kept)


@pytest.fixture(scope="module")
def market() -> InProcessMarket:
    """Four instruments of a market, one with gaps and one that joined late, and strangers."""
    series = {name: random_bars(name, BARS) for name in MARKET}
    series["BBB"] = gappy(series["BBB"])
    series["DDD"] = series["DDD"].slice(1_200)
    strangers = {
        "EUR/X": random_bars("EUR/X", BARS),
        replay_of("AAA"): random_bars(replay_of("AAA"), BARS, seed=9),
    }
    return InProcessMarket(
        [
            Instrument(
                symbol=name, name=name, source="made up", kind="fx" if "/" in name else "equity"
            )
            for name in (*series, *strangers)
        ],
        [*series.values(), *strangers.values()],
    )


def bundle_of(view: FeatureView) -> Bundle:
    return Bundle(
        name="x",
        recipe="x",
        task="x",
        model_type="regression",
        framework="numpy",
        inputs=view.columns,
        members=(Member(name="x", runtime="numpy"),),
        head=Head(kind="value"),
        feature_view=view.key,
        horizon_bars=5,
        timeframe="1d",
    )


@pytest.mark.parametrize("name", sorted(VIEWS))
async def test_a_live_row_is_the_row_that_was_learned_from(
    name: str, market: InProcessMarket
) -> None:
    view = VIEWS[name]
    # As a training reads it: everything of the market, all of its history.
    panel = await read_panel(market, MARKET, as_of=LATE)
    learned = view.compute(panel)
    reader = FeatureReader(market, market, VIEWS, clock=lambda: LATE)
    names = tuple(column.name for column in view.columns)
    compared = 0
    for symbol in ("AAA", "BBB", "DDD"):
        table = learned[symbol]
        for back in (1, 2, 25, 40, 90, 700):
            case = await reader.case(
                bundle_of(view), symbol, timeframe="1d", at=moment_of(table.times[-back])
            )
            assert case.rows.names == names
            trained = np.array([float(table.columns[one][-back]) for one in names])
            np.testing.assert_allclose(
                case.rows.numbers[0], trained, rtol=1e-9, atol=1e-9, err_msg=f"{symbol} -{back}"
            )
            compared += 1
    assert compared == 18


@pytest.mark.parametrize("name", sorted(VIEWS))
async def test_a_view_has_nothing_to_say_before_it_has_its_history(
    name: str, market: InProcessMarket
) -> None:
    view = VIEWS[name]
    panel = await read_panel(market, MARKET, as_of=LATE)
    table = view.compute(panel)["AAA"]
    first = np.stack([table.columns[column.name] for column in view.columns])[:, 0]
    assert np.isnan(first).any(), "the first bar of a history is never a case"
