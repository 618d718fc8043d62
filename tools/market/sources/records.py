"""Rows of a file as JSON objects, one by one: CSV, with its columns named, and JSON lines.

Nothing is judged here but the form of the file; what a row says is judged where it goes in.
"""

import csv
import gzip
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO

import msgspec

from tools.market.sources.source import SourceError

LONGEST_CELL = 1_000_000
_JSON = (".jsonl", ".ndjson")
_CSV = (".csv", ".tsv", ".txt")

Given = Callable[[str, str], object]
"""Field and the text of its cell -> what stands for it in the object."""


class Kind(msgspec.Struct, frozen=True, kw_only=True):
    """What the rows of one kind of file may say."""

    fields: Mapping[str, tuple[str, ...]]
    """Field, as the API names it -> the other names its column usually has, in plain letters."""
    needed: tuple[str, ...]
    read: Given


def rows_of(
    path: Path, kind: Kind, *, told: Mapping[str, str], fixed: Mapping[str, str]
) -> Iterator[msgspec.Raw]:
    """Yield the rows of a file as JSON objects.

    `told`: field -> the column it stands in, where its name is unusual. `fixed`: field -> what it
    is in every row that does not say it.

    Raises:
        SourceError: it is not there, is no such file, or lacks a column; says what is allowed.
    """
    for name in (*told, *fixed):
        if name not in kind.fields:
            raise SourceError(f"{name!r} is no field; fields: {', '.join(kind.fields)}.")
    if not path.is_file():
        raise SourceError(f"There is no file {path}.")
    endings = [ending.lower() for ending in path.suffixes if ending.lower() != ".gz"]
    last = endings[-1] if endings else ""
    if last in _JSON:
        if told:
            raise SourceError("JSON lines name their fields themselves; --map is for CSV.")
        return _json_rows(path, kind, fixed)
    if last in _CSV:
        return _csv_rows(path, kind, told, fixed)
    raise SourceError(f"{path.name} must end in {', '.join((*_CSV, *_JSON))}, perhaps with .gz.")


def _json_rows(path: Path, kind: Kind, fixed: Mapping[str, str]) -> Iterator[msgspec.Raw]:
    constants = {name: kind.read(name, value) for name, value in fixed.items()}
    with _opened(path) as file:
        for line in file:
            if not line.strip():
                continue
            if not constants:
                yield msgspec.Raw(line.encode())
                continue
            try:
                row = msgspec.json.decode(line, type=dict[str, object])
            except (msgspec.DecodeError, RecursionError):
                yield msgspec.Raw(line.encode())  # refused where it goes in, with its reason
                continue
            yield msgspec.Raw(msgspec.json.encode({**constants, **row}))


def _csv_rows(
    path: Path, kind: Kind, told: Mapping[str, str], fixed: Mapping[str, str]
) -> Iterator[msgspec.Raw]:
    with _opened(path) as file:
        sample = file.read(65_536)
        file.seek(0)
        try:
            dialect: type[csv.Dialect] = csv.Sniffer().sniff(sample, delimiters=",;\t|")
        except csv.Error:
            dialect = csv.excel
        dialect.doublequote = True
        reader = csv.reader(file, dialect)
        csv.field_size_limit(LONGEST_CELL)
        try:
            head = next(reader, [])
            places = _places(head, kind, told, fixed)
            for cells in reader:
                if not any(cell.strip() for cell in cells):
                    continue
                row = dict(fixed)
                row |= {
                    field: cells[place]
                    for field, place in places.items()
                    if place < len(cells) and cells[place].strip()
                }
                yield msgspec.Raw(
                    msgspec.json.encode({field: kind.read(field, row[field]) for field in row})
                )
        except (csv.Error, UnicodeDecodeError) as error:
            raise SourceError(f"{path.name} cannot be read: {error}.") from error


def _places(
    head: Sequence[str], kind: Kind, told: Mapping[str, str], fixed: Mapping[str, str]
) -> dict[str, int]:
    """Return where each field stands; columns of other names are left alone."""
    plain = [_plain(name) for name in head]
    places: dict[str, int] = {}
    for field, names in kind.fields.items():
        wanted = [_plain(told[field])] if field in told else [_plain(field), *names]
        found = next((plain.index(name) for name in wanted if name in plain), None)
        if found is not None:
            places[field] = found
        elif field in told:
            raise SourceError(f"There is no column {told[field]!r} for {field}. {_there(head)}")
    missing = [name for name in kind.needed if name not in places and name not in fixed]
    if missing:
        ways = " ".join(f"--map {name}=COLUMN or --set {name}=VALUE" for name in missing[:1])
        raise SourceError(f"No column for {', '.join(missing)}: say {ways}. {_there(head)}")
    return places


def _there(head: Sequence[str]) -> str:
    return f"Columns: {', '.join(repr(name) for name in head[:30]) or 'none'}."


def _plain(name: str) -> str:
    return "".join(letter for letter in name.casefold() if letter.isalnum())


@contextmanager
def _opened(path: Path) -> Iterator[IO[str]]:
    try:
        packed = path.suffix.lower() == ".gz"
        # utf-8-sig: spreadsheets put a mark before the first heading.
        opener = gzip.open if packed else open
        with opener(path, "rt", encoding="utf-8-sig", newline="") as file:
            yield file
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError) as error:
        raise SourceError(f"{path.name} cannot be read as UTF-8 text: {error}.") from error


def _news_cell(field: str, text: str) -> object:
    said = text.strip()
    if field == "symbols":
        return [part for part in said.replace(";", " ").replace(",", " ").split() if part]
    if field == "synthetic":
        return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(
            said.lower(), said
        )
    if field in {"publishedAt", "knownAt"}:
        return _moment(said)
    return said


def _moment(said: str) -> str:
    """Return a time in the form JSON has; of a day alone the end, because the hour is not known."""
    if len(said) == 10:
        return f"{said}T23:59:59Z"
    try:
        return datetime.fromisoformat(said).isoformat()
    except ValueError:
        return said


def _statement_cell(field: str, text: str) -> object:
    said = text.strip()
    if field == "months" and said.isascii() and said.isdecimal():
        return int(said[:9])
    return said


NEWS = Kind(
    fields={
        "type": ("kind", "sourcetype"),
        "sourceName": ("source", "publisher", "provider"),
        "title": ("headline", "text"),
        "publishedAt": ("published", "date", "datetime", "timestamp", "time", "createdat"),
        "knownAt": ("known",),
        "body": ("summary", "content", "description"),
        "url": ("link", "href"),
        "language": ("lang",),
        "symbols": ("symbol", "tickers", "ticker"),
        "synthetic": (),
    },
    needed=("sourceName", "title", "publishedAt"),
    read=_news_cell,
)
STATEMENTS = Kind(
    fields={
        "symbol": ("ticker", "code"),
        "periodEnd": ("period", "fiscalperiodend", "reportdate", "enddate"),
        "months": ("periodmonths", "length"),
        "publishedAt": ("published", "filed", "filingdate", "publishdate", "announced"),
        "currency": (),
        "source": (),
        "revenue": ("sales", "totalrevenue", "netsales"),
        "netIncome": ("earnings", "netprofit", "profit"),
        "equity": ("shareholdersequity", "stockholdersequity", "totalequity"),
        "totalDebt": ("debt",),
        "shares": ("sharesoutstanding", "outstandingshares"),
        "dividendsPerShare": ("dividendpershare", "dps", "dividends"),
    },
    needed=("symbol", "periodEnd", "months", "publishedAt", "currency", "source"),
    read=_statement_cell,
)
LABELLED = Kind(
    fields={
        "text": ("title", "headline", "sentence"),
        "label": ("sentiment", "class"),
        "publishedAt": ("published", "date", "datetime", "timestamp", "time"),
        "group": ("story", "symbol", "ticker"),
    },
    needed=("text", "label"),
    read=_news_cell,
)
"""Texts that people have labelled, to learn from."""
