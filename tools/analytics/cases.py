"""Graded signals: what was expected of each, and what followed.

A case is a signal whose outcome is known. Cases of all instruments of one market and timeframe are
pooled per kind, because one symbol alone has too few. Outcomes that overlap are not counted twice:
of signals of one kind on one symbol that fire within each other's horizon only the first counts,
which is known when it fires.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tools.analytics import composite, indicators, outcomes, signals
from tools.analytics.composite import Composite
from tools.analytics.firings import KINDS, Firing
from tools.analytics.indicators import Indicators
from tools.analytics.outcomes import Outcome
from tools.analytics.prices import Floats, Prices, log_ratio

Seconds = NDArray[np.int64]
STUDIED_BARS = 20
"""The longest horizon: how far each signal is followed."""


@dataclass(frozen=True, eq=False)
class Study:
    """Everything the rules say about one history."""

    prices: Prices
    indicators: Indicators
    composite: Composite
    firings: list[Firing]
    outcomes: Mapping[str, Outcome]


@dataclass(frozen=True, eq=False)
class Cases:
    """Cases of one kind, in the order in which their outcomes became known."""

    symbols: NDArray[np.str_]
    fired: Seconds
    """When the bar opened at whose close it fired, seconds since 1970."""
    resolved: Seconds
    """When the bar closed that settled it."""
    hits: Floats
    """1 or 0."""
    base_rates: Floats
    """How often the same came true on any bar of its symbol, as known when it fired."""
    values: Floats
    paths: Floats
    """One row a case: the price 1, 2 ... bars later, in ATR; positive in the signal's favour, and
    without its sign where the signal has none."""

    def __len__(self) -> int:
        return len(self.hits)

    def before(self, moment: int) -> "Cases":
        """Return those whose outcome was known at `moment` (seconds since 1970)."""
        return self.take(np.s_[: int(np.searchsorted(self.resolved, moment, side="right"))])

    def of_symbol(self, symbol: str) -> "Cases":
        """Return those of one symbol."""
        return self.take(np.flatnonzero(self.symbols == symbol))

    def take(self, rows: NDArray[np.int64] | slice) -> "Cases":
        """Return the cases at `rows`."""
        return Cases(
            symbols=self.symbols[rows],
            fired=self.fired[rows],
            resolved=self.resolved[rows],
            hits=self.hits[rows],
            base_rates=self.base_rates[rows],
            values=self.values[rows],
            paths=self.paths[rows],
        )


def study(prices: Prices) -> Study:
    """Compute everything over one history."""
    computed = indicators.compute(prices)
    strength = composite.combine(prices, computed)
    return Study(
        prices=prices,
        indicators=computed,
        composite=strength,
        firings=signals.fire(prices, computed, strength),
        outcomes=outcomes.judge(prices, computed.atr),
    )


def counted(firings: Iterable[Firing], horizons: Mapping[str, int]) -> list[bool]:
    """Return for each firing whether it is the first of its kind within its horizon."""
    newest: dict[str, int] = {}
    out = []
    for firing in firings:
        before = newest.get(firing.like)
        out.append(before is None or firing.bar - before >= horizons[firing.like])
        newest[firing.like] = firing.bar
    return out


def collect(found: Study, symbol: str, *, closed: Seconds) -> dict[str, Cases]:
    """Return the cases of one symbol's history by kind, as known at its last bar.

    `closed` is when each bar closed, in seconds since 1970.
    """
    horizons = {like: outcome.horizon_bars for like, outcome in found.outcomes.items()}
    bars: dict[str, list[int]] = {like: [] for like in KINDS}
    for firing, counts in zip(found.firings, counted(found.firings, horizons), strict=True):
        if counts:
            bars[firing.like].append(firing.bar)
    opened = found.prices.days.astype("datetime64[s]").astype(np.int64)
    ahead = followed(found.prices, found.indicators.atr)
    collected = {}
    for like, outcome in found.outcomes.items():
        at = np.array(bars[like], dtype=np.int64)
        base = outcome.base_rates()[at]
        usable = ~np.isnan(outcome.hits[at]) & ~np.isnan(base)
        at, base = at[usable], base[usable]
        collected[like] = Cases(
            symbols=np.full(len(at), symbol),
            fired=opened[at],
            resolved=closed[at + outcome.horizon_bars],
            hits=outcome.hits[at],
            base_rates=base,
            values=outcome.values[at],
            paths=sided(ahead[at, : outcome.horizon_bars], like),
        )
    return collected


def followed(prices: Prices, atr: Floats) -> Floats:
    """Return, a row for each bar, the log returns 1, 2 ... 20 bars later in ATR; NaN beyond."""
    count = len(prices)
    out = np.full((count, STUDIED_BARS), np.nan)
    unit = np.full(count, np.nan)
    np.divide(prices.close, atr, out=unit, where=atr > 0)
    logs = log_ratio(prices.total, np.ones(len(prices)))
    for bars in range(1, min(STUDIED_BARS, count - 1) + 1):
        out[:-bars, bars - 1] = (logs[bars:] - logs[:-bars]) * unit[:-bars]
    return out


def sided(paths: Floats, like: str) -> Floats:
    """Return `paths` as a signal of this kind sees them."""
    return paths if like.endswith("+") else -paths if like.endswith("-") else np.abs(paths)


def pool(collected: Iterable[Cases]) -> Cases:
    """Return the cases of several symbols as one, in order of resolution."""
    parts = [part for part in collected if len(part)]
    if not parts:
        return nothing()
    joined = Cases(
        symbols=np.concatenate([part.symbols for part in parts]),
        fired=np.concatenate([part.fired for part in parts]),
        resolved=np.concatenate([part.resolved for part in parts]),
        hits=np.concatenate([part.hits for part in parts]),
        base_rates=np.concatenate([part.base_rates for part in parts]),
        values=np.concatenate([part.values for part in parts]),
        paths=np.concatenate([part.paths for part in parts]),
    )
    return joined.take(np.lexsort((joined.symbols, joined.fired, joined.resolved)))


def nothing() -> Cases:
    """Return no cases."""
    seconds, floats = np.empty(0, dtype=np.int64), np.empty(0)
    return Cases(np.empty(0, dtype=np.str_), seconds, seconds, floats, floats, floats,
                 np.empty((0, STUDIED_BARS)))  # fmt: skip
