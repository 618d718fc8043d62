"""Ask TorchServe's inference API, with the JSON envelope `{"instances": [...]}`.

A handler may answer with `{"predictions": [...]}`, as the envelopes `json` and `kserve` do, or with
a bare list, one entry a row. TorchServe tells no signature on this port.
"""

from typing import Any, NoReturn

from inference.bundle import Member
from inference.errors import ModelFailed, NotReady, Overloaded, WorkerLost
from inference.requests import Floats, Rows
from inference.runtimes.remote.address import Address
from inference.runtimes.remote.line import (
    Call,
    Reply,
    not_ready,
    read_json,
    refuse,
    said_by,
)
from inference.runtimes.remote.signature import Shape, Signature, as_type, columns_of, matrix_of
from inference.runtimes.remote.tf_serving import read_predictions


class TorchServe:
    """One model on one server."""

    def __init__(self, address: Address) -> None:
        self._url = address.model_url
        self._ping = f"{address.server}/ping"

    async def ready(self, call: Call) -> None:
        """Return when the server has workers for its models."""
        reply = await call.get(self._ping)
        if reply.status != 200:
            not_ready(reply, "TorchServe")
        told = read_json(reply)
        if not isinstance(told, dict) or told.get("status") != "Healthy":
            raise NotReady(f"TorchServe says it is {str(told)[:100]}")

    async def signature(self, call: Call) -> Signature:
        """Return nothing: it tells none here."""
        return Signature()

    async def infer(self, call: Call, rows: Rows, member: Member, shape: Shape) -> Floats:
        """Return the outputs of some rows."""
        reply = await call.post(self._url, {"instances": _instances(rows, member, shape)})
        if reply.status != 200:
            _refuse(reply)
        told = read_json(reply)
        told = {"predictions": told} if isinstance(told, list) else told
        return read_predictions(told, shape.outputs, len(rows))


def _refuse(reply: Reply) -> NoReturn:
    """Raise what TorchServe's own errors mean; their `type` tells more than the status.

    Raises:
        Overloaded, ModelFailed, WorkerLost: as it says.
        InferenceError: as any server's refusals say.
    """
    told = said_by(reply)
    kind, words = told.get("type"), str(told.get("message", ""))[:200]
    if kind == "ServiceUnavailableException":
        # No free worker, or a full queue: it does not tell them apart.
        raise Overloaded(f"TorchServe has no free worker for the model ({reply.status})")
    if kind == "InternalServerException" and words.startswith("Worker died"):
        raise WorkerLost(f"TorchServe lost the worker of the model ({reply.status})")
    if kind == "InternalServerException":
        raise ModelFailed(f"the server failed ({reply.status}): {words}")
    refuse(reply)


def _instances(rows: Rows, member: Member, shape: Shape) -> list[Any]:
    if shape.layout == "matrix":
        listed: list[Any] = as_type(matrix_of(rows, member), shape.datatype)
        return listed
    columns = columns_of(rows, member)
    return [
        {name: v[row] if isinstance(v, tuple) else float(v[row]) for name, v in columns.items()}
        for row in range(len(rows))
    ]
