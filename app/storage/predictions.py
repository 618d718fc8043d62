"""Predictions in Postgres. Everything people read here is bound to their owner's `user_id`."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from app.domain.costs import PREDICTING
from app.domain.ids import UserId, new_id
from app.domain.predictions import (
    Answered,
    NewPrediction,
    PastForecast,
    Prediction,
    PredictionFeedback,
    PredictionFilter,
    Settled,
)
from app.domain.views import Position
from app.storage.engine import Database, EncodedJson, encode_json
from app.storage.prediction_rows import PREDICTION_COLUMNS, past_of, prediction_of

_FROM = f"SELECT {PREDICTION_COLUMNS} FROM predictions p JOIN models m ON m.id = p.model_id"
_BEGIN = """
    INSERT INTO predictions (id, model_id, user_id, request_id, job_id, input, input_hash, status,
                             shadow_of, experiment_id, variant, created_at)
    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
    ON CONFLICT DO NOTHING
"""
_FINISH = """
    UPDATE predictions
       SET status = $2, latency_ms = $3, output = $4, confidence = $5,
           confidence_basis = coalesce($6, '{}'::jsonb), error_code = $7, error = $8,
           asked_model_id = CASE WHEN $9::uuid IS NULL THEN NULL ELSE model_id END,
           model_id = coalesce($9, model_id), degraded = $9 IS NOT NULL, degraded_because = $21,
           baseline = $10, interval = $11, event = $12, task = $13, symbol = $14,
           timeframe = $15, horizon_bars = $16, as_of = $17, resolves_at = $18,
           feature_hash = $19, metadata = metadata || $20
     WHERE id = $1 AND status IN ('pending', 'processing')
"""
_SPENT = """
    INSERT INTO cost_entries (id, conversation_id, user_id, agent_id, provider, model, status,
           outcome, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens, amount_usd,
           estimated, latency_ms, created_at, settled_at)
    SELECT $2, $3, coalesce(user_id, $3), $3, $4, $5, 'settled', $6, $7, $8, $9, $10, $11, $12,
           $13::int, now() - make_interval(secs => $13::int / 1000.0), now()
      FROM predictions WHERE id = $1
"""
"""What a prediction used of a language model; it belongs to whoever asked for the prediction."""
_SETTLE = """
    UPDATE predictions
       SET metadata = CASE
               WHEN outcome IS NULL OR outcome = $2 THEN metadata
               ELSE metadata || jsonb_build_object('earlierOutcomes',
                    coalesce(metadata->'earlierOutcomes', '[]'::jsonb) || jsonb_build_array(
                        jsonb_build_object('outcome', outcome, 'grade', grade, 'loss', loss,
                            'baselineLoss', baseline_loss, 'pit', pit,
                            'resolvedAt', resolved_at)))
           END,
           resolved_at = CASE WHEN outcome = $2 THEN resolved_at ELSE $7 END,
           outcome = $2, grade = $3, loss = $4, baseline_loss = $5, pit = $6
     WHERE id = $1
       AND (outcome IS DISTINCT FROM $2 OR grade IS DISTINCT FROM $3
            OR loss IS DISTINCT FROM $4 OR baseline_loss IS DISTINCT FROM $5)
 RETURNING id
"""


class PostgresPredictions:
    """Implements `app.services.predictions.prediction_ports.PredictionStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # --- writing --------------------------------------------------------------------------------

    async def begin(self, new: NewPrediction) -> bool:
        """Write a prediction that is about to be made; False if its request is known already."""
        status = await self._database.execute(_BEGIN, *_new(new))
        return status == "INSERT 0 1"

    async def begin_many(self, news: Sequence[NewPrediction]) -> None:
        """Write those of many predictions whose requests are not known yet."""
        async with self._database.transaction() as connection:
            await connection.executemany(_BEGIN, [_new(new) for new in news])

    async def finish(self, prediction_id: UUID, answered: Answered) -> None:
        """Write what the model answered. Nothing changes where that was written before."""
        async with self._database.transaction() as connection:
            await connection.execute(_FINISH, *_answered(prediction_id, answered))
            # Spent is spent, also where nobody waited for it any more.
            await connection.executemany(_SPENT, _spent(prediction_id, answered))

    async def finish_many(self, answers: Sequence[tuple[UUID, Answered]]) -> None:
        """Write many answers at once."""
        async with self._database.transaction() as connection:
            await connection.executemany(_FINISH, [_answered(*one) for one in answers])
            await connection.executemany(_SPENT, [row for one in answers for row in _spent(*one)])

    async def attach_job(self, user_id: UserId, batch: str, job_id: UUID) -> int:
        """Say which job makes the predictions of a batch; return how many they are."""
        await self._database.execute(
            "UPDATE predictions SET job_id = $3 WHERE user_id = $1 AND job_id IS NULL"
            " AND starts_with(request_id, $2)",
            user_id,
            batch,
            job_id,
        )
        return int(
            await self._database.fetchval(
                "SELECT count(*) FROM predictions WHERE job_id = $1", job_id
            )
        )

    async def waiting(self, job_id: UUID, *, limit: int) -> list[Prediction]:
        """Return those of a job that are still to be made, in the order they were asked for."""
        rows = await self._database.fetch(
            f"{_FROM} WHERE p.job_id = $1 AND p.status IN ('pending', 'processing')"
            " ORDER BY p.request_id LIMIT $2",
            job_id,
            limit,
        )
        return [prediction_of(row) for row in rows]

    async def tally(self, job_id: UUID) -> dict[str, int]:
        """Return how many predictions of a job stand where, by status."""
        rows = await self._database.fetch(
            "SELECT status, count(*) AS n FROM predictions WHERE job_id = $1 GROUP BY status",
            job_id,
        )
        return {row["status"]: row["n"] for row in rows}

    async def cancel_waiting(self, job_id: UUID) -> None:
        """End as failed what a job that was cancelled has not made."""
        await self._database.execute(
            "UPDATE predictions SET status = 'failed', error_code = 'cancelled',"
            " error = 'Its job was cancelled.'"
            " WHERE job_id = $1 AND status IN ('pending', 'processing')",
            job_id,
        )

    async def abandon(self, prediction_id: UUID) -> None:
        """Take back a prediction that was begun and not let in: it can be asked for again."""
        await self._database.execute(
            "DELETE FROM predictions WHERE id = $1 AND status IN ('pending', 'processing')",
            prediction_id,
        )

    async def give_up(self, *, before: datetime) -> int:
        """End as `timeout` what was begun before a moment and never answered."""
        status = await self._database.execute(
            """
            UPDATE predictions
               SET status = 'timeout', error_code = 'worker_lost',
                   error = 'The process that computed it went away.'
             WHERE status IN ('pending', 'processing') AND created_at < $1
               AND NOT EXISTS (SELECT 1 FROM jobs j
                                WHERE j.id = job_id AND j.status IN ('queued', 'running'))
            """,
            before,
        )
        return int(status.rpartition(" ")[2])

    async def settle(self, prediction_id: UUID, settled: Settled) -> bool:
        """Write an outcome, keeping another one that stood there; False if nothing changed."""
        rows = await self._database.write(
            _SETTLE,
            prediction_id,
            _json(settled.outcome),
            settled.grade,
            settled.loss,
            settled.baseline_loss,
            settled.pit,
            settled.resolved_at,
        )
        return bool(rows)

    async def add_feedback(
        self, prediction_id: UUID, user_id: UserId, feedback: PredictionFeedback
    ) -> bool:
        """Keep what a person says, in place of what they said before; False: no such prediction."""
        status = await self._database.execute(
            "UPDATE predictions SET feedback = $3 WHERE id = $1 AND user_id = $2"
            " AND shadow_of IS NULL",
            prediction_id,
            user_id,
            _json(feedback),
        )
        return status == "UPDATE 1"

    # --- reading --------------------------------------------------------------------------------

    async def requested(
        self, user_id: UUID | None, request_id: str
    ) -> tuple[Prediction, str] | None:
        """Return the prediction of a request with the hash of its input."""
        row = await self._database.fetchrow(
            f"{_FROM} WHERE coalesce(p.user_id, $1) = $1 AND p.request_id = $2"
            " AND (p.user_id IS NOT NULL) = $3 AND p.shadow_of IS NULL",
            user_id or UUID(int=0),
            request_id,
            user_id is not None,
        )
        return None if row is None else (prediction_of(row), row["input_hash"])

    async def find(self, prediction_id: UUID, user_id: UserId) -> Prediction | None:
        """Return one prediction of this user's; shadows are shown to nobody."""
        row = await self._database.fetchrow(
            f"{_FROM} WHERE p.id = $1 AND p.user_id = $2 AND p.shadow_of IS NULL",
            prediction_id,
            user_id,
        )
        return None if row is None else prediction_of(row)

    async def page(
        self,
        user_id: UserId,
        which: PredictionFilter,
        *,
        after: Position | None,
        limit: int,
    ) -> list[Prediction]:
        """Return a user's predictions, the newest first."""
        rows = await self._database.fetch(
            f"""
            {_FROM}
             WHERE p.user_id = $1 AND p.shadow_of IS NULL
               AND ($2::uuid IS NULL OR p.model_id = $2)
               AND ($3::uuid IS NULL OR p.job_id = $3)
               AND ($4::text IS NULL OR p.symbol = $4) AND ($5::text IS NULL OR p.task = $5)
               AND ($6::text IS NULL OR p.status = $6) AND ($7::text IS NULL OR p.grade = $7)
               AND ($8::boolean IS NULL OR (p.resolved_at IS NOT NULL) = $8)
               AND ($9::timestamptz IS NULL OR (p.created_at, p.id) < ($9, $10::uuid))
             ORDER BY p.created_at DESC, p.id DESC
             LIMIT $11
            """,
            user_id,
            which.model_id,
            which.job_id,
            which.symbol,
            which.task,
            which.status,
            which.grade,
            which.settled,
            *(after or (None, None)),
            limit,
        )
        return [prediction_of(row) for row in rows]

    async def due(self, *, now: datetime, limit: int, after: UUID | None) -> list[Prediction]:
        """Return forecasts whose horizon should be over and that have no outcome, by id."""
        rows = await self._database.fetch(
            f"""
            {_FROM}
             WHERE p.resolved_at IS NULL AND p.resolves_at <= $1 AND p.status = 'completed'
               AND p.symbol IS NOT NULL AND ($3::uuid IS NULL OR p.id > $3)
             ORDER BY p.id LIMIT $2
            """,
            now,
            limit,
            after,
        )
        return [prediction_of(row) for row in rows]

    async def of_series(
        self, symbol: str, timeframe: str, *, since: datetime, settled: bool
    ) -> list[Prediction]:
        """Return forecasts of a history: the unsettled, or those that bars from `since` decide."""
        rows = await self._database.fetch(
            f"""
            {_FROM}
             WHERE p.symbol = $1 AND p.timeframe = $2 AND p.status = 'completed'
               AND (p.resolved_at IS NOT NULL) = $4
               AND (NOT $4 OR (p.outcome->>'lastBar')::timestamptz >= $3)
             ORDER BY p.id LIMIT 10000
            """,
            symbol,
            timeframe,
            since,
            settled,
        )
        return [prediction_of(row) for row in rows]

    async def past(self, model_id: UUID, *, before: datetime, limit: int) -> list[PastForecast]:
        """Return a model's newest settled forecasts, the oldest first.

        Those made when their outcome was already stored are left out: they were no forecasts.
        """
        rows = await self._database.fetch(
            """
            SELECT * FROM (
                SELECT p.id, p.resolved_at, p.interval::text AS interval, p.grade,
                       (p.outcome->'value')::text AS outcome, p.as_of
                  FROM predictions p
                 WHERE p.model_id = $1 AND p.grade IN ('hit', 'miss') AND p.resolved_at <= $2
                   AND NOT coalesce((p.metadata->>'afterTheFact')::boolean, false)
                 ORDER BY p.as_of DESC, p.id DESC LIMIT $3) newest
             ORDER BY as_of, id
            """,
            model_id,
            before,
            limit,
        )
        return [past_of(row) for row in rows]

    async def of_symbol(
        self, user_id: UserId, symbol: str | None, *, task: str | None, limit: int
    ) -> list[Prediction]:
        """Return a user's forecasts of an instrument or of all, the newest moments first."""
        rows = await self._database.fetch(
            f"""
            {_FROM}
             WHERE p.user_id = $1 AND p.symbol IS NOT NULL AND p.status = 'completed'
               AND ($2::text IS NULL OR p.symbol = $2)
               AND p.shadow_of IS NULL AND ($3::text IS NULL OR p.task = $3)
             ORDER BY p.as_of DESC NULLS LAST, p.created_at DESC, p.id DESC LIMIT $4
            """,
            user_id,
            symbol,
            task,
            limit,
        )
        return [prediction_of(row) for row in rows]


def _new(new: NewPrediction) -> tuple[Any, ...]:
    return (
        new.id, new.model_id, new.user_id, new.request_id, new.job_id, _json(new.input),
        new.input_hash, new.status, new.shadow_of, new.experiment_id, new.variant, new.created_at,
    )  # fmt: skip


def _answered(prediction_id: UUID, one: Answered) -> tuple[Any, ...]:
    return (
        prediction_id, one.status, one.latency_ms, _json(one.output), one.confidence,
        _json(one.confidence_basis), one.error_code, one.error,
        None if one.stood_in is None else one.stood_in.model_id, _json(one.baseline),
        _json(one.interval), one.event, one.task, one.symbol, one.timeframe, one.horizon_bars,
        one.as_of, one.resolves_at, one.feature_hash,
        _json(one.metadata if one.cost is None else one.metadata | {"cost": one.cost}),
        None if one.stood_in is None else one.stood_in.because,
    )  # fmt: skip


def _spent(prediction_id: UUID, one: Answered) -> list[tuple[Any, ...]]:
    return [
        (
            prediction_id, new_id(), UUID(PREDICTING), spent.provider, spent.model,
            "succeeded" if one.status == "completed" and not spent.in_vain else "failed",
            spent.usage.input_tokens,
            spent.usage.output_tokens, spent.usage.cache_read_tokens,
            spent.usage.cache_write_tokens, spent.amount_usd, not spent.is_complete,
            round(one.latency_ms),
        )
        for spent in one.spent
    ]  # fmt: skip


def _json(value: object) -> EncodedJson | None:
    return None if value is None else encode_json(msgspec.to_builtins(value))
