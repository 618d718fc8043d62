"""`outcry ask`: in a pipe, as JSON, in a terminal, interrupted."""

import json
import re

import pytest

from tests.faults.provider import answer_text
from tests.faults.server import Server
from tests.integration.terminal.command import Command

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("terminal")]


async def test_a_pipe_gets_markdown_and_the_rest_goes_to_standard_error(outcry: Command) -> None:
    done = await outcry("ask", "RSI", "of", "IBM")

    assert done.rc == 0
    assert "RSI" in done.out
    assert re.search(r"^\[\^1\]: IBM RSI", done.out, re.MULTILINE)
    assert "✓ indicators" in done.err
    assert "outcry chat --resume" in done.err


async def test_json_is_the_stored_answer(outcry: Command, server: Server) -> None:
    done = await outcry("ask", "--json", "RSI of IBM")
    document = json.loads(done.out)
    key = server.api_key()
    path = f"/api/v1/conversations/{document['conversationId']}/messages"
    assert (done.rc, document["outcome"], document["error"]) == (0, "success", None)
    answer = document["answer"]
    assert {"content", "toolCalls", "claims", "receipt"} <= set(answer)
    assert answer == server.request("GET", path, key=key).body["items"][0]


async def test_a_question_may_come_from_standard_input(outcry: Command) -> None:
    done = await outcry("ask", "-", given="RSI of IBM\n")
    assert done.rc == 0
    assert "IBM" in done.out


async def test_an_earlier_conversation_goes_on(outcry: Command) -> None:
    first = json.loads((await outcry("ask", "--json", "RSI of IBM")).out)
    second = await outcry(
        "ask", "--json", "--resume", first["conversationId"], "and what about MSFT?"
    )
    document = json.loads(second.out)
    assert document["conversationId"] == first["conversationId"]
    assert "MSFT" in document["answer"]["content"]


async def test_it_works_without_a_server_on_an_empty_data_directory(outcry_alone: Command) -> None:
    done = await outcry_alone("ask", "RSI of IBM")
    assert done.rc == 0
    assert "RSI" in done.out


async def test_a_provider_that_refuses_is_told_and_fails(outcry_with_provider: Command) -> None:
    done = await outcry_with_provider("ask", "script=refuse status=401")
    assert done.rc == 1
    assert done.out == ""
    assert "401" in done.err
    assert "nothing used" in done.err
    assert "sk-" not in done.err


async def test_json_of_a_failed_answer_tells_why(outcry_with_provider: Command) -> None:
    done = await outcry_with_provider("ask", "--json", "script=cut tokens=5")
    document = json.loads(done.out)
    assert (done.rc, document["outcome"]) == (1, "failed")
    assert document["error"]["code"].startswith("llm_")
    assert document["error"]["message"]
    assert document["answer"]["content"] == answer_text(5)


async def test_ctrl_c_keeps_what_was_said(outcry_with_provider: Command) -> None:
    async with outcry_with_provider.terminal("ask", "script=steady tokens=3000 ms=10") as terminal:
        await terminal.until("lazy dog")
        terminal.type("\x03")
        await terminal.until("stopped")
        await terminal.until("outcry chat --resume ")
        assert await terminal.ended() == 130
        conversation = terminal.shown.rsplit("--resume ", 1)[1].split()[0]

    assert "^C" not in terminal.shown
    again = await outcry_with_provider("chat", "--resume", conversation)
    assert "the quick brown fox jumps over a lazy dog" in " ".join(again.err.split())


async def test_ctrl_c_while_the_desk_opens_leaves_at_once(outcry_alone: Command) -> None:
    async with outcry_alone.terminal("ask", "hello") as terminal:
        await terminal.until("the database")
        terminal.type("\x03")
        assert await terminal.ended() == 130
    assert "Traceback" not in terminal.shown
