"""The frames, as values: what a client may say and what the server answers.

Events have no struct here: their frames are spliced from stored bytes (`gateway/translate.py`).
"""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

import msgspec

PROTOCOL_VERSION = "1.0"
MAX_FRAME_BYTES = 262_144
MAX_MESSAGE_CHARACTERS = 100_000
MAX_THREADS = 64
"""Conversations one socket may follow."""
MAX_WATCHED = 50
"""Prices one socket may watch, each a symbol in a timeframe."""
MAX_DEPTH = 32
"""Nesting of arrays and objects in a client's frame."""

CommandId = Annotated[
    str, msgspec.Meta(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")
]
Seq = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]
"""Sequence numbers stay exact in a browser's number."""
Symbol = Annotated[str, msgspec.Meta(min_length=1, max_length=64)]
Timeframe = Annotated[str, msgspec.Meta(min_length=1, max_length=8)]
Symbols = Annotated[tuple[Symbol, ...], msgspec.Meta(min_length=1, max_length=MAX_WATCHED)]


# --- client to server ---------------------------------------------------------------------------


class ClientFrame(
    msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="type", rename="camel"
):
    """The envelope of every command; `id` is the client's own."""

    v: Literal[1]
    id: CommandId


class ThreadPosition(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename="camel"):
    """A conversation and the last event of it that the client has."""

    thread_id: UUID
    since: Seq


class Hello(ClientFrame, tag="hello", frozen=True):
    protocol_version: str
    threads: Annotated[tuple[ThreadPosition, ...], msgspec.Meta(max_length=MAX_THREADS)] = ()
    compact: bool = False


class Stop(ClientFrame, tag="stop", frozen=True):
    run_id: Annotated[str, msgspec.Meta(min_length=1, max_length=256)]


class Subscribe(ClientFrame, tag="subscribe", frozen=True):
    thread_id: UUID
    since: Seq


class Unsubscribe(ClientFrame, tag="unsubscribe", frozen=True):
    thread_id: UUID


class Ack(ClientFrame, tag="ack", frozen=True):
    thread_id: UUID
    seq: Seq


class Watch(ClientFrame, tag="watch", frozen=True):
    symbols: Symbols
    timeframe: Timeframe


class Unwatch(ClientFrame, tag="unwatch", frozen=True):
    symbols: Symbols
    timeframe: Timeframe


class Ping(ClientFrame, tag="ping", frozen=True):
    pass


class RunEnvelope(ClientFrame, tag="run", frozen=True):
    """`run` before its AG-UI input is read; `codec.decode` turns it into `Run`."""

    input: msgspec.Raw


class Run(msgspec.Struct, frozen=True):
    """`run` with what is read of its `RunAgentInput`; everything else in there is ignored."""

    id: str
    thread_id: UUID
    run_id: UUID
    run_name: str
    """The run id as the client wrote it, which need not be a UUID."""
    message_id: UUID | None
    text: str
    agent: str | None
    mode: Literal["answer", "regenerate", "edit"]
    from_message_id: UUID | None


Command = Hello | Run | Stop | Subscribe | Unsubscribe | Ack | Watch | Unwatch | Ping


class BadFrame(msgspec.Struct, frozen=True):
    """Bytes that are no command: answered by an `error` frame, and counted."""

    code: str
    message: str
    ref: str | None = None
    """The `id` it carried, if one could be made out."""


class RefusedCommand(msgspec.Struct, frozen=True):
    """A well-formed command whose content cannot be taken up: answered by a `reply`."""

    id: str
    code: str
    message: str


Decoded = Command | RefusedCommand | BadFrame


# --- server to client ---------------------------------------------------------------------------


class ServerFrame(
    msgspec.Struct, frozen=True, tag_field="type", rename="camel", omit_defaults=True
):
    """What every frame that is not an event shares."""


class FrameError(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True):
    """Why a command was not done. `code` is stable, `message` is for a person."""

    code: str
    message: str
    retry_after_s: float | None = None


class WelcomeFrame(ServerFrame, tag="welcome", frozen=True):
    id: str
    protocol_version: str
    principal: dict[str, Any]
    limits: dict[str, Any]
    llm: dict[str, Any]
    compact: bool


class ReplyFrame(ServerFrame, tag="reply", frozen=True):
    id: str
    ok: bool
    result: dict[str, Any] | None = None
    error: FrameError | None = None
    applied_through_seq: int | None = None


class CaughtUpFrame(ServerFrame, tag="caughtUp", frozen=True):
    thread_id: UUID
    seq: int


class GapFrame(ServerFrame, tag="gap", frozen=True):
    thread_id: UUID
    oldest_seq: int
    newest_seq: int


class PongFrame(ServerFrame, tag="pong", frozen=True):
    id: str


class ErrorFrame(ServerFrame, tag="error", frozen=True):
    code: str
    message: str
    ref: str | None = None
    thread_id: UUID | None = None


class LiveBar(msgspec.Struct, frozen=True):
    """One bar, split-adjusted to the share count of today; `timestamp` is its opening."""

    timestamp: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float


class MarketFrame(ServerFrame, tag="market", frozen=True, kw_only=True):
    """The newest bar of a watched symbol and what was computed from it. Not kept anywhere."""

    symbol: str
    timeframe: str
    bar: LiveBar
    indicators: dict[str, float | None]
    """By the names of `tools.analytics.snapshot.FIELDS`; None while one warms up."""
    signals: tuple[Any, ...]
    """MarketSignals that fired since the last frame, as `GET /signals` gives them."""
    provisional: bool
    """The bar is still open: its numbers may change, and no signal or alert reads them."""
    replay: bool = False
    """The bar is a real one of the past, shown again on a clock."""


class NoticeFrame(ServerFrame, tag="notice", frozen=True, kw_only=True):
    """Something happened that a person should see, whatever they look at."""

    kind: Literal["alert", "modelAlarm"]
    title: str
    at: datetime
    thread_id: UUID | None = None
    """Of the conversation that an alert opened."""
    alert_id: UUID | None = None
    alarm_id: UUID | None = None
    """With `modelAlarm`, which administrators get."""
    model_id: UUID | None = None


SERVER_FRAME_TYPES = (
    "welcome",
    "reply",
    "event",
    "caughtUp",
    "gap",
    "market",
    "notice",
    "pong",
    "error",
)
