"""Views of the feature store as people and programs see them."""

from datetime import datetime
from typing import Literal
from uuid import UUID

import msgspec

from inference.datasets.feature_sets import FeatureSet, Value

OnlineStatus = Literal["empty", "behind", "stale", "fresh"]
"""Nothing is online; what is stored offline is not online yet; the newest value is older than the
ttl; none of these."""


class OfflineState(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What lies in Parquet."""

    rows: int
    corrections: int
    """Of the rows: those that told of a moment anew."""
    entities: int
    files: int
    size_bytes: int
    first_event_at: datetime
    newest_event_at: datetime
    built_at: datetime


class OnlineState(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is served."""

    entities: int
    newest_event_at: datetime
    materialized_at: datetime
    stale: int
    """So many entities have no value that is younger than the ttl."""


class FeatureCard(FeatureSet, frozen=True, kw_only=True, rename="camel"):
    """A definition, and where its values stand."""

    view: str
    """How it is asked for: "market.volatility@1"."""
    status: OnlineStatus
    offline: OfflineState | None
    online: OnlineState | None


class NewFeatureSet(msgspec.Struct, frozen=True, kw_only=True):
    """A view over a dataset, to be kept."""

    definition: FeatureSet
    dataset_id: UUID
    created_by: UUID | None


class FeatureValues(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What is served of one entity."""

    entity: str
    status: Literal["fresh", "stale", "missing"]
    event_time: datetime | None = None
    known_at: datetime | None = None
    age_seconds: float | None = None
    """Since it happened."""
    values: dict[str, Value] | None = None
    """None where they are missing, or older than the ttl: a model in training saw none either."""


class HistoricValues(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What stood at a moment."""

    entity: str
    time: datetime
    event_time: datetime | None = None
    known_at: datetime | None = None
    values: dict[str, Value] | None = None
    """None where nothing younger than the ttl was known."""


class OnlineCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What the online store holds of a view."""

    entities: int
    newest_event_at: datetime
    stale: int
