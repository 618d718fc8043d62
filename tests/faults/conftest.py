"""One real desk for all tests that break things from outside; killing tests start their own."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.faults.provider import Provider
from tests.faults.server import Server


@pytest.fixture(scope="session")
async def provider() -> AsyncIterator[Provider]:
    """The provider that the shared desk asks."""
    async with Provider() as provider:
        yield provider


@pytest.fixture(scope="session")
async def desk(
    provider: Provider, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Server]:
    """A running server on an empty data directory, shared by the whole session."""
    server = Server(tmp_path_factory.mktemp("desk") / "data", environment_for(provider))
    try:
        await asyncio.to_thread(server.start)
        yield server
    finally:
        await asyncio.to_thread(server.clean_up)


@pytest.fixture(scope="session")
async def key(desk: Server) -> str:
    """An API key of the first user, with all scopes."""
    return await asyncio.to_thread(desk.api_key)


@pytest.fixture(scope="session")
async def other_key(desk: Server) -> str:
    """An API key of a second user, who owns nothing of the first one's."""
    return await asyncio.to_thread(desk.add_user, "other@desk.test")


@pytest.fixture
async def own_desk(tmp_path: Path) -> AsyncIterator[Server]:
    """A data directory and port of the test's own, not started yet."""
    server = Server(tmp_path / "data")
    try:
        yield server
    finally:
        await asyncio.to_thread(server.clean_up)


def environment_for(provider: Provider) -> dict[str, str]:
    """Return what makes a desk ask `provider`."""
    return {
        "OPENAI_API_KEY": "sk-fault-tests-0123456789",
        "OPENAI_BASE_URL": provider.base_url,
        "OUTCRY_MODEL": "fake-1",
    }
