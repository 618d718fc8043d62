"""A model of a collected table, as people ask for it: a table, a column, and what it is worth."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path

import numpy as np
import pytest
from playwright.async_api import Browser, expect

from tests.e2e.accessibility import AXE, violations
from tests.e2e.conftest import NewTab
from tests.faults.server import Server

TRAINING_MS = 60_000


@pytest.fixture
async def table_desk(browser: Browser, place: Path) -> AsyncIterator[Server]:
    """A desk that has collected a table."""
    server = Server(place / "tables")
    dice = np.random.default_rng(4)
    lines = ["day,shop,warm,weather,takings"]
    for number in range(600):
        warm, weather = dice.normal(15, 8), dice.choice(["sun", "rain"])
        takings = 100 + 4 * warm + 30 * (weather == "sun") + dice.normal(0, 5)
        day, shop = np.datetime64("2024-01-01") + number // 2, ("north", "south")[number % 2]
        lines.append(f"{day},{shop},{warm:.3f},{weather},{takings:.2f}")
    rows = place / "takings.csv"
    rows.write_text("\n".join(lines) + "\n")
    add = ("dataset", "add", "harbour takings", "--file", str(rows), "--entity", "shop")
    try:
        await asyncio.to_thread(server.start)
        await asyncio.to_thread(server.command, *add)
        yield server
    finally:
        await asyncio.to_thread(server.clean_up)


@pytest.mark.slow
@pytest.mark.timeout(200)
async def test_a_table_and_a_column_become_a_model_with_its_skill(
    table_desk: Server, open_tab: NewTab
) -> None:
    tab = await open_tab(table_desk, reduced_motion="reduce")
    await tab.page.context.add_init_script(path=AXE)
    await tab.page.goto(f"{tab.base}/models")
    page = tab.page.get_by_role("region", name="Models")
    await page.get_by_label("Train").select_option("tabular")
    await expect(page.get_by_role("combobox", name="on", exact=True)).to_have_value(
        "harbour takings"
    )
    await expect(page.get_by_label("to foretell")).to_have_value("takings")
    assert await violations(tab) == []
    await page.get_by_role("button", name="Begin").click()
    await expect(page.get_by_role("status")).to_contain_text(
        "Training harbour-takings-takings is under way."
    )
    link = page.get_by_role("link", name="harbour-takings-takings@1")
    await expect(link).to_be_visible(timeout=TRAINING_MS)

    await link.click()
    model = tab.page.get_by_role("region", name="Model")
    skill = model.get_by_role("img", name=re.compile("Skill .* against last value"))
    await expect(skill.first).to_be_visible()
    await expect(model.get_by_role("heading", name="By whom")).to_be_visible()
    await expect(model.get_by_text("1 moment purged")).to_be_visible()
    await expect(model.get_by_text("harbour takings, version 1, 600 rows")).to_be_visible()
    assert await violations(tab) == []
