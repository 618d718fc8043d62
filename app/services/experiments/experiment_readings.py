"""What an experiment says, from its pairs alone. Pure."""

import math
from collections.abc import Sequence
from datetime import datetime

import numpy as np

from app.domain.experiments import Counts, Experiment, Pair, Reading, Split, Verdict
from inference.cards import ModelCard
from inference.monitoring.evidence import Evidence, gather
from inference.monitoring.sample_ratio import SUSPICIOUS, mismatch_p
from inference.training.evaluation.diebold_mariano import compare
from tools.market.bars import TIMEFRAMES

LEAST_FOR_SKILL = 20
"""Rounds below which no interval of skill is given: its normal approximation would flatter."""


def horizon_s(card: ModelCard) -> float:
    """Return how long a model's forecasts reach, seconds; closed days are counted in."""
    bars, timeframe = card.horizon_bars or 1, card.timeframe or "1d"
    length = TIMEFRAMES[timeframe].total_seconds()
    return bars * length * (7 / 5 if timeframe == "1d" else 1.0)


def read(
    experiment: Experiment,
    pairs: Sequence[Pair],
    counts: Counts,
    *,
    horizon_s: float,
    now: datetime,
) -> Reading:
    """Return what the pairs settled so far say."""
    champion = np.array([pair.champion_loss for pair in pairs], dtype=np.float64)
    challenger = np.array([pair.challenger_loss for pair in pairs], dtype=np.float64)
    times = np.array([pair.as_of.replace(tzinfo=None) for pair in pairs], dtype="datetime64[s]")
    evidence = gather(champion, challenger, times, horizon_s=horizon_s)
    split = _split(experiment, counts)
    verdict: Verdict = "too early"
    if split.is_broken:
        verdict = "split is broken"
    elif (says := evidence.says(experiment.alpha)) is not None:
        verdict = "better" if says == "better" else "worse"
    skill = low = high = None
    if evidence.rounds >= LEAST_FOR_SKILL and champion.mean() > 0.0:
        overlap = max(1, round(len(np.unique(times)) / evidence.rounds))
        found = compare(challenger, champion, times, horizon=overlap)
        skill, low, high = found.skill, found.low, found.high
    return Reading(
        verdict=verdict,
        words=_words(experiment, verdict, evidence, len(pairs), split),
        pairs=len(pairs),
        waiting=counts.waiting,
        rounds=evidence.rounds,
        champion_loss=_finite(champion.mean()) if len(pairs) else None,
        challenger_loss=_finite(challenger.mean()) if len(pairs) else None,
        skill=skill,
        skill_low=low,
        skill_high=high,
        evidence_better=evidence.better,
        evidence_worse=evidence.worse,
        evidence_needed=1.0 / experiment.alpha,
        split=split,
        unpaired=counts.unpaired,
        as_of=now,
    )


def _split(experiment: Experiment, counts: Counts) -> Split:
    total = counts.champion + counts.challenger
    p = mismatch_p(counts.challenger, total, experiment.share)
    return Split(
        requests=total,
        challenger=counts.challenger,
        expected_share=experiment.share,
        p=p,
        is_broken=p < SUSPICIOUS,
    )


def _words(
    experiment: Experiment, verdict: Verdict, evidence: Evidence, pairs: int, split: Split
) -> str:
    who = f"{experiment.model}@{experiment.challenger_version}"
    beside = f"@{experiment.champion_version}"
    if verdict == "split is broken":
        return (
            f"{split.challenger:,} of {split.requests:,} requests went to {who}, where "
            f"{experiment.share:.0%} should have (p = {split.p:.1e}): something sorts them, and "
            "what the experiment says cannot be believed."
        )
    if verdict == "too early":
        return (
            f"After {evidence.rounds:,} rounds ({pairs:,} pairs) {who} and {beside} cannot be told "
            f"apart at {experiment.alpha:.0%}."
        )
    ratio = evidence.better if verdict == "better" else evidence.worse
    return (
        f"{who} is {verdict} than {beside} over {evidence.rounds:,} rounds ({pairs:,} pairs): "
        f"the evidence is {ratio:,.0f} to 1, and {1 / experiment.alpha:,.0f} were needed."
    )


def _finite(value: np.floating) -> float | None:
    return float(value) if math.isfinite(value) else None
