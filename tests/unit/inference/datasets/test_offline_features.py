import os
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import msgspec
import numpy as np
import pytest

from inference.datasets.feature_sets import FeatureSet, ValueColumn, check_definition
from inference.datasets.offline_features import Cursor, OfflineFeatures
from inference.datasets.offline_index import INDEX
from inference.datasets.point_in_time import Asked
from inference.errors import BadInput, DamagedArtifact
from tests.fakes.feature_rows import Row, day, definition, fill_with

VIEW = definition()


@pytest.fixture
def store(tmp_path: Path) -> OfflineFeatures:
    return OfflineFeatures(tmp_path)


def value(store: OfflineFeatures, when: float, view: FeatureSet = VIEW) -> float | None:
    asked = Asked(["A"], np.array([day(when).replace(tzinfo=None)], "datetime64[us]"))
    found = store.at(view, asked).columns["value"].tolist()[0]
    return None if found != found else found


def test_the_same_rows_again_are_no_news(store: OfflineFeatures) -> None:
    rows = [Row("A", 0, 0, 1.0), Row("A", 1, 1, None), Row("B", 0, 2, 2.0, None)]
    first = store.add(VIEW, fill_with(rows), seen=day(5))
    again = store.add(VIEW, fill_with(rows), seen=day(6))

    index = store.index(VIEW)
    assert (first.new, first.corrected, again.rows) == (3, 0, 0)
    assert index is not None
    assert (index.rows, index.entities, index.batch) == (3, 2, 1)
    assert (index.first_event_at, index.newest_event_at) == (day(0), day(1))


def test_a_correction_is_known_when_it_was_seen(store: OfflineFeatures) -> None:
    store.add(VIEW, fill_with([Row("A", 0, 0, 1.0)]), seen=day(1))
    news = store.add(VIEW, fill_with([Row("A", 0, 0, 7.0)]), seen=day(2))
    again = store.add(VIEW, fill_with([Row("A", 0, 0, 7.0)]), seen=day(2.5))

    assert (news.corrected, again.rows) == (1, 0)
    assert [value(store, when) for when in (0, 1.9, 2, 2.9)] == [1.0, 1.0, 7.0, 7.0]


def test_a_restatement_is_known_when_its_source_says(store: OfflineFeatures) -> None:
    store.add(VIEW, fill_with([Row("A", 0, 0, 1.0)]), seen=day(1))
    news = store.add(VIEW, fill_with([Row("A", 0, 0, 1.0), Row("A", 0, 1.5, 2.0)]), seen=day(2.5))

    assert (news.new, news.corrected) == (1, 0)
    assert [value(store, when) for when in (1.4, 1.5)] == [1.0, 2.0]


def test_an_older_word_that_is_changed_does_not_come_back_as_the_newest(
    store: OfflineFeatures,
) -> None:
    store.add(VIEW, fill_with([Row("A", 0, 0, 1.0), Row("A", 0, 1, 2.0)]), seen=day(1))
    news = store.add(VIEW, fill_with([Row("A", 0, 0, 9.0), Row("A", 0, 1, 2.0)]), seen=day(2))

    assert news.rows == 0
    assert value(store, 2.5) == 2.0


def test_a_row_that_came_late_was_not_known_before(store: OfflineFeatures) -> None:
    view = definition(known=None, lag_days=0.5, ttl_days=30)
    store.add(view, fill_with([Row("A", 0, None, 1.0), Row("A", 4, None, 5.0)]), seen=day(5))
    news = store.add(view, fill_with([Row("A", 2, None, 3.0), Row("B", 2, None, 3.0)]), seen=day(9))

    assert (news.new, news.late) == (2, 1)
    assert [value(store, when, view) for when in (0.4, 0.5, 3, 4.4, 4.5, 10)] == [
        *(None, 1.0, 1.0, 1.0, 5.0, 5.0)
    ]
    # Of another entity nothing had been stored: its past is a past.
    moment = np.array([day(2.5).replace(tzinfo=None)], "datetime64[us]")
    assert store.at(view, Asked(["B"], moment)).columns["value"].tolist() == [3.0]


def test_numbers_that_differ_in_their_last_bits_are_the_same(store: OfflineFeatures) -> None:
    store.add(VIEW, fill_with([Row("A", 0, 0, 0.1 + 0.2)]), seen=day(1))

    assert store.add(VIEW, fill_with([Row("A", 0, 0, 0.3)]), seen=day(2)).rows == 0


def test_files_go_by_year_and_are_joined_when_they_are_many(
    store: OfflineFeatures, tmp_path: Path
) -> None:
    for number in range(15):
        rows = [Row("A", number, number, float(number)), Row("A", 400 + number, 500, 0.0)]
        store.add(VIEW, fill_with(rows), seen=day(number))

    index = store.index(VIEW)
    assert index is not None
    assert (index.rows, index.batch) == (30, 15)
    assert {one.year for one in index.files} == {2024, 2025}
    assert len(index.files) == 6
    assert sum(one.rows for one in index.files) == 30
    assert [value(store, when) for when in (0, 7.5, 14)] == [0.0, 7.0, 14.0]
    # What was joined two changes ago is gone; nothing else lies about.
    on_disk = {path.name for path in (tmp_path / VIEW.key).iterdir()}
    assert on_disk == {INDEX, ".lock", *(one.name for one in index.files)}
    everything = [row for some in store.newest(VIEW, Cursor(), now=day(600)) for row in some]
    assert [(row.entity, row.event_time) for row in everything] == [("A", day(414))]


def test_what_a_dead_process_left_is_not_read_and_is_removed(
    store: OfflineFeatures, tmp_path: Path
) -> None:
    """Killed between its files and its index: the files are there, and belong to nothing."""
    store.add(VIEW, fill_with([Row("A", 0, 0, 1.0)]), seen=day(1))
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from inference.datasets import offline_features as o\n"
        "from tests.fakes.feature_rows import Row, day, definition, fill_with\n"
        "o.write_index = lambda *_: os.kill(os.getpid(), signal.SIGKILL)\n"
        "store = o.OfflineFeatures(Path(sys.argv[1]))\n"
        "store.add(definition(), fill_with([Row('A', 0, 1, 9.0)]), seen=day(2))\n"
    )
    died = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)],
        check=False,
        env=os.environ | {"PYTHONPATH": os.getcwd()},
        timeout=50,
    )
    files = sorted(path.name for path in (tmp_path / VIEW.key).glob("*.parquet"))
    assert (died.returncode, len(files)) == (-signal.SIGKILL, 2)

    assert value(store, 2) == 1.0
    store.add(VIEW, fill_with([Row("A", 0, 1, 2.0)]), seen=day(2))

    assert value(store, 2) == 2.0
    index = store.index(VIEW)
    assert index is not None
    on_disk = {path.name for path in (tmp_path / VIEW.key).glob("*.parquet")}
    assert on_disk == {one.name for one in index.files}


def test_damage_is_told(store: OfflineFeatures, tmp_path: Path) -> None:
    store.add(VIEW, fill_with([Row("A", 0, 0, 1.0)]), seen=day(1))
    (file,) = (tmp_path / VIEW.key).glob("*.parquet")
    whole = file.read_bytes()
    file.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DamagedArtifact, match=r"made\.rows@1 cannot be read"):
        value(store, 1)
    file.unlink()
    with pytest.raises(DamagedArtifact, match=r"made\.rows@1 cannot be read"):
        value(store, 1)
    (tmp_path / VIEW.key / INDEX).write_text("{")
    with pytest.raises(DamagedArtifact, match="index"):
        value(store, 1)


def test_whoever_stops_it_leaves_everything_as_it_was(store: OfflineFeatures) -> None:
    store.add(VIEW, fill_with([Row("A", 0, 0, 1.0)]), seen=day(1))

    def stop(_: float, stage: str) -> None:
        raise RuntimeError(stage)

    with pytest.raises(RuntimeError, match="comparing"):
        store.add(VIEW, fill_with([Row("A", 0, 0, 2.0)]), seen=day(2), progress=stop)

    assert value(store, 2) == 1.0


def test_a_store_begun_anew_is_taken_from_its_beginning(tmp_path: Path) -> None:
    first, second = OfflineFeatures(tmp_path / "1"), OfflineFeatures(tmp_path / "2")
    for store in (first, second):
        store.add(VIEW, fill_with([Row("A", 0, 0, 1.0)]), seen=day(1))
    index = first.index(VIEW)
    assert index is not None
    cursor = Cursor(store=index.store, batch=index.batch, until=day(2))

    assert list(first.newest(VIEW, cursor, now=day(2))) == []
    assert len(list(second.newest(VIEW, cursor, now=day(2)))) == 1


def test_a_source_that_breaks_is_not_taken_for_damage(store: OfflineFeatures) -> None:
    def fill(database: duckdb.DuckDBPyConnection) -> None:
        database.execute("INSERT INTO incoming SELECT * FROM nowhere")

    with pytest.raises(duckdb.CatalogException):
        store.add(VIEW, fill, seen=day(1))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"name": "../up"}, "lower case words"),
        ({"columns": ()}, "from 1 to 500"),
        ({"columns": (ValueColumn(name="a"), ValueColumn(name="A"))}, "twice"),
        ({"columns": (ValueColumn(name="__Known"),)}, "uses that name itself"),
        ({"ttl_seconds": 0.0}, "ttlSeconds"),
        ({"ttl_seconds": float("nan")}, "ttlSeconds"),
        ({"lag_seconds": -1.0}, "lagSeconds"),
    ],
)
def test_a_definition_that_makes_no_sense_is_refused(change: dict[str, object], why: str) -> None:
    with pytest.raises(BadInput, match=why):
        check_definition(msgspec.structs.replace(VIEW, **change))
