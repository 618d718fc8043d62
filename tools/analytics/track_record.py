"""How often signals like this one were right, counted from cases known before it fired.

The confidence of a signal is p = (hits + k base) / (n + k), k = 100: the base rate, moved as far as
the record carries. Each case is judged against the base rate of its own symbol as known when it
fired, so that a symbol that rises most of the time lends its signals no credit.

A kind has a measured edge only out of sample: among the cases that fired when the first 30 were
already known, the whole 95 % interval of the hit rate lies above the base rate, and the t-value of
the difference, clustered by month because one market's days are not independent, is at least 3
because thirteen kinds are looked at.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from tools.analytics.cases import Cases, Seconds
from tools.analytics.composite import Composite
from tools.analytics.outcomes import Event, Outcome
from tools.analytics.prices import Floats, Prices

ENOUGH = 30
"""Fewer cases than this say nothing, and no rate is shown."""
SHRINK = 100
"""Base-rate outcomes mixed into `expected`: k."""
PROOF = 3.0
"""t-value, clustered by month, from which a difference is not put down to chance."""
FEWEST_MONTHS = 10
"""Without so many months there is no clustered t-value."""
BANDS = (-100.0, -60.0, -30.0, 0.0, 30.0, 60.0, 100.0)
Edge = Literal["measured edge", "no measured edge", "too few"]


@dataclass(frozen=True)
class TrackRecord:
    """The measured record of one kind of signal. Rates are fractions."""

    event: str
    """What counts as right, in words."""
    like: str
    """Which past cases were counted, in words."""
    horizon_bars: int
    n: int
    hits: int
    base_rate: float | None
    """Mean base rate of the cases."""
    hit_rate: float | None
    """None while n is below `ENOUGH`."""
    wilson_low: float | None
    wilson_high: float | None
    """95 % interval of the rate; None while n is below `ENOUGH`."""
    expected: float | None
    """(hits + 100 base) / (n + 100)."""
    edge: Edge
    t_value: float | None
    """Of hits over base rates out of sample, clustered by month."""

    def confidence(self, *, sided: bool, base_rate: float | None = None) -> float | None:
        """Return the probability to show: what is expected, for a direction only once proven.

        `base_rate` stands in where there is no case at all.
        """
        if self.base_rate is None:
            return base_rate
        return self.base_rate if sided and self.edge != "measured edge" else self.expected


def of_cases(cases: Cases, outcome: Outcome | Event, *, like: str) -> TrackRecord:
    """Return the record of `cases`, which are of one kind."""
    tested = cases.take(np.flatnonzero(_out_of_sample(cases.fired, cases.resolved)))
    return _record(outcome, cases.hits, cases.base_rates, tested, like)


def of_composite(
    composite: Composite, outcomes: dict[str, Outcome], prices: Prices
) -> TrackRecord | None:
    """Return what followed days whose strength was in the band of today's; None without one."""
    today = composite.strength[-1] if len(composite.strength) else np.nan
    if np.isnan(today):
        return None
    place = min(int(np.searchsorted(BANDS, today, side="right")) - 1, len(BANDS) - 2)
    low, high = BANDS[place], BANDS[place + 1]
    top = composite.strength <= high if high == BANDS[-1] else composite.strength < high
    outcome = outcomes["entry-" if high <= -30.0 else "entry+"]
    days = apart(np.flatnonzero((composite.strength >= low) & top), outcome.horizon_bars)
    days = days[~np.isnan(outcome.hits[days])]
    every = outcome.hits[~np.isnan(outcome.hits)]
    hits = outcome.hits[days]
    base = np.full(len(hits), every.mean() if len(every) else np.nan)
    opened = prices.days.astype("datetime64[s]").astype(np.int64)
    late = _out_of_sample(opened[days], opened[days + outcome.horizon_bars])
    return _record(
        outcome,
        hits,
        base,
        _Tested(opened[days][late], hits[late], base[late]),
        f"days with a strength from {low:.0f} to {high:.0f}, at least 20 bars apart",
    )


def wilson(hits: int, n: int, *, z: float = 1.959963984540054) -> tuple[float, float]:
    """Return Wilson's interval for a rate (95 % by default)."""
    if n == 0:
        return 0.0, 1.0
    rate = hits / n
    centre = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * float(np.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n)))
    return max(0.0, centre - half), min(1.0, centre + half)


def apart(bars: NDArray[np.int64], horizon: int) -> NDArray[np.int64]:
    """Return the bars that are at least `horizon` after the last one taken, from the oldest on."""
    taken: list[int] = []
    for bar in bars:
        if not taken or bar - taken[-1] >= horizon:
            taken.append(int(bar))
    return np.array(taken, dtype=np.int64)


def clustered(values: Floats, fired: Seconds) -> tuple[float, float] | None:
    """Return the mean and its standard error, values of one calendar month counting as one group.

    None when there are fewer than `FEWEST_MONTHS` months, or they do not differ.
    """
    if not len(values):
        return None
    months = fired.astype("datetime64[s]").astype("datetime64[M]").astype(np.int64)
    _, group = np.unique(months, return_inverse=True)
    count = int(group.max()) + 1
    if count < FEWEST_MONTHS:
        return None
    mean = float(values.mean())
    sums = np.bincount(group, weights=values - mean)
    error = float(np.sqrt((sums**2).sum() * count / (count - 1))) / len(values)
    return (mean, error) if error > 0 else None


@dataclass(frozen=True, eq=False)
class _Tested:
    """The columns an edge is judged by."""

    fired: Seconds
    hits: Floats
    base_rates: Floats


def _record(
    outcome: Outcome | Event, hit: Floats, base_rates: Floats, tested: "_Tested | Cases", like: str
) -> TrackRecord:
    n, hits = len(hit), int(hit.sum())
    base = float(base_rates.mean()) if n and not np.isnan(base_rates).any() else None
    low, high = wilson(hits, n)
    enough = n >= ENOUGH and base is not None
    edge, t_value = _edge(tested) if enough else ("too few", None)
    return TrackRecord(
        event=outcome.event,
        like=like,
        horizon_bars=outcome.horizon_bars,
        n=n,
        hits=hits,
        base_rate=base,
        hit_rate=hits / n if enough else None,
        wilson_low=low if enough else None,
        wilson_high=high if enough else None,
        expected=None if base is None else (hits + SHRINK * base) / (n + SHRINK),
        edge=edge,
        t_value=t_value,
    )


def _out_of_sample(fired: Seconds, resolved: Seconds) -> NDArray[np.bool_]:
    """Return which cases fired when `ENOUGH` others were already known."""
    known: NDArray[np.int64] = np.searchsorted(np.sort(resolved), fired, side="right")
    return known >= ENOUGH


def _edge(tested: "_Tested | Cases") -> tuple[Edge, float | None]:
    more = clustered(tested.hits - tested.base_rates, tested.fired)
    t_value = None if more is None else more[0] / more[1]
    low, _ = wilson(int(tested.hits.sum()), len(tested.hits))
    proven = (
        len(tested.hits) >= ENOUGH
        and low > float(tested.base_rates.mean())
        and t_value is not None
        and t_value >= PROOF
    )
    return ("measured edge" if proven else "no measured edge"), t_value
