"""Bring the bars of a source in through the intake, and report what was refused and why."""

import re
from collections import Counter
from collections.abc import Callable
from typing import Protocol

import msgspec
import structlog

from app.domain.errors import Invalid
from app.services.market.bar_intake import BarsTaken
from app.services.market.futures import Futures
from tools.market.checks import Rows
from tools.market.futures import BadContracts, Contract
from tools.market.instruments import Instrument
from tools.market.sources.source import BarSource, Chunk
from tools.market.store import InstrumentStore

log = structlog.get_logger(__name__)

_SHOWN = 10
"""Refused rows that a report shows one by one; all of them are counted."""
_SYMBOL = re.compile(r"[\w.^=/-]{1,32}", re.ASCII)
_VALUES = re.compile(r"'(?:[^'\\]|\\.)*'|(?<!ISO )(?<![\w])[-+]?\d[\d.,eE+-]*")


class NewSymbols(msgspec.Struct, frozen=True, kw_only=True):
    """What is said of symbols that the import makes known."""

    source: str
    """Whom answers cite for their prices."""
    name: str | None = None
    """For a single symbol; several are named by their symbols."""
    kind: str = "equity"
    currency: str = "USD"
    exchange: str | None = None
    contract: Contract | None = None
    """Of a single symbol that is the contract of a future."""


class RefusedRow(msgspec.Struct, frozen=True):
    """One row that was not taken."""

    row: int
    """Counted from 1, headings left out."""
    symbol: str
    reason: str


class SymbolReport(msgspec.Struct):
    """What became of one symbol's rows."""

    symbol: str
    rows: int = 0
    accepted: int = 0
    refused: int = 0
    created: bool = False


class ImportReport(msgspec.Struct, rename="camel"):
    """What became of a source."""

    label: str
    timeframe: str
    dry_run: bool
    symbols: list[SymbolReport]
    reasons: dict[str, int]
    """Kind of reason (without its values) -> rows, the commonest first."""
    examples: list[RefusedRow]
    notes: list[str] = []
    """What became of series that these contracts are in."""

    @property
    def rows(self) -> int:
        return sum(one.rows for one in self.symbols)

    @property
    def accepted(self) -> int:
        return sum(one.accepted for one in self.symbols)

    @property
    def refused(self) -> int:
        return sum(one.refused for one in self.symbols)


class Intake(Protocol):
    """`bar_intake.BarIntake`, as far as it is needed here."""

    async def take(
        self, symbol: str, timeframe: str, rows: Rows, *, source: str | None = None
    ) -> BarsTaken: ...

    async def rehearse(
        self, timeframe: str, rows: Rows, *, instrument: Instrument
    ) -> BarsTaken: ...


class BarImport:
    """The use case."""

    def __init__(
        self, instruments: InstrumentStore, intake: Intake, *, futures: Futures | None = None
    ) -> None:
        self._instruments = instruments
        self._intake = intake
        self._futures = futures

    async def run(
        self,
        source: BarSource,
        timeframe: str,
        *,
        create: NewSymbols | None = None,
        dry_run: bool = False,
        on_progress: Callable[[int, int | None], None] = lambda done, total: None,
        on_refused: Callable[[RefusedRow], None] = lambda row: None,
    ) -> ImportReport:
        """Take what can be taken; `create` makes unknown symbols known, else they are refused.

        Importing the same again changes nothing. A dry run judges every row and stores none.

        Raises:
            SourceError: the source as a whole cannot be used.
            Invalid: the timeframe is unknown.
            Unavailable: the database cannot be reached; what was reported as done is stored.
        """
        reports: dict[str, SymbolReport] = {}
        reasons: Counter[str] = Counter()
        examples: list[RefusedRow] = []
        done = 0
        async for chunk in source.chunks():
            report = reports.get(chunk.symbol)
            if report is None:
                report = reports[chunk.symbol] = SymbolReport(chunk.symbol)
            refused = await self._take(chunk, timeframe, report, create, dry_run=dry_run)
            for row in refused:
                reasons[_VALUES.sub("…", row.reason)] += 1
                on_refused(row)
            examples += refused[: _SHOWN - len(examples)]
            done += len(chunk.rows)
            on_progress(done, source.row_count())
        notes = [] if dry_run or timeframe != "1d" else await self._series(list(reports))
        return ImportReport(
            label=source.label,
            timeframe=timeframe,
            dry_run=dry_run,
            symbols=list(reports.values()),
            reasons=dict(reasons.most_common()),
            examples=examples,
            notes=notes,
        )

    async def _series(self, symbols: list[str]) -> list[str]:
        """Make the series anew that these symbols are contracts of, and tell what came of it."""
        if self._futures is None:
            return []
        try:
            made = await self._futures.make(symbols)
        except BadContracts as bad:
            return [f"No series was made: {bad}"]
        return [
            f"{one.bars.symbol}: {len(one.bars):,} bars, {len(one.rolls)} rolls, "
            f"{one.held or 'nothing'} is held" + (f". {one.problem}" if one.problem else "")
            for one in made
        ]

    async def _take(
        self,
        chunk: Chunk,
        timeframe: str,
        report: SymbolReport,
        create: NewSymbols | None,
        *,
        dry_run: bool,
    ) -> list[RefusedRow]:
        report.rows += len(chunk.rows)
        known = await self._instruments.find(chunk.symbol) if chunk.symbol else None
        instrument = known or _made(chunk.symbol, create)
        if isinstance(instrument, str):
            report.refused += len(chunk.rows)
            return [RefusedRow(int(n), chunk.symbol, instrument) for n in chunk.numbers]
        if dry_run or known is None:
            taken = await self._intake.rehearse(timeframe, chunk.rows, instrument=instrument)
            report.created |= known is None and taken.accepted > 0
        # A symbol of which nothing can be believed is not made known.
        if not dry_run and (known or taken.accepted):
            if known is None:
                if self._futures is not None:
                    await self._futures.check(instrument)
                await self._instruments.put(instrument)
            taken = await self._intake.take(instrument.symbol, timeframe, chunk.rows)
        report.accepted += taken.accepted
        report.refused += len(taken.refused) + len(taken.suspect)
        left_out = [(one.index, one.reason) for one in taken.refused]
        left_out += [(one.index, f"suspect: {one.reason}") for one in taken.suspect]
        return [
            RefusedRow(int(chunk.numbers[index]), chunk.symbol, reason)
            for index, reason in sorted(left_out)
        ]


def _made(symbol: str, create: NewSymbols | None) -> Instrument | str:
    """Return the instrument an unknown symbol would be, or why it is none."""
    if not symbol:
        return "symbol is missing"
    if not _SYMBOL.fullmatch(symbol):
        return f"symbol {symbol[:40]!r} has other signs than letters, digits and . - ^ = /"
    if create is None:
        return f"symbol {symbol!r} is unknown"
    return Instrument(
        symbol=symbol,
        name=create.name or symbol,
        kind=create.kind,
        currency=create.currency.upper(),
        exchange=create.exchange,
        source=create.source,
        provenance={"addedBy": "import"},
        contract=create.contract,
    )


def check_new_symbols(new: NewSymbols) -> NewSymbols:
    """Return it, if an instrument can be made of it.

    Raises:
        Invalid: a text is empty or too long.
    """
    for name in ("source", "kind", "currency"):
        if not 1 <= len(getattr(new, name).strip()) <= 200:
            raise Invalid(f"`{name}` must have 1 to 200 characters.")
    return new
