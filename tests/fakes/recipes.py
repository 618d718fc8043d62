"""A recipe that is quick and does as it is told: for tests of whatever runs recipes.

Its model says that the next day's variance is a multiple of the mean of the last ten squared
returns; `gain` sets the multiple, so that a test can make one that is worse.
"""

import os
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from safetensors.numpy import save

from inference.bundle import Bundle, Head, InputColumn, Member
from inference.cards import (
    BaselineScore,
    Evaluation,
    Framework,
    ModelParameters,
    ModelPerformance,
    ModelType,
)
from inference.errors import BadInput
from inference.training.evaluation.comparison import CaseLosses
from inference.training.models.fitting import OPTIONS, fitting
from inference.training.recipe import Progress, TooLittleData, Trained, TrainingData, with_defaults
from tests.fakes.studies import line

STEPS = 20
FEWEST = 100


class Echo:
    """Learns nothing, but evaluates, seeds its weights, and keeps a checkpoint."""

    name = "echo"
    task = "echo"
    model_type: ModelType = "regression"
    framework: Framework = "numpy"
    description = "The next day's variance, as the last ten days were: for tests."
    extras: tuple[str, ...] = ()
    defaults: Mapping[str, Any] = {
        "gain": 1.0,
        "horizon": 1,
        "skill": 0.1,
        "step_s": 0.0,
        "behaviour": "good",
    }
    """behaviour: good, bad_input, broken, greedy, dies_once, hangs."""

    def train(self, data: TrainingData, options: Mapping[str, Any], progress: Progress) -> Trained:
        """Do as the options say."""
        chosen = with_defaults(self, options)
        panel = data.prices(self.name)
        if any(len(series) < FEWEST for series in panel.series):
            raise TooLittleData(f"it needs {FEWEST} bars of each instrument")
        self._misbehave(chosen["behaviour"], data)
        done = self._resume(data, chosen, progress)
        losses = self._evaluate(data, chosen)
        skill = chosen["skill"]
        noise = np.random.default_rng(data.seed).normal(0, 1e-6, 1)
        weights = {
            "weight": np.array([[chosen["gain"]]]) + noise,
            "bias": np.zeros(1),
        }
        return Trained(
            bundle=Bundle(
                name=f"echo-{chosen['horizon']}",
                recipe=self.name,
                task=self.task,
                model_type=self.model_type,
                framework=self.framework,
                inputs=(InputColumn(name="variance"),),
                members=(
                    Member(
                        name="line",
                        runtime="numpy",
                        file="line.safetensors",
                        architecture="linear",
                        options={"inputs": 1, "outputs": 1},
                    ),
                ),
                head=Head(kind="value"),
                horizon_bars=chosen["horizon"],
                timeframe=panel.timeframe,
            ),
            files={"line.safetensors": save(weights)},
            evaluation=Evaluation(
                metric="squared error",
                loss=float(losses.losses.mean()),
                n=len(losses.losses),
                n_refits=1,
                first=losses.times.min().item().replace(tzinfo=data.as_of.tzinfo),
                last=losses.times.max().item().replace(tzinfo=data.as_of.tzinfo),
                purge_bars=1,
                baselines=(
                    BaselineScore(
                        name="nothing",
                        loss=1.0,
                        skill=skill,
                        skill_low=skill - 0.05,
                        skill_high=skill + 0.05,
                    ),
                ),
                by_year={"2015": skill},
            ),
            performance=ModelPerformance(mse=float(losses.losses.mean())),
            parameters=ModelParameters(custom_params={"gain": chosen["gain"]}),
            notes=(f"went on from step {done}",),
            losses=losses,
        )

    def _misbehave(self, behaviour: str, data: TrainingData) -> None:
        if behaviour == "bad_input":
            raise BadInput("the recipe 'echo' was told to refuse")
        if behaviour == "broken":
            raise ZeroDivisionError("a bug")
        if behaviour == "greedy":
            np.ones(2**34, dtype=np.float64)
        if behaviour == "hangs":
            time.sleep(3600)
        if behaviour == "dies_once" and data.checkpoint is not None:
            grave = data.checkpoint / "died"
            if not grave.exists():
                grave.touch()
                os.kill(os.getpid(), 9)

    def _resume(self, data: TrainingData, chosen: Mapping[str, Any], progress: Progress) -> int:
        """Go through the steps that are left; return which was the first of them."""
        mark = None if data.checkpoint is None else data.checkpoint / "step"
        first = int(mark.read_text()) if mark is not None and mark.exists() else 0
        for step in range(first, STEPS):
            progress(step / STEPS, f"step {step + 1} of {STEPS}")
            time.sleep(chosen["step_s"])
            if mark is not None:
                mark.write_text(str(step + 1))
        return first

    def _evaluate(self, data: TrainingData, chosen: Mapping[str, Any]) -> CaseLosses:
        symbols: list[str] = []
        times, losses = [], []
        for series in data.prices(self.name).series:
            squared = np.diff(np.log(series.close)) ** 2 * 1e4
            for at in range(FEWEST // 2, len(squared) - 1):
                forecast = chosen["gain"] * squared[at - 10 : at].mean()
                symbols.append(series.symbol)
                times.append(series.times[at + 1])
                losses.append((forecast - squared[at + 1]) ** 2)
        return CaseLosses("squared error", tuple(symbols), np.array(times), np.array(losses))


class Team(Echo):
    """The same, and several workers learn a line; options of `tests.fakes.studies` go to it."""

    name = "team"
    defaults: Mapping[str, Any] = {**Echo.defaults, **OPTIONS, "study": {}}

    def train(self, data: TrainingData, options: Mapping[str, Any], progress: Progress) -> Trained:
        """Learn the line first; its weight stands among the metrics."""
        chosen = with_defaults(self, options)
        with fitting(data, chosen, progress, trained_by_torch=True) as team:
            assert team is not None
            team.progress(0.1, "learning a line")
            weights = team(line(**chosen["study"]))
            trained = super().train(data, options, progress)
            found = {"line": weights["weight"].tolist(), **team.metrics()}
        return replace(trained, metrics=found)


RECIPES = {recipe.name: recipe for recipe in [Echo(), Team()]}
