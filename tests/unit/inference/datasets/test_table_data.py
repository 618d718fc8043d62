"""A version of a table, read back as a recipe learns from it."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from inference.datasets.intake import IntakeWishes, take_in
from inference.datasets.quality import Roles
from inference.datasets.table_data import TableData, TablePlan, read_table
from inference.errors import DamagedArtifact

NOW = datetime(2026, 6, 1, tzinfo=UTC)
LINES = """day,known_at,shop,warm,open,said,nothing
2024-01-03,2024-02-10T12:00Z,b,3,true,x,
2024-01-01,2024-01-05T00:00Z,a,1.5,false,,
,2024-01-05T00:00Z,a,9,true,lost,
2024-01-02,,b,,true,y,
2024-01-02,2023-01-01T00:00Z,a,2,,z,
""" + "".join(f"2025-01-{day:02d},2025-02-01T00:00Z,a,0,true,w,\n" for day in range(1, 10))


def kept(tmp_path: Path, roles: Roles) -> tuple[Path, TablePlan]:
    source = tmp_path / "rows.csv"
    source.write_text(LINES)
    wishes = IntakeWishes(roles=roles)
    taken = take_in(source, "csv", tmp_path / "kept", wishes, now=NOW)
    return taken.path, TablePlan(manifest=taken.manifest)


def read(tmp_path: Path, roles: Roles = Roles(entity="shop")) -> TableData:  # noqa: B008 - frozen
    return read_table(*kept(tmp_path, roles))


def test_rows_stand_by_when_they_were_known_and_without_a_time_they_are_left_out(
    tmp_path: Path,
) -> None:
    data = read(tmp_path)

    assert data.times is not None
    assert [str(one) for one in data.times[:4]] == [
        "2024-01-02T00:00:00",
        "2024-01-02T00:00:00",
        "2024-01-05T00:00:00",
        "2024-02-10T12:00:00",
    ]
    assert data.entities[:4] == ("b", "a", "a", "b")
    assert data.kinds == {"warm": "numeric", "open": "binary", "said": "text", "nothing": "text"}
    assert data.rows.names == ("warm", "open")
    expected = np.array([[np.nan, 1], [2, np.nan], [1.5, 0], [3, 1]])
    assert np.array_equal(data.rows.numbers[:4], expected, equal_nan=True)
    assert len(data) == 13
    assert data.rows.texts["said"][:4] == ("y", "z", "", "x")


def test_a_file_that_holds_something_else_is_not_read(tmp_path: Path) -> None:
    path, plan = kept(tmp_path, Roles(entity="shop"))
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(DamagedArtifact):
        read_table(path, plan)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        read_table(path, plan)
