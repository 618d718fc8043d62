"""What the wire formats share."""

from typing import Any, TypeGuard

import msgspec

from agents.llms.text import clean_json

_MOST_TOKENS = 10**9


def encode(body: dict[str, Any]) -> bytes:
    """Return `body` as JSON, mended where it holds text that UTF-8 cannot."""
    try:
        return msgspec.json.encode(body)
    except UnicodeEncodeError:
        return msgspec.json.encode(clean_json(body))


def is_count(value: Any) -> TypeGuard[int]:
    """Tell whether `value` can be a number of tokens."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST_TOKENS
