"""Prices that come while somebody looks: the chart grows in place, and grows on after a cut."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from playwright.async_api import expect

from app.protocol.frames import LiveBar
from app.storage.embedded import EmbeddedPostgres
from app.storage.engine import Database
from app.storage.wakeups import Announcer
from tests.e2e.cable import Cable
from tests.e2e.conftest import NewTab
from tests.faults.server import Server
from tests.integration.terminal.command import Command

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


@pytest.mark.usefixtures("listed")
async def test_an_open_bar_is_marked_as_provisional_until_it_closes(
    desk: Server, open_tab: NewTab, key: str
) -> None:
    """What `outcry ingest` tells of trades, told as it does, by another process's notification."""
    tab = await open_tab(desk)
    await tab.page.goto(f"{tab.base}/m/{SYMBOL}")
    await expect(tab.page.locator(f'[data-chart="{SYMBOL}"]')).to_have_attribute(
        "data-drawn", "true"
    )
    mark = tab.page.get_by_text("provisional: the bar is open")
    await expect(mark).to_be_hidden()
    place = SEEDED + 10
    opened = START + timedelta(days=place)
    async with (
        EmbeddedPostgres(desk.data_dir) as postgres,
        Database(postgres.connect_kwargs) as database,
        Announcer(database, "a reader of trades") as announcer,
    ):
        for close in (140.0, 141.5):
            announcer.bar_open(
                SYMBOL,
                "1d",
                LiveBar(timestamp=opened, open=139, high=142, low=138, close=close, volume=10),
            )
            await expect(tab.page.locator(".price strong")).to_have_text(f"{close:.2f}")
        await expect(mark).to_be_visible()
        stored = desk.request("GET", f"/api/v1/bars?symbol={SYMBOL}&limit=1", key=key)
        assert stored.body["items"][0]["close"] != 141.5, "nothing of it is stored"
        await asyncio.to_thread(post, desk, key, bar(place, 144))
    await expect(tab.page.locator(".price strong")).to_have_text("144.00")
    await expect(mark).to_be_hidden()


async def test_a_replay_says_that_it_is_one(desk: Server, open_tab: NewTab, key: str) -> None:
    told = ("--from", "2013-02-20", "--to", "2013-03-01", "--speed", "1d/s", "--no-alert")
    showing = asyncio.create_task(Command(desk.data_dir)("replay", "GOOG", *told))
    tab = await open_tab(desk)
    tab.expected += ["404"]
    mark = tab.page.get_by_text("replay: past prices shown on a clock")
    async with asyncio.timeout(40):
        path = "/api/v1/instruments/GOOG@REPLAY"
        while desk.request("GET", path, key=key).status != 200:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.2)
    await tab.page.goto(f"{tab.base}/m/GOOG@REPLAY")
    await expect(mark).to_be_visible()
    await expect(tab.page.locator('[data-chart="GOOG@REPLAY"] .when')).to_have_text(
        "2013-03-01", timeout=30_000
    )
    await expect(tab.page.locator(".price strong")).to_have_text("806.19")
    done = await showing
    assert done.rc == 0, done.err
    await tab.page.goto(f"{tab.base}/m/GOOG")
    await expect(tab.page.locator('[data-chart="GOOG"]')).to_have_attribute("data-drawn", "true")
    await expect(mark).to_be_hidden()
