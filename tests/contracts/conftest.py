"""A running desk for the clients that others write."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.contracts.running_desk import RunningDesk, add_keyless_agent
from tests.faults.provider import Provider
from tests.faults.server import Server


@pytest.fixture(scope="session")
async def running_desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[RunningDesk]:
    """A desk whose analyst asks a fake OpenAI, and that has an agent of the built-in model too."""
    async with Provider() as provider:
        environment = {
            "OPENAI_API_KEY": "sk-contract-tests-0123456789",
            "OPENAI_BASE_URL": provider.base_url,
            "OUTCRY_MODEL": "fake-1",
        }
        server = Server(tmp_path_factory.mktemp("desk") / "data", environment)
        try:
            await asyncio.to_thread(server.start)
            key = await asyncio.to_thread(server.api_key)
            await asyncio.to_thread(add_keyless_agent, server, key)
            yield RunningDesk(server, key)
        finally:
            await asyncio.to_thread(server.clean_up)
