"""Indicators of thousands of instruments at once: ten over whole histories, or all at the last bar.

`compute` fuses ten indicators into one pass where numba is installed and prepared, and calls TA-Lib
in a loop where it is not; both are held to TA-Lib within 1e-8. `newest` gives every field of the
catalogue at the newest bar of each history, and at the bar before: what a screen needs.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from tools.analytics import batch_step as step
from tools.analytics import indicators
from tools.analytics.compiling import Kernel
from tools.analytics.prices import Floats, Prices
from tools.analytics.snapshot import Snapshot
from tools.analytics.streaming import MANY, IndicatorMatrix
from tools.analytics.ta_lib import talib

OUTPUTS = (
    "sma20", "ema20", "rsi", "macd", "macdSignal", "macdHistogram", "bollingerUpper",
    "bollingerMiddle", "bollingerLower", "atr",
)  # fmt: skip
"""In the order of `batch_step`."""
AT_ONCE = 512
"""Histories that `newest` holds the state of at a time."""


def _example() -> list[object]:
    one = np.ones((1, 2 * step.WARM))
    return [one, one, one, np.array([2 * step.WARM]), np.empty((step.OUTPUTS, *one.shape))]


FUSED = Kernel(step.fuse, step._around, step._still, example=_example, contract=True)
"""What `compute` uses once it is prepared."""


def compute(
    high: Floats,
    low: Floats,
    close: Floats,
    lengths: NDArray[np.int64] | None = None,
    *,
    fused: Kernel = FUSED,
    out: Floats | None = None,
) -> dict[str, Floats]:
    """Return the ten `OUTPUTS`, each instruments x bars as the prices are, NaN where there is none.

    Args:
        lengths: bars of each instrument when they differ; what stands after them is not read.
        out: where to write, `len(OUTPUTS)` x instruments x bars; a new array by default.

    Raises:
        ValueError: the shapes do not fit.
    """
    high, low, close = (np.ascontiguousarray(c, dtype=np.float64) for c in (high, low, close))
    if close.ndim != 2 or high.shape != close.shape or low.shape != close.shape:
        raise ValueError("prices come as instruments x bars, all of one shape")
    rows, bars = close.shape
    counts = np.full(rows, bars) if lengths is None else np.asarray(lengths, dtype=np.int64)
    if counts.shape != (rows,) or counts.min(initial=0) < 0 or counts.max(initial=0) > bars:
        raise ValueError(f"lengths must be {rows} numbers from 0 to {bars}")
    found = np.empty((len(OUTPUTS), rows, bars)) if out is None else out
    if found.shape != (len(OUTPUTS), rows, bars):
        raise ValueError(f"out must be {len(OUTPUTS)} x {rows} x {bars}")
    if rows >= MANY:
        fused.prepare_soon()
    if fused.fast is not None:
        fused.fast(high, low, close, counts, found)
    else:
        for row, count in enumerate(counts):
            _one(high[row, :count], low[row, :count], close[row, :count], found[:, row])
    return dict(zip(OUTPUTS, found, strict=True))


def newest(
    histories: Mapping[str, Prices], *, timeframe: str = "1d"
) -> dict[str, tuple[Snapshot, Snapshot | None]]:
    """Return each instrument's snapshot at its newest bar and the one before; none without a bar.

    As `snapshot.table` gives them, for a fraction of its cost.
    """
    names = [name for name, prices in histories.items() if len(prices)]
    found: dict[str, tuple[Snapshot, Snapshot | None]] = {}
    for start in range(0, len(names), AT_ONCE):
        some = names[start : start + AT_ONCE]
        matrix = IndicatorMatrix(len(some), timeframe=timeframe)
        matrix.seed_many({row: histories[name] for row, name in enumerate(some)})
        older = [row for row in range(len(some)) if matrix.count(row) > 1]
        before = dict(zip(older, matrix.snapshots(older, back=1), strict=True))
        for row, now in enumerate(matrix.snapshots(range(len(some)))):
            found[some[row]] = now, before.get(row)
    return found


def _one(high: Floats, low: Floats, close: Floats, out: Floats) -> None:
    count = len(close)
    out[:, count:] = np.nan
    if not count:
        return
    out[step.SMA, :count] = talib.SMA(close, 20)
    out[step.EMA, :count] = talib.EMA(close, 20)
    out[step.RSI, :count] = indicators.rsi(close)
    macd, signal, histogram = talib.MACD(close, 12, 26, 9)
    out[step.MACD, :count], out[step.SIGNAL, :count] = macd, signal
    out[step.HISTOGRAM, :count] = histogram
    upper, middle, lower = talib.BBANDS(close, 20, 2.0, 2.0)
    out[step.UPPER, :count], out[step.MIDDLE, :count] = upper, middle
    out[step.LOWER, :count] = lower
    out[step.ATR, :count] = talib.ATR(high, low, close, 14)
