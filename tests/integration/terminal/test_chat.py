"""`outcry chat`: a conversation with a person at a terminal."""

import pytest

from tests.integration.terminal.command import Command

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("terminal")]


async def test_a_conversation_goes_on_after_a_stopped_and_a_refused_answer(
    outcry_with_provider: Command,
) -> None:
    async with outcry_with_provider.terminal("chat") as terminal:
        await terminal.until("you ›")
        terminal.type("script=steady tokens=3000 ms=10\r")
        await terminal.until("lazy dog")
        terminal.type("\x03")
        await terminal.until("stopped")
        await terminal.until("you ›")
        terminal.type("script=refuse status=401\r")
        await terminal.until("401")
        await terminal.until("you ›")
        terminal.type("script=steady tokens=3\r")
        await terminal.until("the quick brown")
        await terminal.until("you ›")
        terminal.type("\x04")
        await terminal.until("outcry chat --resume")
        assert await terminal.ended() == 0


async def test_the_last_question_comes_back_with_the_arrow_key(outcry: Command) -> None:
    async with outcry.terminal("chat") as terminal:
        await terminal.until("you ›")
        terminal.type("RSI of IBM\r")
        await terminal.until("IBM's RSI")
        await terminal.until("you ›")
        terminal.type("\x1b[A")
        await terminal.until("RSI of IBM")
        terminal.type("\x7f\x7f\x7fMSFT\r")
        await terminal.until("MSFT's RSI")


async def test_ctrl_c_at_the_prompt_leaves_and_says_how_to_come_back(outcry: Command) -> None:
    async with outcry.terminal("chat") as terminal:
        await terminal.until("you ›")
        terminal.type("RSI of IBM\r")
        await terminal.until("IBM's RSI")
        await terminal.until("you ›")
        terminal.type("\x03")
        await terminal.until("outcry chat --resume")
        assert await terminal.ended() == 0


async def test_a_conversation_resumes_with_where_it_stood(outcry: Command) -> None:
    asked = await outcry("ask", "RSI of IBM")
    conversation = asked.err.rsplit("--resume ", 1)[1].strip()
    done = await outcry("chat", "--resume", conversation, given="and MSFT?\n")
    assert done.rc == 0
    assert "RSI of IBM, 2 messages" in done.err
    assert "MSFT's RSI" in done.out


async def test_a_conversation_that_does_not_exist_is_not_begun(outcry: Command) -> None:
    unknown = "01a206af-0000-7000-8000-000000000000"
    done = await outcry("chat", "--resume", unknown, given="hello\n")
    assert (done.rc, done.out) == (1, "")
    assert "There is no such conversation." in done.err


async def test_nothing_is_kept_of_a_chat_in_which_nothing_was_asked(outcry: Command) -> None:
    done = await outcry("chat", given="\n  \n")
    assert (done.rc, done.out) == (0, "")
    assert "--resume" not in done.err
