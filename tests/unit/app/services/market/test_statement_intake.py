"""The one way statements get in."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import msgspec
import pytest

from app.domain.errors import Invalid, TooLarge
from app.services.market.fundamentals import StatementIntake
from app.services.market.statement_checks import MAX_STATEMENTS
from tools.market.demo import vendored_market
from tools.market.fundamentals import InProcessStatements

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
GOOD: dict[str, Any] = {
    "symbol": "IBM",
    "periodEnd": "2025-12-31",
    "months": 12,
    "publishedAt": "2026-01-28",
    "currency": "USD",
    "source": "annual report 2025",
    "revenue": "123456789012345.123456",
    "netIncome": -12.5,
    "shares": 1000000,
}


def raw(**changed: Any) -> msgspec.Raw:
    return msgspec.Raw(msgspec.json.encode({**GOOD, **changed}))


@pytest.fixture
def store() -> InProcessStatements:
    return InProcessStatements()


@pytest.fixture
def intake(store: InProcessStatements) -> StatementIntake:
    return StatementIntake(vendored_market(), store, clock=lambda: NOW)


async def test_a_statement_is_kept_exactly_and_known_from_the_end_of_its_day(
    intake: StatementIntake, store: InProcessStatements
) -> None:
    taken = await intake.take([raw(), raw(symbol="xyz")])
    assert (taken.accepted, taken.refused, taken.unknown_symbols) == (2, [], ["XYZ"])
    (kept,) = await store.read("IBM")
    assert kept.revenue == Decimal("123456789012345.123456")
    assert (kept.net_income, kept.shares) == (Decimal("-12.5"), Decimal(1000000))
    assert (kept.equity, kept.total_debt) == (None, None)
    assert kept.published_at == datetime(2026, 1, 28, 23, 59, 59, tzinfo=UTC)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"revenue": "NaN"}, "revenue is not a plain number"),
        ({"revenue": "Infinity"}, "revenue is not a plain number"),
        ({"revenue": "1,234.5"}, "revenue is not a plain number"),
        ({"revenue": "１２"}, "revenue is not a plain number"),
        ({"revenue": "N/A"}, "revenue is not a plain number"),
        ({"revenue": "1E+1000000"}, "revenue is not a plain number"),
        ({"revenue": "1e30"}, "revenue is too large"),
        ({"revenue": 1e308}, "revenue"),
        ({"revenue": "0.1234567"}, "revenue has more than 6 decimals"),
        ({"revenue": True}, "revenue"),
        ({"revenue": None, "netIncome": None, "shares": ""}, "it states no figure at all"),
        ({"shares": 0}, "shares is 0; it must be above 0"),
        ({"totalDebt": "-1"}, "totalDebt is -1; it must be 0 or more"),
        ({"dividendsPerShare": -0.5}, "dividendsPerShare is -0.5; it must be 0 or more"),
        ({"months": 7}, "months is 7; it must be 3, 6, 9 or 12"),
        ({"months": "12"}, "months"),
        ({"periodEnd": "2026-02-30"}, "periodEnd"),
        ({"periodEnd": "1812-12-31"}, "periodEnd is before 1900"),
        ({"publishedAt": "2025-12-30"}, "publishedAt is before periodEnd"),
        ({"publishedAt": "2026-11-24"}, "publishedAt is in the future"),
        ({"publishedAt": "2026-01-28T10:00:00"}, "publishedAt has no zone"),
        ({"publishedAt": "soon"}, "publishedAt must be a date or a time"),
        ({"currency": "dollars"}, "currency must be three letters"),
        ({"source": "\u200b"}, "source must have 1 to 200 characters"),
        ({"symbol": "A B"}, "symbol 'A B' is none"),
        ({"ebitda": 1}, "ebitda"),
    ],
)
async def test_what_cannot_be_believed_is_refused_alone(
    intake: StatementIntake, store: InProcessStatements, changed: dict[str, Any], reason: str
) -> None:
    taken = await intake.take([raw(symbol="AAPL"), raw(**changed)])
    assert taken.accepted == 1
    (refused,) = taken.refused
    assert refused.index == 1
    assert reason in refused.reason
    assert await store.read("IBM") == []


async def test_the_same_again_is_known_and_other_figures_need_their_own_day(
    intake: StatementIntake,
) -> None:
    await intake.take([raw()])
    taken = await intake.take(
        [raw(), raw(revenue=1), raw(revenue=1, publishedAt="2026-03-01"), raw(revenue=2)]
    )
    assert (taken.accepted, taken.already_known) == (1, 1)
    assert [one.index for one in taken.refused] == [1, 3]
    assert "restatement" in taken.refused[0].reason


async def test_a_dry_run_stores_nothing(
    intake: StatementIntake, store: InProcessStatements
) -> None:
    assert (await intake.take([raw()], dry_run=True)).accepted == 1
    assert await store.read("IBM") == []


async def test_nothing_and_too_much_are_refused_whole(intake: StatementIntake) -> None:
    with pytest.raises(Invalid, match="empty"):
        await intake.take([])
    with pytest.raises(TooLarge, match="10,000"):
        await intake.take([raw()] * (MAX_STATEMENTS + 1))
