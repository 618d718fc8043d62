"""Models as people see them: trained while one watches, shown with their skill, asked, graded."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Browser, expect

from tests.e2e.accessibility import AXE, violations
from tests.e2e.conftest import NewTab
from tests.faults.server import Server

TRAINING_MS = 280_000


@pytest.fixture
async def learning_desk(
    browser: Browser, place: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Server]:
    """A desk of its own: what it learns, and the bars that come, would puzzle other tests."""
    # In a folder of its own too: sign-ins are remembered by folder.
    server = Server(place / f"learning-{request.node.name[5:20]}")
    try:
        await asyncio.to_thread(server.start)
        yield server
    finally:
        await asyncio.to_thread(server.clean_up)


async def test_what_models_read_is_materialised_and_shown_with_how_it_stands(
    learning_desk: Server, open_tab: NewTab
) -> None:
    tab = await open_tab(learning_desk, reduced_motion="reduce")
    await tab.page.context.add_init_script(path=AXE)
    await tab.page.goto(f"{tab.base}/models")
    page = tab.page.get_by_role("region", name="Models")
    row = page.get_by_role("row").filter(has_text="market.path_state@1")
    await expect(row).to_contain_text("nothing is served")

    await row.get_by_role("button", name="Materialise market.path_state@1").click()

    # The shipped prices end years ago: what is served of them says so.
    await expect(row).to_contain_text("stale, newest of 20", timeout=60_000)
    assert await violations(tab) == []


@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_a_model_is_trained_asked_and_graded_in_the_browser(
    learning_desk: Server, open_tab: NewTab
) -> None:
    tab = await open_tab(learning_desk, reduced_motion="reduce")
    await tab.page.context.add_init_script(path=AXE)
    await tab.page.goto(f"{tab.base}/models")
    page = tab.page.get_by_role("region", name="Models")
    await page.get_by_label("Train").select_option("variance")
    await page.get_by_label("bars ahead").fill("5")
    await page.get_by_role("button", name="Begin").click()
    await expect(page.get_by_role("status")).to_contain_text("is under way")
    await expect(page.get_by_role("progressbar")).to_be_visible()
    await expect(page.get_by_role("link", name="variance-5@1")).to_be_visible(timeout=TRAINING_MS)
    await expect(page.get_by_text("champion").nth(1)).to_be_visible(timeout=TRAINING_MS)
    assert await violations(tab) == []

    await page.get_by_role("link", name="variance-5@1").click()
    model = tab.page.get_by_role("region", name="Model")
    await expect(model.get_by_role("heading", name="variance-5@1")).to_be_visible()
    await expect(
        model.get_by_role("img", name=re.compile("Skill .* against log-HAR")).first
    ).to_be_visible()
    await expect(model.get_by_role("heading", name="By year")).to_be_visible()
    await expect(model.get_by_text("held", exact=False).first).to_be_visible()
    await expect(model.get_by_role("heading", name="Numbers")).to_be_visible()
    await expect(model.get_by_text(re.compile("ms a call .* rows a second"))).to_be_visible()
    await expect(model.get_by_text("which has no right or wrong class")).to_be_visible()
    await expect(model.get_by_text("Recipe")).to_be_visible()
    assert await violations(tab) == []

    await tab.open()
    await tab.ask_and_wait("How volatile will GOOG be over the next week?")
    said = (await tab.said())[-1]
    assert "from the plain" in said, "the baseline stands beside it"
    card = tab.evidence.locator(".card").filter(has_text="how much it may move")
    await expect(card.get_by_role("img", name=re.compile("fan of prices"))).to_be_visible()
    await expect(card).to_contain_text("Baseline")
    await expect(card.get_by_role("link", name="variance-5@1")).to_be_visible()
    await expect(card).to_contain_text("Known on")
    assert await violations(tab) == []

    # The next week comes.
    days = [4, 5, 6, 7, 8]
    bars = [
        {
            "timestamp": f"2013-03-{day:02}T00:00:00Z",
            "open": 806.0 + day,
            "high": 815.0 + day,
            "low": 800.0 + day,
            "close": 810.0 + day,
            "volume": 2_000_000,
        }
        for day in days
    ]
    taken = await tab.page.request.post(
        f"{tab.base}/api/v1/bars",
        data={"symbol": "GOOG", "timeframe": "1d", "bars": bars},
        headers={"origin": tab.base},
    )
    assert taken.status in (200, 201), await taken.text()
    for _ in range(60):
        await tab.page.reload()
        await tab.page.locator("article.answer footer").first.wait_for()
        if await tab.page.locator(".answer .grade").count():
            break
        await tab.page.wait_for_timeout(1_000)
    await expect(tab.page.locator(".answer .grade")).to_contain_text(
        re.compile("This forecast was (right|wrong)")
    )
    await expect(tab.evidence.get_by_text("Outcome", exact=True)).to_be_visible()
