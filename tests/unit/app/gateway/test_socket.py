"""What one socket may do, and what ends it."""

import asyncio
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

import msgspec
import pytest

from app.domain.errors import Conflict, Unavailable
from app.protocol.close_codes import CloseCode
from app.protocol.connection import Limits


def run_input(thread: UUID, text: str = "How does GOOG look?", **more: Any) -> dict[str, Any]:
    return {
        "threadId": str(thread),
        "runId": "run-1",
        "messages": [{"id": "message-1", "role": "user", "content": text}],
        "tools": [],
        "context": [],
        "state": {},
        **more,
    }


async def test_hello_is_welcomed_with_who_and_what_is_allowed(desk: Any, connect: Any) -> None:
    async with desk.gateway() as gateway:
        socket = connect(gateway)
        hello = socket.hello(compact=True)
        assert await socket.frame(type="welcome") == {
            "type": "welcome",
            "id": hello,
            "protocolVersion": "1.0",
            "principal": {
                "userId": str(desk.me.user_id),
                "email": desk.me.email,
                "name": "Somebody",
                "role": "user",
            },
            "limits": {
                "maxFrameBytes": 262_144,
                "maxMessageCharacters": 100_000,
                "maxWatchedSymbols": 50,
                "pingIntervalS": 20,
            },
            "llm": {"provider": "builtin", "model": "desk"},
            "compact": True,
        }
        await socket.leave()


async def test_a_run_is_started_acknowledged_and_followed(
    desk: Any, connect: Any, reader: Any, text_events: Any
) -> None:
    thread = uuid4()
    async with desk.gateway() as gateway:
        socket = connect(gateway)
        socket.hello()
        run = socket.say("run", command_id="r", input=run_input(thread))
        run_id = str(uuid5(thread, "run-1"))
        assert await socket.frame(type="reply", id=run) == {
            "type": "reply",
            "id": "r",
            "ok": True,
            "result": {
                "runId": run_id,
                "threadId": str(thread),
                "messageId": str(uuid5(thread, "message-1")),
                "created": True,
                "seq": 0,
            },
        }
        [command] = desk.started
        assert (command.command_id, command.content) == ("r", "How does GOOG look?")
        desk.say(thread, text_events.start("m"), text_events.delta("m", "Well."))
        await socket.frame(type="event", seq=2)
        assert reader().take_all(socket).seqs(thread) == [1, 2]
        # Stop takes the client's own name for the run, or the UUID that the reply told.
        socket.say("stop", command_id="s1", runId="run-1")
        await socket.frame(type="reply", id="s1", ok=True)
        socket.say("stop", command_id="s2", runId=run_id)
        answer = await socket.frame(type="reply", id="s2")
        assert answer["result"] == {"runId": run_id, "stopped": True}
        assert desk.stopped == [UUID(run_id)] * 2
        await socket.leave()


async def test_a_run_in_a_followed_conversation_is_not_followed_twice(
    desk: Any, connect: Any, reader: Any, text_events: Any
) -> None:
    thread = desk.conversation()
    desk.keep(thread, text_events.start("old"), text_events.end("old"))
    async with desk.gateway() as gateway:
        socket = connect(gateway)
        socket.hello((thread, 2))
        await socket.frame(type="caughtUp")
        socket.say("run", command_id="r", input=run_input(thread))
        await socket.frame(type="reply", id="r")
        desk.say(thread, text_events.start("m"))
        await socket.frame(type="event", seq=3)
        socket.say("ping", command_id="p")
        await socket.frame(type="pong", id="p")
        assert reader().take_all(socket).seqs(thread) == [3]
        assert [f["type"] for f in socket.frames()].count("caughtUp") == 1
        assert len(desk.hub) == 1
        await socket.leave()


async def test_the_same_command_twice_in_a_burst_has_one_effect_and_one_answer_each(
    desk: Any, connect: Any
) -> None:
    thread = uuid4()
    async with desk.gateway() as gateway:
        socket = connect(gateway)
        socket.hello()
        for _ in range(3):
            socket.say("run", command_id="r", input=run_input(thread))
        socket.say("ping", command_id="p")
        await socket.frame(type="pong")
        replies = [f for f in socket.frames() if f["type"] == "reply"]
        assert len(replies) == 3
        assert all(reply == replies[0] for reply in replies)
        assert len(desk.started) == 1
        socket.say("run", command_id="r", input=run_input(thread, "something else"))
        mismatch = await socket.frame(type="reply", ok=False)
        assert mismatch["error"]["code"] == "idempotency_mismatch"
        assert len(desk.started) == 1
        await socket.leave()


async def test_the_same_command_after_a_reconnect_reaches_the_service_again(
    desk: Any, connect: Any
) -> None:
    thread = uuid4()
    async with desk.gateway() as gateway:
        created = []
        for _ in range(2):
            socket = connect(gateway)
            socket.hello()
            socket.say("run", command_id="r", input=run_input(thread))
            reply = await socket.frame(type="reply", id="r")
            created.append(reply["result"].pop("created"))
            await socket.leave()
        assert created == [True, False]


async def test_a_refusal_becomes_a_reply_and_may_be_tried_again_under_the_same_id(
    desk: Any, connect: Any
) -> None:
    thread = uuid4()
    async with desk.gateway() as gateway:
        socket = connect(gateway)
        socket.hello()
        desk.refuse = Unavailable("The database is away.", retry_after_s=2)
        socket.say("run", command_id="r", input=run_input(thread))
        refused = await socket.frame(type="reply", id="r")
        assert refused["error"] == {
            "code": "unavailable",
            "message": "The database is away.",
            "retryAfterS": 2,
        }
        desk.refuse = Conflict("An answer is being written.", code="run_active")
        socket.say("run", command_id="r2", input=run_input(thread))
        assert (await socket.frame(type="reply", id="r2"))["error"]["code"] == "run_active"
        desk.refuse = None
        socket.say("run", command_id="r", input=run_input(thread))
        await socket.frame(type="reply", id="r", ok=True)
        await socket.leave()


async def test_a_bug_in_a_service_is_told_without_its_details_and_the_socket_stays(
    desk: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any) -> None:
        raise ZeroDivisionError("secret detail")

    monkeypatch.setattr(desk, "start", broken)
    async with desk.gateway() as gateway:
        socket = connect(gateway)
        socket.hello()
        socket.say("run", command_id="r", input=run_input(uuid4()))
        refused = await socket.frame(type="reply", id="r")
        assert refused["error"]["code"] == "internal_error"
        assert "secret" not in str(socket.sent)
        socket.say("ping")
        await socket.frame(type="pong")
        await socket.leave()


@pytest.mark.parametrize("name", ["no-uuid", "5f1d1a36-9c0e-4a53-8f52-2d1f3a6f4b11"])
async def test_stopping_an_unknown_run_is_not_found(desk: Any, connect: Any, name: str) -> None:
    async with desk.gateway() as gateway:
        socket = connect(gateway)
        socket.hello()
        socket.say("stop", command_id="s", runId=name)
        refused = await socket.frame(type="reply", id="s")
        assert refused["error"] == {"code": "not_found", "message": "There is no such run."}
        await socket.leave()


async def test_a_bad_frame_is_named_and_the_tenth_closes_the_socket(
    desk: Any, connect: Any
) -> None:
    async with desk.gateway() as gateway:
        socket = connect(gateway)
        socket.hello()
        socket.say_raw('{"v":1,"id":"x","type":"dance"}')
        error = await socket.frame(type="error")
        assert (error["code"], error["ref"]) == ("unknown_type", "x")
        for _ in range(8):
            socket.say_raw("{")
        socket.say("ping", command_id="still-here")
        await socket.frame(type="pong", id="still-here")
        socket.say_bytes(b"\x00\xff")
        assert await socket.until_closed() == (CloseCode.BAD_CLIENT, "too many bad frames")
        assert socket.frames()[-1]["code"] == "not_text"


async def test_a_command_before_hello_closes_the_socket(desk: Any, connect: Any) -> None:
    async with desk.gateway() as gateway:
        socket = connect(gateway)
        socket.say("ping")
        assert await socket.until_closed() == (CloseCode.BAD_CLIENT, "hello first")


async def test_silence_after_connecting_closes_the_socket_as_retryable(
    desk: Any, connect: Any
) -> None:
    async with desk.gateway(hello_s=0.01) as gateway:
        silent, polite = connect(gateway), connect(gateway)
        polite.hello()
        assert await silent.until_closed() == (CloseCode.TOO_SLOW, "no hello")
        polite.say("ping")
        await polite.frame(type="pong")
        await polite.leave()


async def test_too_many_commands_close_the_socket_with_a_time_to_wait(
    desk: Any, connect: Any
) -> None:
    limits = Limits(commands_burst=3, commands_per_s=0.0)
    async with desk.gateway(connection=limits) as gateway:
        socket = connect(gateway)
        socket.hello()
        for _ in range(3):
            socket.say("ping")
        assert await socket.until_closed() == (CloseCode.TOO_FAST, "retry after 5 s")


async def test_a_revoked_credential_closes_its_streaming_sockets_and_no_others(
    desk: Any, connect: Any, text_events: Any
) -> None:
    mine, theirs = desk.conversation(), desk.conversation(desk.other)
    async with desk.gateway(recheck_s=0.01) as gateway:
        first, second = connect(gateway), connect(gateway)
        other = connect(gateway, headers=[(b"authorization", b"Bearer their-key")])
        for socket, thread in ((first, mine), (second, mine), (other, theirs)):
            socket.hello((thread, 0))
            await socket.frame(type="caughtUp")
        desk.revoked.add(desk.me.credential_id)
        for thread in (mine, theirs):
            desk.say(thread, text_events.delta("m", "a"))
        assert await first.until_closed() == (CloseCode.NOT_SIGNED_IN, "signed out")
        assert await second.until_closed() == (CloseCode.NOT_SIGNED_IN, "signed out")
        desk.say(theirs, text_events.delta("m", "b"))
        await other.frame(type="event", seq=2)
        await other.leave()


async def test_a_revocation_in_this_process_takes_effect_at_once(desk: Any, connect: Any) -> None:
    async with desk.gateway() as gateway:
        socket = connect(gateway)
        socket.hello()
        await socket.frame(type="welcome")
        gateway.close_credential(desk.me.credential_id)
        assert await socket.until_closed() == (CloseCode.NOT_SIGNED_IN, "signed out")


async def test_a_key_that_lost_its_scope_is_forbidden_on_its_open_sockets(
    desk: Any, connect: Any, text_events: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = desk.conversation()

    async def demoted(principals: Any) -> Any:
        return [msgspec.structs.replace(p, scopes=frozenset({"read"})) for p in principals]

    monkeypatch.setattr(desk, "recheck", demoted)
    async with desk.gateway(recheck_s=0.01) as gateway:
        socket = connect(gateway)
        socket.hello((thread, 0))
        await socket.frame(type="caughtUp")
        desk.say(thread, text_events.delta("m", "a"))
        assert await socket.until_closed() == (CloseCode.FORBIDDEN, "forbidden")


async def test_a_command_long_after_the_last_check_is_checked_first(
    desk: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.gateway.session.RECHECK_S", -1.0)
    async with desk.gateway() as gateway:
        socket = connect(gateway)
        socket.hello()
        await socket.frame(type="welcome")
        desk.revoked.add(desk.me.credential_id)
        socket.say("run", input=run_input(uuid4()))
        assert await socket.until_closed() == (CloseCode.NOT_SIGNED_IN, "signed out")
        assert desk.started == []


async def test_idle_sockets_are_not_looked_after(desk: Any, connect: Any) -> None:
    async with desk.gateway(recheck_s=0.001) as gateway:
        socket = connect(gateway)
        socket.hello((desk.conversation(), 0))
        await socket.frame(type="caughtUp")
        await asyncio.sleep(0.02)
        assert desk.checks == 0
        await socket.leave()


async def test_a_restart_closes_every_socket_as_resumable_and_takes_no_more(
    desk: Any, connect: Any
) -> None:
    async with desk.gateway() as gateway:
        sockets = [connect(gateway) for _ in range(3)]
        for socket in sockets:
            socket.hello()
            await socket.frame(type="welcome")
        assert len(gateway) == 3
        gateway.close_all()
        for socket in sockets:
            assert await socket.until_closed() == (CloseCode.RESTARTING, "restarting")
        late = connect(gateway)
        await late.ended.wait()
        assert late.answers[0]["status"] == 503


async def test_many_sockets_of_one_person_or_one_address_are_refused_before_the_upgrade(
    desk: Any, connect: Any
) -> None:
    async with desk.gateway(sockets_per_principal=1, sockets_per_address=2) as gateway:
        first = connect(gateway)
        await first.accepted.wait()
        second = connect(gateway, client=("192.0.2.9", 1))
        await second.ended.wait()
        assert second.answers[0]["status"] == 429
        theirs = [(b"authorization", b"Bearer their-key")]
        third = connect(gateway, headers=theirs)
        await third.accepted.wait()
        fourth = connect(gateway, headers=theirs)
        await fourth.ended.wait()
        assert fourth.answers[0]["status"] == 429
        assert (b"retry-after", b"5") in fourth.answers[0]["headers"]
        for socket in (first, third):
            await socket.leave()
        fifth = connect(gateway)
        await fifth.accepted.wait()
        await fifth.leave()


async def test_acknowledgements_are_answered_with_how_far_they_reach(
    desk: Any, connect: Any
) -> None:
    thread = desk.conversation()
    async with desk.gateway() as gateway:
        socket = connect(gateway)
        socket.hello((thread, 0))
        for number, seq in enumerate((5, 3)):
            socket.say("ack", command_id=f"a{number}", threadId=str(thread), seq=seq)
            reply = await socket.frame(type="reply", id=f"a{number}", ok=True)
            assert reply["appliedThroughSeq"] == 5
        stranger = uuid5(NAMESPACE_URL, "elsewhere")
        socket.say("ack", command_id="b", threadId=str(stranger), seq=1)
        assert (await socket.frame(type="reply", id="b"))["error"]["code"] == "not_found"
        await socket.leave()


async def test_a_plain_http_request_is_asked_to_upgrade(desk: Any, connect: Any) -> None:
    async with desk.gateway() as gateway:
        request = connect(gateway, type="http")
        await request.ended.wait()
        assert request.answers[0]["status"] == 426
