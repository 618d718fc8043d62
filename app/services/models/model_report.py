"""A report on a model, from what was read of it. Pure."""

import math
from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
import numpy as np

from app.domain.model_reports import (
    Anomaly,
    CalibrationNow,
    Calls,
    ColumnDrift,
    ModelReport,
    SaidValue,
    SettledCase,
    SkillNow,
)
from app.services.models.model_findings import of_report, words_of
from inference.cards import ModelCard
from inference.lifecycle import label
from inference.monitoring.adwin import Adwin
from inference.monitoring.anomalies import is_anomalous
from inference.monitoring.drift import drift
from inference.monitoring.skill import LEAST, fading, live_calibration, live_skill
from inference.panel import Times
from inference.requests import Floats

RECENT = 60
"""Newest values and bars that count as today."""


class Frame:
    """One column of a feature view: where the model learned, and today."""

    def __init__(self, reference: Floats, current: Floats, *, overlap: int) -> None:
        self.reference = reference
        self.current = current
        self.overlap = overlap


def report(
    card: ModelCard,
    *,
    report_id: UUID,
    calls: Calls,
    settled: Sequence[SettledCase],
    values: Sequence[SaidValue],
    frames: Mapping[str, Frame],
    nominal: float | None,
    notes: Sequence[str],
    now: datetime,
) -> ModelReport:
    """Return how a model does."""
    skill = _skill(settled, card.horizon_bars or 1)
    calibration = _calibration(settled, nominal)
    inputs = [_column(name, frame) for name, frame in frames.items()]
    numbers = np.array([one.value for one in values], dtype=np.float64)
    outputs = _column(
        "value", Frame(numbers[:-RECENT], numbers[-RECENT:], overlap=card.horizon_bars or 1)
    )
    anomalies = _anomalies(values)
    made = ModelReport(
        id=report_id,
        model_id=card.id,
        model=label(card),
        created_at=now,
        calls=calls,
        skill=skill,
        calibration=calibration,
        inputs=inputs,
        outputs=outputs,
        anomalies=anomalies,
        alarms=[],
        notes=list(notes),
    )
    return msgspec.structs.replace(made, alarms=words_of(of_report(made)))


def _skill(settled: Sequence[SettledCase], horizon: int) -> SkillNow:
    judged = [one for one in settled if one.loss is not None and one.baseline_loss is not None]
    losses = np.array([one.loss for one in judged], dtype=np.float64)
    baseline = np.array([one.baseline_loss for one in judged], dtype=np.float64)
    times = _times(judged)
    found = live_skill(losses, baseline, times, horizon_moments=horizon)
    moments, where = np.unique(times, return_inverse=True)
    rounds = np.bincount(where, weights=losses - baseline) / np.maximum(np.bincount(where), 1)
    # Overlapping horizons would climb together: only every horizon-th round counts.
    apart = np.asarray(rounds[::horizon], dtype=np.float64)
    climb = fading(apart, reference=max(LEAST, len(apart) // 2))
    return SkillNow(
        n=found.n,
        moments=len(moments),
        skill=_finite(found.skill),
        low=_finite(found.low),
        high=_finite(found.high),
        is_lost=found.is_lost,
        fading=climb.level,
        faded=climb.since is not None,
    )


def _calibration(settled: Sequence[SettledCase], nominal: float | None) -> CalibrationNow:
    hits = np.array([one.hit for one in settled], dtype=np.float64)
    pit = np.array([math.nan if one.pit is None else one.pit for one in settled])
    found = live_calibration(hits, np.asarray(pit, dtype=np.float64))
    watch, moved = Adwin(), False
    for hit in hits.tolist():
        moved = watch.update(hit) or moved
    return CalibrationNow(
        n=found.n,
        nominal=nominal,
        coverage=_finite(found.coverage),
        low=found.low if found.n else None,
        high=found.high if found.n else None,
        moved=moved,
        recent=_finite(watch.mean) if moved else None,
        pit_p=_finite(found.pit_p),
    )


def _column(name: str, frame: Frame) -> ColumnDrift:
    found = drift(frame.reference, frame.current, overlap=frame.overlap)
    return ColumnDrift(
        column=name,
        psi=_finite(found.psi),
        ks=_finite(found.ks),
        p=_finite(found.p),
        level=found.level,
        n_reference=found.n_reference,
        n=found.n,
    )


def _anomalies(values: Sequence[SaidValue]) -> list[Anomaly]:
    numbers = np.array([one.value for one in values], dtype=np.float64)
    first = max(0, len(values) - RECENT)
    return [
        Anomaly(prediction_id=one.id, value=one.value, created_at=one.created_at)
        for index, one in enumerate(values[first:], start=first)
        if is_anomalous(one.value, numbers[:first])
    ]


def _times(settled: Sequence[SettledCase]) -> Times:
    return np.array([one.as_of.replace(tzinfo=None) for one in settled], dtype="datetime64[s]")


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
