"""The newest numbers of every series that is followed, kept up to date bar by bar.

A series is seeded with its stored bars once; from then on a bar costs the same however long its
history is. Whatever cannot be advanced (a corrected or late bar, a split) is seeded again, so what
is held here never differs from what the store says.
"""

from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime

import msgspec

from app.protocol.frames import LiveBar
from app.services.live_ports import Key
from tools.analytics.prices import Prices
from tools.analytics.snapshot import Snapshot, at, table
from tools.analytics.streaming import IndicatorMatrix
from tools.market.bars import Bars

MOST_SERIES = 2_000
"""Series held at once; of more, those that were advanced last."""


class BarStep(msgspec.Struct, frozen=True):
    """One closed bar: what is known at its close, and what was at the close before."""

    bar: LiveBar
    now: Snapshot
    before: Snapshot | None


class _Held(msgspec.Struct):
    row: int
    last: datetime
    close: float
    newest: BarStep


class LiveNumbers:
    """A matrix per timeframe, and which row of it each series has."""

    def __init__(
        self,
        *,
        most: int = MOST_SERIES,
        new_matrix: Callable[[str], IndicatorMatrix] = lambda of: IndicatorMatrix(timeframe=of),
    ) -> None:
        self._most = most
        self._new_matrix = new_matrix
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
        """Begin a series anew with all its closed bars; return a step for the last `new` of them.

        A series whose prices the matrix cannot hold (zero or below) is computed whole each time.
        """
        bars = stored.split_adjusted()
        if not len(bars):
            self.drop(key)
            return []
        count = len(bars)
        new = min(max(new, 1), count)
        prices = prices_of(stored, bars)
        positive = bool((prices.low > 0).all() and (prices.total > 0).all())
        if not positive:
            self.drop(key)
            fields = table(prices, timeframe=key[1])
            return [
                BarStep(live_bar(bars, n), at(fields, n), at(fields, n - 1) if n else None)
                for n in range(count - new, count)
            ]
        held = self._place(key)
        matrix = self._matrix(key[1])
        matrix.seed(held.row, prices.upto(count - new) if new else prices)
        steps = [self._step(held, bars, count - new)]
        for n in range(count - new + 1, count):
            self._update(held, bars, n)
            steps.append(self._step(held, bars, n))
        return steps

    def advance(self, key: Key, stored: Bars) -> list[BarStep] | None:
        """Take the bars behind the one that a series stands at, which comes first in `stored`.

        Return a step for each new one; None when the series must be seeded again.
        """
        held = self._held.get(key)
        if held is None or not len(stored) or stored.time(0) != held.last:
            return None
        bars = stored.split_adjusted()
        if float(bars.close[0]) != held.close or not (bars.low > 0).all():
            return None  # a split since then, or another close than the one that was counted
        steps = []
        for n in range(1, len(bars)):
            self._update(held, bars, n)
            steps.append(self._step(held, bars, n))
        return steps

    def preview(self, key: Key, bar: LiveBar) -> Snapshot | None:
        """Return what a series would say if an open bar closed like this."""
        held = self._held.get(key)
        if held is None or bar.timestamp <= held.last or bar.low <= 0:
            return None
        return self._matrix(key[1]).preview(
            held.row,
            open=bar.open,
            high=bar.high,
            low=bar.low,
            close=bar.close,
            volume=bar.volume,
        )

    def drop(self, key: Key) -> None:
        """Hold a series no more."""
        held = self._held.pop(key, None)
        if held is not None:
            self._free.setdefault(key[1], []).append(held.row)

    def _place(self, key: Key) -> "_Held":
        held = self._held.get(key)
        if held is None:
            while len(self._held) >= self._most:
                self.drop(next(iter(self._held)))
            free = self._free.get(key[1])
            if free:
                row = free.pop()
            else:
                row = self._rows.get(key[1], 0)
                self._rows[key[1]] = row + 1
            nothing = BarStep(LiveBar(datetime.min, 0, 0, 0, 0, 0), {}, None)  # noqa: DTZ901
            held = self._held[key] = _Held(row, datetime.min, 0.0, nothing)  # noqa: DTZ901
        return held

    def _matrix(self, timeframe: str) -> IndicatorMatrix:
        matrix = self._matrices.get(timeframe)
        if matrix is None:
            matrix = self._matrices[timeframe] = self._new_matrix(timeframe)
        return matrix

    def _update(self, held: _Held, bars: Bars, n: int) -> None:
        self._matrix(bars.timeframe).update(
            [held.row],
            [bars.open[n]],
            [bars.high[n]],
            [bars.low[n]],
            [bars.close[n]],
            [bars.volume[n]],
        )

    def _step(self, held: _Held, bars: Bars, n: int) -> BarStep:
        matrix = self._matrix(bars.timeframe)
        step = BarStep(live_bar(bars, n), matrix.snapshot(held.row), matrix.before(held.row))
        held.last, held.close, held.newest = bars.time(n), float(bars.close[n]), step
        self._held.move_to_end((bars.symbol, bars.timeframe))
        return step


def prices_of(stored: Bars, adjusted: Bars) -> Prices:
    """Return what analytics reads of stored bars and the same split-adjusted."""
    return Prices(
        days=adjusted.timestamps,
        open=adjusted.open,
        high=adjusted.high,
        low=adjusted.low,
        close=adjusted.close,
        volume=adjusted.volume,
        total=adjusted.close if stored.adjusted_close is None else stored.adjusted_close,
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
