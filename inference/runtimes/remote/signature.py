"""What goes to a server and comes back: rows as tensors, tensors as columns, and whether they fit.

Pure. A server that tells what it takes is compared with the bundle before it is asked; one that
does not is believed, and its answers are checked all the same.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import numpy as np

from inference.bundle import Member
from inference.errors import BadModel, ModelFailed
from inference.requests import Floats, Rows
from inference.runtimes.columns import member_columns, numbers

Layout = Literal["matrix", "columns"]
NUMBERS = ("FP64", "FP32", "FP16", "INT64", "INT32", "INT16", "INT8", "UINT8", "BOOL")
TEXTS = ("BYTES", "STRING")


class RemoteOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a remote member may say of its server; the address itself is `deploymentUrl`."""

    input: str = ""
    """Name of the one tensor that all columns go into; what the server says by default."""
    outputs: tuple[str, ...] = ()
    """Which of the server's outputs are read, side by side; needed where there are several."""
    layout: Layout | None = None
    """One tensor of shape (rows, columns), or one a column; what the server says by default."""
    datatype: Literal["FP64", "FP32", "FP16", ""] = ""
    """Of numbers; what the server says by default, else FP64."""
    signature: str = ""
    """TensorFlow Serving's signature; its default one by default."""
    timeout_s: float = 5.0
    idempotent: bool = True
    """Asking twice is the same as asking once: a server that hung up is asked once more."""


@dataclass(frozen=True)
class Tensor:
    """One input or output as a server describes it."""

    name: str
    datatype: str
    """In the words of the Open Inference Protocol."""
    shape: tuple[int, ...] | None
    """-1: any size. None: not told."""


@dataclass(frozen=True)
class Signature:
    """What a server says that a model takes and gives; empty where it says nothing."""

    inputs: tuple[Tensor, ...] = ()
    outputs: tuple[Tensor, ...] = ()


@dataclass(frozen=True)
class Shape:
    """How the rows of a member are laid out for its server."""

    layout: Layout
    input: str
    datatype: str
    by_column: Mapping[str, str]
    """Column -> its datatype, of layout `columns`."""
    outputs: tuple[str, ...]
    signature: str = ""
    ranks: Mapping[str, int] = field(default_factory=dict)
    """Column -> how many dimensions its tensor has, of layout `columns`, where the server says."""


@dataclass(frozen=True)
class Sent:
    """One tensor on its way to a server."""

    name: str
    sizes: tuple[int, ...]
    datatype: str
    """In the words of the Open Inference Protocol."""
    values: Floats | tuple[str, ...]


def fit(member: Member, options: RemoteOptions, told: Signature) -> Shape:
    """Return how the member's rows go to a server that tells this of itself.

    Raises:
        BadModel: the server takes or gives something else; says what.
    """
    names = member.columns
    layout = options.layout or _layout(names, told)
    known = {tensor.name: tensor for tensor in told.inputs}
    if options.outputs and told.outputs:
        there = [tensor.name for tensor in told.outputs]
        absent = [name for name in options.outputs if name not in there]
        if absent:
            raise BadModel(f"the server has no output {absent[0]!r}; it has {there}")
    if layout == "columns":
        if names is not None and known:
            _check_columns(names, known)
        return Shape(
            "columns",
            "",
            options.datatype or "FP64",
            {name: tensor.datatype for name, tensor in known.items()},
            options.outputs,
            options.signature,
            {name: _rank(one) for name, one in known.items() if one.shape is not None},
        )
    tensor = _one_input(options, told)
    if tensor is not None:
        if tensor.datatype not in NUMBERS:
            raise BadModel(f"the server's input {tensor.name!r} is {tensor.datatype}, no number")
        width = tensor.shape[-1] if tensor.shape and len(tensor.shape) > 1 else -1
        if names is not None and width not in (-1, len(names)):
            raise BadModel(
                f"the server's input {tensor.name!r} has {width} columns; "
                f"the bundle gives {len(names)}: {list(names)}"
            )
    name = options.input or (tensor.name if tensor else "input-0")
    datatype = options.datatype or (tensor.datatype if tensor else "FP64")
    return Shape("matrix", name, datatype, {}, options.outputs, options.signature)


def matrix_of(rows: Rows, member: Member) -> Floats:
    """Return the member's numbers; a missing one is refused, JSON has no word for it."""
    return numbers(rows, member)


def columns_of(rows: Rows, member: Member) -> dict[str, Floats | tuple[str, ...]]:
    """Return the member's columns by name, numbers and texts."""
    names = member.columns or (*member_columns(rows, member), *rows.texts)
    numeric = tuple(name for name in names if name not in rows.texts)
    matrix = numbers(rows, msgspec.structs.replace(member, columns=numeric))
    found: dict[str, Floats | tuple[str, ...]] = {}
    for name in names:
        found[name] = rows.texts[name] if name in rows.texts else matrix[:, numeric.index(name)]
    return found


def tensors_of(rows: Rows, member: Member, shape: Shape, *, rank: int = 1) -> list[Sent]:
    """Return the member's rows as the tensors that its server takes.

    `rank` is how many dimensions a column has where the server does not say: 2 is (rows, 1).
    """
    if shape.layout == "matrix":
        matrix = matrix_of(rows, member)
        return [Sent(shape.input, matrix.shape, shape.datatype, matrix)]
    made = []
    for name, values in columns_of(rows, member).items():
        sizes = (len(values), *[1] * (max(1, shape.ranks.get(name, rank)) - 1))
        kind = shape.by_column.get(name, shape.datatype)
        if isinstance(values, tuple):
            kind = "BYTES"
        elif kind in TEXTS:
            kind = shape.datatype
        made.append(Sent(name, sizes, kind, values))
    return made


def as_type(values: Floats, datatype: str) -> Any:
    """Return numbers as JSON writes them in that type."""
    if datatype == "BOOL":
        return (values != 0.0).tolist()
    if datatype.startswith(("INT", "UINT")):
        return np.rint(values).astype(np.int64).tolist()
    return values.tolist()


def pick(found: Mapping[str, Any], wanted: Sequence[str]) -> list[Any]:
    """Return the outputs that are wanted.

    Raises:
        ModelFailed: one is not there.
        BadModel: there are several and none was chosen.
    """
    if not wanted:
        if len(found) != 1:
            raise BadModel(
                f"the server gives {sorted(found)}; the member's option `outputs` must say which"
            )
        return list(found.values())
    absent = [name for name in wanted if name not in found]
    if absent:
        raise ModelFailed(f"the server gave no output {absent[0]!r}; it gave {sorted(found)}")
    return [found[name] for name in wanted]


def side_by_side(outputs: Sequence[Any], rows: int) -> Floats:
    """Return outputs as columns of one matrix, one row a row.

    Raises:
        ModelFailed: wrong length, no numbers, NaN or infinity.
    """
    parts = []
    for output in outputs:
        try:
            values = np.asarray(output, dtype=np.float64)
        except (TypeError, ValueError):
            raise ModelFailed("the server gave no numbers, or rows of unequal length") from None
        if values.ndim == 0 or len(values) != rows:
            told = values.shape[0] if values.ndim else "one number"
            raise ModelFailed(f"the server gave {told} for {rows} rows")
        if not np.isfinite(values).all():
            raise ModelFailed("the server gave numbers that are not finite")
        parts.append(values.reshape(rows, -1))
    return np.concatenate(parts, axis=1)


def _layout(names: tuple[str, ...] | None, told: Signature) -> Layout:
    if len(told.inputs) > 1:
        return "columns"
    if len(told.inputs) == 1:
        only = told.inputs[0]
        if only.datatype in TEXTS or (names == (only.name,) and len(only.shape or ()) < 2):
            return "columns"
    return "matrix"


def _check_columns(names: tuple[str, ...], known: Mapping[str, Tensor]) -> None:
    for name in names:
        if name not in known:
            raise BadModel(f"the server has no input {name!r}; it has {sorted(known)}")
    for name in known:
        if name not in names:
            raise BadModel(f"the server needs {name!r}; the bundle gives {list(names)}")


def _rank(tensor: Tensor) -> int:
    """Return how many dimensions a column's tensor has.

    Raises:
        BadModel: it takes more than one value a row.
    """
    wide = [size for size in (tensor.shape or ())[1:] if size not in (-1, 1)]
    if wide:
        raise BadModel(
            f"the server's input {tensor.name!r} has the shape {list(tensor.shape or ())}; "
            "a column gives one value a row"
        )
    return max(1, len(tensor.shape or ()))


def _one_input(options: RemoteOptions, told: Signature) -> Tensor | None:
    if not told.inputs:
        return None
    named = {tensor.name: tensor for tensor in told.inputs}
    if options.input:
        if options.input not in named:
            raise BadModel(f"the server has no input {options.input!r}; it has {sorted(named)}")
        return named[options.input]
    if len(named) > 1:
        raise BadModel(f"the server has the inputs {sorted(named)}; option `input` must say which")
    return told.inputs[0]
