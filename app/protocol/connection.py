"""What one connection may do next: the protocol's rules, without a socket, a clock or a task.

Frames go in, actions come out; `gateway/socket.py` carries them out and hands every answer back
through `answered`, so that a command sent twice gets the same answer and no further effect.
"""

from collections import OrderedDict, deque
from typing import Any
from uuid import UUID

import msgspec

from app.protocol.close_codes import CloseCode
from app.protocol.frames import (
    MAX_THREADS,
    PROTOCOL_VERSION,
    Ack,
    BadFrame,
    Command,
    Decoded,
    FrameError,
    Hello,
    Ping,
    RefusedCommand,
    ReplyFrame,
    Run,
    Stop,
    Subscribe,
    Unsubscribe,
    Unwatch,
    Watch,
)
from app.protocol.ids import as_uuid
from app.protocol.watched import Unwatching, Watching, WatchList


class Limits(msgspec.Struct, frozen=True):
    """What a client may ask of one connection."""

    bad_frames: int = 10
    """The tenth within `bad_frames_window_s` closes the socket."""
    bad_frames_window_s: float = 60.0
    commands_per_s: float = 50.0
    commands_burst: int = 200
    retry_after_s: int = 5
    remembered_answers: int = 256
    """Answers kept so that a repeated command id gets the same one."""


# --- actions ------------------------------------------------------------------------------------


class Welcome(msgspec.Struct, frozen=True):
    id: str
    compact: bool


class Follow(msgspec.Struct, frozen=True):
    """Send a conversation's events after `since`, the past first."""

    thread_id: UUID
    since: int
    command_id: str | None
    """The `subscribe` to reply to; None for a thread of `hello`, which is refused by `error`."""
    ref: str | None = None


class Unfollow(msgspec.Struct, frozen=True):
    thread_id: UUID
    command_id: str


class StartRun(msgspec.Struct, frozen=True):
    run: Run


class StopRun(msgspec.Struct, frozen=True):
    run_id: UUID
    command_id: str


class Reply(msgspec.Struct, frozen=True):
    frame: ReplyFrame


class Pong(msgspec.Struct, frozen=True):
    id: str


class Error(msgspec.Struct, frozen=True):
    code: str
    message: str
    ref: str | None = None


class Close(msgspec.Struct, frozen=True):
    code: CloseCode
    reason: str


Action = (
    Welcome
    | Follow
    | Unfollow
    | StartRun
    | StopRun
    | Watching
    | Unwatching
    | Reply
    | Pong
    | Error
    | Close
)


# --- the rules ----------------------------------------------------------------------------------


class _Remembered(msgspec.Struct):
    fingerprint: int
    answer: ReplyFrame | Welcome | None = None
    """None while it is being worked on."""


class Connection:
    """One client, from the handshake to the close."""

    __slots__ = (
        "_bad_times",
        "_limits",
        "_remembered",
        "_room",
        "_room_at",
        "_run_names",
        "acknowledged",
        "closed",
        "greeted",
        "threads",
        "watched",
    )

    def __init__(self, limits: Limits, *, now: float) -> None:
        self._limits = limits
        self._remembered: OrderedDict[str, _Remembered] | None = None
        self._bad_times: deque[float] | None = None
        self._run_names: OrderedDict[str, UUID] | None = None
        self._room = float(limits.commands_burst)
        self._room_at = now
        self.greeted = False
        self.closed = False
        self.threads: set[UUID] = set()
        """Conversations asked for and not refused or left since."""
        self.acknowledged: dict[UUID, int] = {}
        self.watched = WatchList()

    def receive(self, frame: Decoded, *, now: float) -> list[Action]:
        """Return what to do about one frame, in order."""
        if self.closed:
            return []
        if not self._has_room(now):
            return [self._close(CloseCode.TOO_FAST, f"retry after {self._limits.retry_after_s} s")]
        match frame:
            case BadFrame(code, message, ref):
                return self._count_bad(Error(code, message, ref), now)
            case Ping(id=command_id) if self.greeted:
                return [Pong(command_id)]
            case Hello() if not self.greeted:
                pass
            case _ if not self.greeted:
                return [
                    Error("hello_required", "Say hello first.", frame.id),
                    self._close(CloseCode.BAD_CLIENT, "hello first"),
                ]
            case _:
                pass
        return self._receive_once(frame, now)

    def answered(self, command_id: str, answer: ReplyFrame | Welcome) -> None:
        """Keep the answer to a command, for the case that it is sent again.

        A refused command had no effect, so it is forgotten and judged anew when it comes again.
        """
        if self._remembered is None:
            return
        if isinstance(answer, ReplyFrame) and not answer.ok:
            self._remembered.pop(command_id, None)
        elif known := self._remembered.get(command_id):
            known.answer = answer

    def refused_thread(self, thread_id: UUID) -> None:
        """Forget a conversation that could not be followed."""
        self.threads.discard(thread_id)

    # --- commands -----------------------------------------------------------------------------

    def _receive_once(self, frame: Command | RefusedCommand, now: float) -> list[Action]:
        fingerprint = hash(frame)
        if self._remembered is None:
            self._remembered = OrderedDict()
        known = self._remembered.get(frame.id)
        if known is None:
            self._remembered[frame.id] = _Remembered(fingerprint)
            while len(self._remembered) > self._limits.remembered_answers:
                self._remembered.popitem(last=False)
            return self._receive_new(frame, now)
        if known.fingerprint != fingerprint:
            return [
                _refuse(
                    frame.id,
                    "idempotency_mismatch",
                    "This id was used for another command on this connection.",
                )
            ]
        match known.answer:
            case None:
                return []  # the one answer is on its way
            case ReplyFrame() as reply:
                return [Reply(reply)]
            case Welcome() as welcome:
                return [welcome]

    def _receive_new(self, frame: Command | RefusedCommand, now: float) -> list[Action]:
        match frame:
            case Hello():
                return self._greet(frame, now)
            case RefusedCommand(command_id, code, message):
                return [self._answer(_refuse(command_id, code, message))]
            case Run():
                return self._start(frame)
            case Stop(id=command_id, run_id=name):
                run_id = self._run_names.get(name) if self._run_names else None
                run_id = run_id or as_uuid(name)
                if run_id is None:
                    return [self._answer(_refuse(command_id, "not_found", "There is no such run."))]
                return [StopRun(run_id, command_id)]
            case Subscribe(id=command_id, thread_id=thread_id, since=since):
                if refusal := self._add_thread(command_id, thread_id):
                    return [refusal]
                return [Follow(thread_id, since, command_id)]
            case Unsubscribe(id=command_id, thread_id=thread_id):
                self.threads.discard(thread_id)
                self.acknowledged.pop(thread_id, None)
                return [Unfollow(thread_id, command_id)]
            case Ack(id=command_id, thread_id=thread_id, seq=seq):
                return [self._acknowledge(command_id, thread_id, seq)]
            case Watch(id=command_id, symbols=symbols, timeframe=timeframe):
                added = self.watched.add(symbols, timeframe)
                if isinstance(added, FrameError):
                    return [self._answer(Reply(ReplyFrame(command_id, ok=False, error=added)))]
                return [Watching(added, timeframe, command_id)]
            case Unwatch(id=command_id, symbols=symbols, timeframe=timeframe):
                gone = self.watched.remove(symbols, timeframe)
                return [Unwatching(gone, timeframe, command_id)]
            case Ping(id=command_id):
                return [Pong(command_id)]

    def _greet(self, hello: Hello, now: float) -> list[Action]:
        if self.greeted:
            return self._count_bad(Error("hello_twice", "Hello was already said.", hello.id), now)
        if hello.protocol_version.split(".")[0] != PROTOCOL_VERSION.split(".")[0]:
            return [
                Error(
                    "unsupported_protocol",
                    f"This server speaks protocol version {PROTOCOL_VERSION}.",
                    hello.id,
                ),
                self._close(CloseCode.BAD_CLIENT, "unsupported protocol version"),
            ]
        self.greeted = True
        welcome = Welcome(hello.id, hello.compact)
        self.answered(hello.id, welcome)
        positions = {position.thread_id: position.since for position in hello.threads}
        self.threads.update(positions)
        return [
            welcome,
            *(Follow(thread_id, since, None, hello.id) for thread_id, since in positions.items()),
        ]

    def _start(self, run: Run) -> list[Action]:
        if refusal := self._add_thread(run.id, run.thread_id):
            return [refusal]
        if as_uuid(run.run_name) is None:
            if self._run_names is None:
                self._run_names = OrderedDict()
            self._run_names[run.run_name] = run.run_id
            while len(self._run_names) > self._limits.remembered_answers:
                self._run_names.popitem(last=False)
        return [StartRun(run)]

    def _acknowledge(self, command_id: str, thread_id: UUID, seq: int) -> Reply:
        if thread_id not in self.threads:
            return self._answer(
                _refuse(command_id, "not_found", "This connection does not follow that thread.")
            )
        through = max(seq, self.acknowledged.get(thread_id, 0))
        self.acknowledged[thread_id] = through
        result: dict[str, Any] = {"threadId": str(thread_id)}
        return self._answer(
            Reply(ReplyFrame(command_id, ok=True, result=result, applied_through_seq=through))
        )

    def _add_thread(self, command_id: str, thread_id: UUID) -> Reply | None:
        if thread_id not in self.threads and len(self.threads) >= MAX_THREADS:
            return self._answer(
                _refuse(
                    command_id,
                    "too_many_threads",
                    f"One connection may follow {MAX_THREADS} threads; leave one first.",
                )
            )
        self.threads.add(thread_id)
        return None

    def _answer(self, reply: Reply) -> Reply:
        self.answered(reply.frame.id, reply.frame)
        return reply

    # --- patience -----------------------------------------------------------------------------

    def _has_room(self, now: float) -> bool:
        """Take one command from the bucket; False when it is empty."""
        refilled = self._room + (now - self._room_at) * self._limits.commands_per_s
        self._room = min(refilled, float(self._limits.commands_burst)) - 1
        self._room_at = now
        return self._room >= 0

    def _count_bad(self, error: Error, now: float) -> list[Action]:
        if self._bad_times is None:
            self._bad_times = deque()
        self._bad_times.append(now)
        while self._bad_times[0] <= now - self._limits.bad_frames_window_s:
            self._bad_times.popleft()
        if len(self._bad_times) < self._limits.bad_frames:
            return [error]
        return [error, self._close(CloseCode.BAD_CLIENT, "too many bad frames")]

    def _close(self, code: CloseCode, reason: str) -> Close:
        self.closed = True
        return Close(code, reason)


def _refuse(
    command_id: str, code: str, message: str, *, retry_after_s: float | None = None
) -> Reply:
    error = FrameError(code, message, retry_after_s)
    return Reply(ReplyFrame(command_id, ok=False, error=error))
