"""Will it rise? The honest example: past prices do not say, and the card shows that.

A strongly shrunk logistic regression on past returns, judged like every other model. It is here so
that whoever asks gets a measured answer instead of an opinion.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from inference.bundle import Bundle
from inference.cards import Evaluation, Framework, ModelParameters, ModelType
from inference.datasets.market_features import DIRECTION
from inference.datasets.market_targets import rise_ahead
from inference.errors import BadInput
from inference.training.evaluation.walk_forward import cases_of
from inference.training.models import baselines, events
from inference.training.recipe import Progress, Trained, TrainingData, with_defaults
from inference.training.recipes.variance import plan_of

INPUTS = tuple(column.name for column in DIRECTION.columns)
CLASSES = ("not risen", "risen")
NOTES = (
    "Trained to show what direction forecasts from prices are worth: the skill beside says it.",
    "A rate above one half in the past is the rise of instruments that were chosen afterwards.",
)


class DirectionRecipe:
    """The recipe `direction`."""

    name: ClassVar[str] = "direction"
    task: ClassVar[str] = "direction"
    model_type: ClassVar[ModelType] = "classification"
    framework: ClassVar[Framework] = "numpy"
    description: ClassVar[str] = (
        "The probability that the next bars bring a rise: shipped to show that it has no usable "
        "skill."
    )
    extras: ClassVar[tuple[str, ...]] = ()
    defaults: ClassVar[Mapping[str, Any]] = {
        "horizon": 5,
        "ridge": 1000.0,
        "refit_bars": 126,
        "test_share": 0.6,
        "test_from": "",
        "window_bars": 0,
    }

    def train(self, data: TrainingData, options: Mapping[str, Any], progress: Progress) -> Trained:
        """Learn and evaluate."""
        chosen = with_defaults(self, options)
        horizon: int = chosen["horizon"]
        if not 1 <= horizon <= 60:
            raise BadInput(f"the recipe 'direction' has horizons of 1 to 60 bars, not {horizon}")
        panel = data.prices(self.name)
        progress(0.0, "computing features")
        cases = cases_of(panel, DIRECTION, rise_ahead, horizon=horizon)
        judged = events.judge(
            cases,
            plan_of(chosen),
            events.fit_numpy(INPUTS, chosen["ridge"]),
            {"climatology": baselines.climatology},
            progress=lambda share: progress(0.1 + 0.8 * share, "forecasting walk-forward"),
            notes=NOTES,
        )
        progress(0.9, "fitting on everything")
        known = cases.pick(np.isfinite(cases.outcomes))
        part = events.numpy_part(known, INPUTS, chosen["ridge"], CLASSES, judged.calibration)
        bars = "the next bar" if horizon == 1 else f"the next {horizon} bars"
        progress(1.0, "done")
        return Trained(
            bundle=Bundle(
                name=f"direction-{horizon}",
                recipe=self.name,
                task=self.task,
                model_type=self.model_type,
                framework="numpy",
                inputs=DIRECTION.columns,
                members=(part.member,),
                head=part.head,
                feature_view=DIRECTION.key,
                horizon_bars=horizon,
                timeframe=panel.timeframe,
                event=f"the total return over {bars} is above zero",
                unit="probability",
            ),
            files={str(part.member.file): part.weights},
            evaluation=judged.evaluation,
            performance=judged.performance,
            parameters=ModelParameters(
                input_shape=(len(INPUTS),),
                output_shape=(len(CLASSES),),
                optimizer="Newton",
                loss_function="log loss with a ridge penalty",
                custom_params=chosen,
            ),
            notes=(verdict(judged.evaluation),),
            losses=judged.losses,
        )


def verdict(evaluation: Evaluation) -> str:
    """Say in one sentence what the skill is worth."""
    best = evaluation.best_baseline()
    interval = f"{best.skill:+.4f} [{best.skill_low:+.4f}, {best.skill_high:+.4f}]"
    if evaluation.has_skill:
        return f"Measured skill against the rate so far: {interval}. Check it before you use it."
    return f"No usable skill: {interval} against the rate so far; its interval is not above 0."


DIRECTION_RECIPE = DirectionRecipe()
