"""Text is stored and returned as it came, save what UTF-8 cannot hold; limits name their number."""

import asyncio
import json
from contextlib import suppress
from typing import Any
from urllib.parse import quote

import pytest
from websockets.exceptions import ConnectionClosed

from tests.faults.client import Frame, Wire, run_command
from tests.faults.server import Server

KEPT = {
    "right-to-left override": "price \u202e00.001 desu\u202c up",
    "right-to-left script": "كيف يبدو سهم GOOG؟ שלום",
    "decomposed and composed twins": "cafe\u0301 caf\u00e9",
    "emoji joined": "👩‍👩‍👧‍👦🏳️‍🌈",
    "control characters": "a\tb\nc\u0007d\u001b[31mred\u001b[0m",
    "separators": "a\u2028b\u2029c\u0085d",
    "quotes and braces": '{"type":"RUN_FINISHED"} \\" \\u0000 \' $1 %s %(x)s {{x}}',
    "sql": "'; DROP TABLE messages; --",
    "html": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "null byte as words": "\\x00 \\0 %00",
    "non-characters": "\ufffe\uffff\U0010ffff",
    "many combining marks": "a" + "\u0301" * 90_000,
    "one long line": "x" * 99_990,
}
MENDED = {
    "NUL": ("a\x00b", "a\ufffdb"),
    "lone high surrogate": ("a\ud800b", "a\ufffdb"),
    "lone low surrogate": ("a\udfffb", "a\ufffdb"),
    "surrogates in the wrong order": ("a\udc00\ud800b", "a\ufffd\ufffdb"),
    "a pair is a character": ("a\ud83d\ude42b", "a🙂b"),
}


async def roundtrip(desk: Server, key: str, text: str) -> tuple[str, str, str]:
    """Ask `text`; return it as the run's event, the REST API and a fresh subscriber tell it."""
    async with Wire.open(desk.port, key=key) as wire:
        await wire.hello()
        answer = await wire.ask(text)
        live = answer.events[0]["input"]["messages"][0]["content"]
    async with Wire.open(desk.port, key=key) as wire:
        await wire.hello(threads=[{"threadId": answer.thread_id, "since": 0}])
        first = await wire.receive()
        replayed = first["event"]["input"]["messages"][0]["content"]
    path = f"/api/v1/conversations/{answer.thread_id}/messages"
    messages = await asyncio.to_thread(desk.pages, path, key=key)
    return live, messages[-1]["content"], replayed


@pytest.mark.parametrize("text", KEPT.values(), ids=KEPT.keys())
async def test_text_comes_back_as_it_was_sent(desk: Server, key: str, text: str) -> None:
    assert await roundtrip(desk, key, text) == (text, text, text)


@pytest.mark.parametrize(("text", "kept"), MENDED.values(), ids=MENDED.keys())
async def test_what_utf8_cannot_hold_becomes_a_replacement_character(
    desk: Server, key: str, text: str, kept: str
) -> None:
    assert await roundtrip(desk, key, text) == (kept, kept, kept)


async def test_one_character_too_many_is_refused_with_both_numbers(desk: Server, key: str) -> None:
    async with Wire.open(desk.port, key=key) as wire:
        welcome = await wire.hello()
        most = welcome["limits"]["maxMessageCharacters"]
        command = await wire.run("x" * (most + 1))
        refusal = await wire.reply_to(command["id"])

    error = refusal["error"] if refusal["type"] == "reply" else refusal
    assert error["code"] == "too_large"
    assert f"{most:,}" in error["message"]
    assert f"{most + 1:,}" in error["message"]


async def test_a_mebibyte_closes_the_socket_with_1009_and_stores_nothing(
    desk: Server, key: str
) -> None:
    command = run_command("x" * 2**20)
    thread_id = command["input"]["threadId"]
    async with Wire.open(desk.port, key=key) as wire:
        await wire.hello()
        with suppress(ConnectionClosed):  # it may be closed before all of it was sent
            await wire.send(command)
        code, _ = await wire.closed()
    response = await asyncio.to_thread(
        desk.request, "GET", f"/api/v1/conversations/{thread_id}", key=key
    )

    assert code == 1009
    assert response.status == 404


async def test_a_frame_of_the_largest_size_is_taken(desk: Server, key: str) -> None:
    async with Wire.open(desk.port, key=key) as wire:
        welcome = await wire.hello()
        frame = run_command("at the limit: script=steady tokens=1 ms=1")
        frame["input"]["context"] = [{"description": "filler", "value": ""}]
        room = welcome["limits"]["maxFrameBytes"] - len(json.dumps(frame))
        frame["input"]["context"][0]["value"] = "x" * room
        await wire.send(frame)

        assert (await wire.reply_to(frame["id"]))["ok"] is True


@pytest.mark.parametrize(
    "frame",
    [
        "",
        "null",
        "[]",
        "42",
        "{",
        '"text"',
        '{"v":1}',
        '{"v":1,"id":"x","type":"nonsense"}',
        '{"v":2,"id":"x","type":"ping"}',
        '{"v":1,"id":"","type":"ping"}',
        '{"v":1,"id":"' + "x" * 65 + '","type":"ping"}',
        '{"v":1,"id":"x","type":"ping","extra":1}',
        '{"v":1,"id":"x","type":"run","input":[]}',
        '{"v":1,"id":"x","type":"run","input":{"threadId":"not a uuid","runId":"r","messages":[]}}',
        "[" * 100_000 + "]" * 100_000,
        '{"v":1,"id":"x","type":"ping","a":' + "[" * 50_000 + "]" * 50_000 + "}",
        '{"v":1e999,"id":"x","type":"ping"}',
        '{"v":1,"id":"\\ud800","type":"ping"}',
    ],
)
async def test_a_frame_that_is_none_is_answered_and_the_socket_stays(
    desk: Server, key: str, frame: str
) -> None:
    async with Wire.open(desk.port, key=key) as wire:
        await wire.hello()
        await wire.send(frame)
        refusal = await wire.receive()
        await wire.command("ping", id="still-there")
        pong, _ = await wire.until(lambda f: f["type"] == "pong" and f["id"] == "still-there")

    assert refusal["type"] in ("error", "reply", "pong")
    if refusal["type"] == "reply":
        assert refusal["ok"] is False
    assert pong


async def test_bytes_that_are_no_utf8_end_the_socket_and_nothing_else(
    desk: Server, key: str
) -> None:
    async with Wire.open(desk.port, key=key) as wire:
        await wire.hello()
        await wire.connection.send(b'{"v":1,"id":"\xff\xfe","type":"ping"}', text=True)
        code, _ = await wire.closed()
    assert code == 1007

    async with Wire.open(desk.port, key=key) as wire:
        await wire.hello()


async def test_ten_bad_frames_close_the_socket_for_good(desk: Server, key: str) -> None:
    async with Wire.open(desk.port, key=key) as wire:
        await wire.hello()
        for _ in range(12):
            try:
                await wire.send("{")
            except ConnectionClosed:
                break
        code, _ = await wire.closed()

    assert code == 4400


async def test_a_socket_that_says_nothing_is_closed_with_4408(desk: Server, key: str) -> None:
    async with Wire.open(desk.port, key=key) as wire:
        code, _ = await wire.closed(timeout_s=10)

    assert code == 4408


async def test_a_run_before_hello_is_refused(desk: Server, key: str) -> None:
    async with Wire.open(desk.port, key=key) as wire:
        await wire.run("too early")
        refusal: Frame = await wire.receive()
        code, _ = await wire.closed()

    assert (refusal["type"], refusal["code"]) == ("error", "hello_required")
    assert code == 4400


# --- REST -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
async def conversation(desk: Server, key: str) -> str:
    """A conversation whose title may be changed."""
    async with Wire.open(desk.port, key=key) as wire:
        await wire.hello()
        return (await wire.ask("titled: script=steady tokens=2 ms=1")).thread_id


TITLES = {
    name: (text, text)
    for name, text in KEPT.items()
    if len(text) < 200 and name not in ("control characters", "separators")
} | {name: pair for name, pair in MENDED.items() if "surrogate" not in name}


@pytest.mark.parametrize(("title", "kept"), TITLES.values(), ids=TITLES.keys())
async def test_a_title_comes_back_as_it_was_sent(
    desk: Server, key: str, conversation: str, title: str, kept: str
) -> None:
    path = f"/api/v1/conversations/{conversation}"
    changed = await asyncio.to_thread(desk.request, "PATCH", path, {"title": title}, key=key)
    read = await asyncio.to_thread(desk.request, "GET", path, key=key)

    assert changed.status == 200, changed.body
    assert read.body["title"] == kept


@pytest.mark.parametrize("title", ["a\ud800b", "a\udc00\ud800b"])
async def test_a_body_that_is_no_unicode_is_refused_in_words(
    desk: Server, key: str, conversation: str, title: str
) -> None:
    path = f"/api/v1/conversations/{conversation}"
    changed = await asyncio.to_thread(desk.request, "PATCH", path, {"title": title}, key=key)

    assert changed.status == 422
    assert "not JSON" in changed.body["detail"]


HOSTILE_QUERIES = [
    quote(text, errors="surrogatepass")
    for text in (*KEPT.values(), *(sent for sent, _ in MENDED.values()))
    if len(text) < 1000
] + ["%00", "%ff%fe", "%ed%a0%80", "&", "%", "a%20OR%201=1", "*:&|!()<>"]


@pytest.mark.parametrize("query", HOSTILE_QUERIES)
async def test_searching_for_it_is_an_answer_and_no_crash(
    desk: Server, key: str, query: str
) -> None:
    for path in (f"/api/v1/search?query={query}", f"/api/v1/conversations?query={query}"):
        response = await asyncio.to_thread(desk.request, "GET", path, key=key)

        assert response.status in (200, 400, 422), (path, response.status, response.body)
        assert response.body is not None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"title": 1}',
        b'{"title": "a", "owner_id": "b"}',
        b'{"title": "\xff"}',
        b'{"title": "' + b"x" * 2**20 + b'"}',
        b"[" * 100_000,
        b'{"title": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    ],
)
async def test_a_body_that_is_none_is_a_problem_and_no_crash(
    desk: Server, key: str, conversation: str, body: bytes
) -> None:
    response = await asyncio.to_thread(
        desk.request,
        "PATCH",
        f"/api/v1/conversations/{conversation}",
        body,
        key=key,
        headers={"Content-Type": "application/json"},
    )

    assert response.status in (400, 413, 422), response.status
    assert response.headers["content-type"].startswith("application/problem+json")
    assert response.body["code"]


@pytest.mark.parametrize("email", ["a\x00b@c.d", "\ud800@c.d", "x" * 100_000, "", "' OR 1=1 --"])
async def test_signing_in_with_it_is_refused_like_any_wrong_password(
    desk: Server, email: str
) -> None:
    body: Any = {"email": email, "password": "p\x00w"}
    response = await asyncio.to_thread(desk.request, "POST", "/api/v1/auth/login", body)

    assert response.status in (401, 422, 429), response.body


@pytest.mark.parametrize("identity", ["%00", "..%2f..", "not-a-uuid", "0", "%ff", "a" * 5000])
async def test_a_path_that_names_no_uuid_is_unknown_and_no_crash(
    desk: Server, key: str, identity: str
) -> None:
    response = await asyncio.to_thread(
        desk.request, "GET", f"/api/v1/conversations/{identity}/messages", key=key
    )

    assert response.status in (400, 404, 422), response.status


async def test_after_all_that_the_log_holds_no_traceback(desk: Server) -> None:
    assert "Traceback (most recent call last)" not in desk.output(last=50_000_000)
