"""Read a safetensors file by mapping it: nothing is copied that need not be.

The library's own reader checks the header first (size, overlaps, holes, overflow), then the tensors
are views of the mapped file. Half precision becomes float32, because numpy has no bfloat16.
"""

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from inference.errors import BadModel, UnsafeArtifact

Tensor = NDArray[Any]
_VIEWS = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2"}


def read_weights(path: Path) -> dict[str, Tensor]:
    """Return the tensors of the file by name, float32 or float64, read-only.

    Raises:
        BadModel: it is not there, or a tensor has another type than a float's, or holds NaN or
            infinity.
        UnsafeArtifact: it is no safetensors file.
    """
    try:
        with safe_open(str(path), framework="numpy"):
            pass
    except (FileNotFoundError, IsADirectoryError):
        raise BadModel(f"{path.name}: there is no such file of weights") from None
    except SafetensorError as error:
        raise UnsafeArtifact(f"{path.name}: no safetensors file: {error}") from None
    mapped = np.memmap(path, dtype=np.uint8, mode="r")
    (length,) = struct.unpack("<Q", mapped[:8].tobytes())
    header: dict[str, Any] = json.loads(mapped[8 : 8 + length].tobytes())
    header.pop("__metadata__", None)
    data = mapped[8 + length :]
    return {name: _tensor(path.name, name, entry, data) for name, entry in header.items()}


def _tensor(file: str, name: str, entry: dict[str, Any], data: NDArray[np.uint8]) -> Tensor:
    kind = entry["dtype"]
    if kind not in _VIEWS:
        raise BadModel(
            f"{file}: tensor {name!r} has the type {kind}; allowed are {', '.join(sorted(_VIEWS))}"
        )
    start, stop = entry["data_offsets"]
    tensor = data[start:stop]
    if start % 8:
        tensor = tensor.copy()
    tensor = tensor.view(_VIEWS[kind]).reshape(entry["shape"])
    if kind == "F16":
        tensor = tensor.astype(np.float32)
    elif kind == "BF16":
        tensor = (tensor.astype(np.uint32) << 16).view(np.float32)
    if not np.isfinite(tensor).all():
        raise BadModel(f"{file}: tensor {name!r} holds NaN or infinity")
    tensor.flags.writeable = False
    return tensor


def check_shapes(
    file: str,
    tensors: Mapping[str, Tensor],
    declared: Mapping[str, tuple[int, ...]],
    *,
    optional: Mapping[str, tuple[int, ...]] | None = None,
) -> None:
    """Hold the tensors to what the architecture declares.

    Raises:
        BadModel: one is absent, unknown or of another shape; it names the tensor.
    """
    allowed = {**declared, **(optional or {})}
    for name, shape in declared.items():
        if name not in tensors:
            raise BadModel(f"{file}: tensor {name!r} of shape {list(shape)} is not in it")
    for name, tensor in tensors.items():
        if name not in allowed:
            raise BadModel(
                f"{file}: tensor {name!r} is not part of the architecture: {sorted(allowed)}"
            )
        if tensor.shape != allowed[name]:
            raise BadModel(
                f"{file}: tensor {name!r} has the shape {list(tensor.shape)}; the declared "
                f"architecture has {list(allowed[name])}"
            )
