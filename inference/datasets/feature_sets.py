"""What the feature store keeps: named, versioned values of entities at moments.

A *definition* says whose values they are, which there are, and how long one stays usable. Its
values come from a view of the market's prices or from the rows of a dataset. Pure.
"""

import re
from datetime import timedelta
from typing import Literal

import msgspec

from inference.datasets.views import FeatureView
from inference.errors import BadInput

ValueKind = Literal["number", "text", "truth"]
Value = float | str | bool | None
NAME = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")
LONGEST_NAME = 80
MOST_COLUMNS = 500
OWN = ("__entity", "__event", "__known", "__batch")
"""Columns of the stored rows that are no features: of whom, when it happened, since when it was
known, and which batch brought it."""
DAILY = "1d"
MARKET_TTL_S = {"1d": 7 * 86_400.0, "1w": 21 * 86_400.0, "1mo": 93 * 86_400.0}
INTRADAY_TTL_S = 4 * 86_400.0
"""Features outlive a long weekend, and not a market that was left a week ago."""


class ValueColumn(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One value of every row."""

    name: str
    kind: ValueKind = "number"


class FeatureSet(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """A definition; what it says is never changed, another one gets another version."""

    name: str
    version: int
    entity: str
    """What rows are of: `symbol`; for a dataset, the column that says it."""
    columns: tuple[ValueColumn, ...]
    ttl_seconds: float
    """A value is used for so long after it happened."""
    source: Literal["market", "dataset"]
    description: str = ""
    timeframe: str | None = None
    """Of the bars that it is computed from; None for rows of a dataset."""
    dataset: str | None = None
    """The name of the dataset whose rows they are."""
    time: str | None = None
    """Its column that says when a row happened."""
    known: str | None = None
    """Its column that says since when a row was known; None: `lag_seconds` after it happened."""
    lag_seconds: float = 0.0

    @property
    def key(self) -> str:
        """How it is asked for: "market.volatility@1"."""
        return f"{self.name}@{self.version}"

    @property
    def computed_by(self) -> str:
        """Which view of the market's prices computes it, whatever the timeframe."""
        return f"{self.name.removesuffix(f'.{self.timeframe}')}@{self.version}"

    @property
    def names(self) -> tuple[str, ...]:
        """Its columns' names."""
        return tuple(column.name for column in self.columns)

    @property
    def ttl(self) -> timedelta:
        """A value is used for so long after it happened."""
        return timedelta(seconds=self.ttl_seconds)


def of_view(view: FeatureView, timeframe: str = DAILY) -> FeatureSet:
    """Return the definition of a market view's values: known when the bar closed.

    `market.volatility` is of daily bars, `market.volatility.1h` of hours.
    """
    return FeatureSet(
        name=view.name if timeframe == DAILY else f"{view.name}.{timeframe}",
        version=view.version,
        entity="symbol",
        columns=tuple(ValueColumn(name=column.name) for column in view.columns),
        ttl_seconds=MARKET_TTL_S.get(timeframe, INTRADAY_TTL_S),
        source="market",
        timeframe=timeframe,
        description=view.description,
    )


def check_definition(one: FeatureSet) -> FeatureSet:
    """Return a definition that makes sense.

    Raises:
        BadInput: says what does not, and what is allowed.
    """
    if not NAME.fullmatch(one.name) or len(one.name) > LONGEST_NAME:
        raise BadInput(
            f"a feature view's name is lower case words joined by . and _, at most {LONGEST_NAME} "
            f"characters; not {one.name[:LONGEST_NAME]!r}"
        )
    if not 0 < len(one.columns) <= MOST_COLUMNS:
        raise BadInput(f"{one.name} must have from 1 to {MOST_COLUMNS} columns")
    if len({name.lower() for name in one.names}) < len(one.columns):
        raise BadInput(f"{one.name} names a column twice (large and small letters are alike)")
    for name in one.names:
        if name.lower() in OWN:
            raise BadInput(f"a column must not be called {name!r}: the store uses that name itself")
    if not 0 < one.ttl_seconds <= 1e10:
        raise BadInput("the ttlSeconds must be above 0, and at most 1e10")
    if not 0 <= one.lag_seconds <= 1e10:
        raise BadInput("the lagSeconds must not be below 0, and at most 1e10")
    return one


def same_meaning(one: FeatureSet, other: FeatureSet) -> bool:
    """Tell whether two definitions differ in nothing but version and description."""
    return msgspec.structs.replace(one, version=0, description="") == msgspec.structs.replace(
        other, version=0, description=""
    )
