"""Signals as people see them: opened from the list and the chart, and how good they have been."""

import re

from playwright.async_api import expect

from tests.e2e.conftest import NewTab
from tests.faults.server import Server

READING_MS = 60_000
"""A desk that has just started is still reading signals from its histories."""


async def test_a_signal_opens_with_its_record_and_can_be_watched_for(
    desk: Server, open_tab: NewTab
) -> None:
    tab = await open_tab(desk)
    await tab.page.goto(f"{tab.base}/m/AAPL")
    section = tab.page.locator('[data-section="signals"]')
    await expect(section.locator("summary")).to_be_visible(timeout=READING_MS)
    await section.locator("summary").click()
    row = section.locator("[data-signal]").filter(has_text="Breakout").first
    await row.get_by_role("button").click()
    dialog = tab.page.get_by_role("dialog")
    await expect(dialog).to_contain_text("Breakout")
    await expect(dialog).to_contain_text(re.compile("Was (right|wrong)"))
    await expect(dialog).to_contain_text("Right means")
    await expect(dialog.get_by_text(re.compile("measured edge|too few")).first).to_be_visible()
    await expect(dialog.get_by_role("row", name=re.compile("^RSI"))).to_be_visible()
    direction = "bullish" if await dialog.get_by_text("▲ bullish").count() else "bearish"
    await dialog.get_by_role("button", name="Tell me when it fires again").click()
    await expect(tab.page.locator(".understood")).to_contain_text(f"a {direction} breakout signal")


async def test_a_signal_is_found_on_the_chart_by_keyboard_and_asked_about(
    desk: Server, open_tab: NewTab
) -> None:
    tab = await open_tab(desk)
    await tab.page.goto(f"{tab.base}/m/AAPL")
    chart = tab.page.locator("[data-chart]")
    await expect(chart).to_have_attribute("data-drawn", "true")
    await expect(tab.page.locator('[data-section="signals"]')).to_contain_text(
        "Earlier signals", timeout=READING_MS
    )
    drawing = chart.get_by_role("slider")
    await drawing.focus()
    for _ in range(60):
        if await chart.locator(".marks button").count():
            break
        await tab.page.keyboard.press("ArrowLeft")
    said = await drawing.get_attribute("aria-valuetext") or ""
    assert re.search("bullish|bearish|neutral", said), "words beside shape and colour"
    await tab.page.keyboard.press("Enter")
    dialog = tab.page.get_by_role("dialog")
    await expect(dialog).to_contain_text("AAPL: ")
    await dialog.get_by_role("button", name="Ask about it").first.click()
    await tab.wait_for(tab.answers)
    assert "AAPL" in (await tab.said())[-1]


async def test_the_scorecard_tells_kinds_with_an_edge_from_those_without(
    desk: Server, open_tab: NewTab
) -> None:
    tab = await open_tab(desk)
    await tab.page.goto(f"{tab.base}/scorecard")
    page = tab.page.get_by_role("region", name="Scorecard")
    table = page.get_by_role("region", name="All kinds of signals")
    rows = table.locator("tbody tr")
    await expect(rows.first).to_be_visible(timeout=READING_MS)
    assert await rows.count() >= 10
    cards = page.locator("[data-score]")
    assert await cards.count() == await rows.count()
    without = page.locator("section").filter(has=tab.page.get_by_role("heading", name="Without"))
    await expect(without.locator(".tag.measured")).to_have_count(0)
    await expect(without.get_by_text("no measured edge").first).to_be_visible()
    curve = cards.first.get_by_role("img").last
    assert "after any bar" in (await curve.get_attribute("aria-label") or "")
    await table.get_by_role("button", name="n", exact=True).click()
    heads = await table.locator("thead th").all_inner_texts()
    column = 1 + next(place for place, head in enumerate(heads) if head.startswith("n"))
    cells = await rows.locator(f"td:nth-child({column})").all_inner_texts()
    counts = [int(text.replace(",", "")) for text in cells]
    assert counts == sorted(counts, reverse=True)
