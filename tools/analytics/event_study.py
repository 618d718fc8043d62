"""What prices did after signals, against what they do anyway.

The curve is the mean path of the price over the bars after a signal, in average true ranges (ATR)
of the bar it fired at; the baseline is the same over every bar of the same symbols, weighted as the
signals are. For signals without a direction both are sizes, without sign. Intervals and t-values
are clustered by calendar month.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from tools.analytics.cases import Cases, Seconds, followed, sided
from tools.analytics.prices import Floats, Prices
from tools.analytics.track_record import clustered

_Z = 1.959963984540054


@dataclass(frozen=True)
class CurvePoint:
    """The mean price so many bars after the signal, in ATR."""

    bar: int
    mean: float
    baseline: float
    low: float | None
    high: float | None
    """95 % interval of the mean; None with too few months."""


@dataclass(frozen=True)
class EventStudy:
    """Signals of one kind against the unconditional baseline."""

    mean_excess_atr: float | None
    t_value: float | None
    curve: list[CurvePoint]


@dataclass(frozen=True, eq=False)
class Baseline:
    """Mean path after any bar of one symbol, in ATR."""

    signed: Floats
    size: Floats

    def of(self, like: str) -> Floats:
        """Return the baseline of a kind of signal."""
        if like.endswith(("+", "-")):
            return sided(self.signed, like)
        return self.size


def baseline(prices: Prices, atr: Floats) -> Baseline:
    """Return the mean path after every bar, as far as it is known."""
    paths = followed(prices, atr)
    known = (~np.isnan(paths)).sum(axis=0)

    def mean(rows: Floats) -> Floats:
        out = np.full(rows.shape[1], np.nan)
        np.divide(np.nansum(rows, axis=0), known, out=out, where=known > 0)
        return out

    return Baseline(signed=mean(paths), size=mean(np.abs(paths)))


def measure(cases: Cases, like: str, baselines: Mapping[str, Baseline]) -> EventStudy:
    """Return the event study of cases of one kind; `baselines` are by symbol."""
    rows = np.flatnonzero(
        ~np.isnan(cases.paths).any(axis=1) & np.isin(cases.symbols, list(baselines))
    )
    cases = cases.take(rows)
    if not len(cases):
        return EventStudy(mean_excess_atr=None, t_value=None, curve=[])
    horizon = cases.paths.shape[1]
    usual = np.array([baselines[symbol].of(like)[:horizon] for symbol in cases.symbols.tolist()])
    excess = cases.paths[:, -1] - usual[:, -1]
    spread = clustered(excess, cases.fired)
    return EventStudy(
        mean_excess_atr=float(excess.mean()),
        t_value=None if spread is None else spread[0] / spread[1],
        curve=[
            _point(bar + 1, cases.paths[:, bar], float(usual[:, bar].mean()), cases.fired)
            for bar in range(horizon)
        ],
    )


def _point(bar: int, column: Floats, usual: float, fired: Seconds) -> CurvePoint:
    mean = float(column.mean())
    spread = clustered(column, fired)
    half = None if spread is None else _Z * spread[1]
    return CurvePoint(
        bar=bar,
        mean=mean,
        baseline=usual,
        low=None if half is None else mean - half,
        high=None if half is None else mean + half,
    )
