"""Write `talib_vectors.json`: TA-Lib's own values on the shipped prices.

    python -m tests.golden.make_talib_vectors

Calls TA-Lib directly and nothing of `tools.analytics`, so that the test compares two roads.
"""

import json
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
import talib

from tools.market.demo import read_vendored

VECTORS = Path(__file__).with_name("talib_vectors.json")
BARS = (11, 14, 25, 33, 49, 100, 195, 199, 249, 500, 1000, 2000, 3000)


def series(high: Any, low: Any, close: Any, volume: Any) -> dict[str, Any]:
    """Return every indicator over the whole history."""
    macd, signal, histogram = talib.MACD(close, 12, 26, 9)
    upper, middle, lower = talib.BBANDS(close, 20, 2.0, 2.0)
    slow_k, slow_d = talib.STOCH(high, low, close, fastk_period=14)
    return {
        "rsi": talib.RSI(close, 14),
        "macd": macd,
        "macd_signal": signal,
        "macd_histogram": histogram,
        **{f"sma{n}": talib.SMA(close, n) for n in (20, 50, 200)},
        **{f"ema{n}": talib.EMA(close, n) for n in (12, 26)},
        "upper": upper,
        "middle": middle,
        "lower": lower,
        "atr": talib.ATR(high, low, close, 14),
        "adx": talib.ADX(high, low, close, 14),
        "plus_di": talib.PLUS_DI(high, low, close, 14),
        "minus_di": talib.MINUS_DI(high, low, close, 14),
        "obv": talib.OBV(close, volume),
        "stochastic_k": slow_k,
        "stochastic_d": slow_d,
    }


def vectors() -> dict[str, Any]:
    """Return, per symbol and indicator, the sum of all values, how many, and some of them."""
    out: dict[str, Any] = {"talib": metadata.version("ta-lib"), "symbols": {}}
    for symbol, raw in read_vendored().items():
        bars = raw.split_adjusted()
        out["symbols"][symbol] = {
            name: {
                "count": int(np.count_nonzero(~np.isnan(values))),
                "sum": float(np.nansum(values)),
                "at": {
                    str(bar): float(values[bar])
                    for bar in (*BARS, len(bars) - 1)
                    if bar < len(bars) and not np.isnan(values[bar])
                },
            }
            for name, values in series(bars.high, bars.low, bars.close, bars.volume).items()
        }
    return out


if __name__ == "__main__":
    VECTORS.write_text(json.dumps(vectors(), indent=1) + "\n")
