"""Where signals are kept, as their use cases see it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from app.domain.signals import KnownSignal, SignalFilter, SignalPlan, SignalProgress
from app.domain.views import Position
from tools.analytics.cases import Cases
from tools.market.signals import MarketSignal


class SignalStore(Protocol):
    """Keeps signals; met by `app.storage.signals`."""

    async def progress(self, symbol: str, timeframe: str) -> SignalProgress | None: ...

    async def pending(self, model_id: UUID, *, now: datetime) -> list[tuple[str, str]]: ...

    async def known(
        self, symbol: str, timeframe: str, *, model_id: UUID, since: datetime
    ) -> list[KnownSignal]: ...

    async def save(self, plan: SignalPlan) -> bool: ...

    async def cases(
        self,
        market: str,
        timeframe: str,
        *,
        model_id: UUID,
        kinds: Sequence[str],
        before: datetime,
        paths: bool,
    ) -> dict[str, Cases]: ...

    async def page(
        self, asked: SignalFilter, *, after: Position | None, limit: int
    ) -> list[MarketSignal]: ...

    async def find(self, signal_id: UUID) -> MarketSignal | None: ...

    async def active(self, symbol: str, timeframe: str) -> list[MarketSignal]: ...
