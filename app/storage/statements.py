"""What companies reported, in Postgres: stored once, found by the day of publication."""

from collections.abc import Sequence
from datetime import datetime

from app.domain.ids import new_id
from app.domain.text import clean_text
from app.storage.engine import Database
from tools.analytics.fundamentals import Statement

_COLUMNS = (
    "symbol, period_end, months, published_at, currency, revenue, net_income, equity,"
    " total_debt, shares, dividends_per_share, source"
)


class PostgresStatements:
    """Implements `tools.market.fundamentals.StatementStore`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, statements: Sequence[Statement]) -> int:
        """Store the statements that are not there yet, in one step; return how many were new."""
        new = 0
        async with self._database.transaction() as connection:
            for one in statements:
                found = await connection.fetchval(
                    f"""
                    INSERT INTO statements (id, {_COLUMNS})
                    VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
                    ON CONFLICT (symbol, period_end, months, published_at) DO NOTHING
                    RETURNING 1
                    """,
                    new_id(),
                    one.symbol,
                    one.period_end,
                    one.months,
                    one.published_at,
                    one.currency,
                    one.revenue,
                    one.net_income,
                    one.equity,
                    one.total_debt,
                    one.shares,
                    one.dividends_per_share,
                    one.source,
                )
                new += found is not None
        return new

    async def read(self, symbol: str, *, published_by: datetime | None = None) -> list[Statement]:
        """Return the statements of a symbol published by a moment, oldest publication first."""
        rows = await self._database.fetch(
            f"""
            SELECT {_COLUMNS} FROM statements
             WHERE symbol = $1 AND ($2::timestamptz IS NULL OR published_at <= $2)
             ORDER BY published_at, period_end, months
            """,
            clean_text(symbol),
            published_by,
        )
        return [Statement(**dict(row.items())) for row in rows]
