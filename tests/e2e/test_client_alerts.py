"""An alert from its words to the conversation it opens, and back to silence."""

import re

import pytest
from playwright.async_api import expect

from tests.e2e.browser import Tab
from tests.e2e.conftest import NewTab
from tests.faults.server import Server


async def set_alert(tab: Tab, words: str, *, at_once: bool) -> None:
    """Say what should be watched, read back what was understood, and confirm it."""
    await tab.page.get_by_label("What should be watched?").fill(words)
    await tab.page.keyboard.press("Enter")
    understood = tab.page.locator(".understood")
    await expect(understood).to_be_visible()
    if at_once:
        await understood.get_by_label("Tell me at once").check()
    await understood.get_by_role("button", name="Set this alert").click()
    await expect(understood).to_be_hidden()


async def test_an_alert_that_fires_opens_a_conversation_that_stays_unread_until_it_is_read(
    desk: Server, open_tab: NewTab
) -> None:
    tab = await open_tab(desk)
    await tab.page.goto(f"{tab.base}/alerts")
    await set_alert(tab, "Tell me when the RSI of GOOG is above 50", at_once=True)
    notice = tab.page.get_by_role("status", name="Alerts and alarms")
    await expect(notice).to_contain_text("GOOG: RSI above 50")
    unread = tab.page.locator("li.item.unread")
    await expect(unread).to_have_count(1)
    assert (await tab.page.title()).startswith("(1) ")

    await tab.page.reload()
    await expect(unread).to_have_count(1)
    await unread.get_by_role("link").click()
    await expect(tab.page.get_by_text("Opened by an alert")).to_be_visible()
    await tab.wait_for(tab.answers)
    said = (await tab.said())[-1]
    assert "GOOG" in said
    assert "edge" in said, "how such cases went before"
    await expect(tab.answers.locator(".claim-mark").first).to_be_visible()
    await expect(tab.evidence.locator("canvas").first).to_be_visible()
    await expect(unread).to_have_count(0)
    answer = await tab.ask_and_wait("What do the signals say?")
    await expect(answer.locator(".prose").last).to_contain_text("GOOG")
    await tab.page.reload()
    await expect(tab.answers).to_have_count(2)
    await expect(unread).to_have_count(0)

    await tab.page.goto(f"{tab.base}/alerts")
    row = tab.page.locator("li.alert").filter(has_text="RSI above 50")
    await expect(row.get_by_text("holds now")).to_be_visible()
    await row.get_by_text("When it fired").click()
    await row.get_by_role("link", name="Its conversation").click()
    await expect(tab.answers).to_have_count(2)


async def test_an_alert_is_paused_resumed_and_deleted(desk: Server, open_tab: NewTab) -> None:
    tab = await open_tab(desk)
    await tab.page.goto(f"{tab.base}/alerts?symbol=IBM&signal=breakout&direction=bullish")
    understood = tab.page.locator(".understood")
    await expect(understood).to_contain_text("IBM")
    await expect(understood).to_contain_text("a bullish breakout signal fires")
    await understood.get_by_role("button", name="Set this alert").click()
    row = tab.page.locator("li.alert").filter(has_text="IBM")
    await expect(row).to_contain_text("Has not fired yet")
    await row.get_by_role("button", name=re.compile("Pause")).click()
    await expect(row.get_by_text("paused", exact=True)).to_be_visible()
    await tab.page.reload()
    await row.get_by_role("button", name=re.compile("Resume")).click()
    await expect(row.get_by_text("paused", exact=True)).to_be_hidden()
    await row.get_by_role("button", name=re.compile("Delete")).click()
    await row.get_by_role("button", name="Delete", exact=True).click()
    await expect(row).to_have_count(0)


@pytest.mark.parametrize(
    ("words", "told"),
    [("Tell me when GOOG feels lucky", "lucky"), ("RSI above 70", "symbol|instrument|which")],
)
async def test_words_that_are_not_understood_are_named(
    desk: Server, open_tab: NewTab, words: str, told: str
) -> None:
    tab = await open_tab(desk)
    tab.expected.append("422")
    await tab.page.goto(f"{tab.base}/alerts")
    await tab.page.get_by_label("What should be watched?").fill(words)
    await tab.page.keyboard.press("Enter")
    alert = tab.page.locator(".maker").get_by_role("alert")
    await expect(alert).to_contain_text(re.compile(told, re.IGNORECASE))
    await expect(tab.page.locator(".understood")).to_be_hidden()
