"""Somebody else's database, and a desk that may read it."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import asyncpg
import pytest

from app.doors.outside_database import OutsideDatabase
from app.security.outbound import Allowed, Outbound
from app.storage.embedded import EmbeddedPostgres
from app.storage.engine import Database
from tests.integration.datasets.collecting_desk import CollectingDesk, behind_a_port


class Outside(NamedTuple):
    """Somebody else's database."""

    uri: str
    credentials: dict[str, str]
    connection: asyncpg.Connection
    """Its owner's."""
    desk: CollectingDesk


@pytest.fixture(scope="session")
async def outside_port(postgres: EmbeddedPostgres) -> AsyncIterator[int]:
    socket = Path(postgres.connect_kwargs["host"]) / f".s.PGSQL.{postgres.connect_kwargs['port']}"
    async with behind_a_port(socket) as port:
        yield port


@pytest.fixture
async def outside(
    postgres: EmbeddedPostgres, outside_port: int, database: Database, tmp_path: Path
) -> AsyncIterator[Outside]:
    await postgres.create_database("somebody_else")
    known = postgres.connect_kwargs
    connection = await asyncpg.connect(**{**known, "database": "somebody_else"})
    reader = OutsideDatabase(
        Outbound(Allowed.read([f"127.0.0.1:{outside_port}"])),
        statement_s=20.0,
        most_rows=60_000,
        most_bytes=8_000_000,
    )
    try:
        await connection.execute("DROP TABLE IF EXISTS sold")
        yield Outside(
            f"postgresql://127.0.0.1:{outside_port}/somebody_else",
            {"user": known["user"], "password": known["password"]},
            connection,
            CollectingDesk(database, tmp_path, {"database": reader}),
        )
    finally:
        await connection.close()
