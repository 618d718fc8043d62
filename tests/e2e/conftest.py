"""Real desks, a real browser, and an ear for everything the browser complains about."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, async_playwright

from tests.e2e.browser import ARGUMENTS, NO_BROWSER, Tab, find_browser
from tests.e2e.cable import Cable
from tests.faults.conftest import environment_for
from tests.faults.provider import Provider
from tests.faults.server import Server

NewTab = Callable[..., Awaitable[Tab]]


@pytest.fixture(scope="session")
def place() -> Iterator[Path]:
    """A directory that Postgres can enter whoever it runs as."""
    with tempfile.TemporaryDirectory(prefix="outcry-e2e-") as name:
        Path(name).chmod(0o711)
        yield Path(name)


@pytest.fixture(scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Headless Chromium, one for all tests; each tab gets a profile of its own."""
    executable = find_browser()
    if executable is None:
        pytest.skip(NO_BROWSER)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield browser
        await browser.close()


@pytest.fixture(scope="session")
async def desk(browser: Browser, place: Path) -> AsyncIterator[Server]:
    """The product as it comes: keyless, with the data it is shipped with."""
    server = Server(place / "desk")
    try:
        await asyncio.to_thread(server.start)
        yield server
    finally:
        await asyncio.to_thread(server.clean_up)


@pytest.fixture(scope="session")
async def slow_desk(browser: Browser, place: Path) -> AsyncIterator[Server]:
    """The product with a provider that takes as long as a question says."""
    async with Provider() as provider:
        server = Server(place / "slow", environment_for(provider))
        try:
            await asyncio.to_thread(server.start)
            yield server
        finally:
            await asyncio.to_thread(server.clean_up)


@pytest.fixture
async def cable(slow_desk: Server) -> AsyncIterator[Cable]:
    """A way to the slow desk that can be cut."""
    async with Cable(slow_desk.port) as cable:
        yield cable


@pytest.fixture(scope="session")
def cookies() -> dict[str, str]:
    """The session cookie of each desk, by its data directory; signing in is limited."""
    return {}


@pytest.fixture
async def open_tab(browser: Browser, cookies: dict[str, str]) -> AsyncIterator[NewTab]:
    """Open tabs on a desk, signed in unless told otherwise; complaints fail the test at its end."""
    tabs: list[Tab] = []

    async def open_tab(
        server: Server,
        *,
        signed_in: bool = True,
        origin: str | None = None,
        **options: Any,
    ) -> Tab:
        context = await browser.new_context(
            **{"viewport": {"width": 1440, "height": 900}, "color_scheme": "light", **options}
        )
        closing.push_async_callback(context.close)
        base = origin or server.origin
        if signed_in:
            at = str(server.data_dir)
            if at not in cookies:
                cookies[at] = await asyncio.to_thread(server.sign_in)
            name, value = cookies[at].split("=", 1)
            await context.add_cookies([{"name": name, "value": value, "url": base}])
        page = await context.new_page()
        page.set_default_timeout(15_000)
        tab = Tab(page, base)
        tabs.append(tab)
        return tab

    async with AsyncExitStack() as closing:
        yield open_tab
        for tab in tabs:
            assert tab.complaints() == []


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            # One worker has the browser and the desks, or every one would start its own.
            item.add_marker(pytest.mark.xdist_group("e2e"))
