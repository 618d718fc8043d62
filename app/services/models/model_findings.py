"""What a report, an experiment or a version's state says of each thing that may go wrong. Pure.

Each figure has two bounds: beyond the threshold it is an alarm, and only well below it is none any
more. What cannot be measured now (too few cases) says nothing either way.
"""

from app.domain.experiments import Experiment, Reading
from app.domain.model_alarms import Away, Broken, Finding, Level
from app.domain.model_reports import (
    Anomaly,
    CalibrationNow,
    Calls,
    ColumnDrift,
    ModelReport,
    SkillNow,
)
from inference.monitoring.drift import LARGE
from inference.monitoring.sample_ratio import SUSPICIOUS
from inference.monitoring.skill import FADED, LEAST

MOST_FAILING = 0.05
FEWEST_CALLS = 20
SURE = 0.001
"""A PIT less even than luck gives once in a thousand is told."""
_CALM = 10.0
"""A probability so many times its threshold is far from it."""
_MOST_AWAY = 2
"""A model that was not there for more requests than this within an hour is away."""
_MOST_NAMES = 6


def of_report(report: ModelReport) -> list[Finding]:
    """Return what a report says, the gravest first."""
    return [
        _unanswered(report),
        *_skill(report, report.skill),
        _coverage(report, report.calibration),
        _distributions(report, report.calibration),
        _inputs(report, report.inputs),
        _outputs(report, report.outputs),
        _odd(report, report.anomalies),
    ]


def of_reading(experiment: Experiment, reading: Reading) -> Finding:
    """Return whether the split of an experiment can be believed."""
    split = reading.split
    over = experiment.status == "running" and split.is_broken
    calm = split.p > _CALM * SUSPICIOUS or experiment.status != "running"
    return Finding(
        kind="split_broken",
        level="over" if over else "under" if calm else "between",
        model_id=experiment.challenger_id,
        subject=str(experiment.id),
        figure=split.p,
        threshold=SUSPICIOUS,
        measured_over=f"{split.requests:,} requests since {experiment.started_at:%Y-%m-%d}",
        words=reading.words,
        evidence={"challenger": split.challenger, "expectedShare": split.expected_share},
    )


def of_rejection(experiment: Experiment) -> Finding:
    """Return that a new version was caught being worse."""
    decision = experiment.decision or {}
    told = decision.get("reading", {})
    return Finding(
        kind="challenger_rejected",
        level="over",
        model_id=experiment.challenger_id,
        subject=str(experiment.id),
        figure=told.get("evidenceWorse"),
        threshold=told.get("evidenceNeeded"),
        measured_over=f"{told.get('rounds', 0):,} rounds, {told.get('pairs', 0):,} pairs",
        words=str(decision.get("reason") or "It was worse than the champion."),
        evidence={"experimentId": str(experiment.id)},
    )


def of_away(one: Away) -> Finding:
    """Return whether a model was away within the last hour."""
    level: Level = "over" if one.times > _MOST_AWAY else "between"
    if one.times == 0 or one.answered_since:
        level = "under"
    return Finding(
        kind="away",
        level=level,
        model_id=one.model_id,
        figure=float(one.times),
        threshold=float(_MOST_AWAY),
        measured_over="an hour",
        words=f"It was away for {one.times:,} requests within an hour; another version answered "
        f"{one.times - one.unanswered:,} of them. {one.because}",
        evidence={
            "because": one.because,
            "newest": one.newest.isoformat(),
            "unanswered": one.unanswered,
        },
    )


def of_broken(one: Broken) -> Finding:
    """Return whether a version's files are not those that were approved."""
    return Finding(
        kind="damaged",
        level="under" if one.is_over else "over",
        model_id=one.model_id,
        words=f"Its files are not those that were approved; it was taken out of service. "
        f"{one.failure}",
        evidence={"quarantinedAt": one.at.isoformat()},
    )


def words_of(findings: list[Finding]) -> list[str]:
    """Return what is an alarm, for people."""
    return [one.words for one in findings if one.level == "over"]


def _unanswered(report: ModelReport) -> Finding:
    calls: Calls = report.calls
    failing = calls.failed + calls.timed_out
    share = failing / calls.n if calls.n else 0.0
    level: Level = "between"
    if failing == 0:
        level = "under"
    elif calls.n < FEWEST_CALLS:
        level = "unknown"
    elif share > MOST_FAILING:
        level = "over"
    elif share <= 0.5 * MOST_FAILING:
        level = "under"
    return Finding(
        kind="unanswered",
        level=level,
        model_id=report.model_id,
        figure=share,
        threshold=MOST_FAILING,
        measured_over=f"{calls.n:,} requests since {calls.since:%Y-%m-%d}",
        words=f"{failing:,} of {calls.n:,} requests were not answered.",
        evidence={"failed": calls.failed, "timedOut": calls.timed_out, "requests": calls.n},
    )


def _skill(report: ModelReport, skill: SkillNow) -> list[Finding]:
    lost: Level = "between"
    if skill.skill is None or skill.high is None or skill.moments < LEAST:
        lost = "unknown"
    elif skill.is_lost:
        lost = "over"
    elif skill.skill > 0.0:
        lost = "under"
    faded: Level = "over" if skill.faded and lost != "over" else "between"
    if not skill.faded and skill.fading < 0.5 * FADED:
        faded = "under"
    said = 0.0 if skill.skill is None else skill.skill
    over = f"{skill.n:,} forecasts of {skill.moments:,} moments"
    return [
        Finding(
            kind="skill_lost",
            level=lost,
            model_id=report.model_id,
            figure=skill.high,
            threshold=0.0,
            measured_over=over,
            words=f"It is worse than its baseline: skill {said:+.1%} over {skill.moments} moments, "
            "the whole interval below 0. Retire it, or train it anew.",
            evidence={"skill": skill.skill, "low": skill.low, "high": skill.high},
        ),
        Finding(
            kind="skill_faded",
            level=faded,
            model_id=report.model_id,
            figure=skill.fading,
            threshold=FADED,
            measured_over=over,
            words="Its losses have climbed against the baseline's: skill has faded.",
            evidence={"skill": skill.skill},
        ),
    ]


def _coverage(report: ModelReport, now: CalibrationNow) -> Finding:
    level: Level = "unknown"
    if None not in (now.nominal, now.low, now.high, now.coverage) and now.n >= LEAST:
        nominal, low, high = float(now.nominal or 0), float(now.low or 0), float(now.high or 0)
        inner = 0.2 * (high - low)
        level = "between"
        if not low <= nominal <= high:
            level = "over"
        elif low + inner <= nominal <= high - inner:
            level = "under"
    said = f"{now.coverage or 0:.0%} of outcomes were inside intervals of {now.nominal or 0:.0%}"
    return Finding(
        kind="coverage_off",
        level=level,
        model_id=report.model_id,
        figure=now.coverage,
        threshold=now.nominal,
        measured_over=f"{now.n:,} settled forecasts",
        words=f"{said} (n {now.n:,}).",
        evidence={"low": now.low, "high": now.high, "moved": now.moved},
    )


def _distributions(report: ModelReport, now: CalibrationNow) -> Finding:
    level: Level = "unknown"
    if now.pit_p is not None and now.n >= LEAST:
        level = "over" if now.pit_p < SURE else "under" if now.pit_p > _CALM * SURE else "between"
    return Finding(
        kind="distributions_wrong",
        level=level,
        model_id=report.model_id,
        figure=now.pit_p,
        threshold=SURE,
        measured_over=f"{now.n:,} settled forecasts",
        words="Its distributions are wrong: outcomes fall unevenly into them (PIT).",
    )


def _inputs(report: ModelReport, columns: list[ColumnDrift]) -> Finding:
    large = [one for one in columns if one.level == "large"]
    largest = max((one.psi for one in columns if one.psi is not None), default=None)
    names = ", ".join(one.column for one in large[:_MOST_NAMES])
    shown = sorted(columns, key=lambda one: -(one.psi or 0.0))[:_MOST_NAMES]
    return Finding(
        kind="inputs_drifted",
        level=_moved(columns),
        model_id=report.model_id,
        figure=largest,
        threshold=LARGE,
        measured_over=f"the newest {max((one.n for one in columns), default=0):,} values a column",
        words=f"Inputs are far from where it learned: {names}.",
        evidence={"psi": {one.column: one.psi for one in shown}},
    )


def _outputs(report: ModelReport, column: ColumnDrift) -> Finding:
    return Finding(
        kind="outputs_drifted",
        level=_moved([column]),
        model_id=report.model_id,
        figure=column.psi,
        threshold=LARGE,
        measured_over=f"the newest {column.n:,} answers against {column.n_reference:,} before",
        words="What it says now is far from what it said before.",
        evidence={"ks": column.ks, "p": column.p},
    )


def _moved(columns: list[ColumnDrift]) -> Level:
    measured = [one for one in columns if one.level != "too few"]
    if any(one.level == "large" for one in measured):
        return "over"
    if not measured:
        return "unknown"
    calm = all(one.level == "stable" or (one.psi or 0.0) < 0.8 * LARGE for one in measured)
    return "under" if calm else "between"


def _odd(report: ModelReport, anomalies: list[Anomaly]) -> Finding:
    return Finding(
        kind="odd_answers",
        level="over" if anomalies else "under",
        model_id=report.model_id,
        figure=float(len(anomalies)),
        threshold=0.0,
        measured_over="its newest 60 answers",
        words=f"{len(anomalies)} answers are unlike all before them.",
        evidence={
            "predictions": [str(one.prediction_id) for one in anomalies[:_MOST_NAMES]],
            "values": [one.value for one in anomalies[:_MOST_NAMES]],
        },
    )
