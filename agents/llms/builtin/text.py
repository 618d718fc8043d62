"""Make a question plain before it is read: no tricks of Unicode, no more than a person would write.

What is read here is data. It never becomes an instruction, a tool name or a path.
"""

import re
import unicodedata

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


_FOREIGN_WORDS = {
    "German": "wie ist der die das und nicht was steht sieht aus heute kurs aktie ein eine für mit von auf im "
    "gerade ich soll kaufen wird bitte zeige warum welche hallo danke gibt es zu dem den",
    "French": "comment est le la les et quel quelle cours des du une pour avec sur dans que faut acheter "
    "aujourd hui va pourquoi bonjour merci qui je se porte action un",
    "Spanish": "como cómo está el la los las y que qué cuál precio de del una para con por sobre hoy acción "
    "debo comprar va hola gracias puedo porque por es un en",
    "Italian": "come sta il lo gli e che quale prezzo di del della una per con su oggi azione devo comprare "
    "ciao grazie perché è un dove va",
    "Portuguese": "como está o os as e que qual preço do da uma para com por sobre hoje ação devo comprar "
    "olá obrigado porque é um onde vai",
    "Dutch": "hoe is de het en wat koers van een voor met op vandaag moet ik kopen gaat waarom hallo bedankt "
    "staat er uit ziet",
}  # fmt: skip
_ENGLISH = frozenset(
    """
    how is the a an and what does do did look looks price of for with on in to today should i buy will
    it its why which are was were has have hello hi thanks me show tell about since over last year now
    that this right compare much than or not you can there any be going my good
    """.split()
)
_FOREIGN = {name: frozenset(listed.split()) for name, listed in _FOREIGN_WORDS.items()}
_ANY_WORD = re.compile(r"[^\W\d_]+")


def is_other_script(text: str) -> bool:
    """Tell whether a cleaned text is mostly not in Latin letters."""
    letters = [character for character in text if character.isalpha()]
    latin = sum(1 for character in letters if "LATIN" in unicodedata.name(character, ""))
    return latin < 0.6 * len(letters)


def is_foreign(text: str) -> bool:
    """Tell whether a cleaned text is written in another language than English."""
    said = [word.lower() for word in _ANY_WORD.findall(text)][:60]
    english = sum(1 for word in said if word in _ENGLISH)
    foreign = max(
        sum(1 for word in said if word in listed and word not in _ENGLISH)
        for listed in _FOREIGN.values()
    )
    return foreign >= 2 and foreign > english
