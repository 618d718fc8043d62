"""Write bars into a CSV or Parquet file, in the columns that an import finds by itself."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from tools.market.bars import Bars
from tools.market.sources.source import SourceError
from tools.market.sources.typed_table import connect, literal

_KINDS = {
    ".csv": "FORMAT csv, HEADER",
    ".csv.gz": "FORMAT csv, HEADER, COMPRESSION gzip",
    ".parquet": "FORMAT parquet, COMPRESSION zstd",
}


def write_bars(series: Sequence[Bars], path: Path) -> int:
    """Write every bar of every series, one after the other; return how many there are.

    The file is there whole or not at all.

    Raises:
        SourceError: its kind cannot be told from its name.
    """
    kind = next((how for ending, how in _KINDS.items() if path.name.endswith(ending)), None)
    if kind is None:
        raise SourceError(f"{path.name} must end in {', '.join(_KINDS)}.")

    def joined(name: str) -> np.ndarray:
        return np.concatenate([np.asarray(getattr(bars, name), dtype=float) for bars in series])

    adjusted = [
        np.full(len(bars), np.nan) if bars.adjusted_close is None else bars.adjusted_close
        for bars in series
    ]
    table = {
        "symbol": np.concatenate(
            [np.full(len(bars), bars.symbol, dtype=object) for bars in series]
        ),
        "timestamp": np.concatenate([bars.timestamps for bars in series]).astype("datetime64[us]"),
        **{name: joined(name) for name in ("open", "high", "low", "close", "volume")},
        "adjusted_close": np.concatenate(adjusted),
    }
    partial = path.with_name(f".{path.name}.partial")
    database = connect()
    try:
        database.register("bars", table)
        database.execute(
            "COPY (SELECT * REPLACE (CASE WHEN isnan(adjusted_close) THEN NULL "
            "ELSE adjusted_close END AS adjusted_close, timezone('UTC', timestamp) AS timestamp) "
            f"FROM bars) TO {literal(str(partial))} ({kind})"
        )
    finally:
        database.close()
    partial.replace(path)
    return len(table["timestamp"])
