"""Run XGBoost boosters (JSON or UBJ), with exact contributions (TreeSHAP) where they are asked for.

Contributions are those of the margin, before the objective's link: of a `reg:gamma` model they sum
to the logarithm of its output. NaN is a missing number, as in training.
"""

from pathlib import Path
from typing import Any, Literal

import msgspec
import numpy as np

from inference.bundle import Member
from inference.errors import BadInput, BadModel, UnsafeArtifact
from inference.requests import Floats, Rows
from inference.runtimes.columns import member_columns, numbers
from inference.runtimes.files import member_file
from inference.runtimes.options import (
    SMALL,
    as_columns,
    device_for,
    import_framework,
    read_options,
    thread_limit,
)
from inference.runtimes.runtime import Loaded, Outputs
from inference.runtimes.xgboost_trees import check_booster

FORMATS = (".json", ".ubj")


class XGBoostOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of the runtime."""

    output: Literal["value", "margin"] = "value"
    """`margin`: before the objective's link function."""


class XGBoostRuntime:
    """Loads boosters."""

    def load(self, folder: Path, member: Member, *, device: str) -> Loaded:
        """Read the booster and hold its features to the member's columns."""
        options = read_options(member, XGBoostOptions)
        path = member_file(folder, member)
        if path.suffix not in FORMATS:
            raise UnsafeArtifact(f"{path.name}: a booster is a file {' or '.join(FORMATS)}")
        with path.open("rb") as file:
            if file.read(1) != b"{":
                raise UnsafeArtifact(f"{path.name}: neither JSON nor UBJ")
        xgboost = import_framework("xgboost", framework="XGBoost", extra="xgboost")
        on_cuda = bool(xgboost.build_info().get("USE_CUDA"))
        device = device_for(device, usable=on_cuda, framework="XGBoost")
        booster = xgboost.Booster()
        try:
            booster.load_model(path)
            booster.set_param({"device": device, "nthread": thread_limit(SMALL)})
            check_booster(
                path.name, bytes(booster.save_raw("json")), columns=booster.num_features()
            )
            trees = booster.num_boosted_rounds()
        except xgboost.core.XGBoostError as error:
            raise BadModel(f"{path.name}: no booster: {_first_line(error)}") from None
        loaded = LoadedBooster(member, options, xgboost, booster, trees, path.stat().st_size)
        loaded.check_columns(member.columns)
        return loaded


class LoadedBooster:
    """One booster."""

    def __init__(
        self,
        member: Member,
        options: XGBoostOptions,
        xgboost: Any,
        booster: Any,
        rounds: int,
        file_bytes: int,
    ) -> None:
        self._member = member
        self._options = options
        self._xgboost = xgboost
        self._booster = booster
        self._names = None if booster.feature_names is None else tuple(booster.feature_names)
        self._inputs = int(booster.num_features())
        best = booster.attr("best_iteration")
        self._rounds = (0, rounds if best is None else int(best) + 1)
        self._size = file_bytes

    @property
    def size_bytes(self) -> int:
        """About the size of its file."""
        return self._size

    def check_columns(self, columns: tuple[str, ...] | None) -> None:
        """Hold the member's columns to the booster's features.

        Raises:
            BadModel: they differ.
        """
        if columns is None:
            return
        if len(columns) != self._inputs:
            raise BadModel(
                f"model {self._member.name!r} names {len(columns)} columns; the booster was "
                f"trained on {self._inputs}"
            )
        if self._names is not None and columns != self._names:
            raise BadModel(
                f"model {self._member.name!r} names the columns {list(columns)}; the booster was "
                f"trained on {list(self._names)}"
            )

    def run(self, rows: Rows, *, explain: bool = False) -> Outputs:
        """Return the booster's outputs; contributions are those of the first output's margin."""
        matrix = numbers(rows, self._member, inputs=self._inputs, missing_allowed=True)
        names = member_columns(rows, self._member)
        if self._names is not None and names != self._names:
            raise BadInput(
                f"model {self._member.name!r} was trained on the columns {list(self._names)}; "
                f"{list(names)} came"
            )
        if not len(matrix):
            raise BadInput("there are no rows")
        found = self._booster.inplace_predict(
            np.ascontiguousarray(matrix),
            iteration_range=self._rounds,
            predict_type=self._options.output,
            missing=np.nan,
            validate_features=False,
        )
        columns = as_columns(found, self._member, len(matrix))
        if not explain:
            return Outputs(columns=columns)
        return Outputs(
            columns=columns, contributions=self._explain(matrix), contribution_names=names
        )

    def close(self) -> None:
        """Let go of the trees."""
        self._booster = None

    def _explain(self, matrix: Floats) -> Floats:
        names = None if self._names is None else list(self._names)
        data = self._xgboost.DMatrix(
            matrix, missing=np.nan, feature_names=names, nthread=thread_limit(SMALL)
        )
        found = self._booster.predict(
            data, pred_contribs=True, iteration_range=self._rounds, strict_shape=True
        )
        # Shape (rows, outputs, columns + 1); the last one is the mean.
        return np.asarray(found[:, 0, :-1], dtype=np.float64)


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
