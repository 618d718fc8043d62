"""The newest numbers of many instruments at once, kept up to date bar by bar.

A new bar costs the same however long the history is. What `snapshot.table` gives at the last bar of
a history, this gives after the same bars, to 1e-8; tests hold it to that at every prefix. numba
makes it fast where it is installed, numpy carries it where it is not.

A late or corrected bar cannot be taken back: seed that row again.
"""

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from tools.analytics import composite, stream_columns
from tools.analytics import stream_step as step
from tools.analytics.compiling import Kernel
from tools.analytics.indicators import Indicators
from tools.analytics.prices import BARS_A_YEAR, Floats, Prices
from tools.analytics.snapshot import FIELDS, YEAR_BARS, Snapshot, number
from tools.analytics.stream_state import COLUMNS, State

FEW = 12
"""Rows up to which, without numba, plain loops beat numpy's columns."""
MANY = 256
"""Rows at once from which it pays to compile the steps."""
FORMAT = 2


def _example() -> list[object]:
    rates, ends = np.zeros(1), np.array([0, 1])
    state = State.empty(1, 2)
    return [np.zeros(1, dtype=np.int64), ends, np.ones((6, 1)), rates, *state.arrays().values()]


STEPS = Kernel(step.advance, step._add, step._count, step._extreme, example=_example)
"""What every matrix uses once it is prepared."""


class IndicatorMatrix:
    """State of every field for each row; which instrument a row is, its keeper knows."""

    def __init__(self, capacity: int = 64, *, timeframe: str = "1d", steps: Kernel = STEPS) -> None:
        """Make room for `capacity` rows; it grows as rows come."""
        self.timeframe = timeframe
        self._annual = 100.0 * float(np.sqrt(BARS_A_YEAR[timeframe]))
        self._rates = np.array([self._annual])
        self._year = YEAR_BARS.get(timeframe, 0)
        self._state = State.empty(capacity, self._year)
        self._marks = np.zeros(capacity, dtype=np.int64)
        self._common = 0
        self._steps = steps

    @property
    def capacity(self) -> int:
        """Rows there is room for."""
        return self._state.capacity

    def count(self, row: int) -> int:
        """Return how many bars a row has seen."""
        return int(self._state.count[row]) if 0 <= row < self.capacity else 0

    def seed(self, row: int, prices: Prices) -> None:
        """Begin a row anew with a whole history; none at all empties it."""
        self.seed_many({row: prices})

    def seed_many(self, histories: Mapping[int, Prices]) -> None:
        """Begin several rows anew, each with its history.

        Raises:
            ValueError: a row is below 0, or a history holds a number that is not finite; rows of
                earlier lots of 256 are then seeded already.
        """
        rows = list(histories)
        self._make_room(np.array(rows, dtype=np.int64))
        if len(rows) >= MANY:
            self._steps.prepare_soon()
        for start in range(0, len(rows), MANY):
            lot = np.array(rows[start : start + MANY], dtype=np.int64)
            self._seed_lot(lot, [_columns(histories[int(row)]) for row in lot])

    def _seed_lot(self, rows: NDArray[np.int64], columns: Sequence[Floats]) -> None:
        for one in columns:
            _check(one)
        nothing = State.empty(1, self._year)
        self._state.put(nothing, np.zeros(len(rows), dtype=np.int64), rows)
        lengths = np.array([one.shape[1] for one in columns], dtype=np.int64)
        # So that every history ends at the tick at which the others are.
        self._state.tick[rows] = self._common - lengths
        if self._steps.fast is not None or len(rows) <= FEW:
            for row, one in zip(rows, columns, strict=True):
                self._take_rows(np.array([row]), np.array([0, one.shape[1]]), one)
        else:
            self._take_columns(rows, lengths, columns)
        # From here on a return is that of the closes: the factor of dividends stays.
        self._state.scalars[rows, step.TOTAL] = self._state.scalars[rows, step.CLOSE]

    def update(
        self,
        rows: ArrayLike,
        open: ArrayLike,
        high: ArrayLike,
        low: ArrayLike,
        close: ArrayLike,
        volume: ArrayLike,
    ) -> None:
        """Take one closed bar into each of `rows`, no row twice. A new row begins with it.

        Raises:
            ValueError: a row comes twice, lengths differ, or a number is not finite.
        """
        where = np.ascontiguousarray(rows, dtype=np.int64)
        bars = np.array([open, high, low, close, volume, close], dtype=np.float64)
        if bars.shape != (6, len(where)):
            raise ValueError(f"{len(where)} rows need as many of each column of the bars")
        _check(bars)
        self._make_room(where)
        self._marks[where] = np.arange(len(where))
        if not (self._marks[where] == np.arange(len(where))).all():
            raise ValueError("a row may come once in an update: bars of one row come one by one")
        self._begin(where)
        if len(where) >= MANY:
            self._steps.prepare_soon()
        if self._steps.fast is not None or len(where) <= FEW:
            self._take_rows(where, np.arange(len(where) + 1), bars)
        else:
            stream_columns.advance(where, bars, self._annual, self._state)
        self._common = max(self._common, int(self._state.tick[where].max(initial=0)))

    def snapshot(self, row: int) -> Snapshot:
        """Return every field after the newest bar of a row, None where there is no value.

        Raises:
            LookupError: the row has seen no bar.
        """
        return self.snapshots([row])[0]

    def before(self, row: int) -> Snapshot | None:
        """Return what `snapshot` said before the newest bar; None when that was the first."""
        return self.snapshots([row], back=1)[0] if self.count(row) > 1 else None

    def snapshots(self, rows: Sequence[int], *, back: int = 0) -> list[Snapshot]:
        """Return the snapshots of several rows; `back=1`: those before the newest bar.

        Raises:
            LookupError: a row has seen too few bars.
        """
        table = self.table(rows, back=back)
        lists = [values.tolist() for values in table.values()]
        return [
            {name: number(values[index]) for name, values in zip(table, lists, strict=True)}
            for index in range(len(rows))
        ]

    def table(self, rows: Sequence[int], *, back: int = 0) -> dict[str, Floats]:
        """Return every field of the catalogue, one value a row, NaN where there is none.

        Raises:
            LookupError: a row has seen too few bars.
        """
        where = np.array(rows, dtype=np.int64)
        for row in rows:
            if self.count(row) <= back:
                raise LookupError(f"row {row} has seen {self.count(row)} bars")
        line = (self._state.tick[where] - 1 - back) % 2
        found = self._state.outputs[line, where].T
        values = {name: found[place] for name, place in COLUMNS.items()}
        values["strength"] = _strength(values, found[step.O_T])
        return {name: values[name] for name in FIELDS}

    def preview(
        self,
        row: int,
        *,
        open: float,
        high: float,
        low: float,
        close: float,
        volume: float,
    ) -> Snapshot:
        """Return what a row would say if its open bar closed like this; the row stays as it is."""
        aside = IndicatorMatrix(1, timeframe=self.timeframe, steps=self._steps)
        if self.count(row):
            aside._state.put(self._state, np.array([row]), np.array([0]))
            aside._common = int(aside._state.tick[0])
        aside.update([0], [open], [high], [low], [close], [volume])
        return aside.snapshot(0)

    def save(self) -> bytes:
        """Return the whole state, for `restore`."""
        kept = io.BytesIO()
        arrays: dict[str, Any] = {
            "format": FORMAT,
            "timeframe": self.timeframe,
            "common": self._common,
            **self._state.arrays(),
        }
        np.savez(kept, **arrays)
        return kept.getvalue()

    @classmethod
    def restore(cls, kept: bytes) -> "IndicatorMatrix":
        """Return the matrix that was saved.

        Raises:
            ValueError: these are not the bytes of a matrix of this version.
        """
        try:
            with np.load(io.BytesIO(kept), allow_pickle=False) as file:
                found = {name: file[name] for name in file.files}
            known, timeframe = int(found.pop("format")), str(found.pop("timeframe"))
            common = int(found.pop("common"))
        except (OSError, ValueError, KeyError, EOFError) as error:
            raise ValueError("this is no saved state of indicators") from error
        if known != FORMAT or timeframe not in BARS_A_YEAR:
            raise ValueError(f"a saved state of format {known} is none of ours: seed again")
        capacity = len(found["count"])
        matrix = cls(capacity, timeframe=timeframe)
        for name, array in matrix._state.arrays().items():
            if name not in found or found[name].shape != array.shape:
                raise ValueError(f"the saved {name} has another shape: seed again")
            array[...] = found[name]
        matrix._common = common
        return matrix

    def _take_rows(self, rows: NDArray[np.int64], ends: NDArray[np.int64], bars: Floats) -> None:
        state: list[Any] = list(self._state.arrays().values())
        (self._steps.fast or step.advance)(rows, ends, bars, self._rates, *state)

    def _take_columns(
        self, rows: NDArray[np.int64], lengths: NDArray[np.int64], columns: Sequence[Floats]
    ) -> None:
        """Take whole histories bar by bar, all rows that have one at a time; all end together."""
        longest = int(lengths.max(initial=0))
        padded = np.ones((6, longest, len(rows)))
        for index, one in enumerate(columns):
            padded[:, longest - one.shape[1] :, index] = one
        for bar in range(longest):
            there = np.flatnonzero(lengths >= longest - bar)
            stream_columns.advance(rows[there], padded[:, bar, there], self._annual, self._state)

    def _begin(self, rows: NDArray[np.int64]) -> None:
        """Let rows that have seen nothing start at the tick at which the others are."""
        empty = rows[self._state.count[rows] == 0]
        if len(empty):
            self._state.tick[empty] = self._common

    def _make_room(self, rows: NDArray[np.int64]) -> None:
        if not len(rows):
            return
        if rows.min() < 0:
            raise ValueError(f"rows count from 0; {int(rows.min())} is none")
        needed = int(rows.max()) + 1
        if needed <= self.capacity:
            return
        old = self._state
        # Not a power of two: equal places of all rings would share the same cache lines.
        self._state = State.empty(max(needed, 2 * old.capacity) | 7, self._year)
        kept = np.arange(old.capacity)
        self._state.put(old, kept, kept)
        self._marks = np.zeros(self.capacity, dtype=np.int64)


def _columns(prices: Prices) -> Floats:
    return np.array(
        [prices.open, prices.high, prices.low, prices.close, prices.volume, prices.total],
        dtype=np.float64,
    )


def _check(bars: Floats) -> None:
    if not np.isfinite(bars).all():
        raise ValueError("a bar holds a number that is not finite")


def _strength(values: Mapping[str, Floats], t_value: Floats) -> Floats:
    """Return what `composite` makes of these fields; it reads no other."""
    named = {
        "rsi": "rsi", "macd": "macd", "macd_signal": "macdSignal",
        "macd_histogram": "macdHistogram", "sma20": "sma20", "sma50": "sma50", "sma200": "sma200",
        "ema12": "ema12", "ema26": "ema26", "upper": "bollingerUpper",
        "middle": "bollingerMiddle", "lower": "bollingerLower", "atr": "atr", "adx": "adx",
        "plus_di": "plusDi", "minus_di": "minusDi", "obv": "obv", "stochastic_k": "stochasticK",
        "stochastic_d": "stochasticD",
    }  # fmt: skip
    indicators = Indicators(**{name: values[field] for name, field in named.items()})
    return composite.weigh(
        values["close"], indicators, slope=values["trendSlope"], t_value=t_value
    ).strength
