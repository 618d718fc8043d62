"""Requests really sent, to a receiver on this machine."""

import asyncio
import errno
from collections.abc import AsyncIterator, Callable, Sequence

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from app.security.outbound import (
    Allowed,
    Outbound,
    OutboundFailed,
    OutboundLimits,
    OutboundRefused,
    OutboundTimedOut,
)

QUICK = OutboundLimits(total_s=0.3, connect_s=0.3, resolve_s=0.3, most_read=100, most_sent=50)


class Receiver:
    """An HTTP server that remembers what came."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, bytes]] = []
        self.host_headers: list[str] = []
        self.accepted: list[str] = []

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.requests.append((request.method, request.path_qs, await request.read()))
        self.host_headers.append(request.headers["Host"])
        self.accepted.append(request.headers.get("Accept-Encoding", ""))
        match request.path:
            case "/redirect":
                return web.Response(status=302, headers={"Location": "/elsewhere"})
            case "/long":
                return web.Response(body=b"x" * 10_000)
            case "/whole":
                return web.Response(body=b"y" * 700_000)
            case "/cut":
                answer = web.StreamResponse(headers={"Content-Length": "1000"})
                await answer.prepare(request)
                await answer.write(b"y" * 10)
                if request.transport is not None:
                    request.transport.abort()
                return answer
            case "/never":
                await asyncio.sleep(30)
        return web.Response(status=201, text="taken", headers={"X-Said": "so"})


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
async def port(receiver: Receiver) -> AsyncIterator[int]:
    app = web.Application(client_max_size=4 * 2**20)
    app.router.add_route("*", "/{tail:.*}", receiver.take)
    async with TestServer(app, host="127.0.0.1") as server:
        assert server.port is not None
        yield server.port


def resolving(*answers: Sequence[str]) -> Callable[[str, int], object]:
    """Return a resolver that gives one answer after another, as a rebinding name server does."""
    left = list(answers)

    async def resolve(host: str, port: int) -> Sequence[str]:
        return left.pop(0)

    return resolve


async def test_a_listed_place_is_sent_to_and_its_answer_read(receiver: Receiver, port: int) -> None:
    outbound = Outbound(Allowed.read([f"127.0.0.1:{port}"]))
    answer = await outbound.send("POST", f"http://127.0.0.1:{port}/hook?a=1", body=b"{}")
    assert (answer.status, answer.body, answer.cut) == (201, b"taken", False)
    assert answer.headers["x-said"] == "so"
    assert receiver.requests == [("POST", "/hook?a=1", b"{}")]


async def test_nothing_is_sent_to_this_machine_unless_listed(receiver: Receiver, port: int) -> None:
    for url in (f"http://127.0.0.1:{port}/", f"http://localhost:{port}/"):
        with pytest.raises(OutboundRefused):
            await Outbound().send("GET", url)
    assert receiver.requests == []


@pytest.mark.parametrize(
    "addresses",
    [
        ["127.0.0.1"],
        ["93.184.216.34", "127.0.0.1"],
        ["10.0.0.7"],
        ["169.254.169.254"],
        ["::1"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["2002:7f00:1::"],
        ["fe80::1%eth0"],
        ["not-an-address"],
    ],
)
async def test_a_public_name_that_leads_inside_is_refused(addresses: list[str]) -> None:
    outbound = Outbound(resolve=resolving(addresses))  # type: ignore[arg-type]
    with pytest.raises(OutboundRefused):
        await outbound.send("GET", "http://hooks.example.com/")


async def test_a_name_that_is_rebound_after_it_was_judged_leads_nowhere_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The name server says this machine the second time it is asked; nobody asks it again."""
    asked: list[str] = []
    connected: list[tuple[str, int]] = []

    async def rebinding(host: str, port: int) -> Sequence[str]:
        asked.append(host)
        return ["8.8.8.8"] if len(asked) == 1 else ["127.0.0.1"]

    async def connect(_: object, address: tuple[str, int]) -> None:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(asyncio.get_running_loop(), "sock_connect", connect)
    with pytest.raises(OutboundFailed, match="No connection"):
        await Outbound(resolve=rebinding, limits=QUICK).send("GET", "http://hooks.example.com/")
    assert asked == ["hooks.example.com"]
    assert connected == [("8.8.8.8", 80)]


async def test_the_judged_address_is_used_and_the_name_is_still_told(
    receiver: Receiver, port: int
) -> None:
    outbound = Outbound(
        Allowed.read([f"hooks.internal:{port}"]),
        resolve=resolving(["127.0.0.1"], ["203.0.113.9"]),  # type: ignore[arg-type]
    )
    answer = await outbound.send("GET", f"http://hooks.internal:{port}/x")
    assert answer.address == "127.0.0.1"
    assert receiver.host_headers == [f"hooks.internal:{port}"]


async def test_a_redirect_is_an_answer_and_is_not_followed(receiver: Receiver, port: int) -> None:
    outbound = Outbound(Allowed.read([f"127.0.0.1:{port}"]))
    answer = await outbound.send("GET", f"http://127.0.0.1:{port}/redirect")
    assert answer.status == 302
    assert len(receiver.requests) == 1


async def test_long_answers_are_cut_and_long_bodies_not_sent(receiver: Receiver, port: int) -> None:
    outbound = Outbound(Allowed.read([f"127.0.0.1:{port}"]), limits=QUICK)
    answer = await outbound.send("GET", f"http://127.0.0.1:{port}/long")
    assert (len(answer.body), answer.cut) == (100, True)
    with pytest.raises(OutboundRefused, match="51 bytes"):
        await outbound.send("POST", f"http://127.0.0.1:{port}/", body=b"x" * 51)
    assert len(receiver.requests) == 1


async def test_a_body_of_megabytes_arrives_whole(receiver: Receiver, port: int) -> None:
    body = bytes(range(256)) * 3_000  # aiohttp warns of more than a megabyte in one piece
    body += body
    wide = Outbound(Allowed.read([f"127.0.0.1:{port}"]), limits=OutboundLimits(most_sent=len(body)))
    await wide.send("POST", f"http://127.0.0.1:{port}/whole", body=body)
    assert receiver.requests == [("POST", "/whole", body)]


async def test_nothing_packed_is_asked_for_because_nothing_is_unpacked(
    receiver: Receiver, port: int
) -> None:
    outbound = Outbound(Allowed.read([f"127.0.0.1:{port}"]))
    await outbound.send("GET", f"http://127.0.0.1:{port}/")
    await outbound.send("GET", f"http://127.0.0.1:{port}/", headers={"Accept-Encoding": "br"})
    assert receiver.accepted == ["identity", "br"]


async def test_a_silent_receiver_is_given_up(port: int) -> None:
    outbound = Outbound(Allowed.read([f"127.0.0.1:{port}"]), limits=QUICK)
    with pytest.raises(OutboundTimedOut, match="no answer within"):
        await outbound.send("GET", f"http://127.0.0.1:{port}/never")


async def test_a_closed_port_and_an_unknown_name_are_failures_not_refusals() -> None:
    async def unknown(host: str, port: int) -> Sequence[str]:
        raise OSError("no such name")

    closed = Outbound(Allowed.read(["127.0.0.1:1"]), limits=QUICK)
    with pytest.raises(OutboundFailed, match="No connection"):
        await closed.send("GET", "http://127.0.0.1:1/")
    with pytest.raises(OutboundFailed, match="not known"):
        await Outbound(resolve=unknown).send("GET", "http://nowhere.example.com/")


async def test_a_name_server_that_does_not_answer_is_given_up() -> None:
    async def silent(host: str, port: int) -> Sequence[str]:
        await asyncio.sleep(30)
        return []

    with pytest.raises(OutboundTimedOut, match="not found within"):
        await Outbound(resolve=silent, limits=QUICK).send("GET", "http://slow.example.com/")


async def test_a_proxy_of_the_environment_is_not_asked(
    receiver: Receiver, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    outbound = Outbound(Allowed.read([f"127.0.0.1:{port}"]))
    assert (await outbound.send("GET", f"http://127.0.0.1:{port}/")).status == 201


async def test_a_download_is_written_piece_by_piece_and_ends_at_its_limit(port: int) -> None:
    outbound = Outbound(Allowed.read([f"127.0.0.1:{port}"]), limits=QUICK)
    parts: list[bytes] = []
    url = f"http://127.0.0.1:{port}/whole"
    size = await outbound.download(url, parts.append, most=1_000_000, total_s=5)
    assert b"".join(parts) == b"y" * size
    assert size == 700_000
    with pytest.raises(OutboundFailed, match="more bytes than the 699,999 that are allowed"):
        await outbound.download(url, parts.append, most=699_999, total_s=5)


async def test_a_download_that_does_not_come_whole_or_at_all_fails(port: int) -> None:
    outbound = Outbound(Allowed.read([f"127.0.0.1:{port}"]), limits=QUICK)
    base = f"http://127.0.0.1:{port}"
    for path, words in (
        ("/redirect", "answered 302 instead of 200"),
        ("/never", "no answer within 0.3 seconds"),
        ("/cut", "closed|no HTTP answer"),
    ):
        with pytest.raises(OutboundFailed, match=words):
            await outbound.download(base + path, lambda _: None, most=1_000_000, total_s=0.3)
    with pytest.raises(OutboundRefused):
        await outbound.download("http://10.0.0.1/x", lambda _: None, most=10, total_s=0.3)


async def test_a_disk_that_is_full_is_not_called_the_lines_fault(port: int) -> None:
    outbound = Outbound(Allowed.read([f"127.0.0.1:{port}"]), limits=QUICK)

    def full(_: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        await outbound.download(f"http://127.0.0.1:{port}/whole", full, most=1_000_000, total_s=5)
