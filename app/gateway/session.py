"""One accepted socket: reads frames, carries out the protocol's actions, sends what it follows."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import UUID

import msgspec
import structlog

from app.domain.errors import NotFound, Refusal, Unavailable
from app.domain.ids import ConversationId, MessageId, RunId
from app.domain.principal import Principal
from app.domain.runs import StartRun as StartRunCommand
from app.gateway.catch_up import catch_up
from app.gateway.hub import Follower, Hub
from app.gateway.market_hub import MarketHub, Notices
from app.gateway.outbox import Outbox
from app.gateway.ports import Authenticator, LLMInUse, Quotes, Runs
from app.gateway.viewer import Viewer
from app.protocol.close_codes import CloseCode
from app.protocol.codec import decode, encode
from app.protocol.connection import (
    Action,
    Close,
    Connection,
    Error,
    Follow,
    Pong,
    Reply,
    StartRun,
    StopRun,
    Unfollow,
    Welcome,
)
from app.protocol.frames import (
    MAX_FRAME_BYTES,
    MAX_MESSAGE_CHARACTERS,
    MAX_WATCHED,
    PROTOCOL_VERSION,
    BadFrame,
    ErrorFrame,
    FrameError,
    PongFrame,
    ReplyFrame,
    Run,
    WelcomeFrame,
)
from app.protocol.watched import Unwatching, Watching
from app.services.ports import EventStore, Owners

log = structlog.get_logger(__name__)

Receive = Callable[[], Awaitable[dict[str, Any]]]

PING_INTERVAL_S = 20
RECHECK_S = 0.9
"""How old the last look at the credential may be when something is done or sent for it."""
_COMMAND_S = 30.0
"""A command that takes longer is answered with `unavailable`."""


_Checked = Follow | StartRun | StopRun | Watching
"""Actions that need rights and may be refused."""


class Services(msgspec.Struct, frozen=True):
    """What every socket works with."""

    hub: Hub
    market: MarketHub
    notices: Notices
    quotes: Quotes
    runs: Runs
    events: EventStore
    owners: Owners
    authenticator: Authenticator
    llm: LLMInUse


class Session:
    """The life of one socket after the upgrade."""

    __slots__ = (
        "_behind",
        "_checked_at",
        "_connection",
        "_flushing",
        "_followers",
        "_group",
        "_loop",
        "_replaying",
        "_services",
        "_silence",
        "_viewer",
        "outbox",
        "principal",
    )

    def __init__(
        self,
        services: Services,
        principal: Principal,
        connection: Connection,
        outbox: Outbox,
        loop: asyncio.AbstractEventLoop,
        *,
        hello_s: float,
    ) -> None:
        self._services = services
        self._connection = connection
        self._loop = loop
        self._followers: dict[UUID, Follower] = {}
        self._behind: list[Follower] = []
        self._group: asyncio.TaskGroup | None = None
        self._replaying: asyncio.Task[None] | None = None
        self._checked_at = loop.time()
        self._silence = loop.call_later(hello_s, self._close_silent)
        self._flushing: asyncio.Task[None] | None = None
        self._viewer = Viewer(
            principal.user_id,
            outbox,
            market=services.market,
            notices=services.notices,
            quotes=services.quotes,
            wake=self._flush_soon,
        )
        self.outbox = outbox
        self.principal = principal

    async def run(self, receive: Receive, drain: Callable[[], Awaitable[None]] | None) -> None:
        """Serve the socket until it is closed by either side."""
        drained: asyncio.Task[None] | None = None
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                if drain is not None:
                    drained = group.create_task(_as_coroutine(drain))
                await self._read(receive)
                self._group = None
                for task in (drained, self._replaying, self._flushing):
                    if task is not None:
                        task.cancel()
        finally:
            self._group = None
            self._silence.cancel()
            self.outbox.rest()
            for follower in self._followers.values():
                self._services.hub.remove(follower)
            self._followers.clear()
            self._viewer.close()

    def apply_rights(self, principal: Principal | None, now: float) -> None:
        """Take up what the credential may do by now; close the socket if that is nothing."""
        self._checked_at = now
        self.outbox.rest()
        if principal is None:
            self.outbox.close(CloseCode.NOT_SIGNED_IN, "signed out", drop=True)
        elif not principal.may("chat"):
            self.outbox.close(CloseCode.FORBIDDEN, "forbidden", drop=True)
        else:
            self.principal = principal

    def _close_silent(self) -> None:
        self.outbox.close(CloseCode.TOO_SLOW, "no hello")

    # --- reading ------------------------------------------------------------------------------

    async def _read(self, receive: Receive) -> None:
        while True:
            message = await receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            frame = decode(text) if text is not None else BadFrame("not_text", "Send text frames.")
            now = self._loop.time()
            for action in self._connection.receive(frame, now=now):
                if self.outbox.closed:
                    break
                await self._perform(action, now)

    async def _perform(self, action: Action, now: float) -> None:
        match action:
            case Pong(command_id):
                self.outbox.offer(encode(PongFrame(command_id)))
            case Reply(frame):
                self.outbox.offer(encode(frame))
            case Error(code, message, ref):
                self.outbox.offer(encode(ErrorFrame(code, message, ref)))
            case Close(code, reason):
                self.outbox.close(code, reason)
            case Welcome():
                self._welcome(action)
            case Unfollow(thread_id, command_id):
                self._unfollow(thread_id, command_id)
            case Unwatching():
                self._viewer.unwatch(action)
                self._reply_watching(action)
            case Follow() | StartRun() | StopRun() | Watching():
                await self._perform_checked(action, now)

    async def _perform_checked(self, action: _Checked, now: float) -> None:
        """Carry out what needs rights and may be refused."""
        try:
            async with asyncio.timeout(_COMMAND_S):
                if now - self._checked_at > RECHECK_S:
                    [rights] = await self._services.authenticator.recheck([self.principal])
                    self.apply_rights(rights, now)
                if self.outbox.closed:
                    return
                match action:
                    case Follow():
                        await self._follow(action)
                    case StartRun(run):
                        await self._start(run)
                    case StopRun(run_id, command_id):
                        await self._stop(run_id, command_id)
                    case Watching():
                        await self._viewer.check(action)
                        self._reply_watching(action)
                        self._viewer.watch(action)
        except Refusal as refusal:
            self._refuse(action, refusal)
        except TimeoutError:
            self._refuse(action, Unavailable("That took too long; try again.", retry_after_s=2))
        except Exception:
            # The client must hear about every command, and a bug in one must not end the socket.
            log.exception("gateway.command_failed", action=type(action).__name__)
            self._refuse(action, Refusal("Something went wrong here.", code="internal_error"))

    # --- actions ------------------------------------------------------------------------------

    def _welcome(self, welcome: Welcome) -> None:
        self._silence.cancel()
        self.outbox.compact = welcome.compact
        principal = self.principal
        self.outbox.offer(
            encode(
                WelcomeFrame(
                    id=welcome.id,
                    protocol_version=PROTOCOL_VERSION,
                    principal={
                        "userId": str(principal.user_id),
                        "email": principal.email,
                        "name": principal.name,
                        "role": principal.role,
                    },
                    limits={
                        "maxFrameBytes": MAX_FRAME_BYTES,
                        "maxMessageCharacters": MAX_MESSAGE_CHARACTERS,
                        "maxWatchedSymbols": MAX_WATCHED,
                        "pingIntervalS": PING_INTERVAL_S,
                    },
                    llm=self._services.llm(),
                    compact=welcome.compact,
                )
            )
        )

    async def _follow(self, follow: Follow) -> None:
        owner = await self._services.owners.owner(ConversationId(follow.thread_id))
        if owner is None or owner != self.principal.user_id:
            raise NotFound("There is no such conversation.")
        if follow.command_id is not None:
            self._reply(follow.command_id, {"threadId": str(follow.thread_id)})
        self._attach(follow.thread_id, follow.since)

    async def _start(self, run: Run) -> None:
        command = StartRunCommand(
            command_id=run.id,
            conversation_id=ConversationId(run.thread_id),
            run_id=RunId(run.run_id),
            message_id=MessageId(run.message_id) if run.message_id is not None else None,
            content=run.text,
            agent=run.agent,
            mode=run.mode,
            from_message_id=(
                MessageId(run.from_message_id) if run.from_message_id is not None else None
            ),
            session_id=self.principal.credential_id,
        )
        started = await self._services.runs.start(command, self.principal)
        message_id = started.run.user_message_id
        self._reply(
            run.id,
            {
                "runId": str(started.run.id),
                "threadId": str(started.run.conversation_id),
                "messageId": str(message_id) if message_id is not None else None,
                "created": started.created,
                "seq": started.last_seq,
            },
        )
        if run.thread_id not in self._followers:
            self._attach(run.thread_id, started.last_seq)

    async def _stop(self, run_id: UUID, command_id: str) -> None:
        stopped = await self._services.runs.stop(RunId(run_id), self.principal)
        self._reply(command_id, {"runId": str(run_id), "stopped": stopped})

    def _unfollow(self, thread_id: UUID, command_id: str) -> None:
        self._detach(thread_id)
        self._reply(command_id, {"threadId": str(thread_id)})

    def _reply_watching(self, action: Watching | Unwatching) -> None:
        symbols, watching = list(action.symbols), len(self._connection.watched)
        self._reply(
            action.command_id,
            {"symbols": symbols, "timeframe": action.timeframe, "watching": watching},
        )

    def _reply(self, command_id: str, result: dict[str, Any]) -> None:
        frame = ReplyFrame(command_id, ok=True, result=result)
        self._connection.answered(command_id, frame)
        self.outbox.offer(encode(frame))

    def _refuse(self, action: _Checked, refusal: Refusal) -> None:
        match action:
            case Follow(thread_id, _, command_id, ref):
                self._detach(thread_id)
                self._connection.refused_thread(thread_id)
                if command_id is None:
                    error = ErrorFrame(refusal.code, refusal.message, ref, thread_id)
                    self.outbox.offer(encode(error))
                    return
            case StartRun(run):
                command_id = run.id
                if run.thread_id not in self._followers:
                    self._connection.refused_thread(run.thread_id)
            case StopRun(_, command_id):
                pass
            case Watching(symbols, timeframe, command_id):
                self._connection.watched.remove(symbols, timeframe)
        why = FrameError(refusal.code, refusal.message, refusal.retry_after_s)
        frame = ReplyFrame(command_id, ok=False, error=why)
        self._connection.answered(command_id, frame)
        self.outbox.offer(encode(frame))

    # --- following ----------------------------------------------------------------------------

    def _attach(self, thread_id: UUID, since: int) -> None:
        """Follow a conversation from `since` on, instead of from where it was followed before."""
        self._detach(thread_id)
        follower = Follower(ConversationId(thread_id), since, self.outbox, self._enqueue)
        self._followers[thread_id] = follower
        self._services.hub.add(follower)
        self._enqueue(follower)

    def _detach(self, thread_id: UUID) -> None:
        if follower := self._followers.pop(thread_id, None):
            self._services.hub.remove(follower)

    def _enqueue(self, follower: Follower) -> None:
        self._behind.append(follower)
        if self._replaying is None and self._group is not None:
            self._replaying = self._group.create_task(self._replay())

    async def _replay(self) -> None:
        """Bring followers up to date, one after the other, until none is behind."""
        while self._behind:
            follower = self._behind.pop(0)
            if not await catch_up(follower, self._services.events, self.outbox):
                thread_id = follower.conversation_id
                if self._followers.get(thread_id) is follower:
                    self._detach(thread_id)
                    self._connection.refused_thread(thread_id)
        self._replaying = None

    # --- watching -----------------------------------------------------------------------------

    def _flush_soon(self) -> None:
        if self._flushing is None and self._group is not None:
            self._flushing = self._group.create_task(self._flush())

    async def _flush(self) -> None:
        """Send the prices and notices that had to wait for a slow client."""
        await self._viewer.lane.flush()
        self._flushing = None


async def _as_coroutine(function: Callable[[], Awaitable[None]]) -> None:
    await function()
