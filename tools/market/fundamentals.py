"""Where statements are kept, and what an instrument's fundamentals are at a moment."""

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Protocol

import msgspec
import numpy as np

from tools.analytics.fundamentals import Fundamentals, Price, Statement, analyse
from tools.market.bars import Bars, split_factors
from tools.market.instruments import Instrument
from tools.market.store import BarStore


class StatementStore(Protocol):
    """Keeps what companies reported."""

    async def add(self, statements: Sequence[Statement]) -> int:
        """Store the statements that are not there yet; return how many were new.

        One is there when the same symbol published the same period at the same moment before.
        """
        ...

    async def read(self, symbol: str, *, published_by: datetime | None = None) -> list[Statement]:
        """Return the statements of a symbol published by a moment, oldest publication first."""
        ...


class InProcessStatements:
    """Statements in memory."""

    def __init__(self, statements: Iterable[Statement] = ()) -> None:
        self._statements = {_key(one): one for one in statements}

    async def add(self, statements: Sequence[Statement]) -> int:
        before = len(self._statements)
        for one in statements:
            self._statements.setdefault(_key(one), one)
        return len(self._statements) - before

    async def read(self, symbol: str, *, published_by: datetime | None = None) -> list[Statement]:
        found = [
            one
            for one in self._statements.values()
            if one.symbol == symbol and (published_by is None or one.published_at <= published_by)
        ]
        return sorted(found, key=lambda one: (one.published_at, one.period_end, one.months))


def _key(one: Statement) -> tuple[str, date, int, datetime]:
    return one.symbol, one.period_end, one.months, one.published_at


class Reading(msgspec.Struct, frozen=True):
    """Fundamentals of one instrument at one moment."""

    instrument: Instrument
    found: Fundamentals
    price: Price | None
    as_of: datetime | None
    """The later of the price and the newest report; None when nothing is known."""
    ever_reported: bool
    """There are statements of this symbol at all."""


async def read_fundamentals(
    statements: StatementStore,
    bars: BarStore,
    instrument: Instrument,
    *,
    now: datetime,
    day: date | None = None,
) -> Reading:
    """Return the fundamentals at the end of a day, or at the last bar there is."""
    stored = (await bars.read(instrument.symbol, end=now)).closed_by(now)
    seen = stored if day is None else stored.until(day)
    price = price_of(seen, instrument) if len(seen) else None
    if day is not None:
        moment = min(now, datetime.combine(day, time(23, 59, 59), UTC))
    elif price is not None:
        # A daily close is known when its day is over; what was published by then was known too.
        moment = min(now, datetime.combine(price.day, time(23, 59, 59), UTC))
    else:
        moment = now
    told = await statements.read(instrument.symbol, published_by=moment)
    found = analyse(told, at=moment, price=price)
    moments = [stored_at for stored_at in (found.published_at, _closed(price)) if stored_at]
    return Reading(
        instrument=instrument,
        found=found,
        price=price,
        as_of=max(moments, default=None),
        ever_reported=bool(told) or bool(await statements.read(instrument.symbol)),
    )


def price_of(bars: Bars, instrument: Instrument) -> Price:
    """Return the last close and the splits before it, as far as the bars as stored tell them."""
    factors = split_factors(bars)
    at = np.flatnonzero(factors[:-1] != factors[1:])
    return Price(
        close=Decimal(repr(float(bars.close[-1]))),
        day=bars.day(-1),
        currency=instrument.currency,
        splits=tuple(
            (bars.day(int(i) + 1), Decimal(repr(round(float(factors[i] / factors[i + 1]), 9))))
            for i in at
        ),
    )


def _closed(price: Price | None) -> datetime | None:
    return None if price is None else datetime.combine(price.day, time(0), UTC)
