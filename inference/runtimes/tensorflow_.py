"""Run TensorFlow SavedModels in a process of their own, so that TensorFlow never enters ours.

A call that is not answered in time ends the process; the next call starts a new one.
"""

import importlib.util
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np

from inference.bundle import Member
from inference.errors import BadInput, BadModel, MissingFramework, ModelFailed
from inference.requests import Floats, Rows
from inference.runtimes import tensorflow_runner
from inference.runtimes.blocks import blocks_of
from inference.runtimes.child import Child
from inference.runtimes.columns import numbers, text_column
from inference.runtimes.files import member_folder
from inference.runtimes.options import as_columns, read_options, thread_limit
from inference.runtimes.runtime import Loaded, Outputs

BLOCK = 32
_PASSED_ON = ("PATH", "LD_LIBRARY_PATH", "HOME", "TMPDIR", "LANG")
_PROCESS_BYTES = 350 * 2**20
"""About what TensorFlow itself takes."""


class TensorFlowOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of the runtime."""

    signature: str = "serving_default"
    output: str | None = None
    """Which output is read; needed where there are several."""
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=600)] = 30.0
    load_timeout_s: Annotated[float, msgspec.Meta(gt=0, le=600)] = 120.0
    block: Annotated[int, msgspec.Meta(ge=1, le=65536)] = BLOCK
    """Rows that are computed at once."""


class TensorFlowRuntime:
    """Loads SavedModels, by this interpreter or by another one that has TensorFlow."""

    def __init__(self, *, python: str | None = None) -> None:
        self._python = python

    def load(self, folder: Path, member: Member, *, device: str) -> Loaded:
        """Start the process and let it load the model."""
        options = read_options(member, TensorFlowOptions)
        path = member_folder(folder, member)
        if not (path / "saved_model.pb").is_file():
            raise BadModel(f"{path.name}: no SavedModel: there is no saved_model.pb in it")
        if self._python is None and not _installed():
            raise MissingFramework("TensorFlow", extra="tensorflow")
        return SavedModel(member, options, path, python=self._python or sys.executable, on=device)


class SavedModel:
    """One signature of a model, and the process that runs it."""

    def __init__(
        self, member: Member, options: TensorFlowOptions, path: Path, *, python: str, on: str
    ) -> None:
        self._member = member
        self._options = options
        self._path = path
        self._python = python
        self._device = on
        self._child: Child | None = None
        self._closed = False
        told = self._start()
        self._inputs: dict[str, tuple[str, list[int | None] | None]] = told["inputs"]
        self._output = _choose_output(member, options, told["outputs"])
        self._width = self._check_inputs()
        files = sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
        self._size = _PROCESS_BYTES + files

    @property
    def size_bytes(self) -> int:
        """About what its process takes."""
        return self._size

    @property
    def pid(self) -> int | None:
        """The id of its process, while there is one."""
        return None if self._child is None else self._child.pid

    def run(self, rows: Rows, *, explain: bool = False) -> Outputs:
        """Return the chosen output.

        Raises:
            BadInput: the rows do not fit.
            DeadlineExceeded: there was no answer in time.
            WorkerLost: the process ended meanwhile; the next call starts another.
        """
        if not len(rows):
            raise BadInput("there are no rows")
        if self._child is None or not self._child.is_alive:
            self._start()
        single = next(iter(self._inputs)) if len(self._inputs) == 1 else None
        if single is not None and self._inputs[single][0] == "string":
            texts = text_column(rows, self._member)
            sent = {single: {"texts": list(texts)}}
            return Outputs(columns=self._ask(sent, len(rows)))
        matrix = numbers(rows, self._member, inputs=self._width)
        parts = []
        for block, real in blocks_of(matrix, self._options.block):
            given = {single: block} if single is not None else self._by_name(rows, block)
            sent = {name: _sent(array) for name, array in given.items()}
            parts.append(self._ask(sent, len(block))[:real])
        return Outputs(columns=np.concatenate(parts))

    def close(self) -> None:
        """End the process."""
        self._closed = True
        if self._child is not None:
            self._child.close()
            self._child = None

    def _start(self) -> dict[str, Any]:
        if self._closed:
            raise ModelFailed(f"model {self._member.name!r} was closed")
        if self._child is not None:
            self._child.close()
        command = [self._python, "-I", tensorflow_runner.__file__]
        self._child = Child(command, environment=_environment(self._device))
        question = {
            "folder": str(self._path),
            "signature": self._options.signature,
            "threads": thread_limit(),
        }
        try:
            told = self._child.ask(question, deadline_s=self._options.load_timeout_s)
            if "error" in told:
                raise BadModel(f"{self._path.name}: no SavedModel to serve: {told['message']}")
        except BaseException:
            self._child.close()
            self._child = None
            raise
        return told

    def _ask(self, inputs: dict[str, Any], rows: int) -> Floats:
        if self._child is None:
            raise ModelFailed(f"model {self._member.name!r} was closed")
        question = {"inputs": inputs, "output": self._output}
        told = self._child.ask(question, deadline_s=self._options.timeout_s)
        if "error" in told:
            raise ModelFailed(f"model {self._member.name!r}: TensorFlow failed: {told['message']}")
        found = np.frombuffer(told["data"], dtype="<f8").reshape(told["shape"])
        return as_columns(found, self._member, rows).copy()

    def _check_inputs(self) -> int | None:
        """Return how many columns are read."""
        columns = self._member.columns
        if len(self._inputs) == 1:
            (name, (kind, shape)) = next(iter(self._inputs.items()))
            if kind == "string":
                return None
            if shape is None or len(shape) != 2:
                raise BadModel(
                    f"model {self._member.name!r}: input {name!r} has the shape {shape}; a matrix "
                    "of rows and columns is needed"
                )
            width = shape[1]
            if width is not None and columns is not None and len(columns) != width:
                raise BadModel(
                    f"model {self._member.name!r}: input {name!r} has {width} columns; the member "
                    f"names {len(columns)}"
                )
            return width
        if columns is None or set(columns) != set(self._inputs):
            raise BadModel(
                f"model {self._member.name!r} has the inputs {sorted(self._inputs)}; the member "
                f"must name them as its columns, not {columns}"
            )
        return len(columns)

    def _by_name(self, rows: Rows, block: Floats) -> dict[str, Floats]:
        names = self._member.columns or rows.names
        found = {}
        for name, (_, shape) in self._inputs.items():
            column = block[:, names.index(name)]
            found[name] = column[:, None] if shape is not None and len(shape) == 2 else column
        return found


def _choose_output(member: Member, options: TensorFlowOptions, outputs: dict[str, Any]) -> str:
    if options.output is None and len(outputs) == 1:
        return next(iter(outputs))
    if options.output not in outputs:
        raise BadModel(
            f"model {member.name!r}: output {options.output!r} is none of its outputs "
            f"{sorted(outputs)}; say it by options.output"
        )
    return str(options.output)


def _sent(array: Floats) -> dict[str, Any]:
    return {"shape": list(array.shape), "data": np.ascontiguousarray(array, "<f8").tobytes()}


def _environment(device: str) -> dict[str, str]:
    """Return what the process gets: no keys, no chatter, one order of sums."""
    passed = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    number = device.partition(":")[2] or "0"
    return {
        **passed,
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "OMP_NUM_THREADS": str(thread_limit()),
        "CUDA_VISIBLE_DEVICES": "" if device == "cpu" else number,
    }


def _installed() -> bool:
    try:
        return importlib.util.find_spec("tensorflow") is not None
    except ValueError:  # it is hidden on purpose
        return False
