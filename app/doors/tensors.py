"""Tensors of the Open Inference Protocol, as JSON or as bytes, and rows of ours.

Pure. A request names each column as a tensor of shape [n] or [n, 1], or packs all number columns
into one tensor of shape [n, columns] in the order of the model's metadata.

https://github.com/kserve/open-inference-protocol and Triton's extension for binary data.
"""

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from app.services.models.model_calls import ServedModel
from inference.bundle import TEXTUAL, Bundle
from inference.errors import BadInput
from inference.requests import Answers, Floats, Rows

NUMBERS: dict[str, str] = {
    "BOOL": "?",
    "UINT8": "<u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "<i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}
PACKED = "rows"
"""What the metadata calls the tensor that holds all number columns; any unknown name will do."""


class InputTensor(msgspec.Struct, frozen=True, kw_only=True):
    """One tensor of a request."""

    name: str
    shape: tuple[int, ...]
    datatype: str
    parameters: dict[str, Any] = {}
    data: list[Any] | None = None


class OutputWish(msgspec.Struct, frozen=True, kw_only=True):
    """One output that is wanted."""

    name: str
    parameters: dict[str, Any] = {}


class InferRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent to `/infer`."""

    inputs: tuple[InputTensor, ...]
    id: str | None = None
    parameters: dict[str, Any] = {}
    outputs: tuple[OutputWish, ...] | None = None


read_request = msgspec.json.Decoder(InferRequest).decode


def rows_of(request: InferRequest, served: ServedModel, binary: memoryview) -> Rows:
    """Return the rows of a request; `binary` is what follows the JSON.

    Raises:
        BadInput: a tensor does not fit the model or itself; says which.
    """
    names: list[str] = []
    numbers: list[Floats] = []
    texts: dict[str, tuple[str, ...]] = {}
    at = 0
    for tensor in request.inputs:
        size = tensor.parameters.get("binary_data_size")
        if size is not None:
            if not isinstance(size, int) or not 0 <= size <= len(binary) - at:
                raise BadInput(f"input {tensor.name!r}: binary_data_size does not fit the body")
            values = _from_bytes(tensor, binary[at : at + size])
            at += size
        else:
            values = _from_json(tensor)
        if isinstance(values, tuple):
            texts[tensor.name] = values
        elif tensor.name not in served.columns and len(request.inputs) == 1:
            return _packed(tensor, values, served.number_columns, rest=len(binary) - at)
        elif values.shape[1] != 1:
            raise BadInput(f"input {tensor.name!r}: one column has shape [n] or [n, 1]")
        else:
            names.append(tensor.name)
            numbers.append(values)
    _refuse_rest(len(binary) - at)
    counts = {len(one) for one in numbers} | {len(column) for column in texts.values()}
    if len(counts) != 1:
        raise BadInput(f"the inputs have different numbers of rows: {sorted(counts)}")
    stacked = np.hstack(numbers) if numbers else np.empty((counts.pop(), 0))
    return Rows(tuple(names), np.ascontiguousarray(stacked), texts)


def _packed(tensor: InputTensor, values: Floats, names: tuple[str, ...], *, rest: int) -> Rows:
    """Return the rows of a tensor that holds all number columns."""
    if values.shape[1] != len(names):
        raise BadInput(
            f"input {tensor.name!r} has {values.shape[1]} columns; the model has "
            f"{len(names)}: {list(names)}"
        )
    _refuse_rest(rest)
    return Rows(names, np.ascontiguousarray(values))


def _refuse_rest(size: int) -> None:
    if size:
        raise BadInput(f"{size} bytes at the end belong to no input")


def _shape(tensor: InputTensor) -> tuple[int, int]:
    shape = tensor.shape
    if not 1 <= len(shape) <= 2 or any(length < 0 for length in shape):
        raise BadInput(f"input {tensor.name!r} has shape {list(shape)}; it must be [n] or [n, m]")
    return shape[0], shape[1] if len(shape) == 2 else 1


def _from_json(tensor: InputTensor) -> Floats | tuple[str, ...]:
    rows, width = _shape(tensor)
    if tensor.data is None:
        raise BadInput(f"input {tensor.name!r} has no data")
    if tensor.datatype == "BYTES":
        flat = _flat(tensor.data)
        if len(flat) != rows * width or width != 1:
            raise BadInput(f"input {tensor.name!r} has {len(flat)} texts for its shape")
        if not all(isinstance(text, str) for text in flat):
            raise BadInput(f"input {tensor.name!r}: BYTES must be texts")
        return tuple(flat)
    _known(tensor)
    try:
        values = np.array(tensor.data, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise BadInput(f"input {tensor.name!r}: data must be numbers, flat or nested") from None
    if values.size != rows * width:
        raise BadInput(
            f"input {tensor.name!r} has {values.size} numbers for shape {list(tensor.shape)}"
        )
    return values.reshape(rows, width)


def _flat(data: Sequence[Any]) -> list[Any]:
    if data and isinstance(data[0], list):
        return [item for part in data if isinstance(part, list) for item in _flat(part)]
    return list(data)


def _known(tensor: InputTensor) -> str:
    kind = NUMBERS.get(tensor.datatype)
    if kind is None:
        raise BadInput(
            f"input {tensor.name!r}: datatype {tensor.datatype!r} is unknown; there are "
            f"{', '.join((*NUMBERS, 'BYTES'))}"
        )
    return kind


def _from_bytes(tensor: InputTensor, data: memoryview) -> Floats | tuple[str, ...]:
    rows, width = _shape(tensor)
    if tensor.datatype == "BYTES":
        found, at = [], 0
        while at + 4 <= len(data):
            (length,) = struct.unpack_from("<I", data, at)
            found.append(bytes(data[at + 4 : at + 4 + length]))
            at += 4 + length
        if at != len(data) or len(found) != rows * width or width != 1:
            raise BadInput(f"input {tensor.name!r}: its bytes are not {rows} texts")
        try:
            return tuple(text.decode() for text in found)
        except UnicodeDecodeError:
            raise BadInput(f"input {tensor.name!r}: a text is not UTF-8") from None
    kind = np.dtype(_known(tensor))
    if len(data) != rows * width * kind.itemsize:
        raise BadInput(
            f"input {tensor.name!r} has {len(data)} bytes for shape {list(tensor.shape)} of "
            f"{tensor.datatype}"
        )
    values: NDArray[Any] = np.frombuffer(data, dtype=kind)
    return values.reshape(rows, width).astype(np.float64)


OUTPUTS = ("value", "low", "high", "quantiles", "probabilities", "contributions", "paths")
"""What answers may hold, as outputs are named."""
_ALL = tuple(OutputWish(name=name) for name in OUTPUTS)

_Said = Mapping[str, Sequence[object]]


def _find_output(answers: Answers, name: str) -> tuple[Floats | tuple[str, ...] | None, _Said]:
    """Return an output and what belongs to it; None when these answers have none of it."""
    match name:
        case "value":
            return answers.values, {}
        case "low" | "high":
            ends = answers.low if name == "low" else answers.high
            return ends, {"level": (answers.interval_level,)}
        case "quantiles":
            return answers.quantiles, {"levels": answers.levels}
        case "probabilities":
            return answers.probabilities, {"classes": answers.classes}
        case "contributions":
            return answers.contributions, {"columns": answers.contribution_names}
        case "paths":
            return answers.paths, {}
    return None, {}


def response_of(
    request: InferRequest, answers: Answers, *, name: str, version: str
) -> tuple[bytes, bytes]:
    """Return the JSON of a response, and the binary data that follows it.

    Raises:
        BadInput: an output is wanted that there is none of.
    """
    all_binary = request.parameters.get("binary_data_output") is True
    listed: list[dict[str, Any]] = []
    tail: list[bytes] = []
    for wish in request.outputs or _ALL:
        values, said = _find_output(answers, wish.name)
        if values is None:
            if not request.outputs:
                continue
            there = [one for one in OUTPUTS if _find_output(answers, one)[0] is not None]
            raise BadInput(f"there is no output {wish.name!r}; there are {there}")
        binary = wish.parameters.get("binary_data", all_binary) is True
        parameters = {key: msgspec.json.encode(value).decode() for key, value in said.items()}
        listed.append(_output(wish.name, values, parameters, tail if binary else None))
    response: dict[str, Any] = {"model_name": name, "model_version": version}
    if request.id is not None:
        response["id"] = request.id
    response["outputs"] = listed
    return msgspec.json.encode(response), b"".join(tail)


def _output(
    name: str,
    values: Floats | tuple[str, ...],
    parameters: dict[str, Any],
    tail: list[bytes] | None,
) -> dict[str, Any]:
    output: dict[str, Any] = {"name": name}
    if isinstance(values, tuple):
        output |= {"datatype": "BYTES", "shape": [len(values), 1]}
        encoded = [text.encode() for text in values]
        raw = b"".join(struct.pack("<I", len(text)) + text for text in encoded)
        data: list[Any] = list(values)
    else:
        shape = [len(values), 1] if values.ndim == 1 else list(values.shape)
        output |= {"datatype": "FP64", "shape": shape}
        raw = np.ascontiguousarray(values, dtype="<f8").tobytes() if tail is not None else b""
        data = values.ravel().tolist() if tail is None else []
    if tail is None:
        output["data"] = data
    else:
        tail.append(raw)
        parameters = {**parameters, "binary_data_size": len(raw)}
    if parameters:
        output["parameters"] = parameters
    return output


def metadata_of(bundle: Bundle, *, name: str, version: str) -> dict[str, Any]:
    """Return what the protocol says of a model."""
    inputs = [
        {
            "name": column.name,
            "datatype": "BYTES" if column.kind in TEXTUAL else "FP64",
            "shape": [-1, 1],
        }
        for column in bundle.inputs
    ]
    textual = bundle.head.kind in {"classes", "text"}
    outputs = [{"name": "value", "datatype": "BYTES" if textual else "FP64", "shape": [-1, 1]}]
    if bundle.head.kind == "classes":
        outputs.append(_fp64("probabilities", len(bundle.head.classes)))
    if bundle.head.kind == "quantiles":
        outputs.append(_fp64("quantiles", len(bundle.head.levels)))
    if bundle.head.interval_level is not None:
        outputs += [_fp64("low", 1), _fp64("high", 1)]
    return {
        "name": name,
        "versions": [version],
        "platform": f"outcry_{bundle.framework}",
        "inputs": inputs,
        "outputs": outputs,
    }


def _fp64(name: str, width: int) -> dict[str, Any]:
    return {"name": name, "datatype": "FP64", "shape": [-1, width]}
