"""One socket's prices and notices: what it watches, from asking for it to hanging up."""

from collections.abc import Callable

from app.domain.ids import UserId
from app.gateway.lane import Lane
from app.gateway.market_hub import Key, MarketHub, Notices
from app.gateway.outbox import Outbox
from app.gateway.ports import Quotes
from app.protocol.watched import Unwatching, Watching


class Viewer:
    """Joins the socket's lane with the two hubs. Its person's notices come from the beginning."""

    __slots__ = ("_keys", "_market", "_notices", "_quotes", "_user_id", "lane")

    def __init__(
        self,
        user_id: UserId,
        outbox: Outbox,
        *,
        market: MarketHub,
        notices: Notices,
        quotes: Quotes,
        wake: Callable[[], None],
    ) -> None:
        self._user_id = user_id
        self._market = market
        self._notices = notices
        self._quotes = quotes
        self._keys: set[Key] | None = None
        self.lane = Lane(outbox, wake)
        notices.add(user_id, self.lane)

    async def check(self, action: Watching) -> None:
        """Return if all that is asked for can be watched.

        Raises:
            Refusal: something cannot; nothing was taken up.
        """
        if action.symbols:
            await self._quotes.check(action.symbols, action.timeframe)

    def watch(self, action: Watching) -> None:
        """Have the newest of each price now or soon, and every later one."""
        if self._keys is None:
            self._keys = set()
        for symbol in action.symbols:
            key = (symbol, action.timeframe)
            self._keys.add(key)
            if not self._market.add(self.lane, key):
                self._quotes.want(*key)

    def unwatch(self, action: Unwatching) -> None:
        """Have nothing more of these prices."""
        for symbol in action.symbols:
            self._remove((symbol, action.timeframe))

    def close(self) -> None:
        """Leave everything."""
        self._notices.remove(self._user_id, self.lane)
        for key in tuple(self._keys or ()):
            self._remove(key)

    def _remove(self, key: Key) -> None:
        if self._keys is not None and key in self._keys:
            self._keys.remove(key)
            self._market.remove(self.lane, key)
            self.lane.forget(*key)
