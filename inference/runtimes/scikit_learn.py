"""Run scikit-learn estimators and pipelines saved by skops: never a pickle, never a foreign type.

skops restores types of scikit-learn, numpy and scipy by itself; whatever else a file wants to make
is refused unless `TRUSTED` names it. Trees come as raw arrays that compiled code walks without
looking, so their links are checked first.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from inference.bundle import Member
from inference.errors import BadInput, BadModel, UnsafeArtifact
from inference.requests import Floats, Rows
from inference.runtimes.blocks import in_blocks
from inference.runtimes.columns import member_columns, numbers, text_column
from inference.runtimes.files import member_file
from inference.runtimes.options import as_columns, import_framework, read_options
from inference.runtimes.runtime import Loaded, Outputs
from inference.runtimes.scikit_trees import check_trees, is_tree_model

TRUSTED = (
    "sklearn.tree._tree.Tree",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
)
"""Types beyond those that skops trusts. Both are arrays of numbers, checked by `scikit_trees`."""
BLOCK = 64

Method = Literal["predict_proba", "decision_function", "predict"]


class ScikitOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of the runtime."""

    method: Method | None = None
    """By default `predict_proba` where there is one, else `predict`."""
    input: Literal["numbers", "text"] = "numbers"
    """`text`: the pipeline begins with something that reads texts, such as TfidfVectorizer."""
    classes: tuple[str, ...] = ()
    """What the classes must be, in order, as texts."""
    block: Annotated[int, msgspec.Meta(ge=0, le=65536)] | None = None
    """Rows are computed in blocks of so many; trees and texts need none."""


class ScikitLearnRuntime:
    """Loads skops files. It computes on the CPU whatever the device."""

    def load(self, folder: Path, member: Member, *, device: str) -> Loaded:
        """Restore the estimator and check that it can do what the member says."""
        options = read_options(member, ScikitOptions)
        path = member_file(folder, member)
        import_framework("sklearn", framework="scikit-learn", extra="sklearn")
        skops = import_framework("skops.io", framework="skops", extra="sklearn")
        try:
            untrusted = skops.get_untrusted_types(file=path)
            foreign = sorted(set(untrusted) - set(TRUSTED))
            if foreign:
                raise UnsafeArtifact(f"{path.name}: it wants to make {', '.join(foreign)}")
            estimator = skops.load(path, trusted=list(TRUSTED))
        except UnsafeArtifact:
            raise
        except Exception as error:  # a broken file ends in whatever its reader meets
            raise UnsafeArtifact(
                f"{path.name}: no skops file: {type(error).__name__}: {error}"
            ) from None
        check_trees(path.name, estimator)
        return ScikitModel(member, options, estimator, path.stat().st_size)


class ScikitModel:
    """One estimator or pipeline."""

    def __init__(
        self, member: Member, options: ScikitOptions, estimator: Any, file_bytes: int
    ) -> None:
        self._member = member
        self._options = options
        self._estimator = estimator
        self._size = 2 * file_bytes
        self._method = _method(member, options, estimator)
        self._inputs = getattr(estimator, "n_features_in_", None)
        _check_names(member, estimator)
        _check_classes(member, options, estimator)
        _one_thread(estimator)
        self._missing_allowed = bool(estimator.__sklearn_tags__().input_tags.allow_nan)
        default = 0 if is_tree_model(estimator) else BLOCK
        self._block = default if options.block is None else options.block

    @property
    def size_bytes(self) -> int:
        """About twice its file, which is compressed."""
        return self._size

    def run(self, rows: Rows, *, explain: bool = False) -> Outputs:
        """Return what the method gives; contributions of a scaled linear model."""
        if not len(rows):
            raise BadInput("there are no rows")
        call = getattr(self._estimator, self._method)
        if self._options.input == "text":
            texts = list(text_column(rows, self._member))
            return Outputs(columns=as_columns(call(texts), self._member, len(rows)))
        matrix = numbers(
            rows, self._member, inputs=self._inputs, missing_allowed=self._missing_allowed
        )
        columns = in_blocks(
            np.ascontiguousarray(matrix),
            self._block,
            lambda block: as_columns(call(block), self._member, len(block)),
        )
        contributions = self._explain(matrix) if explain else None
        if contributions is None:
            return Outputs(columns=columns)
        return Outputs(
            columns=columns,
            contributions=contributions,
            contribution_names=member_columns(rows, self._member),
        )

    def close(self) -> None:
        """Let go of the estimator."""
        self._estimator = None

    def _explain(self, matrix: Floats) -> Floats | None:
        """Return what each column adds to the linear score, or None where that is not exact.

        Behind a StandardScaler the mean of each column is 0, so weight times value is the distance
        from the mean.
        """
        steps = [step for _, step in getattr(self._estimator, "steps", [])]
        if len(steps) != 2 or type(steps[0]).__name__ != "StandardScaler":
            return None
        weights = np.atleast_2d(getattr(steps[1], "coef_", np.empty((0, 0))))
        if not steps[0].with_mean or weights.shape[1:] != (matrix.shape[1],):
            return None
        return np.asarray(steps[0].transform(matrix) * weights[0], dtype=np.float64)


def _method(member: Member, options: ScikitOptions, estimator: Any) -> str:
    named = [name for name in ("predict_proba", "decision_function", "predict")]
    able = [name for name in named if callable(getattr(estimator, name, None))]
    chosen = options.method or ("predict_proba" if "predict_proba" in able else "predict")
    if chosen not in able:
        raise BadModel(
            f"model {member.name!r}: a {type(estimator).__name__} has no {chosen}; it has {able}"
        )
    return chosen


def _check_names(member: Member, estimator: Any) -> None:
    names = getattr(estimator, "feature_names_in_", None)
    count = getattr(estimator, "n_features_in_", None)
    if member.columns is None:
        return
    if names is not None and tuple(map(str, names)) != member.columns:
        raise BadModel(
            f"model {member.name!r} names the columns {list(member.columns)}; it was trained on "
            f"{list(map(str, names))}"
        )
    if count is not None and len(member.columns) != count:
        raise BadModel(
            f"model {member.name!r} names {len(member.columns)} columns; it was trained on {count}"
        )


def _check_classes(member: Member, options: ScikitOptions, estimator: Any) -> None:
    if not options.classes:
        return
    classes = tuple(str(name) for name in getattr(estimator, "classes_", ()))
    if classes != options.classes:
        raise BadModel(
            f"model {member.name!r} says its classes are {list(options.classes)}; the estimator "
            f"has {list(classes)}"
        )


def _one_thread(estimator: Any) -> None:
    """Forbid worker pools: they start processes and make sums depend on who finishes first."""
    parameters: Iterator[str] = iter(estimator.get_params(deep=True))
    jobs = {name: 1 for name in parameters if name.split("__")[-1] == "n_jobs"}
    if jobs:
        estimator.set_params(**jobs)
