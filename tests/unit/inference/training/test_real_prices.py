"""The figures that docs/forecasts.md has for the shipped years."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from app.services.predictions.panels import series_of
from inference.panel import Panel
from inference.training.recipe import Recipe, Trained, TrainingData
from inference.training.recipes.direction import DIRECTION_RECIPE
from inference.training.recipes.return_quantiles import RETURN_QUANTILES
from inference.training.recipes.variance import VARIANCE
from inference.training.recipes.volatility_regime import VOLATILITY_REGIME
from tools.market.demo import read_vendored

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def panel() -> Panel:
    bars = read_vendored()
    return Panel("1d", tuple(series_of(bars[symbol]) for symbol in ("AAPL", "GOOG", "IBM", "MSFT")))


def trained(recipe: Recipe, panel: Panel, options: Mapping[str, Any]) -> Trained:
    data = TrainingData(panel=panel, texts=None, as_of=datetime(2013, 3, 2, tzinfo=UTC))
    return recipe.train(data, options, lambda share, words: None)


@pytest.mark.parametrize(
    ("recipe", "options", "n", "loss", "skill"),
    [
        (VARIANCE, {"horizon": 1, "garch": False}, 7644, 0.3759, 0.169),
        (VARIANCE, {"horizon": 5, "garch": False}, 7632, 0.2593, 0.086),
        (RETURN_QUANTILES, {"horizon": 1}, 7644, 0.003914, 0.018),
        (RETURN_QUANTILES, {"horizon": 5}, 7632, 0.008994, 0.012),
        (RETURN_QUANTILES, {"horizon": 20}, 7596, 0.018503, 0.022),
        (VOLATILITY_REGIME, {}, 7544, 0.0744, 0.078),
    ],
)
def test_what_has_skill_has_it_on_the_shipped_prices(
    recipe: Recipe, options: Mapping[str, Any], n: int, loss: float, skill: float, panel: Panel
) -> None:
    found = trained(recipe, panel, options).evaluation
    assert found.n == n
    assert found.loss == pytest.approx(loss, rel=0.01)
    assert found.best_baseline().skill == pytest.approx(skill, abs=0.01)
    assert found.best_baseline().skill_low > 0
    # Twenty bars ahead one baseline is not surely beaten: the model does not serve by itself.
    assert found.has_skill == (options.get("horizon") != 20)


@pytest.mark.parametrize("horizon", [1, 5, 20])
def test_direction_has_none_and_its_card_says_so(horizon: int, panel: Panel) -> None:
    found = trained(DIRECTION_RECIPE, panel, {"horizon": horizon})
    assert not found.evaluation.has_skill
    assert found.evaluation.best_baseline().skill == pytest.approx(0.0, abs=0.02)
    assert found.notes[0].startswith("No usable skill")
