"""How late things are: a histogram of durations in a fixed amount of memory.

Buckets grow by a quarter, so a percentile is right to within 25 %, from a tenth of a millisecond to
an hour.
"""

import bisect

import msgspec

_BOUNDS_S = tuple(0.0001 * 1.25**step for step in range(80))


class LagSummary(msgspec.Struct, frozen=True, rename="camel"):
    """What a histogram says, in seconds; None while nothing was measured."""

    count: int
    p50_s: float | None
    p99_s: float | None
    max_s: float | None


class Lag:
    """Counts durations."""

    __slots__ = ("_counts", "_max_s", "_total")

    def __init__(self) -> None:
        self._counts = [0] * (len(_BOUNDS_S) + 1)
        self._total = 0
        self._max_s = 0.0

    def add(self, seconds: float) -> None:
        """Count one duration."""
        self._counts[bisect.bisect_left(_BOUNDS_S, seconds)] += 1
        self._total += 1
        self._max_s = max(self._max_s, seconds)

    def percentile(self, share: float) -> float | None:
        """Return what `share` (0 to 1) of the durations stayed within."""
        if not self._total:
            return None
        wanted, seen = share * self._total, 0
        for bound, count in zip(_BOUNDS_S, self._counts, strict=False):
            seen += count
            if seen >= wanted:
                return min(bound, self._max_s)
        return self._max_s

    def summary(self) -> LagSummary:
        """Return the histogram in four numbers."""
        if not self._total:
            return LagSummary(0, None, None, None)
        return LagSummary(self._total, self.percentile(0.5), self.percentile(0.99), self._max_s)
