"""ADWIN: a window over a stream that grows while nothing changes and drops its past when it does.

Bifet and Gavaldà (2007), "Learning from Time-Changing Data with Adaptive Windowing": buckets of
sizes 1, 2, 4, ... keep the sum and variance of the window in memory that grows with its logarithm.
Values have to be bounded; they are given with their bounds and scaled to 0 to 1.
"""

import math
from collections.abc import Iterator

_PER_SIZE = 5
"""Buckets of one size, before the two oldest become one of twice the size."""
_LEAST_SIDE = 10
_LEAST_WINDOW = 32


class _Bucket:
    __slots__ = ("count", "square", "total")

    def __init__(self, count: int, total: float, square: float) -> None:
        self.count = count
        self.total = total
        self.square = square
        """Sum of squared distances from the bucket's own mean."""


class Adwin:
    """A change detector; `update` tells when the mean has moved."""

    def __init__(self, *, low: float = 0.0, high: float = 1.0, delta: float = 0.002) -> None:
        """Args:
        low: the least value there can be; what lies outside is taken for the bound.
        delta: how often, at most, a change is told at a check where there is none.
        """
        if not low < high:
            raise ValueError(f"the bounds {low} and {high} leave no room")
        self._low, self._span = low, high - low
        self._delta = delta
        self._rows: list[list[_Bucket]] = [[]]
        """By size; within a size the oldest first."""
        self.count = 0
        self._total = 0.0
        self._square = 0.0

    @property
    def mean(self) -> float:
        """Mean of what is in the window, in the unit of the values; NaN when nothing is."""
        return self._low + self._span * self._total / self.count if self.count else math.nan

    def update(self, value: float) -> bool:
        """Take one value; return whether the past was dropped because the mean has moved."""
        scaled = min(max((value - self._low) / self._span, 0.0), 1.0)
        if self.count:
            distance = scaled - self._total / self.count
            self._square += distance * distance * self.count / (self.count + 1)
        self.count += 1
        self._total += scaled
        self._rows[0].append(_Bucket(1, scaled, 0.0))
        self._compress()
        changed = False
        while self.count >= _LEAST_WINDOW and self._cuts():
            self._drop_oldest()
            changed = True
        return changed

    def _compress(self) -> None:
        for size, row in enumerate(self._rows):
            if len(row) <= _PER_SIZE:
                return
            if size + 1 == len(self._rows):
                self._rows.append([])
            first, second = row.pop(0), row.pop(0)
            self._rows[size + 1].append(_joined(first, second))

    def _cuts(self) -> bool:
        """Tell whether some cut parts the window into two with different means."""
        variance = self._square / self.count
        strictness = math.log(2.0 * math.log(self.count) / self._delta)
        old_count, old_total = 0, 0.0
        for bucket in self._oldest_first():
            old_count += bucket.count
            old_total += bucket.total
            new_count = self.count - old_count
            if new_count < _LEAST_SIDE:
                return False
            if old_count < _LEAST_SIDE:
                continue
            gap = abs(old_total / old_count - (self._total - old_total) / new_count)
            inverse = 1.0 / old_count + 1.0 / new_count
            bound = math.sqrt(2.0 * inverse * variance * strictness)
            bound += 2.0 / 3.0 * inverse * strictness
            if gap > bound:
                return True
        return False

    def _oldest_first(self) -> Iterator[_Bucket]:
        for row in reversed(self._rows):
            yield from row

    def _drop_oldest(self) -> None:
        while not self._rows[-1]:
            self._rows.pop()
        gone = self._rows[-1].pop(0)
        rest = self.count - gone.count
        gap = gone.total / gone.count - (self._total - gone.total) / rest
        self._square -= gone.square + gap * gap * gone.count * rest / self.count
        self._square = max(self._square, 0.0)
        self.count = rest
        self._total -= gone.total


def _joined(first: _Bucket, second: _Bucket) -> _Bucket:
    count = first.count + second.count
    gap = first.total / first.count - second.total / second.count
    square = first.square + second.square + gap * gap * first.count * second.count / count
    return _Bucket(count, first.total + second.total, square)
