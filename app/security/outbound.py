"""The one way out of this server to an address that somebody else chose.

A webhook, a tool's endpoint or a tool server is reached through `Outbound.send` and through nothing
else: the name is resolved once, every address it stands for is judged, and the connection goes to a
judged address, so that a second look-up cannot lead somewhere else. No redirect is followed, no
proxy asked, no credentials are taken from the address, and size and time are bounded.

What is reachable on purpose (a receiver on this machine, a service in one's own network) stands in
`OUTCRY_OUTBOUND_ALLOW`.
"""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from io import BytesIO

import aiohttp
import msgspec
import yarl
from aiohttp.abc import AbstractResolver, ResolveResult

from app.security.addresses import (
    Allowed,
    OutboundRefused,
    Target,
    judge_address,
    parse_place,
    parse_target,
)

__all__ = [
    "Allowed",
    "Answer",
    "Outbound",
    "OutboundAnswered",
    "OutboundFailed",
    "OutboundLimits",
    "OutboundRefused",
    "OutboundTimedOut",
    "Resolve",
    "Target",
]

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Host and port -> IP addresses as text. Raises OSError when the name is not known."""


_PIECE = 256 * 1024
"""Bytes of a body that leave at once."""


class OutboundFailed(Exception):
    """The address is permitted but could not be talked to: not now, perhaps later."""

    may_pass = False
    """Asking again may help: a connection broke or was not taken."""

    def __init__(self, reason: str, *, may_pass: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.may_pass = may_pass


class OutboundTimedOut(OutboundFailed):
    """There was no answer in the time that it was given."""


class OutboundAnswered(OutboundFailed):
    """It answered, with another status than was wanted."""

    def __init__(self, status: int, headers: Mapping[str, str]) -> None:
        super().__init__(f"The server answered {status} instead of 200.")
        self.status = status
        self.headers = headers
        """Names in small letters."""


class OutboundLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How long and how much."""

    resolve_s: float = 3.0
    connect_s: float = 5.0
    total_s: float = 10.0
    most_sent: int = 256 * 1024
    """Bytes of a request's body."""
    most_read: int = 64 * 1024
    """Bytes of an answer's body; the rest is not read."""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What came back."""

    status: int
    headers: dict[str, str]
    """Names in small letters."""
    body: bytes
    """As sent: not unpacked, and cut at `most_read`."""
    cut: bool
    """There was more than was read."""
    address: str
    """The IP address that was talked to."""
    duration_ms: int


class Outbound:
    """Sends requests to addresses that others chose."""

    def __init__(
        self,
        allowed: Allowed | None = None,
        *,
        resolve: Resolve | None = None,
        limits: OutboundLimits | None = None,
    ) -> None:
        self._allowed = allowed or Allowed()
        self._resolve = resolve or system_resolve
        self._limits = limits or OutboundLimits()

    def check(self, url: str) -> None:
        """Judge what can be judged without asking anybody: the form, the port, a literal address.

        Raises:
            OutboundRefused: it will never be sent to.
        """
        parse_target(url, self._allowed)

    async def judge(self, url: str) -> tuple[Target, list[str]]:
        """Return a target and the addresses that its name stands for now, all of them permitted.

        For what speaks another protocol than HTTP: it connects to these and to no others.

        Raises:
            OutboundRefused: the address is not permitted.
            OutboundTimedOut: its name was not found in time.
            OutboundFailed: its name is not known.
        """
        target = parse_target(url, self._allowed)
        return target, await self._addresses(target)

    async def addresses(self, host: str, port: int, *, ports: frozenset[int]) -> list[str]:
        """Return the judged IP addresses of a place that is no web address, such as a database.

        Whoever connects must go to one of these, not ask for the name a second time. Public ones
        are permitted on `ports`.

        Raises:
            OutboundRefused: it is not permitted.
            OutboundFailed: its name is not known.
        """
        return await self._addresses(parse_place(host, port, self._allowed, ports=ports))

    async def send(
        self,
        method: str,
        url: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Send one request and return what came back, whatever its status.

        Raises:
            OutboundRefused: the address is not permitted; nothing was sent.
            OutboundTimedOut: it did not answer in time.
            OutboundFailed: it could not be reached.
        """
        limits = self._limits
        if len(body) > limits.most_sent:
            raise OutboundRefused(
                f"The body has {len(body):,} bytes; {limits.most_sent:,} may be sent."
            )
        clock = asyncio.get_running_loop().time
        began = clock()
        async with self._asked(method, url, limits, body=body, headers=headers) as (response, used):
            read, cut = await _read(response, limits.most_read)
            return Answer(
                status=response.status,
                headers={name.lower(): value for name, value in response.headers.items()},
                body=read,
                cut=cut,
                address=used[-1],
                duration_ms=round((clock() - began) * 1000),
            )

    async def download(
        self,
        url: str,
        write: Callable[[bytes], object],
        *,
        most: int,
        total_s: float,
        headers: Mapping[str, str] | None = None,
        heard: Callable[[Mapping[str, str]], None] = lambda _: None,
    ) -> int:
        """Give the body of a GET to `write`, piece by piece, and return how many bytes it had.

        `write` is called in a thread, because it may have to wait for a disk; `heard` gets the
        answer's headers, their names in small letters.

        Raises:
            OutboundRefused: the address is not permitted; nothing was sent.
            OutboundAnswered: it did not answer 200.
            OutboundFailed: it could not be reached, or did not answer whole, or with more than
                `most` bytes.
            OSError: `write` failed.
        """
        limits = msgspec.structs.replace(self._limits, total_s=total_s)
        size = 0
        failure: OSError | None = None
        async with self._asked("GET", url, limits, headers=headers) as (response, _):
            said = {name.lower(): value for name, value in response.headers.items()}
            if response.status != 200:
                raise OutboundAnswered(response.status, said)
            heard(said)
            async for part in response.content.iter_chunked(256 * 1024):
                size += len(part)
                if size > most:
                    raise OutboundFailed(f"It has more bytes than the {most:,} that are allowed.")
                try:
                    await asyncio.to_thread(write, part)
                except OSError as error:
                    # The disk's trouble, not the line's: told apart outside.
                    failure = error
                    break
        if failure is not None:
            raise failure
        return size

    @asynccontextmanager
    async def _asked(
        self,
        method: str,
        url: str,
        limits: OutboundLimits,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[tuple[aiohttp.ClientResponse, list[str]]]:
        """Ask, and lend the answer together with the addresses that were talked to."""
        target = parse_target(url, self._allowed)
        addresses = await self._addresses(target)
        used: list[str] = []

        def open_socket(found: aiohttp.AddrInfoType) -> socket.socket:
            """Open a socket to a judged address: the last word before anything is sent."""
            family, kind, protocol, _, where = found
            if where[0] not in addresses:
                raise OSError(f"{where[0]} was not judged")
            used.append(str(where[0]))
            opened = socket.socket(family, kind, protocol)
            opened.setblocking(False)
            return opened

        connector = aiohttp.TCPConnector(
            resolver=_Judged(target, addresses),
            use_dns_cache=False,
            force_close=True,
            socket_factory=open_socket,
        )
        timeout = aiohttp.ClientTimeout(total=limits.total_s, sock_connect=limits.connect_s)
        try:
            async with (
                aiohttp.ClientSession(
                    connector=connector,
                    timeout=timeout,
                    # Neither a proxy nor a .netrc of this machine.
                    trust_env=False,
                    cookie_jar=aiohttp.DummyCookieJar(),
                    auto_decompress=False,
                ) as session,
                session.request(
                    method,
                    # As it was judged: not read, and perhaps changed, a second time.
                    yarl.URL(target.url, encoded=True),
                    # A long one goes in pieces: the loop has others to serve meanwhile.
                    data=(BytesIO(body) if len(body) > _PIECE else body) or None,
                    # What comes back is not unpacked here: many servers pack what may be packed.
                    headers={"Accept-Encoding": "identity", **(headers or {})},
                    allow_redirects=False,
                ) as response,
            ):
                yield response, used
        except TimeoutError:
            raise OutboundTimedOut(
                f"There was no answer within {limits.total_s:g} seconds."
            ) from None
        except (aiohttp.ClientError, OSError) as error:
            broken = ConnectionError | aiohttp.ClientConnectionError | aiohttp.ClientPayloadError
            passing = isinstance(error, broken)
            secure = not isinstance(error, aiohttp.ClientSSLError)
            raise OutboundFailed(_in_words(error), may_pass=passing and secure) from None

    async def _addresses(self, target: Target) -> list[str]:
        """Resolve a target's name, once, and return its addresses if every one is permitted."""
        if target.address is not None:
            return [target.address]
        try:
            async with asyncio.timeout(self._limits.resolve_s):
                found = await self._resolve(target.host, target.port)
        except TimeoutError:
            raise OutboundTimedOut(
                f"The name {target.host} was not found within {self._limits.resolve_s:g} seconds."
            ) from None
        except (OSError, UnicodeError):
            raise OutboundFailed(f"The name {target.host} is not known.") from None
        if not found:
            raise OutboundFailed(f"The name {target.host} is not known.")
        # One private address among public ones is a trap, not a choice.
        return [judge_address(address, target) for address in found]


class _Judged(AbstractResolver):
    """Gives the connector the addresses that were judged, and no others."""

    def __init__(self, target: Target, addresses: Sequence[str]) -> None:
        self._target = target
        self._addresses = addresses

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if host != self._target.host:
            raise OSError(f"{host} was not judged")
        return [
            ResolveResult(
                hostname=host,
                host=address,
                port=port,
                family=socket.AF_INET6 if ":" in address else socket.AF_INET,
                proto=0,
                flags=socket.AI_NUMERICHOST,
            )
            for address in self._addresses
        ]

    async def close(self) -> None:
        """There is nothing to close."""


async def system_resolve(host: str, port: int) -> list[str]:
    """Ask the system's resolver."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


async def _read(response: aiohttp.ClientResponse, most: int) -> tuple[bytes, bool]:
    parts: list[bytes] = []
    size = 0
    async for part in response.content.iter_chunked(16 * 1024):
        parts.append(part)
        size += len(part)
        if size > most:
            return b"".join(parts)[:most], True
    return b"".join(parts), False


def _in_words(error: BaseException) -> str:
    """Return what went wrong without an address or a body in it."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "Its certificate is not valid."
    if isinstance(error, aiohttp.ClientSSLError):
        return "No secure connection could be made."
    if isinstance(error, aiohttp.ClientConnectorError | ConnectionRefusedError):
        return "No connection could be made."
    if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionError):
        return "The connection was closed before there was an answer."
    return "What came back is no HTTP answer."
