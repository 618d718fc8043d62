"""Who gets through the door, and whose pages may send whom there."""

from collections.abc import Mapping

import pytest

from tests.unit.app.rest.in_process import Open, Ring

ME = "/api/v1/me"
LOGOUT = "/api/v1/auth/logout"
LOGIN = "/api/v1/auth/login"


async def test_a_cookie_or_a_key_tells_who_asks(open_client: Open) -> None:
    client = open_client()
    assert (await client.get(ME)).status_code == 401
    by_cookie = await client.get(ME, headers={"cookie": "outcry_session=user"})
    by_key = await client.get(ME, headers={"authorization": "bearer all"})
    assert by_cookie.json() == by_key.json()
    assert by_key.json()["email"] == "user1@example.org"
    assert by_key.json()["scopes"] == ["admin", "chat", "read", "write"]
    assert by_key.json()["llm"] == {
        "provider": "builtin",
        "model": "builtin-1",
        "label": "built-in",
        "free": True,
    }


@pytest.mark.parametrize(
    "header", ["Bearer wrong", "Bearer", "Bearer ", "Basic dXNlcjp1c2Vy", "all", ""]
)
async def test_a_wrong_key_is_not_made_good_by_a_cookie(open_client: Open, header: str) -> None:
    answer = await open_client().get(
        ME, headers={"authorization": header, "cookie": "outcry_session=user"}
    )
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"origin": "http://desk.example"}, 204),
        ({"origin": "https://desk.example"}, 204),
        ({"origin": "HTTP://DESK.EXAMPLE"}, 204),
        ({"origin": "https://other.example"}, 204),
        ({"sec-fetch-site": "same-origin"}, 204),
        ({"sec-fetch-site": "none"}, 204),
        ({}, 403),
        ({"origin": "null"}, 403),
        ({"origin": ""}, 403),
        ({"origin": "http://desk.example.evil"}, 403),
        ({"origin": "http://evil/desk.example"}, 403),
        ({"origin": "http://desk.example@evil"}, 403),
        ({"origin": "http://desk.example:8080"}, 403),
        ({"origin": "file://desk.example"}, 403),
        ({"origin": "http://[desk.example"}, 403),
        ({"origin": "http://evil.example", "sec-fetch-site": "same-origin"}, 403),
        ({"sec-fetch-site": "same-site"}, 403),
        ({"sec-fetch-site": "cross-site"}, 403),
    ],
)
async def test_a_change_made_with_the_cookie_must_come_from_a_page_of_ours(
    open_client: Open, ring: Ring, headers: Mapping[str, str], status: int
) -> None:
    answer = await open_client().post(LOGOUT, headers={"cookie": "outcry_session=user", **headers})
    assert answer.status_code == status
    assert len(ring.signed_out) == (status == 204)
    if status == 403:
        assert answer.json()["code"] == "forbidden_origin"


async def test_a_key_needs_no_origin(open_client: Open, ring: Ring) -> None:
    answer = await open_client(key="all").post(LOGOUT, headers={"origin": "http://evil.example"})
    assert answer.status_code == 204
    assert len(ring.signed_out) == 1


async def test_a_foreign_page_cannot_sign_somebody_in(open_client: Open) -> None:
    body = {"email": "a@example.org", "password": "correct horse"}
    client = open_client()
    refused = await client.post(LOGIN, json=body, headers={"origin": "http://evil.example"})
    assert refused.status_code == 403
    assert "set-cookie" not in refused.headers
    assert (await client.post(LOGIN, json=body)).status_code == 200


async def test_signing_in_sets_a_cookie_that_scripts_and_other_sites_cannot_use(
    open_client: Open,
) -> None:
    client = open_client()
    answer = await client.post(LOGIN, json={"email": "a@b.org", "password": "correct horse"})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("outcry_session=fresh;")
    for attribute in ("HttpOnly", "SameSite=lax", "Path=/", "Max-Age=86"):
        assert attribute in cookie
    assert "Secure" not in cookie
    assert "Domain" not in cookie
    assert answer.json()["role"] == "user"
    assert "fresh" not in answer.text
    assert (await client.get(ME)).status_code == 200


async def test_the_cookie_is_secure_behind_https(open_client: Open) -> None:
    body = {"token": "one-time"}
    path = "/api/v1/auth/link"
    told = await open_client(secure_cookie=True).post(path, json=body)
    assert "Secure" in told.headers["set-cookie"]
    seen = await open_client().post(f"https://desk.example{path}", json=body)
    assert "Secure" in seen.headers["set-cookie"]
    assert seen.json()["role"] == "admin"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (LOGIN, {"email": "a@b.org", "password": "wrong"}),
        ("/api/v1/auth/link", {"token": "used"}),
    ],
)
async def test_a_failed_sign_in_sets_nothing(
    open_client: Open, path: str, body: dict[str, str]
) -> None:
    answer = await open_client().post(path, json=body)
    assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated")
    assert "set-cookie" not in answer.headers


async def test_signing_out_takes_the_cookie_back(open_client: Open, ring: Ring) -> None:
    answer = await open_client().post(
        LOGOUT,
        headers={"cookie": "outcry_session=user", "origin": "http://desk.example"},
        json={},
    )
    assert answer.status_code == 204
    assert "Max-Age=0" in answer.headers["set-cookie"]
    assert [who.email for who in ring.signed_out] == ["user1@example.org"]


@pytest.mark.parametrize(
    ("key", "method", "path", "allowed"),
    [
        ("read", "GET", "/instruments", True),
        ("chat", "GET", "/instruments", False),
        ("read", "DELETE", "/me/api-keys/00000000-0000-0000-0000-000000000001", False),
        ("read", "POST", "/runs/00000000-0000-0000-0000-000000000001/cancel", False),
        ("chat", "GET", "/me", True),
        ("user-with-admin-scope", "POST", "/instruments", False),
        ("admin", "POST", "/instruments", True),
    ],
)
async def test_a_key_does_what_its_scopes_say(
    open_client: Open, key: str, method: str, path: str, allowed: bool
) -> None:
    body = {"symbol": "X", "name": "X", "source": "test"} if path == "/instruments" else None
    answer = await open_client(key=key).request(
        method, f"/api/v1{path}", json=body if method == "POST" else None
    )
    assert answer.is_success is allowed, answer.text
    if not allowed:
        assert answer.json()["code"] == "forbidden"
