"""Make a question plain before it is read: no tricks of Unicode, no more than a person would write.

What is read here is data. It never becomes an instruction, a tool name or a path.
"""

import re
import unicodedata

from agents.llms.builtin.vocabulary import ENGLISH, FOREIGN

READ_CHARACTERS = 2_000
"""How much of a question is read; a person asks in far fewer."""

_SPACES = re.compile(r"\s+")
_QUOTES = str.maketrans({"’": "'", "‘": "'", "“": '"', "”": '"', "–": "-", "—": " - ", "−": "-"})
_WORDS = re.compile(r"[a-z]+(?:'[a-z]+)?")


def clean(text: str) -> str:
    """Return the beginning of `text` in compatibility form, without invisible characters."""
    head = text[: READ_CHARACTERS * 2]
    plain = unicodedata.normalize("NFKC", head)[: READ_CHARACTERS * 2]
    kept = [
        " " if character.isspace() else character
        for character in plain
        if character.isspace() or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co"}
    ]
    return _SPACES.sub(" ", "".join(kept)).translate(_QUOTES).strip()[:READ_CHARACTERS]


def words(text: str) -> list[str]:
    """Return the lower-case Latin words of a cleaned text."""
    return _WORDS.findall(text.lower())


_ANY_WORD = re.compile(r"[^\W\d_]+")


def is_other_script(text: str) -> bool:
    """Tell whether a cleaned text is mostly not in Latin letters."""
    letters = [character for character in text if character.isalpha()]
    latin = sum(1 for character in letters if "LATIN" in unicodedata.name(character, ""))
    return latin < 0.6 * len(letters)


def is_foreign(text: str) -> bool:
    """Tell whether a cleaned text is written in another language than English."""
    said = [word.lower() for word in _ANY_WORD.findall(text)][:60]
    english = sum(1 for word in said if word in ENGLISH)
    foreign = max(
        sum(1 for word in said if word in listed and word not in ENGLISH)
        for listed in FOREIGN.values()
    )
    return foreign >= 2 and foreign > english
