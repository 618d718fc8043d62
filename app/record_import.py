"""News and statements from files at the command line: read, taken in, and a report at the end."""

import asyncio
import csv
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Protocol

import msgspec
from rich.console import Console
from rich.text import Text

from app.domain.errors import Invalid
from app.security.people import utc_now
from app.services.market.fundamentals import StatementIntake
from app.services.news.news import NewsIntake
from app.settings import Settings
from app.storage.instruments import PostgresInstruments
from app.storage.news import PostgresNews
from app.storage.statements import PostgresStatements
from app.wiring.database import open_database
from app.wiring.news import intake_scorer
from tools.market.a_share_reports import SOURCE, fetch_a_share_reports
from tools.market.sources.records import NEWS, STATEMENTS, Kind, rows_of

_out = Console(highlight=False)
_err = Console(stderr=True, highlight=False)
_AT_ONCE = 1_000
_SHOWN = 10


class RecordsWanted(msgspec.Struct, frozen=True, kw_only=True):
    """The options that both imports share."""

    files: tuple[Path, ...]
    columns: dict[str, str]
    fixed: dict[str, str]
    dry_run: bool
    refused: Path | None


class _Refused(Protocol):
    @property
    def index(self) -> int: ...
    @property
    def reason(self) -> str: ...


class _Taken(Protocol):
    @property
    def accepted(self) -> int: ...
    @property
    def refused(self) -> Sequence[_Refused]: ...
    @property
    def already_known(self) -> int: ...
    @property
    def unknown_symbols(self) -> Sequence[str]: ...


Take = Callable[[list[msgspec.Raw]], Awaitable[_Taken]]


async def import_news_from(settings: Settings, wanted: RecordsWanted, *, known_now: bool) -> None:
    """Import headlines and print what became of them.

    Raises:
        SourceError, Refusal: nothing can be imported; the message says why.
    """
    with _err.status("Opening the database …") as status:
        async with open_database(settings, on_progress=status.update) as (database, _):
            status.stop()
            instruments = PostgresInstruments(database)
            if not await instruments.all():
                _err.print(
                    "No instrument is known yet, so that names in titles mean nothing here. Start "
                    "the desk once, or import bars, before news.",
                    style="yellow",
                    soft_wrap=True,
                )
            intake = NewsIntake(
                instruments,
                PostgresNews(database),
                intake_scorer(settings, database),
                clock=utc_now,
            )

            async def take(rows: list[msgspec.Raw]) -> _Taken:
                return await intake.take(rows, backfill=not known_now, dry_run=wanted.dry_run)

            await _import(wanted, NEWS, take, "items")


async def import_statements_from(
    settings: Settings, wanted: RecordsWanted, *, a_shares: bool
) -> None:
    """Import reported statements, of files or of the eight A-shares, and print what became of them.

    Raises:
        SourceError, Refusal: nothing can be imported; the message says why.
    """
    with _err.status("Opening the database …") as status:
        async with open_database(settings, on_progress=status.update) as (database, _):
            status.stop()
            intake = StatementIntake(
                PostgresInstruments(database), PostgresStatements(database), clock=utc_now
            )

            async def take(rows: list[msgspec.Raw]) -> _Taken:
                return await intake.take(rows, dry_run=wanted.dry_run)

            if a_shares:
                rows = await fetch_a_share_reports(on_progress=_err.print)
                with _written_down(wanted.refused) as write_refused:
                    report = await _taken(SOURCE, iter(rows), take, write_refused)
                _print(SOURCE, report, "statements", dry_run=wanted.dry_run)
            if wanted.files or not a_shares:
                await _import(wanted, STATEMENTS, take, "statements")


async def _import(wanted: RecordsWanted, kind: Kind, take: Take, things: str) -> None:
    if not wanted.files:
        raise Invalid("Give at least one file.")
    with _written_down(wanted.refused) as write_refused:
        for path in wanted.files:
            rows = rows_of(path, kind, told=wanted.columns, fixed=wanted.fixed)
            report = await _taken(path.name, rows, take, write_refused)
            _print(path.name, report, things, dry_run=wanted.dry_run)


class _Report(msgspec.Struct):
    rows: int = 0
    accepted: int = 0
    known: int = 0
    refused: int = 0
    reasons: Counter[str] = msgspec.field(default_factory=Counter)
    first: list[tuple[int, str]] = msgspec.field(default_factory=list)
    unknown: set[str] = msgspec.field(default_factory=set)


async def _taken(
    label: str,
    rows: Iterator[msgspec.Raw],
    take: Take,
    write_refused: Callable[[str, int, str], None],
) -> _Report:
    report = _Report()
    while batch := await asyncio.to_thread(lambda: list(islice(rows, _AT_ONCE))):
        taken = await take(batch)
        report.accepted += taken.accepted
        report.known += taken.already_known
        report.refused += len(taken.refused)
        report.unknown.update(taken.unknown_symbols)
        for one in taken.refused:
            row = report.rows + one.index + 1
            report.reasons[one.reason] += 1
            write_refused(label, row, one.reason)
            if len(report.first) < _SHOWN:
                report.first.append((row, one.reason))
        report.rows += len(batch)
    return report


def _print(label: str, report: _Report, things: str, *, dry_run: bool) -> None:
    verb = "would be stored" if dry_run else "stored"
    known = f", {report.known:,} known before" if report.known else ""
    _out.print(
        Text.assemble(
            (label, "bold"),
            f": {report.rows:,} {things}, {report.accepted:,} {verb}{known}, "
            f"{report.refused:,} refused",
        ),
        soft_wrap=True,
    )
    for row, reason in report.first:
        _out.print(Text(f"  row {row:,}: {reason}"), soft_wrap=True)
    if report.refused > len(report.first):
        commonest = report.reasons.most_common(1)[0]
        _out.print(Text(f"  commonest: {commonest[0]} ({commonest[1]:,})"), soft_wrap=True)
    if report.unknown:
        names = ", ".join(sorted(report.unknown)[:20])
        _out.print(Text(f"  kept, but no such instrument is known here: {names}"), soft_wrap=True)


@contextmanager
def _written_down(path: Path | None) -> Iterator[Callable[[str, int, str], None]]:
    if path is None:
        yield lambda name, row, reason: None
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("file", "row", "reason"))

        def write(name: str, row: int, reason: str) -> None:
            # A leading sign would make a formula of it in a spreadsheet.
            writer.writerow((name, row, reason if reason[:1] not in "=+-@" else f"'{reason}"))

        yield write


def pairs(given: Sequence[str]) -> Mapping[str, str]:
    """Return FIELD=VALUE arguments as a mapping.

    Raises:
        Invalid: one is no such pair.
    """
    told: dict[str, str] = {}
    for pair in given:
        field, sign, value = pair.partition("=")
        if not sign or not value:
            raise Invalid(f"{pair!r} is not FIELD=VALUE, e.g. currency=USD.")
        told[field.strip()] = value
    return told
