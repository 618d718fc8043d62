"""Symbols that move: from one name of an instrument to its next, or on to another instrument."""

from datetime import date, timedelta
from uuid import UUID

from app.storage.engine import PooledConnection, Record
from tools.errors import SymbolTaken
from tools.market.in_process import archived


async def rename(connection: PooledConnection, instrument: UUID, symbol: str, on: date) -> None:
    """Give an instrument another symbol from a day on; one that had it must be delisted.

    Raises:
        SymbolTaken: its owner is still listed.
    """
    other = await connection.fetchrow(
        "SELECT id, symbol, delisted_on FROM instruments WHERE symbol = $1 FOR UPDATE", symbol
    )
    if other is not None and other["id"] == instrument:
        return
    if other is not None:
        await archive(connection, other)
    await _call(connection, instrument, symbol, until=on)


async def archive(connection: PooledConnection, stored: Record) -> None:
    """Free the symbol of a delisted instrument.

    Raises:
        SymbolTaken: it is not delisted.
    """
    last: date | None = stored["delisted_on"]
    if last is None:
        raise SymbolTaken(stored["symbol"])
    until = last + timedelta(days=1)
    await _call(connection, stored["id"], archived(stored["symbol"], last), until=until)


async def _call(
    connection: PooledConnection, instrument: UUID, symbol: str, *, until: date
) -> None:
    await connection.execute(
        """
        INSERT INTO former_symbols (instrument_id, symbol, valid_from, valid_to)
        SELECT id, symbol,
               coalesce((SELECT max(valid_to) FROM former_symbols WHERE instrument_id = $1),
                        listed_on),
               $2
          FROM instruments WHERE id = $1
        """,
        instrument,
        until,
    )
    await connection.execute(
        "UPDATE instruments SET symbol = $2, updated_at = now() WHERE id = $1", instrument, symbol
    )
