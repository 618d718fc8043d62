"""Sessions, links and API keys from the first request to the last, with the real authenticator."""

import pytest

from app.domain.principal import ALL_SCOPES
from tests.integration.rest.rest_desk import Clients, Desk

ORIGIN = {"origin": "http://127.0.0.1:8000"}


async def test_a_password_opens_a_session_and_signing_out_ends_it(
    desk: Desk, people: Clients
) -> None:
    await desk.accounts.add_user("eve@example.org", password="a long enough password")
    browser = people.client(None)
    body = {"email": " Eve@Example.org ", "password": "a long enough password"}
    answer = await browser.post("/auth/login", json=body, headers=ORIGIN)
    assert answer.status_code == 200, answer.text
    assert answer.json()["scopes"] == sorted(ALL_SCOPES)
    cookie = answer.cookies["outcry_session"]
    assert (await browser.get("/me")).json()["email"] == "eve@example.org"
    assert (await browser.post("/auth/logout", headers=ORIGIN)).status_code == 204
    stolen = people.client(None)
    stolen.cookies.set("outcry_session", cookie)
    assert (await stolen.get("/me")).status_code == 401


async def test_a_link_signs_in_once(desk: Desk, people: Clients) -> None:
    token = await desk.accounts.new_sign_in_link(desk.people["ann"].user_id)
    browser = people.client(None)
    first = await browser.post("/auth/link", json={"token": token}, headers=ORIGIN)
    assert first.json()["email"] == "ann@example.org"
    again = await people.client(None).post("/auth/link", json={"token": token}, headers=ORIGIN)
    assert (again.status_code, again.json()["code"]) == (401, "link_invalid")


async def test_guessing_is_stopped_and_says_for_how_long(desk: Desk, people: Clients) -> None:
    body = {"email": "ann@example.org", "password": "guess"}
    guesser = people.client(None)
    seen = {(await guesser.post("/auth/login", json=body)).status_code for _ in range(5)}
    assert seen == {401}
    locked = await guesser.post("/auth/login", json=body)
    assert (locked.status_code, locked.json()["code"]) == (429, "too_many_attempts")
    assert int(locked.headers["retry-after"]) > 60
    unknown = {"email": "nobody@example.org", "password": "guess"}
    for _ in range(5):
        await guesser.post("/auth/login", json=unknown)
    assert (await guesser.post("/auth/login", json=unknown)).status_code == 429


async def test_an_api_key_is_shown_once_works_and_can_be_revoked(people: Clients) -> None:
    ann = people.client("ann")
    made = await ann.post("/me/api-keys", json={"name": "my bot", "scopes": ["read", "chat"]})
    assert made.status_code == 201
    key = made.json()
    program = people.client(None)
    program.headers["authorization"] = f"Bearer {key['key']}"
    assert (await program.get("/conversations")).status_code == 200
    assert (await program.get("/me")).json()["scopes"] == ["chat", "read"]
    listed = (await ann.get("/me/api-keys")).json()["items"]
    assert [one["name"] for one in listed] == ["my bot", "test"]
    assert all(key["key"] not in str(one) for one in listed)
    assert listed[0]["prefix"] == key["prefix"]
    assert (await ann.delete(f"/me/api-keys/{key['id']}")).status_code == 204
    assert (await ann.delete(f"/me/api-keys/{key['id']}")).status_code == 404
    assert [one["name"] for one in (await ann.get("/me/api-keys")).json()["items"]] == ["test"]


async def test_a_key_cannot_make_one_that_may_do_more(people: Clients) -> None:
    ann = people.client("ann")
    made = await ann.post("/me/api-keys", json={"name": "w", "scopes": ["write"]})
    program = people.client(None)
    program.headers["authorization"] = f"Bearer {made.json()['key']}"
    more = await program.post("/me/api-keys", json={"name": "x", "scopes": ["write", "read"]})
    assert (more.status_code, more.json()["code"]) == (403, "forbidden")
    same = await program.post("/me/api-keys", json={"name": "x", "scopes": ["write"]})
    assert same.status_code == 201
    admin = await ann.post("/me/api-keys", json={"name": "a", "scopes": ["admin"]})
    assert admin.status_code == 403


@pytest.mark.parametrize(
    "wrong",
    [
        {"scopes": []},
        {"scopes": ["everything"]},
        {"name": ""},
        {"name": "x" * 81},
        {"expiresAt": "2020-01-01T00:00:00Z"},
        {"expiresAt": "2099-01-01T00:00:00"},
        {"expiresAt": "tomorrow"},
        {"key": "my-own-secret"},
        {"prefix": "x"},
    ],
    ids=str,
)
async def test_what_a_key_cannot_be_is_refused(people: Clients, wrong: dict[str, object]) -> None:
    body = {"name": "k", "scopes": ["read"], **wrong}
    answer = await people.client("ann").post("/me/api-keys", json=body)
    assert answer.status_code == 422, answer.text


async def test_another_persons_key_cannot_be_revoked(desk: Desk, people: Clients) -> None:
    answer = await people.client("bob").delete(f"/me/api-keys/{desk.key_ids['ann']}")
    assert answer.status_code == 404
    assert (await people.client("ann").get("/me")).status_code == 200
