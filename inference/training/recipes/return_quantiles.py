"""Where will the price be? Quantiles of the total return over the next bars.

Tier `numpy`: the deviation that the variance ridge forecasts, times the quantiles that standardised
returns had. Tier `torch`: a small network with quantiles that cannot cross (extra `torch`). Tier
`blend`: a weighted mean of both, the weight from forecasts that neither had seen.
None forecasts the direction: the middle of the distribution is that of the past.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import msgspec
import numpy as np

from inference.bundle import Bundle, Head, Member, PreprocessingStep
from inference.cards import Framework, ModelParameters, ModelPerformance, ModelType
from inference.datasets.market_features import VOLATILITY
from inference.datasets.market_targets import return_ahead, variance_ahead
from inference.errors import BadInput
from inference.panel import Panel
from inference.requests import Floats
from inference.training.evaluation import losses
from inference.training.evaluation.conformal import quantile_coverage
from inference.training.evaluation.scoring import Scores
from inference.training.evaluation.walk_forward import Cases, Mask, Plan, cases_of, forecast
from inference.training.models import baselines, quantile_blend, quantile_net
from inference.training.models.fitting import OPTIONS, Fitting, check_workers, fitting
from inference.training.models.linear_models import Linear, fit_variance
from inference.training.models.quantile_net import QuantileNet
from inference.training.recipe import Progress, Trained, TrainingData, with_defaults
from inference.training.recipes.variance import linear_member, plan_of

INPUTS = tuple(column.name for column in VOLATILITY.columns)
TIERS = ("numpy", "torch", "blend")
LEVELS = (0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95)
NOTES = (
    "The middle of its distribution is the past's: it knows how far, not which way.",
    "Returns over several bars overlap from bar to bar; the intervals of skill allow for it.",
)
Fit = Callable[[Cases, Cases], Floats]
Learn = Callable[[Cases], QuantileNet]


class ReturnQuantilesRecipe:
    """The recipe `return_quantiles`."""

    name: ClassVar[str] = "return_quantiles"
    task: ClassVar[str] = "return_quantiles"
    model_type: ClassVar[ModelType] = "time_series"
    framework: ClassVar[Framework] = "numpy"
    description: ClassVar[str] = (
        "Seven quantiles of the total return over the next bars: how far it may go either way."
    )
    extras: ClassVar[tuple[str, ...]] = ("torch",)
    defaults: ClassVar[Mapping[str, Any]] = {
        "tier": "numpy",
        "horizon": 5,
        "ridge": 10.0,
        "hidden": (32, 32),
        "epochs": 12,
        "serve_with": "pytorch",
        "refit_bars": 126,
        "test_share": 0.6,
        "test_from": "",
        "window_bars": 0,
        **OPTIONS,
    }

    def train(self, data: TrainingData, options: Mapping[str, Any], progress: Progress) -> Trained:
        """Learn and evaluate."""
        chosen = with_defaults(self, options)
        _check(chosen)
        with fitting(data, chosen, progress, trained_by_torch=chosen["tier"] != "numpy") as team:
            return self._train(data, chosen, progress, team)

    def _train(
        self, data: TrainingData, chosen: dict[str, Any], progress: Progress, team: Fitting | None
    ) -> Trained:
        panel = data.prices(self.name)
        horizon: int = chosen["horizon"]
        plan = plan_of(chosen)
        progress(0.0, "computing features")
        cases = cases_of(
            panel,
            VOLATILITY,
            return_ahead,
            horizon=horizon,
            extra=baselines.ewma_column,
            aside=variance_ahead,
        )
        blends = chosen["tier"] == "blend"
        tell = team.progress if team else progress
        learn = partial(_net, chosen=chosen, seed=data.seed, team=team) if team else None
        width = len(LEVELS)
        found, refits = forecast(
            cases,
            plan,
            _fit_of(chosen, learn),
            width=2 * width if blends else width,
            progress=lambda share: tell(0.05 + 0.6 * share, "forecasting walk-forward"),
        )
        tested = np.isfinite(found[:, 0])
        judged, quantiles = cases.pick(tested), found[tested]
        blend, alone = None, {}
        if blends:
            scaled, net = quantiles[:, :width], quantiles[:, width:]
            blend = quantile_blend.blend(judged, scaled, net, LEVELS, block_bars=plan.refit_bars)
            quantiles = blend.quantiles
            # What is simpler has to be beaten too.
            for name, one in (("scale model", scaled), ("net", net)):
                alone[f"{name} alone"] = losses.pinball(judged.outcomes, one, LEVELS)
        progress(0.65, "computing the baselines")
        beside = _baselines(panel, cases, plan, tested)
        scores = Scores(
            metric="pinball loss",
            cases=judged,
            model=losses.pinball(judged.outcomes, quantiles, LEVELS),
            baselines=beside | alone,
            refits=refits,
            embargo=horizon,
        )
        tell(0.9, "fitting on everything")
        known = cases.pick(np.isfinite(cases.outcomes))
        made = _made(known, chosen, learn, blend.weight if blend else None)
        is_net = team is not None
        errors = judged.outcomes - quantiles[:, LEVELS.index(0.5)]
        progress(1.0, "done")
        return Trained(
            bundle=_bundle(panel.timeframe, horizon, made, tier=chosen["tier"]),
            files=made.files,
            evaluation=scores.evaluation(
                notes=NOTES,
                coverage=quantile_coverage(judged.outcomes, quantiles, LEVELS),
                other={"weight of the scale model": blend.weight} if blend else {},
            ),
            performance=ModelPerformance(
                mse=float(np.mean(errors**2)),
                mae=float(np.mean(np.abs(errors))),
                rmse=float(np.sqrt(np.mean(errors**2))),
            ),
            parameters=ModelParameters(
                input_shape=(len(INPUTS),),
                output_shape=(len(LEVELS),),
                layers=len(chosen["hidden"]) + 1 if is_net else None,
                neurons=sum(chosen["hidden"]) if is_net else None,
                epochs=chosen["epochs"] if is_net else None,
                optimizer=_OPTIMIZERS[chosen["tier"]],
                loss_function="pinball" if is_net else "QLIKE for the scale",
                custom_params=chosen,
            ),
            metrics=team.metrics() if team else {},
            losses=scores.case_losses(),
        )


@dataclass(frozen=True)
class _Made:
    """A fitted model as a part of a bundle."""

    members: tuple[Member, ...]
    files: dict[str, bytes]
    head: Head
    steps: tuple[PreprocessingStep, ...] = ()


def _baselines(panel: Panel, cases: Cases, plan: Plan, tested: Mask) -> dict[str, Floats]:
    """Return the losses of the baselines on the tested cases."""
    judged = cases.pick(tested)
    simple: dict[str, Fit] = {
        "filtered historical simulation": baselines.filtered_history(LEVELS),
        "filtered historical simulation, pooled": baselines.pooled_filtered_history(LEVELS),
        "EWMA-normal": baselines.ewma_normal(LEVELS),
        "unconditional history": baselines.unconditional(LEVELS),
    }
    forecasts = {
        name: forecast(cases, plan, naive, width=len(LEVELS))[0][tested]
        for name, naive in simple.items()
    }
    forecasts["rolling 250 bars"] = baselines.rolling_history(panel, judged, LEVELS)
    return {
        name: losses.pinball(judged.outcomes, found, LEVELS) for name, found in forecasts.items()
    }


def _bundle(timeframe: str, horizon: int, made: _Made, *, tier: str) -> Bundle:
    bars = "the next bar" if horizon == 1 else f"the next {horizon} bars"
    return Bundle(
        name=f"return-quantiles-{horizon}" + _SUFFIXES[tier],
        recipe=ReturnQuantilesRecipe.name,
        task=ReturnQuantilesRecipe.task,
        model_type=ReturnQuantilesRecipe.model_type,
        framework="numpy" if tier == "numpy" else "pytorch",
        inputs=VOLATILITY.columns,
        members=made.members,
        combine="mean" if len(made.members) > 1 else "single",
        head=made.head,
        steps=made.steps,
        feature_view=VOLATILITY.key,
        horizon_bars=horizon,
        timeframe=timeframe,
        event=f"the total return over {bars}",
        unit="log return",
    )


def _check(chosen: Mapping[str, Any]) -> None:
    if chosen["tier"] not in TIERS or not 1 <= chosen["horizon"] <= 60:
        raise BadInput(
            f"the recipe 'return_quantiles' has the tiers {', '.join(TIERS)} and horizons of 1 to "
            f"60 bars; asked for {chosen['tier']!r} and {chosen['horizon']}"
        )
    if chosen["serve_with"] not in ("pytorch", "numpy"):
        raise BadInput(f"serve_with is {chosen['serve_with']!r}; it must be pytorch or numpy")
    check_workers(chosen, trained_by_torch=chosen["tier"] != "numpy")


def _scaled(train: Cases, chosen: Mapping[str, Any]) -> tuple[Linear, Floats]:
    """Return the log variance of one bar, and the quantiles of standardised returns."""
    scale = fit_variance(train.columns(*INPUTS), train.aside, ridge=chosen["ridge"])
    deviation = np.sqrt(train.horizon * np.exp(scale(train.columns(*INPUTS))))
    scores = np.quantile(train.outcomes / deviation, LEVELS)
    return scale, np.asarray(scores, dtype=np.float64)


def _fit_scaled(chosen: Mapping[str, Any]) -> Fit:
    def fit(train: Cases, test: Cases) -> Floats:
        scale, scores = _scaled(train, chosen)
        deviation = np.sqrt(train.horizon * np.exp(scale(test.columns(*INPUTS))))
        return np.asarray(deviation[:, None] * scores, dtype=np.float64)

    return fit


def _scaled_made(known: Cases, chosen: Mapping[str, Any]) -> _Made:
    scale, scores = _scaled(known, chosen)
    member = linear_member("scale", INPUTS)
    return _Made(
        (member,),
        {str(member.file): scale.to_bytes()},
        Head(
            kind="scaled_quantiles",
            interval_level=0.8,
            scale=float(np.sqrt(known.horizon)),
            residual_quantiles=tuple(zip(LEVELS, scores.tolist(), strict=True)),
        ),
    )


def _net(train: Cases, *, chosen: Mapping[str, Any], seed: int, team: Fitting) -> QuantileNet:
    return quantile_net.fit_quantile_net(
        train.columns(*INPUTS),
        train.outcomes,
        LEVELS,
        hidden=tuple(chosen["hidden"]),
        epochs=chosen["epochs"],
        seed=seed,
        fit=team,
    )


def _fit_of(chosen: Mapping[str, Any], learn: Learn | None) -> Fit:
    """Return what forecasts the quantiles; a blend those of both its members side by side."""
    scaled = _fit_scaled(chosen)
    if learn is None:
        return scaled

    def net(train: Cases, test: Cases) -> Floats:
        return learn(train)(test.columns(*INPUTS))

    def both(train: Cases, test: Cases) -> Floats:
        return np.hstack([scaled(train, test), net(train, test)])

    return both if chosen["tier"] == "blend" else net


def _net_made(net: QuantileNet, chosen: Mapping[str, Any]) -> _Made:
    member = Member(
        name="net",
        runtime=chosen["serve_with"],
        file="weights/net.safetensors",
        architecture="monotone_quantiles",
        options={
            "inputs": len(INPUTS),
            "hidden": list(net.hidden),
            "outputs": len(LEVELS),
            "activation": quantile_net.ACTIVATION,
            "anchor": net.anchor,
        },
        columns=INPUTS,
    )
    standardize = PreprocessingStep(
        type="standardize",
        parameters={
            "means": dict(zip(INPUTS, net.means.tolist(), strict=True)),
            "deviations": dict(zip(INPUTS, net.deviations.tolist(), strict=True)),
        },
        order=1,
    )
    head = Head(kind="quantiles", levels=LEVELS, interval_level=0.8, scale=net.scale)
    return _Made((member,), {str(member.file): net.to_bytes()}, head, (standardize,))


def _made(
    known: Cases, chosen: Mapping[str, Any], learn: Learn | None, weight: float | None
) -> _Made:
    if learn is None:
        return _scaled_made(known, chosen)
    net = learn(known)
    return _net_made(net, chosen) if weight is None else _blend_made(known, chosen, net, weight)


def _blend_made(
    known: Cases, chosen: Mapping[str, Any], fitted: QuantileNet, weight: float
) -> _Made:
    scale, scores = _scaled(known, chosen)
    net = _net_made(fitted, chosen)
    file = "weights/scale.safetensors"
    member = Member(
        name="scale",
        runtime="numpy",
        file=file,
        architecture="scaled_quantiles",
        options={"inputs": len(INPUTS), "outputs": len(LEVELS)},
        columns=INPUTS,
        weight=weight,
    )
    weights = quantile_blend.scaled_member_bytes(
        scale,
        # The head multiplies what both of them say.
        np.sqrt(known.horizon) * scores / fitted.scale,
        means=fitted.means,
        deviations=fitted.deviations,
    )
    other = msgspec.structs.replace(net.members[0], weight=1.0 - weight)
    return _Made((member, other), {file: weights, **net.files}, net.head, net.steps)


_SUFFIXES = {"numpy": "", "torch": "-net", "blend": "-blend"}
_OPTIMIZERS = {"numpy": "Newton", "torch": "AdamW", "blend": "Newton; AdamW"}
RETURN_QUANTILES = ReturnQuantilesRecipe()
