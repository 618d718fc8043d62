"""Make any text that came from outside storable: no NUL, no half of a surrogate pair."""

import re
from typing import Any

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def clean_text(text: str) -> str:
    """Return `text` with surrogate pairs joined, and NUL and lone surrogates as U+FFFD."""
    if _UNSTORABLE.search(text) is None:
        return text
    joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
    return _UNSTORABLE.sub("\ufffd", joined)


def clean_json(value: Any) -> Any:
    """Return `value`, plain JSON, with every text in it cleaned."""
    match value:
        case str():
            return clean_text(value)
        case list():
            return [clean_json(item) for item in value]
        case dict():
            return {clean_text(str(key)): clean_json(item) for key, item in value.items()}
        case _:
            return value


class TextCleaner:
    """`clean_text` for a stream: a character cut in two surrogates by the sender is joined."""

    __slots__ = ("_high",)

    def __init__(self) -> None:
        self._high = ""

    def feed(self, delta: str) -> str:
        """Return what may be shown now; half of a character waits for the other half."""
        if self._high:
            delta = self._high + delta
            self._high = ""
        if _UNSTORABLE.search(delta) is None:
            return delta
        if "\ud800" <= delta[-1] <= "\udbff":
            self._high = delta[-1]
            delta = delta[:-1]
        return clean_text(delta)

    def finish(self) -> str:
        """Return what is left when nothing follows."""
        left, self._high = self._high, ""
        return clean_text(left)
