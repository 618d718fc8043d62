"""Alerts: made and changed by their owners, and evaluated bar by bar.

`evaluate` decides in one transaction per bar which episodes begin and end; what then opens their
conversations is `alert_openings.py`, and what is sent of them `webhooks.py`.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

import msgspec
import structlog

from app.domain.alerts import (
    MOST_ALERTS,
    Alert,
    AlertMoment,
    AlertPatch,
    AlertStatus,
    Decision,
    Fired,
    Rules,
    Watch,
    step,
)
from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.ids import new_id
from app.domain.principal import Principal
from app.domain.text import clean_text
from app.services.agents import Agents
from app.services.alerts.alert_openings import Openings
from app.services.alerts.alert_ports import AlertStore, DeliveryStore, Moments
from app.services.alerts.alert_views import (
    AlertView,
    EpisodeView,
    NewAlertView,
    ParsedView,
    SecretView,
    TrialView,
    alert_view,
    episode_view,
    evidence_of,
    new_alert_view,
    not_ready,
)
from app.services.alerts.alert_wishes import AlertWishes, Wisher
from app.services.alerts.webhooks import Webhooks, new_secret
from app.services.paging import Page, checked_limit, cut, decode_cursor
from tools.analytics.condition_words import NotUnderstood, read_words
from tools.analytics.conditions import (
    Condition,
    Standing,
    holds,
    parse,
    signals,
    to_json,
)
from tools.market.store import InstrumentStore

log = structlog.get_logger(__name__)

NO_ALERT = "There is no such alert."


class Alerts:
    """The use cases."""

    def __init__(
        self,
        store: AlertStore,
        deliveries: DeliveryStore,
        instruments: InstrumentStore,
        agents: Agents,
        moments: Moments,
        openings: Openings,
        webhooks: Webhooks,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._store = store
        self._deliveries = deliveries
        self._instruments = instruments
        self._wisher = Wisher(instruments, agents, webhooks)
        self._moments = moments
        self._openings = openings
        self._clock = clock

    # --- bars ---------------------------------------------------------------------------------

    async def evaluate(self, moment: AlertMoment, *, only: UUID | None = None) -> list[Fired]:
        """Judge every alert that watches this bar and return those that fire.

        A bar is judged once, whoever brings it and however often; an older one than the newest
        that was judged never is. What is not reliable counts as not seen.

        Raises:
            Unavailable: the database cannot be reached; judging the bar again is right.
        """
        fired = await self._store.evaluate(
            moment.symbol,
            moment.timeframe,
            moment.bar_time,
            lambda alert: decide(alert, moment),
            now=self._clock(),
            only=only,
        )
        for one in fired:
            log.info("alert.fired", alert_id=str(one.alert_id), bar_time=str(one.bar_time))
        if fired:
            self._openings.wake()
        return fired

    async def watches(self, symbol: str, timeframe: str) -> bool:
        """Tell whether any alert would be judged at a bar of this series."""
        return symbol in await self._store.watched(timeframe)

    # --- what their owners do -----------------------------------------------------------------

    async def parse(self, text: str) -> ParsedView:
        """Return what a phrase says, for whoever said it to confirm; nothing is stored.

        Raises:
            Invalid: `not_understood`: names the part that was not, and what was.
        """
        try:
            found = read_words(clean_text(text), await self._instruments.all())
        except NotUnderstood as missed:
            raise Invalid(str(missed), code="not_understood") from None
        return ParsedView(
            symbol=found.symbol,
            timeframe=found.timeframe,
            condition=to_json(found.condition),
            description=found.description,
        )

    async def page(
        self,
        principal: Principal,
        *,
        symbol: str | None,
        status: AlertStatus | None,
        cursor: str | None,
        limit: int,
    ) -> Page[AlertView]:
        """Return the caller's alerts, newest first."""
        before, limit = decode_cursor(cursor), checked_limit(limit)
        found = await self._store.page(
            principal.user_id,
            symbol=None if symbol is None else symbol.upper(),
            status=status,
            before=before,
            limit=limit + 1,
        )
        page = cut(found, limit, lambda alert: (alert.created_at, alert.id))
        return Page([alert_view(alert) for alert in page.items], page.next_cursor)

    async def get(self, principal: Principal, alert_id: UUID) -> AlertView:
        """Return one of the caller's alerts.

        Raises:
            NotFound: it is unknown or somebody else's.
        """
        return alert_view(await self._find(principal, alert_id))

    async def create(self, principal: Principal, wishes: AlertWishes) -> NewAlertView:
        """Make an alert, and judge it at the newest bar.

        Raises:
            Invalid: something about it is wrong; says what is allowed.
            NotFound: `unknown_symbol` or there is no such agent.
            Conflict: `too_many_alerts`.
        """
        for needed in ("symbol", "condition"):
            if getattr(wishes, needed) is msgspec.UNSET:
                raise Invalid(f"`{needed}` is missing.")
        now = self._clock()
        blank = Alert(
            id=new_id(), user_id=principal.user_id, name="", symbol="", timeframe="1d",
            condition={}, words="", status="active", agent_id=None, rules=Rules(), watch=Watch(),
            webhook_url=None, webhook_off=None, last_bar_time=None, last_result=None,
            last_fired_at=None, created_at=now, updated_at=now,
        )  # fmt: skip
        alert = await self._wisher.apply(blank, wishes)
        secret = new_secret() if alert.webhook_url else None
        sealed = None if secret is None else self._deliveries.seal(alert.id, secret)
        if not await self._store.insert(alert, sealed=sealed, most=MOST_ALERTS):
            raise Conflict(
                f"You have {MOST_ALERTS} alerts, the most there may be; delete one first.",
                code="too_many_alerts",
            )
        await self._judge_now(alert)
        return new_alert_view(await self._find(principal, alert.id), secret)

    async def change(
        self, principal: Principal, alert_id: UUID, wishes: AlertWishes
    ) -> NewAlertView:
        """Change an alert. What it watches begins anew when that changes or it was paused.

        Raises:
            Invalid: something about it is wrong; says what is allowed.
            NotFound: it, its symbol or its agent is unknown, or it is somebody else's.
        """
        before = await self._find(principal, alert_id)
        after = await self._wisher.apply(before, wishes)
        watched = ("symbol", "timeframe", "condition", "status")
        restart = any(getattr(before, name) != getattr(after, name) for name in watched)
        secret = None
        if after.webhook_url and not before.webhook_url:
            secret = new_secret()
            await self._store.set_secret(
                principal.user_id, alert_id, self._deliveries.seal(alert_id, secret)
            )
        if not await self._store.change(
            AlertPatch(alert=after, restart=restart), now=self._clock()
        ):
            raise NotFound(NO_ALERT)
        if restart and after.status == "active":
            await self._judge_now(after)
        return new_alert_view(await self._find(principal, alert_id), secret)

    async def delete(self, principal: Principal, alert_id: UUID) -> None:
        """Delete an alert with its episodes; the conversations they opened stay.

        Raises:
            NotFound: it is unknown or somebody else's.
        """
        if not await self._store.delete(principal.user_id, alert_id):
            raise NotFound(NO_ALERT)

    async def new_secret(self, principal: Principal, alert_id: UUID) -> SecretView:
        """Give an alert's webhook another secret, at once.

        Raises:
            NotFound: the alert is unknown or somebody else's.
            Conflict: it has no webhook.
        """
        alert = await self._find(principal, alert_id)
        if alert.webhook_url is None:
            raise Conflict("This alert has no webhook.", code="no_webhook")
        secret = new_secret()
        sealed = self._deliveries.seal(alert_id, secret)
        if not await self._store.set_secret(principal.user_id, alert_id, sealed):
            raise NotFound(NO_ALERT)
        return SecretView(webhook_secret=secret)

    async def episodes(
        self, principal: Principal, alert_id: UUID, *, cursor: str | None, limit: int
    ) -> Page[EpisodeView]:
        """Return when an alert fired, newest first.

        Raises:
            NotFound: it is unknown or somebody else's.
        """
        before, limit = decode_cursor(cursor), checked_limit(limit)
        await self._find(principal, alert_id)
        found = await self._store.episodes(
            principal.user_id, alert_id, before=before, limit=limit + 1
        )
        page = cut(found, limit, lambda episode: (episode.fired_at, episode.id))
        sent = await self._deliveries.of_episodes(
            principal.user_id, [episode.id for episode in page.items]
        )
        return Page(
            [episode_view(episode, sent.get(episode.id, ())) for episode in page.items],
            page.next_cursor,
        )

    async def test(self, principal: Principal, alert_id: UUID) -> TrialView:
        """Return what an alert would do at the newest bar, and what it would say.

        Raises:
            NotFound: it is unknown or somebody else's.
        """
        alert = await self._find(principal, alert_id)
        condition = parse(alert.condition)
        moment = await self._newest(alert, condition)
        if moment is None:
            return TrialView(
                bar_time=None, holds=None, would_fire=False, evidence={}, not_ready=[], text=None,
                note=f"There is no closed {alert.timeframe} bar of {alert.symbol} yet.",
            )  # fmt: skip
        held = judge(condition, moment)
        missing = not_ready(condition, moment)
        if held is None:
            note = f"Nobody can say: {', '.join(missing) or 'a value'} is not ready."
        elif held:
            note = "The condition holds at the newest bar."
        else:
            note = "The condition does not hold at the newest bar."
        would_fire = held is True and alert.status == "active" and alert.watch.state == "armed"
        return TrialView(
            bar_time=moment.bar_time,
            holds=held,
            would_fire=would_fire,
            note=note,
            evidence=evidence_of(condition, moment),
            not_ready=missing,
            text=await self._openings.draft(alert, moment.bar_time),
        )

    # --- what they share ----------------------------------------------------------------------

    async def _find(self, principal: Principal, alert_id: UUID) -> Alert:
        alert = await self._store.find(principal.user_id, alert_id)
        if alert is None:
            raise NotFound(NO_ALERT)
        return alert

    async def _newest(self, alert: Alert, condition: Condition) -> AlertMoment | None:
        found = await self._moments.newest(
            alert.symbol, alert.timeframe, signals=bool(signals(condition))
        )
        return found[-1] if found else None

    async def _judge_now(self, alert: Alert) -> None:
        """Judge an alert at the newest bar there is, so that it says at once where it stands."""
        moment = await self._newest(alert, parse(alert.condition))
        if moment is not None:
            await self.evaluate(moment, only=alert.id)


def decide(alert: Alert, moment: AlertMoment) -> Decision:
    """Return what a bar makes of an alert. Pure."""
    if not moment.reliable:
        return Decision(watch=alert.watch, change=None, result="unreliable")
    condition = parse(alert.condition)
    held = judge(condition, moment)
    watch, change = step(alert.watch, alert.rules, held)
    return Decision(
        watch=watch,
        change=change,
        result="unknown" if held is None else "true" if held else "false",
        evidence=evidence_of(condition, moment) if change == "begins" else {},
    )


def judge(condition: Condition, moment: AlertMoment) -> bool | None:
    """Return whether a condition holds at a bar; None when a value that decides is not ready."""
    valid: Sequence[Standing] | None = None
    if moment.signals is not None:
        valid = [*moment.signals, *moment.fired]
    return holds(condition, moment.now, moment.before, valid)
