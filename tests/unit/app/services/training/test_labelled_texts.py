"""Labelled texts come out of CSV, JSON lines and Parquet alike, or are refused by row."""

from pathlib import Path

import duckdb
import pytest

from app.domain.errors import Invalid
from app.services.training.labelled_texts import read_labelled


def written(folder: Path, name: str, content: str) -> Path:
    path = folder / name
    path.write_text(content, encoding="utf-8")
    return path


def test_a_csv_is_read_with_the_score_of_the_word_list(tmp_path: Path) -> None:
    path = written(
        tmp_path,
        "labels.csv",
        "headline,sentiment,date,story\n"
        "Profit falls sharply,negative,2026-02-01,b\n"
        '"Sales rise, record profit",positive,2026-01-01,a\n',
    )
    data = read_labelled(path)
    assert data.texts == ("Sales rise, record profit", "Profit falls sharply")
    assert data.groups == ("a", "b")
    assert data.times is not None
    assert data.times[0] < data.times[1]
    good, bad = data.numbers["lexicon_score"]
    assert good > 0.3 > -0.3 > bad


def test_parquet_gives_the_same_as_csv(tmp_path: Path) -> None:
    csv = written(
        tmp_path, "labels.csv", "text,label\nProfit falls,negative\nSales rise,positive\n"
    )
    duckdb.sql(f"copy (from read_csv('{csv}')) to '{tmp_path / 'labels.parquet'}'")
    assert read_labelled(tmp_path / "labels.parquet") == read_labelled(csv)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("text\nProfit falls\n", "No column for label"),
        ("text,label\n", "has no rows"),
        ("text,label,date\nProfit falls,negative,yesterday\n", "row 1"),
        ("text,label\n,negative\n", "row 1"),
    ],
)
def test_what_cannot_be_read_is_refused_by_row(tmp_path: Path, content: str, said: str) -> None:
    with pytest.raises(Invalid, match=said):
        read_labelled(written(tmp_path, "labels.csv", content))
