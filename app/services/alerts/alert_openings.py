"""Open the conversation of each episode: the evidence, how such cases went before, a reply box.

An episode is stored before its conversation begins, and noted as open after its first message is
durable. Whatever dies in between leaves an episode that is not open, and this finds it again; the
ids of conversation and run follow from the episode's, so nothing is opened twice.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime

import msgspec
import structlog

from agents.llms.builtin.alert import LABEL, MODEL, TOOLS, AlertBrief, AlertWriter, planned
from agents.llms.builtin.results import Result, Results
from agents.llms.builtin.write.alert import write_alert
from agents.llms.catalog import Selection
from app.domain.alerts import Alert, Episode, OpeningRun, Unopened, conversation_id
from app.domain.errors import Conflict, NotFound, Unavailable
from app.domain.ids import ConversationId, RunId, UserId, derived_id
from app.domain.principal import Principal
from app.domain.runs import StartRun
from app.protocol.frames import NoticeFrame
from app.services.alerts.alert_ports import EpisodeStore
from app.services.conversations.run_commands import Opening
from app.services.conversations.runs import Runs
from app.services.live.live_ports import Notifier
from app.services.worker import Worker
from tools.analytics.conditions import describe, parse
from tools.errors import ToolError
from tools.registry import ToolBox
from tools.tool import ToolContext

log = structlog.get_logger(__name__)

_MOST_TRIES = 3
"""... that fail by themselves. Those that died with their process say nothing of the next."""
_MOST_DEATHS = 50
_AT_ONCE = 4
_TOOL_TIMEOUT_S = 20.0


class Openings(Worker):
    """Opens what is not open yet, as an async context manager: it works while it is entered."""

    def __init__(
        self,
        store: EpisodeStore,
        runs: Runs,
        toolbox: ToolBox,
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
        super().__init__("alert openings", look_every_s=look_every_s)
        self._store = store
        self._runs = runs
        self._toolbox = toolbox
        self._notices = notices
        self._address = address
        self._sent = sent
        self._clock = clock

    async def work(self) -> float:
        """Open everything that is not open."""
        while await self.open_all():
            # There may be more than are opened at once.
            pass
        return self._look_every_s

    async def open_all(self) -> int:
        """Open the oldest episodes that are not open; return how many were opened here."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def guarded(one: Unopened) -> bool:
            async with gate:
                try:
                    return await self._open(one)
                except Unavailable:
                    return False
                except Exception:
                    log.exception("alert.not_opened", episode_id=str(one.episode.id))
                    return False

        waiting = await self._store.unopened()
        return sum(await asyncio.gather(*(guarded(one) for one in waiting)))

    async def _open(self, one: Unopened) -> bool:
        alert, episode, tries = one.alert, one.episode, one.tries
        while True:
            conversation = conversation_id(episode.id, tries)
            run = await self._store.opening_run(conversation)
            if run is None:
                await self._begin(alert, episode, conversation, tries)
                run = await self._store.opening_run(conversation)
            elif run.status == "running" and self._runs.is_running(run.id):
                await self._runs.wait(run.id)
                run = await self._store.opening_run(conversation)
            if run is None or run.status == "running":
                # Another process writes it, or died over it and will be cleaned up after.
                return False
            done = run.status == "finished" and run.answer is not None
            most = _MOST_DEATHS if run.error_code == "interrupted" else _MOST_TRIES
            if done or run.talked_in or tries + 1 >= most:
                return await self._opened(alert, episode, conversation, run)
            await self._store.try_again(episode.id, tries=tries, owner=alert.user_id)
            tries += 1

    async def _begin(
        self, alert: Alert, episode: Episode, conversation: ConversationId, tries: int
    ) -> None:
        """Write the first message, by the alert's agent or, if that cannot, the desk's first."""
        writer = AlertWriter(brief_of(alert, episode.bar_time))
        tools = tuple(name for name in TOOLS if name in self._toolbox.names)
        opening = Opening(Selection(writer, MODEL, LABEL, free=True), tools)
        agent = None if alert.agent_id is None else str(alert.agent_id)
        run_id = RunId(derived_id(episode.id, "run", tries))
        try:
            await self._start(alert, conversation, run_id, agent, opening)
        except (Conflict, NotFound) as refused:
            if agent is None:
                raise
            log.warning("alert.agent_replaced", alert_id=str(alert.id), code=refused.code)
            await self._start(alert, conversation, run_id, None, opening)
        await self._runs.wait(run_id)

    async def _start(
        self,
        alert: Alert,
        conversation: ConversationId,
        run_id: RunId,
        agent: str | None,
        opening: Opening,
    ) -> None:
        command = StartRun(
            command_id=f"alert-{run_id}",
            conversation_id=conversation,
            run_id=run_id,
            message_id=None,
            content=f"{alert.symbol}: {alert.name}",
            agent=agent,
            mode="alert",
        )
        await self._runs.start(command, owner_of(alert.user_id), opening=opening)

    async def _opened(
        self, alert: Alert, episode: Episode, conversation: ConversationId, run: OpeningRun
    ) -> bool:
        now = self._clock()
        body = None
        if alert.webhook_url is not None and alert.webhook_off is None:
            body = alert_body(
                "alert.fired",
                alert,
                msgspec.structs.replace(episode, conversation_id=conversation),
                address=self._address(),
                at=episode.fired_at,
                text=run.answer or "",
            )
        ours = await self._store.opened(
            episode.id,
            conversation,
            delivery_id=derived_id(episode.id, "delivery"),
            body=body,
            now=now,
        )
        if ours:
            notice = NoticeFrame(
                kind="alert",
                title=f"{alert.symbol}: {alert.name}",
                thread_id=conversation,
                alert_id=alert.id,
                at=episode.fired_at,
            )
            self._notices.notify(alert.user_id, notice)
            if body is not None:
                self._sent()
            log.info("alert.opened", alert_id=str(alert.id), episode_id=str(episode.id))
        return ours

    async def draft(self, alert: Alert, bar_time: datetime) -> str:
        """Return what the conversation would open with; nothing is stored."""
        brief = brief_of(alert, bar_time)
        context = ToolContext(
            principal_id=str(alert.user_id), now=self._clock(), timeout_s=_TOOL_TIMEOUT_S
        )
        items: list[Result] = []
        for name, arguments in planned(brief):
            if name not in self._toolbox.names:
                continue
            try:
                found = await self._toolbox.call(name, arguments, context)
            except ToolError as failed:
                items.append(Result(name, arguments, failure=failed.message))
            else:
                # As it would be stored: moments as text, tuples as lists.
                data = msgspec.json.decode(msgspec.json.encode(found.data))
                items.append(Result(name, arguments, data=data, source=found.source))
        return write_alert(
            Results(tuple(items)),
            name=brief.name,
            symbol=brief.symbol,
            description=brief.description,
            bar_time=bar_time,
            timeframe=brief.timeframe,
        )


def alert_body(
    event: str, alert: Alert, episode: Episode, *, address: str, at: datetime, text: str
) -> str:
    """Return what is sent to a webhook, to the byte."""
    conversation = episode.conversation_id
    told = {
        "type": event,
        "timestamp": at,
        "data": {
            "alertId": alert.id,
            "name": alert.name,
            "symbol": alert.symbol,
            "timeframe": alert.timeframe,
            "condition": alert.condition,
            "description": describe(parse(alert.condition)),
            "episodeId": episode.id,
            "barTime": episode.bar_time,
            "evidence": episode.evidence,
            "threadId": conversation,
            "url": None if conversation is None else f"{address}/c/{conversation}",
            "text": text,
        },
    }
    return msgspec.json.encode(told).decode()


def brief_of(alert: Alert, bar_time: datetime) -> AlertBrief:
    """Return what its writer must know of an alert."""
    return AlertBrief(
        name=alert.name,
        symbol=alert.symbol,
        timeframe=alert.timeframe,
        condition=alert.condition,
        description=describe(parse(alert.condition)),
        bar_time=bar_time,
    )


def owner_of(user_id: UserId) -> Principal:
    """Return whom an alert acts for: its owner, who may read and chat and no more."""
    return Principal(
        user_id=user_id,
        email="",
        name="",
        role="user",
        scopes=frozenset({"chat", "read"}),
        credential="local",
        credential_id="alert",
    )
