"""Files are read strictly: what is written is what is taken, or it is left with its reason."""

import gzip
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest

from tools.market.sources.files import FileSource
from tools.market.sources.source import Chunk, SourceError
from tools.market.sources.typed_table import CHUNK_ROWS, Reading

HEADING = "timestamp,open,high,low,close,volume\n"


async def read(path: Path, **options: Any) -> list[Chunk]:
    return [chunk async for chunk in FileSource(path, **{"symbol": "GOOG", **options}).chunks()]


async def one(tmp_path: Path, row: str, **options: Any) -> tuple[Chunk, str | None]:
    """Return what is made of one row, and why it was left."""
    path = tmp_path / "rows.csv"
    path.write_text(HEADING + row + "\n", encoding="utf-8")
    (chunk,) = await read(path, **options)
    return chunk, chunk.rows.unread.get(0)


@pytest.mark.parametrize(
    ("number", "value"),
    [
        ("1.5", 1.5),
        (" 1.5 ", 1.5),
        ("+2", 2.0),
        ("-0", 0.0),
        ("-37.63", -37.63),
        (".5", 0.5),
        ("5.", 5.0),
        ("1e3", 1000.0),
    ],
)
async def test_numbers_as_programs_write_them_are_read(
    tmp_path: Path, number: str, value: float
) -> None:
    chunk, why = await one(tmp_path, f"2020-01-02,{number},2,0.5,1.5,100")
    assert (chunk.rows.open[0], why) == (value, None)


@pytest.mark.parametrize(
    "number",
    [
        '"1,234.5"',
        "N/A",
        "NaN",
        "-inf",
        "Infinity",
        "1e",
        "1E+1000000",
        "9" * 400,
        "１２",
        "٣",
        "0x10",
        "1_000",
        "$5",
        "5%",
    ],
)
async def test_what_is_no_number_is_left_with_its_text(tmp_path: Path, number: str) -> None:
    _, why = await one(tmp_path, f"2020-01-02,1,2,0.5,{number},100")
    assert why == f"close is no number: {number.strip(chr(34))[:60]!r}"


@pytest.mark.parametrize("row", ["2020-01-02,1,2,0.5,,100", "2020-01-02,1,2,0.5"])
async def test_what_is_missing_is_said_to_be(tmp_path: Path, row: str) -> None:
    _, why = await one(tmp_path, row)
    assert why == "close is missing"


async def test_other_marks_are_read_when_they_are_told(tmp_path: Path) -> None:
    path = tmp_path / "german.csv"
    path.write_text("Datum;o;h;l;c;v\n02.01.2020;1.234,5;2.000;0,5;1;7\n")
    reading = Reading(decimal=",", thousands=".", time_format="%d.%m.%Y")
    (chunk,) = await read(path, columns={"timestamp": "Datum"}, reading=reading)
    assert (chunk.rows.open[0], chunk.rows.high[0], chunk.rows.low[0]) == (1234.5, 2000.0, 0.5)
    assert chunk.rows.timestamps[0] == np.datetime64("2020-01-02")


async def test_a_thousands_mark_at_the_wrong_place_is_no_number(tmp_path: Path) -> None:
    _, why = await one(tmp_path, '2020-01-02,"12,34",2,0.5,1,7', reading=Reading(thousands=","))
    assert why == "open is no number: '12,34'"


@pytest.mark.parametrize(
    ("written", "moment"),
    [
        ("2020-01-02", "2020-01-02T00:00"),
        ("20200102", "2020-01-02T00:00"),
        ("2020-01-02T09:30:00Z", "2020-01-02T09:30"),
        ("2020-01-02 09:30:00.5+01:00", "2020-01-02T08:30:00.5"),
        ("2020-01-02 09:30:00+00", "2020-01-02T09:30"),
        ("1577957400", "2020-01-02T09:30"),
        ("1577957400000", "2020-01-02T09:30"),
        ("1577957400000000", "2020-01-02T09:30"),
        ("1577957400000000000", "2020-01-02T09:30"),
    ],
)
async def test_times_are_read_in_their_zone(tmp_path: Path, written: str, moment: str) -> None:
    chunk, why = await one(tmp_path, f"{written},1,2,0.5,1,7")
    assert why is None
    assert chunk.rows.timestamps[0] == np.datetime64(moment, "us")


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("1/7/2020", "timestamp '1/7/2020' is not ISO 8601; say its format"),
        ("2020-13-01", "timestamp '2020-13-01' is not ISO 8601; say its format"),
        ("2020-01-02T09:30:00", "timestamp '2020-01-02T09:30:00' has no zone; say which"),
        ("", "timestamp is missing"),
    ],
)
async def test_times_that_could_mean_several_are_left(
    tmp_path: Path, written: str, said: str
) -> None:
    _, why = await one(tmp_path, f"{written},1,2,0.5,1,7")
    assert why == said


@pytest.mark.parametrize(
    ("written", "moment", "said"),
    [
        ("2020-01-02 09:30", "2020-01-02T14:30", None),
        ("2020-07-02 09:30", "2020-07-02T13:30", None),
        ("2020-03-08 02:30", None, "never was in America/New_York: clocks were put forward"),
        ("2020-11-01 01:30", None, "was twice in America/New_York: clocks were put back"),
        ("2020-11-01 01:30-04:00", "2020-11-01T05:30", None),
    ],
)
async def test_clocks_that_are_put_forward_and_back(
    tmp_path: Path, written: str, moment: str | None, said: str | None
) -> None:
    reading = Reading(timezone="America/New_York", days=False)
    chunk, why = await one(tmp_path, f"{written},1,2,0.5,1,7", reading=reading)
    if said is None:
        assert (chunk.rows.timestamps[0], why) == (np.datetime64(moment, "us"), None)
    else:
        assert why is not None
        assert why.endswith(said)


async def test_a_daily_bar_of_a_vendor_opens_on_the_date_it_has_there(tmp_path: Path) -> None:
    reading = Reading(timezone="America/New_York")
    chunk, why = await one(tmp_path, "2020-01-02T05:00:00Z,1,2,0.5,1,7", reading=reading)
    assert (chunk.rows.timestamps[0], why) == (np.datetime64("2020-01-02"), None)


async def test_rows_come_by_symbol_with_their_numbers_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "two.csv"
    path.write_text(
        "Date,Ticker,o,h,l,c,v\n2020-01-02,a,1,1,1,1,1\n2020-01-02,B,2,2,2,2,2\n"
        "2020-01-03,A,3,3,x,3,3\n"
    )
    a, b = await read(path, symbol=None)
    assert (a.symbol, a.numbers.tolist(), b.symbol, b.numbers.tolist()) == ("A", [1, 3], "B", [2])
    assert dict(a.rows.unread) == {1: "low is no number: 'x'"}


async def test_packed_files_and_other_delimiters_are_read(tmp_path: Path) -> None:
    path = tmp_path / "rows.tsv.gz"
    path.write_bytes(
        gzip.compress((HEADING + "2020-01-02,1,2,0.5,1,7\n").replace(",", "\t").encode())
    )
    (chunk,) = await read(path)
    assert chunk.rows.close.tolist() == [1.0]


async def test_a_name_with_brackets_is_no_pattern(tmp_path: Path) -> None:
    (tmp_path / "prices[1].csv").write_text(HEADING + "2020-01-02,1,2,0.5,1,7\n")
    (tmp_path / "prices1.csv").write_text(HEADING + "2020-01-02,100,200,50,100,7\n")
    (chunk,) = await read(tmp_path / "prices[1].csv")
    assert chunk.rows.close.tolist() == [1.0]


async def test_parquet_keeps_its_types(tmp_path: Path) -> None:
    path = tmp_path / "rows.parquet"
    database = duckdb.connect()
    database.execute(
        "COPY (SELECT 'GOOG' AS symbol, DATE '2020-01-02' AS date, 1.25::DECIMAL(10,2) AS open, "
        "2.0 AS high, 0.5::FLOAT AS low, 'NaN'::DOUBLE AS close, 7::BIGINT AS volume, "
        f"NULL::DOUBLE AS adj_close) TO '{path}' (FORMAT parquet)"
    )
    database.close()
    (chunk,) = await read(path, symbol=None)
    assert chunk.rows.open.tolist() == [1.25]
    assert np.isnan(chunk.rows.close[0]), "judged later, never replaced"
    assert chunk.rows.adjusted_close is not None
    assert np.isnan(chunk.rows.adjusted_close[0])


async def test_a_long_file_comes_in_pieces_that_miss_nothing(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    count = 2 * CHUNK_ROWS + 1
    with path.open("w") as file:
        file.write(HEADING)
        file.writelines(f"{1_500_000_000 + 60 * n},1,2,0.5,1,{n}\n" for n in range(count))
    source = FileSource(path, symbol="GOOG", reading=Reading(days=False))
    chunks = [chunk async for chunk in source.chunks()]
    assert [len(chunk.rows) for chunk in chunks] == [CHUNK_ROWS, CHUNK_ROWS, 1]
    assert np.concatenate([chunk.rows.volume for chunk in chunks]).tolist() == list(range(count))
    assert source.row_count() == count


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("gone.csv", None, "There is no file"),
        ("rows.xlsx", "x", "does not end in"),
        ("rows.parquet", "not parquet", "cannot be read"),
        ("rows.csv", "a,b\n1,2\n", "No column for timestamp"),
    ],
)
async def test_a_file_that_is_no_use_is_refused_whole(
    tmp_path: Path, name: str, content: str | None, said: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_text(content)
    with pytest.raises(SourceError, match=said):
        await read(path)


@pytest.mark.parametrize(
    ("reading", "said"),
    [
        (Reading(timezone="New York"), "is no time zone"),
        (Reading(decimal=",", thousands=","), "both decimal and thousands"),
    ],
)
def test_options_that_contradict_each_other_are_refused(reading: Reading, said: str) -> None:
    with pytest.raises(SourceError, match=said):
        FileSource(Path("rows.csv"), reading=reading)


async def test_names_that_try_to_be_sql_are_only_names(tmp_path: Path) -> None:
    path = tmp_path / "it's.csv"
    path.write_text('"a"" FROM x; --",o,h,l,c,v\n2020-01-02,1,2,0.5,1,7\n')
    (chunk,) = await read(path, columns={"timestamp": 'a" FROM x; --'}, symbol="O'NEIL")
    assert (chunk.symbol, chunk.rows.open.tolist()) == ("O'NEIL", [1.0])
