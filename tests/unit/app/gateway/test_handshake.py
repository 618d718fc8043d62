"""Who gets in, decided before the upgrade and without looking at a session needlessly."""

from typing import Any

import msgspec
import pytest

from app.gateway.handshake import Credential, RefusedHandshake, read_handshake

COOKIE = (b"cookie", b"theme=dark; outcry_session=mine; x=1")
BEARER = (b"authorization", b"Bearer my-key")
HOST = (b"host", b"desk.example")


class OwnOrigin:
    def allows(self, origin: str, *, host: str) -> bool:
        return origin == f"https://{host}"


def origin(value: str) -> tuple[bytes, bytes]:
    return (b"origin", value.encode())


OURS = origin("https://desk.example")


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param([COOKIE, origin("https://evil.example")], 403, id="foreign"),
        pytest.param([COOKIE, origin("null")], 403, id="null"),
        pytest.param([COOKIE], 403, id="missing with a cookie"),
        pytest.param([COOKIE, origin("https://desk.example.evil")], 403, id="look-alike suffix"),
        pytest.param([COOKIE, origin("https://evildesk.example")], 403, id="look-alike prefix"),
        pytest.param([COOKIE, origin("http://desk.example")], 403, id="other scheme"),
        pytest.param([COOKIE, origin("https://desk.example:8443")], 403, id="other port"),
        pytest.param([COOKIE, origin("")], 403, id="empty"),
        pytest.param([COOKIE, OURS, origin("https://evil.example")], 403, id="two origins"),
        pytest.param([COOKIE, OURS, OURS], 403, id="ours twice"),
        pytest.param([BEARER, origin("https://evil.example")], 403, id="bearer from elsewhere"),
        pytest.param([BEARER, COOKIE, origin("null")], 403, id="bearer and cookie, null"),
        pytest.param([origin("https://evil.example")], 403, id="foreign without credential"),
        pytest.param([], 401, id="nothing"),
        pytest.param([OURS], 401, id="ours without credential"),
        pytest.param([(b"cookie", b"other=1"), OURS], 401, id="other cookie"),
        pytest.param([(b"cookie", b"outcry_session="), OURS], 401, id="empty session"),
        pytest.param([(b"authorization", b"Basic abc")], 401, id="other scheme of credential"),
        pytest.param([(b"authorization", b"Bearer ")], 401, id="empty key"),
        pytest.param([BEARER, BEARER], 401, id="two keys"),
        pytest.param([(b"authorization", b"Basic x"), COOKIE, OURS], 401, id="bad key, cookie"),
    ],
)
def test_is_refused(headers: list[tuple[bytes, bytes]], status: int) -> None:
    refused = read_handshake([HOST, *headers], b"", OwnOrigin())
    assert isinstance(refused, RefusedHandshake)
    assert refused.status == status


@pytest.mark.parametrize(
    ("headers", "credential"),
    [
        pytest.param([COOKIE, OURS], Credential("session", "mine"), id="cookie from our page"),
        pytest.param([BEARER], Credential("api_key", "my-key"), id="bearer without origin"),
        pytest.param([BEARER, OURS], Credential("api_key", "my-key"), id="bearer from our page"),
        pytest.param([COOKIE, BEARER], Credential("api_key", "my-key"), id="the key is stronger"),
    ],
)
def test_is_let_in(headers: list[tuple[bytes, bytes]], credential: Credential) -> None:
    assert read_handshake([HOST, *headers], b"", OwnOrigin()) == credential


@pytest.mark.parametrize(
    "query",
    [b"token=my-key", b"a=1&ACCESS_TOKEN=x", b"outcry_session=mine", b"api%5Fkey=x", b"key"],
)
def test_a_credential_in_the_address_is_refused_even_beside_a_good_one(query: bytes) -> None:
    refused = read_handshake([HOST, BEARER], query, OwnOrigin())
    assert isinstance(refused, RefusedHandshake)
    assert refused.status == 401


def test_another_query_is_not_read() -> None:
    assert read_handshake([HOST, BEARER], b"v=1&x", OwnOrigin()) == Credential("api_key", "my-key")


def test_a_secret_is_not_shown_when_a_credential_is_printed() -> None:
    assert "mine" not in repr(Credential("session", "mine"))


@pytest.mark.parametrize(
    ("headers", "status", "code"),
    [
        ([(b"authorization", b"Bearer unknown")], 401, "unauthenticated"),
        ([(b"authorization", b"Bearer read-key")], 403, "forbidden"),
        ([(b"origin", b"http://evil"), COOKIE], 403, "forbidden_origin"),
        ([], 401, "unauthenticated"),
    ],
)
async def test_a_refusal_is_an_http_answer_before_the_upgrade(
    desk: Any, connect: Any, headers: list[tuple[bytes, bytes]], status: int, code: str
) -> None:
    desk.keys["read-key"] = msgspec.structs.replace(desk.me, scopes=frozenset({"read"}))
    async with desk.gateway() as gateway:
        socket = connect(gateway, headers=headers)
        await socket.ended.wait()
        assert not socket.accepted.is_set()
        start, body = socket.answers
        assert start["status"] == status
        assert msgspec.json.decode(body["body"])["code"] == code


async def test_a_foreign_origin_is_refused_before_the_session_is_looked_up(
    desk: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def untouchable(_: str) -> None:
        raise AssertionError("looked up")

    monkeypatch.setattr(desk, "by_session", untouchable)
    async with desk.gateway() as gateway:
        socket = connect(gateway, headers=[HOST, COOKIE, (b"origin", b"http://evil")])
        await socket.ended.wait()
        assert socket.answers[0]["status"] == 403


async def test_a_secret_in_the_address_is_gone_before_the_server_logs_it(
    desk: Any, connect: Any
) -> None:
    async with desk.gateway() as gateway:
        socket = connect(gateway, query_string=b"token=very-secret")
        await socket.ended.wait()
        assert socket.answers[0]["status"] == 401
        assert socket.scope["query_string"] == b""


async def test_a_server_without_the_response_extension_gets_a_close_instead(
    desk: Any, connect: Any
) -> None:
    async with desk.gateway() as gateway:
        socket = connect(gateway, headers=[], extensions={})
        assert await socket.until_closed() == (1008, "unauthenticated")
        assert not socket.accepted.is_set()
