"""Rows of files become JSON objects, and nothing is guessed on the way."""

import gzip
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tools.market.sources.records import NEWS, STATEMENTS, Kind, rows_of
from tools.market.sources.source import SourceError


def read(
    path: Path, kind: Kind = NEWS, *, told: dict[str, str] | None = None, **fixed: str
) -> list[dict[str, Any]]:
    rows = rows_of(path, kind, told=told or {}, fixed=fixed)
    return [msgspec.json.decode(row) for row in rows]


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_columns_are_found_by_usual_names_and_empty_cells_left_out(tmp_path: Path) -> None:
    file = written(
        tmp_path / "a.csv", "\ufeffPublished At,HEADLINE,Source,tickers,other\n"
        "2024-05-01T10:00:00Z,Up,Wire,\"A, B;C\",x\n,,,,\n2024-05-02,Down,Wire,,\n"
    )  # fmt: skip
    assert read(file) == [
        {"publishedAt": "2024-05-01T10:00:00+00:00", "title": "Up", "sourceName": "Wire",
         "symbols": ["A", "B", "C"]},
        {"publishedAt": "2024-05-02T23:59:59Z", "title": "Down", "sourceName": "Wire"},
    ]  # fmt: skip


def test_a_fixed_value_fills_in_and_a_cell_wins(tmp_path: Path) -> None:
    file = written(
        tmp_path / "a.tsv", "title\tdate\tsource\nOne\t2024-05-01\t\nTwo\t2024-05-01\tB\n"
    )
    assert [row["sourceName"] for row in read(file, sourceName="A")] == ["A", "B"]


def test_an_unusual_column_is_told(tmp_path: Path) -> None:
    file = written(tmp_path / "a.csv", "Schlagzeile;date;source\nOne;2024-05-01;W\n")
    assert read(file, told={"title": "schlagzeile"})[0]["title"] == "One"
    with pytest.raises(SourceError, match="There is no column 'x' for title"):
        read(file, told={"title": "x"})


def test_amounts_stay_as_they_are_written(tmp_path: Path) -> None:
    file = written(
        tmp_path / "a.csv",
        "symbol,periodEnd,months,publishedAt,currency,source,revenue\n"
        'IBM,2024-03-31,3,2024-05-01,USD,x,"1,234"\nIBM,2024-03-31,three,2024-05-01,USD,x,１２\n',
    )
    rows = read(file, STATEMENTS)
    assert [(row["months"], row["revenue"]) for row in rows] == [(3, "1,234"), ("three", "１２")]
    assert rows[0]["publishedAt"] == "2024-05-01"


def test_json_lines_are_passed_on_packed_or_not(tmp_path: Path) -> None:
    lines = '{"title": "One", "sourceName": "W"}\n\nnot json\n{"title": "Two"}\n'
    plain = written(tmp_path / "a.jsonl", lines)
    packed = tmp_path / "b.jsonl.gz"
    packed.write_bytes(gzip.compress(lines.encode()))
    for path in (plain, packed):
        raw = [bytes(row).strip() for row in rows_of(path, NEWS, told={}, fixed={})]
        assert raw[1] == b"not json"
        rows = [bytes(r) for r in rows_of(path, NEWS, told={}, fixed={"sourceName": "X"})]
        assert msgspec.json.decode(rows[0])["sourceName"] == "W"
        assert msgspec.json.decode(rows[2])["sourceName"] == "X"
        assert rows[1].strip() == b"not json"


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.csv", b"title,date\nOne,2024-05-01\n", "No column for sourceName"),
        ("a.csv", b"", "No column for sourceName, title, publishedAt"),
        ("a.csv", b"title,date,source\n\xff\xfe,2024-05-01,W\n", "cannot be read as UTF-8"),
        ("a.csv.gz", b"not packed", "cannot be read"),
        ("a.parquet", b"PAR1", "must end in .csv"),
        ("a", b"", "must end in .csv"),
    ],
)
def test_what_is_no_such_file_is_refused_whole(
    tmp_path: Path, name: str, content: bytes, said: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(SourceError, match=said):
        read(path)


def test_a_field_nobody_knows_is_refused_with_those_there_are(tmp_path: Path) -> None:
    file = written(tmp_path / "a.jsonl", "{}\n")
    with pytest.raises(SourceError, match="'colour' is no field; fields: type, sourceName"):
        read(file, colour="red")
    with pytest.raises(SourceError, match="--map is for CSV"):
        read(file, told={"title": "t"})
