"""The band is learned from the past, judged beside fixed bands, and served as it was learned."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from inference.engine.pipeline import LoadedModel
from inference.errors import BadInput
from inference.panel import Panel, Series
from inference.requests import Rows
from inference.runtimes.catalog import runtime_for
from inference.training.recipe import TooLittleData, Trained, TrainingData
from inference.training.recipes.no_trade_band import NoTradeBand, paths_of, stretches
from tests.fakes.clustered_panels import clustered


@pytest.fixture(scope="module")
def trained() -> Trained:
    data = TrainingData(clustered(), None, as_of=datetime(2026, 1, 1, tzinfo=UTC), seed=1)
    return NoTradeBand().train(data, {"test_share": 0.4}, lambda _, __: None)


def test_the_card_shows_the_three_baselines_with_intervals(trained: Trained) -> None:
    names = [one.name for one in trained.evaluation.baselines]
    assert names == ["always rebalance", "fixed band of 10 %", "best fixed band"]
    always = trained.evaluation.baselines[0]
    assert always.skill_low > 0, "trading at every bar costs more than a learned band"
    for one in trained.evaluation.baselines:
        assert one.skill_low < one.skill < one.skill_high
    turnover = [
        trained.evaluation.other[f"turnover a year, {name}"]
        for name in ("no_trade_band", "always rebalance")
    ]
    assert turnover[0] < turnover[1]


def test_the_network_is_the_band(trained: Trained, tmp_path: Path) -> None:
    trained.write(tmp_path)
    custom = trained.parameters.custom_params
    assert custom is not None
    model = LoadedModel.load(tmp_path, runtime_for=runtime_for)
    rows = [
        {"deviation": deviation, "level": level, "trend": trend}
        for deviation in (-1.0, 0.0, 1.0)
        for level in (-0.5, 5.0)
        for trend in (0.0, 0.7)
    ]
    answers = model.answer(Rows.of(rows))
    for row, answer in zip(rows, answers.values, strict=True):
        z = np.array([min(row["level"], 2.0), row["trend"]])
        lower = -custom["below"] - np.dot(custom["belowSlopes"], z)
        upper = custom["above"] + np.dot(custom["aboveSlopes"], z)
        held = row["deviation"]
        assert float(answer) == pytest.approx(np.clip(held, lower, upper) - held, abs=1e-9)


def poisoned(series: Series, after: np.datetime64) -> Series:
    later = series.times > after
    wild = np.where(later, 7.0, 1.0)
    return Series(
        series.symbol,
        series.times,
        series.open * wild,
        series.high * wild,
        series.low * wild,
        series.close * wild,
        series.volume,
        series.total * np.where(later, np.cumsum(later) + 2.0, 1.0),
    )


def test_what_is_learned_before_a_cut_reads_nothing_after_it() -> None:
    panel = clustered(1200)
    cut = panel.series[0].times[900]
    spoiled = Panel("1d", tuple(poisoned(one, cut) for one in panel.series))
    clean, dirty = (
        stretches(paths_of(one, target=0.1, most=1.5), until=cut) for one in (panel, spoiled)
    )
    for name in ("wanted", "level", "trend", "moved", "counts"):
        assert np.array_equal(getattr(clean, name), getattr(dirty, name)), name


def test_wrong_options_and_short_histories_are_refused() -> None:
    when = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(BadInput, match="'cost_bp' is 0; it must be from"):
        NoTradeBand().train(
            TrainingData(clustered(300), None, when), {"cost_bp": 0.0}, lambda _, __: None
        )
    with pytest.raises(TooLittleData, match="has 300 bars; 1000 are needed"):
        NoTradeBand().train(TrainingData(clustered(300), None, when), {}, lambda _, __: None)
    with pytest.raises(BadInput, match="learns from prices"):
        NoTradeBand().train(TrainingData(None, None, when), {}, lambda _, __: None)
