import math
from uuid import UUID

import numpy as np
import pytest

from inference.monitoring.evidence import gather
from inference.monitoring.sample_ratio import assigned, mismatch_p
from inference.monitoring.skill import fading, live_calibration, live_skill, wilson

DAY = 86_400
EXPERIMENT = UUID("01a20000-0000-7000-8000-000000000001")


def days(count: int, each: int = 1) -> np.ndarray[tuple[int], np.dtype[np.datetime64]]:
    start = np.datetime64("2020-01-01", "s")
    return np.repeat(start + np.arange(count) * np.timedelta64(DAY, "s"), each)


def test_a_look_every_day_for_years_finds_nothing_where_there_is_nothing() -> None:
    rng, wrong = np.random.default_rng(1), 0
    for _ in range(300):
        champion, challenger = rng.gamma(0.5, 2.0, size=(2, 1_000))
        # `gather` reports the largest capital on the way: this is a look on each of 1,000 days.
        wrong += gather(champion, challenger, days(1_000), horizon_s=DAY).says(0.05) is not None
    assert wrong / 300 <= 0.10, "5 % to each side at most"


def test_a_better_challenger_is_found_and_a_worse_one_is_caught() -> None:
    rng = np.random.default_rng(2)
    champion = rng.gamma(2.0, 1.0, size=600)
    better = champion - 0.3 + rng.normal(0, 0.6, size=600)
    found = gather(champion, better, days(600), horizon_s=DAY)
    assert found.says(0.01) == "better"
    assert found.mean_difference == pytest.approx(0.3, abs=0.08)
    assert gather(better, champion, days(600), horizon_s=DAY).says(0.01) == "worse"


def test_one_wild_day_does_not_decide() -> None:
    rng = np.random.default_rng(3)
    champion, challenger = rng.gamma(2.0, 1.0, size=(2, 200))
    before = gather(champion, challenger, days(200), horizon_s=DAY)
    challenger = np.where(np.arange(200) == 150, 1e6, challenger)
    assert gather(champion, challenger, days(200), horizon_s=DAY).says(0.05) is None
    assert before.says(0.05) is None


def test_forecasts_of_one_day_are_one_round_and_overlapping_ones_are_left_out() -> None:
    losses, times = np.arange(40.0), days(10, each=4)
    assert gather(losses, losses, times, horizon_s=DAY).rounds == 10
    assert gather(losses, losses, times, horizon_s=5 * DAY).rounds == 2
    nothing = gather(losses[:0], losses[:0], times[:0], horizon_s=DAY)
    assert (nothing.rounds, nothing.better, nothing.says(0.05)) == (0, 1.0, None)
    assert math.isnan(nothing.mean_difference)


def test_equal_forecasts_prove_nothing() -> None:
    same = np.ones(500)
    assert gather(same, same, days(500), horizon_s=DAY).says(0.05) is None


def test_a_unit_always_gets_the_same_model_and_the_share_holds() -> None:
    got = [assigned(EXPERIMENT, f"unit {n}", 0.2) for n in range(5_000)]
    assert got == [assigned(EXPERIMENT, f"unit {n}", 0.2) for n in range(5_000)]
    assert mismatch_p(sum(got), 5_000, 0.2) > 0.001
    assert not any(assigned(EXPERIMENT, f"{n}", 0.0) for n in range(100))
    assert all(assigned(EXPERIMENT, f"{n}", 1.0) for n in range(100))
    other = UUID(int=EXPERIMENT.int + 1)
    assert got != [assigned(other, f"unit {n}", 0.2) for n in range(5_000)]


def test_a_broken_split_is_noticed() -> None:
    assert mismatch_p(500, 1_000, 0.5) == 1.0
    assert mismatch_p(560, 1_000, 0.5) < 0.001
    assert mismatch_p(0, 12, 0.5) == pytest.approx(2 * 0.5**12)
    assert mismatch_p(6, 12, 0.5) == pytest.approx(1.0)
    assert mismatch_p(0, 0, 0.5) == 1.0


def test_live_skill_covers_the_truth() -> None:
    rng, covered = np.random.default_rng(4), 0
    for _ in range(200):
        baseline = rng.gamma(2.0, 1.0, size=400)
        losses = baseline * 0.9 + rng.normal(0, 0.5, size=400)
        found = live_skill(losses, baseline, days(400), horizon_moments=1)
        covered += found.low <= 0.1 <= found.high
    assert covered / 200 == pytest.approx(0.95, abs=0.05)
    assert not found.is_lost


def test_a_model_that_is_worse_than_its_baseline_beyond_doubt_is_lost() -> None:
    rng = np.random.default_rng(5)
    baseline = rng.gamma(2.0, 1.0, size=300)
    assert live_skill(baseline * 1.5, baseline, days(300), horizon_moments=5).is_lost
    assert not live_skill(baseline[:20] * 1.5, baseline[:20], days(20), horizon_moments=1).is_lost
    assert math.isnan(live_skill(baseline[:0], baseline[:0], days(0), horizon_moments=1).skill)


def test_skill_that_fades_is_seen_soon_and_steady_skill_is_not() -> None:
    rng = np.random.default_rng(6)
    steady = rng.normal(-0.2, 1.0, size=300)
    assert fading(steady, reference=150).since is None
    worse = np.append(steady[:200], rng.normal(1.0, 1.0, size=60))
    seen = fading(worse, reference=150)
    assert seen.since is not None
    assert 150 <= seen.since <= 215
    assert fading(steady[:20], reference=10).since is None


def test_calibration_counts_what_lay_inside() -> None:
    rng = np.random.default_rng(7)
    inside = (rng.uniform(size=1_000) < 0.8).astype(float)
    told = live_calibration(inside, np.append(rng.uniform(size=400), np.full(600, np.nan)))
    assert told.low <= 0.8 <= told.high
    assert told.pit_p > 0.01
    assert live_calibration(inside, rng.beta(5, 5, size=1_000)).pit_p < 1e-6
    assert math.isnan(live_calibration(inside[:0], inside[:0]).coverage)


def test_wilsons_interval_is_the_textbooks() -> None:
    low, high = wilson(8, 10)
    assert [low, high] == pytest.approx([0.4902, 0.9433], abs=1e-3)
    assert wilson(0, 0) == (0.0, 1.0)
