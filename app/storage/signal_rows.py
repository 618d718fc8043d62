"""Rows of stored signals as the values they are."""

import msgspec

from app.storage.engine import Record
from app.storage.rows import from_json
from tools.market.signals import Grade, MarketSignal, SignalIndicator
from tools.market.signals import Record as TrackRecord

SIGNAL_COLUMNS = """
    id, model_id, symbol, timeframe, signal_type, variant, direction, strength, reason,
    indicators::text AS indicators, technical_analysis::text AS technical_analysis,
    sentiment_analysis::text AS sentiment_analysis,
    fundamental_analysis::text AS fundamental_analysis, confidence, base_rate, edge,
    track_record::text AS track_record, valid_from, valid_until, valid_bars, known_at, state,
    ended_at, end_reason, outcome, outcome_value, outcome_unit, outcome_note, resolved_at,
    metadata::text AS metadata, created_at
"""
_indicators = msgspec.json.Decoder(list[SignalIndicator])
_record = msgspec.json.Decoder(TrackRecord)


def signal_of(row: Record) -> MarketSignal:
    """Return the signal of a row of `SIGNAL_COLUMNS`."""
    return MarketSignal(
        id=row["id"],
        model_id=row["model_id"],
        symbol=row["symbol"],
        signal_type=row["signal_type"],
        variant=row["variant"],
        strength=row["strength"],
        direction=row["direction"],
        timeframe=row["timeframe"],
        reason=row["reason"],
        indicators=_indicators.decode(row["indicators"]),
        technical_analysis=from_json(row["technical_analysis"]),
        sentiment_analysis=from_json(row["sentiment_analysis"]),
        fundamental_analysis=from_json(row["fundamental_analysis"]),
        confidence=row["confidence"],
        base_rate=row["base_rate"],
        edge=row["edge"],
        track_record=_record.decode(row["track_record"]),
        valid_from=row["valid_from"],
        valid_until=row["valid_until"],
        valid_bars=row["valid_bars"],
        known_at=row["known_at"],
        state=row["state"],
        ended_at=row["ended_at"],
        end_reason=row["end_reason"],
        outcome=_grade(row),
        metadata=from_json(row["metadata"]),
        created_at=row["created_at"],
    )


def _grade(row: Record) -> Grade | None:
    if row["outcome"] is None:
        return None
    return Grade(
        result=row["outcome"],
        value=row["outcome_value"],
        unit=row["outcome_unit"] or "",
        resolved_at=row["resolved_at"],
        note=row["outcome_note"],
    )
