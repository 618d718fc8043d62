"""Fixtures of the REST tests on a real Postgres."""

from collections.abc import AsyncIterator

import pytest
from litestar import Litestar

from app.rest.door import RestDoor
from app.storage.engine import Database
from app.storage.journal_store import PostgresJournal
from tests.integration.rest.rest_desk import Desk, People
from tools.market.demo import VENDORED, read_vendored


@pytest.fixture
async def desk(database: Database) -> AsyncIterator[Desk]:
    async with PostgresJournal(database) as journal:
        desk = Desk(database, journal)
        await desk.agents.ensure_defaults()
        yield desk


@pytest.fixture
async def market_desk(desk: Desk) -> Desk:
    """A desk with the prices of one shipped stock."""
    series = read_vendored()["GOOG"]
    await desk.instruments.put(VENDORED.instrument("GOOG", complete=True))
    await desk.bars.replace(series)
    return desk


@pytest.fixture
async def people(desk: Desk) -> AsyncIterator[People]:
    """Ann and Bob are users, Root is an admin; each has a key."""
    await desk.person("ann")
    await desk.person("bob")
    await desk.person("root", "admin")
    people = People(Litestar(plugins=[RestDoor(desk.services())]))
    yield people
    await people.aclose()
