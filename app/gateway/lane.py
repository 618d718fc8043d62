"""What one socket is sent that it may miss: the newest prices it watches, and notices.

A conversation's events never wait for these. While the client reads, they go straight out; while
it does not, the newest of each price is kept (with the signals of those it replaces) and sent when
there is room. So they use a bounded memory, close no socket as too slow, and lose no signal that a
reader was owed.
"""

from collections import deque
from collections.abc import Callable

import msgspec

from app.gateway.outbox import Outbox
from app.protocol.codec import encode
from app.protocol.frames import MarketFrame

MAX_SIGNALS = 20
"""Signals in one `market` frame; of more, the newest."""
MAX_NOTICES = 100
"""Notices kept for a client that does not read; of more, the newest."""


class Shown:
    """A price and its bytes, made once however many sockets watch it."""

    __slots__ = ("_bytes", "frame")

    def __init__(self, frame: MarketFrame) -> None:
        self.frame = frame
        self._bytes: bytes | None = None

    def bytes(self) -> bytes:
        """Return the encoded frame."""
        if self._bytes is None:
            self._bytes = encode(self.frame)
        return self._bytes

    def after(self, missed: "Shown") -> "Shown":
        """Return this price with the signals of one that nobody saw."""
        if not missed.frame.signals:
            return self
        signals = (*missed.frame.signals, *self.frame.signals)[-MAX_SIGNALS:]
        return Shown(msgspec.structs.replace(self.frame, signals=signals))


class Lane:
    """The ephemeral half of one socket's outbox."""

    __slots__ = ("_notices", "_outbox", "_prices", "_wake")

    def __init__(self, outbox: Outbox, wake: Callable[[], None]) -> None:
        """Make a lane; `wake` gets somebody to call `flush` soon."""
        self._outbox = outbox
        self._wake = wake
        self._prices: dict[tuple[str, str], Shown] | None = None
        self._notices: deque[bytes] | None = None

    def show(self, shown: Shown) -> None:
        """Send a price, or keep it instead of the older one that waits."""
        frame = shown.frame
        if not self._waits() and self._outbox.offer_ephemeral(shown.bytes()):
            return
        if self._outbox.closed:
            return
        if self._prices is None:
            self._prices = {}
        key = (frame.symbol, frame.timeframe)
        missed = self._prices.get(key)
        # It keeps its place in the row, so that a busy symbol does not starve.
        self._prices[key] = shown if missed is None else shown.after(missed)
        self._wake()

    def tell(self, notice: bytes) -> None:
        """Send a notice, after those that wait."""
        if not self._waits() and self._outbox.offer_ephemeral(notice):
            return
        if self._outbox.closed:
            return
        if self._notices is None:
            self._notices = deque(maxlen=MAX_NOTICES)
        self._notices.append(notice)
        self._wake()

    def forget(self, symbol: str, timeframe: str) -> None:
        """Send no more of what waits of this price."""
        if self._prices is not None:
            self._prices.pop((symbol, timeframe), None)

    async def flush(self) -> None:
        """Send what waits, as the client reads; notices first."""
        while self._waits() and not self._outbox.closed:
            await self._outbox.wait_for_room()
            self._send_next()

    def _send_next(self) -> None:
        if self._notices:
            if self._outbox.offer_ephemeral(self._notices[0]):
                self._notices.popleft()
        elif self._prices:
            key = next(iter(self._prices))
            if self._outbox.offer_ephemeral(self._prices[key].bytes()):
                del self._prices[key]

    def _waits(self) -> bool:
        return bool(self._prices or self._notices)
