"""Text as it may be stored and sent: what every door does with hostile characters.

Postgres refuses NUL, and no wire can carry half of a surrogate pair. Everything else, however odd,
is kept exactly as it came.
"""

import math
import re
from decimal import Decimal
from typing import Any

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_TITLE_CHARACTERS = 60
_DEEPEST = 64
_TOO_DEEP = "(nested too deeply to be kept)"


def clean_text(text: str) -> str:
    """Return `text` with NUL and lone surrogates replaced by U+FFFD.

    A surrogate pair that was split on its way (half an emoji per chunk) becomes its character.
    """
    if text.isascii():
        return text.replace("\0", "\ufffd") if "\0" in text else text
    if _UNSTORABLE.search(text) is None:
        return text
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return joined.replace("\0", "\ufffd")


def clean_json(value: Any) -> Any:
    """Return `value` with every string in it clean, keys included.

    Raises:
        ValueError: a number is not finite, or it is nested too deeply, so it cannot be stored
            as JSON.
    """
    return _clean_json(value, _DEEPEST)


def _clean_json(value: Any, deeper: int) -> Any:
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ValueError(f"{value} is not a number that JSON can hold")
        return value
    if isinstance(value, dict | list | tuple):
        if deeper == 0:
            raise ValueError(f"nested more than {_DEEPEST} deep")
        if isinstance(value, dict):
            return {
                clean_text(key) if isinstance(key, str) else key: _clean_json(item, deeper - 1)
                for key, item in value.items()
            }
        return [_clean_json(item, deeper - 1) for item in value]
    if isinstance(value, Decimal) and not value.is_finite():
        raise ValueError(f"{value} is not a number that JSON can hold")
    return value


def storable_json(value: Any) -> Any:
    """Return `value` as it can be stored as JSON, mended where it cannot be as it is.

    A number that is not finite becomes null, as it does on every wire; what is nested too deeply
    is left out with a note. For values from outside whose loss would lose everything beside them.
    """
    try:
        return clean_json(value)
    except ValueError:
        return _mended(value, _DEEPEST)


def _mended(value: Any, deeper: int) -> Any:
    if isinstance(value, dict | list | tuple):
        if deeper == 0:
            return _TOO_DEEP
        if isinstance(value, dict):
            return {
                clean_text(key) if isinstance(key, str) else key: _mended(item, deeper - 1)
                for key, item in value.items()
            }
        return [_mended(item, deeper - 1) for item in value]
    try:
        return clean_json(value)
    except ValueError:
        return None


def title_of(question: str) -> str:
    """Return a short title for a conversation: its first words, cut between words."""
    words = " ".join(question.split())
    if len(words) <= _TITLE_CHARACTERS:
        return words
    cut = words[: _TITLE_CHARACTERS + 1]
    head, space, _ = cut.rpartition(" ")
    if not space or len(head) < _TITLE_CHARACTERS // 2:
        head = words[:_TITLE_CHARACTERS]
    return head.rstrip(" ,.;:-") + "…"
