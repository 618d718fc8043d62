"""When an alarm over a model opens, goes on and closes."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from app.domain.ids import new_id
from app.domain.model_alarms import AlarmKind, Level, ModelAlarm, step, worse

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def alarm(**changed: object) -> ModelAlarm:
    made = ModelAlarm(
        id=new_id(), model_id=new_id(), model="variance@1", kind="inputs_drifted", subject="",
        figure=0.3, worst=0.3, threshold=0.25, measured_over="", words="far", evidence={},
        opened_at=NOW, last_over_at=NOW, looks=1, reopened=0, closed_at=None, closed_because=None,
        acknowledged_at=None, acknowledged_by=None,
    )  # fmt: skip
    return msgspec.structs.replace(made, **changed)


def after(
    level: Level, newest: ModelAlarm | None, *, later: timedelta = HOUR,
    kind: AlarmKind = "inputs_drifted",
) -> str | None:  # fmt: skip
    return step(level, newest, now=NOW + later, kind=kind)


def test_it_opens_once_and_stays_while_the_figure_is_over() -> None:
    assert after("over", None) == "opens"
    assert after("over", alarm()) == "stays"
    for level in ("between", "under", "unknown"):
        assert after(level, None) is None


def test_it_closes_only_well_below_at_two_looks_an_hour_apart() -> None:
    once = alarm(clear_looks=1, clear_since=NOW)
    assert after("under", alarm()) == "clears"
    assert after("under", once, later=timedelta(minutes=59)) == "clears"
    assert after("under", once) == "closes"
    assert after("between", once) == "wavers"
    assert after("between", alarm()) is None


def test_what_nobody_can_say_changes_nothing() -> None:
    assert after("unknown", alarm(clear_looks=1, clear_since=NOW)) is None


def test_one_that_comes_back_within_a_day_goes_on() -> None:
    closed = alarm(closed_at=NOW)
    assert after("over", closed, later=DAY - HOUR) == "reopens"
    assert after("over", closed, later=DAY) == "opens"
    assert after("under", closed) is None


def test_a_figure_that_dances_on_its_threshold_raises_one() -> None:
    newest: ModelAlarm | None = None
    changes = []
    for look in range(200):
        level: Level = ("over", "between", "under", "under")[look % 4]
        now = NOW + look * HOUR
        change = step(level, newest, now=now, kind="inputs_drifted")
        changes.append(change)
        match change:
            case "opens":
                newest = alarm(opened_at=now)
            case "reopens" | "stays" if newest:
                newest = msgspec.structs.replace(
                    newest, closed_at=None, clear_looks=0, clear_since=None
                )
            case "clears" if newest:
                newest = msgspec.structs.replace(newest, clear_looks=1, clear_since=now)
            case "closes" if newest:
                newest = msgspec.structs.replace(newest, closed_at=now)
    assert changes.count("opens") == 1
    assert changes.count("closes") == 50


def test_a_fact_is_over_as_soon_as_it_is_and_what_has_happened_opens_once_for_ever() -> None:
    assert after("under", alarm(), kind="damaged") == "closes"
    assert after("over", None, kind="challenger_rejected") == "opens"
    for newest in (alarm(), alarm(closed_at=NOW)):
        assert after("over", newest, later=9 * DAY, kind="challenger_rejected") is None


@pytest.mark.parametrize(
    ("kind", "figures", "expected"),
    [
        ("inputs_drifted", (0.3, 0.5), 0.5),
        ("split_broken", (1e-4, 1e-6), 1e-6),
        ("damaged", (None, None), None),
        ("away", (None, 3.0), 3.0),
    ],
)
def test_the_worst_figure_lies_farthest_beyond(
    kind: AlarmKind, figures: tuple[float | None, float | None], expected: float | None
) -> None:
    assert worse(kind, *figures) == expected
