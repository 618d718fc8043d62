"""Alerts, joined: what watches bars, what opens conversations, what sends webhooks."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime

import msgspec

from app.domain.errors import Invalid
from app.security.outbound import Allowed, Outbound, OutboundFailed, OutboundRefused
from app.security.people import utc_now
from app.services.agents import Agents
from app.services.alerts.alert_openings import Openings
from app.services.alerts.alert_ports import Posted, Silence
from app.services.alerts.alerts import Alerts
from app.services.alerts.moments import StoredMoments
from app.services.alerts.webhooks import Webhooks
from app.services.alerts.withdrawals import Withdrawals
from app.services.conversations.runs import Runs
from app.services.live.live_alerts import LiveAlerts
from app.services.live.live_ports import Notifier
from app.settings import Settings, SettingsError
from app.storage.alerts import StoredAlerts
from app.storage.deliveries import StoredDeliveries
from app.storage.engine import Database
from app.storage.secrets import Sealer
from app.storage.withdrawals import StoredWithdrawals
from app.wiring.market import MarketDesk


class AlertDesk(msgspec.Struct, kw_only=True):
    """Everything about alerts that is open."""

    alerts: Alerts
    openings: Openings
    webhooks: Webhooks


class GuardedPost:
    """`app.services.alerts.alert_ports.Post` behind the outbound guard."""

    def __init__(self, outbound: Outbound) -> None:
        self._outbound = outbound

    def check(self, url: str) -> None:
        """Judge an address by its form.

        Raises:
            Invalid: `address_refused`.
        """
        try:
            self._outbound.check(url)
        except OutboundRefused as refused:
            raise Invalid(f"`webhookUrl`: {refused.reason}", code="address_refused") from None

    async def post(self, url: str, body: bytes, headers: dict[str, str]) -> Posted:
        """Post once and return what came of it."""
        try:
            answer = await self._outbound.send("POST", url, body=body, headers=headers)
        except OutboundRefused as refused:
            return Posted(error=refused.reason, refused=True)
        except OutboundFailed as failed:
            return Posted(error=failed.reason)
        error = None if 200 <= answer.status < 300 else f"The receiver answered {answer.status}."
        return Posted(
            status=answer.status,
            error=error,
            retry_after_s=_seconds(answer.headers.get("retry-after", "")),
        )


def allowed_places(settings: Settings) -> Allowed:
    """Return what requests that users choose may reach besides the public web.

    Raises:
        SettingsError: what was listed is not host:port.
    """
    try:
        return Allowed.read(settings.outbound_allow)
    except ValueError as wrong:
        raise SettingsError(f"OUTCRY_OUTBOUND_ALLOW: {wrong}.") from None


@asynccontextmanager
async def open_alerts(
    settings: Settings,
    database: Database,
    sealer: Sealer,
    *,
    market: MarketDesk,
    agents: Agents,
    runs: Runs,
    notices: Notifier | None,
    clock: Callable[[], datetime] = utc_now,
) -> AsyncIterator[AlertDesk]:
    """Open alerts; what a process that died left half done is finished at once.

    Without `notices` this process has no sockets: it leaves alerts to the server, and only reads
    and changes them.
    """
    deliveries = StoredDeliveries(database, sealer)
    await deliveries.rotate()
    store = StoredAlerts(database)
    moments = StoredMoments(market.bars, clock=clock)
    webhooks = Webhooks(deliveries, GuardedPost(Outbound(allowed_places(settings))), clock=clock)
    openings = Openings(
        store,
        runs,
        market.toolbox,
        notices or Silence(),
        address=settings.address,
        sent=webhooks.wake,
        clock=clock,
    )
    alerts = Alerts(
        store, deliveries, market.instruments, agents, moments, openings, webhooks, clock=clock
    )
    withdrawals = Withdrawals(
        StoredWithdrawals(database),
        alerts,
        runs,
        notices or Silence(),
        address=settings.address,
        sent=webhooks.wake,
        clock=clock,
    )
    async with AsyncExitStack() as stack:
        if notices is not None:
            await stack.enter_async_context(webhooks)
            await stack.enter_async_context(openings)
            await stack.enter_async_context(withdrawals)
            live = market.live.live
            live.judge_with(LiveAlerts(alerts, store, withdrawals, clock=clock))
            stack.callback(live.judge_with, None)
        yield AlertDesk(alerts=alerts, openings=openings, webhooks=webhooks)


def _seconds(said: str) -> float | None:
    """Return what `Retry-After` asks for in seconds; dates are not heeded."""
    return float(said) if said.isascii() and said.isdecimal() and len(said) < 10 else None
