import math

import numpy as np
import pytest

from inference.monitoring.adwin import Adwin
from inference.monitoring.anomalies import is_anomalous
from inference.monitoring.drift import (
    drift,
    kolmogorov_p,
    kolmogorov_smirnov,
    psi,
    uniform_distance,
)


def test_psi_of_known_shares_is_what_its_definition_says() -> None:
    reference = np.repeat([0.0, 1.0], 5_000)
    current = np.repeat([0.0, 1.0], [2_500, 7_500])
    expected = (0.25 - 0.5) * math.log(0.25 / 0.5) + (0.75 - 0.5) * math.log(0.75 / 0.5)
    assert psi(reference, current) == pytest.approx(expected, rel=2e-3)
    assert psi(reference, reference) == 0.0


def test_missing_numbers_are_a_value_of_their_own() -> None:
    reference = np.linspace(0, 1, 1_000)
    current = np.where(np.arange(1_000) % 4 == 0, np.nan, reference)
    moved = drift(reference, current)
    assert moved.psi > 1.0
    assert moved.ks < 0.01, "what is known is as it was"
    assert moved.level == "stable" if moved.p > 0.01 else moved.level == "large"
    assert math.isfinite(psi(reference, np.full(50, np.nan)))


@pytest.mark.parametrize(
    ("distance", "count", "p"),
    # scipy.special.kolmogorov of Stephens' argument.
    [(0.05, 1_000, 0.01287), (0.02, 1_000, 0.81307), (0.2, 100, 0.00055), (0.01, 100, 1.0)],
)
def test_kolmogorovs_p_is_the_published_series(distance: float, count: float, p: float) -> None:
    root = math.sqrt(count)
    x = (root + 0.12 + 0.11 / root) * distance
    # The other series, which converges where the first does not (Jacobi's theta function).
    other = 1.0 - math.sqrt(2 * math.pi) / x * sum(
        math.exp(-((2 * k - 1) ** 2) * math.pi**2 / (8 * x * x)) for k in range(1, 60)
    )
    assert kolmogorov_p(distance, count) == pytest.approx(other, abs=1e-9)
    assert kolmogorov_p(distance, count) == pytest.approx(p, abs=2e-3)


def test_two_equal_samples_are_at_no_distance_and_disjoint_ones_at_all() -> None:
    values = np.linspace(0, 1, 200)
    assert kolmogorov_smirnov(values, values)[0] == 0.0
    distance, p = kolmogorov_smirnov(values, values + 2)
    assert distance == 1.0
    assert p < 1e-9


def test_what_comes_from_the_same_source_is_stable_as_often_as_promised() -> None:
    rng = np.random.default_rng(7)
    levels = [drift(rng.normal(size=1_000), rng.normal(size=300)).level for _ in range(300)]
    assert levels.count("stable") >= 297
    ps = [kolmogorov_smirnov(rng.normal(size=400), rng.normal(size=400))[1] for _ in range(500)]
    assert 0.02 <= np.mean(np.array(ps) < 0.05) <= 0.08


def test_a_shift_of_one_deviation_is_large_and_neighbours_make_it_less_sure() -> None:
    rng = np.random.default_rng(8)
    reference, current = rng.normal(size=2_000), rng.normal(1.0, size=60)
    assert drift(reference, current).level == "large"
    assert drift(reference, current, overlap=22).p > drift(reference, current).p


def test_of_few_rows_nothing_is_said() -> None:
    few = drift(np.zeros(500), np.ones(29))
    assert few.level == "too few"
    assert math.isnan(few.psi)


def test_uniform_numbers_are_uniform_and_others_are_not() -> None:
    rng = np.random.default_rng(9)
    assert uniform_distance(rng.uniform(size=500))[1] > 0.01
    assert uniform_distance(rng.beta(2, 2, size=500))[1] < 0.001
    assert uniform_distance(np.array([])) == (0.0, 1.0)


def test_adwin_sees_a_change_soon_and_forgets_what_was_before() -> None:
    rng, watch = np.random.default_rng(10), Adwin()
    for value in rng.uniform(0.0, 0.4, size=1_000):
        watch.update(float(value))
    seen = [
        index for index, value in enumerate(rng.uniform(0.6, 1.0, size=300)) if watch.update(value)
    ]
    assert seen[0] < 40
    assert watch.mean == pytest.approx(0.8, abs=0.03)
    assert watch.count < 400


def test_adwin_is_seldom_wrong_and_its_window_is_exact() -> None:
    rng, alarms = np.random.default_rng(11), 0
    for _ in range(20):
        watch, values = Adwin(low=-1.0, high=3.0), rng.uniform(-1, 3, size=1_000)
        alarms += sum(watch.update(float(value)) for value in values)
        assert watch.mean == pytest.approx(values[-watch.count :].mean(), abs=1e-9)
    assert alarms <= 2


def test_adwins_memory_grows_with_the_logarithm() -> None:
    watch = Adwin()
    for _ in range(20_000):
        watch.update(0.5)
    assert watch.count == 20_000
    assert sum(len(row) for row in watch._rows) <= 6 * (math.log2(20_000) + 1)


def test_an_answer_unlike_all_others_is_noticed_and_a_large_one_is_not() -> None:
    rng = np.random.default_rng(12)
    earlier = np.exp(rng.normal(-9.0, 0.8, size=500))
    assert not is_anomalous(float(np.exp(-9 + 3 * 0.8)), earlier)
    assert is_anomalous(float(np.exp(-9 + 12 * 0.8)), earlier)
    assert is_anomalous(float("inf"), earlier)
    assert not is_anomalous(1e9, earlier[:49]), "too few to say"
    assert is_anomalous(2.0, np.ones(100))
    assert not is_anomalous(1.0, np.ones(100))
