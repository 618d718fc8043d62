"""Browsers are let in from the server's own pages only, and credentials never travel in a query."""

import asyncio

import pytest
from websockets.exceptions import InvalidStatus

from tests.faults.client import Wire
from tests.faults.server import Server

FOREIGN = [
    "http://evil.test",
    "https://evil.test",
    "null",
    "http://127.0.0.1.evil.test:{port}",
    "http://127.0.0.1:{port}.evil.test",
    "http://evil.test/http://127.0.0.1:{port}",
    "http://127.0.0.1:{other_port}",
    "http://127.0.0.1",
    "http://user@127.0.0.1:{port}",
    "file://",
    "",
]


@pytest.fixture(scope="session")
async def cookie(desk: Server) -> str:
    """The cookie of a signed-in browser."""
    return await asyncio.to_thread(desk.sign_in)


async def refusal(desk: Server, **handshake: object) -> int:
    """Return the status a handshake is refused with; 101 if it is not."""
    try:
        async with Wire.open(desk.port, **handshake) as wire:  # type: ignore[arg-type]
            await wire.hello()
    except InvalidStatus as refused:
        return refused.response.status_code
    return 101


@pytest.mark.parametrize("origin", FOREIGN)
async def test_a_signed_in_browser_on_a_foreign_page_is_refused_before_the_upgrade(
    desk: Server, cookie: str, origin: str
) -> None:
    origin = origin.format(port=desk.port, other_port=desk.port + 1)

    assert await refusal(desk, origin=origin, headers={"Cookie": cookie}) == 403


@pytest.mark.parametrize("origin", FOREIGN)
async def test_a_foreign_page_that_holds_a_key_is_refused_too(
    desk: Server, key: str, origin: str
) -> None:
    origin = origin.format(port=desk.port, other_port=desk.port + 1)

    assert await refusal(desk, origin=origin, key=key) == 403


async def test_a_cookie_without_an_origin_is_refused(desk: Server, cookie: str) -> None:
    assert await refusal(desk, headers={"Cookie": cookie}) == 403


async def test_a_foreign_origin_is_named_before_the_credential_is_looked_at(desk: Server) -> None:
    assert (
        await refusal(desk, origin="http://evil.test", headers={"Cookie": "outcry_session=x"})
        == 403
    )


async def test_the_servers_own_page_is_let_in(desk: Server, cookie: str) -> None:
    assert await refusal(desk, origin=desk.origin, headers={"Cookie": cookie}) == 101


async def test_a_program_with_a_key_needs_no_origin(desk: Server, key: str) -> None:
    assert await refusal(desk, key=key) == 101


@pytest.mark.parametrize(
    "authorization",
    [None, "Bearer", "Bearer ", "Bearer x", "Basic eDp5", "Bearer " + "k" * 5000],
)
async def test_no_or_a_wrong_credential_is_401(desk: Server, authorization: str | None) -> None:
    headers = {} if authorization is None else {"Authorization": authorization}

    assert await refusal(desk, headers=headers) == 401


@pytest.mark.parametrize("name", ["token", "key", "api_key", "access_token", "authorization"])
async def test_a_key_in_the_query_string_is_not_a_credential(
    desk: Server, key: str, name: str
) -> None:
    assert await refusal(desk, path=f"/ws?{name}={key}") in (400, 401)


async def test_the_key_and_the_cookie_are_in_no_log(desk: Server, key: str, cookie: str) -> None:
    await refusal(desk, path=f"/ws?key={key}")
    await refusal(desk, key=key)

    printed = desk.output(last=10_000_000)
    assert key not in printed
    assert cookie.split("=", 1)[1] not in printed
