"""Withdraw what fired at a bar that was corrected since, and say so where it was told.

An episode is never deleted: it is marked, its conversation gets a note with the corrected numbers,
and its webhook an event. Bars after it are judged again if it was still going on.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime

import numpy as np
import structlog

from agents.llms.builtin.alert import LABEL, MODEL, RECORD, AlertWriter
from agents.llms.catalog import Selection
from app.domain.alerts import Alert, AlertMoment, Episode, Unopened, Withdrawal
from app.domain.errors import Conflict, NotFound, Unavailable
from app.domain.ids import RunId, derived_id
from app.domain.runs import StartRun
from app.protocol.frames import NoticeFrame
from app.services.alerts.alert_openings import alert_body, brief_of, owner_of
from app.services.alerts.alert_ports import WithdrawalStore
from app.services.alerts.alerts import Alerts, judge
from app.services.alerts.moments import MOST, moments_at
from app.services.conversations.run_commands import Opening
from app.services.conversations.runs import Runs
from app.services.live.live_ports import Notifier
from app.services.worker import Worker
from tools.analytics.conditions import describe, parse
from tools.market.bars import Bars, moment

log = structlog.get_logger(__name__)

CORRECTED = "The bar was corrected, and the condition does not hold at it any more."
GONE = "There is no such bar any more."


class Withdrawals(Worker):
    """Reviews corrected series, and tells of what was withdrawn while it is entered."""

    def __init__(
        self,
        store: WithdrawalStore,
        alerts: Alerts,
        runs: Runs,
        notices: Notifier,
        *,
        address: Callable[[], str],
        sent: Callable[[], None],
        clock: Callable[[], datetime],
        look_every_s: float = 30.0,
    ) -> None:
        """Args:
        address: where people open the desk.
        sent: is called when there is something new for webhooks.
        """
        super().__init__("alert withdrawals", look_every_s=look_every_s)
        self._store = store
        self._alerts = alerts
        self._runs = runs
        self._notices = notices
        self._address = address
        self._sent = sent
        self._clock = clock

    async def review(self, closed: Bars, since: datetime) -> int:
        """Withdraw what fired at closed bars from `since` on and would not fire now.

        Raises:
            Unavailable: the database cannot be reached; reviewing again is right.
        """
        fired = await self._store.fired_since(closed.symbol, closed.timeframe, since)
        if not fired:
            return 0
        times = np.array([moment(one.episode.bar_time) for one in fired])
        bars = [int(bar) for bar in np.flatnonzero(np.isin(closed.timestamps, times))]
        seen = {one.bar_time: one for one in await asyncio.to_thread(moments_at, closed, bars)}
        now, done = self._clock(), 0
        again: datetime | None = None
        for one in fired:
            because = _because(one, seen.get(one.episode.bar_time))
            if because is None:
                continue
            withdrawal = Withdrawal(episode=one.episode, alert=one.alert, because=because)
            if not await self._store.withdraw(withdrawal, now=now):
                continue
            done += 1
            log.info("alert.withdrawn", alert_id=str(one.alert.id), reason=because)
            if one.episode.ended_at is None:
                again = min(again or one.episode.bar_time, one.episode.bar_time)
        if again is not None:
            await self._judge_again(closed, again)
        if done:
            self.wake()
        return done

    async def _judge_again(self, closed: Bars, since: datetime) -> None:
        first = int(np.searchsorted(closed.timestamps, moment(since)))
        bars = range(max(first, len(closed) - MOST), len(closed))
        for one in await asyncio.to_thread(moments_at, closed, list(bars)):
            await self._alerts.evaluate(one)

    async def work(self) -> float:
        """Tell of everything that was withdrawn and not told."""
        while await self.tell_all():
            pass
        return self._look_every_s

    async def tell_all(self) -> int:
        """Tell of the oldest withdrawals; return of how many."""
        done = 0
        for one in await self._store.untold():
            try:
                done += await self._tell(one.alert, one.episode)
            except Unavailable:
                break
            except Exception:
                # One that cannot be told must not keep the others from it.
                log.exception("alert.withdrawal_not_told", episode_id=str(one.episode.id))
        return done

    async def _tell(self, alert: Alert, episode: Episode) -> bool:
        """Write the note, unless the conversation is gone; False while it is being answered."""
        if episode.conversation_id is not None:
            try:
                await self._note(alert, episode)
            except Conflict as busy:
                if busy.code == "run_active":
                    return False
                log.warning("alert.no_note", alert_id=str(alert.id), code=busy.code)
            except NotFound:
                log.info("alert.conversation_gone", alert_id=str(alert.id))
        body = None
        if alert.webhook_url is not None and alert.webhook_off is None:
            body = alert_body(
                "alert.withdrawn",
                alert,
                episode,
                address=self._address(),
                at=episode.withdrawn_at or self._clock(),
                text=episode.withdrawn_because or "",
            )
        ours = await self._store.told(
            episode.id,
            delivery_id=derived_id(episode.id, "withdrawal"),
            body=body,
            now=self._clock(),
        )
        if ours and episode.conversation_id is not None:
            notice = NoticeFrame(
                kind="alert",
                title=f"Withdrawn: {alert.symbol}: {alert.name}",
                thread_id=episode.conversation_id,
                alert_id=alert.id,
                at=self._clock(),
            )
            self._notices.notify(alert.user_id, notice)
        if ours and body is not None:
            self._sent()
        return ours

    async def _note(self, alert: Alert, episode: Episode) -> None:
        conversation = episode.conversation_id
        if conversation is None or not await self._store.has_conversation(conversation):
            return
        writer = AlertWriter(
            brief_of(alert, episode.bar_time), withdrawn=episode.withdrawn_because or CORRECTED
        )
        command_id = f"withdrawal-{episode.id}"
        run_id = RunId(derived_id(episode.id, "withdrawal run"))
        command = StartRun(
            command_id=command_id,
            conversation_id=conversation,
            run_id=run_id,
            message_id=None,
            content=f"{alert.symbol}: {alert.name}",
            agent=None,
            mode="alert",
        )
        opening = Opening(Selection(writer, MODEL, LABEL, free=True), RECORD)
        await self._runs.start(command, owner_of(alert.user_id), opening=opening)
        await self._runs.wait(run_id)


def _because(one: Unopened, seen: AlertMoment | None) -> str | None:
    """Return why an episode should not have begun; None if it should, or nobody can say."""
    if seen is None:
        return GONE
    condition = parse(one.alert.condition)
    if one.episode.evidence.get("description") != describe(condition):
        return None  # it fired on another condition than the alert has now
    return CORRECTED if judge(condition, seen) is False else None
