"""Which map makes probabilities of labels mean what they say: one power, or isotonic steps?

Both are fitted on forecasts of texts that the members had not seen, and compared fold by fold on
texts that the map had not seen either. Steps are fitted to all labels together: with few texts,
one map for each would learn little more than luck.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from inference.requests import Floats
from inference.training.evaluation import label_scores
from inference.training.evaluation.label_scores import Indices
from inference.training.models.calibration import Calibration, isotonic

POWER, STEPS = "one power", "isotonic"


@dataclass(frozen=True, eq=False)
class LabelCalibration:
    """The map that is used, as a bundle's head keeps it, and how both did."""

    head: Calibration
    tried: dict[str, float]

    @property
    def method(self) -> str:
        """Return the name of what is used."""
        return STEPS if self.head["type"] == "isotonic" else POWER


def calibrate_labels(
    probabilities: Floats, truth: Indices, parts: Sequence[Indices]
) -> LabelCalibration:
    """Return the steps where they have both the smaller Brier score and the smaller log loss on
    the parts that they were not fitted on; else the power.
    """
    found = {name: np.empty_like(probabilities) for name in (POWER, STEPS)}
    every = np.arange(len(truth))
    for part in parts:
        others = np.setdiff1d(every, part)
        for name in found:
            head = _fit(name, probabilities[others], truth[others])
            found[name][part] = apply_labels(head, probabilities[part])
    tried: dict[str, float] = {}
    for name, one in found.items():
        tried[f"Brier score, {name}"] = float(label_scores.brier(one, truth).mean())
        tried[f"log loss, {name}"] = float(label_scores.log_loss(one, truth).mean())
    helps = all(
        tried[f"{metric}, {STEPS}"] < tried[f"{metric}, {POWER}"]
        for metric in ("Brier score", "log loss")
    )
    return LabelCalibration(_fit(STEPS if helps else POWER, probabilities, truth), tried)


def apply_labels(head: Calibration, probabilities: Floats) -> Floats:
    """Return calibrated probabilities that sum to 1, as the head makes them when it serves."""
    if head["type"] == "isotonic":
        mapped = np.clip(np.interp(probabilities, head["x"], head["y"]), 1e-9, 1.0 - 1e-9)
        return np.asarray(mapped / mapped.sum(axis=1, keepdims=True))
    return label_scores.sharpened(probabilities, head["a"])


def _fit(name: str, probabilities: Floats, truth: Indices) -> Calibration:
    if name == POWER:
        return {
            "type": "platt",
            "a": label_scores.best_sharpness(probabilities, truth),
            "b": 0.0,
        }
    happened = np.eye(probabilities.shape[1])[truth]
    return isotonic(probabilities.ravel(), happened.ravel())
