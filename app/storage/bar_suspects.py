"""Bars in quarantine: put there by the intake, let out or turned away by somebody."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from app.domain.ids import new_id
from app.storage.engine import Database, PooledConnection, Record
from tools.errors import UnknownSymbol
from tools.market.records import NewSuspect, Suspect, SuspectStatus

_COLUMNS = (
    "timestamp, open, high, low, close, volume, adjusted_close, source, reason, possible, status,"
    " arrived_at, decided_at, decided_by"
)


class StoredSuspects:
    """The quarantine, as `tools.market.store.BarStore` asks for it."""

    def __init__(self, database: Database, *, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._clock = clock

    async def quarantine(
        self, symbol: str, timeframe: str, suspects: Sequence[NewSuspect], *, source: str
    ) -> list[SuspectStatus]:
        """Keep bars that nobody believes, each once; return where each of them stands.

        Raises:
            UnknownSymbol: no such instrument.
        """
        if not suspects:
            return []
        async with self._database.transaction() as connection:
            return await self.quarantine_within(
                connection, symbol, timeframe, suspects, source=source
            )

    async def quarantine_within(
        self,
        connection: PooledConnection,
        symbol: str,
        timeframe: str,
        suspects: Sequence[NewSuspect],
        *,
        source: str,
    ) -> list[SuspectStatus]:
        """Do what `quarantine` does as a part of a transaction that is open."""
        if not suspects:
            return []
        # One statement cannot meet the same row twice.
        unlike = {one.numbers: one for one in suspects}
        columns: list[list[object]] = [[new_id() for _ in unlike]]
        columns += [
            [getattr(one, name) for one in unlike.values()]
            for name in (
                "timestamp", "open", "high", "low", "close", "volume", "adjusted_close", "reason",
                "possible",
            )
        ]  # fmt: skip
        rows = await connection.fetch(
            """
            INSERT INTO bar_suspects AS s (instrument_id, timeframe, source, arrived_at, id,
                   timestamp, open, high, low, close, volume, adjusted_close, reason, possible)
            SELECT i.id, $2, $3, $4, new.*
              FROM instruments i
              CROSS JOIN unnest($5::uuid[], $6::timestamptz[], $7::float8[], $8::float8[],
                                $9::float8[], $10::float8[], $11::float8[], $12::float8[],
                                $13::text[], $14::boolean[]) AS new
             WHERE i.symbol = $1
            ON CONFLICT ON CONSTRAINT uq_bar_suspects_same DO UPDATE SET source = s.source
            RETURNING s.timestamp, s.open, s.high, s.low, s.close, s.volume, s.status
            """,
            symbol,
            timeframe,
            source,
            self._clock(),
            *columns,
        )
        if not rows:
            raise UnknownSymbol(symbol)
        stand: dict[tuple[object, ...], SuspectStatus] = {
            tuple(row.values())[:-1]: row["status"] for row in rows
        }
        return [stand[one.numbers] for one in suspects]

    async def suspects(
        self,
        symbol: str | None = None,
        *,
        status: SuspectStatus | None = "quarantined",
        after: UUID | None = None,
        limit: int = 200,
    ) -> list[Suspect]:
        """Return suspects, newest arrival first; `after`: those that arrived before this one."""
        rows = await self._database.fetch(
            f"""
            SELECT s.id, i.symbol, s.timeframe, {_COLUMNS}
              FROM bar_suspects s
              JOIN (SELECT id AS of, symbol FROM instruments) i ON i.of = s.instrument_id
             WHERE ($1::text IS NULL OR i.symbol = $1)
               AND ($2::text IS NULL OR s.status = $2)
               AND ($3::uuid IS NULL OR s.id < $3)
             ORDER BY s.id DESC
             LIMIT $4
            """,
            symbol,
            status,
            after,
            limit,
        )
        return [_suspect(row) for row in rows]

    async def suspect(self, suspect_id: UUID) -> Suspect | None:
        """Return one suspect."""
        row = await self._database.fetchrow(
            f"""
            SELECT s.id, i.symbol, s.timeframe, {_COLUMNS}
              FROM bar_suspects s
              JOIN (SELECT id AS of, symbol FROM instruments) i ON i.of = s.instrument_id
             WHERE s.id = $1
            """,
            suspect_id,
        )
        return None if row is None else _suspect(row)

    async def decide(self, suspect_id: UUID, status: SuspectStatus, *, by: str) -> bool:
        """Say what became of a suspect; return False if that was said already."""
        rows = await self._database.write(
            "UPDATE bar_suspects SET status = $2, decided_at = $3, decided_by = $4"
            " WHERE id = $1 AND status = 'quarantined' RETURNING id",
            suspect_id,
            status,
            self._clock(),
            by,
        )
        return bool(rows)


def _suspect(row: Record) -> Suspect:
    return Suspect(**dict(row))
