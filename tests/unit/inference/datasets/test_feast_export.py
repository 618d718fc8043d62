"""What is written for Feast, joined as Feast joins: by one time, and no look at the other."""

import random
from pathlib import Path

import duckdb
import msgspec
import numpy as np
import pytest

from inference.datasets import commands
from inference.datasets.feast_export import MARK, export_feast, find_feast
from inference.datasets.feature_sets import ValueColumn
from inference.datasets.offline_features import OfflineFeatures
from inference.datasets.point_in_time import Asked
from inference.errors import BadInput, MissingFramework
from tests.fakes.feature_rows import Row, day, definition, fill_with


@pytest.fixture
def store(tmp_path: Path) -> OfflineFeatures:
    return OfflineFeatures(tmp_path / "features")


@pytest.mark.parametrize("seed", range(4))
def test_the_last_row_by_one_time_is_the_answer_of_two_times_and_a_ttl(
    store: OfflineFeatures, tmp_path: Path, seed: int
) -> None:
    dice = random.Random(seed)
    view = definition(ttl_days=2)
    moments = {
        (dice.choice("AB"), dice.randrange(60) / 4, dice.randrange(80) / 4) for _ in range(80)
    }
    rows = [Row(who, event, known, dice.random(), "x") for who, event, known in moments]
    store.add(view, fill_with(rows), seen=day(100))
    (name,) = export_feast(store, [view], tmp_path / "feast")
    asked = [(who, quarter / 4) for who in "AB" for quarter in range(100)]
    times = np.array([day(when).replace(tzinfo=None) for _, when in asked], "datetime64[us]")

    file = tmp_path / "feast" / "data" / f"{name}.parquet"
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        database.register("asked", {"who": np.array([w for w, _ in asked], object), "at": times})
        found = database.execute(
            f"SELECT f.value FROM asked a ASOF LEFT JOIN '{file}' f ON a.who = f.who AND "
            "timezone('UTC', a.at) >= f.event_timestamp ORDER BY a.who, a.at"
        ).fetchall()
        repeated = database.execute(
            f"SELECT count(*) FROM '{file}' GROUP BY who, event_timestamp HAVING count(*) > 1"
        ).fetchall()

    ours = store.at(view, Asked([who for who, _ in asked], times)).columns["value"].tolist()
    assert [None if one != one else one for one in ours] == [row[0] for row in found]
    assert repeated == []


def test_what_is_written_is_python_and_says_who_wrote_it(
    store: OfflineFeatures, tmp_path: Path
) -> None:
    view = msgspec.structs.replace(definition(), description='it\'s "odd"\nindeed')
    store.add(view, fill_with([Row("A", 0, 0, 1.0)]), seen=day(1))

    assert export_feast(store, [view], tmp_path / "feast") == ["made_rows_v1"]
    text = (tmp_path / "feast" / "views.py").read_text()
    compile(text, "views.py", "exec")
    assert text.startswith(MARK)
    assert export_feast(store, [view], tmp_path / "feast") == ["made_rows_v1"]
    left = {path.name for path in (tmp_path / "feast").rglob("*")}
    assert left == {"feature_store.yaml", "views.py", "data", "made_rows_v1.parquet"}


def test_a_repository_of_somebody_else_is_left_alone(
    store: OfflineFeatures, tmp_path: Path
) -> None:
    view = definition()
    store.add(view, fill_with([Row("A", 0, 0, 1.0)]), seen=day(1))
    (tmp_path / "feature_store.yaml").write_text("project: mine\n")

    with pytest.raises(BadInput, match="not written by this desk"):
        export_feast(store, [view], tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"features", "feature_store.yaml"}


def test_a_view_that_feast_cannot_hold_is_refused_by_name(
    store: OfflineFeatures, tmp_path: Path
) -> None:
    with pytest.raises(BadInput, match=r"no rows yet: outcry features materialize made\.rows@1"):
        export_feast(store, [definition()], tmp_path)
    odd = msgspec.structs.replace(
        definition(), name="odd", columns=(ValueColumn(name="a:b"), ValueColumn(name="c"))
    )

    def fill(database: duckdb.DuckDBPyConnection) -> None:
        row = "('A', '2024-01-01', '2024-01-01', 1, 2)"
        database.execute(f"INSERT INTO incoming VALUES {row}")

    store.add(odd, fill, seen=day(1))
    with pytest.raises(BadInput, match="'a:b'"):
        export_feast(store, [odd], tmp_path)
    with pytest.raises(BadInput, match="no view"):
        export_feast(store, [], tmp_path)


def test_without_feast_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "find_spec", lambda name: None)
    with pytest.raises(MissingFramework, match=r"pip install 'outcry\[feast\]'"):
        find_feast({"PATH": "/nowhere"})
