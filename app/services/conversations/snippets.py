"""Cut the part of a text where a search hit, and mark the hits. Pure."""

import re

OPEN, CLOSE = "\x01", "\x02"
"""Around each hit. A text's own U+0001 and U+0002 are taken out, so a hit cannot be forged."""

_WIDTH = 200
_LEAD = 60


def needles(query: str) -> list[str]:
    """Return the words a query looks for, longest first."""
    return sorted({word for word in query.split() if word}, key=lambda word: (-len(word), word))


def prefix_query(query: str) -> str | None:
    """Return the query as text for `to_tsquery`: every word, as a prefix; None when it has none.

    Each word is quoted, so that nothing in it is an operator.
    """
    words = [word for word in query.split() if any(char.isalnum() for char in word)]
    quoted = [word.replace("\\", "\\\\").replace("'", "''") for word in words]
    return " & ".join(f"'{word}':*" for word in quoted) or None


def like_pattern(query: str) -> str:
    """Return the query as a pattern for ILIKE that means exactly its characters."""
    escaped = query.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return f"%{escaped}%"


def highlight(text: str, words: list[str], *, width: int = _WIDTH) -> str:
    """Return about `width` characters around the first hit, hits marked, on one line."""
    plain = text.replace(OPEN, "").replace(CLOSE, "")
    pattern = re.compile("|".join(re.escape(word) for word in words) or r"(?!)", re.IGNORECASE)
    first = pattern.search(plain)
    start = max(0, first.start() - _LEAD) if first else 0
    if start:  # do not begin in the middle of a word
        space = plain.find(" ", start, first.start() if first else start)
        start = space + 1 if space >= 0 else start
    end = min(len(plain), start + width)
    if first:
        end = max(end, min(first.end(), start + 2 * width))
    window = plain[start:end]
    marked = pattern.sub(lambda hit: f"{OPEN}{hit.group()}{CLOSE}", window)
    one_line = re.sub(r"[^\S\x01\x02]+", " ", marked).strip()
    return f"{'…' if start else ''}{one_line}{'…' if end < len(plain) else ''}"
