"""Bars from another Postgres, and whole round trips by the command, on a real database."""

import os
from pathlib import Path

import numpy as np
import pytest

from app.storage.embedded import EmbeddedPostgres
from app.storage.engine import Database
from tests.integration.terminal.command import Command
from tools.market.demo import read_vendored
from tools.market.sources.postgres import PostgresSource
from tools.market.sources.source import SourceError
from tools.market.sources.typed_table import Reading
from tools.market.sources.written import write_bars


async def read(source: PostgresSource) -> list[tuple[str, list[str], list[float], dict[int, str]]]:
    return [
        (
            chunk.symbol,
            chunk.rows.timestamps.astype("datetime64[s]").astype(str).tolist(),
            chunk.rows.close.tolist(),
            dict(chunk.rows.unread),
        )
        async for chunk in source.chunks()
    ]


QUERY = """
    SELECT 'goog' AS ticker, '2020-01-02 09:30+02'::timestamptz AS "when", 1.10::numeric AS open,
           2::float4 AS high, 0.5 AS low, close, 100 AS volume
      FROM (VALUES (0.1::float8 + 0.2::float8), ('NaN'), (NULL)) AS found(close)
"""


async def test_a_query_is_read_with_the_digits_and_zones_it_has(
    postgres: EmbeddedPostgres, database: Database
) -> None:
    source = PostgresSource(
        postgres.dsn, QUERY, columns={"timestamp": "when"}, reading=Reading(days=False)
    )
    ((symbol, times, closes, unread),) = await read(source)
    assert (symbol, times) == ("GOOG", ["2020-01-02T07:30:00"] * 3)
    assert closes[0] == 0.1 + 0.2
    assert unread == {1: "close is no number: 'NaN'", 2: "close is missing"}


async def test_a_query_that_writes_is_refused(
    postgres: EmbeddedPostgres, database: Database
) -> None:
    await database.execute("CREATE TABLE IF NOT EXISTS theirs AS SELECT 1 AS kept")
    source = PostgresSource(postgres.dsn, "DELETE FROM theirs RETURNING kept")
    with pytest.raises(SourceError, match="refused the query"):
        await read(source)
    assert await database.fetchval("SELECT count(*) FROM theirs") == 1


async def test_a_wrong_password_is_told_without_it(postgres: EmbeddedPostgres) -> None:
    wrong = postgres.dsn.replace("outcry:", "outcry:x", 1)
    with pytest.raises(SourceError, match="cannot be reached") as refused:
        await read(PostgresSource(wrong, "SELECT 1"))
    assert wrong.split(":")[2].split("@")[0] not in str(refused.value)


@pytest.fixture(scope="module")
def outcry(tmp_path_factory: pytest.TempPathFactory) -> Command:
    """The command on one desk that these tests share; each uses symbols of its own."""
    return Command(tmp_path_factory.mktemp("desk") / "data")


async def test_what_is_exported_can_be_imported_as_it_is(tmp_path: Path, outcry: Command) -> None:
    """Through a CSV and a Parquet file, to the last digit."""
    shipped = read_vendored()["GOOG"].slice(0, 50)
    first, second = tmp_path / "first.csv.gz", tmp_path / "second.parquet"
    write_bars([shipped], first)
    brought = await outcry("import", "bars", str(first), "--create", "--source", "a test")
    assert (brought.rc, "50 stored, 0 refused" in brought.out) == (0, True)
    taken = await outcry("export", "bars", "goog", "-o", str(second))
    assert "Wrote 50 1d bars" in taken.out
    again = await outcry("import", "bars", str(second))
    assert "50 stored, 0 refused" in again.out
    third = tmp_path / "third.csv"
    await outcry("export", "bars", "GOOG", "-o", str(third))
    lines = third.read_text().splitlines()
    assert len(lines) == 51
    closes = [float(line.split(",")[5]) for line in lines[1:]]
    assert np.array_equal(closes, shipped.close)


async def test_refused_rows_are_counted_listed_and_written_down(
    tmp_path: Path, outcry: Command
) -> None:
    path, refused = tmp_path / "bad.csv", tmp_path / "refused.csv"
    path.write_text("date,o,h,l,c,v\n2020-01-02,1,2,0.5,1,7\n2020-01-03,1,2,0.5,=1+1,7\n")
    done = await outcry(
        *("import", "bars", str(path), "--symbol", "ACME", "--create", "--dry-run"),
        *("--refused", str(refused)),
    )
    assert done.rc == 0
    assert "1 would be stored, 1 refused" in done.out
    assert "row 2 ACME: close is no number: '=1+1'" in done.out
    assert refused.read_text().splitlines() == [
        "row,symbol,reason",
        "2,ACME,close is no number: '=1+1'",
    ]


async def test_a_refused_symbol_is_no_formula_in_a_spreadsheet(
    tmp_path: Path, outcry: Command
) -> None:
    path, refused = tmp_path / "bad.csv", tmp_path / "refused.csv"
    path.write_text("symbol,date,o,h,l,c,v\n@cmd,2020-01-02,1,2,0.5,1,7\n")
    done = await outcry("import", "bars", str(path), "--create", "--refused", str(refused))
    assert done.rc == 0
    assert refused.read_text().splitlines()[1].startswith("1,'@CMD,")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("import", "bars"), "Give files, or --postgres"),
        (("import", "bars", "gone.csv"), "There is no file"),
        (("import", "bars", "x.csv", "--timeframe", "7d"), "--timeframe must be one of"),
        (("import", "bars", "--vendor", "acme", "--symbol", "A"), "There is no vendor 'acme'"),
        (("import", "bars", "--vendor", "tiingo", "--symbol", "A"), "set TIINGO_API_KEY"),
        (("import", "bars", "--postgres", "postgres://x/y"), "needs --query"),
        (("export", "bars", "NONE", "-o", "x.csv"), "There is no instrument called 'NONE'"),
        (("export", "bars", "NONE", "-o", "x.doc"), "There is no instrument called 'NONE'"),
    ],
)
async def test_a_wrong_call_is_told_what_is_allowed(
    outcry: Command, arguments: tuple[str, ...], said: str
) -> None:
    assert "TIINGO_API_KEY" not in os.environ
    done = await outcry(*arguments)
    assert done.rc == 1
    assert said in " ".join(done.err.split())
    assert "Traceback" not in done.err


async def test_contracts_of_files_become_a_series(tmp_path: Path, outcry: Command) -> None:
    """The file says nothing of its contract; whoever imports it does."""
    shipped = read_vendored()["GOOG"].slice(0, 30)
    for symbol, expires in (("ZZF26", "2004-09-08"), ("ZZG26", "2004-12-08")):
        path = tmp_path / f"{symbol}.csv"
        write_bars([shipped], path)
        told = ("--symbol", symbol, "--create", "--kind", "future", "--root", "zz")
        done = await outcry("import", "bars", str(path), *told, "--expires", expires)
        assert (done.rc, "30 stored" in done.out) == (0, True), done
    refused = await outcry(
        *("import", "bars", str(path), "--create", "--root", "ZZ", "--expires", "2005-01-01")
    )
    assert (refused.rc, "A contract needs --symbol" in refused.err) == (1, True)
