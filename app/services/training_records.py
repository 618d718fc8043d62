"""What trained models are called, and how they came to be, as their cards tell it."""

import hashlib
import inspect
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from app.domain.training import Judgement, TrainingRecord
from inference.cards import ModelCard
from inference.lifecycle import label
from inference.training.recipe import Recipe

_CODE_DIGITS = 12
_FOLDER = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def model_name(recipe: Recipe, options: Mapping[str, Any]) -> str:
    """Return what a recipe's models are called: with the horizon, where it has one.

    All tiers share a name: the larger one has to be better than the smaller one to take its place.
    """
    horizon, name = horizon_of(options), recipe.name.replace("_", "-")
    return name if horizon is None else f"{name}-{horizon}"


def title_of(recipe: Recipe, options: Mapping[str, Any]) -> str:
    """Return what a training's job is called; which device it got is told while it runs."""
    title = f"Training {model_name(recipe, options)}"
    workers = options.get("workers", 1)
    return title if workers == 1 else f"{title} with {workers} workers"


def horizon_of(options: Mapping[str, Any]) -> int | None:
    """Return how many bars ahead a model with these options forecasts, if they say so."""
    horizon = options.get("horizon")
    return horizon if isinstance(horizon, int) and not isinstance(horizon, bool) else None


def code_of(recipe: Recipe) -> str:
    """Return the recipe's version: the beginning of the SHA-256 of the file that defines it."""
    source = inspect.getsource(sys.modules[type(recipe).__module__])
    return hashlib.sha256(source.encode()).hexdigest()[:_CODE_DIGITS]


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
