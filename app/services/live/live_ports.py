"""What the live pipeline needs from outside: joined in wiring, each part as it is there."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

import msgspec

from app.domain.ids import UserId
from app.protocol.frames import LiveBar, MarketFrame, NoticeFrame
from tools.analytics.snapshot import Snapshot
from tools.market.bars import Bars
from tools.market.signals import MarketSignal

Key = tuple[str, str]
"""A symbol and a timeframe: one series of bars."""


class BarStep(msgspec.Struct, frozen=True):
    """One closed bar: what is known at its close, and what was at the close before."""

    bar: LiveBar
    now: Snapshot
    before: Snapshot | None


class Ticker(Protocol):
    """Shows prices to whoever watches them. Never waits."""

    def publish(self, frame: MarketFrame) -> None: ...

    def is_watched(self, symbol: str, timeframe: str) -> bool:
        """Tell whether anybody would see a price."""
        ...

    def watched(self) -> list[Key]:
        """Return every price that anybody watches."""
        ...


class Notifier(Protocol):
    """Tells a person on every socket they have open. Never waits."""

    def notify(self, user_id: UserId, notice: NoticeFrame) -> None: ...


class SignalKeeper(Protocol):
    """Keeps signals up to date with stored bars; `app.services.signals.signals.SignalBook`."""

    async def refresh(self, symbol: str, timeframe: str) -> Sequence[MarketSignal]:
        """Store what is new, settle what is due, and return the signals that fired anew."""
        ...


class AlertJudge(Protocol):
    """Judges alerts at closed bars; whoever brings a bar, however often, it is judged once."""

    async def watches(self, symbol: str, timeframe: str) -> bool:
        """Tell whether any alert would be judged at a bar of this series."""
        ...

    async def series(self) -> Sequence[Key]:
        """Return every series that an alert watches."""
        ...

    async def judge(self, closed: Bars, steps: Sequence[BarStep]) -> None:
        """Judge the bars of `steps`, the last ones of `closed`, in their order."""
        ...

    async def review(self, closed: Bars, since: datetime) -> None:
        """Withdraw what fired at bars from `since` on and would not fire any more."""
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
