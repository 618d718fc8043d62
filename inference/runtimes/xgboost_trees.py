"""Check the links of a booster's trees before compiled code follows them.

XGBoost loads whatever indices a file holds and follows them when it predicts: a made-up file reads
foreign memory or goes round for ever. What it loaded can be written back as JSON without following
anything, so that is what is looked at, whether the file was JSON or UBJ.
"""

from typing import Any

import msgspec
import numpy as np

from inference.errors import BadModel, UnsafeArtifact

_LEAF = -1


def check_booster(file: str, written: bytes, *, columns: int) -> None:
    """Hold the booster, written as JSON by XGBoost, to what prediction relies on.

    Raises:
        BadModel: it is a kind of booster that is not run here.
        UnsafeArtifact: an index in it leads out of a tree, or back.
    """
    learner = msgspec.json.decode(written)["learner"]
    booster = learner["gradient_booster"]
    kind = booster["name"]
    if kind == "gblinear":
        return
    if kind not in {"gbtree", "dart"}:
        raise BadModel(f"{file}: boosters of the kind {kind!r} are not run; gbtree, dart, gblinear")
    model = booster["model"] if kind == "gbtree" else booster["gbtree"]["model"]
    trees = model["trees"]
    shape = learner["learner_model_param"]
    outputs = max(int(shape.get("num_class", 0)), int(shape.get("num_target", 1)), 1)
    groups = np.asarray(model["tree_info"])
    starts = np.asarray(model["iteration_indptr"])
    ok = (
        len(groups) == len(trees)
        and bool(((groups >= 0) & (groups < outputs)).all())
        and len(starts) > 0
        and starts[0] == 0
        and starts[-1] == len(trees)
        and bool((np.diff(starts) >= 0).all())
        and (kind != "dart" or len(booster["weight_drop"]) == len(trees))
    )
    if not ok:
        raise UnsafeArtifact(f"{file}: the list of its trees contradicts itself")
    for index, tree in enumerate(trees):
        if int(tree["tree_param"].get("size_leaf_vector", 1)) > 1:
            raise BadModel(f"{file}: trees with several outputs each are not run; train one a tree")
        if not _tree_is_sound(tree, columns):
            raise UnsafeArtifact(f"{file}: the links of tree {index} lead out of it, or back")


def _tree_is_sound(tree: dict[str, Any], columns: int) -> bool:
    left, right = np.asarray(tree["left_children"]), np.asarray(tree["right_children"])
    count = len(left)
    split = np.asarray(tree["split_indices"])
    lengths = {len(tree[name]) for name in ("right_children", "split_indices", "split_conditions")}
    if count == 0 or lengths != {count}:
        return False
    inner = left != _LEAF
    children = np.concatenate([left[inner], right[inner]])
    # Each node has one parent and the root none, so no way from the root comes back.
    return (
        bool(((children > 0) & (children < count)).all())
        and len(np.unique(children)) == len(children)
        and bool((right[~inner] == _LEAF).all())
        and bool(((split[inner] >= 0) & (split[inner] < columns)).all())
        and _categories_are_sound(tree, count)
    )


def _categories_are_sound(tree: dict[str, Any], count: int) -> bool:
    nodes = np.asarray(tree["categories_nodes"], dtype=np.int64)
    starts = np.asarray(tree["categories_segments"], dtype=np.int64)
    sizes = np.asarray(tree["categories_sizes"], dtype=np.int64)
    if not len(nodes) == len(starts) == len(sizes):
        return False
    held = len(tree["categories"])
    return bool(
        ((nodes >= 0) & (nodes < count)).all()
        and ((starts >= 0) & (sizes >= 0) & (starts + sizes <= held)).all()
    )
