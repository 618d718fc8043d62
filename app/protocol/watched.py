"""Which prices one connection watches: the limit, and what a command changes. Pure."""

from collections.abc import Iterable

import msgspec

from app.protocol.frames import MAX_WATCHED, FrameError

Watched = tuple[str, str]
"""A symbol and a timeframe."""


class WatchList:
    """What one client asked for and was not refused, in the order of asking."""

    __slots__ = ("_watched",)

    def __init__(self) -> None:
        self._watched: dict[Watched, None] = {}

    def __len__(self) -> int:
        return len(self._watched)

    def add(self, symbols: Iterable[str], timeframe: str) -> tuple[str, ...] | FrameError:
        """Return the symbols that are new, each once, or why none was added."""
        new = [
            symbol for symbol in dict.fromkeys(symbols) if (symbol, timeframe) not in self._watched
        ]
        if len(self._watched) + len(new) > MAX_WATCHED:
            return FrameError(
                "too_many_symbols",
                f"One connection may watch {MAX_WATCHED} symbols (each timeframe counts); it "
                f"watches {len(self._watched)}. Unwatch some first.",
            )
        self._watched.update(((symbol, timeframe), None) for symbol in new)
        return tuple(new)

    def remove(self, symbols: Iterable[str], timeframe: str) -> tuple[str, ...]:
        """Return the symbols that were watched and no longer are."""
        gone = [symbol for symbol in dict.fromkeys(symbols) if (symbol, timeframe) in self._watched]
        for symbol in gone:
            del self._watched[symbol, timeframe]
        return tuple(gone)


class Watching(msgspec.Struct, frozen=True):
    """Begin to send the prices of `symbols`, which were not watched before."""

    symbols: tuple[str, ...]
    timeframe: str
    command_id: str


class Unwatching(msgspec.Struct, frozen=True):
    """Send no more prices of `symbols`, which were watched before."""

    symbols: tuple[str, ...]
    timeframe: str
    command_id: str
