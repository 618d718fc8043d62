"""What a version of a dataset of bars is: a manifest that names its content, and its address.

The address is the SHA-256 of the manifest, and the manifest holds the SHA-256 of every series, so
that two versions with one address hold the same numbers. Pure: it reads no clock and no file.
"""

import hashlib
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np

from inference.errors import BadInput
from inference.panel import Panel, Series
from inference.requests import Floats

SHARES = (0.6, 0.2, 0.2)
"""Of the splits by time: training, validation, test."""


class SeriesManifest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One instrument's part of a version."""

    symbol: str
    rows: int
    first: datetime
    """When its first and its last bar closed, UTC."""
    last: datetime
    sha256: str
    """Of its columns, in their order, as little-endian 64-bit numbers."""
    source: str = ""
    """Whom answers cite for these prices."""


class TimeSplits(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Where time parts the rows: never at random, because neighbours in time resemble each other.

    The shares are those of the rows; walk-forward evaluation goes by its own, finer splits.
    """

    train: float
    validation: float
    test: float
    train_until: datetime
    """Rows known by then are for training, UTC."""
    validation_until: datetime


class BarsManifest(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a version holds, without the numbers."""

    schema_version: int = 1
    kind: str = "bars"
    timeframe: str
    bars_a_year: float
    adjustment: str = "split-adjusted to the last bar; total return beside it"
    as_of: datetime
    """When its newest bar closed: nothing in it was known later, UTC."""
    series: tuple[SeriesManifest, ...]
    splits: TimeSplits

    @property
    def rows(self) -> int:
        """How many bars there are in all."""
        return sum(one.rows for one in self.series)

    @property
    def symbols(self) -> tuple[str, ...]:
        """Of which instruments."""
        return tuple(one.symbol for one in self.series)

    def digest(self) -> str:
        """Return the version's address."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()


def manifest_of(panel: Panel, *, sources: dict[str, str] | None = None) -> BarsManifest:
    """Return the manifest of prices.

    Raises:
        BadInput: there are none.
    """
    series = [one for one in panel.series if len(one)]
    if not series:
        raise BadInput("there are no bars to make a dataset of")
    return BarsManifest(
        timeframe=panel.timeframe,
        bars_a_year=panel.bars_a_year,
        as_of=max(_time(one.times[-1]) for one in series),
        series=tuple(
            SeriesManifest(
                symbol=one.symbol,
                rows=len(one),
                first=_time(one.times[0]),
                last=_time(one.times[-1]),
                sha256=series_digest(one),
                source=(sources or {}).get(one.symbol, ""),
            )
            for one in sorted(series, key=lambda one: one.symbol)
        ),
        splits=time_splits(panel),
    )


def series_digest(series: Series) -> str:
    """Return the SHA-256 of an instrument's numbers."""
    sha = hashlib.sha256(series.times.astype("datetime64[s]").astype("<i8").tobytes())
    for column in columns_of(series).values():
        # Every NaN is the same NaN: which bits it has is an accident of who computed it.
        plain = np.where(np.isnan(column), np.nan, column).astype("<f8")
        sha.update(plain.tobytes())
    return sha.hexdigest()


def columns_of(series: Series) -> dict[str, Floats]:
    """Return an instrument's columns in the order in which they are hashed and stored."""
    return {
        "open": series.open,
        "high": series.high,
        "low": series.low,
        "close": series.close,
        "volume": series.volume,
        "total": series.total,
    }


def time_splits(panel: Panel, shares: tuple[float, float, float] = SHARES) -> TimeSplits:
    """Return the moments at which time parts the rows into about these shares."""
    times = np.sort(np.concatenate([one.times.astype("datetime64[s]") for one in panel.series]))
    count = len(times)
    cuts = [times[max(0, round(count * share) - 1)] for share in (shares[0], shares[0] + shares[1])]
    # What happened at one moment stays together, so the shares are counted again.
    stops = [int(np.searchsorted(times, cut, side="right")) for cut in cuts]
    return TimeSplits(
        train=stops[0] / count,
        validation=(stops[1] - stops[0]) / count,
        test=(count - stops[1]) / count,
        train_until=_time(cuts[0]),
        validation_until=_time(cuts[1]),
    )


def read_manifest(stored: Any) -> BarsManifest:
    """Return a stored manifest.

    Raises:
        msgspec.ValidationError: it is none.
    """
    return msgspec.convert(stored, BarsManifest)


def _time(moment: np.datetime64) -> datetime:
    return datetime.fromtimestamp(int(moment.astype("datetime64[s]").astype(np.int64)), UTC)
