"""What `outcry model alarms` prints of an alarm."""

from datetime import timedelta

from app.terminal.model_alarms import lines
from tests.unit.app.domain.test_model_alarms import NOW, alarm


def test_an_alarm_says_what_of_which_model_how_far_and_since_when() -> None:
    told = lines(alarm(looks=3, reopened=1, measured_over="60 values"))
    assert told[0] == "variance@1  inputs drifted  (open)"
    assert told[2] == "  figure 0.3, threshold 0.25, over 60 values"
    assert told[3].startswith("  since 2026-11-26 12:00, found 3 times, came back 1 times")


def test_one_without_a_figure_that_was_seen_and_is_over_says_so() -> None:
    closed = alarm(figure=None, closed_at=NOW + timedelta(days=1), acknowledged_at=NOW)
    told = lines(closed)
    assert told[0] == "variance@1  inputs drifted  (over since 2026-11-27 12:00, seen)"
    assert len(told) == 3
