"""The newest numbers of every series that is followed, kept up to date bar by bar.

A series that brings a bar now and then is computed from its stored bars each time. One that keeps
bringing them gets a row in a matrix, seeded once; from then on a bar costs the same however long
its history is. Whatever cannot be advanced (a corrected or late bar, a split) is computed from the
store again, so what is held here never differs from what it says.
"""

from collections import OrderedDict
from datetime import datetime

import msgspec
import numpy as np

from app.protocol.frames import LiveBar
from app.services.live.live_ports import BarStep, Key
from tools.analytics.prices import Floats, Prices
from tools.analytics.snapshot import Snapshot, at, table
from tools.analytics.streaming import STEPS, IndicatorMatrix
from tools.market.bars import Bars, moment

MOST_SERIES = 2_000
"""Series held at once; of more, those that were advanced last."""


BUSY = 50
BUSY_COMPILED = 3
"""Changes after which seeding a row pays: it costs as much as so many computations."""


class _Held(msgspec.Struct):
    row: int | None
    """In the matrix of its timeframe; None while it is computed whole."""
    last: datetime
    close: float
    newest: BarStep
    changes: int = 0


class LiveNumbers:
    """A matrix per timeframe, and which row of it each series has."""

    def __init__(self, *, most: int = MOST_SERIES) -> None:
        self._most = most
        self._matrices: dict[str, IndicatorMatrix] = {}
        self._held: OrderedDict[Key, _Held] = OrderedDict()
        self._free: dict[str, list[int]] = {}
        self._rows: dict[str, int] = {}

    def __len__(self) -> int:
        """Count the series that are held."""
        return len(self._held)

    def last(self, key: Key) -> datetime | None:
        """Return when the newest bar of a series opened that is in its numbers."""
        held = self._held.get(key)
        return None if held is None else held.last

    def newest(self, key: Key) -> BarStep | None:
        """Return the newest closed bar of a series with its numbers."""
        held = self._held.get(key)
        return None if held is None else held.newest

    def seed(self, key: Key, stored: Bars, *, new: int = 0) -> list[BarStep]:
        """Begin a series anew with all its closed bars; return a step for the last `new` of them,
        of the last one in any case.
        """
        bars = stored.split_adjusted()
        count = len(bars)
        if not count:
            self.drop(key)
            return []
        prices = prices_of(stored, bars)
        fields = table(prices, timeframe=key[1])
        steps = [
            BarStep(live_bar(bars, n), at(fields, n), at(fields, n - 1) if n else None)
            for n in range(count - min(max(new, 1), count), count)
        ]
        self._hold(key, prices, bars, steps[-1])
        return steps

    def advance(self, key: Key, stored: Bars) -> list[BarStep] | None:
        """Take the bars behind the one that a series stands at, which comes first in `stored`.

        Return a step for each new one; None when the series must be computed whole.
        """
        held = self._held.get(key)
        if held is None or held.row is None or not len(stored) or stored.time(0) != held.last:
            return None
        bars = stored.split_adjusted()
        if float(bars.close[0]) != held.close or not (bars.low > 0).all():
            return None  # a split since then, or another close than the one that was counted
        steps = []
        matrix = self._matrix(key[1])
        for n in range(1, len(bars)):
            columns = (bars.open, bars.high, bars.low, bars.close, bars.volume)
            matrix.update([held.row], *([column[n]] for column in columns))
            before = matrix.before(held.row)
            steps.append(BarStep(live_bar(bars, n), matrix.snapshot(held.row), before))
            held.last, held.close, held.newest = bars.time(n), float(bars.close[n]), steps[-1]
        self._held.move_to_end(key)
        return steps

    def preview(self, key: Key, bar: LiveBar) -> Snapshot | None:
        """Return what a busy series would say if an open bar closed like this; None of others."""
        held = self._held.get(key)
        if held is None or held.row is None or bar.timestamp <= held.last or bar.low <= 0:
            return None
        return self._matrix(key[1]).preview(
            held.row,
            open=bar.open,
            high=bar.high,
            low=bar.low,
            close=bar.close,
            volume=bar.volume,
        )

    def with_open(self, key: Key, stored: Bars, bar: LiveBar) -> Snapshot:
        """Return the same from the stored bars of a series."""
        return at(table(prices_with(stored, bar), timeframe=key[1]), -1)

    def drop(self, key: Key) -> None:
        """Hold a series no more."""
        held = self._held.pop(key, None)
        if held is not None and held.row is not None:
            self._free.setdefault(key[1], []).append(held.row)

    def _hold(self, key: Key, prices: Prices, bars: Bars, newest: BarStep) -> None:
        held = self._held.get(key)
        if held is None:
            while len(self._held) >= self._most:
                self.drop(next(iter(self._held)))
            held = self._held[key] = _Held(None, bars.time(-1), 0.0, newest)
        held.last, held.close, held.newest = bars.time(-1), float(bars.close[-1]), newest
        held.changes += 1
        self._held.move_to_end(key)
        positive = bool((prices.low > 0).all() and (prices.total > 0).all())
        if held.row is None and positive and held.changes > self._busy():
            held.row = self._new_row(key[1])
        if held.row is not None:
            if positive:
                self._matrix(key[1]).seed(held.row, prices)
            else:
                self._free.setdefault(key[1], []).append(held.row)
                held.row = None

    def _busy(self) -> int:
        return BUSY_COMPILED if STEPS.fast is not None else BUSY

    def _new_row(self, timeframe: str) -> int:
        if free := self._free.get(timeframe):
            return free.pop()
        row = self._rows.get(timeframe, 0)
        self._rows[timeframe] = row + 1
        return row

    def _matrix(self, timeframe: str) -> IndicatorMatrix:
        matrix = self._matrices.get(timeframe)
        if matrix is None:
            matrix = self._matrices[timeframe] = IndicatorMatrix(timeframe=timeframe)
        return matrix


def prices_of(stored: Bars, adjusted: Bars) -> Prices:
    """Return what analytics reads of stored bars and the same split-adjusted."""
    return Prices(
        days=adjusted.timestamps,
        open=adjusted.open,
        high=adjusted.high,
        low=adjusted.low,
        close=adjusted.close,
        volume=adjusted.volume,
        total=stored.total_return_close(),
    )


def prices_with(stored: Bars, bar: LiveBar) -> Prices:
    """Return the prices of stored bars and of an open one behind them."""
    known = prices_of(stored, stored.split_adjusted())

    def column(values: Floats, value: float) -> Floats:
        return np.append(values, value)

    return Prices(
        days=np.append(known.days, moment(bar.timestamp)),
        open=column(known.open, bar.open),
        high=column(known.high, bar.high),
        low=column(known.low, bar.low),
        close=column(known.close, bar.close),
        volume=column(known.volume, bar.volume),
        # A return up to the open bar is that of the closes.
        total=column(known.total, float(known.total[-1]) * bar.close / float(known.close[-1])),
    )


def live_bar(bars: Bars, n: int) -> LiveBar:
    """Return one bar as a frame has it."""
    return LiveBar(
        bars.time(n),
        float(bars.open[n]),
        float(bars.high[n]),
        float(bars.low[n]),
        float(bars.close[n]),
        float(bars.volume[n]),
    )
