"""Find the instruments a question names, known or not.

Nothing here knows which instruments exist: a name is passed on as it was said, and the tools say
what it means or that they do not know it.
"""

import re
from functools import lru_cache

from agents.llms.builtin.intents import vocabulary
from agents.llms.builtin.vocabulary import COMMON, NOT_SYMBOLS
from tools.market.instruments import Instrument
from tools.market.symbols import ALIASES, mentions

MOST = 8

_DOLLAR = re.compile(r"\$([A-Za-z][A-Za-z]{0,5}(?:\.[A-Za-z])?)\b")
_CODED = re.compile(r"(?<![\w.,])\$?([0-9]{4,6}\.[A-Za-z]{2})\b")
"""Exchanges that number their shares: 000338.SZ."""
_CAPITALS = re.compile(r"(?<![A-Za-z0-9$])([A-Z]{2,5}(?:\.[A-Z])?)(?![A-Za-z0-9])")
_NAME = re.compile(r"\b([A-Z][a-z]{2,}(?: (?:& )?[A-Z][a-z]{2,}){0,2})\b")
_LOWER = re.compile(r"\b([a-z]{2,6})\b")
_TICKERS = {"goog": "GOOG", "googl": "GOOG", "aapl": "AAPL", "msft": "MSFT", "ibm": "IBM",
            "nvda": "NVDA", "nflx": "NFLX", "amzn": "AMZN", "fb": "FB"}  # fmt: skip
_EVERYDAY = re.compile(
    r"\b(?:apple|meta|alphabet)(?='s\b| (?:stock|shares?|inc|corp|rsi|price|closed?|trend|"
    r"volatility|vs|versus|volume|look|do(?:ing)?\b))"
    r"|(?<=\b(?:of|is|to|vs) )(?:apple|meta|alphabet)\b"
    r"|(?<=\b(?:for|and|buy|did|has) )(?:apple|meta|alphabet)\b"
    r"|(?<=\b(?:does|with|sell|like) )(?:apple|meta|alphabet)\b"
    r"|(?<=\babout )(?:apple|meta|alphabet)\b"
    r"|^(?:apple|meta|alphabet)\b"
)
"""Company names that are also words, where the words around show that the company is meant."""
_ENDINGS = ("s", "ed", "ing", "er", "est", "ly", "d", "es")

Span = tuple[int, int, str]


def find_symbols(text: str) -> tuple[tuple[str, ...], str]:
    """Return the instruments named, in order, and the text with SYM in their place."""
    spans: list[Span] = [
        (found.start(), found.end(), found.group(1).upper()) for found in _DOLLAR.finditer(text)
    ]
    spans += [
        (found.start(), found.end(), found.group(1).upper()) for found in _CODED.finditer(text)
    ]
    spans += [
        (one.start, one.end, _as_said(text, one.symbol, one.start))
        for one in mentions(text, _catalogue())
    ]
    spans += [
        (found.start(), found.end(), _everyday(found.group())) for found in _EVERYDAY.finditer(text)
    ]
    spans += [
        (found.start(), found.end(), _TICKERS[found.group()])
        for found in _LOWER.finditer(text)
        if found.group() in _TICKERS
    ]
    return _mask(text, [*spans, *_capitals(text)])


def find_guesses(text: str) -> tuple[str, ...]:
    """Return words that no English question about markets holds: perhaps unknown instruments."""
    found: list[str] = []
    for match in _NAME.finditer(text):
        words = match.group(1).split()
        strange = [word for word in words if not _is_word(word.lower())]
        opens_sentence = match.start() == 0 and len(strange) < len(words)
        if strange and not opens_sentence:
            found.append(" ".join(words if len(strange) == len(words) else strange))
    if not found:
        found = [word for word in _LOWER.findall(text) if not _is_word(word)]
    return tuple(dict.fromkeys(found))[:2]


def _capitals(text: str) -> list[Span]:
    """Return words in capitals that may be tickers; a shouted sentence has none."""
    letters = [character for character in text if character.isalpha()]
    shouted = sum(map(str.isupper, letters)) > 0.6 * len(letters) and len(text.split()) > 3
    if shouted:
        return []
    return [
        (found.start(), found.end(), found.group(1))
        for found in _CAPITALS.finditer(text)
        if found.group(1) not in NOT_SYMBOLS and not _is_word(found.group(1).lower())
    ]


def _mask(text: str, spans: list[Span]) -> tuple[tuple[str, ...], str]:
    """Keep the earliest and longest of overlapping spans."""
    symbols: list[str] = []
    pieces: list[str] = []
    position = 0
    for start, end, symbol in sorted(spans, key=lambda span: (span[0], -span[1])):
        if start < position:
            continue
        pieces += [text[position:start], "SYM"]
        position = end
        if symbol not in symbols:
            symbols.append(symbol)
    return tuple(symbols[:MOST]), "".join(pieces) + text[position:]


def _as_said(text: str, symbol: str, start: int) -> str:
    """Two symbols belong to one company over time; the tools know which one is there."""
    said = text[start:].lower().lstrip("$")
    return "FB" if symbol == "META" and said.startswith(("facebook", "fb")) else symbol


def _everyday(name: str) -> str:
    return {"apple": "AAPL", "alphabet": "GOOG"}.get(name, "META")


@lru_cache(maxsize=4096)
def _is_word(word: str) -> bool:
    if word in COMMON or word in vocabulary():
        return True
    return any(
        len(stem) > 2 and (stem in COMMON or stem in vocabulary())
        for ending in _ENDINGS
        if (stem := word.removesuffix(ending)) != word
    )


@lru_cache(maxsize=1)
def _catalogue() -> tuple[Instrument, ...]:
    """Return the names people commonly use, so that "google" is found in a sentence."""
    return tuple(
        Instrument(symbol=symbol, name=symbol, source="common names") for symbol in ALIASES
    )
