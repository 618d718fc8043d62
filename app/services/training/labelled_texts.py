"""Read labelled texts out of a file, as recipes about language learn from them.

The score of the word list is computed here, because `inference` knows no tools: it is a column like
any other to the recipe.
"""

from datetime import datetime
from pathlib import Path

import duckdb
import msgspec

from app.domain.errors import Invalid
from inference.training.models.sentiment_members import LEXICON_SCORE
from inference.training.recipe import TextData
from tools.analytics import sentiment
from tools.market.sources.records import LABELLED, rows_of
from tools.market.sources.source import SourceError
from tools.market.sources.typed_table import connect

MOST_TEXTS = 200_000
_PARQUET = (".parquet", ".pq")


class LabelledText(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One row of such a file."""

    text: str
    label: str
    published_at: datetime | None = None
    group: str | None = None
    """What must stay on one side of a split: a story, an instrument, a source."""


def read_labelled(path: Path, *, columns: dict[str, str] | None = None) -> TextData:
    """Return the texts of a CSV, JSON lines or Parquet file with columns text and label.

    `columns`: field -> the column it stands in, where its name is unusual. Texts are ordered by
    their time where every row has one.

    Raises:
        Invalid: the file or a row of it cannot be read; says which and why.
    """
    try:
        rows = _parquet(path) if path.suffix.lower() in _PARQUET else _lines(path, columns or {})
    except SourceError as error:
        raise Invalid(str(error)) from error
    if not rows:
        raise Invalid(f"{path.name} has no rows")
    if all(row.published_at is not None for row in rows):
        rows.sort(key=lambda row: row.published_at.timestamp() if row.published_at else 0.0)
    return text_data(rows)


def text_data(rows: list[LabelledText]) -> TextData:
    """Return rows as columns, with the score of the word list."""
    times = tuple(row.published_at for row in rows if row.published_at is not None)
    groups = tuple(row.group for row in rows if row.group is not None)
    texts = tuple(row.text for row in rows)
    return TextData(
        texts=texts,
        labels=tuple(row.label for row in rows),
        times=times if len(times) == len(rows) else None,
        groups=groups if len(groups) == len(rows) else None,
        numbers={LEXICON_SCORE: tuple(sentiment.score(text).score for text in texts)},
    )


def _lines(path: Path, columns: dict[str, str]) -> list[LabelledText]:
    return [
        _row(index, raw)
        for index, raw in enumerate(rows_of(path, LABELLED, told=columns, fixed={}))
    ]


def _parquet(path: Path) -> list[LabelledText]:
    if not path.is_file():
        raise SourceError(f"There is no file {path}.")
    database = connect()
    try:
        relation = database.read_parquet(str(path))
        names = relation.columns
        found = relation.fetchall()
    except duckdb.Error as error:
        raise SourceError(f"{path.name} cannot be read: {error}") from None
    finally:
        database.close()
    return [
        _row(index, {k: v for k, v in zip(names, row, strict=True) if v is not None})
        for index, row in enumerate(found)
    ]


def _row(index: int, raw: object) -> LabelledText:
    if index >= MOST_TEXTS:
        raise Invalid(f"there are more than {MOST_TEXTS:,} rows")
    try:
        row = (
            msgspec.json.decode(raw, type=LabelledText)
            if isinstance(raw, msgspec.Raw)
            else msgspec.convert(raw, LabelledText)
        )
    except (msgspec.DecodeError, RecursionError) as error:
        raise Invalid(f"row {index + 1}: {error}") from None
    if not row.text.strip():
        raise Invalid(f"row {index + 1}: the text is empty")
    if row.published_at is not None and row.published_at.tzinfo is None:
        raise Invalid(f"row {index + 1}: publishedAt has no zone; write for instance 2026-03-01Z")
    return row
