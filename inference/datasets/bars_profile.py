"""What is in a version of bars, and how good it is: the same as for any table."""

from datetime import datetime

import numpy as np

from inference.datasets.profile import DatasetFeature, profile_table
from inference.datasets.quality import QualityReport, Roles, measure
from inference.datasets.tables import from_arrays, opened
from inference.datasets.versions import columns_of
from inference.panel import Panel

_ROLES = Roles(time="time", entity="symbol")


def describe_bars(
    panel: Panel, *, now: datetime
) -> tuple[tuple[DatasetFeature, ...], QualityReport]:
    """Return the columns of prices and their quality; `now` is when they were read, UTC."""
    series = [one for one in panel.series if len(one)]
    columns: dict[str, object] = {
        "symbol": np.concatenate([np.full(len(one), one.symbol, dtype=object) for one in series]),
        "time": np.concatenate([one.times.astype("datetime64[s]") for one in series]),
    }
    for name in columns_of(series[0]):
        columns[name] = np.concatenate([columns_of(one)[name] for one in series])
    with opened() as database:
        table = from_arrays(database, "bars", columns)
        return profile_table(database, table), measure(database, table, _ROLES, now=now)
