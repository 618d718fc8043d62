"""The short way to `/v2/models/{name}/infer`, for programs that sign in with a key.

A small network answers in less time than the layers of a web framework take, so the plain case of
this one route passes them by: a POST of known length with a bearer that may read. Every other
request, refused ones among them, goes on to the application, which has the same route.
"""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, NamedTuple, TypeAlias

from app.domain.errors import Refusal
from app.domain.ids import UserId
from app.domain.principal import Principal
from app.doors.infer import JSON_LENGTH, Reply, answer, of_crash, of_inference, of_refusal
from app.services.models.model_calls import ModelCalls
from inference.errors import InferenceError

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
Application: TypeAlias = Callable[[Any, Any, Any], Awaitable[None]]

REPLY_EXTENSION = "outcry.reply"
"""By which a server takes a whole 200 at once: `(headers, body) -> bool`; `http_wire.Reply`."""

_BEFORE, _AFTER = "/v2/models/", "/infer"
_JSON_LENGTH = JSON_LENGTH.encode()


class _Asked(NamedTuple):
    name: str
    version: str | None
    key: str
    json_length: str | None


class DirectInfer:
    """An ASGI application in front of another."""

    def __init__(
        self,
        app: Application,
        calls: ModelCalls,
        *,
        by_key: Callable[[str], Awaitable[Principal | None]],
        headers: Sequence[tuple[bytes, bytes]],
        max_body: int,
    ) -> None:
        self._app = app
        self._calls = calls
        self._by_key = by_key
        self._headers = [*headers, (b"cache-control", b"no-store")]
        plain = [(b"content-type", b"application/json"), *self._headers]
        self._plain_head = b"".join(b"%b: %b\r\n" % header for header in plain)
        self._max_body = max_body

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request, or let the application do it."""
        asked = self._plain(scope) if scope["type"] == "http" else None
        principal = None if asked is None else await self._who(asked.key)
        if asked is None or principal is None or not principal.may("read"):
            await self._app(scope, receive, send)
            return
        body = await _body(receive)
        if body is None:
            return
        reply = await self._reply(asked, body, scope["path"], principal.user_id)
        write = scope.get("extensions", {}).get(REPLY_EXTENSION)
        if write is not None and reply.status == 200 and not reply.headers:
            head = b"%bcontent-length: %d\r\n" % (self._plain_head, len(reply.body))
            if write(head, reply.body):
                return
        await self._send(reply, send)

    def _plain(self, scope: Message) -> _Asked | None:
        """Return what is asked; None when it is not the plain case."""
        path: str = scope["path"]
        if not path.startswith(_BEFORE) or not path.endswith(_AFTER) or scope["method"] != "POST":
            return None
        name, slash, version = path[len(_BEFORE) : -len(_AFTER)].partition("/versions/")
        if not name or "/" in name or "/" in version or (slash and not version):
            return None
        key = length = json_length = None
        for header, value in scope["headers"]:
            if header == b"authorization":
                if key is not None or value[:7].lower() != b"bearer ":
                    return None
                key = value[7:].strip().decode("latin-1")
            elif header == b"content-length":
                length = value
            elif header == _JSON_LENGTH:
                json_length = value.decode("latin-1")
        if not key or length is None or not length.isdigit() or int(length) > self._max_body:
            return None
        return _Asked(name, version or None, key, json_length)

    async def _who(self, key: str) -> Principal | None:
        try:
            return await self._by_key(key)
        except Exception:  # the application meets the same, and knows how to say it
            return None

    async def _reply(self, asked: _Asked, body: bytes, path: str, user_id: UserId) -> Reply:
        try:
            served = await self._calls.find(asked.name, asked.version)
            return await answer(
                self._calls, served, body, json_length=asked.json_length, user_id=user_id
            )
        except Refusal as refusal:
            return of_refusal(refusal)
        except InferenceError as error:
            return of_inference(error)
        except Exception as error:  # the outermost boundary of a request
            return of_crash(path, error)

    async def _send(self, reply: Reply, send: Send) -> None:
        headers = [
            (b"content-type", reply.media_type.encode()),
            (b"content-length", b"%d" % len(reply.body)),
            *self._headers,
        ]
        headers += [(name.lower().encode(), value.encode()) for name, value in reply.headers]
        await send({"type": "http.response.start", "status": reply.status, "headers": headers})
        await send({"type": "http.response.body", "body": reply.body, "more_body": False})


async def _body(receive: Receive) -> bytes | None:
    """Return the whole body, None when the client has gone; the server keeps to its length."""
    parts: list[bytes] = []
    while (message := await receive())["type"] == "http.request":
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return parts[0] if len(parts) == 1 else b"".join(parts)
    return None
