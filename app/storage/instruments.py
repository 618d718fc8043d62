"""Instruments: which symbols there are, and how far their daily bars reach."""

from typing import Any

import msgspec

from app.domain.ids import new_id
from app.domain.text import clean_text
from app.storage.engine import Database, Record
from app.storage.rows import from_json
from tools.market.instruments import Instrument

_SELECT = """
    SELECT i.symbol, i.name, i.kind, i.currency, i.exchange, i.source,
           i.provenance::text AS provenance, b.first_bar, b.last_bar, b.bar_count
      FROM instruments i
      CROSS JOIN LATERAL (
          SELECT min(timestamp) AS first_bar, max(timestamp) AS last_bar, count(*) AS bar_count
            FROM bars WHERE instrument_id = i.id AND timeframe = '1d'
      ) b
"""


class PostgresInstruments:
    """Implements `tools.market.store.InstrumentStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def all(self) -> list[Instrument]:
        """Return every instrument by symbol, with its span of daily bars."""
        rows = await self._database.fetch(_SELECT + " ORDER BY i.symbol")
        return [_instrument(row) for row in rows]

    async def find(self, symbol: str) -> Instrument | None:
        """Return the instrument of exactly this symbol."""
        # What cannot be stored is no symbol; cleaned, it is still none.
        row = await self._database.fetchrow(_SELECT + " WHERE i.symbol = $1", clean_text(symbol))
        return None if row is None else _instrument(row)

    async def put(self, instrument: Instrument) -> None:
        """Create the instrument or bring what is stored about its symbol up to date."""
        await self._database.execute(
            """
            INSERT INTO instruments (id, symbol, name, kind, currency, exchange, source, provenance)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8::text::jsonb)
            ON CONFLICT (symbol) DO UPDATE
               SET name = excluded.name, kind = excluded.kind, currency = excluded.currency,
                   exchange = excluded.exchange, source = excluded.source,
                   provenance = excluded.provenance, updated_at = now()
            """,
            new_id(),
            instrument.symbol,
            instrument.name,
            instrument.kind,
            instrument.currency,
            instrument.exchange,
            instrument.source,
            msgspec.json.encode(instrument.provenance).decode(),
        )


def _instrument(row: Record) -> Instrument:
    provenance: dict[str, Any] = from_json(row["provenance"])
    return Instrument(
        symbol=row["symbol"],
        name=row["name"],
        kind=row["kind"],
        currency=row["currency"],
        exchange=row["exchange"],
        source=row["source"],
        provenance=provenance,
        first_bar=row["first_bar"],
        last_bar=row["last_bar"],
        bar_count=row["bar_count"],
    )
