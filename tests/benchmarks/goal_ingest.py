"""Ingest: bars a second through the product's one intake into Postgres, against COPY.

The same bars go in as columns (what a file, a database or a topic brings), as JSON rows (what
`POST /bars` brings), out of a CSV file with everything that `outcry import bars` does, and by COPY
into a table of the same columns, keys and checks, unjudged.
"""

import os
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import msgspec
import numpy as np

from app.services.market.bar_import import BarImport
from app.services.market.bar_intake import BarIntake
from app.storage.bars import PostgresBars
from app.storage.embedded import EmbeddedPostgres
from app.storage.engine import Database
from app.storage.instruments import PostgresInstruments
from app.storage.migrate import upgrade
from tests.benchmarks.results import Figures, median, significant
from tools.market.checks import Rows
from tools.market.instruments import Instrument
from tools.market.sources.files import FileSource
from tools.market.sources.typed_table import Reading

SYMBOLS = 20
BARS = 10_000
"""A symbol's bars of one minute."""
_FIELDS = ("open", "high", "low", "close", "volume")


async def ingest(*, rounds: int = 3) -> Figures:
    """Bars a second into Postgres: as columns, as JSON, from a CSV file, and by COPY."""
    series = {f"BENCH{number}": _rows(number) for number in range(SYMBOLS)}
    total = SYMBOLS * BARS
    figures: dict[str, list[float]] = {name: [] for name in ("columns", "json", "csv", "copy")}
    with tempfile.TemporaryDirectory(prefix="outcry-bench-") as folder:
        os.chmod(folder, 0o711)
        csv_file = Path(folder) / "bars.csv"
        _write_csv(csv_file, series)
        as_json = {symbol: _json(rows) for symbol, rows in series.items()}
        async with (
            EmbeddedPostgres(Path(folder) / "data") as postgres,
            Database(postgres.connect_kwargs) as database,
        ):
            await upgrade(database)
            plain = await asyncpg.connect(**postgres.connect_kwargs)
            instruments, bars = PostgresInstruments(database), PostgresBars(database)
            for symbol in series:
                await instruments.put(Instrument(symbol=symbol, name=symbol, source="benchmark"))
            await plain.execute("CREATE TABLE copied (LIKE bars INCLUDING ALL)")
            records = await _records(plain, series)
            intake = BarIntake(instruments, bars, clock=lambda: datetime.now(UTC))
            for number in range(rounds):
                for name, given in (("columns", series), ("json", as_json)):
                    began = await _emptied(plain)
                    for symbol, rows in given.items():
                        await intake.take(symbol, "1m", rows)
                    figures[name].append(total / (time.monotonic() - began))
                    await _expect(plain, "bars", total)
                began = await _emptied(plain)
                source = FileSource(csv_file, reading=Reading(days=False))
                report = await BarImport(instruments, intake).run(source, "1m")
                figures["csv"].append(report.accepted / (time.monotonic() - began))
                await _expect(plain, "bars", total)
                began = await _emptied(plain)
                await plain.copy_records_to_table(
                    "copied",
                    columns=("instrument_id", "timeframe", "timestamp", *_FIELDS),
                    records=records,
                )
                figures["copy"].append(total / (time.monotonic() - began))
                await _expect(plain, "copied", total)
                print(
                    f"  round {number + 1}: "
                    + ", ".join(f"{name} {values[-1]:,.0f}/s" for name, values in figures.items())
                )
            await plain.close()
    columns, json, csv, copy = (median(figures[name]) for name in figures)
    return {
        "columns_rows_per_s": columns,
        "json_rows_per_s": json,
        "csv_rows_per_s": csv,
        "copy_rows_per_s": copy,
        "columns_share_of_copy": significant(columns / copy, 3),
        "csv_share_of_copy": significant(csv / copy, 3),
        "json_share_of_copy": significant(json / copy, 3),
    }


def _rows(seed: int) -> Rows:
    """Return a random walk of prices, each bar possible."""
    random = np.random.default_rng(seed)
    close = 100.0 * np.exp(np.cumsum(random.normal(0.0, 0.001, BARS)))
    opened = np.concatenate([[100.0], close[:-1]])
    spread = close * 0.001
    start = np.datetime64("2020-01-01T00:00:00", "us")
    return Rows(
        timestamps=start + np.arange(BARS) * np.timedelta64(60_000_000, "us"),
        open=opened,
        high=np.maximum(opened, close) + spread,
        low=np.minimum(opened, close) - spread,
        close=close,
        volume=np.rint(random.uniform(1_000.0, 9_000.0, BARS)),
    )


def _json(rows: Rows) -> list[msgspec.Raw]:
    return [
        msgspec.Raw(
            msgspec.json.encode(
                {"timestamp": f"{stamp}Z", **dict(zip(_FIELDS, values, strict=True))}
            )
        )
        for stamp, *values in zip(
            rows.timestamps.astype(str).tolist(),
            *(getattr(rows, name).tolist() for name in _FIELDS),
            strict=True,
        )
    ]


def _write_csv(path: Path, series: dict[str, Rows]) -> None:
    with path.open("w") as file:
        file.write("timestamp,symbol,open,high,low,close,volume\n")
        for symbol, rows in series.items():
            columns = [getattr(rows, name).tolist() for name in _FIELDS]
            for stamp, *values in zip(rows.timestamps.astype(str).tolist(), *columns, strict=True):
                file.write(f"{stamp}Z,{symbol},{','.join(map(repr, values))}\n")


async def _records(connection: Any, series: dict[str, Rows]) -> list[tuple[Any, ...]]:
    """Return the same bars as COPY takes them."""
    ids = {
        row["symbol"]: row["id"]
        for row in await connection.fetch("SELECT symbol, id FROM instruments")
    }
    return [
        (ids[symbol], "1m", stamp.replace(tzinfo=UTC), *values)
        for symbol, rows in series.items()
        for stamp, *values in zip(
            rows.timestamps.astype(object).tolist(),
            *(getattr(rows, name).tolist() for name in _FIELDS),
            strict=True,
        )
    ]


async def _emptied(connection: Any) -> float:
    """Empty the tables and return when the clock starts."""
    await connection.execute("TRUNCATE bars, copied")
    return time.monotonic()


async def _expect(connection: Any, table: str, count: int) -> None:
    found = await connection.fetchval(f"SELECT count(*) FROM {table}")
    if found != count:
        raise RuntimeError(f"{table} holds {found:,} bars instead of {count:,}")
