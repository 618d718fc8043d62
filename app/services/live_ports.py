"""What the live pipeline needs from outside: met by the gateway, joined in wiring."""

from typing import Protocol

from app.protocol.frames import MarketFrame

Key = tuple[str, str]
"""A symbol and a timeframe: one series of bars."""


class Ticker(Protocol):
    """Shows prices to whoever watches them. Never waits."""

    def publish(self, frame: MarketFrame) -> None: ...

    def is_watched(self, symbol: str, timeframe: str) -> bool:
        """Tell whether anybody would see a price."""
        ...

    def watched(self) -> list[Key]:
        """Return every price that anybody watches."""
        ...


class Nobody:
    """A ticker for processes without sockets."""

    def publish(self, frame: MarketFrame) -> None:
        """Show a price to nobody."""

    def is_watched(self, symbol: str, timeframe: str) -> bool:
        """Tell that nobody watches."""
        return False

    def watched(self) -> list[Key]:
        """Return nothing."""
        return []
