"""Run ONNX models with onnxruntime, on the CPU or on CUDA as the device says.

A model reads one matrix of all columns, or one input per column by its name (as scikit-learn's
converter writes them); strings are read from text columns.
"""

from pathlib import Path
from typing import Annotated, Any

import msgspec
import numpy as np

from inference.bundle import Member
from inference.errors import BadInput, BadModel, ModelFailed
from inference.requests import Floats, Rows
from inference.runtimes import sentence_classifier
from inference.runtimes.blocks import blocks_of
from inference.runtimes.columns import numbers, text_column
from inference.runtimes.files import member_file
from inference.runtimes.options import (
    as_columns,
    device_for,
    import_framework,
    read_options,
    thread_limit,
)
from inference.runtimes.runtime import Loaded, Outputs

NUMBERS = {
    "tensor(float)": np.float32,
    "tensor(double)": np.float64,
    "tensor(int64)": np.int64,
    "tensor(int32)": np.int32,
    "tensor(bool)": np.bool_,
}
TEXT = "tensor(string)"
BLOCK = 32


class OnnxOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of the runtime."""

    output: str | None = None
    """Which output is read; needed where several could be meant."""
    missing_allowed: bool = False
    """Whether NaN is passed on (trees that learned what to do with it)."""
    block: Annotated[int, msgspec.Meta(ge=0, le=65536)] = BLOCK
    """Rows are computed in blocks of so many; 0: as they come, and then the last bits of a row
    may depend on the batch. A model with a fixed number of rows is run with that."""


class OnnxRuntime:
    """Loads ONNX files. External data files are refused: a model is one file."""

    def load(self, folder: Path, member: Member, *, device: str) -> Loaded:
        """Read the model and check what goes in and what comes out."""
        if member.architecture == sentence_classifier.ARCHITECTURE:
            return sentence_classifier.load_sentence_classifier(folder, member)
        options = read_options(member, OnnxOptions)
        path = member_file(folder, member)
        ort = import_framework("onnxruntime", framework="onnxruntime", extra="onnx")
        settings = ort.SessionOptions()
        settings.intra_op_num_threads = thread_limit()
        settings.inter_op_num_threads = 1
        settings.log_severity_level = 4
        settings.use_deterministic_compute = True
        # A thread that waits by spinning takes the core from its neighbours.
        settings.add_session_config_entry("session.intra_op.allow_spinning", "0")
        data = path.read_bytes()
        try:
            # From bytes, not from the path: there is then no folder for external data.
            session = ort.InferenceSession(data, settings, providers=_providers(ort, device))
        except Exception as error:  # its errors share no base class of their own
            raise BadModel(f"{path.name}: onnxruntime refuses it: {_short(error)}") from None
        return OnnxModel(member, options, session, len(data))


class OnnxModel:
    """One session."""

    def __init__(self, member: Member, options: OnnxOptions, session: Any, size: int) -> None:
        self._member = member
        self._options = options
        self._session = session
        self._size = size
        self._inputs = {one.name: one for one in session.get_inputs()}
        for one in self._inputs.values():
            if one.type not in NUMBERS and one.type != TEXT:
                allowed = ", ".join((*NUMBERS, TEXT))
                raise BadModel(
                    f"model {member.name!r}: input {one.name!r} is a {one.type}; allowed: {allowed}"
                )
        self._output = _choose_output(member, options, session.get_outputs())
        self._matrix = self._matrix_input()
        self._width = None if self._matrix is None else _width(member, self._matrix)
        if self._matrix is None and member.columns is not None:
            unknown = [name for name in self._inputs if name not in member.columns]
            if unknown:
                raise BadModel(
                    f"model {member.name!r} has the inputs {unknown}, which are none of its "
                    f"columns {list(member.columns)}"
                )
        first = next(iter(self._inputs.values())).shape
        fixed = first[0] if first and isinstance(first[0], int) else None
        self._block = options.block if fixed is None else fixed

    @property
    def size_bytes(self) -> int:
        """The size of its file."""
        return self._size

    def run(self, rows: Rows, *, explain: bool = False) -> Outputs:
        """Return the chosen output."""
        if not len(rows):
            raise BadInput("there are no rows")
        if self._matrix is not None and self._matrix.type != TEXT:
            return self._run_matrix(rows)
        columns = {name: self._column(rows, name) for name in self._inputs}
        order = np.arange(len(rows), dtype=np.float64)[:, None]
        parts = []
        for block, real in blocks_of(order, self._block):
            picked = block[:, 0].astype(np.intp)
            feed = {
                name: _shaped(column[picked], self._inputs[name].shape)
                for name, column in columns.items()
            }
            parts.append(self._call(feed, len(picked))[:real])
        return Outputs(columns=np.concatenate(parts))

    def close(self) -> None:
        """Let go of the session."""
        self._session = None

    def _matrix_input(self) -> Any:
        """Return the one input that takes all columns, or None where each has its own."""
        if len(self._inputs) != 1:
            return None
        only = next(iter(self._inputs.values()))
        alone = self._member.columns is not None and self._member.columns == (only.name,)
        return None if alone and only.type != TEXT else only

    def _run_matrix(self, rows: Rows) -> Outputs:
        allowed = self._options.missing_allowed
        matrix = numbers(rows, self._member, inputs=self._width, missing_allowed=allowed)
        kind = NUMBERS[self._matrix.type]
        parts = [
            self._call({self._matrix.name: block.astype(kind)}, len(block))[:real]
            for block, real in blocks_of(matrix, self._block)
        ]
        return Outputs(columns=np.concatenate(parts))

    def _column(self, rows: Rows, name: str) -> Any:
        wanted = self._inputs[name]
        if wanted.type == TEXT:
            texts = text_column(rows, self._member) if self._matrix else rows.texts.get(name)
            if texts is None:
                raise BadInput(
                    f"model {self._member.name!r} needs the text column {name!r}; there are "
                    f"{sorted(rows.texts)}"
                )
            return np.array(texts, dtype=object)
        alone = msgspec.structs.replace(self._member, columns=(name,))
        allowed = self._options.missing_allowed
        return numbers(rows, alone, missing_allowed=allowed)[:, 0].astype(NUMBERS[wanted.type])

    def _call(self, feed: dict[str, Any], rows: int) -> Floats:
        try:
            (found,) = self._session.run([self._output], feed)
        except Exception as error:  # its errors share no base class of their own
            raise ModelFailed(
                f"model {self._member.name!r}: onnxruntime failed: {_short(error)}"
            ) from None
        return as_columns(found, self._member, rows)


def _choose_output(member: Member, options: OnnxOptions, outputs: list[Any]) -> str:
    """Return the output that is read: the one named, or the only one of decimal numbers."""
    told = [f"{one.name} ({one.type})" for one in outputs]
    fitting = [one.name for one in outputs if one.type in {"tensor(float)", "tensor(double)"}]
    if options.output is not None:
        if options.output not in fitting:
            raise BadModel(
                f"model {member.name!r}: output {options.output!r} is none of decimal numbers; "
                f"there are {told}"
            )
        return options.output
    if len(fitting) != 1:
        raise BadModel(
            f"model {member.name!r}: which output is meant? Say it by options.output; there are "
            f"{told}. (Export classifiers with zipmap off.)"
        )
    return str(fitting[0])


def _width(member: Member, wanted: Any) -> int | None:
    """Return how many columns the matrix has, if the model says so.

    Raises:
        BadModel: the model does not read a matrix, or not as many columns as the member names.
    """
    shape = wanted.shape
    if wanted.type == TEXT:
        return None
    if len(shape) != 2:
        raise BadModel(
            f"model {member.name!r}: input {wanted.name!r} has the shape {shape}; a matrix of "
            "rows and columns is needed"
        )
    width = shape[1] if isinstance(shape[1], int) else None
    if width is not None and member.columns is not None and len(member.columns) != width:
        raise BadModel(
            f"model {member.name!r}: input {wanted.name!r} has {width} columns; the member names "
            f"{len(member.columns)}"
        )
    return width


def _shaped(column: Any, shape: list[Any]) -> Any:
    return column[:, None] if len(shape) == 2 else column


def _providers(ort: Any, device: str) -> list[Any]:
    on_cuda = "CUDAExecutionProvider" in ort.get_available_providers()
    if device_for(device, usable=on_cuda, framework="onnxruntime") == "cpu":
        return ["CPUExecutionProvider"]
    number = device.partition(":")[2] or "0"
    return [("CUDAExecutionProvider", {"device_id": number}), "CPUExecutionProvider"]


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:300]
