"""A file becomes a version that is named by its values and found damaged when it changes."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from inference.bundle import PreprocessingStep
from inference.datasets.intake import Format, IntakeWishes, Taken, check_table, take_in
from inference.datasets.quality import Roles
from inference.datasets.tables import literal, opened, parquet
from inference.errors import BadInput, DamagedArtifact

NOW = datetime(2024, 2, 1, tzinfo=UTC)
ROWS = [
    {
        "time": f"2024-01-{day:02d}T10:00:00Z",
        "symbol": "AAA",
        "close": 100 + day / 8,
        "count": day,
        "code": f"0{day}",
        "up": day % 2 == 0,
    }
    for day in range(1, 29)
]


def csv(path: Path, rows: list[dict[str, object]] = ROWS) -> Path:
    lines = [",".join(rows[0]), *(",".join(str(value) for value in row.values()) for row in rows)]
    path.write_text("\n".join(lines) + "\n")
    return path


def taken(path: Path, kind: Format, wishes: IntakeWishes | None = None) -> Taken:
    return take_in(path, kind, path.parent / "kept", wishes or IntakeWishes(), now=NOW)


def test_the_same_rows_are_the_same_version_whichever_file_they_came_in(tmp_path: Path) -> None:
    lines = tmp_path / "rows.jsonl"
    lines.write_text("".join(json.dumps(row) + "\n" for row in ROWS))

    first = taken(csv(tmp_path / "rows.csv"), "csv")
    second = taken(lines, "jsonl")
    third = taken(first.path, "parquet")

    assert first.manifest == second.manifest == third.manifest
    assert first.path == second.path
    assert [one.type for one in first.manifest.columns] == [
        "TIMESTAMP",
        "VARCHAR",
        "DOUBLE",
        "BIGINT",
        "VARCHAR",
        "BOOLEAN",
    ]
    assert first.manifest.roles == Roles(time="time", entity="symbol")
    assert first.as_of == datetime(2024, 1, 28, 10, tzinfo=UTC)


def test_a_column_is_numbers_only_where_every_value_is_one(tmp_path: Path) -> None:
    rows = [dict(row) for row in ROWS]
    rows[20]["close"] = "n/a"
    rows[21]["count"] = ""

    found = {one.name: one for one in taken(csv(tmp_path / "a.csv", rows), "csv").features}

    assert found["close"].type == "text"
    assert found["count"].type == "numeric"
    assert found["count"].statistics.missing == 1


def test_another_value_is_another_version(tmp_path: Path) -> None:
    rows = [dict(row) for row in ROWS]
    rows[3]["close"] = 1.0

    first = taken(csv(tmp_path / "a.csv"), "csv")
    second = taken(csv(tmp_path / "b.csv", rows), "csv")

    assert first.manifest.digest() != second.manifest.digest()


def test_a_file_that_holds_something_else_is_damaged_and_written_again(tmp_path: Path) -> None:
    source = csv(tmp_path / "a.csv")
    one = taken(source, "csv")
    check_table(one.path, one.manifest)
    with opened() as database:
        other = literal(str(tmp_path / "other.parquet"))
        database.execute(
            f"COPY (SELECT * REPLACE (close + 1 AS close) FROM {parquet(one.path)}) TO {other}"
        )
    (tmp_path / "other.parquet").replace(one.path)

    with pytest.raises(DamagedArtifact, match="other values"):
        check_table(one.path, one.manifest)
    one.path.write_bytes(one.path.read_bytes()[:100])
    with pytest.raises(DamagedArtifact, match="cannot be read"):
        check_table(one.path, one.manifest)

    check_table(taken(source, "csv").path, one.manifest)


def test_preprocessing_is_fitted_on_what_was_known_when_training_ended(tmp_path: Path) -> None:
    path = csv(tmp_path / "a.csv")
    step = PreprocessingStep(type="standardize", parameters={"columns": ["count"]}, order=1)

    found = take_in(path, "csv", tmp_path / "kept", IntakeWishes(), now=NOW, steps=[step])

    rows = round(found.splits["train"] * len(ROWS))
    assert found.steps[0].parameters["means"]["count"] == pytest.approx((rows + 1) / 2)


def test_an_embargo_leaves_rows_out(tmp_path: Path) -> None:
    found = taken(csv(tmp_path / "a.csv"), "csv", IntakeWishes(embargo_s=2 * 86_400))

    assert sum(found.splits.values()) == pytest.approx(1 - 4 / 28)


@pytest.mark.parametrize(
    ("text", "wishes", "why"),
    [
        ("", IntakeWishes(), "no rows|cannot be read"),
        ("a,b\n1,2\n", IntakeWishes(roles=Roles(time="when")), "no column 'when'"),
        ("a,b\n1,2\n", IntakeWishes(roles=Roles(time="a")), "does not hold moments"),
        ("a\n1\n2\n3\n", IntakeWishes(most_rows=2), "3 rows; a dataset may have 2"),
    ],
)
def test_what_cannot_be_taken_in_says_why(
    tmp_path: Path, text: str, wishes: IntakeWishes, why: str
) -> None:
    (tmp_path / "a.csv").write_text(text)

    with pytest.raises(BadInput, match=why):
        taken(tmp_path / "a.csv", "csv", wishes)


def test_an_intake_can_be_stopped(tmp_path: Path) -> None:
    class Stopped(Exception):
        pass

    def progress(share: float, stage: str) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        take_in(
            csv(tmp_path / "a.csv"), "csv", tmp_path, IntakeWishes(), now=NOW, progress=progress
        )
