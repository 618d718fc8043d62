"""Every dimension counts what its definition says, on tables made to fail one of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from inference.datasets.quality import DEFINITIONS, DataQuality, QualityReport, Roles, measure
from inference.datasets.tables import from_arrays, opened

START = np.datetime64("2024-01-01", "s")
NOW = datetime(2024, 4, 10, tzinfo=UTC)
ROLES = Roles(time="time", entity="symbol")


def bars(count: int = 100) -> dict[str, Any]:
    close = 100.0 * np.exp(np.cumsum(np.random.default_rng(5).normal(0.0, 0.01, count)))
    return {
        "symbol": np.array(["AAA"] * count, dtype=object),
        "time": START + np.arange(count) * np.timedelta64(1, "D"),
        "open": close,
        "high": close * 1.01,
        "low": close * 0.99,
        "close": close,
        "volume": np.full(count, 1000.0),
    }


def measured(table: dict[str, Any], roles: Roles = ROLES, now: datetime = NOW) -> QualityReport:
    with opened() as database:
        return measure(database, from_arrays(database, "t", table), roles, now=now)


def test_a_clean_series_is_perfect_and_says_how_much_was_looked_at() -> None:
    report = measured(bars())

    assert report.quality == DataQuality(
        completeness=1, accuracy=1, consistency=1, validity=1, uniqueness=1, timeliness=1
    )
    assert report.counts["accuracy"].checked == 100
    assert report.counts["completeness"].checked == 700
    assert set(report.counts) == set(DEFINITIONS)


def test_missing_cells_lower_completeness_alone() -> None:
    table = bars()
    table["volume"][:7] = np.nan

    quality = measured(table).quality

    assert quality.completeness == pytest.approx(1 - 7 / 700)
    assert quality.validity == 1.0


def test_a_tick_that_is_taken_back_lowers_accuracy() -> None:
    table = bars()
    table["close"] = table["close"].copy()
    table["close"][80] *= 1.3

    report = measured(table)

    assert report.counts["accuracy"].wrong == 1
    assert report.quality.accuracy == pytest.approx(0.99)


def test_a_bar_that_contradicts_itself_lowers_consistency() -> None:
    table = bars()
    table["low"][3], table["high"][3] = table["high"][3], table["low"][3]

    assert measured(table).quality.consistency == pytest.approx(0.99)


def test_two_stories_about_one_key_contradict_each_other_and_the_same_twice_does_not() -> None:
    table = bars()
    twice = {name: np.concatenate([column, column[:1]]) for name, column in table.items()}
    other = {name: column.copy() for name, column in twice.items()}
    other["volume"][-1] = 5.0

    same, different = measured(twice).quality, measured(other).quality

    assert same.consistency == 1.0
    assert same.uniqueness == pytest.approx(1 - 1 / 101)
    assert different.consistency == pytest.approx(1 - 2 / 101)


def test_what_was_known_before_it_happened_is_inconsistent() -> None:
    table = bars()
    table["known_at"] = table["time"] + np.timedelta64(1, "h")
    table["known_at"][5] -= np.timedelta64(2, "h")

    roles = Roles(time="time", entity="symbol", known="known_at")

    assert measured(table, roles).quality.consistency == pytest.approx(0.99)


def test_impossible_values_lower_validity() -> None:
    table = bars()
    table["close"] = table["close"].copy()
    table["close"][2], table["volume"][4] = -1.0, -5.0
    table["symbol"][9] = "A\x00A"

    assert measured(table).counts["validity"].wrong == 3


def test_a_moment_in_the_future_is_not_valid() -> None:
    assert measured(bars(), now=NOW - timedelta(days=4)).counts["validity"].wrong == 2


def test_a_series_that_stopped_is_late_by_its_own_rhythm() -> None:
    late = measured(bars(), now=NOW + timedelta(days=19)).quality.timeliness

    # Daily rows, the newest 21 days ago when two days are usual at most.
    assert late == pytest.approx(2 / 20, abs=0.01)


def test_a_table_without_time_is_judged_by_how_far_its_numbers_lie() -> None:
    values = np.random.default_rng(1).normal(size=200)
    values[0] = 1e6

    report = measured({"x": values}, Roles())

    assert report.counts["accuracy"].wrong == 1
    assert report.counts["timeliness"].checked == 0
    assert report.quality.uniqueness == 1.0
