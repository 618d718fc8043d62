"""A histogram in a fixed amount of memory says what the durations were, to within a quarter."""

from hypothesis import given
from hypothesis import strategies as st

from app.services.live.lag import Lag, LagSummary


def test_nothing_measured_is_said_so() -> None:
    assert Lag().summary() == LagSummary(0, None, None, None)


@given(st.lists(st.floats(0.0001, 3000), min_size=1), st.floats(0.01, 1.0))
def test_a_percentile_is_right_to_within_a_bucket(durations: list[float], share: float) -> None:
    lag = Lag()
    for seconds in durations:
        lag.add(seconds)
    exact = sorted(durations)[max(0, -int(-share * len(durations) // 1) - 1)]
    found = lag.percentile(share)
    assert found is not None
    assert exact * 0.999 <= found <= exact * 1.26
    assert lag.summary().count == len(durations)
    assert lag.summary().max_s == max(durations)


def test_what_is_off_the_scale_still_counts() -> None:
    lag = Lag()
    for seconds in (0.0, 1e9):
        lag.add(seconds)
    assert lag.percentile(1.0) == 1e9
    assert lag.percentile(0.5) == 0.0001
