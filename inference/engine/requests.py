"""What the engines share beside rows and answers: priorities and what they count."""

from collections import deque
from dataclasses import dataclass, field
from time import monotonic
from typing import Literal, TypeAlias

Priority: TypeAlias = Literal["interactive", "batch"]
"""People who wait go before jobs that do not."""

_KEPT_LATENCIES = 1024
_KEPT_BATCHES = 1024
SPAN_S = 60.0
"""Throughput is counted over so long, or since the oldest of the batches that are remembered."""


@dataclass(frozen=True)
class ModelView:
    """What one model did so far."""

    answered: int
    failed: int
    batches: int
    rows: int
    mean_batch_rows: float
    """Rows that ran together, on average."""
    mean_batch_calls: float
    p50_ms: float | None
    """Of the latest answers, from the call to its answer."""
    p99_ms: float | None
    rows_per_s: float
    """Over the last minute."""
    seconds_per_row: float | None = None
    open_until_s: float | None = None
    """How long the breaker refuses calls from now; None when it does not."""


@dataclass(frozen=True)
class EngineStats:
    """What an engine does now and did so far, as plain numbers."""

    waiting_calls: int
    waiting_rows: int
    running_batches: int
    loaded_models: int
    loaded_bytes: int
    worker_starts: int
    models: dict[str, ModelView]


@dataclass
class ModelStats:
    """Counts of one model."""

    answered: int = 0
    failed: int = 0
    batches: int = 0
    calls: int = 0
    rows: int = 0
    latencies: deque[float] = field(default_factory=lambda: deque(maxlen=_KEPT_LATENCIES))
    ran: deque[tuple[float, int]] = field(default_factory=lambda: deque(maxlen=_KEPT_BATCHES))
    """When the latest batches were done, on the monotonic clock, and their rows."""

    def count_batch(self, *, rows: int, calls: int) -> None:
        """Note a batch that ran."""
        self.batches += 1
        self.rows += rows
        self.calls += calls
        self.ran.append((monotonic(), rows))

    def rows_per_s(self, *, now: float) -> float:
        """Return the throughput of the last minute."""
        since = now - SPAN_S
        if len(self.ran) == _KEPT_BATCHES:
            since = max(since, self.ran[0][0])
        rows = sum(rows for at, rows in self.ran if at > since)
        return rows / max(now - since, 1e-3)

    def count_answer(self, seconds: float) -> None:
        """Note an answer and how long its caller waited."""
        self.answered += 1
        self.latencies.append(seconds)

    def view(
        self, *, seconds_per_row: float | None = None, open_until_s: float | None = None
    ) -> ModelView:
        """Return the counts as they are now."""
        ordered = sorted(self.latencies)
        return ModelView(
            answered=self.answered,
            failed=self.failed,
            batches=self.batches,
            rows=self.rows,
            mean_batch_rows=self.rows / self.batches if self.batches else 0.0,
            mean_batch_calls=self.calls / self.batches if self.batches else 0.0,
            p50_ms=_at(ordered, 0.5),
            p99_ms=_at(ordered, 0.99),
            rows_per_s=self.rows_per_s(now=monotonic()),
            seconds_per_row=seconds_per_row,
            open_until_s=open_until_s,
        )


def _at(ordered: list[float], share: float) -> float | None:
    return ordered[round(share * (len(ordered) - 1))] * 1000.0 if ordered else None
