"""Both statement stores keep the same promises."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from app.storage.engine import Database
from app.storage.statements import PostgresStatements
from tools.analytics.fundamentals import Statement
from tools.market.fundamentals import InProcessStatements, StatementStore


def statement(year: int, **changed: Any) -> Statement:
    values: dict[str, Any] = {
        "symbol": "IBM",
        "period_end": date(year, 12, 31),
        "months": 12,
        "published_at": datetime(year + 1, 2, 1, tzinfo=UTC),
        "currency": "USD",
        "revenue": Decimal("123456789012345678901234.123456"),
        "net_income": Decimal("-0.000001"),
        "shares": None,
        "source": "annual report",
        **changed,
    }
    return Statement(**values)


@pytest.fixture(params=["in process", "postgres"])
async def store(request: pytest.FixtureRequest, database: Database) -> StatementStore:
    in_process = request.param == "in process"
    return InProcessStatements() if in_process else PostgresStatements(database)


async def test_what_is_stored_is_read_back_exactly_once(store: StatementStore) -> None:
    first, second = statement(2011), statement(2010)
    assert await store.add([first, second]) == 2
    assert await store.add([first, statement(2011, revenue=Decimal(1))]) == 0
    assert await store.read("IBM") == [second, first]
    assert await store.read("IBM'; --\x00") == []


async def test_only_what_was_published_by_the_moment_is_read(store: StatementStore) -> None:
    again = statement(2010, published_at=datetime(2011, 6, 1, tzinfo=UTC))
    await store.add([statement(2010), again, statement(2011)])
    found = await store.read("IBM", published_by=datetime(2011, 5, 31, tzinfo=UTC))
    assert found == [statement(2010)]
    assert len(await store.read("IBM", published_by=datetime(2011, 6, 1, tzinfo=UTC))) == 2
