"""What a report says of each thing that may go wrong: beyond its threshold, near it, or far off."""

from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest

from app.domain.experiments import Experiment, Reading, Split
from app.domain.ids import new_id
from app.domain.model_alarms import Away, Broken, Finding, Level
from app.domain.model_reports import CalibrationNow, ColumnDrift, ModelReport, SkillNow
from app.services.models.model_findings import (
    of_away,
    of_broken,
    of_reading,
    of_rejection,
    of_report,
)
from tests.unit.app.services.models.test_model_report import QUIET, cases, made, values

NOW = datetime(2026, 11, 26, tzinfo=UTC)


def found(report: ModelReport, kind: str) -> Finding:
    (one,) = [finding for finding in of_report(report) if finding.kind == kind]
    return one


def with_(**changed: object) -> ModelReport:
    return msgspec.structs.replace(made(), **changed)


def test_a_report_says_of_every_alarm_what_its_finding_says() -> None:
    rng = np.random.default_rng(4)
    bad = made(
        cases(list(1.5 + 0.1 * rng.normal(size=200)), hit=0.2),
        values([*rng.normal(size=200).tolist(), 1e6]),
        calls=msgspec.structs.replace(QUIET, failed=20),
    )
    over = [one for one in of_report(bad) if one.level == "over"]
    assert bad.alarms == [one.words for one in over]
    assert {"unanswered", "skill_lost", "coverage_off", "odd_answers"} <= {one.kind for one in over}
    for one in over:
        assert one.words
        assert one.measured_over
        assert one.figure is not None
        assert one.threshold is not None


@pytest.mark.parametrize(
    ("failed", "n", "level"),
    [(0, 5, "under"), (3, 19, "unknown"), (6, 100, "over"), (4, 100, "between"), (2, 100, "under")],
)
def test_requests(failed: int, n: int, level: Level) -> None:
    calls = msgspec.structs.replace(QUIET, n=n, failed=failed)
    assert found(with_(calls=calls), "unanswered").level == level


@pytest.mark.parametrize(
    ("nominal", "n", "level"),
    [(0.8, 100, "under"), (0.74, 100, "between"), (0.95, 100, "over"), (0.95, 29, "unknown")],
)
def test_coverage_has_to_lie_well_inside_to_be_fine_again(
    nominal: float, n: int, level: Level
) -> None:
    now = CalibrationNow(
        n=n, nominal=nominal, coverage=0.8, low=0.72, high=0.88, moved=False, recent=None,
        pit_p=None,
    )  # fmt: skip
    assert found(with_(calibration=now), "coverage_off").level == level
    assert found(with_(calibration=now), "distributions_wrong").level == "unknown"


@pytest.mark.parametrize(("p", "level"), [(1e-4, "over"), (5e-3, "between"), (0.3, "under")])
def test_a_probability_has_to_be_ten_times_its_threshold(p: float, level: Level) -> None:
    now = CalibrationNow(
        n=100, nominal=0.8, coverage=0.8, low=0.7, high=0.9, moved=False, recent=None, pit_p=p
    )
    assert found(with_(calibration=now), "distributions_wrong").level == level
    split = Split(requests=400, challenger=300, expected_share=0.5, p=p, is_broken=p < 1e-3)
    assert of_reading(EXPERIMENT, reading(split)).level == level
    ended = msgspec.structs.replace(EXPERIMENT, status="stopped")
    assert of_reading(ended, reading(split)).level == "under"


@pytest.mark.parametrize(
    ("levels", "psis", "level"),
    [
        (["large", "stable"], [0.4, 0.0], "over"),
        (["moderate", "stable"], [0.24, 0.0], "between"),
        (["moderate", "stable"], [0.15, 0.0], "under"),
        (["stable", "stable"], [0.4, 0.0], "under"),
        (["too few", "too few"], [None, None], "unknown"),
    ],
)
def test_inputs_are_one_finding_however_many_columns_moved(
    levels: list[str], psis: list[float | None], level: Level
) -> None:
    columns = [
        ColumnDrift(column=f"c{at}", psi=psi, ks=0.1, p=0.5, level=one, n_reference=900, n=60)  # type: ignore[arg-type]
        for at, (one, psi) in enumerate(zip(levels, psis, strict=True))
    ]
    one = found(with_(inputs=columns), "inputs_drifted")
    assert (one.level, one.figure) == (level, psis[0])
    assert one.evidence["psi"] == {"c0": psis[0], "c1": psis[1]}


@pytest.mark.parametrize(
    ("skill", "fading", "faded", "lost", "says"),
    [
        (-0.2, 0.0, False, "over", "under"),
        (0.1, 9.0, True, "under", "over"),
        (-0.01, 5.0, False, "between", "between"),
        (0.1, 3.0, False, "under", "under"),
    ],
)
def test_skill_is_lost_or_fades(
    skill: float, fading: float, faded: bool, lost: Level, says: Level
) -> None:
    now = SkillNow(
        n=100, moments=100, skill=skill, low=skill - 0.1, high=skill + 0.1, is_lost=skill < -0.1,
        fading=fading, faded=faded,
    )  # fmt: skip
    assert found(with_(skill=now), "skill_lost").level == lost
    assert found(with_(skill=now), "skill_faded").level == says


@pytest.mark.parametrize(
    ("times", "answered", "level"),
    [(3, False, "over"), (2, False, "between"), (0, False, "under"), (9, True, "under")],
)
def test_a_model_is_away_until_it_answers_itself(times: int, answered: bool, level: Level) -> None:
    one = Away(
        model_id=new_id(),
        times=times,
        unanswered=0,
        newest=NOW,
        because="gone",
        answered_since=answered,
    )
    assert of_away(one).level == level
    assert of_away(one).evidence["because"] == "gone"


def test_damage_and_a_rejection_say_what_was_found() -> None:
    broken = Broken(model_id=new_id(), failure="w.bin has another size", at=NOW, is_over=False)
    assert of_broken(broken).level == "over"
    assert "another size" in of_broken(broken).words
    assert of_broken(msgspec.structs.replace(broken, is_over=True)).level == "under"
    decision = {"reason": "worse by far", "reading": {"evidenceWorse": 21.0, "rounds": 40}}
    rejected = msgspec.structs.replace(EXPERIMENT, status="rejected", decision=decision)
    one = of_rejection(rejected)
    assert (one.level, one.words, one.figure) == ("over", "worse by far", 21.0)
    assert one.model_id == EXPERIMENT.challenger_id


EXPERIMENT = Experiment(
    id=new_id(), model="variance", mode="ab", share=0.5, alpha=0.05, champion_id=new_id(),
    champion_version="1", challenger_id=new_id(), challenger_version="2", status="running",
    created_by=None, started_at=NOW,
)  # fmt: skip


def reading(split: Split) -> Reading:
    return Reading(
        verdict="too early", words="Nobody can say.", pairs=0, waiting=0, rounds=0,
        champion_loss=None, challenger_loss=None, skill=None, skill_low=None, skill_high=None,
        evidence_better=1.0, evidence_worse=1.0, evidence_needed=20.0, split=split, unpaired=0,
        as_of=NOW,
    )  # fmt: skip
