"""What alerts need from outside: met by storage, security and the gateway, joined in wiring."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

import msgspec

from app.domain.alerts import (
    Alert,
    AlertMoment,
    AlertPatch,
    Attempt,
    Decision,
    Delivery,
    DeliveryStatus,
    Episode,
    Fired,
    OpeningRun,
    Unopened,
    Withdrawal,
)
from app.domain.ids import ConversationId, UserId
from app.domain.views import Position
from app.protocol.frames import NoticeFrame


class AlertStore(Protocol):
    """Alerts and their episodes; everything is its owner's."""

    async def insert(
        self, alert: Alert, *, sealed: tuple[str, bytes] | None, most: int
    ) -> bool: ...

    async def page(
        self,
        user_id: UserId,
        *,
        symbol: str | None,
        status: str | None,
        before: Position | None,
        limit: int,
    ) -> list[Alert]: ...

    async def find(self, user_id: UserId, alert_id: UUID) -> Alert | None: ...

    async def change(self, patch: AlertPatch, *, now: datetime) -> bool: ...

    async def delete(self, user_id: UserId, alert_id: UUID) -> bool: ...

    async def set_secret(
        self, user_id: UserId, alert_id: UUID, sealed: tuple[str, bytes]
    ) -> bool: ...

    async def episodes(
        self, user_id: UserId, alert_id: UUID, *, before: Position | None, limit: int
    ) -> list[Episode]: ...

    async def watched(self, timeframe: str) -> list[str]: ...

    async def evaluate(
        self,
        symbol: str,
        timeframe: str,
        bar_time: datetime,
        decide: Callable[[Alert], Decision],
        *,
        now: datetime,
        only: UUID | None = None,
    ) -> list[Fired]:
        """Let `decide` judge each alert that has not seen this bar, in one transaction."""
        ...


class EpisodeStore(Protocol):
    """Episodes whose conversation is to be opened."""

    async def unopened(self, *, only: UUID | None = None, limit: int = 50) -> list[Unopened]: ...

    async def opening_run(self, conversation: ConversationId) -> OpeningRun | None: ...

    async def try_again(self, episode: UUID, *, tries: int, owner: UserId) -> None: ...

    async def opened(
        self,
        episode: UUID,
        conversation: ConversationId | None,
        *,
        delivery_id: UUID,
        body: str | None,
        now: datetime,
    ) -> bool: ...


class WithdrawalStore(Protocol):
    """Episodes that a correction took away."""

    async def fired_since(
        self, symbol: str, timeframe: str, since: datetime, *, limit: int = 500
    ) -> list[Unopened]: ...

    async def withdraw(self, one: Withdrawal, *, now: datetime) -> bool: ...

    async def has_conversation(self, conversation: ConversationId) -> bool: ...

    async def untold(self, *, limit: int = 50) -> list[Unopened]: ...

    async def told(
        self, episode: UUID, *, delivery_id: UUID, body: str | None, now: datetime
    ) -> bool: ...


class Moments(Protocol):
    """What alerts can be evaluated at."""

    async def newest(
        self,
        symbol: str,
        timeframe: str,
        *,
        after: datetime | None = None,
        signals: bool = True,
        most: int = 1,
    ) -> list[AlertMoment]:
        """Return the newest closed bars that opened after `after`, oldest first."""
        ...


class Silence:
    """A notifier for processes without sockets."""

    def notify(self, user_id: UserId, notice: NoticeFrame) -> None:
        """Tell nobody."""


class Due(Protocol):
    """A delivery to be tried now."""

    @property
    def id(self) -> UUID: ...
    @property
    def alert_id(self) -> UUID: ...
    @property
    def body(self) -> str: ...
    @property
    def tries(self) -> int: ...
    @property
    def url(self) -> str | None: ...
    @property
    def off(self) -> str | None: ...
    @property
    def secret(self) -> str | None: ...


class DeliveryStore(Protocol):
    """What is to be sent, and what became of it."""

    def seal(self, alert_id: UUID, secret: str) -> tuple[str, bytes]: ...

    async def claim(self, *, now: datetime, lease_s: float, limit: int) -> Sequence[Due]: ...

    async def tried(
        self,
        delivery_id: UUID,
        attempt: Attempt,
        *,
        status: DeliveryStatus,
        next_attempt_at: datetime | None,
    ) -> None: ...

    async def next_due(self) -> datetime | None: ...

    async def switch_off(self, alert_id: UUID, reason: str) -> None: ...

    async def of_episodes(
        self, user_id: UserId, episodes: list[UUID]
    ) -> dict[UUID, list[Delivery]]:
        """Return what was sent of each, oldest first."""
        ...


class Posted(msgspec.Struct, frozen=True, kw_only=True):
    """What came of posting something to an address that a user chose."""

    status: int | None = None
    """None: there was no answer."""
    retry_after_s: float | None = None
    error: str | None = None
    refused: bool = False
    """The address is not permitted, now or ever."""


class Post(Protocol):
    """Posts to addresses that users chose, and only where that is permitted."""

    def check(self, url: str) -> None:
        """Judge an address by its form.

        Raises:
            Invalid: it will never be sent to; says what is allowed.
        """
        ...

    async def post(self, url: str, body: bytes, headers: dict[str, str]) -> Posted: ...
