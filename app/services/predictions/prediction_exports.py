"""The predictions of a batch as one table, to take away: CSV or Parquet."""

import asyncio
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Literal

import duckdb
import msgspec

from app.domain.predictions import Prediction

_COLUMNS = {
    "id": "VARCHAR",
    "requestId": "VARCHAR",
    "status": "VARCHAR",
    "model": "VARCHAR",
    "degraded": "BOOLEAN",
    "askedModel": "VARCHAR",
    "degradedBecause": "VARCHAR",
    "symbol": "VARCHAR",
    "timeframe": "VARCHAR",
    "horizonBars": "INTEGER",
    "asOf": "TIMESTAMPTZ",
    "resolvesAt": "TIMESTAMPTZ",
    "value": "DOUBLE",
    "class": "VARCHAR",
    "low": "DOUBLE",
    "high": "DOUBLE",
    "level": "DOUBLE",
    "confidence": "DOUBLE",
    "baseline": "VARCHAR",
    "baselineValue": "DOUBLE",
    "outcome": "DOUBLE",
    "grade": "VARCHAR",
    "loss": "DOUBLE",
    "baselineLoss": "DOUBLE",
    "input": "VARCHAR",
    "output": "VARCHAR",
    "errorCode": "VARCHAR",
    "error": "VARCHAR",
}
Format = Literal["csv", "parquet"]
_OPTIONS = {"csv": "FORMAT csv, HEADER", "parquet": "FORMAT parquet, COMPRESSION zstd"}


async def as_table(pages: AsyncIterator[list[Prediction]], kind: Format) -> bytes:
    """Return all predictions of `pages` as one file, newest first."""
    with tempfile.TemporaryDirectory(prefix="outcry-export-") as folder:
        source = Path(folder) / "rows.jsonl"
        with source.open("wb") as lines:
            async for page in pages:
                text = b"".join(msgspec.json.encode(_row(one)) + b"\n" for one in page)
                await asyncio.to_thread(lines.write, text)
        return await asyncio.to_thread(_convert, source, Path(folder) / "table", kind)


def _convert(source: Path, target: Path, kind: Format) -> bytes:
    columns = ", ".join(f"{name!r}: {of!r}" for name, of in _COLUMNS.items())
    with duckdb.connect() as database:
        database.execute("SET TimeZone = 'UTC'")
        database.execute(
            f"COPY (SELECT * FROM read_json(?, format = 'newline_delimited',"
            f" columns = {{{columns}}})) TO '{target}' ({_OPTIONS[kind]})",
            [str(source)],
        )
    return target.read_bytes()


def _row(one: Prediction) -> dict[str, Any]:
    output, interval, baseline = one.output, one.interval, one.baseline
    value = None if output is None else output.value
    return {
        "id": str(one.id),
        "requestId": one.request_id,
        "status": one.status,
        "model": one.model_version,
        "degraded": one.degraded,
        "askedModel": one.asked_model,
        "degradedBecause": one.degraded_because,
        "symbol": one.symbol,
        "timeframe": one.timeframe,
        "horizonBars": one.horizon_bars,
        "asOf": one.as_of,
        "resolvesAt": one.resolves_at,
        "value": value if isinstance(value, int | float) else None,
        "class": value if isinstance(value, str) else None,
        "low": None if interval is None else interval.low,
        "high": None if interval is None else interval.high,
        "level": None if interval is None else interval.level,
        "confidence": one.confidence,
        "baseline": None if baseline is None else baseline.name,
        "baselineValue": _number(None if baseline is None else baseline.value),
        "outcome": _number(None if one.outcome is None else one.outcome.value),
        "grade": one.grade,
        "loss": one.loss,
        "baselineLoss": one.baseline_loss,
        "input": msgspec.json.encode(one.input).decode(),
        "output": None if output is None else msgspec.json.encode(output).decode(),
        "errorCode": one.error_code,
        "error": one.error,
    }


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
