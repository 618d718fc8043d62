"""What a person sees while an answer takes its time and the connection does not hold."""

import asyncio
from typing import Any

from playwright.async_api import expect

from tests.e2e.browser import Tab
from tests.e2e.cable import Cable
from tests.e2e.conftest import NewTab
from tests.faults.provider import answer_text
from tests.faults.server import Server

NETWORK = ["WebSocket connection", "Failed to load resource", "ERR_"]


async def test_text_appears_as_it_is_said_and_stop_keeps_what_had_been_said(
    slow_desk: Server, open_tab: NewTab
) -> None:
    tab = await open_tab(slow_desk)
    await tab.open()
    await tab.ask("Say it slowly: tokens=2000 ms=20")
    prose = tab.answers.locator(".prose")
    await expect(prose).to_contain_text("brown fox")
    await expect(tab.stop).to_be_visible()
    first = await prose.inner_text()
    await expect(prose).to_contain_text("and rests the quick")
    assert (await prose.inner_text()).startswith(first), "what has been read must stay"

    await tab.page.keyboard.press("Escape")
    await expect(tab.answers.get_by_text("Stopped. What had been said is kept.")).to_be_visible()
    kept = await tab.said()
    assert answer_text(2000).startswith(kept[0])
    assert [one["content"].strip() for one in await stored(slow_desk, tab)] == kept
    await tab.page.reload()
    await expect(tab.answers).to_have_count(1)
    assert await tab.said() == kept


async def test_a_second_question_waits_in_sight_and_is_then_asked(
    slow_desk: Server, open_tab: NewTab
) -> None:
    tab = await open_tab(slow_desk)
    await tab.open()
    await tab.ask("First: tokens=80 ms=20")
    await expect(tab.stop).to_be_visible()
    await tab.ask("Second: tokens=5 ms=5")
    await expect(tab.page.get_by_text("Queued: sent when this answer is done")).to_be_visible()
    await expect(tab.answers).to_have_count(2, timeout=20_000)
    await tab.wait_for(tab.answers.nth(1))
    assert await tab.said() == [answer_text(80).strip(), answer_text(5).strip()]


async def test_a_connection_cut_in_mid_answer_comes_back_with_nothing_missing(
    slow_desk: Server, open_tab: NewTab, cable: Cable
) -> None:
    tab = await open_tab(slow_desk, origin=cable.origin)
    tab.expected += NETWORK
    await tab.open()
    await tab.ask("Say it: tokens=150 ms=20")
    await expect(tab.answers.locator(".prose")).to_contain_text("brown fox")
    cable.cut()
    bar = tab.page.get_by_text("Reconnecting")
    await expect(bar).to_be_visible()
    cable.mend()
    await expect(bar).to_be_hidden()
    await tab.wait_for(tab.answers)
    assert await tab.said() == [answer_text(150).strip()]
    assert [one["content"].strip() for one in await stored(slow_desk, tab)] == await tab.said()


async def test_a_question_asked_offline_waits_and_is_sent_when_the_network_is_back(
    slow_desk: Server, open_tab: NewTab
) -> None:
    tab = await open_tab(slow_desk)
    tab.expected += NETWORK
    await tab.open()
    await tab.ask_and_wait("First: tokens=5 ms=1")
    await tab.page.context.set_offline(True)
    await expect(tab.page.get_by_text("Offline. What you send now")).to_be_visible()
    await tab.ask("Second: tokens=7 ms=1")
    await expect(tab.page.get_by_text("Waiting for the network")).to_be_visible()
    await tab.page.context.set_offline(False)
    await expect(tab.answers).to_have_count(2)
    await tab.wait_for(tab.answers.nth(1))
    assert await tab.said() == [answer_text(5).strip(), answer_text(7).strip()]
    assert [one["content"].strip() for one in await stored(slow_desk, tab)] == await tab.said()


async def test_a_server_that_is_killed_and_comes_back_shows_what_it_had_stored(
    slow_desk: Server, open_tab: NewTab
) -> None:
    tab = await open_tab(slow_desk)
    tab.expected += NETWORK
    await tab.open()
    await tab.ask("Say it: tokens=3000 ms=10")
    await expect(tab.answers.locator(".prose")).to_contain_text("and rests the quick")
    await asyncio.to_thread(slow_desk.kill)
    await asyncio.to_thread(slow_desk.start)
    await expect(tab.answers.get_by_role("button", name="Try again")).to_be_visible(timeout=30_000)
    shown = await tab.said()
    assert shown[0].startswith("the quick brown fox")
    assert [one["content"].strip() for one in await stored(slow_desk, tab)] == shown
    await tab.page.reload()
    await expect(tab.answers).to_have_count(1)
    assert await tab.said() == shown

    await tab.answers.get_by_role("button", name="Try again").click()
    await expect(tab.stop).to_be_visible()
    await tab.stop.click()
    await expect(tab.stop).to_be_hidden()


async def stored(server: Server, tab: Tab) -> list[dict[str, Any]]:
    """Return the answers of the conversation in view as REST tells them, oldest first."""
    key = await asyncio.to_thread(server.api_key, "read")
    path = f"/api/v1/conversations/{tab.conversation_id()}/messages"
    messages = await asyncio.to_thread(lambda: server.pages(path, key=key))
    return [one for one in reversed(messages) if one["role"] == "assistant"]
