"""Check the links of scikit-learn's trees before compiled code follows them.

A tree is an array of nodes whose children are indices. Code that walks it does not look whether an
index lies inside, so a made-up file could read foreign memory or go round for ever. Children always
come after their parent in what scikit-learn writes; holding them to that excludes both.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

from inference.errors import UnsafeArtifact

_MOST_OBJECTS = 200_000
_LEAF = -1
_TREE_MODULES = (
    "sklearn.tree",
    "sklearn.ensemble._forest",
    "sklearn.ensemble._hist_gradient_boosting",
)


def is_tree_model(estimator: Any) -> bool:
    """Tell whether each row goes through trees alone, so that batches cannot change its bits."""
    return type(estimator).__module__.startswith(_TREE_MODULES)


def check_trees(file: str, estimator: Any) -> None:
    """Walk everything the estimator holds and check each tree in it.

    Raises:
        UnsafeArtifact: a tree's links lead out of it or back, or it reads columns that are not
            there.
    """
    for found, columns in _trees(estimator):
        if type(found).__name__ == "Tree":
            left, right = np.asarray(found.children_left), np.asarray(found.children_right)
            inner = left != _LEAF
            feature = np.asarray(found.feature)
            values = len(found.value)
            columns = found.n_features
        else:
            nodes = found.nodes
            inner = nodes["is_leaf"] == 0
            left, right = nodes["left"].astype(np.int64), nodes["right"].astype(np.int64)
            feature = nodes["feature_idx"]
            values = len(nodes)
            _check_bitsets(file, found, inner)
        count = len(left)
        here = np.arange(count)
        ok = (
            count > 0
            and values == count
            and bool(((left > here) & (left < count))[inner].all())
            and bool(((right > here) & (right < count))[inner].all())
            and bool(((feature >= 0) & (feature < columns))[inner].all())
        )
        if not ok:
            raise UnsafeArtifact(f"{file}: the links of a tree lead out of it, or back")


def _check_bitsets(file: str, predictor: Any, inner: Any) -> None:
    nodes = predictor.nodes
    categorical = inner & (nodes["is_categorical"] != 0)
    sets = len(predictor.raw_left_cat_bitsets)
    if bool((nodes["bitset_idx"][categorical] >= sets).any()):
        raise UnsafeArtifact(f"{file}: a tree's categories lead out of it")


def _trees(root: Any) -> Iterator[tuple[Any, int]]:
    """Yield every tree below `root` with the number of columns of the estimator that holds it."""
    seen: set[int] = set()
    waiting: list[tuple[Any, int]] = [(root, 0)]
    while waiting:
        thing, columns = waiting.pop()
        if id(thing) in seen or isinstance(thing, str | bytes | int | float | type(None)):
            continue
        seen.add(id(thing))
        if len(seen) > _MOST_OBJECTS:
            raise UnsafeArtifact("the estimator holds too many objects to be checked")
        kind = type(thing)
        if kind.__name__ in {"Tree", "TreePredictor"} and kind.__module__.startswith("sklearn"):
            yield thing, columns
        elif isinstance(thing, dict):
            waiting.extend((value, columns) for value in thing.values())
        elif isinstance(thing, list | tuple | set):
            waiting.extend((value, columns) for value in thing)
        elif isinstance(thing, np.ndarray):
            if thing.dtype == object:
                waiting.extend((value, columns) for value in thing.ravel().tolist())
        elif kind.__module__.startswith("sklearn"):
            held = getattr(thing, "__dict__", {})
            inside = held.get("n_features_in_", columns)
            waiting.extend((value, int(inside)) for value in held.values())
