from typing import Any

import pytest

from inference.engine.admission import QueueBounds, WorkEstimate, admit
from inference.engine.requests import Priority
from inference.errors import Overloaded


def asked(
    rows: int,
    *,
    people: int = 0,
    jobs: int = 0,
    priority: Priority = "interactive",
    per_row: float | None = None,
    **more: Any,
) -> None:
    estimate = WorkEstimate()
    if per_row is not None:
        estimate.learn("sum", rows=1, seconds=per_row)
    waiting: dict[Priority, dict[str, int]] = {
        "interactive": {"sum": people} if people else {},
        "batch": {"sum": jobs} if jobs else {},
    }
    admit(
        **{
            "rows": rows,
            "model": "sum",
            "priority": priority,
            "deadline_s": 5.0,
            "waiting": waiting,
            "estimate": estimate,
            "bounds": QueueBounds(rows=100, seconds=10.0),
            **more,
        }
    )


def test_rows_are_bounded() -> None:
    asked(60, people=40)
    with pytest.raises(Overloaded, match="90 rows wait already; at most 100 may"):
        asked(11, people=90)


def test_jobs_leave_half_of_the_room_to_people() -> None:
    asked(10, jobs=40, priority="batch")
    with pytest.raises(Overloaded, match="at most 50"):
        asked(11, jobs=40, priority="batch")
    asked(11, jobs=50)


def test_seconds_of_work_are_bounded_and_tell_when_to_come_back() -> None:
    with pytest.raises(Overloaded, match=r"9\.0 s of work") as refused:
        asked(20, jobs=45, per_row=0.2)
    assert refused.value.retry_after_s == 4.5


def test_who_could_not_be_served_in_time_is_told_at_once() -> None:
    with pytest.raises(Overloaded, match="more than its deadline of 2 s"):
        asked(1, people=30, per_row=0.1, deadline_s=2.0)
    asked(1, jobs=30, per_row=0.1, deadline_s=2.0)  # jobs are not ahead of people


def test_one_large_call_may_come_when_nothing_waits() -> None:
    asked(5000)
    asked(5000, per_row=0.1)


def test_the_estimate_follows_what_is_measured() -> None:
    estimate = WorkEstimate()
    assert estimate.per_row("sum") is None
    estimate.learn("sum", rows=10, seconds=1.0)
    estimate.learn("sum", rows=10, seconds=2.0)
    assert estimate.per_row("sum") == pytest.approx(0.12)
