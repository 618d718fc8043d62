"""`/models/train` and `/models/recipes`: make a model, and see which can be made."""

from typing import Any

import msgspec
from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from app.domain.jobs import Job
from app.domain.principal import Principal
from app.domain.training import BackendName, TrainCommand
from app.rest.requests import Body, moment
from app.rest.sign_in import may_administer, may_read
from app.services.training.training import Training
from app.services.training.training_records import with_target
from inference.training.recipe import Recipe


class TrainBody(Body, frozen=True):
    """What to train, and on what."""

    recipe: str = ""
    """May be left out with a target: `tabular` then."""
    target: str | None = None
    """The column of a collected table that is to be foretold."""
    options: dict[str, Any] = msgspec.field(default_factory=dict)
    symbols: tuple[str, ...] = ()
    market: str | None = None
    dataset: str | None = None
    timeframe: str = "1d"
    as_of: str | None = None
    """A date or a time: nothing that closed later is read."""
    seed: int = 0
    backend: BackendName | None = None
    deploy: bool = False


class RecipeView(msgspec.Struct, frozen=True, rename="camel"):
    """One recipe."""

    name: str
    task: str
    model_type: str
    framework: str
    description: str
    extras: tuple[str, ...]
    """Of the installation, for some of its options; the defaults need none."""
    options: dict[str, Any]
    """Option -> what it is where nobody says otherwise."""


class Recipes(msgspec.Struct, frozen=True):
    """All there are."""

    items: list[RecipeView]


class TrainingController(Controller):
    """Models in the making."""

    path = "/models"
    tags = ("Models",)

    @get("/recipes", guards=[may_read], summary="What can be trained")
    async def recipes(self, training: NamedDependency[Training]) -> Recipes:
        """Return the recipes with their options."""
        return Recipes([_view(recipe) for recipe in training.recipes()])

    @post("/train", status_code=202, guards=[may_administer], summary="Train a model")
    async def train(
        self,
        data: JSONBody[TrainBody],
        principal: NamedDependency[Principal],
        training: NamedDependency[Training],
    ) -> Job:
        """Queue a training and return its job; `result` tells the model once it is completed."""
        asked = msgspec.structs.asdict(data)
        asked["as_of"] = moment(data.as_of, "asOf")
        asked["recipe"], asked["options"] = with_target(
            data.recipe, asked.pop("target"), data.options
        )
        return await training.submit(TrainCommand(**asked), by=principal.user_id)


def _view(recipe: Recipe) -> RecipeView:
    return RecipeView(
        name=recipe.name,
        task=recipe.task,
        model_type=recipe.model_type,
        framework=recipe.framework,
        description=recipe.description,
        extras=recipe.extras,
        options=dict(recipe.defaults),
    )
