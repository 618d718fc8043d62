"""Where each number of the streaming state lives: the arrays that both ways of updating share.

One row is one instrument. What only the next bar needs stands side by side in `scalars`, so that
a row is a few cache lines; windows are rings of one line per bar, so that neighbouring rows which
are at the same bar lie together. A ring's place is the row's `tick`, which differs from its count
of bars: a history is written so that it ends at the common tick.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from tools.analytics import stream_step as step
from tools.analytics.prices import Floats

COLUMNS: dict[str, int] = {
    "close": step.O_CLOSE,
    "open": step.O_OPEN,
    "high": step.O_HIGH,
    "low": step.O_LOW,
    "volume": step.O_VOLUME,
    "changePercent": step.O_CHANGE,
    "rsi": step.O_RSI,
    "macd": step.O_MACD,
    "macdSignal": step.O_SIGNAL,
    "macdHistogram": step.O_HISTOGRAM,
    "sma20": step.O_SMA20,
    "sma50": step.O_SMA50,
    "sma200": step.O_SMA200,
    "ema12": step.O_EMA12,
    "ema26": step.O_EMA26,
    "bollingerUpper": step.O_UPPER,
    "bollingerMiddle": step.O_MIDDLE,
    "bollingerLower": step.O_LOWER,
    "bandwidth": step.O_BANDWIDTH,
    "percentB": step.O_PERCENT_B,
    "atr": step.O_ATR,
    "atrPercent": step.O_ATR_PERCENT,
    "adx": step.O_ADX,
    "plusDi": step.O_PLUS,
    "minusDi": step.O_MINUS,
    "obv": step.O_OBV,
    "stochasticK": step.O_K,
    "stochasticD": step.O_D,
    "volatility20": step.O_VOL20,
    "volatility60": step.O_VOL60,
    "volumeRatio": step.O_VOLUME_RATIO,
    "trendSlope": step.O_SLOPE,
    "trendR2": step.O_R2,
    "high52w": step.O_YEAR_HIGH,
    "low52w": step.O_YEAR_LOW,
    "fromHigh52wPercent": step.O_FROM_HIGH,
}
"""Field -> its place among a row's outputs; `strength` is added up from these when it is asked."""

ROWS_FIRST = ("scalars", "count", "tick")


@dataclass(eq=False)
class State:
    """The arrays of `capacity` rows."""

    scalars: Floats
    """rows x SCALARS."""
    outputs: Floats
    """2 x rows x OUTPUTS: the line of the newest bar is that of its tick's parity."""
    count: NDArray[np.int64]
    """Bars seen."""
    tick: NDArray[np.int64]
    """Where in the rings the next bar goes."""
    closes: Floats
    squares: Floats
    volumes: Floats
    """Rings: length x rows."""
    short_highs: Floats
    short_lows: Floats
    year_highs: Floats
    year_lows: Floats
    """Blocks of a sliding extreme: up to the tick's place the bars of this block, after it the
    extreme of the last block's bars from there to its end."""

    @classmethod
    def empty(cls, capacity: int, year_bars: int) -> "State":
        """Return rows that have seen nothing; `year_bars` is what 52 weeks are, 0 for none."""

        def lines(length: int, value: float) -> Floats:
            return np.full((length, capacity), value)

        scalars = np.zeros((capacity, step.SCALARS))
        scalars[:, [step.SHORT_HIGH, step.YEAR_HIGH]] = -np.inf
        scalars[:, [step.SHORT_LOW, step.YEAR_LOW]] = np.inf
        return cls(
            scalars=scalars,
            outputs=np.full((2, capacity, step.OUTPUTS), np.nan),
            count=np.zeros(capacity, dtype=np.int64),
            tick=np.zeros(capacity, dtype=np.int64),
            closes=lines(step.CLOSES, 0.0),
            squares=lines(step.SQUARES, 0.0),
            volumes=lines(step.VOLUMES, 0.0),
            short_highs=lines(step.SHORT, -np.inf),
            short_lows=lines(step.SHORT, np.inf),
            year_highs=lines(year_bars, -np.inf),
            year_lows=lines(year_bars, np.inf),
        )

    @property
    def capacity(self) -> int:
        return len(self.count)

    def arrays(self) -> dict[str, NDArray[np.float64] | NDArray[np.int64]]:
        """Return the arrays by name, in the order in which the steps take them."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def put(self, source: "State", rows: NDArray[np.int64], to: NDArray[np.int64]) -> None:
        """Make the rows `to` what the rows `rows` of another state are."""
        for name, theirs in source.arrays().items():
            mine = self.arrays()[name]
            if name in ROWS_FIRST:
                mine[to] = theirs[rows]
            else:
                mine[:, to] = theirs[:, rows]
