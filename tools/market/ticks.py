"""Trades into bars, by the clock of the trades themselves. Pure: no other clock, no I/O.

One `TickBars` reads one ordered stream. Its watermark is the newest trade's time less the allowed
lateness; a bar closes when the watermark passes its end. Whether a trade is late is decided by the
trades before it alone, so the same stream gives the same bars however it is cut into batches, and
also when it is resumed from the state that was stored between two of them.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import timedelta

from tools.market.bars import TIMEFRAMES

LATENESS = timedelta(seconds=5)
"""How much older than the newest trade one may be and still be counted."""


@dataclass(slots=True)
class OpenBar:
    """A bar in the making."""

    symbol: str
    opened_us: int
    """Its opening, in microseconds since 1970."""
    open: float
    high: float
    low: float
    close: float
    volume: float
    ticks: int
    first_us: int
    """When the trade was done that `open` is from."""
    last_us: int
    """When the trade was done that `close` is from."""


class TickBars:
    """The bars that one stream of trades has open."""

    def __init__(
        self,
        timeframe: str = "1m",
        *,
        lateness: timedelta = LATENESS,
        watermark_us: int | None = None,
        open_bars: Iterable[OpenBar] = (),
    ) -> None:
        """Begin anew, or go on from a stored watermark and the bars that were open at it."""
        self.timeframe = timeframe
        self._length_us = TIMEFRAMES[timeframe] // timedelta(microseconds=1)
        self._lateness_us = lateness // timedelta(microseconds=1)
        self._open = {(bar.symbol, bar.opened_us): bar for bar in open_bars}
        self._touched: set[tuple[str, int]] = set()
        self.watermark_us = watermark_us
        """No trade older than this is expected any more."""

    def add(self, symbol: str, at_us: int, price: float, size: float) -> bool:
        """Count one trade; False if its bar has closed already."""
        opened_us = at_us - at_us % self._length_us
        watermark = self.watermark_us
        if watermark is not None and opened_us + self._length_us <= watermark:
            return False
        self.watermark_us = max(watermark or 0, at_us - self._lateness_us)
        key = (symbol, opened_us)
        self._touched.add(key)
        bar = self._open.get(key)
        if bar is None:
            self._open[key] = OpenBar(
                symbol, opened_us, price, price, price, price, size, 1, at_us, at_us
            )
            return True
        bar.high = max(bar.high, price)
        bar.low = min(bar.low, price)
        bar.volume += size
        bar.ticks += 1
        if at_us < bar.first_us:
            bar.open, bar.first_us = price, at_us
        if at_us >= bar.last_us:
            bar.close, bar.last_us = price, at_us
        return True

    def pass_time(self, until_us: int) -> None:
        """Move the watermark up to `until_us`, as when a stream has fallen silent."""
        self.watermark_us = max(self.watermark_us or 0, until_us)

    def take_closed(self) -> list[OpenBar]:
        """Return the bars that the watermark has passed, oldest first, and forget them."""
        watermark = self.watermark_us
        if watermark is None:
            return []
        due = [key for key in self._open if key[1] + self._length_us <= watermark]
        self._touched.difference_update(due)
        closed = [self._open.pop(key) for key in due]
        return sorted(closed, key=lambda bar: (bar.opened_us, bar.symbol))

    def take_touched(self) -> list[OpenBar]:
        """Return a copy of each open bar that changed since the last time."""
        changed = [replace(self._open[key]) for key in sorted(self._touched)]
        self._touched.clear()
        return changed

    def newest_end_us(self) -> int | None:
        """Return when the last of the open bars ends; None when none is open."""
        if not self._open:
            return None
        return max(opened for _, opened in self._open) + self._length_us

    def __len__(self) -> int:
        """Count open bars."""
        return len(self._open)

    def symbols(self) -> set[str]:
        """Return the symbols that have a bar open."""
        return {symbol for symbol, _ in self._open}
