"""Ask servers of the Open Inference Protocol v2 over REST: Triton, MLServer, KServe, another desk.

Ray Serve deployments that speak it differ in one thing: the proxy has a health check of its own.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np

from inference.bundle import Member
from inference.errors import ModelFailed
from inference.requests import Floats, Rows
from inference.runtimes.remote.address import Address
from inference.runtimes.remote.line import (
    Call,
    not_ready,
    read_json,
    refuse,
    said_by,
)
from inference.runtimes.remote.signature import (
    TEXTS,
    Shape,
    Signature,
    Tensor,
    as_type,
    pick,
    side_by_side,
    tensors_of,
)

LOADING = "has no available versions"
"""What Triton says of a model that it knows and has not loaded, with status 404."""


class OpenInference:
    """One model on one server."""

    def __init__(self, address: Address) -> None:
        self._url = address.model_url
        self._what = f"model {address.model!r}"
        # Of the proxy, at the root of the host: an application may lie under a path of its own.
        host = "/".join(address.server.split("/")[:3])
        self._health = f"{host}/-/healthz" if address.protocol == "ray" else None

    async def ready(self, call: Call) -> None:
        """Return when the model can be asked."""
        if self._health is not None and (reply := await call.get(self._health)).status != 200:
            not_ready(reply, "Ray Serve")
        reply = await call.get(f"{self._url}/ready")
        if reply.status == 400:
            await self._look_why(call)
        if reply.status != 200:
            not_ready(reply, self._what)
        if not reply.body.strip():
            return
        told = read_json(reply)
        if isinstance(told, dict) and told.get("ready") in (False, "False", "false"):
            not_ready(reply, self._what)

    async def _look_why(self, call: Call) -> None:
        """Tell a model that is not there from one that is not ready: Triton says 400 of both.

        Raises:
            WorkerLost: it is not there.
        """
        metadata = await call.get(self._url)
        if metadata.status == 404 and LOADING not in str(said_by(metadata).get("error")):
            not_ready(metadata, self._what)

    async def signature(self, call: Call) -> Signature:
        """Return what the server says of the model."""
        reply = await call.get(self._url)
        if reply.status != 200:
            not_ready(reply, f"metadata of {self._what}")
        told = read_json(reply)
        if not isinstance(told, dict):
            raise ModelFailed("the server's metadata is no object")
        return Signature(_tensors(told.get("inputs")), _tensors(told.get("outputs")))

    async def infer(self, call: Call, rows: Rows, member: Member, shape: Shape) -> Floats:
        """Return the outputs of some rows."""
        body: dict[str, Any] = {"id": call.request_id, "inputs": _inputs(rows, member, shape)}
        if shape.outputs:
            body["outputs"] = [{"name": name} for name in shape.outputs]
        reply = await call.post(f"{self._url}/infer", body)
        if reply.status != 200:
            refuse(reply)
        told = read_json(reply)
        try:
            answered = told.get("id")
            found = {one["name"]: _values(one) for one in told["outputs"]}
        except (KeyError, TypeError, AttributeError) as wrong:
            raise ModelFailed(f"the server answered in another form: {wrong!r}") from None
        if answered not in (None, "", call.request_id):
            raise ModelFailed("the server answered another request than this one")
        return side_by_side(pick(found, shape.outputs), len(rows))


def _inputs(rows: Rows, member: Member, shape: Shape) -> list[dict[str, Any]]:
    return [
        {
            "name": one.name,
            "shape": list(one.sizes),
            "datatype": one.datatype,
            "data": list(one.values)
            if isinstance(one.values, tuple)
            else as_type(one.values.ravel(), one.datatype),
        }
        for one in tensors_of(rows, member, shape)
    ]


def _values(output: Mapping[str, Any]) -> Any:
    """Return a tensor in its shape; data may come flat or nested."""
    data, shape = output["data"], output["shape"]
    if output.get("datatype") in TEXTS:
        return data
    try:
        values = np.asarray(data, dtype=np.float64)
        return values.reshape([int(size) for size in shape])
    except (TypeError, ValueError):
        raise ModelFailed(
            f"the server's output {output['name']!r} does not have the shape {shape} that it says"
        ) from None


def _tensors(told: Any) -> tuple[Tensor, ...]:
    found = []
    for one in told or ():
        try:
            size = one.get("shape")
            sizes = None if size is None else tuple(int(length) for length in size)
            found.append(Tensor(str(one["name"]), str(one["datatype"]), sizes))
        except (KeyError, TypeError, ValueError, AttributeError) as wrong:
            raise ModelFailed(f"the server's metadata is not understood: {wrong!r}") from None
    return tuple(found)
