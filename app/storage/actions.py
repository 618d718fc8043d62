"""Corporate actions: added, and withdrawn rather than changed, so that what was known stays so."""

from collections.abc import Callable
from datetime import date, datetime, timedelta
from uuid import UUID

import msgspec

from app.domain.ids import new_id
from app.storage.engine import Database, PooledConnection, Record
from app.storage.former_symbols import rename
from tools.errors import UnknownSymbol
from tools.market.actions import Action, ActionKind

_COLUMNS = (
    "kind, ex_date, new_shares, old_shares, amount, currency, new_symbol, note, source, known_at,"
    " withdrawn_at, from_contract, to_contract, from_price, to_price, adjustment"
)


class StoredActions:
    """The actions, as `tools.market.store.InstrumentStore` asks for them."""

    def __init__(self, database: Database, *, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def actions(self, symbol: str) -> list[Action]:
        """Return all actions of an instrument, also those withdrawn, by date.

        Raises:
            UnknownSymbol: no such instrument.
        """
        async with self._database.connection() as connection:
            instrument = await connection.fetchval(
                "SELECT id FROM instruments WHERE symbol = $1", symbol
            )
            if instrument is None:
                raise UnknownSymbol(symbol)
            rows = await connection.fetch(
                f"SELECT {_COLUMNS} FROM corporate_actions WHERE instrument_id = $1"
                " ORDER BY ex_date, kind, known_at",
                instrument,
            )
        return [_action(row) for row in rows]

    async def add_action(self, symbol: str, action: Action) -> Action:
        """Store an action; one of the same day and kind that says otherwise is withdrawn.

        A new symbol and a delisting are carried out. Doing it again changes nothing. Return what is
        stored.

        Raises:
            UnknownSymbol: no such instrument.
            SymbolTaken: another instrument is called by the new symbol.
        """
        async with self._database.transaction() as connection:
            instrument = await _locked(connection, symbol)
            before = await _valid(connection, instrument, action.ex_date, action.kind)
            if before is not None:
                if msgspec.structs.replace(action, known_at=before.known_at) == before:
                    return before
                await _withdraw(connection, instrument, before, action.known_at)
            if action.kind == "symbol_change" and action.new_symbol is not None:
                await rename(connection, instrument, action.new_symbol, action.ex_date)
            if action.kind == "delisting":
                await _delist(connection, instrument, action.ex_date)
            await connection.execute(
                f"""
                INSERT INTO corporate_actions (id, instrument_id, {_COLUMNS})
                VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13,
                        $14, $15, $16, $17, $18)
                """,
                new_id(),
                instrument,
                *msgspec.structs.astuple(action),
            )
        return action

    async def withdraw_action(self, symbol: str, *, ex_date: date, kind: ActionKind) -> bool:
        """Say that an action was wrong; return False if there is none.

        Raises:
            UnknownSymbol: no such instrument.
        """
        async with self._database.transaction() as connection:
            instrument = await _locked(connection, symbol)
            before = await _valid(connection, instrument, ex_date, kind)
            if before is None:
                return False
            await _withdraw(connection, instrument, before, self._clock())
            if kind == "delisting":
                await _delist(connection, instrument, None)
        return True


async def _locked(connection: PooledConnection, symbol: str) -> UUID:
    found: UUID | None = await connection.fetchval(
        "SELECT id FROM instruments WHERE symbol = $1 FOR UPDATE", symbol
    )
    if found is None:
        raise UnknownSymbol(symbol)
    return found


async def _valid(
    connection: PooledConnection, instrument: UUID, ex_date: date, kind: ActionKind
) -> Action | None:
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM corporate_actions WHERE instrument_id = $1 AND ex_date = $2"
        " AND kind = $3 AND withdrawn_at IS NULL",
        instrument,
        ex_date,
        kind,
    )
    return None if row is None else _action(row)


async def _withdraw(
    connection: PooledConnection, instrument: UUID, action: Action, at: datetime
) -> None:
    await connection.execute(
        "UPDATE corporate_actions SET withdrawn_at = $4 WHERE instrument_id = $1 AND ex_date = $2"
        " AND kind = $3 AND withdrawn_at IS NULL",
        instrument,
        action.ex_date,
        action.kind,
        max(at, action.known_at + timedelta(microseconds=1)),
    )


async def _delist(connection: PooledConnection, instrument: UUID, last: date | None) -> None:
    await connection.execute(
        "UPDATE instruments SET delisted_on = $2, updated_at = now() WHERE id = $1",
        instrument,
        last,
    )


def _action(row: Record) -> Action:
    return Action(**dict(row))
