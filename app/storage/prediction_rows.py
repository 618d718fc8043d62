"""Rows of stored predictions as the values they are."""

from typing import Any

import msgspec

from app.domain.predictions import (
    BaselineForecast,
    ConfidenceBasis,
    Interval,
    Outcome,
    PastForecast,
    Prediction,
    PredictionCost,
    PredictionFeedback,
    PredictionOutput,
)
from app.storage.engine import Record
from app.storage.rows import from_json

PREDICTION_COLUMNS = """
    p.id, p.model_id, m.name || '@' || m.version AS model_version, p.user_id, p.request_id,
    p.input::text AS input, p.input_hash, p.output::text AS output, p.confidence,
    p.confidence_basis::text AS confidence_basis, p.latency_ms, p.status, p.error_code, p.error,
    p.degraded, p.baseline::text AS baseline, p.interval::text AS interval, p.event, p.task,
    p.symbol, p.timeframe, p.horizon_bars, p.as_of, p.resolves_at, p.feature_hash,
    p.outcome::text AS outcome, p.grade, p.loss, p.baseline_loss, p.pit, p.resolved_at,
    p.feedback::text AS feedback, p.job_id, p.shadow_of, p.experiment_id, p.variant,
    p.metadata::text AS metadata, p.created_at, p.asked_model_id, p.degraded_because,
    (SELECT a.name || '@' || a.version FROM models a WHERE a.id = p.asked_model_id) AS asked_model
"""
"""Of `predictions p JOIN models m`."""

_output = msgspec.json.Decoder(PredictionOutput)
_basis = msgspec.json.Decoder(ConfidenceBasis)
_baseline = msgspec.json.Decoder(BaselineForecast)
_interval = msgspec.json.Decoder(Interval)
_outcome = msgspec.json.Decoder(Outcome)
_feedback = msgspec.json.Decoder(PredictionFeedback)


def prediction_of(row: Record) -> Prediction:
    """Return the prediction of a row of `PREDICTION_COLUMNS`."""
    basis = row["confidence_basis"]
    metadata = from_json(row["metadata"])
    cost = metadata.pop("cost", None)
    return Prediction(
        id=row["id"],
        model_id=row["model_id"],
        model_version=row["model_version"],
        user_id=row["user_id"],
        request_id=row["request_id"],
        input=from_json(row["input"]),
        output=_maybe(_output, row["output"]),
        confidence=row["confidence"],
        confidence_basis=None if basis in (None, "{}") else _basis.decode(basis),
        latency_ms=row["latency_ms"],
        status=row["status"],
        created_at=row["created_at"],
        error_code=row["error_code"],
        error=row["error"],
        degraded=row["degraded"],
        asked_model_id=row["asked_model_id"],
        asked_model=row["asked_model"],
        degraded_because=row["degraded_because"],
        baseline=_maybe(_baseline, row["baseline"]),
        interval=_maybe(_interval, row["interval"]),
        event=row["event"],
        task=row["task"],
        symbol=row["symbol"],
        timeframe=row["timeframe"],
        horizon_bars=row["horizon_bars"],
        as_of=row["as_of"],
        resolves_at=row["resolves_at"],
        feature_hash=row["feature_hash"],
        outcome=_maybe(_outcome, row["outcome"]),
        grade=row["grade"],
        loss=row["loss"],
        baseline_loss=row["baseline_loss"],
        pit=row["pit"],
        resolved_at=row["resolved_at"],
        feedback=_maybe(_feedback, row["feedback"]),
        job_id=row["job_id"],
        shadow_of=row["shadow_of"],
        experiment_id=row["experiment_id"],
        variant=row["variant"],
        cost=None if cost is None else msgspec.convert(cost, PredictionCost),
        metadata=metadata,
    )


def past_of(row: Record) -> PastForecast:
    """Return what confidence needs of a settled forecast."""
    interval = _maybe(_interval, row["interval"])
    low = high = None
    if interval is not None:
        low = interval.low if interval.model_low is None else interval.model_low
        high = interval.high if interval.model_high is None else interval.model_high
    return PastForecast(
        resolved_at=row["resolved_at"],
        low=low,
        high=high,
        shown_low=None if interval is None else interval.low,
        shown_high=None if interval is None else interval.high,
        outcome=from_json(row["outcome"]),
        grade=row["grade"],
    )


def _maybe(decoder: "msgspec.json.Decoder[Any]", text: str | None) -> Any:
    return None if text is None else decoder.decode(text)
