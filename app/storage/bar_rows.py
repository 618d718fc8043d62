"""Bars between numpy and Postgres: packed columns out, binary COPY in."""

from collections.abc import Sequence
from datetime import UTC, datetime
from io import BytesIO
from uuid import UUID

import msgspec
import numpy as np
from numpy.typing import NDArray

from app.storage.engine import PooledConnection, Record
from tools.market.actions import Action
from tools.market.bars import Bars, Floats, Times, without_gaps
from tools.market.calendars import calendar_name

PRICES = ("open", "high", "low", "close", "volume", "adjusted_close")
COLUMNS = ("timestamp", *PRICES)
PACKED = ",\n".join(
    [
        "string_agg(int8send(extract(epoch FROM timestamp)::bigint), ''::bytea ORDER BY timestamp)"
        " AS timestamp",
        *(
            f"string_agg(float8send({name}), ''::bytea ORDER BY timestamp) AS {name}"
            for name in PRICES[:-1]
        ),
        "string_agg(float8send(coalesce(adjusted_close, 'NaN')), ''::bytea ORDER BY timestamp)"
        " AS adjusted_close",
    ]
)
"""Every column of some rows as one value each, which numpy takes over without touching a number."""

_actions = msgspec.json.Decoder(tuple[Action, ...])
_POSTGRES_EPOCH_S = 946_684_800
_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_TRAILER = b"\xff\xff"


def unpack(row: Record, timeframe: str, *, fill: bool = True) -> Bars:
    """Return packed columns as bars; without `fill` an adjusted close may be NaN."""
    close, adjusted = _floats(row["close"]), _floats(row["adjusted_close"])
    return Bars(
        symbol=row["symbol"],
        timeframe=timeframe,
        source=row["source"],
        timestamps=seconds(row["timestamp"]),
        open=_floats(row["open"]),
        high=_floats(row["high"]),
        low=_floats(row["low"]),
        close=close,
        volume=_floats(row["volume"]),
        adjusted_close=without_gaps(close, adjusted) if fill else adjusted,
        basis=row["basis"] or "as_traded",
        adjusted_until=row["adjusted_until"],
        actions=() if row["actions"] is None else _actions.decode(row["actions"]),
        currency=row["currency"],
        calendar=calendar_name(row["exchange"], row["kind"]),
    )


def seconds(packed: bytes | None) -> Times:
    """Return packed times."""
    return np.frombuffer(packed or b"", dtype=">i8").astype(np.int64).astype("datetime64[s]")


def columns_of(bars: Bars) -> list[list[datetime | float | None]]:
    """Return the columns as lists, in the order of `COLUMNS`."""
    times = [datetime.fromtimestamp(second, UTC) for second in bars.epochs().tolist()]
    adjusted: list[float | None] = [None] * len(bars)
    if bars.adjusted_close is not None:
        adjusted = [None if x != x else x for x in bars.adjusted_close.tolist()]
    numbers = (bars.open, bars.high, bars.low, bars.close, bars.volume)
    return [times, *(column.tolist() for column in numbers), adjusted]


async def copy_bars(
    connection: PooledConnection,
    instrument: UUID,
    bars: Bars,
    known_at: datetime,
    *,
    source: str | None = None,
) -> None:
    """Write bars that are not there yet, as one binary COPY; `source`: if it is not the
    instrument's own."""
    adjusted = bars.adjusted_close
    without = np.ones(len(bars), bool) if adjusted is None else np.isnan(adjusted)
    for which in (~without, without):
        if which.any():
            await connection.copy_to_table(
                "bars",
                source=BytesIO(_binary(instrument, bars, which, known_at, source)),
                columns=(
                    *("instrument_id", "timeframe", "ingested_at"),
                    *(() if source is None else ("source",)),
                    *COLUMNS,
                ),
                format="binary",
            )


def _binary(
    instrument: UUID,
    bars: Bars,
    which: NDArray[np.bool_],
    known_at: datetime,
    source: str | None,
) -> bytes:
    """Return some of the bars as Postgres's binary COPY; all have an adjusted close or none has."""
    timeframe = bars.timeframe.encode()
    adjusted = None if bars.adjusted_close is None else bars.adjusted_close[which]
    told = adjusted is not None and not np.isnan(adjusted).any()
    fields: list[tuple[str, str]] = [("fields", ">i2")]
    parts: list[tuple[str, str, object]] = [
        ("instrument", "V16", instrument.bytes),
        ("timeframe", f"V{len(timeframe)}", timeframe),
        ("ingested_at", ">i8", _micros(known_at)),
        *(() if source is None else (("source", f"V{len(source.encode())}", source.encode()),)),
        ("timestamp", ">i8", (bars.epochs()[which] - _POSTGRES_EPOCH_S) * 1_000_000),
        *((name, ">f8", getattr(bars, name)[which]) for name in PRICES[:-1]),
    ]
    if told:
        parts.append(("adjusted_close", ">f8", adjusted))
    for name, kind, _ in parts:
        fields += [(f"{name}_size", ">i4"), (name, kind)]
    if not told:
        fields.append(("adjusted_close_size", ">i4"))
    rows = np.zeros(int(which.sum()), dtype=fields)
    rows["fields"] = len(COLUMNS) + 3 + (source is not None)
    for name, kind, value in parts:
        rows[f"{name}_size"] = np.dtype(kind).itemsize
        rows[name] = np.void(value) if isinstance(value, bytes) else value
    if not told:
        rows["adjusted_close_size"] = -1
    return _HEADER + rows.tobytes() + _TRAILER


def _micros(time: datetime) -> int:
    return round((time.timestamp() - _POSTGRES_EPOCH_S) * 1_000_000)


def _floats(packed: bytes | None) -> Floats:
    return np.frombuffer(packed or b"", dtype=">f8").astype(np.float64)


def moments(times: Sequence[np.datetime64] | Times) -> list[datetime]:
    """Return numpy's times as aware ones."""
    return [datetime.fromtimestamp(int(t.astype("datetime64[s]").astype(int)), UTC) for t in times]
