"""What the engines count of a model."""

import pytest

from inference.engine import requests
from inference.engine.requests import SPAN_S, ModelStats


class Time:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr(requests, "monotonic", time)
    return time


def test_throughput_is_of_the_last_minute(time: Time) -> None:
    stats = ModelStats()
    assert stats.view().rows_per_s == 0.0
    stats.count_batch(rows=600, calls=3)
    time.now += 30
    stats.count_batch(rows=60, calls=1)
    assert stats.view().rows_per_s == pytest.approx(660 / SPAN_S)
    time.now += 31
    assert stats.view().rows_per_s == pytest.approx(60 / SPAN_S)
    assert (stats.view().rows, stats.view().mean_batch_rows) == (660, 330)


def test_throughput_of_more_batches_than_are_remembered_is_of_those(time: Time) -> None:
    stats = ModelStats()
    for _ in range(5_000):
        time.now += 0.001
        stats.count_batch(rows=10, calls=1)
    assert stats.view().rows_per_s == pytest.approx(10_000, rel=0.01)


def test_percentiles_are_of_the_newest_answers() -> None:
    stats = ModelStats()
    for millisecond in range(1, 101):
        stats.count_answer(millisecond / 1000)
    view = stats.view(open_until_s=3.0)
    assert [view.p50_ms, view.p99_ms] == pytest.approx([51, 99])
    assert view.open_until_s == 3.0
