"""Will the next bars be turbulent? The probability that their variance is high for the instrument.

The event: the mean variance of the next 5 bars lies above the 75th percentile of all the
instrument's 5-bar variances known by then. Tier `numpy`: logistic regression; tier `scikit_learn`:
the same as a scikit-learn pipeline (extra `sklearn`).
"""

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from inference.bundle import Bundle
from inference.cards import Framework, ModelParameters, ModelType
from inference.datasets.market_features import REGIME, REGIME_HORIZON
from inference.datasets.market_targets import turbulence_ahead
from inference.errors import BadInput
from inference.training.evaluation.walk_forward import cases_of
from inference.training.models import baselines, events
from inference.training.recipe import Progress, Trained, TrainingData, with_defaults
from inference.training.recipes.variance import plan_of

INPUTS = tuple(column.name for column in REGIME.columns)
TIERS = ("numpy", "scikit_learn")
CLASSES = ("calm", "turbulent")
NOTES = (
    "Turbulent is meant for the instrument itself: above the 75th percentile of its own past, "
    "which is no quarter of the days where markets have become wilder.",
)


class VolatilityRegimeRecipe:
    """The recipe `volatility_regime`."""

    name: ClassVar[str] = "volatility_regime"
    task: ClassVar[str] = "volatility_regime"
    model_type: ClassVar[ModelType] = "classification"
    framework: ClassVar[Framework] = "numpy"
    description: ClassVar[str] = (
        "The probability that the next 5 bars are turbulent for the instrument: a variance above "
        "the 75th percentile of its own past."
    )
    extras: ClassVar[tuple[str, ...]] = ("sklearn",)
    defaults: ClassVar[Mapping[str, Any]] = {
        "tier": "numpy",
        "horizon": REGIME_HORIZON,
        "ridge": 10.0,
        "refit_bars": 126,
        "test_share": 0.6,
        "test_from": "",
        "window_bars": 0,
    }

    def train(self, data: TrainingData, options: Mapping[str, Any], progress: Progress) -> Trained:
        """Learn and evaluate."""
        chosen = with_defaults(self, options)
        if chosen["tier"] not in TIERS or chosen["horizon"] != REGIME_HORIZON:
            raise BadInput(
                f"the recipe 'volatility_regime' has the tiers {', '.join(TIERS)} and a horizon of "
                f"{REGIME_HORIZON} bars; asked for {chosen['tier']!r} and {chosen['horizon']}"
            )
        scikit = chosen["tier"] == "scikit_learn"
        if scikit:
            events.require_scikit()
        panel = data.prices(self.name)
        progress(0.0, "computing features")
        cases = cases_of(panel, REGIME, turbulence_ahead, horizon=REGIME_HORIZON)
        fit = events.fit_scikit if scikit else events.fit_numpy
        judged = events.judge(
            cases,
            plan_of(chosen),
            fit(INPUTS, chosen["ridge"]),
            {
                "persistence": baselines.persistence("turbulent"),
                "distance from the threshold": baselines.distance("variance_5", "threshold"),
                "climatology": baselines.climatology,
            },
            progress=lambda share: progress(0.1 + 0.8 * share, "forecasting walk-forward"),
            notes=NOTES,
        )
        progress(0.9, "fitting on everything")
        known = cases.pick(np.isfinite(cases.outcomes))
        make = events.scikit_part if scikit else events.numpy_part
        part = make(known, INPUTS, chosen["ridge"], CLASSES, judged.calibration)
        progress(1.0, "done")
        return Trained(
            bundle=Bundle(
                name="volatility-regime-5" + ("-sklearn" if scikit else ""),
                recipe=self.name,
                task=self.task,
                model_type=self.model_type,
                framework="scikit_learn" if scikit else "numpy",
                inputs=REGIME.columns,
                members=(part.member,),
                head=part.head,
                feature_view=REGIME.key,
                horizon_bars=REGIME_HORIZON,
                timeframe=panel.timeframe,
                event=(
                    f"the mean variance of the next {REGIME_HORIZON} bars lies above the 75th "
                    f"percentile of all the instrument's {REGIME_HORIZON}-bar variances so far"
                ),
                unit="probability",
            ),
            files={str(part.member.file): part.weights},
            evaluation=judged.evaluation,
            performance=judged.performance,
            parameters=ModelParameters(
                input_shape=(len(INPUTS),),
                output_shape=(len(CLASSES),),
                optimizer="lbfgs" if scikit else "Newton",
                loss_function="log loss with a ridge penalty",
                custom_params=chosen,
            ),
            losses=judged.losses,
        )


VOLATILITY_REGIME = VolatilityRegimeRecipe()
