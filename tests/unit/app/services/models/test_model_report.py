import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import msgspec
import numpy as np
import pytest

from app.domain.ids import new_id
from app.domain.model_reports import Calls, ModelReport, SaidValue, SettledCase
from app.services.models.model_report import Frame, report
from inference.cards import ModelCard, ModelParameters, ModelPerformance

NOW = datetime(2026, 3, 2, tzinfo=UTC)
CARD = ModelCard(
    id=new_id(), name="variance", version="3", type="regression", framework="numpy",
    architecture="linear", parameters=ModelParameters(), performance=ModelPerformance(),
    status="deployed", training_dataset_id=None, validation_metrics={}, created_by=None,
    trained_at=NOW, created_at=NOW, updated_at=NOW, horizon_bars=1,
)  # fmt: skip
QUIET = Calls(
    since=NOW, n=100, completed=100, failed=0, timed_out=0, per_hour=1.0,
    latency_p50_ms=1.0, latency_p95_ms=2.0,
)  # fmt: skip


def cases(losses: Sequence[float], *, hit: float = 0.8) -> list[SettledCase]:
    rng = np.random.default_rng(1)
    return [
        SettledCase(
            as_of=NOW + timedelta(days=day),
            loss=loss,
            baseline_loss=1.0 + 0.1 * float(rng.normal()),
            hit=bool(rng.uniform() < hit),
            pit=float(rng.uniform()),
        )
        for day, loss in enumerate(losses)
    ]


def values(numbers: Sequence[float]) -> list[SaidValue]:
    return [
        SaidValue(id=new_id(), created_at=NOW + timedelta(hours=hour), value=number)
        for hour, number in enumerate(numbers)
    ]


def made(
    settled: Sequence[SettledCase] = (),
    said: Sequence[SaidValue] = (),
    frames: dict[str, Frame] | None = None,
    calls: Calls = QUIET,
) -> ModelReport:
    return report(
        CARD, report_id=new_id(), calls=calls, settled=settled, values=said, frames=frames or {},
        nominal=0.8, notes=(), now=NOW,
    )  # fmt: skip


def test_a_model_that_nobody_has_asked_has_no_numbers_and_no_alarms() -> None:
    empty = made()
    assert empty.alarms == []
    assert empty.skill.skill is None
    assert empty.calibration.coverage is None
    assert msgspec.json.decode(msgspec.json.encode(empty), type=ModelReport) == empty


def test_a_good_model_raises_no_alarm() -> None:
    rng = np.random.default_rng(2)
    good = made(cases(list(0.8 + 0.1 * rng.normal(size=200))))
    assert good.alarms == []
    assert good.skill.skill == pytest.approx(0.2, abs=0.02)
    assert good.skill.low is not None
    assert good.skill.low > 0


def test_skill_that_fades_is_told_before_it_is_lost() -> None:
    rng = np.random.default_rng(3)
    faded = made(
        cases(list(0.8 + 0.1 * rng.normal(size=200)) + list(0.95 + 0.1 * rng.normal(size=60)))
    )
    assert faded.skill.faded
    assert not faded.skill.is_lost
    assert any("faded" in alarm for alarm in faded.alarms)


def test_intervals_that_hold_less_often_than_they_say_are_told() -> None:
    rng = np.random.default_rng(4)
    settled = cases(list(0.8 + 0.1 * rng.normal(size=200)), hit=0.6)
    off = made(settled)
    assert any("inside intervals of 80%" in alarm for alarm in off.alarms)


def test_a_rate_of_hits_that_changes_is_dated() -> None:
    rng = np.random.default_rng(5)
    before = cases(list(0.8 + 0.1 * rng.normal(size=300)), hit=0.95)
    after = cases(list(0.8 + 0.1 * rng.normal(size=200)), hit=0.3)
    changed = made(before + after).calibration
    assert changed.moved
    assert changed.recent is not None
    assert changed.recent < 0.5


def test_inputs_that_have_left_where_it_learned_are_named() -> None:
    rng = np.random.default_rng(6)
    frames = {
        "har_1": Frame(rng.normal(size=2_000), rng.normal(3.0, 1.0, size=200), overlap=1),
        "har_5": Frame(rng.normal(size=2_000), rng.normal(size=200), overlap=1),
    }
    told = made(frames=frames)
    assert [one.level for one in told.inputs] == ["large", "stable"]
    assert any(alarm.endswith("where it learned: har_1.") for alarm in told.alarms)


def test_an_odd_answer_is_named_and_outputs_are_compared() -> None:
    rng = np.random.default_rng(7)
    numbers = np.exp(rng.normal(-9, 0.3, size=300))
    numbers[-1] = 1.0
    said = values(numbers.tolist())
    told = made(said=said)
    assert [one.prediction_id for one in told.anomalies] == [said[-1].id]
    assert told.outputs.level == "stable"
    moved = made(said=values([*numbers[:240].tolist(), *(numbers[:60] * 20).tolist()]))
    assert moved.outputs.level == "large"


def test_requests_that_fail_are_told() -> None:
    failing = msgspec.structs.replace(QUIET, completed=80, failed=15, timed_out=5)
    assert made(calls=failing).alarms == ["20 of 100 requests were not answered."]


def test_a_report_never_holds_a_number_that_is_none() -> None:
    settled = [msgspec.structs.replace(one, loss=None, pit=None) for one in cases([1.0] * 40)]
    odd = made(settled, values([math.inf, *([1.0] * 80)]))
    text = msgspec.json.encode(odd).decode()
    assert "NaN" not in text
    assert odd.skill.n == 0
