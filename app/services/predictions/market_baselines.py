"""What plain ways of forecasting say at the same moment, from the same bars. Pure.

They are the baselines that models are evaluated beside
(`inference/training/models/baselines.py`), fitted on nothing but the panel they are given, which
ends where the forecast is made: a baseline has no more to go by than the model beside it.
"""

from collections.abc import Mapping
from weakref import WeakKeyDictionary

import numpy as np

from app.domain.predictions import BaselineForecast, Interval
from inference.datasets.market_features import REGIME, VOLATILITY
from inference.datasets.market_targets import (
    return_ahead,
    rise_ahead,
    turbulence_ahead,
    variance_ahead,
)
from inference.datasets.views import FeatureView
from inference.panel import Panel
from inference.requests import Floats
from inference.training.evaluation.walk_forward import Cases, Target, cases_of
from inference.training.models import baselines

LEAST_CASES = 250
"""With fewer past cases nothing is fitted, and no baseline is given."""
LEVEL = 0.8
"""Nominal coverage of the interval of a baseline."""
_BELOW, _ABOVE = (1.0 - LEVEL) / 2.0, (1.0 + LEVEL) / 2.0
_MADE_OF: Mapping[str, tuple[FeatureView, Target]] = {
    "variance": (VOLATILITY, variance_ahead),
    "return_quantiles": (VOLATILITY, return_ahead),
    "volatility_regime": (REGIME, turbulence_ahead),
    "direction": (VOLATILITY, rise_ahead),
}
_cases: WeakKeyDictionary[Panel, dict[tuple[str, int], Cases]] = WeakKeyDictionary()
"""A panel is computed once, however many of its instruments are forecast."""


def baseline(
    task: str,
    panel: Panel,
    symbol: str,
    horizon: int,
    *,
    levels: tuple[float, ...],
    classes: tuple[str, ...],
) -> BaselineForecast | None:
    """Return the baseline of a task; None where there is none, or too little history."""
    if task not in _MADE_OF or min(map(len, panel.series)) <= horizon + 1:
        return None
    cases = _known(panel, task, horizon)
    now = cases.pick(
        (cases.symbols == cases.symbol_names.index(symbol))
        & (cases.times == panel.of(symbol).times[-1])
    )
    past = cases.pick(np.isfinite(cases.outcomes))
    if not len(now) or len(past) < LEAST_CASES:
        return None
    if task == "variance":
        return _log_har(past, now)
    if task == "return_quantiles":
        return _filtered_history(past, now, levels or (_BELOW, 0.5, _ABOVE))
    if task == "volatility_regime":
        share = baselines.persistence("turbulent")(past, now)
        return _of_event("persistence", float(share[0]), classes)
    return _of_event("climatology", float(baselines.climatology(past, now)[0]), classes)


def _known(panel: Panel, task: str, horizon: int) -> Cases:
    """Return the cases of a panel, made once."""
    made = _cases.setdefault(panel, {})
    view, target = _MADE_OF[task]
    if (task, horizon) not in made:
        made[task, horizon] = cases_of(
            panel, view, target, horizon=horizon, extra=baselines.ewma_column
        )
    return made[task, horizon]


def _log_har(past: Cases, now: Cases) -> BaselineForecast:
    value = float(baselines.log_har(past, now)[0])
    residuals = np.log(past.outcomes / baselines.log_har(past, past))
    low, high = (np.exp(np.quantile(residuals, [_BELOW, _ABOVE])) * value).tolist()
    return BaselineForecast(
        name="log-HAR", value=value, interval=Interval(low=low, high=high, level=LEVEL)
    )


def _filtered_history(past: Cases, now: Cases, levels: tuple[float, ...]) -> BaselineForecast:
    def at(shares: tuple[float, ...]) -> Floats:
        found: Floats = baselines.filtered_history(shares)(past, now)[0]
        return found

    low, middle, high = at((_BELOW, 0.5, _ABOVE)).tolist()
    return BaselineForecast(
        name="filtered historical simulation",
        value=middle,
        interval=Interval(low=low, high=high, level=LEVEL),
        quantiles={
            f"{level:g}": value for level, value in zip(levels, at(levels).tolist(), strict=True)
        },
    )


def _of_event(name: str, share: float, classes: tuple[str, ...]) -> BaselineForecast | None:
    if len(classes) != 2:
        return None
    return BaselineForecast(
        name=name,
        value=classes[1] if share > 0.5 else classes[0],
        probabilities={classes[0]: 1.0 - share, classes[1]: share},
    )
