"""Instruments: which symbols there are and were, and how far their daily bars reach."""

from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Any

import msgspec

from app.domain.ids import new_id
from app.domain.text import clean_text
from app.storage.actions import StoredActions
from app.storage.engine import Database, PooledConnection, Record
from app.storage.former_symbols import archive
from app.storage.rows import from_json
from tools.market.futures import Continuous, Contract
from tools.market.instruments import FormerSymbol, Instrument

_SELECT = """
    SELECT i.id, i.symbol, i.name, i.kind, i.currency, i.exchange, i.source,
           i.provenance::text AS provenance, i.listed_on, i.delisted_on, i.root, i.expires_on,
           i.rolls_on, i.roll_rule, i.roll_adjustment, b.first_bar, b.last_bar, b.bar_count,
           f.former, s.suspects
      FROM instruments i
      CROSS JOIN LATERAL (
          SELECT min(timestamp) AS first_bar, max(timestamp) AS last_bar, count(*) AS bar_count
            FROM bars WHERE instrument_id = i.id AND timeframe = '1d'
      ) b
      CROSS JOIN LATERAL (
          SELECT json_agg(json_build_object('symbol', symbol, 'validFrom', valid_from,
                                            'validTo', valid_to) ORDER BY valid_to DESC)::text
                     AS former
            FROM former_symbols WHERE instrument_id = i.id
      ) f
      CROSS JOIN LATERAL (
          SELECT count(*) AS suspects
            FROM bar_suspects WHERE instrument_id = i.id AND status = 'quarantined'
      ) s
"""
_CALLED = """
    SELECT id FROM (
        SELECT instrument_id AS id, 1 AS rank, valid_to FROM former_symbols
         WHERE symbol = $1 AND coalesce(valid_from, '-infinity') <= $2 AND $2 < valid_to
        UNION ALL
        SELECT id, 2, NULL FROM instruments WHERE symbol = $1
        UNION ALL
        SELECT instrument_id, 3, valid_to FROM former_symbols WHERE symbol = $1
    ) called
     ORDER BY rank, valid_to DESC LIMIT 1
"""
_former = msgspec.json.Decoder(tuple[FormerSymbol, ...])


class PostgresInstruments(StoredActions):
    """Implements `tools.market.store.InstrumentStore`."""

    def __init__(
        self, database: Database, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        super().__init__(database, clock=clock)

    async def all(self) -> list[Instrument]:
        """Return every instrument by symbol, with its span of daily bars."""
        rows = await self._database.fetch(_SELECT + " ORDER BY i.symbol")
        return [_instrument(row) for row in rows]

    async def futures(self) -> list[Instrument]:
        """Return the contracts and the series made of them, by symbol."""
        rows = await self._database.fetch(_SELECT + " WHERE i.root IS NOT NULL ORDER BY i.symbol")
        return [_instrument(row) for row in rows]

    async def find(self, symbol: str, *, on: date | None = None) -> Instrument | None:
        """Return the instrument of exactly this symbol.

        With `on` it is the one that was called so on that day. Otherwise the one that is called so
        now, else the one that was so last.
        """
        # What cannot be stored is no symbol; cleaned, it is still none.
        clean = clean_text(symbol)
        if on is None:
            row = await self._database.fetchrow(_SELECT + " WHERE i.symbol = $1", clean)
            if row is not None:
                return _instrument(row)
        row = await self._database.fetchrow(_SELECT + f" WHERE i.id = ({_CALLED})", clean, on)
        return None if row is None else _instrument(row)

    async def put(self, instrument: Instrument) -> None:
        """Create the instrument or bring what is stored about its symbol up to date.

        Where the symbol's owner was delisted and `listed_on` is later, the symbol goes to a new
        instrument, and the old one keeps its bars under `SYMBOL@LAST-DAY`.
        """
        async with self._database.transaction() as connection:
            if instrument.listed_on is not None:
                await _make_way(connection, instrument.symbol, instrument.listed_on)
            await connection.execute(
                """
                INSERT INTO instruments (id, symbol, name, kind, currency, exchange, source,
                                         provenance, listed_on, delisted_on, root, expires_on,
                                         rolls_on, roll_rule, roll_adjustment)
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text::jsonb, $9, $10, $11, $12, $13, $14,
                        $15)
                ON CONFLICT (symbol) DO UPDATE
                   SET name = excluded.name, kind = excluded.kind, currency = excluded.currency,
                       exchange = excluded.exchange, source = excluded.source,
                       provenance = excluded.provenance, updated_at = now(),
                       listed_on = coalesce(excluded.listed_on, instruments.listed_on),
                       root = coalesce(excluded.root, instruments.root),
                       expires_on = coalesce(excluded.expires_on, instruments.expires_on),
                       rolls_on = CASE WHEN excluded.expires_on IS NULL THEN instruments.rolls_on
                                       ELSE excluded.rolls_on END,
                       roll_rule = coalesce(excluded.roll_rule, instruments.roll_rule),
                       roll_adjustment =
                           coalesce(excluded.roll_adjustment, instruments.roll_adjustment)
                """,
                instrument.id or new_id(),
                instrument.symbol,
                instrument.name,
                instrument.kind,
                instrument.currency,
                instrument.exchange,
                instrument.source,
                msgspec.json.encode(instrument.provenance).decode(),
                instrument.listed_on,
                instrument.delisted_on,
                *_future(instrument),
            )


def _future(instrument: Instrument) -> tuple[object, ...]:
    contract, series = instrument.contract, instrument.continuous
    if series is not None:
        return series.root, None, None, series.rule, series.adjustment
    if contract is not None:
        return contract.root, contract.expires_on, contract.rolls_on, None, None
    return None, None, None, None, None


async def _make_way(connection: PooledConnection, symbol: str, listed_on: date) -> None:
    stored = await connection.fetchrow(
        "SELECT id, symbol, delisted_on FROM instruments WHERE symbol = $1 FOR UPDATE", symbol
    )
    if stored is None or stored["delisted_on"] is None or listed_on <= stored["delisted_on"]:
        return
    await archive(connection, stored)


def _instrument(row: Record) -> Instrument:
    provenance: dict[str, Any] = from_json(row["provenance"])
    return Instrument(
        id=row["id"],
        symbol=row["symbol"],
        name=row["name"],
        kind=row["kind"],
        currency=row["currency"],
        exchange=row["exchange"],
        source=row["source"],
        provenance=provenance,
        listed_on=row["listed_on"],
        delisted_on=row["delisted_on"],
        contract=None
        if row["expires_on"] is None
        else Contract(root=row["root"], expires_on=row["expires_on"], rolls_on=row["rolls_on"]),
        continuous=None
        if row["roll_rule"] is None
        else Continuous(root=row["root"], rule=row["roll_rule"], adjustment=row["roll_adjustment"]),
        former_symbols=() if row["former"] is None else _former.decode(row["former"]),
        first_bar=row["first_bar"],
        last_bar=row["last_bar"],
        bar_count=row["bar_count"],
        suspect_count=row["suspects"],
    )
