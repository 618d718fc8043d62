"""New rows behind those of an earlier version."""

from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from inference.datasets.intake import IntakeWishes, Taken, check_table, take_in
from inference.errors import BadInput

NOW = datetime(2026, 6, 1, tzinfo=UTC)


def taken(tmp_path: Path, lines: str, after: Path | None = None, **origin: int) -> Taken:
    source = tmp_path / "new.jsonl"
    source.write_text(lines)
    return take_in(
        source, "jsonl", tmp_path / "kept", IntakeWishes(), now=NOW, after=after, origin=origin
    )


def rows(found: Taken) -> list[tuple[object, ...]]:
    check_table(found.path, found.manifest)
    with duckdb.connect() as database:
        return database.execute(f"SELECT * FROM read_parquet('{found.path}')").fetchall()


def test_new_rows_come_behind_and_columns_that_one_side_lacks_are_missing(tmp_path: Path) -> None:
    first = taken(tmp_path, '{"a": 1, "b": "x"}\n{"a": 2, "b": "y"}\n', upto=2)

    second = taken(tmp_path, '{"a": 2.5, "c": true}\n', first.path, upto=3)

    assert rows(second) == [(1.0, "x", None), (2.0, "y", None), (2.5, None, True)]
    assert rows(first) == [(1, "x"), (2, "y")]


def test_a_column_without_a_value_takes_the_others_type(tmp_path: Path) -> None:
    first = taken(tmp_path, '{"t": "2026-03-01T00:00Z", "n": null}\n')

    second = taken(tmp_path, '{"t": null, "n": 7}\n', first.path)

    assert [column.type for column in second.manifest.columns] == ["TIMESTAMP", "BIGINT"]


def test_a_column_that_became_something_else_is_refused(tmp_path: Path) -> None:
    first = taken(tmp_path, '{"n": 1}\n')

    with pytest.raises(BadInput, match="'n' was BIGINT so far and is VARCHAR"):
        taken(tmp_path, '{"n": "one"}\n', first.path)


def test_where_rows_came_from_is_a_part_of_what_the_version_is(tmp_path: Path) -> None:
    one = taken(tmp_path, '{"a": 1}\n', upto=1)
    other = taken(tmp_path, '{"a": 1}\n', upto=2)

    assert one.manifest.sha256 == other.manifest.sha256
    assert one.manifest.digest() != other.manifest.digest()
