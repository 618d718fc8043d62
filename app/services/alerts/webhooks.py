"""Deliver what fired to webhooks: signed, tried again with patience, given up in the end.

What is to be sent stands in the database with the time of its next attempt, so a restart loses
nothing and two processes do not send twice. A receiver may see a delivery more than once (when the
answer to an attempt was lost), always under the same id. Signatures follow Standard Webhooks.
"""

import asyncio
import base64
import hashlib
import hmac
import random
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

import msgspec
import structlog

from app.domain.alerts import Attempt, DeliveryStatus
from app.services.alerts.alert_ports import DeliveryStore, Due, Post, Posted
from app.services.worker import Worker

log = structlog.get_logger(__name__)

SECRET_PREFIX = "whsec_"
_SECRET_BYTES = 32
PAUSES_S = (10.0, 60.0, 300.0, 1_800.0, 7_200.0, 21_600.0, 43_200.0)
"""Before the second attempt, the third, ...; after the eighth it is given up."""
_LONGEST_ASKED_S = 3_600.0
"""What a receiver may ask for by `Retry-After`."""
_AGAIN = frozenset({408, 409, 425, 429})
"""Answers of the 4xx kind that mean "not now"."""
GONE = 410


class WebhookPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How many at once, and how often it is looked."""

    at_once: int = 8
    lease_s: float = 60.0
    """A delivery whose process died is found again after so long."""
    look_every_s: float = 30.0


class Webhooks(Worker):
    """Sends what is due, as an async context manager: it works while it is entered."""

    def __init__(
        self,
        store: DeliveryStore,
        post: Post,
        *,
        clock: Callable[[], datetime],
        policy: WebhookPolicy | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._policy = policy or WebhookPolicy()
        super().__init__("webhooks", look_every_s=self._policy.look_every_s)
        self._store = store
        self._post = post
        self._clock = clock
        self._jitter = jitter

    def check(self, url: str) -> None:
        """Judge a webhook's address; see `Post.check`."""
        self._post.check(url)

    async def work(self) -> float:
        """Send everything that is due."""
        while await self.send_due():
            pass
        return await self._until_next()

    async def _until_next(self) -> float:
        due = await self._store.next_due()
        if due is None:
            return self._policy.look_every_s
        wait_s = (due - self._clock()).total_seconds()
        return min(max(wait_s, 0.05), self._policy.look_every_s)

    async def send_due(self) -> int:
        """Try everything that is due once; return how much that was."""
        claimed = await self._store.claim(
            now=self._clock(), lease_s=self._policy.lease_s, limit=self._policy.at_once
        )
        await asyncio.gather(*(self._try(due) for due in claimed))
        return len(claimed)

    async def _try(self, due: Due) -> None:
        now = self._clock()
        if due.url is None or due.secret is None or due.off is not None:
            posted = Posted(error=due.off or "The alert has no webhook any more.", refused=True)
            took_ms = 0
        else:
            loop = asyncio.get_running_loop()
            began = loop.time()
            body = due.body.encode()
            posted = await self._post.post(
                due.url,
                body,
                {
                    "content-type": "application/json",
                    "user-agent": "outcry-webhooks/1",
                    **signed(due.secret, message_id=f"msg_{due.id.hex}", body=body, at=now),
                },
            )
            took_ms = round((loop.time() - began) * 1000)
        status, pause_s = verdict(posted, tries=due.tries + 1, jitter=self._jitter())
        await self._store.tried(
            due.id,
            Attempt(at=now, status=posted.status, error=posted.error, duration_ms=took_ms),
            status=status,
            next_attempt_at=None if pause_s is None else self._clock() + timedelta(seconds=pause_s),
        )
        if posted.status == GONE:
            await self._store.switch_off(
                due.alert_id, "The receiver answered 410 Gone, so nothing more is sent to it."
            )
        log.info("webhook.tried", delivery_id=str(due.id), status=posted.status, outcome=status)


def verdict(posted: Posted, *, tries: int, jitter: float) -> tuple[DeliveryStatus, float | None]:
    """Return what an attempt makes of a delivery, and how long to wait for the next one.

    2xx is delivered. Of the rest, what says "not now" is tried again: no answer, 5xx, and 408, 409,
    425 and 429. Everything else (a redirect, another 4xx) will not get better by repeating.
    """
    if posted.status is not None and 200 <= posted.status < 300:
        return "delivered", None
    hopeless = posted.refused or (
        posted.status is not None and posted.status < 500 and posted.status not in _AGAIN
    )
    if hopeless or tries > len(PAUSES_S):
        return "failed", None
    pause_s = PAUSES_S[tries - 1] * (0.9 + 0.2 * jitter)
    if posted.retry_after_s is not None:
        pause_s = max(pause_s, min(posted.retry_after_s, _LONGEST_ASKED_S))
    return "pending", pause_s


def new_secret() -> str:
    """Return a fresh secret to sign with."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()


def signed(secret: str, *, message_id: str, body: bytes, at: datetime) -> dict[str, str]:
    """Return the headers of Standard Webhooks: id, time, and a signature over both and the body."""
    stamp = str(int(at.timestamp()))
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    content = b".".join((message_id.encode(), stamp.encode(), body))
    digest = hmac.new(key, content, hashlib.sha256).digest()
    return {
        "webhook-id": message_id,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }
