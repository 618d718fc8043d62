"""Bars: whole columns in and out, because nobody ever wants one row.

Reading returns one row of packed columns, which numpy takes over without touching a number;
writing goes through COPY.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

import numpy as np

from app.storage.engine import Database, PooledConnection, Record
from tools.errors import UnknownSymbol
from tools.market.bars import Bars, Floats, without_gaps
from tools.market.intake import BarsStored

_COLUMNS = ("timestamp", "open", "high", "low", "close", "volume", "adjusted_close")

_PACKED = """
    SELECT i.symbol, i.source, b.*
      FROM instruments i
      CROSS JOIN LATERAL (
          SELECT string_agg(int8send(extract(epoch FROM timestamp)::bigint), ''::bytea
                            ORDER BY timestamp) AS timestamp,
                 string_agg(float8send(open), ''::bytea ORDER BY timestamp) AS open,
                 string_agg(float8send(high), ''::bytea ORDER BY timestamp) AS high,
                 string_agg(float8send(low), ''::bytea ORDER BY timestamp) AS low,
                 string_agg(float8send(close), ''::bytea ORDER BY timestamp) AS close,
                 string_agg(float8send(volume), ''::bytea ORDER BY timestamp) AS volume,
                 string_agg(float8send(coalesce(adjusted_close, 'NaN')), ''::bytea
                            ORDER BY timestamp) AS adjusted_close
            FROM (
                SELECT * FROM bars
                 WHERE instrument_id = i.id AND timeframe = $2
                   AND ($3::timestamptz IS NULL OR timestamp >= $3)
                   AND ($4::timestamptz IS NULL OR timestamp <= $4)
                 ORDER BY timestamp DESC
                 LIMIT $5
            ) newest
      ) b
"""
_READ = _PACKED + " WHERE i.symbol = $1"
_READ_MANY = _PACKED + " WHERE i.symbol = ANY($1::text[])"
_MANY_BARS = 250_000
"""So many bars are read at once, so that a screen over everything is a few short statements."""


class PostgresBars:
    """Implements `tools.market.store.BarStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def read(
        self,
        symbol: str,
        *,
        timeframe: str = "1d",
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int | None = None,
    ) -> Bars:
        """Return the newest `limit` bars that opened from `start` to `end`, both included.

        Raises:
            UnknownSymbol: no such instrument.
        """
        row = await self._database.fetchrow(_READ, symbol, timeframe, start, end, limit)
        if row is None:
            raise UnknownSymbol(symbol)
        return _bars(row, symbol, timeframe)

    async def replace(self, bars: Bars) -> int:
        """Make `bars` all there is of their symbol and timeframe; return how many were written.

        Raises:
            UnknownSymbol: no such instrument.
        """
        async with self._database.transaction() as connection:
            instrument = await _locked(connection, bars.symbol)
            await connection.execute(
                "DELETE FROM bars WHERE instrument_id = $1 AND timeframe = $2",
                instrument,
                bars.timeframe,
            )
            await connection.copy_records_to_table(
                "bars",
                columns=("instrument_id", "timeframe", *_COLUMNS),
                records=((instrument, bars.timeframe, *row) for row in _rows(bars)),
            )
        return len(bars)

    async def add(self, bars: Bars) -> BarsStored | None:
        """Insert `bars` among what is stored; a bar at a known time replaces the old one.

        Return which of them are new or differ from what was there; None if none do.

        Raises:
            UnknownSymbol: no such instrument.
        """
        async with self._database.transaction() as connection:
            return await self.add_within(connection, bars)

    async def add_within(self, connection: PooledConnection, bars: Bars) -> BarsStored | None:
        """Do what `add` does as a part of a transaction that is open."""
        instrument = await _locked(connection, bars.symbol)
        written = await connection.fetch(
            """
            INSERT INTO bars AS b (instrument_id, timeframe, timestamp, open, high, low, close,
                              volume, adjusted_close)
            SELECT $1, $2, * FROM unnest($3::timestamptz[], $4::float8[], $5::float8[],
                                         $6::float8[], $7::float8[], $8::float8[], $9::float8[])
            ON CONFLICT (instrument_id, timeframe, timestamp) DO UPDATE
               SET open = excluded.open, high = excluded.high, low = excluded.low,
                   close = excluded.close, volume = excluded.volume,
                   adjusted_close = excluded.adjusted_close, ingested_at = now()
             WHERE (b.open, b.high, b.low, b.close, b.volume, b.adjusted_close)
                   IS DISTINCT FROM (excluded.open, excluded.high, excluded.low, excluded.close,
                                     excluded.volume,
                                     coalesce(excluded.adjusted_close, b.adjusted_close))
            RETURNING timestamp, xmax <> 0 AS corrected
            """,
            instrument,
            bars.timeframe,
            *map(list, zip(*_rows(bars), strict=True)),
        )
        if not written:
            return None
        return BarsStored(
            symbol=bars.symbol,
            timeframe=bars.timeframe,
            first=min(row["timestamp"] for row in written),
            last=max(row["timestamp"] for row in written),
            count=len(written),
            corrected=any(row["corrected"] for row in written),
        )

    async def read_many(
        self,
        symbols: Sequence[str],
        *,
        timeframe: str = "1d",
        end: datetime | None = None,
        limit: int,
    ) -> dict[str, Bars]:
        """Return the newest `limit` bars of each symbol that opened by `end`, in a few reads.

        Symbols that nobody knows or that have no bars are left out.
        """
        per_read = max(1, _MANY_BARS // limit)
        found: dict[str, Bars] = {}
        for start in range(0, len(symbols), per_read):
            some = list(symbols[start : start + per_read])
            for row in await self._database.fetch(_READ_MANY, some, timeframe, None, end, limit):
                if row["timestamp"]:
                    found[row["symbol"]] = _bars(row, row["symbol"], timeframe)
        return found


def _bars(row: Record, symbol: str, timeframe: str) -> Bars:
    """Return the packed columns of one instrument as bars."""
    columns = {name: _floats(row[name]) for name in _COLUMNS[1:6]}
    seconds = np.frombuffer(row["timestamp"] or b"", dtype=">i8").astype(np.int64)
    return Bars(
        symbol=symbol,
        timeframe=timeframe,
        source=row["source"],
        timestamps=seconds.astype("datetime64[s]"),
        **columns,
        adjusted_close=without_gaps(columns["close"], _floats(row["adjusted_close"])),
    )


async def _locked(connection: PooledConnection, symbol: str) -> UUID:
    """Return the instrument's id; two writers of one symbol take turns."""
    found: UUID | None = await connection.fetchval(
        "SELECT id FROM instruments WHERE symbol = $1 FOR UPDATE", symbol
    )
    if found is None:
        raise UnknownSymbol(symbol)
    return found


def _rows(bars: Bars) -> list[tuple[datetime, float, float, float, float, float, float | None]]:
    times = [datetime.fromtimestamp(second, UTC) for second in bars.epochs().tolist()]
    adjusted = [None] * len(bars) if bars.adjusted_close is None else _told(bars.adjusted_close)
    columns = (bars.open, bars.high, bars.low, bars.close, bars.volume)
    return list(zip(times, *(column.tolist() for column in columns), adjusted, strict=True))


def _floats(packed: bytes | None) -> Floats:
    return np.frombuffer(packed or b"", dtype=">f8").astype(np.float64)


def _told(numbers: Floats) -> list[float | None]:
    return [None if np.isnan(number) else number for number in numbers.tolist()]
