"""What may be asked of a model, read strictly: a market at a moment, or rows of columns. Pure."""

import hashlib
from datetime import UTC, datetime
from typing import Any

import msgspec

from app.domain.errors import Invalid
from app.domain.predictions import Shape
from app.domain.text import clean_text
from inference.bundle import Bundle
from inference.errors import BadInput
from inference.requests import Rows

MOST_ROWS = 1_024
"""In one prediction; more rows are a batch."""
MOST_BYTES = 1_000_000
MOST_REQUEST_ID = 200
"""Characters."""
LONGEST_S = 60.0
"""The latest deadline of a request."""
_KINDS = (
    "{symbol, timeframe?, asOf?, knownAt?, horizon?}, {view, entity, asOf?}, {features: {…}}, "
    "{text} or {rows: [{…}, …]}"
)
NOW = "now"
_MOMENTS = frozenset(("asof", "timestamp", "time", "date", "datetime"))


class MarketInput(Shape, frozen=True, forbid_unknown_fields=True):
    """Forecast an instrument from its prices."""

    symbol: str
    timeframe: str | None = None
    as_of: datetime | None = None
    known_at: str | None = None
    """Bars as the desk knew them at that moment: by default at `asOf`. `now`: as they are believed
    now, later corrections included."""
    horizon: int | None = None
    """In bars; only to make sure: a model forecasts its own horizon."""


def read_market(given: dict[str, Any]) -> MarketInput:
    """Return a market input.

    Raises:
        Invalid: a field is unknown or of the wrong kind.
    """
    try:
        asked = msgspec.convert(given, MarketInput, strict=True)
    except msgspec.ValidationError as wrong:
        raise Invalid(f"`input`: {wrong}. An input is {_KINDS}.") from None
    if not 1 <= len(asked.symbol.strip()) <= 80:
        raise Invalid("`input.symbol` must have 1 to 80 characters.")
    if asked.as_of is not None and asked.as_of.tzinfo is None:
        asked = msgspec.structs.replace(asked, as_of=asked.as_of.replace(tzinfo=UTC))
    known_when(asked)
    return asked


def known_when(asked: MarketInput) -> datetime | None:
    """Return the moment whose knowledge of the bars is meant; None for now.

    Raises:
        Invalid: `knownAt` is neither a moment nor `now`.
    """
    if asked.known_at is None:
        return asked.as_of
    if asked.known_at == NOW:
        return None
    try:
        moment = datetime.fromisoformat(asked.known_at)
    except ValueError:
        raise Invalid(
            f"`input.knownAt` is {asked.known_at[:40]!r}; it must be an ISO 8601 moment or {NOW!r}."
        ) from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def check_horizon(asked: MarketInput, bundle: Bundle) -> None:
    """Refuse a horizon or a timeframe that the model does not forecast.

    Raises:
        Invalid: says which it does.
    """
    if asked.horizon is not None and asked.horizon != bundle.horizon_bars:
        raise Invalid(
            f"{bundle.name} forecasts {bundle.horizon_bars} bars ahead, not {asked.horizon}.",
            code="wrong_horizon",
        )
    if asked.timeframe is not None and bundle.timeframe not in (None, asked.timeframe):
        raise Invalid(
            f"{bundle.name} reads {bundle.timeframe} bars, not {asked.timeframe}.",
            code="wrong_timeframe",
        )


def read_rows(given: dict[str, Any], bundle: Bundle, *, now: datetime) -> Rows:
    """Return the rows of an input that is not about a market.

    Raises:
        Invalid: it is none of the kinds there are, or a time in it lies ahead of now.
    """
    kinds = [kind for kind in ("features", "text", "rows") if kind in given]
    if len(kinds) != 1 or len(given) != 1:
        raise Invalid(f"An `input` is {_KINDS}; this one has {_listed(given)}.")
    rows = _objects(kinds[0], given[kinds[0]], bundle)
    times = {column.name for column in bundle.inputs if column.kind == "datetime"}
    for index, row in enumerate(rows):
        for name, value in row.items():
            if name in times or name.replace("_", "").lower() in _MOMENTS:
                _refuse_ahead(index, name, value, now)
    try:
        return Rows.of(rows)
    except BadInput as wrong:
        raise Invalid(f"`input`: {wrong}.", code=wrong.code) from None


def check_request(request_id: str, *, deadline_s: float) -> None:
    """Let pass what may be asked under this id within this time.

    Raises:
        Invalid: says what is allowed.
    """
    if not 1 <= len(request_id) <= MOST_REQUEST_ID:
        raise Invalid(f"`requestId` must have 1 to {MOST_REQUEST_ID} characters.")
    if clean_text(request_id) != request_id:
        raise Invalid("`requestId` holds characters that are not text.")
    if not 0.01 <= deadline_s <= LONGEST_S:
        raise Invalid(f"`deadlineS` must be from 0.01 to {LONGEST_S:g} seconds.")


def hash_of(model: str, given: dict[str, Any], *, explain: bool) -> str:
    """Return the same digest for the same question, however its JSON was written."""
    try:
        encoded = msgspec.json.encode([model, given, explain], order="deterministic")
    except (TypeError, ValueError, RecursionError):
        raise Invalid("`input` is no plain JSON.") from None
    if len(encoded) > MOST_BYTES:
        raise Invalid(f"`input` may have {MOST_BYTES:,} bytes; it has {len(encoded):,}.")
    return hashlib.sha256(encoded).hexdigest()


def _objects(kind: str, value: Any, bundle: Bundle) -> list[dict[str, Any]]:
    if kind == "text":
        columns = [column.name for column in bundle.inputs if column.kind == "text"]
        if len(columns) != 1 or not isinstance(value, str):
            raise Invalid(
                f"{bundle.name} does not read one text; its columns are {_names(bundle)}."
            )
        return [{columns[0]: value}]
    if kind == "features":
        if not isinstance(value, dict):
            raise Invalid("`input.features` must be an object of columns.")
        return [value]
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise Invalid("`input.rows` must be a list of objects.")
    if not 1 <= len(value) <= MOST_ROWS:
        raise Invalid(f"`input.rows` must have 1 to {MOST_ROWS:,} rows; it has {len(value):,}.")
    return value


def _refuse_ahead(index: int, name: str, value: Any, now: datetime) -> None:
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            return  # no time; the model's own check says so where it wants one
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        ahead = moment > now
    elif isinstance(value, int | float) and not isinstance(value, bool):
        ahead = value > now.timestamp()
    else:
        return
    if ahead:
        raise Invalid(
            f"row {index}, column {name!r}: {value} lies ahead of now; a forecast reads only what "
            "is known.",
            code="look_ahead",
        )


def _names(bundle: Bundle) -> str:
    return ", ".join(column.name for column in bundle.inputs)


def _listed(given: dict[str, Any]) -> str:
    return ", ".join(sorted(map(str, given))[:8]) or "nothing"
