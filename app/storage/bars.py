"""Bars: whole columns in and out, because nobody ever wants one row.

Reading returns one row of packed columns; writing goes through COPY. What a correction replaces is
kept in `bar_versions`, so that the hot read path never meets it.
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray

from app.domain.text import clean_text
from app.storage.bar_rows import COLUMNS, PACKED, PRICES, columns_of, copy_bars, moments, unpack
from app.storage.bar_suspects import StoredSuspects
from app.storage.engine import Database, PooledConnection
from tools.errors import MixedBasis, UnknownSymbol
from tools.market.bars import Bars
from tools.market.intake import BarsStored
from tools.market.merging import differing, told
from tools.market.records import BarVersion

_SPAN = """
           instrument_id = i.id AND timeframe = $2
       AND ($3::timestamptz IS NULL OR timestamp >= $3)
       AND ($4::timestamptz IS NULL OR timestamp <= $4)
"""
_NOW = f"SELECT * FROM bars WHERE {_SPAN}"
_THEN = f"""
    SELECT * FROM (
        SELECT DISTINCT ON (timestamp) {", ".join(COLUMNS)} FROM (
            (SELECT {", ".join(COLUMNS)}, ingested_at AS since FROM bars
              WHERE {_SPAN} AND ($7::boolean OR ingested_at <= $6)
              ORDER BY timestamp DESC LIMIT $5)
            UNION ALL
            SELECT {", ".join(COLUMNS)}, known_at FROM bar_versions
             WHERE {_SPAN} AND ($7::boolean OR known_at <= $6) AND superseded_at > $6
        ) every ORDER BY timestamp, since
    ) first
"""
"""What was in force at $6; with $7, of what was not known by then the first version."""


def _read(rows: str, actions: str, instruments: str) -> str:
    return f"""
        SELECT i.symbol, i.source, i.currency, i.exchange, i.kind, s.basis, s.adjusted_until,
               a.actions, b.*
          FROM instruments i
          LEFT JOIN bar_series s ON s.instrument_id = i.id AND s.timeframe = $2
          CROSS JOIN LATERAL (
              SELECT json_agg(json_build_object(
                         'kind', kind, 'exDate', ex_date, 'newShares', new_shares::text,
                         'oldShares', old_shares::text, 'amount', amount::text,
                         'currency', currency, 'source', source, 'knownAt', known_at,
                         'fromContract', from_contract, 'toContract', to_contract,
                         'fromPrice', from_price::text, 'toPrice', to_price::text,
                         'adjustment', adjustment
                     ) ORDER BY ex_date, kind)::text AS actions
                FROM ({actions}) valid
               WHERE kind IN ('split', 'dividend', 'special_dividend', 'roll')
          ) a
          CROSS JOIN LATERAL (
              SELECT {PACKED} FROM ({rows} ORDER BY timestamp DESC LIMIT $5) newest
          ) b
         WHERE i.symbol {instruments}
    """


_VALID_NOW = "SELECT * FROM corporate_actions WHERE instrument_id = i.id AND withdrawn_at IS NULL"
_VALID_THEN = """
    SELECT DISTINCT ON (kind, ex_date) * FROM corporate_actions
     WHERE instrument_id = i.id AND ($7::boolean OR known_at <= $6)
       AND (withdrawn_at IS NULL OR withdrawn_at > $6)
     ORDER BY kind, ex_date, known_at
"""
_ONE, _MANY = "= $1", "= ANY($1::text[])"
_READ = _read(_NOW, _VALID_NOW, _ONE)
_READ_THEN = _read(_THEN, _VALID_THEN, _ONE)
_READ_MANY = _read(_NOW, _VALID_NOW, _MANY)
_READ_MANY_THEN = _read(_THEN, _VALID_THEN, _MANY)
_MANY_BARS = 250_000
"""So many bars are read at once, so that a screen over everything is a few short statements."""

_SUPERSEDE = f"""
    INSERT INTO bar_versions (instrument_id, timeframe, {", ".join(COLUMNS)}, known_at,
                              superseded_at, source)
    SELECT instrument_id, timeframe, {", ".join(COLUMNS)}, ingested_at,
           greatest($4::timestamptz, ingested_at + interval '1 microsecond'), source
      FROM bars
     WHERE instrument_id = $1 AND timeframe = $2 AND timestamp = ANY($3::timestamptz[])
"""
_CORRECT = f"""
    UPDATE bars b
       SET {", ".join(f"{name} = new.{name}" for name in PRICES)},
           ingested_at = greatest($3::timestamptz, b.ingested_at + interval '1 microsecond'),
           source = $4
      FROM unnest($5::timestamptz[], $6::float8[], $7::float8[], $8::float8[], $9::float8[],
                  $10::float8[], $11::float8[]) AS new ({", ".join(COLUMNS)})
     WHERE b.instrument_id = $1 AND b.timeframe = $2 AND b.timestamp = new.timestamp
"""


class PostgresBars(StoredSuspects):
    """Implements `tools.market.store.BarStore`."""

    def __init__(
        self, database: Database, *, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        super().__init__(database, clock=clock)

    async def read(
        self,
        symbol: str,
        *,
        timeframe: str = "1d",
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int | None = None,
        known_at: datetime | None = None,
        backfilled: bool = False,
    ) -> Bars:
        """Return the newest `limit` bars that opened from `start` to `end`, both included.

        With `known_at` they are those that the desk knew at that moment, as it knew them; with
        `backfilled` also those that came later, as they first came.

        Raises:
            UnknownSymbol: no such instrument.
        """
        asked: list[Any] = [symbol, timeframe, start, end, limit]
        query = _READ
        if known_at is not None:
            asked += (known_at, backfilled)
            query = _READ_THEN
        row = await self._database.fetchrow(query, *asked)
        if row is None:
            raise UnknownSymbol(symbol)
        return unpack(row, timeframe)

    async def read_many(
        self,
        symbols: Sequence[str],
        *,
        timeframe: str = "1d",
        end: datetime | None = None,
        limit: int,
        known_at: datetime | None = None,
        backfilled: bool = False,
    ) -> dict[str, Bars]:
        """Return the newest `limit` bars of each symbol that opened by `end`, in a few reads.

        `known_at` and `backfilled` as in `read`.

        Symbols that nobody knows or that have no bars are left out.
        """
        per_read = max(1, _MANY_BARS // limit)
        found: dict[str, Bars] = {}
        for start in range(0, len(symbols), per_read):
            some = list(symbols[start : start + per_read])
            asked: list[Any] = [some, timeframe, None, end, limit]
            query = _READ_MANY
            if known_at is not None:
                asked += (known_at, backfilled)
                query = _READ_MANY_THEN
            for row in await self._database.fetch(query, *asked):
                if row["timestamp"]:
                    found[row["symbol"]] = unpack(row, timeframe)
        return found

    async def versions(
        self, symbol: str, *, timeframe: str, timestamp: datetime
    ) -> list[BarVersion]:
        """Return everything that was ever believed of one bar, oldest first."""
        rows = await self._database.fetch(
            f"""
            SELECT known_at, superseded_at, {", ".join(PRICES)},
                   coalesce(every.source, i.source) AS source
              FROM instruments i
              JOIN (
                SELECT instrument_id, timeframe, {", ".join(COLUMNS)}, known_at, superseded_at,
                       source
                  FROM bar_versions
                UNION ALL
                SELECT instrument_id, timeframe, {", ".join(COLUMNS)}, ingested_at, NULL, source
                  FROM bars
              ) every ON every.instrument_id = i.id
             WHERE i.symbol = $1
               AND timeframe = $2 AND timestamp = $3
             ORDER BY known_at
            """,
            symbol,
            timeframe,
            timestamp,
        )
        return [BarVersion(**dict(row)) for row in rows]

    async def replace(self, bars: Bars) -> int:
        """Make `bars` all there is of their symbol and timeframe; return how many they are.

        Raises:
            UnknownSymbol: no such instrument.
        """
        async with self._database.transaction() as connection:
            await self._write(connection, bars, whole=True)
        return len(bars)

    async def add(self, bars: Bars) -> BarsStored | None:
        """Insert `bars` among what is stored; a bar at a known time replaces the old one.

        Return which of them are new or differ from what was there; None if none do.

        Raises:
            UnknownSymbol: no such instrument.
            MixedBasis: what is stored is on another basis.
        """
        async with self._database.transaction() as connection:
            return await self.add_within(connection, bars)

    async def add_within(
        self, connection: PooledConnection, bars: Bars, *, of_today: bool = False
    ) -> BarsStored | None:
        """Do what `add` does as a part of a transaction that is open.

        Bars `of_today` are in today's shares: they fit a series of either basis.
        """
        if not len(bars):
            return None
        new, changed = await self._write(connection, bars, whole=False, of_today=of_today)
        if not (new | changed).any():
            return None
        return told(bars, new | changed, corrected=bool(changed.any()))

    async def _write(
        self,
        connection: PooledConnection,
        bars: Bars,
        *,
        whole: bool,
        of_today: bool = False,
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Write what is new or differs; return where that is. `whole`: remove everything else."""
        instrument = await _locked(connection, bars.symbol)
        # Read once the lock is held, so that versions follow each other.
        now = self._clock()
        await _set_basis(connection, instrument, bars, whole=whole, of_today=of_today)
        start, end = (None, None) if whole or not len(bars) else (bars.time(0), bars.time(-1))
        row = await connection.fetchrow(_READ, bars.symbol, bars.timeframe, start, end, None)
        if row is None:
            raise UnknownSymbol(bars.symbol)
        old = unpack(row, bars.timeframe, fill=False)
        new, changed = differing(old, bars, exactly=whole)
        gone = ~np.isin(old.timestamps, bars.timestamps) if whole else np.zeros(len(old), bool)
        if changed.any() or gone.any():
            superseded = np.concatenate([bars.timestamps[changed], old.timestamps[gone]])
            await connection.execute(
                _SUPERSEDE, instrument, bars.timeframe, moments(superseded), now
            )
        if gone.any():
            await connection.execute(
                "DELETE FROM bars WHERE instrument_id = $1 AND timeframe = $2"
                " AND timestamp = ANY($3::timestamptz[])",
                instrument,
                bars.timeframe,
                moments(old.timestamps[gone]),
            )
        # Clean, as the database has no place for some signs; null is the instrument's own.
        source = None if bars.source == old.source else clean_text(bars.source)
        if changed.any():
            columns = columns_of(bars.pick(changed))
            await connection.execute(_CORRECT, instrument, bars.timeframe, now, source, *columns)
        if new.any():
            await copy_bars(connection, instrument, bars.pick(new), now, source=source)
        return new, changed


async def _locked(connection: PooledConnection, symbol: str) -> UUID:
    """Return the instrument's id; two writers of one symbol take turns."""
    found: UUID | None = await connection.fetchval(
        "SELECT id FROM instruments WHERE symbol = $1 FOR UPDATE", symbol
    )
    if found is None:
        raise UnknownSymbol(symbol)
    return found


async def _set_basis(
    connection: PooledConnection,
    instrument: UUID,
    bars: Bars,
    *,
    whole: bool,
    of_today: bool = False,
) -> None:
    """Say on which basis the series is, or check it; a series written anew may change it."""
    stored: str | None = await connection.fetchval(
        "SELECT basis FROM bar_series WHERE instrument_id = $1 AND timeframe = $2",
        instrument,
        bars.timeframe,
    )
    if stored is None and not whole:
        # Bars of before the basis was kept were as traded.
        there = await connection.fetchval(
            "SELECT EXISTS (SELECT FROM bars WHERE instrument_id = $1 AND timeframe = $2)",
            instrument,
            bars.timeframe,
        )
        stored = "as_traded" if there else None
    if stored is not None and not whole:
        if stored != bars.basis and not of_today:
            raise MixedBasis(bars.symbol, bars.timeframe, stored=stored, given=bars.basis)
        return
    until = bars.adjusted_until
    if bars.basis == "split_adjusted" and until is None and len(bars):
        until = bars.day(-1)
    await connection.execute(
        """
        INSERT INTO bar_series (instrument_id, timeframe, basis, adjusted_until)
        VALUES ($1, $2, $3, $4)
        ON CONFLICT (instrument_id, timeframe) DO UPDATE
           SET basis = excluded.basis, adjusted_until = excluded.adjusted_until
        """,
        instrument,
        bars.timeframe,
        bars.basis,
        until,
    )
