"""Ask servers of TensorFlow Serving's REST API v1: TensorFlow Serving itself, and KServe."""

from typing import Any

from inference.bundle import Member
from inference.errors import ModelFailed
from inference.requests import Floats, Rows
from inference.runtimes.remote.address import Address
from inference.runtimes.remote.line import Call, Reply, not_ready, read_json, refuse
from inference.runtimes.remote.signature import (
    Shape,
    Signature,
    Tensor,
    as_type,
    columns_of,
    matrix_of,
    pick,
    side_by_side,
)

DEFAULT_SIGNATURE = "serving_default"
_TYPES = {
    "DT_FLOAT": "FP32", "DT_DOUBLE": "FP64", "DT_HALF": "FP16", "DT_INT64": "INT64",
    "DT_INT32": "INT32", "DT_INT16": "INT16", "DT_INT8": "INT8", "DT_UINT8": "UINT8",
    "DT_BOOL": "BOOL", "DT_STRING": "BYTES",
}  # fmt: skip


class TensorFlowServing:
    """One model on one server."""

    def __init__(self, address: Address, signature: str) -> None:
        self._url = address.model_url
        self._what = f"model {address.model!r}"
        self._signature = signature

    async def ready(self, call: Call) -> None:
        """Return when a version can be asked."""
        reply = await call.get(self._url)
        if reply.status != 200:
            not_ready(reply, self._what)
        told = read_json(reply)
        states = told.get("model_version_status") if isinstance(told, dict) else None
        if states is not None:
            fine = any(isinstance(one, dict) and one.get("state") == "AVAILABLE" for one in states)
        else:  # KServe's form
            fine = isinstance(told, dict) and told.get("ready") in (True, "True", "true")
        if not fine:
            not_ready(Reply(503, b"{}"), self._what)

    async def signature(self, call: Call) -> Signature:
        """Return what the server says of the model; KServe says nothing."""
        reply = await call.get(f"{self._url}/metadata")
        if reply.status in {404, 405}:
            return Signature()
        if reply.status != 200:
            not_ready(reply, f"metadata of {self._what}")
        try:
            all_of_them = read_json(reply)["metadata"]["signature_def"]["signature_def"]
            named = self._signature or DEFAULT_SIGNATURE
            if named not in all_of_them:
                raise ModelFailed(
                    f"the server has no signature {named!r}; it has {sorted(all_of_them)}"
                )
            one = all_of_them[named]
            return Signature(_tensors(one["inputs"]), _tensors(one["outputs"]))
        except (KeyError, TypeError, ValueError, AttributeError) as wrong:
            raise ModelFailed(f"the server's metadata is not understood: {wrong!r}") from None

    async def infer(self, call: Call, rows: Rows, member: Member, shape: Shape) -> Floats:
        """Return the outputs of some rows."""
        body: dict[str, Any] = {"instances": _instances(rows, member, shape)}
        if self._signature:
            body["signature_name"] = self._signature
        reply = await call.post(f"{self._url}:predict", body)
        if reply.status != 200:
            refuse(reply)
        return read_predictions(read_json(reply), shape.outputs, len(rows))


def read_predictions(told: Any, wanted: tuple[str, ...], rows: int) -> Floats:
    """Return `{"predictions": [...]}` as columns: a number, a list or an object a row.

    Raises:
        ModelFailed: it is something else.
    """
    if not isinstance(told, dict) or not isinstance(told.get("predictions"), list):
        raise ModelFailed("the server answered without a list of predictions")
    found = told["predictions"]
    if len(found) != rows:
        raise ModelFailed(f"the server gave {len(found)} predictions for {rows} rows")
    if not found or not isinstance(found[0], dict):
        return side_by_side([found], rows)
    if any(not isinstance(one, dict) or one.keys() != found[0].keys() for one in found):
        raise ModelFailed("the server's predictions have different outputs")
    by_name = {name: [one[name] for one in found] for name in found[0]}
    return side_by_side(pick(by_name, wanted), rows)


def _instances(rows: Rows, member: Member, shape: Shape) -> list[Any]:
    if shape.layout == "matrix":
        listed: list[Any] = as_type(matrix_of(rows, member), shape.datatype)
        return listed
    columns = {
        name: list(values) if isinstance(values, tuple)
        else as_type(values, shape.by_column.get(name, shape.datatype))
        for name, values in columns_of(rows, member).items()
    }  # fmt: skip
    return [{name: values[row] for name, values in columns.items()} for row in range(len(rows))]


def _tensors(told: dict[str, Any]) -> tuple[Tensor, ...]:
    found = []
    for name, one in told.items():
        dims = one.get("tensor_shape", {})
        sizes = None
        if not dims.get("unknown_rank"):
            sizes = tuple(int(dim["size"]) for dim in dims.get("dim", ()))
        found.append(Tensor(name, _TYPES.get(one["dtype"], str(one["dtype"])), sizes))
    return tuple(found)
