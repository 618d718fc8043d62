"""Is this XGBoost's model, and do its trees stay inside themselves?

XGBoost trusts the numbers of a tree when it predicts: a child that is not there would be read from
memory that belongs to something else. So every tree is walked here first.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.errors import BadModel, UnsafeArtifact
from inference.formats import sniff
from inference.formats.ubjson import Reader

MAX_BYTES = 256 * 1024 * 1024
_MAX_TREES = 100_000
_MAX_FEATURES = 2**31 - 1


def check_ubj(path: Path, name: str) -> None:
    """Let pass a booster in UBJSON.

    Raises:
        UnsafeArtifact: it is something else.
        BadModel: it is broken.
    """
    if (size := path.stat().st_size) > MAX_BYTES:
        raise BadModel(f"{name} has {size:,} bytes; {MAX_BYTES:,} are allowed")
    if words := sniff.foreign(path):
        raise UnsafeArtifact(f"{name} is named ubj but is {words}")
    data = path.read_bytes()
    if data[:1] != b"{":
        raise UnsafeArtifact(f"{name} is named ubj but does not begin as UBJSON does")
    model = Reader(memoryview(data), name).document()
    if not is_booster(model):
        raise BadModel(f"{name} is UBJSON but no XGBoost model: it has no learner")
    check_booster(model, name)


def is_booster(model: Any) -> bool:
    """Tell whether a document is an XGBoost model."""
    return isinstance(model, dict) and isinstance(model.get("learner"), dict)


def check_booster(model: dict[str, Any], name: str) -> None:
    """Let pass a booster whose trees point only to themselves and to its features.

    Raises:
        BadModel: says which tree does not.
    """
    learner = model["learner"]
    try:
        parameters = learner["learner_model_param"]
        features = int(parameters["num_feature"])
        booster = learner["gradient_booster"]
        kind = booster["name"]
        if kind == "dart":
            booster = booster["gbtree"]
        inner = booster["model"]
        trees = inner["trees"] if kind in ("gbtree", "dart") else None
        if kind not in ("gbtree", "dart", "gblinear"):
            raise BadModel(f"{name}: the booster {str(kind)[:40]!r} is not known")
        if not 0 < features <= _MAX_FEATURES:
            raise BadModel(f"{name}: it has {features} features")
        if trees is None:
            _finite(inner["weights"], f"{name}: the weights")
            return
        if not isinstance(trees, list) or len(trees) > _MAX_TREES:
            raise BadModel(f"{name} has more than {_MAX_TREES:,} trees, or none")
        for number, tree in enumerate(trees):
            _check_tree(tree, features, f"{name}: tree {number}")
        # Which output each tree adds to: an index into the sums.
        groups = max(
            1, int(parameters.get("num_class", "0")), int(parameters.get("num_target", "1"))
        )
        told = _whole(inner["tree_info"], f"{name}: tree_info")
        if len(told) != len(trees) or (len(told) and (told.min() < 0 or told.max() >= groups)):
            raise BadModel(f"{name}: tree_info does not fit its {len(trees)} trees")
    except (KeyError, TypeError, ValueError, AttributeError) as wrong:
        raise BadModel(f"{name} is no complete XGBoost model: {wrong!r:.120}") from None


def _check_tree(tree: dict[str, Any], features: int, who: str) -> None:
    left, right = _whole(tree["left_children"], who), _whole(tree["right_children"], who)
    nodes = len(left)
    if not nodes or int(tree["tree_param"]["num_nodes"]) != nodes:
        raise BadModel(f"{who} does not have the nodes it speaks of")
    split = _whole(tree["split_indices"], who)
    conditions = _finite(tree["split_conditions"], f"{who}: the split conditions")
    lengths = {len(right), len(split), len(conditions), len(tree["default_left"])}
    if lengths != {nodes}:
        raise BadModel(f"{who}: its columns have different lengths")
    for children in (left, right):
        if children.min() < -1 or children.max() >= nodes:
            raise BadModel(f"{who} points to a node that is not there")
    if ((left == -1) != (right == -1)).any():
        raise BadModel(f"{who} has a node with one child")
    inner = left != -1
    if inner.any() and (split[inner].min() < 0 or split[inner].max() >= features):
        raise BadModel(f"{who} asks for a feature that is not there")
    # Each node but the root has one parent, so that no walk goes in a circle.
    children = np.concatenate([left[inner], right[inner]])
    if len(np.unique(children)) != len(children) or (len(children) and children.min() < 1):
        raise BadModel(f"{who} goes in a circle")
    _check_categories(tree, nodes, who)


def _check_categories(tree: dict[str, Any], nodes: int, who: str) -> None:
    named = _whole(tree.get("categories_nodes", []), who)
    segments = _whole(tree.get("categories_segments", []), who)
    sizes = _whole(tree.get("categories_sizes", []), who)
    categories = _whole(tree.get("categories", []), who)
    if not len(named) == len(segments) == len(sizes):
        raise BadModel(f"{who}: its categories have different lengths")
    if len(named) and (
        named.min() < 0
        or named.max() >= nodes
        or segments.min() < 0
        or sizes.min() < 0
        or (segments + sizes).max() > len(categories)
    ):
        raise BadModel(f"{who}: a category lies outside of its list")
    if len(categories) and (categories.min() < 0 or categories.max() > 2**24):
        raise BadModel(f"{who}: a category is impossible")


def _whole(values: Sequence[Any] | NDArray[Any], who: str) -> NDArray[np.int64]:
    found = np.asarray(values)
    if found.size == 0:
        return np.empty(0, np.int64)
    if found.ndim != 1 or found.dtype.kind not in "iu":
        raise BadModel(f"{who}: a column holds something other than whole numbers")
    return found.astype(np.int64)


def _finite(values: Sequence[Any] | NDArray[Any], who: str) -> NDArray[np.float64]:
    found = np.asarray(values, dtype=np.float64)
    if not np.isfinite(found).all():
        raise BadModel(f"{who} hold NaN or infinity")
    return found
