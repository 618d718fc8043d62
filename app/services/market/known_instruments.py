"""Instruments by symbol, remembered for a while: a feed asks about the same ones all day."""

import time
from collections.abc import Callable, Iterable

from tools.market.instruments import Instrument
from tools.market.store import InstrumentStore

_KNOWN_S = 60.0
_UNKNOWN_S = 2.0
"""A symbol that was just made known is taken soon."""
_MANY = 20
"""For more than so many, all are read at once."""
_MOST = 100_000
"""So many answers are remembered at once: a feed may name symbols that nobody ever will know."""


class KnownInstruments:
    """A cache in front of the store."""

    def __init__(
        self, store: InstrumentStore, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._store = store
        self._monotonic = monotonic
        self._found: dict[str, tuple[float, Instrument | None]] = {}

    async def find(self, symbols: Iterable[str]) -> dict[str, Instrument]:
        """Return those of `symbols` that are known, by symbol."""
        now = self._monotonic()
        wanted = set(symbols)
        missing = [symbol for symbol in wanted if self._stale(symbol, now)]
        if len(self._found) > _MOST:
            self._found = {symbol: self._found[symbol] for symbol in wanted - set(missing)}
        if len(missing) > _MANY:
            known = {instrument.symbol: instrument for instrument in await self._store.all()}
            for symbol in missing:
                self._found[symbol] = (now, known.get(symbol))
        else:
            for symbol in missing:
                self._found[symbol] = (now, await self._store.find(symbol))
        found = {symbol: self._found[symbol][1] for symbol in wanted}
        return {symbol: one for symbol, one in found.items() if one is not None}

    def forget(self) -> None:
        """Ask the store again about every symbol."""
        self._found.clear()

    def _stale(self, symbol: str, now: float) -> bool:
        remembered = self._found.get(symbol)
        if remembered is None:
            return True
        age_s = now - remembered[0]
        return age_s > (_UNKNOWN_S if remembered[1] is None else _KNOWN_S)
