"""Finding instruments by condition, and going on from what was found."""

from playwright.async_api import expect

from tests.e2e.conftest import NewTab
from tests.faults.server import Server


async def test_a_condition_is_built_found_sorted_and_opened(desk: Server, open_tab: NewTab) -> None:
    tab = await open_tab(desk)
    await tab.open()
    await tab.page.locator("body").focus()
    await tab.page.keyboard.press("Escape")
    await tab.page.keyboard.press("s")
    page = tab.page.get_by_role("region", name="Screen")
    await page.get_by_label("Field").select_option("rsi")
    await page.get_by_label("Comparison").select_option(">")
    await page.get_by_label("Value").fill("not a number")
    await page.get_by_role("button", name="Find them").click()
    await expect(page.get_by_role("alert")).to_contain_text('not a number: "not a number"')
    await page.get_by_label("Value").fill("1")
    await page.get_by_role("button", name="Find them").click()
    found = page.locator("[data-found]")
    await expect(found).to_contain_text("RSI above 1")
    table = found.get_by_role("region", name="Instruments found")
    rows = table.locator("tbody tr")
    assert await rows.count() >= 4

    await table.get_by_role("button", name="Symbol").click()
    symbols = await table.locator("tbody th").all_inner_texts()
    assert symbols == sorted(symbols)
    await table.get_by_role("button", name="RSI").click()
    await expect(table.locator('th[aria-sort="descending"]')).to_contain_text("RSI")
    values = [float(text) for text in await rows.locator("td:last-child").all_inner_texts()]
    assert values == sorted(values, reverse=True)

    first = await table.locator("tbody th").first.inner_text()
    await table.get_by_role("link", name=first, exact=True).click()
    await expect(tab.page.locator(f'[data-market="{first}"]')).to_be_visible()


async def test_a_condition_goes_to_json_and_back_and_what_is_found_can_be_asked_about(
    desk: Server, open_tab: NewTab
) -> None:
    tab = await open_tab(desk)
    await tab.page.goto(f"{tab.base}/screen")
    page = tab.page.get_by_role("region", name="Screen")
    await page.get_by_role("button", name="Signal", exact=True).click()
    await page.get_by_role("button", name="As JSON").click()
    typed = page.get_by_label("Condition as JSON")
    await expect(typed).to_have_value(
        '{\n  "all": [\n    {\n      "field": "rsi",\n      "op": "<",\n'
        '      "value": 30\n    },\n    {\n      "signal": "breakout"\n    }\n  ]\n}'
    )
    await typed.fill('{"field": "magic", "op": ">", "value": 1}')
    tab.expected.append("422")
    await page.get_by_role("button", name="Find them").click()
    await expect(page.get_by_role("alert")).to_contain_text("magic")
    await typed.fill('{"field": "close", "op": ">", "value": 0}')
    await page.get_by_role("button", name="Find them").click()
    await expect(page.locator("[data-found]")).to_contain_text("close above 0")
    await page.get_by_role("button", name="As lines").click()
    await expect(page.get_by_label("Field")).to_have_value("close")

    await page.get_by_role("button", name="Compare").click()
    await tab.wait_for(tab.answers)
    await expect(tab.answers.get_by_role("alert")).to_have_count(0)
