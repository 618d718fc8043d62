"""Text of strangers, made fit to be quoted: one line of plain words and nothing that acts.

Whoever writes a headline must not be able to run a tool, draw an image, open a link or turn the
line around. What is removed here was never words: markup, addresses, control characters, marks that
reverse the direction of writing, characters without width. Letters that look like others stay as
they are: a name in such letters is simply not the name.
"""

import html
import re
import unicodedata

LONGEST_QUOTE = 240

_TAG = re.compile(r"<[a-zA-Z/!?][^<>]{0,500}>")
_SCRIPT = re.compile(r"<(script|style)\b.*?(?:</\1\s*>|$)", re.IGNORECASE | re.DOTALL)
_IMAGE = re.compile(r"!\[([^\]]{0,200})\]\([^)]{0,2000}\)")
_LINK = re.compile(r"\[([^\]]{0,300})\]\([^)]{0,2000}\)")
_ADDRESS = re.compile(r"\b(?:https?|ftp|javascript|data|file|vbscript):\S+", re.IGNORECASE)
_MARKS = str.maketrans(dict.fromkeys("*`<>|\\", " ") | {"[": "(", "]": ")"})


def plain_line(text: str) -> str:
    """Return `text` as one line of visible characters, whole; markup characters stay."""
    spaced = "".join(" " if _is_gap(char) else char for char in text if not _is_hidden(char))
    return " ".join(spaced.split())


def quotable(text: str, *, longest: int = LONGEST_QUOTE) -> str:
    """Return `text` as it may stand in an answer or a prompt: no markup, no addresses, not long."""
    unescaped = _unescaped(text[:8_000])
    without = _SCRIPT.sub(" ", unescaped)
    without = _IMAGE.sub(r" \1 ", without)
    without = _LINK.sub(r"\1", without)
    without = _ADDRESS.sub(" ", _TAG.sub(" ", without))
    said = plain_line(without.translate(_MARKS))
    if len(said) <= longest:
        return said
    head, space, _ = said[: longest - 1].rpartition(" ")
    return (head if space else said[: longest - 1]).rstrip(" ,.;:-") + "…"


def _unescaped(text: str) -> str:
    """Return `text` without entities, also those that entities hid."""
    for _ in range(8):
        plain = html.unescape(text)
        if plain == text:
            break
        text = plain
    return text


def _is_gap(char: str) -> bool:
    return char.isspace() or unicodedata.category(char) in {"Zl", "Zp", "Cc"}


def _is_hidden(char: str) -> bool:
    """Tell whether a character has no width, reverses writing, or is no character at all."""
    if char.isspace():
        return False
    return unicodedata.category(char) in {"Cf", "Co", "Cn", "Cs"} or char in "\u115f\u1160\u3164"
