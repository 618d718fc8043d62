"""What is said of columns is what another library computes, also at the edges."""

import math
from datetime import UTC, datetime

import numpy as np
import pytest

from inference.datasets.profile import DatasetFeature, profile_table
from inference.datasets.tables import from_arrays, opened


def profiled(**columns: object) -> dict[str, DatasetFeature]:
    arrays = {
        name: np.array(values, dtype=object if isinstance(values[0], str) else None)  # type: ignore[index]
        for name, values in columns.items()
    }
    with opened() as database:
        table = from_arrays(database, "t", arrays)
        return {feature.name: feature for feature in profile_table(database, table)}


def test_numbers_are_described_as_numpy_describes_them() -> None:
    values = np.random.default_rng(3).gamma(2.0, 5.0, 1000)

    feature = profiled(x=values)["x"]

    said = feature.statistics
    assert feature.type == "numeric"
    assert said.mean == pytest.approx(values.mean(), rel=1e-12)
    assert said.median == pytest.approx(np.median(values), rel=1e-12)
    assert said.std == pytest.approx(values.std(ddof=1), rel=1e-10)
    assert (said.min, said.max) == (values.min(), values.max())
    assert (said.unique, said.missing) == (1000, 0)
    assert said.distribution is not None
    assert list(said.distribution.values()) == list(np.histogram(values, 20)[0])


def test_what_is_not_finite_counts_as_missing() -> None:
    said = profiled(x=[1.0, 2.0, math.nan, math.inf])["x"].statistics

    assert (said.missing, said.unique, said.mean, said.max) == (2, 2, 1.5, 2.0)


def test_the_whole_range_of_doubles_neither_overflows_nor_loses_a_row() -> None:
    said = profiled(x=[1e308, -1e308, 0.0, 5.0, 5e-324])["x"].statistics

    assert said.std is not None
    assert math.isfinite(said.std)
    assert said.distribution is not None
    assert sum(said.distribution.values()) == 5


def test_ranges_that_read_alike_are_told_apart() -> None:
    said = profiled(x=1e12 + np.arange(40) * 1e-3)["x"].statistics

    assert said.distribution is not None
    assert len(said.distribution) == 20
    assert sum(said.distribution.values()) == 40


def test_words_that_return_are_categories_and_others_are_texts() -> None:
    found = profiled(
        side=["buy", "sell", "buy", "buy", "", "sell"],
        note=["a", "bb", "ccc", "dddd", "eeeee", "ffffff"],
    )

    side, note = found["side"], found["note"]
    assert side.type == "categorical"
    assert side.statistics.distribution == {"buy": 3, "sell": 2}
    assert side.statistics.missing == 1
    assert side.statistics.mean is None
    assert note.type == "text"
    assert (note.statistics.mean, note.statistics.max) == (3.5, 6.0)


def test_rare_values_are_counted_together() -> None:
    values = [str(number) for number in range(30) for _ in range(3)]

    said = profiled(x=values)["x"].statistics

    assert said.distribution is not None
    assert len(said.distribution) == 21
    assert said.distribution["(others)"] == 30


def test_moments_and_truths_have_their_own_numbers() -> None:
    days = np.array(["2024-01-01", "2024-01-03", "NaT"], dtype="datetime64[s]")

    found = profiled(day=days, up=np.array([True, False, True]))

    day, up = found["day"], found["up"]
    assert day.type == "datetime"
    assert day.statistics.min == datetime(2024, 1, 1, tzinfo=UTC).timestamp()
    assert day.statistics.missing == 1
    assert day.statistics.distribution is not None
    assert next(iter(day.statistics.distribution)).startswith("2024-01-01T00:00:00Z ..")
    assert up.type == "binary"
    assert up.statistics.distribution == {"true": 2, "false": 1}
    assert up.statistics.mean == pytest.approx(2 / 3)


def test_a_column_without_any_value_is_all_missing() -> None:
    said = profiled(x=[math.nan, math.nan])["x"].statistics

    assert (said.missing, said.unique, said.distribution) == (2, 0, {})
    assert said.mean is None


@pytest.mark.slow
def test_a_million_rows_are_described_in_bounded_memory() -> None:
    count = 1_000_000
    with opened(memory_mib=128) as database:
        database.execute(
            "CREATE TEMP TABLE big AS SELECT i AS id, sin(i) AS x, 'text ' || i AS words, "
            f"i % 7 AS day FROM range({count}) r(i)"
        )
        found = {one.name: one.statistics for one in profile_table(database, "big")}

    assert found["id"].unique == count
    assert found["words"].unique == count
    assert found["day"].unique == 7
