"""What a question is about: a small embedding learned from examples when first asked.

Words, pairs of words and letter groups are hashed into a vector; kernel ridge regression over the
example sentences scores each intent. No download, no state on disk, no randomness: the same
question always gets the same scores. Built once, in milliseconds.
"""

import re
from functools import lru_cache
from itertools import pairwise
from typing import Any
from zlib import crc32

import msgspec
import numpy as np
from numpy.typing import NDArray

from agents.llms.builtin.examples import EXAMPLES

Vector = NDArray[np.float64]

SIZE = 4096
RIDGE = 0.12
_TOKEN = re.compile(r"SYM|IND|PERIOD|[a-z]+(?:'[a-z]+)?|[0-9]+")
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
    examples: Any
    """One row per example sentence, unit length."""
    weights: Any
    """Examples x intents."""
    rarity: Any
    """Per hashed feature: how telling it is."""
    known: Any
    """Features that occur in the examples at all."""
    vocabulary: frozenset[str]


def score(masked: str) -> Scores:
    """Score a question in which instruments, indicators and periods have been replaced."""
    trained = _trained()
    vector = _embed(masked, trained.rarity)
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


def vocabulary() -> frozenset[str]:
    """Return every word of the examples."""
    return _trained().vocabulary


def tokens(text: str) -> list[str]:
    """Return the words of a masked question in one spelling."""
    masked = re.sub(r"\b(?!SYM\b|IND\b|PERIOD\b)[A-Z]+", lambda found: found.group().lower(), text)
    masked = re.sub(r"[A-Z](?=[a-z])", lambda found: found.group().lower(), masked)
    for short, full in _CLITICS:
        masked = masked.replace(short, full)
    return [_SPELLED.get(token, token) for token in _TOKEN.findall(masked)][:80]


@lru_cache(maxsize=1)
def _trained() -> _Trained:
    names = tuple(EXAMPLES)
    sentences = [
        (line.strip(), index)
        for index, name in enumerate(names)
        for line in EXAMPLES[name].strip().splitlines()
    ]
    counts = np.zeros(SIZE)
    for sentence, _ in sentences:
        for place in {place for place, _ in _features(sentence)}:
            counts[place] += 1
    rarity = np.log((1 + len(sentences)) / (1 + counts)) + 0.3
    examples = np.stack([_embed(sentence, rarity) for sentence, _ in sentences])
    targets = np.zeros((len(sentences), len(names)))
    per_intent = np.bincount([index for _, index in sentences], minlength=len(names))
    for row, (_, index) in enumerate(sentences):
        targets[row, index] = 1.0
    # An intent with few examples counts as much as one with many.
    balance = np.sqrt(per_intent.mean() / per_intent[[index for _, index in sentences]])
    kernel = examples @ examples.T
    penalty = RIDGE / balance
    weights = np.linalg.solve(kernel + np.diag(penalty), targets)
    return _Trained(
        names=names,
        examples=examples,
        weights=weights,
        rarity=rarity,
        known=counts > 0,
        vocabulary=frozenset(
            token for sentence, _ in sentences for token in tokens(sentence) if token.islower()
        ),
    )


def _embed(text: str, rarity: Vector) -> Vector:
    vector = np.zeros(SIZE)
    for place, weight in _features(text):
        vector[place] += weight
    vector *= rarity
    length = float(np.sqrt(vector @ vector))
    return vector / length if length else vector


def _features(text: str) -> list[tuple[int, float]]:
    said = tokens(text)
    found: list[tuple[str, float]] = [(f"w:{word}", 1.0) for word in said]
    padded = ["^", *said, "$"]
    found += [(f"b:{one} {two}", 0.7) for one, two in pairwise(padded)]
    for word in said:
        if word.islower() and len(word) > 3:
            marked = f"<{word}>"
            found += [
                (f"c:{marked[start : start + size]}", 0.22)
                for size in (3, 4, 5)
                for start in range(len(marked) - size + 1)
            ]
    return [(crc32(name.encode()) % SIZE, weight) for name, weight in found]
