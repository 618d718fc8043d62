"""Which recipes there are: one line each."""

from inference.errors import BadInput
from inference.training.recipe import Recipe
from inference.training.recipes.direction import DIRECTION_RECIPE
from inference.training.recipes.news_sentiment import NewsSentiment
from inference.training.recipes.no_trade_band import NoTradeBand
from inference.training.recipes.return_quantiles import RETURN_QUANTILES
from inference.training.recipes.scenario_paths import ScenarioPaths
from inference.training.recipes.tabular import TABULAR
from inference.training.recipes.variance import VARIANCE
from inference.training.recipes.volatility_regime import VOLATILITY_REGIME

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in list[Recipe](
        [
            # One line a recipe, in the order in which lists show them.
            VARIANCE,
            RETURN_QUANTILES,
            VOLATILITY_REGIME,
            DIRECTION_RECIPE,
            NewsSentiment(),
            NoTradeBand(),
            ScenarioPaths(),
            TABULAR,
        ]
    )
}


def recipe_for(name: str) -> Recipe:
    """Return one recipe.

    Raises:
        BadInput: there is no such recipe.
    """
    if name not in RECIPES:
        raise BadInput(f"there is no recipe {name!r}; there are: {', '.join(sorted(RECIPES))}")
    return RECIPES[name]
