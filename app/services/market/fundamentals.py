"""Statements come in by one way; fundamentals are computed from them when asked."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from decimal import Decimal

import msgspec

from app.domain.errors import Invalid, NotFound, TooLarge
from app.services.market.statement_checks import (
    MAX_STATEMENTS,
    MONEY,
    RefusedStatement,
    check_statements,
)
from tools.analytics.fundamentals import DEFINITIONS, Statement
from tools.errors import UnknownSymbol
from tools.fundamentals import notes
from tools.market.fundamentals import StatementStore, read_fundamentals
from tools.market.store import BarStore, InstrumentStore
from tools.market.symbols import nearest


class StatementsTaken(msgspec.Struct, frozen=True, rename="camel"):
    """What became of offered statements."""

    accepted: int
    refused: list[RefusedStatement]
    already_known: int = 0
    unknown_symbols: list[str] = []
    """Kept, but no instrument of that symbol is known here."""


class StatementIntake:
    """The one way in."""

    def __init__(
        self,
        instruments: InstrumentStore,
        statements: StatementStore,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._instruments = instruments
        self._statements = statements
        self._clock = clock

    async def take(self, rows: Sequence[msgspec.Raw], *, dry_run: bool = False) -> StatementsTaken:
        """Store the statements that can be believed and say why the others were refused.

        A period that was published before at the same moment with other figures is refused: a
        restatement has a moment of its own. A dry run judges everything and stores nothing.

        Raises:
            Invalid: there are no rows.
            TooLarge: there are too many.
        """
        if not rows:
            raise Invalid("`statements` is empty.")
        if len(rows) > MAX_STATEMENTS:
            raise TooLarge(
                f"`statements` may have {MAX_STATEMENTS:,} entries; it has {len(rows):,}."
            )
        taken, refused = check_statements(rows, now=self._clock())
        symbols = sorted({one.symbol for _, one in taken})
        new, known, contradicting = await self._compared(taken, symbols)
        if new and not dry_run:
            await self._statements.add(new)
        instruments = {one.symbol.upper() for one in await self._instruments.all()}
        return StatementsTaken(
            accepted=len(new),
            refused=sorted([*refused, *contradicting], key=lambda one: one.index),
            already_known=known,
            unknown_symbols=[symbol for symbol in symbols if symbol not in instruments],
        )

    async def _compared(
        self, taken: Iterable[tuple[int, Statement]], symbols: Sequence[str]
    ) -> tuple[list[Statement], int, list[RefusedStatement]]:
        """Return what is new, how many are known already, and what contradicts them."""
        there = {_key(one): one for s in symbols for one in await self._statements.read(s)}
        new: list[Statement] = []
        known, contradicting = 0, []
        for index, one in taken:
            before = there.get(_key(one))
            if before is None:
                there[_key(one)] = one
                new.append(one)
            elif _figures(before) == _figures(one):
                known += 1
            else:
                contradicting.append(
                    RefusedStatement(
                        index,
                        "this period was published at that moment with other figures; a "
                        "restatement has its own publishedAt",
                    )
                )
        return new, known, contradicting


def _key(one: Statement) -> tuple[str, date, int, datetime]:
    return one.symbol, one.period_end, one.months, one.published_at


def _figures(one: Statement) -> tuple[object, ...]:
    return (one.currency, *(getattr(one, name) for name in MONEY))


class FundamentalsView(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The data model's FundamentalAnalysis, and where it comes from."""

    symbol: str
    pe_ratio: float | None
    pb_ratio: float | None
    div_yield: float | None
    market_cap: Decimal | None
    revenue: Decimal | None
    earnings: Decimal | None
    debt_to_equity: float | None
    roe: float | None
    reasons: dict[str, str]
    """Field -> why it is null."""
    period_end: date | None
    published_at: datetime | None
    twelve_months: str | None
    """What the twelve months of revenue and earnings were put together from."""
    currency: str | None
    close: Decimal | None
    as_of: datetime | None
    source: str | None
    definitions: dict[str, str]
    notes: list[str]


class FundamentalsService:
    """What clients do with fundamentals."""

    def __init__(
        self,
        instruments: InstrumentStore,
        bars: BarStore,
        statements: StatementStore,
        intake: StatementIntake,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._instruments = instruments
        self._bars = bars
        self._statements = statements
        self._intake = intake
        self._clock = clock

    async def add(self, rows: Sequence[msgspec.Raw]) -> StatementsTaken:
        """Take statements in."""
        return await self._intake.take(rows)

    async def one(self, symbol: str, *, at: date | None = None) -> FundamentalsView:
        """Return the fundamentals of a symbol at the end of a day, or at its last bar.

        Raises:
            NotFound: `unknown_symbol`, with the nearest known ones.
        """
        instrument = await self._instruments.find(symbol.strip().upper())
        if instrument is None:
            near = nearest(symbol, await self._instruments.all())
            unknown = UnknownSymbol(symbol[:40], nearest=near)
            raise NotFound(unknown.message, code=unknown.code)
        reading = await read_fundamentals(
            self._statements, self._bars, instrument, now=self._clock(), day=at
        )
        found, price = reading.found, reading.price
        return FundamentalsView(
            symbol=instrument.symbol,
            pe_ratio=found.pe_ratio,
            pb_ratio=found.pb_ratio,
            div_yield=found.div_yield,
            market_cap=found.market_cap,
            revenue=found.revenue,
            earnings=found.earnings,
            debt_to_equity=found.debt_to_equity,
            roe=found.roe,
            reasons=found.reasons,
            period_end=found.period_end,
            published_at=found.published_at,
            twelve_months=found.trailing_made_of or None,
            currency=found.currency,
            close=None if price is None else price.close,
            as_of=reading.as_of if found.period_end is not None else None,
            source=found.source or None,
            definitions=DEFINITIONS,
            notes=notes(reading, at),
        )
