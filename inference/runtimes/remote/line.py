"""How an adapter reaches its server, and what the server's refusals mean.

The line is given from outside: the desk puts its outbound guard there. Nothing here opens a socket.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, NoReturn, Protocol, TypeVar
from uuid import uuid4

import msgspec

from inference.errors import (
    BadInput,
    BadModel,
    DeadlineExceeded,
    ModelFailed,
    NotReady,
    Overloaded,
    WorkerLost,
)

MOST_SENT = 16 * 2**20
MOST_READ = 16 * 2**20
"""Bytes of one request and of one answer."""
MOST_SAID = 300
_FULL = ("queue size", "backpressure", "max_queued_requests")
_AGAIN_S = 0.05
"""Less time than this is not worth another try."""
Said = TypeVar("Said")


@dataclass(frozen=True)
class Reply:
    """What came back, whatever its status."""

    status: int
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    """Names in small letters."""
    cut: bool = False
    """There was more than may be read."""


@dataclass(frozen=True)
class Spoken:
    """What the server itself said, whatever its status."""

    code: str
    """By its name: "OK", "NOT_FOUND"."""
    message: bytes = b""
    details: str = ""
    retry_after_s: float | None = None


class Wire(Protocol):
    """Calls one server; `app.wiring.remote_rpc` has the outbound guard before it."""

    async def unary(
        self, method: str, message: bytes, *, metadata: Mapping[str, str], timeout_s: float
    ) -> Spoken:
        """Return what the server said.

        Raises:
            BadModel: the desk may not go there.
            DeadlineExceeded: it said nothing within `timeout_s`, or that it took too long.
            WorkerLost: it cannot be reached, or hung up.
            ModelFailed: it said more than may be read.
        """
        ...

    async def aclose(self) -> None:
        """Hang up."""
        ...


class Line(Protocol):
    """Reaches servers; `app.wiring.remote` has the outbound guard behind it."""

    def wire(self, server: str) -> Wire:
        """Return what calls a gRPC server ("grpc://host:8001"); it connects when it is used.

        Raises:
            MissingFramework: gRPC is not installed.
        """
        ...

    async def send(
        self,
        method: str,
        url: str,
        *,
        body: bytes,
        headers: Mapping[str, str],
        timeout_s: float,
    ) -> Reply:
        """Send one HTTP request and return what came back.

        Raises:
            BadModel: the desk may not go there.
            DeadlineExceeded: there was no answer within `timeout_s`.
            WorkerLost: the server cannot be reached, or hung up.
        """
        ...


@dataclass
class Call:
    """One question to a server: its line, its id, and until when it must be answered."""

    line: Line
    until: float
    """On the monotonic clock."""
    request_id: str = field(default_factory=lambda: str(uuid4()))
    may_repeat: bool = True
    """A server that hung up may be asked once more: the answer cannot have done anything."""

    async def get(self, url: str) -> Reply:
        """Ask for what is at an address."""
        return await self.repeat(lambda left_s: self._once("GET", url, b"", left_s))

    async def post(self, url: str, body: Any) -> Reply:
        """Send JSON."""
        data = msgspec.json.encode(body)
        if len(data) > MOST_SENT:
            raise BadInput(f"the rows have {len(data):,} bytes; {MOST_SENT:,} may be sent at once")
        return await self.repeat(lambda left_s: self._once("POST", url, data, left_s))

    async def repeat(self, once: Callable[[float], Awaitable[Said]]) -> Said:
        """Do something once, or twice where the server hung up and that is allowed.

        `once` gets the seconds that are left.
        """
        try:
            return await once(self._left_s())
        except WorkerLost:
            if not self.may_repeat or self.until - monotonic() < _AGAIN_S:
                raise
            self.may_repeat = False
            return await once(self._left_s())

    def _left_s(self) -> float:
        left_s = self.until - monotonic()
        if left_s <= 0.0:
            raise DeadlineExceeded("the server did not answer in time")
        return left_s

    async def _once(self, method: str, url: str, body: bytes, left_s: float) -> Reply:
        headers = {"Accept": "application/json", "X-Request-Id": self.request_id}
        if body:
            headers["Content-Type"] = "application/json"
        reply = await self.line.send(method, url, body=body, headers=headers, timeout_s=left_s)
        if reply.cut:
            raise ModelFailed(f"the server's answer is longer than {MOST_READ:,} bytes")
        if reply.status in {502, 504}:
            raise WorkerLost(f"what stands before the server cannot reach it ({reply.status})")
        return reply


def read_json(reply: Reply) -> Any:
    """Return what an answer says.

    Raises:
        ModelFailed: it is no JSON; NaN and Infinity are none.
    """
    try:
        return msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        said = " (it holds NaN or Infinity)" if _not_finite(reply.body) else ""
        if packed := reply.headers.get("content-encoding", ""):
            said = f" (it is packed by {packed[:20]}, which was not asked for)"
        raise ModelFailed(f"the server did not answer with JSON{said}") from None


def refuse(reply: Reply) -> NoReturn:
    """Raise what a refused inference means.

    Raises:
        Overloaded, NotReady, WorkerLost, BadInput, BadModel, ModelFailed: as the status says.
    """
    status, said = reply.status, _said(reply)
    if status == 429 or (status == 503 and ("retry-after" in reply.headers or is_full(said))):
        raise Overloaded(
            f"the server is too busy ({status}){said}",
            retry_after_s=_retry_after(reply.headers.get("retry-after")),
        )
    # MLServer says 400 of a model that is still loading.
    if status == 503 or (status == 400 and "not ready" in said):
        raise NotReady(f"the server is not ready ({status}){said}")
    if status == 501:
        raise BadModel(f"the server cannot do what it is asked ({status}){said}")
    if status in {404, 410}:
        raise WorkerLost(f"the model is gone from its server ({status}){said}")
    if status in {401, 403}:
        raise BadModel(f"the server does not let the desk in ({status})")
    if status in {400, 413, 422}:
        raise BadInput(f"the server refuses the rows ({status}){said}")
    if status == 408:
        raise DeadlineExceeded(f"the server gave up ({status}){said}")
    if status >= 500:
        raise ModelFailed(f"the server failed ({status}){said}")
    raise ModelFailed(f"the server answered {status} instead of 200{said}")


def not_ready(reply: Reply, what: str) -> NoReturn:
    """Raise what a refused look at a model means.

    Raises:
        NotReady: it is there and does not answer yet.
        WorkerLost: it is not there.
        BadModel: the desk is not let in.
    """
    if reply.status in {404, 410}:
        raise WorkerLost(f"there is no {what} on its server ({reply.status}){_said(reply)}")
    if reply.status in {401, 403}:
        raise BadModel(f"the server does not let the desk in ({reply.status})")
    if reply.status == 501:
        raise BadModel(f"the server cannot say whether {what} is ready (501){_said(reply)}")
    raise NotReady(f"{what} is not ready on its server ({reply.status}){_said(reply)}")


def said_by(reply: Reply) -> Mapping[str, Any]:
    """Return the object that an answer is, or an empty one if it is none."""
    try:
        told = msgspec.json.decode(reply.body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _said(reply: Reply) -> str:
    """Return the server's own words, if it has some: one line, for a traceback may follow."""
    told = said_by(reply)
    words = told.get("error") or told.get("message") or told.get("detail") or _line(reply)
    if isinstance(words, list):  # FastAPI's: one object a mistake
        words = "; ".join(_mistake(one) for one in words if isinstance(one, dict))
    if not isinstance(words, str) or not words.strip():
        return ""
    return f": {words.strip().splitlines()[0][:MOST_SAID]}"


def _line(reply: Reply) -> str:
    """Return the one line of plain text that an answer is: Ray Serve's proxy says it so."""
    if not reply.headers.get("content-type", "").startswith("text/plain"):
        return ""
    text = reply.body.decode(errors="replace").strip()
    return "" if "\n" in text or text.startswith(("{", "[")) else text


def _mistake(one: Mapping[str, Any]) -> str:
    where = one.get("loc")
    path = ".".join(str(part) for part in where) if isinstance(where, list) else ""
    return f"{path}: {one.get('msg')}"


def is_full(said: str) -> bool:
    """Whether a server says that its queue is full, in the words of Triton and of Ray Serve."""
    return any(word in said for word in _FULL)


def _not_finite(body: bytes) -> bool:
    return any(word in body for word in (b"NaN", b"Infinity", b"nan", b"inf"))


def _retry_after(told: str | None) -> float:
    try:
        return max(0.1, min(float(told or 1.0), 3600.0))
    except ValueError:
        return 1.0
