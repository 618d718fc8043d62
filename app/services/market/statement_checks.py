"""Which reported statements can be believed. Pure: one reason per refused row."""

import math
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal

import msgspec

from app.domain.text import clean_text
from tools.analytics.fundamentals import Statement
from tools.market.quoting import plain_line

MAX_STATEMENTS = 10_000
MONEY = ("revenue", "net_income", "equity", "total_debt", "shares", "dividends_per_share")
MONTHS = (3, 6, 9, 12)
_DECIMALS = 6
_LARGEST = Decimal(10) ** 24
_EARLIEST = date(1900, 1, 1)
_CLOCKS_DIFFER = timedelta(minutes=5)
_NUMBER = re.compile(r"[+-]?[0-9]{1,40}(?:\.[0-9]{1,40})?(?:[eE][+-]?[0-9]{1,2})?", re.ASCII)
_SYMBOL = re.compile(r"[A-Z0-9.^=/_-]{1,32}", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)

Amount = str | int | float | None


class NewStatement(
    msgspec.Struct, frozen=True, rename="camel", forbid_unknown_fields=True, kw_only=True
):
    """One statement as it is posted or imported. Money in whole units of the currency."""

    symbol: str
    period_end: date
    months: int
    published_at: str
    """A time with its zone; a date alone means the end of that day, UTC."""
    currency: str
    source: str
    revenue: Amount = None
    net_income: Amount = None
    equity: Amount = None
    total_debt: Amount = None
    shares: Amount = None
    dividends_per_share: Amount = None


class RefusedStatement(msgspec.Struct, frozen=True):
    """One statement that was not taken."""

    index: int
    reason: str


_decoder = msgspec.json.Decoder(NewStatement)


def check_statements(
    rows: Sequence[msgspec.Raw], *, now: datetime
) -> tuple[list[tuple[int, Statement]], list[RefusedStatement]]:
    """Return the statements to take, with their places, and the refused ones with reasons."""
    taken: list[tuple[int, Statement]] = []
    refused: list[RefusedStatement] = []
    for index, raw in enumerate(rows):
        try:
            taken.append((index, _checked(_decoder.decode(raw), now)))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            refused.append(RefusedStatement(index, _plain_reason(error)))
        except _Wrong as wrong:
            refused.append(RefusedStatement(index, str(wrong)))
    return taken, refused


class _Wrong(Exception):
    """What is wrong with a statement."""


def _checked(new: NewStatement, now: datetime) -> Statement:
    symbol = new.symbol.strip().upper()
    if _SYMBOL.fullmatch(symbol) is None:
        raise _Wrong(
            f"symbol {clean_text(symbol)[:40]!r} is none: "
            "1 to 32 letters, digits or any of . - ^ = / _"
        )
    if new.months not in MONTHS:
        raise _Wrong(f"months is {new.months}; it must be 3, 6, 9 or 12")
    currency = new.currency.strip().upper()
    if _CURRENCY.fullmatch(currency) is None:
        raise _Wrong("currency must be three letters such as USD")
    source = plain_line(clean_text(new.source))
    if not 1 <= len(source) <= 200:
        raise _Wrong("source must have 1 to 200 characters")
    published = _published(new, now)
    money = {name: _amount(_camel(name), getattr(new, name)) for name in MONEY}
    if all(value is None for value in money.values()):
        raise _Wrong("it states no figure at all")
    for name in ("total_debt", "dividends_per_share"):
        value = money[name]
        if value is not None and value < 0:
            raise _Wrong(f"{_camel(name)} is {value}; it must be 0 or more")
    shares = money["shares"]
    if shares is not None and shares <= 0:
        raise _Wrong(f"shares is {shares}; it must be above 0")
    return Statement(
        symbol=symbol,
        period_end=new.period_end,
        months=new.months,
        published_at=published,
        currency=currency,
        source=source,
        **money,
    )


def _published(new: NewStatement, now: datetime) -> datetime:
    """Return when it was published, UTC; of a day alone the end, because the hour is not known."""
    said = new.published_at.strip()
    try:
        if len(said) == 10:
            at = datetime.combine(date.fromisoformat(said), time(23, 59, 59), UTC)
        else:
            at = datetime.fromisoformat(said)
            if at.tzinfo is None:
                raise _Wrong("publishedAt has no zone; end it with Z, or give a date alone")
            at = at.astimezone(UTC)
    except (ValueError, OverflowError):
        raise _Wrong(
            "publishedAt must be a date or a time such as 2024-05-01 or 2024-05-01T14:30:00Z"
        ) from None
    # The end of today is still to come, but what came out today is out.
    if at.date() > now.date() or (len(said) != 10 and at > now + _CLOCKS_DIFFER):
        raise _Wrong("publishedAt is in the future")
    if new.period_end < _EARLIEST:
        raise _Wrong("periodEnd is before 1900")
    if at.date() < new.period_end:
        raise _Wrong("publishedAt is before periodEnd")
    return at


def _amount(name: str, value: Amount) -> Decimal | None:
    """Return an exact amount; nothing is guessed out of what is no plain number."""
    if value is None:
        return None
    if isinstance(value, float) and not math.isfinite(value):
        raise _Wrong(f"{name} is not a number: {value}")
    said = value.strip() if isinstance(value, str) else repr(value)
    if not said:
        return None
    if _NUMBER.fullmatch(said) is None:
        raise _Wrong(f"{name} is not a plain number: {clean_text(said)[:40]!r}")
    number = Decimal(said)
    if abs(number) >= _LARGEST:
        raise _Wrong(f"{name} is too large: {clean_text(said)[:40]}")
    if number != round(number, _DECIMALS):
        raise _Wrong(f"{name} has more than {_DECIMALS} decimals: {clean_text(said)[:40]}")
    return number


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


def _plain_reason(error: Exception) -> str:
    return str(error).replace(" - at `$.", " at `").replace(" - at `$`", "")
