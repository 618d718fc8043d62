"""What a question is about: a small embedding learned from examples when first asked.

Words, pairs of words and letter groups make a vector; kernel ridge regression over the
example sentences scores each intent. No download, no state on disk, no randomness: the same
question always gets the same scores. Built once, in milliseconds.
"""

import re
from collections import Counter
from functools import lru_cache
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from agents.llms.builtin.examples import EXAMPLES
from agents.llms.builtin.thesaurus import CONCEPTS_OF

Vector = NDArray[np.float32]

LONGEST_WORD = 24
CONCEPT = 1.2
"""What it weighs that a word of this meaning is said, whichever word it is."""
RIDGE = 0.12
UNHEARD = 0.3
"""Added to how telling a feature is, so that even the commonest counts a little."""
_TOKEN = re.compile(r"SYM|IND|PERIOD|[a-z]+(?:'[a-z]+)?|[0-9]+")
_CASED = re.compile(r"\b(?!(?:SYM|IND|PERIOD)\b)[A-Za-z]+")
_CLITICS = (("what's", "what is"), ("how's", "how is"), ("where's", "where is"), ("it's", "it is"),
            ("who's", "who is"), ("that's", "that is"), ("i'm", "i am"), ("you're", "you are"),
            ("isn't", "is not"), ("don't", "do not"), ("doesn't", "does not"),
            ("'s", ""))  # fmt: skip
_SPELLED = {
    "analyze": "analyse", "summarize": "summarise", "stocks": "stock", "u": "you", "pls": "please",
    "plz": "please", "shares": "share", "vs": "versus", "v": "versus", "thx": "thanks",
    "ty": "thanks", "prices": "price", "signals": "signal", "symbols": "symbol",
    "tickers": "ticker", "levels": "level", "companies": "company", "performing": "performed",
}  # fmt: skip


class Scores(msgspec.Struct, frozen=True):
    """How much a question resembles each intent."""

    best: str
    score: float
    margin: float
    """Distance to the second best."""
    likeness: float
    """Cosine with the most similar example: how well anything in it is known at all."""
    every: dict[str, float]


class _Trained(msgspec.Struct, frozen=True):
    names: tuple[str, ...]
    places: dict[str, int]
    """Feature -> column."""
    examples: Any
    """One row per example sentence, unit length."""
    weights: Any
    """Examples x intents."""
    rarity: Any
    """Per feature: how telling it is."""
    strangeness: float
    """How telling a feature is that no example has; it pulls likeness down."""
    vocabulary: frozenset[str]


def score(masked: str) -> Scores:
    """Score a question in which instruments, indicators and periods have been replaced."""
    trained = _trained()
    vector: Vector = np.zeros(len(trained.places), dtype=np.float32)
    said = features(tokens(masked))
    _embed(said, trained.places, trained.rarity, trained.strangeness, into=vector)
    likeness = trained.examples @ vector
    values = likeness @ trained.weights
    order = np.argsort(-values, kind="stable")
    first, second = int(order[0]), int(order[1])
    return Scores(
        best=trained.names[first],
        score=float(values[first]),
        margin=float(values[first] - values[second]),
        likeness=float(likeness.max()),
        every={name: float(values[index]) for index, name in enumerate(trained.names)},
    )


def is_ready() -> bool:
    """Tell whether the examples have been learned."""
    return _trained.cache_info().currsize > 0


def make_ready() -> None:
    """Learn the examples now: a fraction of a second, better not spent on an event loop."""
    _trained()


def vocabulary() -> frozenset[str]:
    """Return every word of the examples."""
    return _trained().vocabulary


def tokens(text: str) -> list[str]:
    """Return the words of a masked question in one spelling."""
    masked = _CASED.sub(lambda found: found.group().lower(), text)
    for short, full in _CLITICS:
        masked = masked.replace(short, full)
    return [_SPELLED.get(token, token) for token in _TOKEN.findall(masked)][:80]


def features(said: list[str]) -> dict[str, float]:
    """Return words, pairs of words and groups of letters with their weights."""
    padded = ["^", *said, "$"]
    found: dict[str, float] = {}
    for word in said:
        found[f"w:{word}"] = found.get(f"w:{word}", 0.0) + 1.0
        for concept in CONCEPTS_OF.get(word, ()):
            found[f"k:{concept}"] = CONCEPT
    for one, two in pairwise(padded):
        found[f"b:{one} {two}"] = found.get(f"b:{one} {two}", 0.0) + 0.7
    for word in said:
        if len(word) > 3 and word.islower():
            marked = f"<{word[:LONGEST_WORD]}>"
            for size in (3, 4, 5):
                for start in range(len(marked) - size + 1):
                    group = marked[start : start + size]
                    found[group] = found.get(group, 0.0) + 0.22
    return found


@lru_cache(maxsize=1)
def _trained() -> _Trained:
    names = tuple(EXAMPLES)
    labelled = [
        (tokens(line), index)
        for index, name in enumerate(names)
        for line in EXAMPLES[name].strip().splitlines()
    ]
    found = [features(said) for said, _ in labelled]
    counts = Counter(feature for one in found for feature in one)
    places = {feature: place for place, feature in enumerate(counts)}
    strangeness = float(np.log(1 + len(labelled)) + UNHEARD)
    rarity = np.log((1 + len(labelled)) / (1 + np.array(list(counts.values())))) + UNHEARD
    examples = np.zeros((len(labelled), len(places)), dtype=np.float32)
    for row, one in zip(examples, found, strict=True):
        _embed(one, places, rarity, strangeness, into=row)
    labels = np.array([index for _, index in labelled])
    targets = np.zeros((len(labelled), len(names)), dtype=np.float32)
    targets[np.arange(len(labelled)), labels] = 1.0
    per_intent = np.bincount(labels, minlength=len(names))
    # An intent with few examples counts as much as one with many.
    balance = np.sqrt(per_intent.mean() / per_intent[labels])
    kernel = examples @ examples.T
    kernel[np.diag_indices_from(kernel)] += (RIDGE / balance).astype(np.float32)
    return _Trained(
        names=names,
        places=places,
        examples=examples,
        weights=np.linalg.solve(kernel, targets),
        rarity=rarity,
        strangeness=strangeness,
        vocabulary=frozenset(word for said, _ in labelled for word in said if word.islower()),
    )


def _embed(
    found: dict[str, float],
    places: dict[str, int],
    rarity: Any,
    strangeness: float,
    *,
    into: Vector,
) -> None:
    """Write the unit vector of the known features; unknown ones only make it shorter."""
    known = [(places[feature], weight) for feature, weight in found.items() if feature in places]
    if not known:
        return
    columns = np.array([column for column, _ in known])
    values = np.array([weight for _, weight in known]) * rarity[columns]
    strange = sum(weight**2 for feature, weight in found.items() if feature not in places)
    into[columns] = values / np.sqrt(values @ values + strange * strangeness**2)
