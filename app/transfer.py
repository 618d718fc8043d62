"""Bars in and out at the command line: what to read, a bar that moves, and a report at the end."""

import csv
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from app.domain.errors import Invalid
from app.security.people import utc_now
from app.security.sealing import Sealer, load_secret_key
from app.services.market.bar_import import (
    BarImport,
    ImportReport,
    NewSymbols,
    RefusedRow,
    check_new_symbols,
)
from app.services.market.bar_intake import BarIntake
from app.services.market.futures import Futures
from app.settings import Settings, read_variable
from app.storage.bars import PostgresBars
from app.storage.engine import Database
from app.storage.instruments import PostgresInstruments
from app.storage.secrets import StoredSecrets
from app.wiring.database import open_database
from tools.market.bars import TIMEFRAMES
from tools.market.breadth import PACKAGES, fetch_breadth
from tools.market.futures import Contract
from tools.market.sources.files import FileSource
from tools.market.sources.http_json import HttpSource, VendorRequest
from tools.market.sources.postgres import PostgresSource
from tools.market.sources.source import BarSource, SourceError
from tools.market.sources.typed_table import Reading
from tools.market.sources.vendors import Vendor, find_vendor
from tools.market.sources.written import write_bars

_out = Console(highlight=False)
_err = Console(stderr=True, highlight=False)
_SYMBOLS_SHOWN = 25


class BarsWanted(msgspec.Struct, frozen=True, kw_only=True):
    """The options of `outcry import bars`."""

    files: tuple[Path, ...]
    symbol: str | None
    timeframe: str
    columns: dict[str, str]
    no_volume: bool
    timezone: str | None
    time_format: str | None
    decimal: Literal[".", ","]
    thousands: Literal[",", ".", " ", "'"] | None
    delimiter: str | None
    encoding: str
    kind: Literal["csv", "parquet"] | None
    postgres: str | None
    query: str | None
    vendor: str | None
    start: datetime | None
    end: datetime | None
    create: bool
    name: str | None
    instrument_kind: str
    currency: str
    exchange: str | None
    root: str | None
    expires: datetime | None
    rolls_on: datetime | None
    cited: str | None
    dry_run: bool
    refused: Path | None

    def reading(self) -> Reading:
        """Return how values are to be understood."""
        if self.timeframe not in TIMEFRAMES:
            raise Invalid(f"--timeframe must be one of {', '.join(TIMEFRAMES)}.")
        return Reading(
            timezone=self.timezone,
            time_format=self.time_format,
            decimal=self.decimal,
            thousands=self.thousands,
            days=TIMEFRAMES[self.timeframe] >= timedelta(days=1),
        )


async def import_bars_from(settings: Settings, wanted: BarsWanted) -> None:
    """Import what was asked for and print what became of it.

    Raises:
        SourceError, Refusal: nothing can be imported; the message says why.
    """
    async with _database(settings) as database:
        sources = await _sources(settings, database, wanted)
        instruments, bars = PostgresInstruments(database), PostgresBars(database)
        intake = BarIntake(instruments, bars, clock=utc_now)
        futures = Futures(instruments, bars, clock=utc_now, tell=intake.tell)
        importing = BarImport(instruments, intake, futures=futures)
        with _refused_rows(wanted.refused) as write_refused:
            for source, cited in sources:
                create = check_new_symbols(_new(wanted, cited)) if wanted.create else None
                with _progress(source.label) as on_progress:
                    report = await importing.run(
                        source,
                        wanted.timeframe,
                        create=create,
                        dry_run=wanted.dry_run,
                        on_progress=on_progress,
                        on_refused=write_refused,
                    )
                _print(report, wanted)


async def import_breadth_sets(settings: Settings, only: Sequence[str]) -> None:
    """Fetch the further demo sets and store them; print what became of each.

    Raises:
        FetchFailed: a package cannot be had now; what was stored before stays.
    """
    async with _database(settings) as database:
        instruments, bars = PostgresInstruments(database), PostgresBars(database)
        intake = BarIntake(instruments, bars, clock=utc_now)
        for package in PACKAGES:
            if only and package.name not in only:
                continue
            found = await fetch_breadth(package, on_progress=_err.print)
            stored, refused = 0, 0
            with _progress(package.name) as on_progress:
                for done, series in enumerate(found, start=1):
                    await instruments.put(series.instrument)
                    taken = await intake.take(
                        series.instrument.symbol, series.timeframe, series.rows
                    )
                    stored, refused = stored + taken.accepted, refused + len(taken.refused)
                    on_progress(done, len(found))
            symbols = {series.instrument.symbol for series in found}
            _out.print(
                f"{package.what}: {stored:,} bars of {len(symbols)} symbols, {refused:,} refused. "
                f"{package.licence}.",
                soft_wrap=True,
            )


async def export_bars_to(
    settings: Settings,
    symbols: Sequence[str],
    *,
    timeframe: str,
    start: datetime | None,
    end: datetime | None,
    output: Path,
) -> None:
    """Write stored bars into one file that can be imported again.

    Raises:
        Invalid, SourceError: the timeframe or the file's kind is unknown.
        UnknownSymbol: a symbol is.
    """
    if timeframe not in TIMEFRAMES:
        raise Invalid(f"--timeframe must be one of {', '.join(TIMEFRAMES)}.")
    async with _database(settings) as database:
        stored = PostgresBars(database)
        until = None if end is None else end.replace(tzinfo=UTC) + timedelta(days=1, seconds=-1)
        since = None if start is None else start.replace(tzinfo=UTC)
        found = [
            await stored.read(symbol.upper(), timeframe=timeframe, start=since, end=until)
            for symbol in symbols
        ]
    count = write_bars(found, output)
    _out.print(f"Wrote {count:,} {timeframe} bars of {', '.join(symbols)} to {output}")


# --- where from -------------------------------------------------------------------------------


async def _sources(
    settings: Settings, database: Database, wanted: BarsWanted
) -> list[tuple[BarSource, str]]:
    """Return each source, and whom answers are to cite for what it brings."""
    ways = [bool(wanted.postgres), bool(wanted.vendor), bool(wanted.files) and not wanted.vendor]
    if sum(ways) != 1:
        raise Invalid("Give files, or --postgres with --query, or --vendor with --symbol.")
    reading = wanted.reading()
    if wanted.vendor is not None:
        vendor = find_vendor(wanted.vendor)
        return [(await _vendor(settings, database, vendor, wanted), wanted.cited or vendor.title)]
    if wanted.postgres is not None:
        if not wanted.query:
            raise Invalid("--postgres needs --query: a SELECT whose columns are a bar's fields.")
        asked = PostgresSource(
            wanted.postgres,
            wanted.query,
            symbol=_symbol(wanted),
            columns=wanted.columns,
            reading=reading,
            without_volume=wanted.no_volume,
        )
        return [(asked, wanted.cited or f"Postgres {asked.label}")]
    return [
        (
            FileSource(
                path,
                symbol=_symbol(wanted),
                columns=wanted.columns,
                reading=reading,
                without_volume=wanted.no_volume,
                format=wanted.kind,
                delimiter=wanted.delimiter,
                encoding=wanted.encoding,
            ),
            wanted.cited or f"file {path.name}",
        )
        for path in wanted.files
    ]


async def _vendor(
    settings: Settings, database: Database, vendor: Vendor, wanted: BarsWanted
) -> HttpSource:
    secrets = StoredSecrets(
        database, Sealer(load_secret_key(settings.secret_key, settings.data_dir))
    )

    async def known(variable: str) -> str:
        value = read_variable(variable) or await secrets.get(variable)
        if value is None:
            raise SourceError(
                f"{vendor.title} needs a key: set {variable}, or 'outcry secret set {variable}'."
            )
        return value

    today = utc_now().date()
    request = VendorRequest(
        symbols=tuple(filter(None, (wanted.symbol or "").split(","))),
        timeframe=wanted.timeframe,
        start=(wanted.start.date() if wanted.start else today - timedelta(days=365)),
        end=(wanted.end.date() if wanted.end else today),
        key=await known(vendor.key),
        secret=await known(vendor.secret) if vendor.secret else None,
        base_url=read_variable(vendor.base_url_variable),
    )
    return HttpSource(vendor, request)


def _symbol(wanted: BarsWanted) -> str | None:
    return wanted.symbol.strip().upper() if wanted.symbol else None


def _new(wanted: BarsWanted, cited: str) -> NewSymbols:
    return NewSymbols(
        source=cited,
        name=wanted.name if wanted.symbol else None,
        kind=wanted.instrument_kind,
        currency=wanted.currency,
        exchange=wanted.exchange,
        contract=_contract(wanted),
    )


def _contract(wanted: BarsWanted) -> Contract | None:
    if wanted.root is None and wanted.expires is None and wanted.rolls_on is None:
        return None
    if wanted.root is None or wanted.expires is None or not wanted.symbol:
        raise Invalid("A contract needs --symbol, --root and --expires, e.g. CLX26 CL 2026-10-20.")
    return Contract(
        root=wanted.root.strip().upper(),
        expires_on=wanted.expires.date(),
        rolls_on=None if wanted.rolls_on is None else wanted.rolls_on.date(),
    )


# --- what is seen -----------------------------------------------------------------------------


@asynccontextmanager
async def _database(settings: Settings) -> AsyncIterator[Database]:
    with _err.status("Opening the database …") as status:
        async with open_database(settings, on_progress=status.update) as (database, _):
            status.stop()
            yield database


@contextmanager
def _progress(label: str) -> Iterator[Callable[[int, int | None], None]]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=_err, transient=True) as shown:
        task = shown.add_task(f"Reading {label}", total=None)
        yield lambda done, total: shown.update(task, completed=done, total=total)


@contextmanager
def _refused_rows(path: Path | None) -> Iterator[Callable[[RefusedRow], None]]:
    """Write refused rows down, if anybody asked for that."""
    if path is None:
        yield lambda _: None
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(("row", "symbol", "reason"))
        yield lambda row: writer.writerow((row.row, _cell(row.symbol), _cell(row.reason)))


def _cell(text: str) -> str:
    """Return a text of somebody else's that no spreadsheet takes for a formula."""
    return "'" + text if text[:1] in ("=", "+", "-", "@") else text


def _print(report: ImportReport, wanted: BarsWanted) -> None:
    verb = "would be stored" if report.dry_run else "stored"
    _out.print(
        Text.assemble(
            (report.label, "bold"),
            f": {report.rows:,} rows of {len(report.symbols):,} symbols, "
            f"{report.accepted:,} {verb}, {report.refused:,} refused",
        )
    )
    for one in report.symbols[:_SYMBOLS_SHOWN]:
        new = " (new)" if one.created else ""
        refused = f", {one.refused:,} refused" if one.refused else ""
        _out.print(f"  {one.symbol or '(none)'}{new}: {one.accepted:,}{refused}")
    if len(report.symbols) > _SYMBOLS_SHOWN:
        _out.print(f"  … and {len(report.symbols) - _SYMBOLS_SHOWN:,} more symbols")
    for note in report.notes:
        _out.print(Text(f"  {note}"), soft_wrap=True)
    if not report.refused:
        return
    _out.print("Refused, by reason:")
    for reason, count in report.reasons.items():
        _out.print(Text(f"  {count:>9,}  {reason}"))
    _out.print("The first of them:")
    for row in report.examples:
        _out.print(Text(f"  row {row.row:,} {row.symbol}: {row.reason}"), soft_wrap=True)
    if wanted.refused is None and report.refused > len(report.examples):
        _out.print("All of them: --refused FILE")
    if any("is unknown" in reason for reason in report.reasons) and not wanted.create:
        _out.print("To make unknown symbols known: --create")
