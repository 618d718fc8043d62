"""The desk by keyboard, on a phone, in the dark, and for those who do not see it."""

import pytest
from playwright.async_api import expect

from tests.e2e.accessibility import AXE, violations
from tests.e2e.conftest import NewTab
from tests.faults.server import Server

GOOG = "How does GOOG look right now, and is that unusual?"
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


async def test_a_phone_scrolls_in_one_direction_and_opens_the_evidence_as_a_sheet(
    desk: Server, open_tab: NewTab
) -> None:
    tab = await open_tab(desk, **PHONE)
    await tab.open()
    assert await tab.overflow() == 0
    answer = await tab.ask_and_wait(GOOG)
    assert await tab.overflow() == 0
    await expect(tab.evidence).to_be_hidden()
    await answer.get_by_role("button", name="Show evidence").tap()
    await expect(tab.evidence.locator("canvas").first).to_be_visible()
    box = await tab.evidence.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 390
    assert await tab.overflow() == 0
    await tab.evidence.get_by_role("button", name="Close the evidence").tap()
    await expect(tab.evidence).to_be_hidden()

    await tab.page.get_by_role("button", name="Conversations").tap()
    await expect(tab.page.get_by_role("searchbox", name="Search conversations")).to_be_visible()
    assert await tab.overflow() == 0


async def test_everything_needed_is_reached_by_keyboard_alone(
    desk: Server, open_tab: NewTab
) -> None:
    tab = await open_tab(desk)
    press, focused = tab.page.keyboard.press, tab.page.locator(":focus")
    await tab.open()
    await tab.page.locator("body").focus()
    await press("i")
    await expect(tab.composer).to_be_focused()
    await tab.page.keyboard.type("Is $goo")
    await expect(tab.page.get_by_role("option")).to_have_count(1)
    await press("Enter")
    await tab.page.keyboard.type("'s RSI high?")
    await press("Enter")
    await tab.wait_for(tab.answers)
    assert "GOOG" in (await tab.said())[-1]

    await press("Escape")
    await press("?")
    await expect(tab.page.get_by_role("dialog")).to_contain_text("To the next number with evidence")
    await press("Escape")
    await expect(tab.page.get_by_role("dialog")).to_be_hidden()

    await tab.page.get_by_role("region", name="Conversation", exact=True).focus()
    for _ in range(30):
        await press("Tab")
        if "claim-mark" in (await focused.get_attribute("class") or ""):
            break
    await expect(tab.page.get_by_role("tooltip")).to_contain_text("As of")
    await press("Enter")
    await expect(tab.evidence.locator("[data-claim-row][aria-expanded=true]")).to_be_focused()

    await press("e")
    await expect(tab.evidence).to_be_hidden()
    await press("e")
    await expect(tab.evidence).to_be_visible()
    await press("/")
    await expect(tab.page.get_by_role("searchbox", name="Search conversations")).to_be_focused()
    await press("Control+k")
    await tab.page.keyboard.type("new conv")
    await press("Enter")
    await expect(tab.page.locator(".home")).to_be_visible()


async def test_the_first_view_is_light_to_load_and_charts_come_only_when_needed(
    desk: Server, open_tab: NewTab
) -> None:
    tab = await open_tab(desk)
    await tab.open()
    sent = """() => performance.getEntries().filter((one) => one.encodedBodySize > 0)
        .filter((one) => !new URL(one.name).pathname.startsWith("/api/"))
        .map((one) => [new URL(one.name).pathname, one.encodedBodySize])"""
    loaded: list[tuple[str, int]] = await tab.page.evaluate(sent)
    assert any(name.endswith(".js") for name, _ in loaded)
    assert sum(size for _, size in loaded) < 100_000, loaded
    assert not any("draw" in name for name, _ in loaded)
    await tab.ask_and_wait("Is IBM's RSI high?")
    await expect(tab.evidence.locator("canvas").first).to_be_visible()
    assert any("draw" in name for name, _ in await tab.page.evaluate(sent))


async def test_nothing_is_fetched_from_elsewhere(desk: Server, open_tab: NewTab) -> None:
    tab = await open_tab(desk)
    asked: list[str] = []
    tab.page.on("request", lambda request: asked.append(request.url))
    await tab.open()
    await tab.ask_and_wait("Is IBM's RSI high?")
    assert asked
    assert [url for url in asked if not url.startswith((desk.origin, "data:", "blob:"))] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_serious(desk: Server, open_tab: NewTab, scheme: str) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: npm ci in app/web")
    tab = await open_tab(desk, color_scheme=scheme, reduced_motion="reduce")
    await tab.page.context.add_init_script(path=AXE)
    await tab.open()
    await expect(tab.page.locator(".home li")).to_have_count(4)
    assert await violations(tab) == []
    answer = await tab.ask_and_wait(GOOG)
    await answer.locator("details[data-tool] summary").first.click()
    await answer.locator(".claim-mark").first.click()
    await expect(tab.evidence.locator("canvas").first).to_be_visible()
    assert await violations(tab) == []
    await tab.page.keyboard.press("Escape")
    await tab.page.keyboard.press("?")
    await expect(tab.page.get_by_role("dialog")).to_be_visible()
    assert await violations(tab) == []
    await tab.page.keyboard.press("Escape")
    await tab.page.keyboard.press("Control+k")
    await expect(tab.page.get_by_role("dialog")).to_be_visible()
    assert await violations(tab) == []
    await tab.page.keyboard.press("Escape")
    await tab.page.set_viewport_size({"width": 390, "height": 844})
    assert await violations(tab) == []
    await answer.get_by_role("button", name="Show evidence").click()
    await expect(tab.evidence).to_be_visible()
    assert await violations(tab) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_serious_before_signing_in(
    desk: Server, open_tab: NewTab, scheme: str
) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: npm ci in app/web")
    tab = await open_tab(desk, signed_in=False, color_scheme=scheme)
    tab.expected.append("401")
    await tab.page.context.add_init_script(path=AXE)
    await tab.page.goto(desk.origin)
    await expect(tab.page.get_by_role("button", name="Sign in")).to_be_visible()
    assert await violations(tab) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_axe_finds_nothing_serious_on_the_pages_of_the_market(
    desk: Server, open_tab: NewTab, scheme: str
) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: npm ci in app/web")
    tab = await open_tab(desk, color_scheme=scheme, reduced_motion="reduce")
    await tab.page.context.add_init_script(path=AXE)
    await tab.page.goto(f"{tab.base}/m/GOOG")
    chart = tab.page.locator("[data-chart]")
    await expect(chart).to_have_attribute("data-drawn", "true")
    await chart.get_by_text("Layers").click()
    assert await violations(tab) == []
    await chart.get_by_role("button", name="Data table").click()
    assert await violations(tab) == []
    await chart.get_by_role("button", name="Data table").click()
    signals = tab.page.locator('[data-section="signals"]')
    await expect(signals.locator("summary")).to_be_visible(timeout=60_000)
    await signals.locator("summary").click()
    await signals.locator("[data-signal] h3 button").first.click()
    await expect(tab.page.get_by_role("dialog")).to_be_visible()
    assert await violations(tab) == []
    await tab.page.goto(f"{tab.base}/scorecard")
    await expect(tab.page.locator("[data-score]").first).to_be_visible()
    assert await violations(tab) == []
    await tab.page.goto(f"{tab.base}/screen")
    await tab.page.get_by_role("button", name="Signal", exact=True).click()
    await tab.page.get_by_role("button", name="Above the 200-day average").click()
    await expect(tab.page.locator("[data-found]")).to_be_visible()
    assert await violations(tab) == []
    await tab.page.goto(f"{tab.base}/alerts?symbol=IBM&signal=breakout&direction=bullish")
    await expect(tab.page.locator(".understood")).to_be_visible()
    assert await violations(tab) == []
    await tab.page.set_viewport_size({"width": 390, "height": 844})
    assert await violations(tab) == []
