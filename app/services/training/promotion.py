"""Whether a trained model serves: only with skill, and only if the present champion is no better.

A challenger of other design has to be better on the same cases, beyond chance. The same design
trained on newer data takes over unless it is worse: it knows more, and rarely differs. Where the
two share too few cases to tell, it takes over too, on its own skill above 0.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgspec

from app.domain.training import Judgement
from app.services.training.training_ports import TrainedModels
from app.services.training.training_records import record_of
from inference.cards import ModelCard
from inference.lifecycle import has_skill, no_skill
from inference.training.evaluation.comparison import Comparison, compare
from inference.training.models.fitting import OPTIONS


async def judge(card: ModelCard, models: TrainedModels, *, wanted: bool) -> Judgement:
    """Return what becomes of a model that is ready, and deploy it where that is wanted and right.

    Raises:
        InferenceError: the losses of an evaluation cannot be read.
    """
    label = f"{card.name}@{card.version}"
    if card.status == "deployed":
        return Judgement(deployed=True, champion=True, why=f"{label} was deployed already.")
    if not wanted:
        return Judgement(deployed=False, champion=False, why="Nobody asked for its deployment.")
    if not has_skill(card):
        return Judgement(
            deployed=False, champion=False, why=f"It is not deployed: {no_skill(card)}."
        )
    champion = await models.champion(card.name)
    if champion is None:
        why = "It is the first champion of its name, with skill above 0."
        await models.deploy(card.id, reason=why)
        return Judgement(deployed=True, champion=True, why=why)
    against = f"{champion.name}@{champion.version}"
    comparison = await _compared(card, champion, models)
    takes_over, why = _verdict(comparison, against, refit=_is_refit(card, champion))
    if takes_over:
        await models.deploy(card.id, reason=why)
    return Judgement(
        deployed=takes_over,
        champion=takes_over,
        why=why,
        against=against,
        comparison=None if comparison is None else msgspec.to_builtins(comparison),
    )


def _verdict(comparison: Comparison | None, against: str, *, refit: bool) -> tuple[bool, str]:
    if comparison is None:
        return False, f"It is not deployed: {against} keeps no losses to compare it with."
    said = comparison.in_words()
    if comparison.verdict == "not comparable" and refit:
        return True, f"It replaces {against}, the same design on older data; {said}."
    if comparison.verdict == "not comparable":
        return False, f"It is not deployed: with {against} it is not comparable, {said}."
    if refit and comparison.verdict != "worse":
        return True, f"It replaces {against}, the same design on older data: {said}."
    if comparison.verdict == "better":
        return True, f"It is better than {against}: {said}."
    word = "worse than" if comparison.verdict == "worse" else "not measurably better than"
    return False, f"It is not deployed, being {word} {against}: {said}."


def _is_refit(card: ModelCard, champion: ModelCard) -> bool:
    """Tell whether both came from the same recipe, options and seed, wherever it computed."""
    new, old = record_of(card), record_of(champion)
    return (
        new is not None
        and old is not None
        and (new.recipe, new.code, _design(new.options), new.seed)
        == (old.recipe, old.code, _design(old.options), old.seed)
        and new.as_of > old.as_of
    )


def _design(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options that make the model what it is: workers and device do not."""
    return {name: value for name, value in options.items() if name not in OPTIONS}


async def _compared(
    card: ModelCard, champion: ModelCard, models: TrainedModels
) -> Comparison | None:
    ours, theirs = await models.losses(card), await models.losses(champion)
    if ours is None or theirs is None:
        return None
    return await asyncio.to_thread(compare, ours, theirs, overlap=card.horizon_bars or 1)
