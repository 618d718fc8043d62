"""Plain forecasts on series whose truth is known."""

import numpy as np
import pytest

from app.services.predictions.market_baselines import baseline
from inference.panel import Panel, Series

CLASSES = ("no", "yes")


def walk(count: int, *, scale: float = 0.01, seed: int = 5, drift: float = 0.0) -> Series:
    """Return bars of a random walk: each opens where the one before closed."""
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(drift + scale * rng.normal(size=count)))
    open_ = np.concatenate([[100.0], close[:-1]])
    half = np.exp(0.5 * scale * np.abs(rng.normal(size=count)))
    times = np.datetime64("2020-01-01", "s") + np.arange(count) * np.timedelta64(86_400, "s")
    high, low = np.maximum(open_, close) * half, np.minimum(open_, close) / half
    return Series("X", times, open_, high, low, close, np.ones(count), close)


def told(task: str, series: Series, horizon: int = 5) -> object:
    found = baseline(
        task, Panel("1d", (series,)), "X", horizon, levels=(0.1, 0.5, 0.9), classes=CLASSES
    )
    return found


def test_har_finds_the_level_of_a_series_that_never_changes_it() -> None:
    series = walk(1_500)
    found = baseline("variance", Panel("1d", (series,)), "X", 5, levels=(), classes=())
    assert found is not None
    assert found.name == "log-HAR"
    assert 0.5e-4 < found.value < 1.5e-4
    assert found.interval is not None
    assert found.interval.low < found.value < found.interval.high


def test_filtered_history_scales_with_the_volatility_of_the_day() -> None:
    found = baseline(
        "return_quantiles", Panel("1d", (walk(1_500),)), "X", 5, levels=(0.1, 0.5, 0.9), classes=()
    )
    assert found is not None
    assert found.quantiles is not None
    assert list(found.quantiles) == ["0.1", "0.5", "0.9"]
    assert found.quantiles["0.9"] == pytest.approx(1.28 * 0.01 * 5**0.5, rel=0.35)


def test_the_base_rate_is_how_often_it_rose() -> None:
    series = walk(1_000, drift=0.01)
    found = baseline("direction", Panel("1d", (series,)), "X", 5, levels=(), classes=CLASSES)
    assert found is not None
    assert found.probabilities is not None
    assert found.probabilities["yes"] == pytest.approx(
        float(np.mean(series.close[5:] > series.close[:-5])), abs=0.03
    )


def test_turbulence_is_said_to_follow_turbulence_where_it_did() -> None:
    rng = np.random.default_rng(2)
    scale = np.repeat(np.where(rng.random(40) < 0.3, 0.03, 0.005), 50)
    close = 100 * np.exp(np.cumsum(scale * rng.normal(size=2_000)))
    open_ = np.concatenate([[100.0], close[:-1]])
    calm_end = Series(
        "X",
        np.datetime64("2020-01-01", "s") + np.arange(2_000) * np.timedelta64(86_400, "s"),
        open_,
        np.maximum(open_, close),
        np.minimum(open_, close),
        close,
        np.ones(2_000),
        close,
    )
    found = baseline(
        "volatility_regime", Panel("1d", (calm_end,)), "X", 5, levels=(), classes=CLASSES
    )
    assert found is not None
    assert found.probabilities is not None
    storm = scale[-1] > 0.01
    assert (found.probabilities["yes"] > 0.5) == storm


def test_too_short_a_history_has_no_baseline() -> None:
    for task in ("variance", "return_quantiles", "volatility_regime", "direction"):
        assert told(task, walk(120)) is None
        assert told(task, walk(4)) is None
    assert told("sentiment", walk(1_000)) is None


@pytest.mark.parametrize("task", ["variance", "return_quantiles", "volatility_regime", "direction"])
def test_a_poisoned_future_changes_no_baseline(task: str) -> None:
    series = walk(1_200)
    cut = Panel("1d", (series,)).until(series.times[899])
    poisoned = walk(1_200)
    for name in ("open", "high", "low", "close", "total"):
        getattr(poisoned, name)[900:] *= 7.0
    again = Panel("1d", (poisoned,)).until(series.times[899])
    asked = dict(levels=(0.1, 0.9), classes=CLASSES)
    assert baseline(task, cut, "X", 5, **asked) == baseline(task, again, "X", 5, **asked)  # type: ignore[arg-type]
