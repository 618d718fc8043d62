"""The page of a market: its chart by pointer and keyboard, on a phone, and how one gets there."""

import re

from playwright.async_api import Locator, expect

from tests.e2e.browser import Tab
from tests.e2e.conftest import NewTab
from tests.faults.server import Server

PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


async def open_market(tab: Tab, symbol: str) -> Locator:
    """Go to a symbol's page and return its chart, drawn."""
    await tab.page.goto(f"{tab.base}/m/{symbol}")
    chart = tab.page.locator(f'[data-market="{symbol}"] [data-chart="{symbol}"]')
    await expect(chart).to_have_attribute("data-drawn", "true")
    return chart


def slider(chart: Locator) -> Locator:
    """Return the drawing, as the keyboard has it."""
    return chart.get_by_role("slider")


async def test_a_market_is_reached_from_the_home_page_the_palette_and_an_answers_chart(
    desk: Server, open_tab: NewTab
) -> None:
    tab = await open_tab(desk)
    await tab.open()
    await tab.page.locator(".home").get_by_role("link", name="IBM", exact=True).click()
    await expect(tab.page.locator('[data-market="IBM"]')).to_be_visible()

    await tab.page.keyboard.press("Control+k")
    await tab.page.keyboard.type("$msft")
    await tab.page.keyboard.press("Enter")
    await expect(tab.page.locator('[data-market="MSFT"]')).to_be_visible()
    assert tab.page.url.endswith("/m/MSFT")

    await tab.page.goto(tab.base)
    await tab.ask_and_wait("Is AAPL's RSI high?")
    await tab.evidence.get_by_role("link", name="AAPL").click()
    await expect(tab.page.locator('[data-market="AAPL"]')).to_be_visible()
    await tab.page.go_back()
    await expect(tab.answers).to_have_count(1)


async def test_a_chart_is_read_bar_by_bar_with_the_keyboard_and_as_a_table(
    desk: Server, open_tab: NewTab
) -> None:
    tab = await open_tab(desk)
    chart = await open_market(tab, "GOOG")
    drawing = slider(chart)
    await drawing.focus()
    end = await drawing.get_attribute("aria-valuetext") or ""
    assert end.startswith("2013-03-01: open ")
    await tab.page.keyboard.press("ArrowLeft")
    await expect(drawing).to_have_attribute("aria-valuetext", read("2013-02-28"))
    await tab.page.keyboard.press("Shift+ArrowLeft")
    await expect(drawing).to_have_attribute("aria-valuetext", read("2013-02-13"))
    await expect(chart.locator(".when")).to_have_text("2013-02-13")
    await tab.page.keyboard.press("End")
    await expect(drawing).to_have_attribute("aria-valuetext", end)

    await chart.get_by_role("button", name="Data table").click()
    table = chart.get_by_role("region", name="Bars")
    await expect(table.locator("tbody tr").first).to_contain_text("2013-03-01")
    await chart.get_by_role("button", name="Data table").click()
    await expect(chart).to_have_attribute("data-drawn", "true")


async def test_a_symbol_in_an_answer_leads_to_its_market(desk: Server, open_tab: NewTab) -> None:
    tab = await open_tab(desk)
    await tab.open()
    answer = await tab.ask_and_wait("Is IBM's RSI high?")
    link = answer.locator(".prose").get_by_role("link", name="IBM").first
    assert await link.get_attribute("href") == "/m/IBM"
    await link.click()
    await expect(tab.page.locator('[data-market="IBM"]')).to_be_visible()


async def test_layers_periods_and_prices_are_switched_and_layers_stay_switched(
    desk: Server, open_tab: NewTab
) -> None:
    tab = await open_tab(desk)
    chart = await open_market(tab, "AAPL")
    legend = chart.locator(".legend")
    await expect(legend).to_contain_text("SMA 50")
    await chart.get_by_text("Layers").click()
    await chart.get_by_label("Averages (SMA)").uncheck()
    await chart.get_by_label("MACD", exact=True).check()
    await expect(legend).not_to_contain_text("SMA 50")
    await expect(chart.locator(".pane").get_by_text("MACD 12/26")).to_be_visible()
    await tab.page.reload()
    await expect(chart).to_have_attribute("data-drawn", "true")
    await expect(legend).not_to_contain_text("SMA 50")
    await expect(chart.locator(".pane").get_by_text("MACD 12/26")).to_be_visible()

    await chart.get_by_role("button", name="All", exact=True).click()
    drawing = slider(chart)
    await expect(drawing).to_have_attribute("aria-valuemax", re.compile(r"^[1-9]\d{3}$"))
    await drawing.focus()
    await tab.page.keyboard.press("Home")
    adjusted = await chart.locator(".bar").inner_text()
    await chart.get_by_role("button", name="Raw").click()
    await drawing.focus()
    await tab.page.keyboard.press("Home")
    # AAPL was split since: its first bars traded at other prices.
    await expect(chart.locator(".bar")).to_contain_text(adjusted[:10])
    await expect(chart.locator(".bar")).not_to_contain_text(adjusted.split("\n")[1])


async def test_a_timeframe_without_bars_and_a_symbol_that_is_unknown_are_said_in_words(
    desk: Server, open_tab: NewTab
) -> None:
    tab = await open_tab(desk)
    await open_market(tab, "GOOG")
    page = tab.page.locator('[data-market="GOOG"]')
    minutes = page.get_by_role("button", name="1m", exact=True)
    await expect(minutes).to_be_disabled()
    assert await minutes.get_attribute("title") == "No one-minute bars are stored"
    await expect(page.get_by_role("button", name="1d", exact=True)).to_be_enabled()

    tab.expected.append("status of 404")
    await tab.page.goto(f"{tab.base}/m/GOOGL2")
    await expect(tab.page.get_by_text("GOOG", exact=False).first).to_be_visible()
    await expect(tab.page.get_by_role("button", name="Find another market")).to_be_visible()


async def test_invented_news_is_marked_and_what_is_not_known_is_said(
    desk: Server, open_tab: NewTab
) -> None:
    tab = await open_tab(desk)
    await open_market(tab, "GOOG")
    news = tab.page.locator('[data-section="news"]')
    await expect(news.get_by_text("synthetic", exact=True).first).to_be_visible()
    shown = await news.get_by_role("listitem").count()
    assert shown == await news.get_by_text("synthetic", exact=True).count(), "all of it is ours"
    await expect(
        news.get_by_role("img", name=re.compile("Sentiment .* on a scale"))
    ).to_be_visible()
    fundamentals = tab.page.locator('[data-section="fundamentals"]')
    await expect(fundamentals).to_contain_text("no reported statements of GOOG")
    data = tab.page.locator('[data-section="data"]')
    await data.get_by_text("Provenance").click()
    await expect(data).to_contain_text("sha256")


async def test_asking_on_a_market_page_begins_a_conversation_about_it(
    desk: Server, open_tab: NewTab
) -> None:
    tab = await open_tab(desk)
    await open_market(tab, "IBM")
    await tab.page.get_by_label("Ask about IBM").fill("Is the RSI high?")
    await tab.page.keyboard.press("Enter")
    await tab.wait_for(tab.answers)
    assert "IBM" in (await tab.said())[-1]


async def test_a_phone_shows_a_market_without_scrolling_sideways(
    desk: Server, open_tab: NewTab
) -> None:
    tab = await open_tab(desk, **PHONE)
    await open_market(tab, "GOOG")
    assert await tab.overflow() == 0
    inside = await tab.page.locator("[data-market]").evaluate(
        "page => page.scrollWidth - page.clientWidth"
    )
    assert inside == 0


def read(day: str) -> re.Pattern[str]:
    """Match what is said of the bar of a day."""
    return re.compile(f"^{day}: open ")
