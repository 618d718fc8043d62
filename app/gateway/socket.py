"""The websocket door: takes handshakes, keeps count of sockets, watches over their credentials.

A plain ASGI application. It costs nothing per idle socket but its memory: one shared ticker looks
after all of them, and the server's own pings find the dead ones.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Self, TypeVar

import msgspec
import structlog

from app.domain.errors import Unavailable
from app.domain.ids import UserId
from app.domain.principal import Principal
from app.gateway.asgi_wire import AsgiWire
from app.gateway.handshake import Credential, RefusedHandshake, read_handshake
from app.gateway.outbox import Outbox
from app.gateway.ports import Origins, Wire
from app.gateway.session import RECHECK_S, Services, Session
from app.protocol.close_codes import CloseCode
from app.protocol.connection import Connection, Limits

log = structlog.get_logger(__name__)

_Key = TypeVar("_Key")

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]

_CLOSING_S = 5.0

WIRE_EXTENSION = "outcry.wire"
"""In `scope["extensions"]`: the server's own `Wire` for this socket (`direct_wire.py`)."""


class GatewayPolicy(msgspec.Struct, frozen=True):
    """How many sockets there may be and how patient the door is."""

    sockets_per_principal: int = 200
    sockets_per_address: int = 10_000
    sockets: int = 20_000
    hello_s: float = 5.0
    recheck_s: float = RECHECK_S
    connection: Limits = Limits()


class Gateway:
    """All websockets of this process. Enter it to start the ticker; leave it to close them."""

    def __init__(
        self, services: Services, origins: Origins, policy: GatewayPolicy | None = None
    ) -> None:
        self._services = services
        self._origins = origins
        self._policy = policy or GatewayPolicy()
        self._sessions: dict[Outbox, Session] = {}
        self._streaming: set[Outbox] = set()
        self._by_user: Counter[UserId] = Counter()
        self._by_address: Counter[str] = Counter()
        self._ticker: asyncio.Task[None] | None = None
        self._closing = False

    async def __aenter__(self) -> Self:
        self._ticker = asyncio.create_task(self._tick(), name="gateway ticker")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        self.close_all()
        if self._ticker is not None:
            self._ticker.cancel()
            await asyncio.wait({self._ticker})

    def __len__(self) -> int:
        """Count open sockets, for metrics."""
        return len(self._sessions)

    def close_all(self) -> None:
        """Tell every client to connect again and resume; take no more."""
        self._closing = True
        for session in self._sessions.values():
            session.outbox.close(CloseCode.RESTARTING, "restarting")

    def close_credential(self, credential_id: str) -> None:
        """Close the sockets of a session or key that was revoked in this process, at once."""
        for session in self._sessions.values():
            if session.principal.credential_id == credential_id:
                session.outbox.close(CloseCode.NOT_SIGNED_IN, "signed out", drop=True)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request for the socket's path."""
        if scope["type"] != "websocket":
            await _answer_http(send, RefusedHandshake(426, "upgrade_required", "Use a websocket."))
            return
        await receive()  # websocket.connect
        query_string = scope.get("query_string", b"")
        # The server logs the address of every handshake; a secret in it must not get there.
        scope["query_string"] = b""
        address = (scope.get("client") or ("", 0))[0]
        if refused := self._full(address):
            await self._refuse(scope, send, refused)
            return
        self._by_address[address] += 1
        try:
            principal = await self._authenticate(scope, query_string)
            if isinstance(principal, RefusedHandshake):
                await self._refuse(scope, send, principal)
                return
            self._by_user[principal.user_id] += 1
            try:
                await self._serve(scope, receive, send, principal)
            finally:
                _count_down(self._by_user, principal.user_id)
        finally:
            _count_down(self._by_address, address)

    # --- handshake ----------------------------------------------------------------------------

    def _full(self, address: str) -> RefusedHandshake | None:
        if self._closing:
            return RefusedHandshake(503, "restarting", "The server is restarting.", 2)
        if (
            self._by_address[address] >= self._policy.sockets_per_address
            or len(self._sessions) >= self._policy.sockets
        ):
            return RefusedHandshake(429, "too_many_sockets", "Too many sockets are open.", 5)
        return None

    async def _authenticate(
        self, scope: Scope, query_string: bytes
    ) -> Principal | RefusedHandshake:
        credential = read_handshake(scope["headers"], query_string, self._origins)
        if isinstance(credential, RefusedHandshake):
            return credential
        try:
            principal = await self._holder(credential)
        except Unavailable as unavailable:
            return RefusedHandshake(503, unavailable.code, unavailable.message, 2)
        if principal is None:
            return RefusedHandshake(401, "unauthenticated", "Sign in first.")
        if not principal.may("chat"):
            return RefusedHandshake(403, "forbidden", "This key does not carry the scope 'chat'.")
        if self._by_user[principal.user_id] >= self._policy.sockets_per_principal:
            return RefusedHandshake(429, "too_many_sockets", "Too many sockets are open.", 5)
        return principal

    async def _holder(self, credential: Credential) -> Principal | None:
        if credential.kind == "session":
            return await self._services.authenticator.by_session(credential.secret)
        return await self._services.authenticator.by_api_key(credential.secret)

    async def _refuse(self, scope: Scope, send: Send, refused: RefusedHandshake) -> None:
        client = (scope.get("client") or ("", 0))[0]
        log.info("gateway.refused", status=refused.status, code=refused.code, client=client)
        if "websocket.http.response" in scope.get("extensions", {}):
            await _answer_http(send, refused, prefix="websocket.http.response")
        else:
            await send({"type": "websocket.close", "code": 1008, "reason": refused.code})

    # --- service ------------------------------------------------------------------------------

    async def _serve(
        self, scope: Scope, receive: Receive, send: Send, principal: Principal
    ) -> None:
        await send({"type": "websocket.accept"})
        loop = asyncio.get_running_loop()
        wire: Wire | None = scope.get("extensions", {}).get(WIRE_EXTENSION)
        drain = None
        if wire is None:
            wire = queue = AsgiWire(send)
            drain = queue.drain
        connection = Connection(self._policy.connection, now=loop.time())
        outbox = Outbox(wire, self._streaming)
        session = Session(
            self._services, principal, connection, outbox, loop, hello_s=self._policy.hello_s
        )
        self._sessions[outbox] = session
        if self._closing:
            session.outbox.close(CloseCode.RESTARTING, "restarting")
        failed = False
        try:
            await session.run(receive, drain)
        except* OSError:
            log.info("gateway.client_stuck", user_id=str(principal.user_id))
        except* Exception as failures:
            log.exception("gateway.socket_failed", failures=len(failures.exceptions))
            failed = True
        finally:
            del self._sessions[outbox]
        if failed:
            with suppress(OSError, RuntimeError):
                async with asyncio.timeout(_CLOSING_S):
                    await send({"type": "websocket.close", "code": CloseCode.FAILED})

    async def _tick(self) -> None:
        """Look again at the credentials of all sockets that were sent events meanwhile."""
        while True:
            await asyncio.sleep(self._policy.recheck_s)
            streaming = [self._sessions[outbox] for outbox in self._streaming]
            if streaming:
                try:
                    await self._recheck(streaming)
                except Unavailable:
                    # Nothing durable can be written or shown meanwhile either; ask again soon.
                    log.warning("gateway.recheck_waits", sockets=len(streaming))
                except Exception:
                    log.exception("gateway.recheck_failed", sockets=len(streaming))

    async def _recheck(self, sessions: list[Session]) -> None:
        """Ask once per credential, however many sockets it has."""
        holders = {session.principal.credential_id: session.principal for session in sessions}
        found = await self._services.authenticator.recheck(list(holders.values()))
        now = asyncio.get_running_loop().time()
        rights = dict(zip(holders, found, strict=True))
        for session in sessions:
            session.apply_rights(rights[session.principal.credential_id], now)


def _count_down(counter: Counter[_Key], key: _Key) -> None:
    counter[key] -= 1
    if counter[key] <= 0:
        del counter[key]


async def _answer_http(
    send: Send, refused: RefusedHandshake, prefix: str = "http.response"
) -> None:
    body = msgspec.json.encode(
        {
            "type": "about:blank",
            "title": refused.message,
            "status": refused.status,
            "detail": refused.message,
            "code": refused.code,
        }
    )
    headers = [
        (b"content-type", b"application/problem+json"),
        (b"content-length", b"%d" % len(body)),
    ]
    if refused.retry_after_s is not None:
        headers.append((b"retry-after", b"%d" % refused.retry_after_s))
    if refused.status == 426:
        headers.append((b"upgrade", b"websocket"))
    await send({"type": f"{prefix}.start", "status": refused.status, "headers": headers})
    await send({"type": f"{prefix}.body", "body": body})
