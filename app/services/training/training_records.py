"""What trained models are called, and how they came to be, as their cards tell it."""

import hashlib
import inspect
import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from app.domain.errors import Invalid
from app.domain.training import Judgement, TrainingRecord
from app.services.datasets.datasets import Recorded, TableRecorded
from inference.cards import ModelCard, ModelType
from inference.errors import BadInput
from inference.lifecycle import label
from inference.training.models.table_cases import target_type
from inference.training.recipe import Recipe
from inference.training.recipes.tabular import TABULAR

_CODE_DIGITS = 12
_FOLDER = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def model_name(
    recipe: Recipe, options: Mapping[str, Any], table: TableRecorded | None = None
) -> str:
    """Return what a recipe's models are called: with the horizon, where it has one.

    Those of a table are called after it and their target. All tiers share a name: the larger one
    has to be better than the smaller one to take its place.
    """
    if table is not None:
        return f"{_word(table.dataset, 50)}-{_word(str(options['target']), 29)}"
    horizon, name = horizon_of(options), recipe.name.replace("_", "-")
    return name if horizon is None else f"{name}-{horizon}"


def title_of(recipe: Recipe, options: Mapping[str, Any], table: TableRecorded | None = None) -> str:
    """Return what a training's job is called; which device it got is told while it runs."""
    title = f"Training {model_name(recipe, options, table)}"
    workers = options.get("workers", 1)
    return title if workers == 1 else f"{title} with {workers} workers"


def with_target(
    recipe: str | None, target: str | None, options: Mapping[str, Any]
) -> tuple[str, dict[str, Any]]:
    """Return the recipe and its options: whoever names a target alone means `tabular`.

    Raises:
        Invalid: neither is named.
    """
    if target is None:
        if not recipe:
            raise Invalid(
                "Name a `recipe`, or the `target` in a collected table.", code="unknown_recipe"
            )
        return recipe, dict(options)
    return recipe or TABULAR.name, {**options, "target": target}


def learns_from_tables(recipe: Recipe) -> bool:
    """Tell whether a recipe learns from collected tables: it has a target then."""
    return "target" in recipe.defaults


def type_of(recipe: Recipe, options: Mapping[str, Any], table: TableRecorded | None) -> ModelType:
    """Return the type of a model: of a table's by its target.

    Raises:
        BadInput: the table has no such column, or it cannot be foretold.
    """
    if table is None:
        return recipe.model_type
    return target_type(table.plan.manifest, str(options["target"]), str(options["kind"]))


def checked_table(
    recorded: Recorded, recipe: Recipe, options: Mapping[str, Any], recipes: Sequence[Recipe]
) -> TableRecorded | None:
    """Return the table that a recipe is to learn from; None where the version holds none.

    Raises:
        Invalid: the recipe does not learn from what the version holds, or not its target.
    """
    table, version = recorded.table, recorded.version
    if (table is not None) != learns_from_tables(recipe):
        fit = [one.name for one in recipes if learns_from_tables(one) == (table is not None)]
        raise Invalid(
            f"{version.name}@{version.version} holds {'no' if table is None else 'a'} table; the "
            f"recipe {recipe.name!r} does not learn from that. There are: "
            f"{', '.join(fit) or 'none'}.",
            code="wrong_recipe",
        )
    try:
        type_of(recipe, options, table)
    except BadInput as wrong:
        said = str(wrong)
        raise Invalid(f"{said[:1].upper()}{said[1:]}.", code=wrong.code) from None
    return table


def horizon_of(options: Mapping[str, Any]) -> int | None:
    """Return how many bars ahead a model with these options forecasts, if they say so."""
    horizon = options.get("horizon")
    return horizon if isinstance(horizon, int) and not isinstance(horizon, bool) else None


def code_of(recipe: Recipe) -> str:
    """Return the recipe's version: the beginning of the SHA-256 of the file that defines it."""
    source = inspect.getsource(sys.modules[type(recipe).__module__])
    return hashlib.sha256(source.encode()).hexdigest()[:_CODE_DIGITS]


def _word(text: str, longest: int) -> str:
    """Return a text as a part of a model's name."""
    return re.sub(r"[^A-Za-z0-9._]+", "-", text).strip("-._")[:longest] or "table"


def record_of(card: ModelCard) -> TrainingRecord | None:
    """Return how a model was trained, if it was here."""
    stored = card.validation_metrics.get("training")
    return None if stored is None else msgspec.convert(stored, TrainingRecord)


def training_folders(root: Path) -> list[Path]:
    """Return the folders of trainings; others below `root` are somebody else's."""
    return [
        path for path in root.glob("*-*-*-*-*") if path.is_dir() and _FOLDER.fullmatch(path.name)
    ]


def result_of(card: ModelCard, judgement: Judgement) -> dict[str, Any]:
    """Return what a training's job says when it is completed: the model, its worth, its place."""
    result: dict[str, Any] = {
        "modelId": str(card.id),
        "model": label(card),
        "judgement": msgspec.to_builtins(judgement),
    }
    evaluation = card.evaluation()
    if evaluation is not None:
        least = evaluation.least_sure()
        result["evaluation"] = {
            "metric": evaluation.metric,
            "loss": evaluation.loss,
            "n": evaluation.n,
            "against": least.name,
            "skill": least.skill,
            "skillLow": least.skill_low,
            "skillHigh": least.skill_high,
        }
    return result
