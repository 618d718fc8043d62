"""Prices that come while somebody looks: the chart grows in place, and grows on after a cut."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import expect

from tests.e2e.cable import Cable
from tests.e2e.conftest import NewTab
from tests.faults.server import Server

SYMBOL = "ACME"
START = datetime(2012, 11, 1, tzinfo=UTC)
SEEDED = 60
NETWORK = ["WebSocket connection", "Failed to load resource", "ERR_"]


def bar(place: int, close: float) -> dict[str, Any]:
    """Return the daily bar of the so-manieth day."""
    opened = (START + timedelta(days=place)).isoformat().replace("+00:00", "Z")
    prices = {"open": close, "high": close + 1, "low": close - 1, "close": close}
    return {"timestamp": opened, **prices, "volume": 1000}


def day(place: int) -> str:
    return (START + timedelta(days=place)).date().isoformat()


@pytest.fixture(scope="session")
def key(desk: Server) -> str:
    return desk.api_key()


def post(desk: Server, key: str, *bars: dict[str, Any]) -> None:
    body = {"symbol": SYMBOL, "timeframe": "1d", "bars": list(bars)}
    answer = desk.request("POST", "/api/v1/bars", body, key=key)
    assert answer.status == 200, answer.body
    assert answer.body["accepted"] == len(bars), answer.body


@pytest.fixture(scope="session")
def listed(desk: Server, key: str) -> None:
    """An instrument of our own, which no other test looks at."""
    about = {"symbol": SYMBOL, "name": "Acme", "source": "made for a test", "kind": "crypto"}
    assert desk.request("POST", "/api/v1/instruments", about, key=key).status == 201
    post(desk, key, *(bar(place, 100 + place % 7) for place in range(SEEDED)))


@pytest.mark.usefixtures("listed")
async def test_a_bar_that_arrives_is_seen_without_a_jump_also_after_the_line_was_cut(
    desk: Server, open_tab: NewTab, key: str
) -> None:
    async with Cable(desk.port) as cable:
        tab = await open_tab(desk, origin=cable.origin)
        tab.expected += NETWORK
        await tab.page.goto(f"{tab.base}/m/{SYMBOL}")
        chart = tab.page.locator(f'[data-chart="{SYMBOL}"]')
        await expect(chart).to_have_attribute("data-drawn", "true")
        when = chart.locator(".when")
        await expect(when).to_have_text(day(SEEDED - 1))
        frame = chart.locator(".frame")
        before = await frame.bounding_box()
        await frame.evaluate("frame => { frame.dataset.same = 'yes'; }")

        await asyncio.to_thread(post, desk, key, bar(SEEDED, 123))
        await expect(when).to_have_text(day(SEEDED))
        await expect(tab.page.locator(".price strong")).to_have_text("123.00")
        assert await frame.bounding_box() == before
        assert await frame.get_attribute("data-same") == "yes"

        await asyncio.to_thread(post, desk, key, bar(SEEDED, 125))
        await expect(tab.page.locator(".price strong")).to_have_text("125.00")

        cable.cut()
        await expect(tab.page.get_by_text("Reconnecting")).to_be_visible()
        cable.mend()
        await expect(tab.page.get_by_text("Reconnecting")).to_be_hidden()
        await asyncio.to_thread(post, desk, key, bar(SEEDED + 1, 127))
        await expect(when).to_have_text(day(SEEDED + 1))


@pytest.mark.usefixtures("listed")
async def test_a_corrected_past_is_read_again(desk: Server, open_tab: NewTab, key: str) -> None:
    tab = await open_tab(desk)
    await tab.page.goto(f"{tab.base}/m/{SYMBOL}")
    chart = tab.page.locator(f'[data-chart="{SYMBOL}"]')
    await expect(chart).to_have_attribute("data-drawn", "true")
    drawing = chart.get_by_role("slider")
    await drawing.focus()
    await tab.page.keyboard.press("Home")
    await expect(chart.locator(".bar")).to_contain_text("C\xa0100.00")
    await asyncio.to_thread(post, desk, key, bar(0, 101.5))
    await expect(chart.locator(".bar")).to_contain_text("C\xa0101.50")
    await expect(chart.locator(".when")).to_have_text(day(0))
