"""Refits see only labels that are over; each case is forecast once, without its outcome."""

from dataclasses import replace

import numpy as np
import pytest

from inference.datasets.catalog import view_for
from inference.datasets.market_targets import variance_ahead
from inference.errors import BadInput
from inference.requests import Floats
from inference.training.evaluation.walk_forward import Cases, Plan, cases_of, folds, forecast
from inference.training.recipe import TooLittleData
from tests.fakes.made_markets import made_panel

VIEW = view_for("market.volatility@1")


def some_cases(horizon: int = 5) -> Cases:
    return cases_of(made_panel(3, 800, seed=3), VIEW, variance_ahead, horizon=horizon)


def noise(bars: int, horizon: int, *, purged: bool) -> Cases:
    """Return cases of white noise whose labels overlap, released in time or at once."""
    dice = np.random.default_rng(7)
    shocks = dice.standard_normal(bars + horizon)
    outcomes = np.array([shocks[i + 1 : i + 1 + horizon].mean() for i in range(bars)])
    times = np.arange(bars).astype("datetime64[D]").astype("datetime64[s]")
    later = (np.arange(bars) + 2 * horizon).astype("datetime64[D]").astype("datetime64[s]")
    return Cases(
        names=("x",),
        rows=shocks[:bars, None],
        outcomes=outcomes,
        times=times,
        released=later if purged else times,
        symbols=np.zeros(bars, dtype=np.int64),
        symbol_names=("N",),
        horizon=horizon,
        aside=np.full(bars, np.nan),
    )


def last_label(train: Cases, test: Cases) -> Floats:
    """Forecast what the newest label in training was: it cannot work, unless labels leak."""
    return np.full(len(test), train.outcomes[-1])


def test_a_planted_leak_is_caught_by_the_purge() -> None:
    skills = {}
    for purged in (False, True):
        cases = noise(1500, 5, purged=purged)
        found, _ = forecast(cases, Plan(refit_bars=1), last_label)
        tested = np.isfinite(found)
        miss = np.mean((found - cases.outcomes)[tested] ** 2)
        skills[purged] = 1.0 - miss / np.mean(cases.outcomes[tested] ** 2)
    assert skills[False] > 0.4
    assert skills[True] < 0.0


@pytest.mark.parametrize("horizon", [1, 5])
def test_no_label_in_training_reaches_a_forecast_or_the_embargo_before_it(horizon: int) -> None:
    cases = some_cases(horizon)
    for fold in folds(cases, Plan(refit_bars=60)):
        cut = cases.times[fold.test].min()
        for symbol in range(3):
            own = np.unique(cases.times[cases.symbols == symbol])
            newest = cases.times[fold.train & (cases.symbols == symbol)].max()
            between = np.searchsorted(own, cut) - np.searchsorted(own, newest)
            assert between == 2 * horizon


def test_every_case_from_the_first_on_is_forecast_once_and_its_outcome_is_hidden() -> None:
    cases = some_cases()
    seen: list[Floats] = []

    def fit(train: Cases, test: Cases) -> Floats:
        assert np.isnan(test.outcomes).all()
        assert np.isfinite(train.outcomes).all()
        seen.append(test.rows)
        return np.full(len(test), 1.0)

    found, refits = forecast(cases, Plan(refit_bars=100), fit)
    tested = np.isfinite(found)
    assert sum(map(len, seen)) == tested.sum()
    assert refits == len(seen) > 1
    known = np.isfinite(cases.outcomes)
    first = cases.times[tested].min()
    assert (tested == (known & (cases.times >= first))).all()


def test_a_rolling_window_forgets() -> None:
    cases = some_cases()
    for fold in folds(cases, Plan(refit_bars=60, window_bars=150)):
        span = cases.times[fold.test].min() - cases.times[fold.train].min()
        assert span <= np.timedelta64(215, "D")


def test_what_happens_after_the_last_forecast_changes_nothing() -> None:
    cases = some_cases()
    half = cases.times[len(cases) // 6]

    def fit(train: Cases, test: Cases) -> Floats:
        return np.full(len(test), train.outcomes.mean()) + test.column("variance_1")

    whole, _ = forecast(cases, Plan(refit_bars=50, test_from="2016-06-01"), fit)
    early = replace(cases, outcomes=np.where(cases.times > half, 1e9, cases.outcomes))
    poisoned, _ = forecast(early, Plan(refit_bars=50, test_from="2016-06-01"), fit)
    before = np.isfinite(whole) & (cases.times <= half)
    np.testing.assert_array_equal(whole[before], poisoned[before])


def test_too_little_data_is_said_with_numbers() -> None:
    short = cases_of(made_panel(1, 120), VIEW, variance_ahead, horizon=5)
    with pytest.raises(TooLittleData, match="300 to learn from"):
        list(folds(short, Plan()))


@pytest.mark.parametrize("options", [{"refit_bars": 0}, {"test_share": 1.0}, {"test_from": "soon"}])
def test_a_plan_that_makes_no_sense_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        list(folds(some_cases(), Plan(**options)))  # type: ignore[arg-type]
