"""Fixtures of the REST tests on a real Postgres."""

from collections.abc import AsyncIterator

import pytest
from litestar import Litestar

from app.rest.door import RestDoor
from app.storage.engine import Database
from app.storage.journal_store import PostgresJournal
from tests.integration.rest.rest_desk import Clients, Desk
from tools.market.demo import vendored_market


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[Desk]:
    async with PostgresJournal(database) as journal:
        desk = Desk(database, journal)
        await desk.agents.ensure_defaults()
        yield desk
        desk.passwords.close()
        desk.registry.close()


@pytest.fixture
async def market_desk(desk: Desk) -> Desk:
    """A desk with the prices of one shipped stock."""
    shipped = vendored_market()
    google = await shipped.find("GOOG")
    assert google is not None
    await desk.instruments.put(google)
    await desk.bars.replace(await shipped.read("GOOG"))
    return desk


@pytest.fixture
async def people(desk: Desk) -> AsyncIterator[Clients]:
    """Ann and Bob are users, Root is an admin; each has a key."""
    await desk.join("ann")
    await desk.join("bob")
    await desk.join("root", "admin")
    clients = Clients(Litestar(plugins=[RestDoor(desk.services())]), desk)
    yield clients
    await clients.aclose()
