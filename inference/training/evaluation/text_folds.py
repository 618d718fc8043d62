"""Part labelled texts into what is learned from and what is forecast.

Texts with times: walk-forward, the last half of them in blocks, each forecast from what was known
before its first. Texts without: every text once, by a model that saw nothing of its group. Either
way no text is learned that the test says again in the same words with other figures.
"""

import re
from collections.abc import Sequence

import numpy as np

from inference.training.evaluation.label_scores import Indices
from inference.training.recipe import TextData, TooLittleData

Fold = tuple[Indices, Indices]
"""Places of the training texts and of the test texts."""
_DIGITS = re.compile(r"[\W\d_]+")


def groups_of(data: TextData) -> Indices:
    """Return a number per text: the same for texts of one group or with the same words."""
    names = data.groups if data.groups is not None else tuple(map(_words, data.texts))
    _, places = np.unique(np.array(names), return_inverse=True)
    return np.asarray(places, dtype=np.int64)


def folds(data: TextData, truth: Indices, *, count: int, seed: int) -> list[Fold]:
    """Return `count` folds.

    Raises:
        TooLittleData: a class is missing in what a fold would learn from.
    """
    groups = groups_of(data)
    said = np.array([_words(text) for text in data.texts])
    parted = (
        _by_group(groups, truth, count=count, seed=seed)
        if data.times is None
        else _by_time(np.array([time.timestamp() for time in data.times]), count=count)
    )
    found: list[Fold] = []
    for train, test in parted:
        spoken = np.isin(said[train], said[test]) | np.isin(groups[train], groups[test])
        kept = train[~spoken]
        if len(np.unique(truth[kept])) < len(np.unique(truth)):
            raise TooLittleData(
                f"a fold would learn from {len(kept)} texts in which a label is missing; bring "
                "more labelled texts, or ask for fewer folds"
            )
        found.append((kept, test))
    return found


def _by_group(groups: Indices, truth: Indices, *, count: int, seed: int) -> list[Fold]:
    """Deal groups out like cards, label by label, so that folds have like shares of each."""
    names = np.unique(groups)
    if len(names) < count:
        raise TooLittleData(f"there are {len(names)} groups of texts; {count} folds need as many")
    shuffled = np.random.default_rng(seed).permutation(names)
    main = np.array([np.bincount(truth[groups == one]).argmax() for one in shuffled])
    dealt = shuffled[np.argsort(main, kind="stable")]
    fold = np.empty(len(names), dtype=np.int64)
    fold[np.searchsorted(names, dealt)] = np.arange(len(names)) % count
    of_text = fold[np.searchsorted(names, groups)]
    return [
        (np.flatnonzero(of_text != one), np.flatnonzero(of_text == one)) for one in range(count)
    ]


def _by_time(times: Sequence[float] | np.ndarray, *, count: int) -> list[Fold]:
    times = np.asarray(times, dtype=np.float64)
    order = np.argsort(times, kind="stable")
    blocks = np.array_split(order[len(order) // 2 :], count)
    return [(np.flatnonzero(times < times[block[0]]), block) for block in blocks if len(block)]


def _words(text: str) -> str:
    return _DIGITS.sub(" ", text.casefold()).strip() or text
