"""Make probabilities mean what they say: by Platt's line, by isotonic steps, or not at all.

Everything here is walk-forward. A block of forecasts is calibrated by those whose outcome was known
when it began, and which method is used there is chosen by how the methods had done by then on
forecasts that they had not seen: the choice is judged like the rest.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from inference.requests import Floats
from inference.training.evaluation import losses
from inference.training.evaluation.diebold_mariano import compare
from inference.training.evaluation.walk_forward import Cases
from inference.training.models.linear_models import fit_platt, sigmoid

Calibration = dict[str, Any]
"""As a bundle's head keeps it; empty: probabilities are left as they are."""
Method = Callable[[Floats, Floats], Calibration]
"""Forecasts and what happened -> a calibration."""
LEAST_CALIBRATION = 500
"""Forecasts with known outcomes that a calibration is learned from."""
NONE = "none"


def platt(probability: Floats, happened: Floats) -> Calibration:
    """Return the line of log odds that fits best (Platt 1999)."""
    a, b = fit_platt(probability, happened)
    return {"type": "platt", "a": a, "b": b}


def isotonic(probability: Floats, happened: Floats) -> Calibration:
    """Return the rising steps that fit best by squares, straight lines between them.

    No step says never or always: n forecasts without an event leave a chance of 1 / (n + 2).
    """
    points, where, counts = np.unique(probability, return_inverse=True, return_counts=True)
    means = np.bincount(where, weights=happened) / counts
    levels = pool_adjacent(means, counts.astype(np.float64))
    least = 1.0 / (len(probability) + 2.0)
    levels = np.clip(levels, least, 1.0 - least)
    # The two ends of each step say it all.
    changes = np.flatnonzero(np.diff(levels) != 0.0)
    ends = np.unique(np.concatenate([[0], changes, changes + 1, [len(points) - 1]]))
    return {"type": "isotonic", "x": points[ends].tolist(), "y": levels[ends].tolist()}


def pool_adjacent(values: Floats, weights: Floats) -> Floats:
    """Return the rising numbers nearest to `values` by weighted squares (pool adjacent violators:
    Ayer and others 1955).
    """
    means: list[float] = []
    heavy: list[float] = []
    sizes: list[int] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        size = 1
        while means and means[-1] >= value:
            other, before = heavy.pop(), means.pop()
            value = (before * other + value * weight) / (other + weight)
            weight += other
            size += sizes.pop()
        means.append(value)
        heavy.append(weight)
        sizes.append(size)
    return np.repeat(np.array(means), sizes)


METHODS: Mapping[str, Method] = {
    "platt": platt,
    "isotonic": isotonic,
}


def apply(calibration: Calibration, probability: Floats) -> Floats:
    """Return calibrated probabilities, as the head makes them when the model serves."""
    match calibration.get("type"):
        case "platt":
            inside = np.clip(probability, 1e-12, 1.0 - 1e-12)
            odds = np.log(inside / (1.0 - inside))
            return sigmoid(calibration["a"] * odds + calibration["b"])
        case "isotonic":
            return np.asarray(np.interp(probability, calibration["x"], calibration["y"]))
        case _:
            return probability


@dataclass(frozen=True, eq=False)
class Calibrated:
    """Forecasts as they would have been calibrated, and what a model is to be served with."""

    probability: Floats
    method: str
    """What is used from now on: `none`, `platt` or `isotonic`."""
    head: Calibration
    tried: Mapping[str, float]
    """Losses of each method on all the forecasts, by name, for the card."""

    @property
    def note(self) -> str:
        """Say in one sentence what was tried and what became of it."""
        told = ", ".join(
            f"{_NAMES[name]} {self.tried[f'Brier score, {name}']:.5f}"
            f" / {self.tried[f'log loss, {name}']:.5f}"
            for name in (NONE, *METHODS)
        )
        kept = (
            "none is used: neither helped by more than luck"
            if self.method == NONE
            else f"{_NAMES[self.method]} is used: it helped by more than luck"
        )
        return f"Calibration on forecasts it had not seen (Brier score / log loss): {told}; {kept}."


_NAMES = {NONE: "none", "platt": "Platt's", "isotonic": "isotonic"}


def calibrate(cases: Cases, raw: Floats, *, block_bars: int) -> Calibrated:
    """Calibrate walk-forward by whichever method had helped by then.

    `cases` are those that were forecast, with their outcomes; `raw` are the forecasts.
    """
    moved = {
        name: walk_forward(cases, raw, fit, block_bars=block_bars) for name, fit in METHODS.items()
    }
    moments = np.unique(cases.times)
    out = raw.copy()
    for start in range(0, len(moments), block_bars):
        known = cases.released <= moments[start]
        now = cases.times >= moments[start]
        out[now] = {NONE: raw, **moved}[choose(cases, raw, moved, known)][now]
    method = choose(cases, raw, moved, np.ones(len(cases), dtype=bool))
    head = {} if method == NONE else METHODS[method](raw, cases.outcomes)
    tried: dict[str, float] = {}
    for name, found in {NONE: raw, **moved}.items():
        tried[f"Brier score, {name}"] = float(losses.brier(cases.outcomes, found).mean())
        tried[f"log loss, {name}"] = float(losses.log_loss(cases.outcomes, found).mean())
        tried[f"calibration error, {name}"] = losses.calibration_error(cases.outcomes, found)
    return Calibrated(out, method, head, tried)


def walk_forward(
    cases: Cases,
    raw: Floats,
    fit: Method,
    *,
    block_bars: int,
) -> Floats:
    """Return the probabilities as one method would have calibrated them: each block by the
    forecasts whose outcome was known when it began; as they are while those are few.
    """
    moments = np.unique(cases.times)
    out = raw.copy()
    for start in range(0, len(moments), block_bars):
        known = cases.released <= moments[start]
        if known.sum() < LEAST_CALIBRATION:
            continue
        found = fit(raw[known], cases.outcomes[known])
        now = cases.times >= moments[start]
        out[now] = apply(found, raw[now])
    return out


def choose(cases: Cases, raw: Floats, moved: Mapping[str, Floats], known: np.ndarray) -> str:
    """Return the method with the least Brier score on the `known` forecasts, among those that
    made it better by more than luck and the log loss no worse; else `none`.
    """
    if known.sum() < 2 * LEAST_CALIBRATION:
        return NONE
    happened, times = cases.outcomes[known], cases.times[known]
    before = losses.brier(happened, raw[known])
    surprise = losses.log_loss(happened, raw[known]).mean()
    best, least = NONE, float(before.mean())
    for name, found in moved.items():
        after = losses.brier(happened, found[known])
        if np.array_equal(before, after) or after.mean() >= least:
            continue
        helped = compare(after, before, times, horizon=cases.horizon).low > 0.0
        if helped and losses.log_loss(happened, found[known]).mean() <= surprise:
            best, least = name, float(after.mean())
    return best
