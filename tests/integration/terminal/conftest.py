"""The `outcry` command as a person runs it: a process of its own, in a pipe or a terminal."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.faults.provider import Provider
from tests.faults.server import Server
from tests.integration.terminal.command import Command


@pytest.fixture(scope="session")
async def provider() -> AsyncIterator[Provider]:
    """A fake OpenAI that does what the question says."""
    async with Provider() as provider:
        yield provider


@pytest.fixture(scope="session")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A running desk, beside which the command works on the same data directory."""
    server = Server(tmp_path_factory.mktemp("desk") / "data")
    try:
        await asyncio.to_thread(server.start)
        yield server
    finally:
        await asyncio.to_thread(server.clean_up)


@pytest.fixture
def outcry(server: Server) -> Command:
    """The command on the running desk's data directory, with the built-in model."""
    return Command(server.data_dir)


@pytest.fixture
def outcry_with_provider(server: Server, provider: Provider) -> Command:
    """The same, thinking with the fake OpenAI."""
    return Command(
        server.data_dir,
        {
            "OPENAI_API_KEY": "sk-terminal-tests-0123456789",
            "OPENAI_BASE_URL": provider.base_url,
            "OUTCRY_MODEL": "fake-1",
        },
    )


@pytest.fixture
def outcry_alone(tmp_path: Path) -> Command:
    """The command on a data directory that does not exist yet."""
    return Command(tmp_path / "data")
