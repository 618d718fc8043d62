"""Signals in Postgres. Cases of thousands of signals come out in a few values, not in rows."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import msgspec
import numpy as np

from app.domain.signals import (
    KnownSignal,
    NewSignal,
    SignalChange,
    SignalFilter,
    SignalPlan,
    SignalProgress,
)
from app.domain.views import Position
from app.storage.engine import Database, EncodedJson, PooledConnection, Record, encode_json
from app.storage.signal_rows import SIGNAL_COLUMNS, signal_of
from tools.analytics.cases import Cases, nothing
from tools.market.bars import TIMEFRAMES
from tools.market.signals import MarketSignal

_COLUMNS = """
    id, model_id, symbol, market, timeframe, signal_type, kind, variant, direction, strength,
    reason, indicators, technical_analysis, sentiment_analysis, fundamental_analysis, confidence,
    base_rate, edge, track_record, valid_from, valid_until, valid_bars, known_at, state, ended_at,
    end_reason, outcome, outcome_value, outcome_unit, outcome_note, resolved_at, counted,
    own_base_rate, path, metadata, created_at
"""
_INSERT = f"""
    INSERT INTO market_signals ({_COLUMNS})
    VALUES ({", ".join(f"${place}" for place in range(1, 37))})
    ON CONFLICT (id) DO UPDATE
       SET withdrawn_at = NULL, state = excluded.state, ended_at = excluded.ended_at,
           end_reason = excluded.end_reason, outcome = excluded.outcome,
           outcome_value = excluded.outcome_value, outcome_note = excluded.outcome_note,
           resolved_at = excluded.resolved_at, path = excluded.path, updated_at = now()
     WHERE market_signals.withdrawn_at IS NOT NULL
"""
_CHANGE = """
    UPDATE market_signals
       SET state = $2, ended_at = $3, end_reason = $4, outcome = $5, outcome_value = $6,
           outcome_unit = $7, outcome_note = $8, resolved_at = $9, path = $10, updated_at = now()
     WHERE id = $1
"""
_WITHDRAW = """
    UPDATE market_signals
       SET state = 'superseded', end_reason = 'the bars it stood on were corrected',
           ended_at = coalesce(ended_at, valid_from), withdrawn_at = now(), outcome = 'none',
           updated_at = now()
     WHERE id = ANY($1::uuid[]) AND withdrawn_at IS NULL
"""
_PROGRESS = """
    INSERT INTO signal_progress (symbol, timeframe, model_id, watched_from, through, digest)
    VALUES ($1, $2, $3, $4, $5, $6)
    ON CONFLICT (symbol, timeframe) DO UPDATE
       SET model_id = excluded.model_id, watched_from = excluded.watched_from,
           through = excluded.through, digest = excluded.digest,
           version = signal_progress.version + 1, updated_at = now()
"""
_CASES = """
    SELECT kind,
           array_agg(symbol ORDER BY resolved_at, valid_from, symbol COLLATE "C") AS symbols,
           string_agg(int8send(extract(epoch FROM valid_from)::bigint), ''::bytea
                      ORDER BY resolved_at, valid_from, symbol COLLATE "C") AS fired,
           string_agg(int8send(extract(epoch FROM resolved_at)::bigint), ''::bytea
                      ORDER BY resolved_at, valid_from, symbol COLLATE "C") AS resolved,
           string_agg(float8send(CASE outcome WHEN 'hit' THEN 1.0 ELSE 0.0 END), ''::bytea
                      ORDER BY resolved_at, valid_from, symbol COLLATE "C") AS hits,
           string_agg(float8send(own_base_rate), ''::bytea
                      ORDER BY resolved_at, valid_from, symbol COLLATE "C") AS base_rates,
           string_agg(float8send(coalesce(outcome_value, 'NaN')), ''::bytea
                      ORDER BY resolved_at, valid_from, symbol COLLATE "C") AS outcomes,
           CASE WHEN $6 THEN string_agg(path, ''::bytea
                      ORDER BY resolved_at, valid_from, symbol COLLATE "C") END AS paths
      FROM market_signals
     WHERE market = $1 AND timeframe = $2 AND kind = ANY($3::text[]) AND resolved_at <= $4
       AND model_id = $5 AND counted AND withdrawn_at IS NULL
       AND outcome IN ('hit', 'miss') AND own_base_rate IS NOT NULL
     GROUP BY kind
"""


class PostgresSignals:
    """Implements `app.services.signals.signal_store.SignalStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def progress(self, symbol: str, timeframe: str) -> SignalProgress | None:
        """Return how far a series has been read."""
        row = await self._database.fetchrow(
            "SELECT * FROM signal_progress WHERE symbol = $1 AND timeframe = $2", symbol, timeframe
        )
        return None if row is None else _progress(row)

    async def pending(self, model_id: UUID, *, now: datetime) -> list[tuple[str, str]]:
        """Return the series that have bars these rules have not read."""
        rows = await self._database.fetch(
            """
            SELECT i.symbol, t.timeframe
              FROM instruments i
              CROSS JOIN unnest($2::text[], $4::interval[]) AS t (timeframe, lasts)
             WHERE EXISTS (SELECT 1 FROM bars b
                            WHERE b.instrument_id = i.id AND b.timeframe = t.timeframe
                              AND b.timestamp <= $3::timestamptz - t.lasts)
               AND NOT EXISTS (
                   SELECT 1 FROM signal_progress p
                    WHERE p.symbol = i.symbol AND p.timeframe = t.timeframe AND p.model_id = $1
                      AND p.through >= (SELECT max(b.timestamp) FROM bars b
                                         WHERE b.instrument_id = i.id
                                           AND b.timeframe = t.timeframe
                                           AND b.timestamp <= $3::timestamptz - t.lasts))
             ORDER BY t.timeframe, i.symbol
            """,
            model_id,
            list(TIMEFRAMES),
            now,
            list(TIMEFRAMES.values()),
        )
        return [(row["symbol"], row["timeframe"]) for row in rows]

    async def known(
        self, symbol: str, timeframe: str, *, model_id: UUID, since: datetime
    ) -> list[KnownSignal]:
        """Return what is stored of a series' signals from a moment on, the withdrawn left out."""
        rows = await self._database.fetch(
            """
            SELECT id, state, ended_at, outcome, outcome_value FROM market_signals
             WHERE symbol = $1 AND timeframe = $2 AND valid_from >= $3 AND model_id = $4
               AND withdrawn_at IS NULL
            """,
            symbol,
            timeframe,
            since,
            model_id,
        )
        return [KnownSignal(**dict(row)) for row in rows]

    async def save(self, plan: SignalPlan) -> bool:
        """Write a plan whole, or nothing: False when somebody else has been there since."""
        async with self._database.transaction() as connection:
            await connection.execute(
                "SELECT pg_advisory_xact_lock(hashtextextended($1, 0))",
                f"signals {plan.symbol} {plan.timeframe}",
            )
            row = await connection.fetchrow(
                "SELECT * FROM signal_progress WHERE symbol = $1 AND timeframe = $2",
                plan.symbol,
                plan.timeframe,
            )
            if (None if row is None else _progress(row)) != plan.before:
                return False
            await _write(connection, plan)
        return True

    async def cases(
        self,
        market: str,
        timeframe: str,
        *,
        model_id: UUID,
        kinds: Sequence[str],
        before: datetime,
        paths: bool,
    ) -> dict[str, Cases]:
        """Return the cases of each kind settled by `before`; without `paths` those have no columns.

        A kind without cases is there, empty.
        """
        rows = await self._database.fetch(
            _CASES, market, timeframe, list(kinds), before, model_id, paths
        )
        return {**{kind: nothing() for kind in kinds}, **{row["kind"]: _cases(row) for row in rows}}

    async def page(
        self, asked: SignalFilter, *, after: Position | None, limit: int
    ) -> list[MarketSignal]:
        """Return up to `limit` signals, the newest first; the withdrawn left out."""
        moment, last = after or (None, None)
        rows = await self._database.fetch(
            f"""
            SELECT {SIGNAL_COLUMNS} FROM market_signals
             WHERE ($1::text IS NULL OR symbol = $1) AND ($2::text IS NULL OR signal_type = $2)
               AND ($3::text IS NULL OR timeframe = $3) AND ($4::text IS NULL OR state = $4)
               AND ($5::timestamptz IS NULL OR (valid_from, id) < ($5, $6::uuid))
               AND (withdrawn_at IS NULL OR $4 = 'superseded')
             ORDER BY valid_from DESC, id DESC
             LIMIT $7
            """,
            asked.symbol,
            asked.signal_type,
            asked.timeframe,
            asked.state,
            moment,
            last,
            limit,
        )
        return [signal_of(row) for row in rows]

    async def find(self, signal_id: UUID) -> MarketSignal | None:
        """Return one signal, also a withdrawn one."""
        row = await self._database.fetchrow(
            f"SELECT {SIGNAL_COLUMNS} FROM market_signals WHERE id = $1", signal_id
        )
        return None if row is None else signal_of(row)

    async def active(self, symbol: str, timeframe: str) -> list[MarketSignal]:
        """Return what holds at the last bar that was read, newest first."""
        rows = await self._database.fetch(
            f"""
            SELECT {SIGNAL_COLUMNS} FROM market_signals
             WHERE symbol = $1 AND timeframe = $2 AND state = 'active' AND withdrawn_at IS NULL
             ORDER BY valid_from DESC, id DESC
            """,
            symbol,
            timeframe,
        )
        return [signal_of(row) for row in rows]


async def _write(connection: PooledConnection, plan: SignalPlan) -> None:
    if plan.new:
        await connection.executemany(_INSERT, [_row(new) for new in plan.new])
    if plan.changes:
        await connection.executemany(_CHANGE, [_change(change) for change in plan.changes])
    if plan.withdrawn:
        await connection.execute(_WITHDRAW, plan.withdrawn)
    after = plan.after
    await connection.execute(
        _PROGRESS,
        plan.symbol,
        plan.timeframe,
        after.model_id,
        after.watched_from,
        after.through,
        after.digest,
    )


def _row(new: NewSignal) -> tuple[object, ...]:
    one, grade = new.signal, new.signal.outcome
    return (
        one.id, one.model_id, one.symbol, new.market, one.timeframe, one.signal_type, one.like,
        one.variant, one.direction, one.strength, one.reason, _json(one.indicators),
        _json(one.technical_analysis), _json(one.sentiment_analysis),
        _json(one.fundamental_analysis), one.confidence, one.base_rate, one.edge,
        _json(one.track_record), one.valid_from, one.valid_until, one.valid_bars, one.known_at,
        one.state, one.ended_at, one.end_reason,
        *((None,) * 5 if grade is None else (
            grade.result, grade.value, grade.unit, grade.note, grade.resolved_at
        )),
        new.counted, new.own_base_rate, new.path, _json(one.metadata), one.created_at,
    )  # fmt: skip


def _change(change: SignalChange) -> tuple[object, ...]:
    grade = change.outcome
    return (
        change.id, change.state, change.ended_at, change.end_reason,
        *((None,) * 5 if grade is None else (
            grade.result, grade.value, grade.unit, grade.note, grade.resolved_at
        )),
        change.path,
    )  # fmt: skip


def _json(value: object) -> EncodedJson | None:
    return None if value is None else encode_json(msgspec.to_builtins(value))


def _progress(row: Record) -> SignalProgress:
    return SignalProgress(
        model_id=row["model_id"],
        watched_from=row["watched_from"],
        through=row["through"],
        digest=row["digest"],
        version=row["version"],
    )


def _cases(row: Record) -> Cases:
    hits = np.frombuffer(row["hits"], dtype=">f8").astype(np.float64)
    packed = np.frombuffer(row["paths"] or b"", dtype="<f4").astype(np.float64)
    return Cases(
        symbols=np.array(row["symbols"], dtype=np.str_),
        fired=np.frombuffer(row["fired"], dtype=">i8").astype(np.int64),
        resolved=np.frombuffer(row["resolved"], dtype=">i8").astype(np.int64),
        hits=hits,
        base_rates=np.frombuffer(row["base_rates"], dtype=">f8").astype(np.float64),
        values=np.frombuffer(row["outcomes"], dtype=">f8").astype(np.float64),
        paths=packed.reshape(len(hits), -1) if len(packed) else np.empty((len(hits), 0)),
    )
