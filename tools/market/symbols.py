"""Which instrument people mean: "google", "$goog", "Apple Inc." -> GOOG, AAPL.

Pure. A symbol or a known name decides alone; anything else is only ever a suggestion, because an
answer about the wrong company is worse than a question back.
"""

import re
from collections.abc import Iterable, Sequence

import msgspec

from tools.errors import UnknownSymbol
from tools.market.instruments import Instrument

ALIASES: dict[str, tuple[str, ...]] = {
    "AAPL": ("apple", "apple computer"),
    "AMZN": ("amazon", "amazon.com"),
    "FB": ("facebook",),
    "GOOG": ("google", "alphabet", "googl", "alphabet class c"),
    "IBM": ("international business machines", "big blue"),
    "META": ("meta", "meta platforms", "facebook", "fb"),
    "MSFT": ("microsoft",),
    "NFLX": ("netflix",),
    "NVDA": ("nvidia",),
}
"""What people call the demo symbols besides their symbol and registered name."""

LONGEST = 80
"""More characters than any name has; comparing a longer text letter by letter only costs time."""
LISTED = 12
"""Up to so many symbols are named to someone who asked for one that is not there."""

_FORMER = {name: ("META", "FB") for name in ("facebook", "meta", "meta platforms")}
"""Names of one company under two symbols: the first of these that is there is meant."""

_LEGAL_FORMS = re.compile(
    r"[\s,]+(?:incorporated|inc|corporation|corp|company|co|plc|ltd|limited|ag|sa|nv|holdings?"
    r"|class [a-c])\.?$"
)
_WORD = re.compile(r"\$?[A-Za-z][A-Za-z0-9&.\-@]*")
_EVERYDAY = frozenset({"meta", "apple", "alphabet"})
"""Names that are also words; inside a sentence they count only with a capital letter or a $."""


class Mention(msgspec.Struct, frozen=True):
    """Where a text names an instrument."""

    symbol: str
    start: int
    end: int


def resolve(text: str, instruments: Sequence[Instrument]) -> Instrument:
    """Return the instrument that `text` names.

    Raises:
        UnknownSymbol: with the nearest known symbols, best first.
    """
    by_symbol = {instrument.symbol.upper(): instrument for instrument in instruments}
    spoken = _plain(text)
    found = by_symbol.get(spoken.upper())
    if found is not None:
        return found
    symbol = _names(instruments).get(spoken)
    if symbol is not None:
        return by_symbol[symbol]
    known = tuple(sorted(by_symbol)) if len(by_symbol) <= LISTED else ()
    raise UnknownSymbol(text.strip()[:80], nearest=nearest(text, instruments), known=known)


def nearest(text: str, instruments: Sequence[Instrument], *, at_most: int = 3) -> tuple[str, ...]:
    """Return the symbols whose symbol or name is most like `text`; nothing when none is close."""
    spoken = _plain(text[:LONGEST])
    if not spoken:
        return ()
    distances: dict[str, float] = {}
    candidates = [(i.symbol.lower(), i.symbol.upper()) for i in instruments]
    candidates += list(_names(instruments).items())
    for name, symbol in candidates:
        relative = edit_distance(spoken, name) / max(len(spoken), len(name))
        if len(spoken) >= 3 and name.startswith(spoken):
            relative = min(relative, 0.2)
        distances[symbol] = min(relative, distances.get(symbol, 1.0))
    close = [(distance, symbol) for symbol, distance in distances.items() if distance <= 0.5]
    return tuple(symbol for _, symbol in sorted(close)[:at_most])


def mentions(text: str, instruments: Sequence[Instrument]) -> list[Mention]:
    """Return each place where a sentence names a known instrument, longest names first to match.

    Symbols count in capitals or after a `$`; names in any case, unless they are everyday words.
    """
    return Naming(instruments).mentions(text)


class Naming:
    """Every name of some instruments, brought in order once for many texts."""

    def __init__(self, instruments: Sequence[Instrument]) -> None:
        self._symbols = {instrument.symbol.upper() for instrument in instruments}
        self._names = _names(instruments)
        self._longest = max((name.count(" ") + 1 for name in self._names), default=1)

    def mentions(self, text: str) -> list[Mention]:
        """Return each place where a text names one of them; see `mentions`."""
        words = list(_WORD.finditer(text))
        found: list[Mention] = []
        position = 0
        while position < len(words):
            for length in range(min(self._longest, len(words) - position), 0, -1):
                start, end = words[position].start(), words[position + length - 1].end()
                symbol = _meant(text[start:end].rstrip(".-"), self._symbols, self._names)
                if symbol is not None:
                    end = start + len(text[start:end].rstrip(".-"))
                    found.append(Mention(symbol, start, end))
                    position += length
                    break
            else:
                position += 1
        return found


def edit_distance(left: str, right: str) -> int:
    """Return how many letters to insert, drop, change or swap with a neighbour (restricted)."""
    before: list[int] = []
    previous = list(range(len(right) + 1))
    for i, a in enumerate(left, start=1):
        current = [i]
        for j, b in enumerate(right, start=1):
            cost = min(previous[j] + 1, current[j - 1] + 1, previous[j - 1] + (a != b))
            if i > 1 and j > 1 and a == right[j - 2] and left[i - 2] == b:
                cost = min(cost, before[j - 2] + 1)
            current.append(cost)
        before, previous = previous, current
    return previous[-1]


def _meant(words: str, symbols: set[str], names: dict[str, str]) -> str | None:
    bare = words.removeprefix("$")
    if bare.upper() in symbols and (words != bare or bare == bare.upper()):
        return bare.upper()
    spoken = _plain(words)
    if spoken in _EVERYDAY and words == words.lower():
        return None
    return names.get(spoken)


def _names(instruments: Iterable[Instrument]) -> dict[str, str]:
    """Return every way to say a name, in plain small letters, to the symbol it means."""
    there = {instrument.symbol.upper(): instrument for instrument in instruments}
    names: dict[str, str] = {}
    for symbol, instrument in there.items():
        for name in (instrument.name, *ALIASES.get(symbol, ())):
            names.setdefault(_plain(name), symbol)
    for name, owners in _FORMER.items():
        for symbol in owners:
            if symbol in there:
                names[name] = symbol
                break
    return names


def _plain(text: str) -> str:
    """Return `text` without case, `$`, punctuation at its ends, possessives and legal forms."""
    plain = text.strip().lower().replace("’", "'").strip("$#@.,;:!?\"'()[] \t\n")
    plain = plain.removesuffix("'s")
    shorter = _LEGAL_FORMS.sub("", plain)
    while shorter != plain:
        plain, shorter = shorter, _LEGAL_FORMS.sub("", shorter)
    return " ".join(plain.split())
