"""Cut a list into pages that neither repeat nor skip while it grows.

A cursor is the sort position of the last item shown. Clients treat it as opaque; it opens nothing,
because every query is bound to its caller anyway.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Generic, TypeVar
from uuid import UUID

import msgspec

from app.domain.errors import Invalid
from app.domain.views import Position

MAX_LIMIT = 200
DEFAULT_LIMIT = 50

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True, rename="camel"):
    """One page of a list."""

    items: list[T]
    next_cursor: str | None = None
    """None: nothing follows."""


def encode_cursor(position: Position) -> str:
    """Return the cursor of a position."""
    return base64.urlsafe_b64encode(msgspec.json.encode(position)).decode().rstrip("=")


def decode_cursor(cursor: str | None) -> Position | None:
    """Return the position a cursor stands for.

    Raises:
        Invalid: it is not a cursor of ours.
    """
    if cursor is None:
        return None
    try:
        raw = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        moment, item_id = msgspec.json.decode(raw, type=tuple[datetime, UUID])
        if moment.tzinfo is None:
            raise ValueError("a moment without a zone")
        return moment.astimezone(UTC), item_id
    except (binascii.Error, msgspec.DecodeError, ValueError, OverflowError):
        raise Invalid("`cursor` is not one this server gave out.") from None


def checked_limit(limit: int) -> int:
    """Return `limit` if a page may be that long.

    Raises:
        Invalid: it is out of range.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise Invalid(f"`limit` must be from 1 to {MAX_LIMIT}; it is {limit}.")
    return limit


def cut(items: Sequence[T], limit: int, position: Callable[[T], Position]) -> Page[T]:
    """Return a page of `limit` items from a query that asked for one more."""
    shown = list(items[:limit])
    more = len(items) > limit
    return Page(shown, encode_cursor(position(shown[-1])) if more else None)
