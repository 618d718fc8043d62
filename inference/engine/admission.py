"""May one more call wait? Bounds the rows that wait and the seconds of work they stand for.

Pure. Jobs may fill only half of each bound, so that there is always room for people.
"""

from dataclasses import dataclass

from inference.engine.requests import Priority
from inference.errors import Overloaded

_SMOOTHING = 0.2
_SHARE_OF_JOBS = 0.5


@dataclass(frozen=True)
class QueueBounds:
    """How much may wait."""

    rows: int = 20_000
    seconds: float = 30.0
    """Of work, as measured for each model."""


class WorkEstimate:
    """How long a row of each model takes, learned from the batches that ran."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = {}

    def learn(self, model: str, *, rows: int, seconds: float) -> None:
        """Note how long a batch took."""
        new = seconds / max(rows, 1)
        old = self._seconds.get(model)
        self._seconds[model] = new if old is None else old + _SMOOTHING * (new - old)

    def per_row(self, model: str) -> float | None:
        """Return seconds per row; None before the first batch."""
        return self._seconds.get(model)

    def of(self, rows_by_model: dict[str, int]) -> float:
        """Return the seconds of work that rows stand for; 0 for models that never ran."""
        return sum(self._seconds.get(model, 0.0) * rows for model, rows in rows_by_model.items())


def admit(
    *,
    rows: int,
    model: str,
    priority: Priority,
    deadline_s: float,
    waiting: dict[Priority, dict[str, int]],
    estimate: WorkEstimate,
    bounds: QueueBounds,
) -> None:
    """Return when the call may wait.

    Raises:
        Overloaded: too many rows or too much work wait, or it could not be done before its
            deadline; says when to come back.
    """
    waiting_rows = sum(sum(by_model.values()) for by_model in waiting.values())
    work_s = sum(estimate.of(by_model) for by_model in waiting.values())
    ahead_s = work_s if priority == "batch" else estimate.of(waiting["interactive"])
    share = _SHARE_OF_JOBS if priority == "batch" else 1.0
    again_s = min(max(1.0, work_s * 0.5), 60.0)
    if waiting_rows and waiting_rows + rows > bounds.rows * share:
        raise Overloaded(
            f"{waiting_rows:,} rows wait already; at most {bounds.rows * share:,.0f} may",
            retry_after_s=again_s,
        )
    own_s = (estimate.per_row(model) or 0.0) * rows
    if work_s and work_s + own_s > bounds.seconds * share:
        raise Overloaded(
            f"{work_s:.1f} s of work wait already; at most {bounds.seconds * share:g} s may",
            retry_after_s=again_s,
        )
    if ahead_s > deadline_s:
        raise Overloaded(
            f"{ahead_s:.1f} s of work wait ahead of it, more than its deadline of {deadline_s:g} s",
            retry_after_s=again_s,
        )
