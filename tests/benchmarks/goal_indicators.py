"""G8 and G9: indicators of thousands of symbols, over whole histories and for one new bar.

In this process, one thread, one core. Timed by the process's CPU clock, which on a quiet machine
is the wall's and on a shared one leaves out what other programs did meanwhile; interleaved rounds,
medians. Prices are made up: random walks.
"""

import importlib
import importlib.util
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import talib
from talib import stream

from tests.benchmarks.results import Figures, median, significant
from tools.analytics import batch, streaming
from tools.analytics.prices import Floats, Prices
from tools.analytics.streaming import IndicatorMatrix

ROUNDS = 5
SYMBOLS, BARS = 5_000, 2_500
UPDATES = 50
"""Bars per round of G9: long enough for whatever is done every twentieth and fiftieth bar."""


async def g8() -> Figures:
    """Ten indicators over 5,000 symbols x 2,500 bars."""
    with one_core():
        started = time.process_time()
        prepared = batch.FUSED.prepare()
        prepare_s = time.process_time() - started
        high, low, close = _walks(SYMBOLS, BARS)
        out = np.zeros((len(batch.OUTPUTS), SYMBOLS, BARS))

        def floor() -> None:
            for one in out:
                np.copyto(one, close)

        sides: dict[str, Callable[[], object]] = {
            "floor": floor,
            "ours": lambda: batch.compute(high, low, close, out=out),
            "talib": lambda: _talib_loop(high, low, close, out),
        }
        if importlib.util.find_spec("polars_talib") is not None:
            sides["polars_talib"] = _polars_side(high, low, close)
        seconds = _rounds(sides)
        errors = _errors(high, low, close)
    figures: Figures = {
        "symbols": SYMBOLS,
        "bars": BARS,
        "fused": prepared,
        "prepare_s": significant(prepare_s),
        **{f"{name}_s": median(taken) for name, taken in seconds.items()},
        "ratio_to_floor": _ratio(seconds["ours"], seconds["floor"]),
        "times_talib": _ratio(seconds["talib"], seconds["ours"]),
        "ns_per_value": significant(
            1e9 * float(np.median(seconds["ours"])) / (SYMBOLS * BARS * len(batch.OUTPUTS))
        ),
        "max_relative_error": errors,
        "rounds": {name: [significant(one) for one in taken] for name, taken in seconds.items()},
    }
    if "polars_talib" in seconds:
        figures["times_polars_talib"] = _ratio(seconds["polars_talib"], seconds["ours"])
    return figures


async def g9() -> Figures:
    """One new bar for all symbols, every field of the catalogue."""
    with one_core():
        started = time.process_time()
        prepared = streaming.STEPS.prepare()
        prepare_s = time.process_time() - started
        high, low, close = _walks(SYMBOLS, BARS)
        volume = np.random.default_rng(1).uniform(1e5, 1e6, (SYMBOLS, BARS)).round()
        ours = _Updates(_seeded(SYMBOLS, BARS))
        few, many = _Updates(_seeded(500, 300)), _Updates(_seeded(50_000, 300))
        short, long = _Updates(_seeded(500, BARS)), _Updates(_seeded(500, 10 * BARS))
        handles = [_handles(high[row], low[row], close[row], volume[row]) for row in range(100)]
        seconds = _rounds(
            {
                "ours": ours.run,
                "one_shot": lambda: _one_shot(high, low, close, volume),
                "handles": lambda: _advance(handles, high, low, close, volume),
                "at_500": lambda: few.run(20 * UPDATES),
                "at_50000": many.run,
                "history_2500": lambda: short.run(20 * UPDATES),
                "history_25000": lambda: long.run(20 * UPDATES),
            }
        )
        read = _time_of(lambda: ours.matrix.table(range(SYMBOLS)))
    per_symbol = {
        "ours": SYMBOLS * UPDATES,
        "one_shot": SYMBOLS,
        "handles": len(handles) * UPDATES,
        "at_500": 500 * 20 * UPDATES,
        "at_50000": 50_000 * UPDATES,
        "history_2500": 500 * 20 * UPDATES,
        "history_25000": 500 * 20 * UPDATES,
    }
    ns = {name: [1e9 * one / per_symbol[name] for one in taken] for name, taken in seconds.items()}
    return {
        "symbols": SYMBOLS,
        "fields": len(ours.matrix.table([0])),
        "compiled": prepared,
        "prepare_s": significant(prepare_s),
        **{f"{name}_ns": median(taken) for name, taken in ns.items()},
        "all_symbols_us": significant(median(ns["ours"]) * SYMBOLS / 1e3),
        "times_one_shot": _ratio(ns["one_shot"], ns["ours"]),
        "times_handles": _ratio(ns["handles"], ns["ours"]),
        "growth_50000_to_500": _ratio(ns["at_50000"], ns["at_500"]),
        "growth_25000_bars": _ratio(ns["history_25000"], ns["history_2500"]),
        "read_all_fields_ms": significant(1e3 * read),
        "rounds": {name: [significant(one) for one in taken] for name, taken in ns.items()},
    }


@contextmanager
def one_core() -> Iterator[None]:
    """Stay on one core meanwhile."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {max(before)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def _time_of(act: Callable[[], object]) -> float:
    started = time.process_time()
    act()
    return time.process_time() - started


def _rounds(sides: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    """Time every side once a round, one after the other; a first round is not counted."""
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(ROUNDS + 1):
        for name, act in sides.items():
            taken = _time_of(act)
            if number:
                seconds[name].append(taken)
    return seconds


def _ratio(one: list[float], other: list[float]) -> float:
    """Return the median of the rounds' ratios: both sides of a round met the same machine."""
    return median([a / b for a, b in zip(one, other, strict=True)])


def _walks(rows: int, bars: int, *, seed: int = 0) -> tuple[Floats, Floats, Floats]:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.02, (rows, bars)), axis=1))
    return close * 1.01, close * 0.99, close


def _talib_loop(high: Floats, low: Floats, close: Floats, out: Floats) -> None:
    for row, c in enumerate(close):
        out[0, row], out[1, row], out[2, row] = talib.SMA(c, 20), talib.EMA(c, 20), talib.RSI(c, 14)
        out[3, row], out[4, row], out[5, row] = talib.MACD(c, 12, 26, 9)
        out[6, row], out[7, row], out[8, row] = talib.BBANDS(c, 20, 2.0, 2.0)
        out[9, row] = talib.ATR(high[row], low[row], c, 14)


def _errors(high: Floats, low: Floats, close: Floats) -> dict[str, float]:
    """Return, per output, the largest error against TA-Lib as a share of its value.

    MACD and its two companions cross zero, where a share of the value says nothing: theirs is a
    share of the largest of their symbol.
    """
    ours = batch.compute(high, low, close)
    theirs = np.empty((len(batch.OUTPUTS), *close.shape))
    _talib_loop(high, low, close, theirs)
    found = {}
    for (name, mine), wanted in zip(ours.items(), theirs, strict=True):
        if not (np.isnan(mine) == np.isnan(wanted)).all():
            raise AssertionError(f"{name} begins at another bar than TA-Lib's")
        size = np.abs(wanted)
        if name.startswith("macd"):
            size = np.broadcast_to(np.nanmax(size, axis=1, keepdims=True), size.shape)
        found[name] = significant(
            float(np.nanmax(np.abs(mine - wanted) / np.where(size > 0, size, np.nan)))
        )
    return found


def _polars_side(high: Floats, low: Floats, close: Floats) -> Callable[[], object]:
    """Return the same ten outputs by polars-talib, over a long table of all symbols."""
    os.environ["POLARS_MAX_THREADS"] = "1"
    pl: Any = importlib.import_module("polars")
    ta: Any = importlib.import_module("polars_talib")
    frame = pl.DataFrame(
        {
            "symbol": np.repeat(np.arange(len(close)), close.shape[1]),
            "high": high.ravel(),
            "low": low.ravel(),
            "close": close.ravel(),
        }
    )
    c = pl.col("close")
    wanted = [
        ta.sma(c, timeperiod=20).over("symbol").alias("sma"),
        ta.ema(c, timeperiod=20).over("symbol").alias("ema"),
        ta.rsi(c, timeperiod=14).over("symbol").alias("rsi"),
        ta.macd(c, fastperiod=12, slowperiod=26, signalperiod=9).over("symbol").alias("macd"),
        ta.bbands(c, timeperiod=20, nbdevup=2.0, nbdevdn=2.0, matype=0)
        .over("symbol")
        .alias("bands"),
        ta.atr(pl.col("high"), pl.col("low"), c, timeperiod=14).over("symbol").alias("atr"),
    ]
    return lambda: frame.with_columns(wanted)


def _seeded(rows: int, bars: int) -> IndicatorMatrix:
    matrix = IndicatorMatrix(rows | 7)
    days = np.arange(bars).astype("datetime64[s]")
    for start in range(0, rows, 500):
        high, low, close = _walks(min(500, rows - start), bars, seed=start)
        volume = np.random.default_rng(start).uniform(1e5, 1e6, close.shape).round()
        matrix.seed_many(
            {
                start + row: Prices(days, c, high[row], low[row], c, volume[row], c)
                for row, c in enumerate(close)
            }
        )
    return matrix


class _Updates:
    """New bars for all rows of a matrix."""

    def __init__(self, matrix: IndicatorMatrix) -> None:
        self.matrix = matrix
        self._rows = np.array([row for row in range(matrix.capacity) if matrix.count(row)])
        close = matrix.table(self._rows.tolist())["close"]
        rng = np.random.default_rng(3)
        moves = close * np.exp(np.cumsum(rng.normal(0, 0.02, (UPDATES, len(close))), axis=0))
        volume = rng.uniform(1e5, 1e6, moves.shape).round()
        self._bars = [(c, c * 1.01, c * 0.99, c, v) for c, v in zip(moves, volume, strict=True)]

    def run(self, updates: int = UPDATES) -> None:
        for number in range(updates):
            self.matrix.update(self._rows, *self._bars[number % UPDATES])


def _functions(h: Floats, low: Floats, c: Floats, v: Floats) -> list[tuple[Any, tuple[Any, ...]]]:
    """Return what TA-Lib has of the catalogue's fields, with its arguments."""
    return [
        (stream.RSI, (c, 14)), (stream.MACD, (c, 12, 26, 9)), (stream.SMA, (c, 20)),
        (stream.SMA, (c, 50)), (stream.SMA, (c, 200)), (stream.EMA, (c, 12)), (stream.EMA, (c, 26)),
        (stream.BBANDS, (c, 20, 2.0, 2.0)), (stream.ATR, (h, low, c, 14)),
        (stream.ADX, (h, low, c, 14)), (stream.PLUS_DI, (h, low, c, 14)),
        (stream.MINUS_DI, (h, low, c, 14)), (stream.OBV, (c, v)),
        (stream.STOCH, (h, low, c, 14)), (stream.LINEARREG_SLOPE, (c, 50)),
        (stream.MAX, (h, 252)), (stream.MIN, (low, 252)),
    ]  # fmt: skip


def _one_shot(high: Floats, low: Floats, close: Floats, volume: Floats) -> None:
    """Ask TA-Lib's stream functions for the last value of each history, as the goal was set."""
    for row, c in enumerate(close):
        for function, arguments in _functions(high[row], low[row], c, volume[row]):
            function(*arguments)


def _handles(high: Floats, low: Floats, c: Floats, v: Floats) -> list[tuple[Any, str]]:
    """Open TA-Lib's handles (new in 0.8), which take a bar at a time, with what each is fed."""
    feeds = ["c"] * 8 + ["hlc"] * 4 + ["cv", "hlc", "c", "h", "l"]
    made = [function(*arguments) for function, arguments in _functions(high, low, c, v)]
    return list(zip(made, feeds, strict=True))


def _advance(
    handles: list[list[tuple[Any, str]]], high: Floats, low: Floats, close: Floats, volume: Floats
) -> None:
    for bar in range(UPDATES):
        for row, opened in enumerate(handles):
            values = {
                "h": float(high[row, bar]),
                "l": float(low[row, bar]),
                "c": float(close[row, bar]),
                "v": float(volume[row, bar]),
            }
            fed = {
                "c": (values["c"],),
                "h": (values["h"],),
                "l": (values["l"],),
                "cv": (values["c"], values["v"]),
                "hlc": (values["h"], values["l"], values["c"]),
            }
            for handle, feed in opened:
                handle.update(*fed[feed])
