"""Who watches which price in this process, and which sockets a person has open.

Beside the hub of conversations and simpler: nothing here is durable, so there is nothing to catch
up with. `publish` and `notify` never wait.
"""

import msgspec

from app.domain.ids import UserId
from app.gateway.lane import Lane, Shown
from app.protocol.codec import encode
from app.protocol.frames import MarketFrame, NoticeFrame

Key = tuple[str, str]
"""Symbol and timeframe."""


class MarketHub:
    """Lanes by price; `app.services.live.live_ports.Ticker` for the live pipeline."""

    def __init__(self) -> None:
        # Tuples, replaced on change: a lane may come or go while a price is handed out.
        self._watchers: dict[Key, tuple[Lane, ...]] = {}
        self._newest: dict[Key, Shown] = {}

    def publish(self, frame: MarketFrame) -> None:
        """Hand a price to all who watch it; nobody else keeps it."""
        key = (frame.symbol, frame.timeframe)
        watchers = self._watchers.get(key)
        if watchers is None:
            return
        shown = Shown(frame)
        self._newest[key] = shown
        for lane in watchers:
            lane.show(shown)

    def is_watched(self, symbol: str, timeframe: str) -> bool:
        """Tell whether anybody would see a price."""
        return (symbol, timeframe) in self._watchers

    def watched(self) -> list[Key]:
        """Return what anybody watches."""
        return list(self._watchers)

    def add(self, lane: Lane, key: Key) -> bool:
        """Let `lane` have the newest known price and every later one; False if none is known."""
        self._watchers[key] = (*self._watchers.get(key, ()), lane)
        if newest := self._newest.get(key):
            lane.show(Shown(without_signals(newest.frame)))
        return newest is not None

    def remove(self, lane: Lane, key: Key) -> None:
        """Let `lane` have nothing more of a price; forget it with its last watcher."""
        rest = tuple(other for other in self._watchers.get(key, ()) if other is not lane)
        if rest:
            self._watchers[key] = rest
        else:
            self._watchers.pop(key, None)
            self._newest.pop(key, None)

    def __len__(self) -> int:
        """Count watchers, for metrics and tests."""
        return sum(len(watchers) for watchers in self._watchers.values())


class Notices:
    """Lanes by user; `app.services.live.live_ports.Notifier` for alerts."""

    def __init__(self) -> None:
        self._lanes: dict[UserId, set[Lane]] = {}

    def notify(self, user_id: UserId, notice: NoticeFrame) -> None:
        """Tell a person on every socket they have open here."""
        lanes = self._lanes.get(user_id)
        if not lanes:
            return
        frame = encode(notice)
        for lane in tuple(lanes):
            lane.tell(frame)

    def add(self, user_id: UserId, lane: Lane) -> None:
        """Let `lane` have the person's notices."""
        self._lanes.setdefault(user_id, set()).add(lane)

    def remove(self, user_id: UserId, lane: Lane) -> None:
        """Let `lane` have nothing more."""
        if lanes := self._lanes.get(user_id):
            lanes.discard(lane)
            if not lanes:
                del self._lanes[user_id]

    def __len__(self) -> int:
        """Count sockets, for metrics and tests."""
        return sum(map(len, self._lanes.values()))


def without_signals(frame: MarketFrame) -> MarketFrame:
    """Return a price for somebody who was not there when its signals fired."""
    if not frame.signals:
        return frame
    return msgspec.structs.replace(frame, signals=())
