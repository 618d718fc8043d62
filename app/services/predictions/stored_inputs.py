"""What a model reads of the feature store: an entity's values now, or as they stood at a moment."""

from datetime import UTC, datetime
from typing import Any

import msgspec

from app.domain.errors import Invalid
from app.domain.predictions import Shape
from app.services.datasets.feature_store import FeatureStore
from app.services.predictions.features import hash_of_row
from inference.bundle import Bundle
from inference.datasets.feature_sets import FeatureSet, Value
from inference.errors import BadInput
from inference.requests import Rows

_SHAPE = "{view, entity, asOf?}"


class StoredInput(Shape, frozen=True, forbid_unknown_fields=True):
    """Ask about an entity by its stored values."""

    view: str
    entity: str
    as_of: datetime | None = None


class StoredRead(msgspec.Struct, frozen=True):
    """What was read, and of when."""

    rows: Rows
    feature_hash: str
    metadata: dict[str, Any]


class StoredInputs:
    """Looks rows up: online for now, offline for the past."""

    def __init__(self, store: FeatureStore) -> None:
        self._store = store

    async def read(self, given: dict[str, Any], bundle: Bundle) -> StoredRead:
        """Return the one row that an input `{view, entity, asOf?}` names.

        Raises:
            NotFound: there is no such view.
            Invalid: it has not the model's columns, nothing usable is known of the entity, or the
                moment lies ahead of now.
        """
        try:
            asked = msgspec.convert(given, StoredInput, strict=True)
        except msgspec.ValidationError as wrong:
            raise Invalid(f"`input`: {wrong}. Of stored features it is {_SHAPE}.") from None
        view = await self._store.definition(asked.view)
        columns = [column.name for column in bundle.inputs]
        lacking = [name for name in columns if name not in view.names]
        if lacking:
            raise Invalid(f"{view.key} has no column {lacking[0]!r}, which {bundle.name} reads.")
        event, known, values = await self._values(view, asked)
        try:
            rows = Rows.of([_row(view, columns, values)])
        except BadInput as wrong:
            raise Invalid(f"{view.key}: {wrong}.", code=wrong.code) from None
        return StoredRead(
            rows,
            hash_of_row(view.key, rows),
            {
                "featureView": view.key,
                "entity": asked.entity,
                "eventTime": event.isoformat(),
                "knownAt": known.isoformat(),
            },
        )

    async def _values(
        self, view: FeatureSet, asked: StoredInput
    ) -> tuple[datetime, datetime, dict[str, Value]]:
        if asked.as_of is None:
            (now,) = await self._store.values(view, [asked.entity])
            event, known, values = now.event_time, now.known_at, now.values
            when = "" if event is None else f"; its newest is of {event.isoformat()}"
        else:
            zone = asked.as_of.tzinfo or UTC
            moment = asked.as_of.replace(tzinfo=zone)
            (then,) = await self._store.history(view, [(asked.entity, moment)])
            event, known, values = then.event_time, then.known_at, then.values
            when = f" by {moment.isoformat()}"
        if values is None or event is None or known is None:
            raise Invalid(
                f"{view.key} has nothing of {asked.entity[:80]!r} that is younger than "
                f"{view.ttl_seconds / 86_400:g} days{when}.",
                code="no_features",
            )
        return event, known, values


def _row(view: FeatureSet, columns: list[str], values: dict[str, Value]) -> dict[str, Any]:
    """Return the model's columns; a text that is missing is an empty one, as in training."""
    texts = {column.name for column in view.columns if column.kind == "text"}
    return {
        name: "" if values[name] is None and name in texts else values[name] for name in columns
    }
