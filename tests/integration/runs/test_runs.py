"""What happens to a question: stored, answered, stopped, asked again, ended after a crash."""

import asyncio
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from agents.errors import LLMUnavailable
from agents.llms.scripted import ScriptedReply
from agents.messages import ToolRequest, Usage
from app.domain.errors import Conflict, NotFound
from app.domain.ids import ConversationId, MessageId, RunId, UserId, new_id
from app.domain.principal import ALL_SCOPES, Principal
from app.domain.runs import StartRun
from app.domain.transcript import fold
from app.domain.views import CostGrouping
from app.services.conversations.histories import Histories
from app.services.conversations.recorder import utc_now
from app.services.conversations.recovery import recover
from app.services.conversations.run_commands import command_hash
from app.storage.cost_reads import CostReads
from app.storage.orphans import Orphans
from app.storage.runs import StoredRuns
from tests.integration.runs.conftest import Process

GROUPINGS: tuple[CostGrouping, ...] = ("agent", "model", "day")
QUOTES = ScriptedReply(tool_requests=(ToolRequest("call-1", "quotes", {"symbol": "GOOG"}),))
SLOW = ScriptedReply(text="word " * 400, piece_characters=5, pause_s=0.005)


async def messages(process: Process, conversation_id: ConversationId) -> list[Any]:
    page = await process.conversations.messages(
        process.principal, conversation_id, superseded=False, limit=100, cursor=None
    )
    return list(reversed(page.items))


async def until_streaming(process: Process) -> None:
    await asyncio.wait_for(process.seen.streaming.wait(), 20)


async def entries(process: Process, run_id: RunId) -> list[Any]:
    return await process.database.fetch(
        "SELECT * FROM cost_entries WHERE run_id = $1 ORDER BY created_at", run_id
    )


async def test_an_answer_is_stored_with_its_tool_calls_claims_and_price(process: Process) -> None:
    process.script(QUOTES, ScriptedReply(text="GOOG closed at 806.19.", usage=Usage(900, 40)))
    process.model = "gpt-4o"
    started = await process.answer("What is GOOG's price?")
    question, answer = await messages(process, started.run.conversation_id)
    assert (question.role, question.content) == ("user", "What is GOOG's price?")
    assert answer.content == "GOOG closed at 806.19."
    [call] = answer.tool_calls
    assert (call.tool_name, call.status) == ("quotes", "success")
    [claim] = answer.claims
    assert (claim.text, claim.status, claim.value) == ("806.19", "supported", 806.19)
    assert claim.tool_call_id == "call-1"
    first, second = await entries(process, started.run.id)
    assert {first["status"], second["status"]} == {"settled"}
    # 900 × 2.50 + 40 × 10.00 per million, and the first attempt's estimate.
    assert second["amount_usd"] == Decimal("0.00265")
    assert Decimal(answer.receipt.amount) == first["amount_usd"] + second["amount_usd"]


async def test_events_are_numbered_without_holes_and_tell_the_stored_answer(
    process: Process,
) -> None:
    process.script(QUOTES, ScriptedReply(text="GOOG closed at 806.19."))
    started = await process.answer("price of GOOG?")
    stored = await process.events.read(started.run.conversation_id, after=0, limit=1_000)
    assert [event.seq for event in stored] == list(range(1, len(stored) + 1))
    assert stored == process.seen.events
    transcript = fold(stored)
    assert transcript.ended
    assert [piece.text for piece in transcript.pieces] == ["GOOG closed at 806.19."]


async def test_a_follow_up_is_given_the_earlier_turn_with_its_tool_results(
    process: Process,
) -> None:
    process.script(QUOTES, ScriptedReply(text="806.19."), ScriptedReply(text="Up."))
    started = await process.answer("price of GOOG?")
    await process.answer("and its trend?", conversation_id=started.run.conversation_id)
    seen = process.llm.requests[-1].messages
    assert [message.role for message in seen] == ["user", "assistant", "tool", "assistant", "user"]
    assert '"close":806.19' in seen[2].content
    assert seen[-1].content == "and its trend?"


async def test_history_is_the_same_from_cache_and_from_the_database(process: Process) -> None:
    process.script(QUOTES, ScriptedReply(text="806.19."), ScriptedReply(text="A."))
    started = await process.answer("price of GOOG?")
    conversation_id = started.run.conversation_id
    process.script(ScriptedReply(text="A."))
    await process.answer("again?", conversation_id=conversation_id)
    cached = process.llm.requests[0].messages
    process.runs._histories = Histories()
    await process.database.execute("DELETE FROM messages WHERE content IN ('again?', 'A.')")
    process.script(ScriptedReply(text="A."))
    await process.answer("again?", conversation_id=conversation_id)
    assert process.llm.requests[0].messages == cached


async def test_stop_keeps_what_was_streamed(process: Process) -> None:
    process.script(SLOW)
    started = await process.ask("talk")
    await until_streaming(process)
    assert await process.runs.stop(started.run.id, process.principal)
    answer = (await messages(process, started.run.conversation_id))[-1]
    assert answer.stopped == "cancelled"
    assert answer.content
    assert SLOW.text.startswith(answer.content)
    last = process.seen.events[-1]
    assert last.type == "RUN_FINISHED"
    assert msgspec.json.decode(last.payload)["outcome"] == {"type": "cancelled"}
    [entry] = await entries(process, started.run.id)
    assert (entry["status"], entry["outcome"]) == ("settled", "cancelled")
    assert entry["output_tokens"] > 0
    assert not await process.runs.stop(started.run.id, process.principal)


async def test_a_provider_that_fails_mid_stream_leaves_the_partial_answer(
    process: Process,
) -> None:
    process.script(ScriptedReply(text="half of it", error=LLMUnavailable("The line broke.")))
    started = await process.answer("talk")
    answer = (await messages(process, started.run.conversation_id))[-1]
    assert (answer.stopped, answer.content) == ("failed", "half of it")
    last = msgspec.json.decode(process.seen.events[-1].payload)
    assert (last["type"], last["code"]) == ("RUN_ERROR", "llm_unavailable")
    assert last["metadata"]["outcry"]["messageId"] == str(answer.id)


async def test_regenerate_replaces_the_answer_and_keeps_the_question(process: Process) -> None:
    process.script(ScriptedReply(text="first"), ScriptedReply(text="second"))
    started = await process.answer("talk")
    conversation_id = started.run.conversation_id
    question, first = await messages(process, conversation_id)
    again = await process.answer(
        "",
        conversation_id=conversation_id,
        mode="regenerate",
        from_message_id=MessageId(first.id),
    )
    assert again.question == "talk"
    assert [m.content for m in await messages(process, conversation_id)] == ["talk", "second"]
    page = await process.conversations.messages(
        process.principal, conversation_id, superseded=True, limit=10, cursor=None
    )
    siblings = [m.content for m in page.items if m.parent_id == question.id]
    assert sorted(siblings) == ["first", "second"]
    assert [m.role for m in process.llm.requests[-1].messages] == ["user"]


async def test_edit_replaces_the_question_and_all_after_it(process: Process) -> None:
    process.script(*(ScriptedReply(text=word) for word in ("one", "two", "three")))
    started = await process.answer("a")
    conversation_id = started.run.conversation_id
    await process.answer("b", conversation_id=conversation_id)
    [first, *_] = await messages(process, conversation_id)
    await process.answer(
        "c", conversation_id=conversation_id, mode="edit", from_message_id=MessageId(first.id)
    )
    assert [m.content for m in await messages(process, conversation_id)] == ["c", "three"]


async def test_one_run_at_a_time_per_conversation(process: Process) -> None:
    process.script(SLOW, SLOW)
    started = await process.ask("talk")
    with pytest.raises(Conflict) as refused:
        await process.ask("more", conversation_id=started.run.conversation_id)
    assert refused.value.code == "run_active"
    await process.runs.stop(started.run.id, process.principal)


async def test_a_stranger_can_neither_stop_nor_continue_a_run(process: Process) -> None:
    process.script(SLOW)
    started = await process.ask("talk")
    stranger = Principal(
        user_id=UserId(new_id()),
        email="x@example.test",
        name="x",
        role="user",
        scopes=ALL_SCOPES,
        credential="local",
        credential_id="x",
    )
    with pytest.raises(NotFound):
        await process.runs.stop(started.run.id, stranger)
    assert process.runs.is_running(started.run.id)
    await process.runs.stop(started.run.id, process.principal)


async def test_an_agent_whose_provider_has_no_key_says_so(process: Process) -> None:
    def refuse(agent: object) -> Any:
        raise LLMUnavailable("This agent needs OpenAI: set OPENAI_API_KEY.")

    process.runs._llm_for = refuse
    started = await process.answer("talk")
    types = process.seen.types(started.run.id)
    assert (types[0], types[-1]) == ("RUN_STARTED", "RUN_ERROR")
    last = msgspec.json.decode(process.seen.events[-1].payload)
    assert "OPENAI_API_KEY" in last["message"]


async def test_closing_ends_runs_as_interrupted_with_what_they_had_said(process: Process) -> None:
    process.script(SLOW)
    started = await process.ask("talk")
    await until_streaming(process)
    process.runs._policy = msgspec.structs.replace(process.runs._policy, shutdown_grace_s=0)
    await process.runs.close()
    answer = (await messages(process, started.run.conversation_id))[-1]
    assert answer.stopped == "failed"
    last = msgspec.json.decode(process.seen.events[-1].payload)
    assert (last["type"], last["code"]) == ("RUN_ERROR", "interrupted")


async def leave_an_orphan(
    process: Process, *, owner: str = "nowhere:1:dead", command_id: str = "c"
) -> RunId:
    """Store what a run that died in the middle of a tool call and a sentence leaves behind."""
    command = StartRun(
        command_id=command_id,
        conversation_id=ConversationId(new_id()),
        run_id=RunId(new_id()),
        message_id=MessageId(new_id()),
        content="talk",
    )
    started = await StoredRuns(process.database).start(
        command,
        process.principal,
        command_hash=command_hash(command),
        owner=owner,
        now=utc_now(),
    )
    piece = str(new_id())
    events = [
        ("TEXT_MESSAGE_START", f'{{"type":"TEXT_MESSAGE_START","messageId":"{piece}"}}', None),
        ("TEXT_MESSAGE_CONTENT", "I was about to", piece),
        (
            "TOOL_CALL_START",
            '{"type":"TOOL_CALL_START","toolCallId":"t1","toolCallName":"quotes"}',
            None,
        ),
        (
            "TOOL_CALL_ARGS",
            '{"type":"TOOL_CALL_ARGS","toolCallId":"t1","delta":"{\\"symbol\\":\\"GOOG\\"}"}',
            None,
        ),
    ]
    for seq, (kind, payload, message_id) in enumerate(events, 1):
        await process.database.execute(
            "INSERT INTO run_events (conversation_id, seq, run_id, type, message_id, payload)"
            " VALUES ($1, $2, $3, $4, $5, $6)",
            command.conversation_id,
            seq,
            started.run.id,
            kind,
            message_id,
            payload,
        )
    await process.database.execute(
        "INSERT INTO cost_entries (id, run_id, conversation_id, user_id, agent_id, provider, model,"
        " status, outcome, input_tokens, output_tokens, reserved_usd)"
        " VALUES ($1, $2, $3, $4, $5, 'openai', 'gpt-4o', 'reserved', 'pending', 1000, 100, 0.01)",
        new_id(),
        started.run.id,
        command.conversation_id,
        process.principal.user_id,
        started.run.agent_id,
    )
    return started.run.id


async def test_a_dead_process_leaves_nothing_open(process: Process) -> None:
    run_id = await leave_an_orphan(process)
    assert await process.recover() == 1
    assert await process.recover() == 0
    run = await process.database.fetchrow("SELECT * FROM runs WHERE id = $1", run_id)
    assert run is not None
    assert (run["status"], run["error_code"]) == ("failed", "interrupted")
    [entry] = await entries(process, run_id)
    assert (entry["status"], entry["outcome"]) == ("settled", "interrupted")
    assert entry["estimated"]
    assert entry["amount_usd"] > 0
    answer = (await messages(process, ConversationId(run["conversation_id"])))[-1]
    assert (answer.content, answer.stopped) == ("I was about to", "failed")
    assert [(c.tool_name, c.status) for c in answer.tool_calls] == [("quotes", "failure")]
    stored = await process.events.read(run["conversation_id"], after=0, limit=100)
    assert [event.seq for event in stored] == list(range(1, len(stored) + 1))
    assert [event.type for event in stored[-4:]] == [
        "TEXT_MESSAGE_END",
        "TOOL_CALL_END",
        "TOOL_CALL_RESULT",
        "RUN_ERROR",
    ]


async def test_a_run_that_died_before_its_first_event_is_told_from_the_beginning(
    process: Process,
) -> None:
    run_id = await leave_an_orphan(process)
    await process.database.execute("DELETE FROM run_events")
    assert await process.recover() == 1
    assert process.seen.types(run_id)[0] == "RUN_STARTED"
    assert process.seen.types(run_id)[-1] == "RUN_ERROR"
    first = msgspec.json.decode(process.seen.events[0].payload)
    assert first["input"]["messages"][0]["content"] == "talk"


async def test_a_living_process_keeps_its_runs(process: Process) -> None:
    process.script(SLOW)
    started = await process.ask("talk")
    other = Process(process.database, process.principal)
    assert await other.recover() == 0
    assert process.runs.is_running(started.run.id)
    await process.runs.stop(started.run.id, process.principal)


async def test_a_run_of_ours_that_was_never_begun_is_ended_after_a_while(
    process: Process,
) -> None:
    run_id = await leave_an_orphan(process, owner=process.owner)
    assert await process.recover() == 0
    await process.database.execute(
        "UPDATE runs SET started_at = now() - interval '1 minute' WHERE id = $1", run_id
    )
    assert await process.recover() == 1


async def test_a_caller_that_goes_away_while_a_run_is_stored_does_not_lose_it(
    process: Process,
) -> None:
    process.script(ScriptedReply(text="hello"))
    asking = asyncio.ensure_future(process.ask("talk"))
    await asyncio.sleep(0)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    [beginning] = process.runs._beginning
    started = await beginning
    await process.runs.wait(started.run.id)
    answer = (await messages(process, started.run.conversation_id))[-1]
    assert answer.content == "hello"


async def test_recoverers_that_race_write_one_copy(process: Process) -> None:
    run_id = await leave_an_orphan(process)
    other = Process(process.database, process.principal)
    orphans = Orphans(process.database, owner=other.owner, is_running=other.runs.is_running)
    found = await orphans.orphans()
    assert [run.id for run in found] == [run_id]

    class Both(Orphans):
        async def orphans(self) -> Any:
            return found

    async with other.journal_store, other.journal:
        both = Both(process.database, owner=other.owner, is_running=other.runs.is_running)
        await asyncio.gather(
            recover(both, process.events, process.journal, process.prices),
            recover(both, process.events, other.journal, process.prices),
        )
        await recover(both, process.events, other.journal, process.prices)
    conversation_id = ConversationId(found[0].conversation_id)
    answers = [m for m in await messages(process, conversation_id) if m.role == "assistant"]
    assert [answer.content for answer in answers] == ["I was about to"]
    assert len(answers[0].tool_calls) == 1
    [entry] = await entries(process, run_id)
    assert entry["outcome"] == "interrupted"
    stored = await process.events.read(conversation_id, after=0, limit=100)
    assert [event.type for event in stored].count("RUN_ERROR") == 1


async def test_recovering_a_run_that_ended_meanwhile_changes_nothing(process: Process) -> None:
    process.script(QUOTES, ScriptedReply(text="GOOG closed at 806.19.", usage=Usage(900, 40)))
    started = await process.answer("What is GOOG's price?")
    before = await messages(process, started.run.conversation_id)
    events = await process.events.read(started.run.conversation_id, after=0, limit=1_000)

    class Stale(Orphans):
        async def orphans(self) -> Any:
            return [started.run]

    stale = Stale(process.database, owner="x", is_running=lambda _: False)
    await recover(stale, process.events, process.journal, process.prices)
    assert await messages(process, started.run.conversation_id) == before
    assert await process.events.read(started.run.conversation_id, after=0, limit=1_000) == events
    row = await process.database.fetchrow("SELECT * FROM runs WHERE id = $1", started.run.id)
    assert row is not None
    assert row["status"] == "finished"


async def test_an_orphan_that_cannot_be_read_does_not_keep_others_from_their_end(
    process: Process,
) -> None:
    broken = await leave_an_orphan(process)
    await process.database.execute(
        "UPDATE run_events SET payload = 'not json' WHERE run_id = $1 AND seq = 1", broken
    )
    fine = await leave_an_orphan(process, command_id="d")
    assert await process.recover() == 1
    statuses = dict(
        [tuple(row) for row in await process.database.fetch("SELECT id, status FROM runs")]
    )
    assert statuses == {broken: "running", fine: "failed"}


async def test_arguments_that_no_database_holds_do_not_lose_the_answer(process: Process) -> None:
    hostile = ToolRequest("call-1", "quotes", {"symbol": "GOOG", "limit": float("inf")})
    process.script(
        ScriptedReply(tool_requests=(hostile,)), ScriptedReply(text="That was no number.")
    )
    started = await process.answer("price of GOOG?")
    answer = (await messages(process, started.run.conversation_id))[-1]
    assert answer.content == "That was no number."
    [call] = answer.tool_calls
    assert call.input["limit"] is None


async def test_a_follow_up_may_repeat_a_number_of_an_earlier_turn(process: Process) -> None:
    process.script(
        QUOTES,
        ScriptedReply(text="GOOG closed at 806.19."),
        ScriptedReply(text="As said, GOOG closed at 806.19."),
        ScriptedReply(text="Again: GOOG closed at 806.19."),
    )
    started = await process.answer("price of GOOG?")
    conversation_id = started.run.conversation_id
    await process.answer("again?", conversation_id=conversation_id)
    process.runs._histories = Histories()  # as after a restart
    await process.answer("once more?", conversation_id=conversation_id)
    answers = [m for m in await messages(process, conversation_id) if m.role == "assistant"]
    assert [a.claims[0].tool_call_id for a in answers] == ["call-1"] * 3
    assert [len(a.tool_calls) for a in answers] == [1, 0, 0]


async def test_deleting_a_conversation_does_not_erase_what_it_cost(process: Process) -> None:
    process.script(ScriptedReply(text="Hello.", usage=Usage(900, 40)))
    process.model = "gpt-4o"
    started = await process.answer("talk")
    reads = CostReads(process.database)

    async def spent() -> list[Any]:
        return [
            await reads.totals(
                by, user_id=process.principal.user_id, start=None, end=None, offset=0, limit=10
            )
            for by in GROUPINGS
        ]

    before = await spent()
    assert [group.amount for [group] in before] == ["0.00265"] * 3
    await process.conversations.delete(process.principal, started.run.conversation_id)
    assert await spent() == before
    [entry] = await process.database.fetch("SELECT * FROM cost_entries")
    assert entry["run_id"] is None
    assert await process.database.fetch("SELECT * FROM run_events") == []


async def test_an_attempt_whose_run_was_deleted_is_still_settled(process: Process) -> None:
    run_id = await leave_an_orphan(process)
    await process.database.execute("DELETE FROM runs WHERE id = $1", run_id)
    await process.recover()
    [entry] = await process.database.fetch("SELECT * FROM cost_entries")
    assert entry["status"] == "reserved"  # whoever began it may still be about to settle it
    await process.database.execute("UPDATE cost_entries SET created_at = now() - interval '1 hour'")
    await process.recover()
    [entry] = await process.database.fetch("SELECT * FROM cost_entries")
    assert (entry["status"], entry["outcome"], entry["estimated"]) == (
        "settled",
        "interrupted",
        True,
    )
    assert entry["amount_usd"] == Decimal("0.0025")


async def test_a_user_who_is_deleted_while_an_answer_is_written_stops_it(
    process: Process,
) -> None:
    process.script(QUOTES, SLOW)
    process.model = "gpt-4o"
    started = await process.ask("talk")
    await until_streaming(process)
    await process.database.execute("DELETE FROM users WHERE id = $1", process.principal.user_id)
    await asyncio.wait_for(process.runs.wait(started.run.id), 20)
    rows = await process.database.fetch("SELECT * FROM cost_entries")
    assert {row["status"] for row in rows} == {"settled"}
    assert await process.database.fetch("SELECT * FROM run_events") == []
