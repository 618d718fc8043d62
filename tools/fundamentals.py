"""`fundamentals`: what one company reported, and what its price makes of it."""

from datetime import date
from decimal import Decimal
from typing import Any

from tools.analytics.fundamentals import DEFINITIONS, Fundamentals
from tools.arguments import Arguments, AsOf, Symbol, json_schema, read_arguments
from tools.cards import stamp
from tools.market.fundamentals import Reading, StatementStore, read_fundamentals
from tools.market.naming import meant
from tools.market.quoting import quotable
from tools.market.store import BarStore, InstrumentStore
from tools.technicals import used
from tools.tool import ToolContext, ToolResult


class FundamentalsArguments(Arguments, frozen=True):
    symbol: Symbol
    at: AsOf = None


class FundamentalsTool:
    """Ratios and the reported figures behind them."""

    name = "fundamentals"
    description = (
        "What one company had reported by a day and what its price makes of it: P/E, P/B, dividend "
        "yield, market cap, revenue and earnings of the last twelve reported months, debt to "
        "equity and return on equity, each with its definition, by the day of publication. A value "
        "that is missing has its reason in `reasons`. Many instruments have no statements here; "
        "then say so and do not fill them in from memory."
    )
    parameters = json_schema(FundamentalsArguments)

    def __init__(
        self, instruments: InstrumentStore, bars: BarStore, statements: StatementStore
    ) -> None:
        self._instruments = instruments
        self._bars = bars
        self._statements = statements

    async def __call__(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        asked = read_arguments(FundamentalsArguments, arguments)
        instrument = await meant(self._instruments, asked.symbol)
        reading = await read_fundamentals(
            self._statements, self._bars, instrument, now=context.now, day=asked.at
        )
        return _answer(reading, asked.at)


def _answer(reading: Reading, day: date | None) -> ToolResult:
    found, price, instrument = reading.found, reading.price, reading.instrument
    data: dict[str, Any] = {
        "symbol": instrument.symbol,
        "name": instrument.name,
        **seed_shape(reading.found),
        "reported": found.period_end is not None,
        "reasons": found.reasons if found.period_end is not None else {},
        "periodEnd": None if found.period_end is None else found.period_end.isoformat(),
        "publishedAt": None if found.published_at is None else stamp(found.published_at),
        "twelveMonths": found.trailing_made_of or None,
        "close": None if price is None else float(price.close),
        "lastBar": None if price is None else price.day.isoformat(),
        "currency": found.currency,
        "definitions": DEFINITIONS if found.period_end is not None else {},
        "notes": notes(reading, day),
    }
    return ToolResult(
        data=data,
        summary=_summary(reading),
        source=quotable(found.source) or "the statements stored here",
        as_of=reading.as_of if found.period_end is not None else None,
        units=used(units(found.currency or instrument.currency, instrument.currency), data),
    )


def seed_shape(found: Fundamentals) -> dict[str, Any]:
    """Return the data model's FundamentalAnalysis; money as decimal strings, null where unknown."""
    return {
        "peRatio": found.pe_ratio,
        "pbRatio": found.pb_ratio,
        "divYield": found.div_yield,
        "marketCap": _money(found.market_cap),
        "revenue": _money(found.revenue),
        "earnings": _money(found.earnings),
        "debtToEquity": found.debt_to_equity,
        "roe": found.roe,
    }


def notes(reading: Reading, day: date | None) -> list[str]:
    """Return what a reader must know beside the numbers."""
    found, symbol = reading.found, reading.instrument.symbol
    if not reading.ever_reported:
        return [
            f"There are no reported statements of {symbol} here, so there is no P/E, no market cap "
            "and no other fundamental. They can be imported: outcry import fundamentals FILE."
        ]
    if found.period_end is None:
        until = day.isoformat() if day is not None else "the last bar"
        return [f"At {until}: {next(iter(found.reasons.values()))}."]
    return []


def units(currency: str, price_currency: str) -> dict[str, str]:
    """Return the units of a result."""
    return {
        "peRatio": "times a year's earnings",
        "pbRatio": "times equity",
        "divYield": "fraction of the price",
        "marketCap": currency,
        "revenue": currency,
        "earnings": currency,
        "debtToEquity": "times equity",
        "roe": "fraction of equity",
        "close": price_currency,
    }


def _money(value: Decimal | None) -> str | None:
    """Return money as a plain decimal string, without the zeros behind that say nothing."""
    if value is None:
        return None
    plain = f"{value:f}"
    return plain.rstrip("0").rstrip(".") if "." in plain else plain


def _summary(reading: Reading) -> str:
    symbol, found = reading.instrument.symbol, reading.found
    if found.period_end is None:
        return f"found no statements of {symbol} to speak of"
    return f"read what {symbol} reported up to the period that ended on {found.period_end}"
