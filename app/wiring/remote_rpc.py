"""How gRPC servers of models are called: the connection goes where the outbound guard permits it.

The name is resolved and judged before every call, as for HTTP; the connection that is held goes to
the judged addresses by their numbers and is given up when the name leads elsewhere. gRPC itself
resolves nothing, asks no proxy and unpacks nothing.
"""

import asyncio
import os
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache
from time import monotonic
from typing import Any

from app.security.outbound import (
    Allowed,
    Outbound,
    OutboundFailed,
    OutboundLimits,
    OutboundRefused,
    OutboundTimedOut,
    Resolve,
    Target,
)
from inference.errors import BadModel, DeadlineExceeded, ModelFailed, WorkerLost
from inference.runtimes.options import import_framework
from inference.runtimes.remote.address import plain_web
from inference.runtimes.remote.line import MOST_READ, MOST_SENT, Spoken

CONNECT_S = 5.0
_RESOLVE_S = 3.0
_MOMENT_S = 0.02
_OPTIONS = (
    ("grpc.max_receive_message_length", MOST_READ),
    ("grpc.max_send_message_length", MOST_SENT + 1024),
    # Neither a proxy nor settings from outside; what comes packed could be any size once unpacked.
    ("grpc.enable_http_proxy", 0),
    ("grpc.address_http_proxy_enabled_addresses", ""),
    ("grpc.service_config_disable_resolution", 1),
    ("grpc.compression_enabled_algorithms_bitset", 1),
    # Asking once more is decided above, and within the deadline.
    ("grpc.enable_retries", 0),
    # A connection of its own, that ends with it.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.min_reconnect_backoff_ms", int(CONNECT_S * 1000)),
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # While calls run, a peer that is gone is noticed; without calls nothing is sent, and after a
    # while the connection is given up. Servers take more frequent pings for an attack.
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
    ("grpc.keepalive_permit_without_calls", 0),
    ("grpc.client_idle_timeout_ms", 300_000),
)
_TOO_LONG = "CLIENT: Received message larger than max"
_HUNG_UP = (
    "stream removed", "socket closed", "connection reset", "broken pipe", "goaway", "keepalive",
)  # fmt: skip
"""How gRPC itself speaks of a connection that ended under a call."""
_BAD_GATEWAY = tuple(f"Received http2 header with status: {status}" for status in (502, 504))


@dataclass(eq=False)
class _Connection:
    """A connection, and how many calls use it."""

    channel: Any
    target: Target
    addresses: list[str]
    calls: int = 0
    retired: bool = False
    """It ends with its last call."""


class GuardedWire:
    """`inference.runtimes.remote.line.Wire` behind the outbound guard, of one server."""

    def __init__(
        self,
        server: str,
        allowed: Allowed,
        *,
        resolve: Resolve | None = None,
        roots: Callable[[], bytes | None] | None = None,
    ) -> None:
        """Take "grpc://host:port", or "grpcs://" for TLS.

        `roots` gives the certificates, as PEM, that a server's has to come from.

        Raises:
            MissingFramework: gRPC is not installed.
        """
        # The desk's children are other programs: nothing of gRPC has to live on in them, and the
        # pauses and words that it has for that at each start of one are not needed.
        os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
        self._aio: Any = import_framework("grpc.aio", framework="gRPC", extra="grpc")
        self._grpc: Any = import_framework("grpc", framework="gRPC", extra="grpc")
        self._url = plain_web(server)
        self._secure = server.startswith("grpcs")
        self._allowed = allowed
        self._resolve = resolve
        self._roots = roots or system_roots
        self._connection: _Connection | None = None
        self._closed = False

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
        until = monotonic() + timeout_s
        target, addresses = await self._judged(timeout_s)
        async with self._lent(target, addresses) as connection:
            left_s = max(0.0, until - monotonic())
            call = connection.channel.unary_unary(method)
            try:
                # The server is told how long it has. This side gives up a moment before whoever
                # asked does, so that the next call already takes another connection.
                async with asyncio.timeout(left_s - min(_MOMENT_S, left_s / 10)):
                    return Spoken(
                        "OK", await call(message, timeout=left_s, metadata=[*metadata.items()])
                    )
            except TimeoutError:
                raise _late(connection) from None
            except self._aio.AioRpcError as error:
                return self._said(error, connection)

    async def aclose(self) -> None:
        """Hang up; a call that is running ends first."""
        self._closed = True
        await self._retire(self._connection)

    async def _judged(self, timeout_s: float) -> tuple[Target, list[str]]:
        limits = OutboundLimits(resolve_s=min(_RESOLVE_S, timeout_s))
        outbound = Outbound(self._allowed, resolve=self._resolve, limits=limits)
        try:
            return await outbound.judge(self._url)
        except OutboundRefused as refused:
            await self._retire(self._connection)
            raise BadModel(f"deploymentUrl: {refused.reason}") from None
        except OutboundTimedOut as late:
            raise DeadlineExceeded(f"the server: {late.reason}") from None
        except OutboundFailed as failed:
            raise WorkerLost(f"the server cannot be reached. {failed.reason}") from None

    @asynccontextmanager
    async def _lent(self, target: Target, addresses: list[str]) -> AsyncIterator[_Connection]:
        """Lend the connection to these addresses; one to others is given up.

        Name servers turn their answers round, and that alone changes nothing.
        """
        held = self._connection
        if held is not None and not set(held.addresses) <= set(addresses):
            await self._retire(held)
        connection = self._connection
        if connection is None:
            connection = _Connection(self._open(target, addresses), target, addresses)
            self._connection = connection
        connection.calls += 1
        try:
            yield connection
        finally:
            connection.calls -= 1
            if self._closed or connection.retired:
                await self._retire(connection)

    def _open(self, target: Target, addresses: list[str]) -> Any:
        family = "ipv6" if ":" in addresses[0] else "ipv4"
        same = [address for address in addresses if (":" in address) == (family == "ipv6")]
        places = [f"[{one}]:{target.port}" if family == "ipv6" else f"{one}:{target.port}"
                  for one in same]  # fmt: skip
        shown = f"[{target.host}]" if ":" in target.host else target.host
        options = [*_OPTIONS, ("grpc.default_authority", f"{shown}:{target.port}")]
        where = f"{family}:{','.join(places)}"
        if not self._secure:
            return self._aio.insecure_channel(where, options=options)
        options.append(("grpc.ssl_target_name_override", target.host))
        trusted = self._grpc.ssl_channel_credentials(root_certificates=self._roots())
        return self._aio.secure_channel(where, trusted, options=options)

    async def _retire(self, connection: _Connection | None) -> None:
        """Use a connection no more, and end it when no call uses it."""
        if connection is None:
            return
        connection.retired = True
        if self._connection is connection:
            self._connection = None
        if connection.calls == 0:
            await connection.channel.close()

    def _said(self, error: Any, connection: _Connection) -> Spoken:
        code, details = error.code().name, error.details() or ""
        if code == "DEADLINE_EXCEEDED":
            raise _late(connection)
        if code == "RESOURCE_EXHAUSTED" and _TOO_LONG in details:
            raise ModelFailed(f"the server's answer is longer than {MOST_READ:,} bytes")
        if code == "UNAVAILABLE" and details.startswith(_BAD_GATEWAY):
            raise WorkerLost(f"what stands before the server cannot reach it: {details[-3:]}")
        # A server that says so itself is still connected; that it is not is known a little later
        # than that the call has ended.
        up = connection.channel.get_state() is self._grpc.ChannelConnectivity.READY
        if code == "UNAVAILABLE" and (not up or any(word in details.lower() for word in _HUNG_UP)):
            connection.retired = True  # the next call connects at once, without a pause
            raise WorkerLost(f"the server cannot be reached. {_in_words(details)}")
        return Spoken(code, b"", details, _retry_after_s(error.trailing_metadata()))


def _late(connection: _Connection) -> DeadlineExceeded:
    connection.retired = True  # it may be the connection that hangs
    return DeadlineExceeded("the server did not answer in time")


@cache
def system_roots() -> bytes | None:
    """Return the certificates that this system trusts, as PEM; None where it names none."""
    found = ssl.create_default_context().get_ca_certs(binary_form=True)
    return "".join(map(ssl.DER_cert_to_PEM_cert, found)).encode() or None


def _in_words(details: str) -> str:
    """Return what went wrong without an address in it."""
    if "WRONG_VERSION_NUMBER" in details:  # it answers in plain text
        return "No secure connection could be made."
    if "certificate" in details.lower() or "Hostname Verification" in details:
        return "Its certificate is not valid."
    if "handshake" in details.lower():
        return "No secure connection could be made."
    if "HTTP/2" in details or "http1" in details:
        return "What answers there does not speak gRPC."
    if "connect" in details.lower() and "reset" not in details.lower():
        return "No connection could be made."
    return "The connection was closed before there was an answer."


def _retry_after_s(metadata: Any) -> float | None:
    """Return after how many seconds the server wants to be asked again, if it says so."""
    for key, value in metadata or ():
        if key == "grpc-retry-pushback-ms" and str(value).isdecimal() and len(value) < 10:
            return max(0.1, min(int(value) / 1000.0, 3600.0))
    return None
