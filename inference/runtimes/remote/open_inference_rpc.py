"""Ask servers of the Open Inference Protocol v2 over gRPC: Triton, MLServer, KServe."""

from functools import cache
from typing import Any

import numpy as np

from inference.bundle import Member
from inference.errors import BadModel, ModelFailed
from inference.requests import Floats, Rows
from inference.runtimes.remote.address import Address
from inference.runtimes.remote.line import Call, Spoken, Wire
from inference.runtimes.remote.messages import Messages, declare, read
from inference.runtimes.remote.open_inference import LOADING
from inference.runtimes.remote.rpc import ask, not_ready, refuse
from inference.runtimes.remote.signature import (
    TEXTS,
    Shape,
    Signature,
    Tensor,
    pick,
    side_by_side,
    tensors_of,
)
from inference.runtimes.remote.tensors import decoded, pack, shaped, unpack

SERVICE = "/inference.GRPCInferenceService"
FIELDS = {
    "ModelReadyRequest": ("1 name string", "2 version string"),
    "ModelReadyResponse": ("1 ready bool",),
    "ModelMetadataRequest": ("1 name string", "2 version string"),
    "ModelMetadataResponse": ("4 inputs TensorMetadata*", "5 outputs TensorMetadata*"),
    "TensorMetadata": ("1 name string", "2 datatype string", "3 shape int64*"),
    "ModelInferRequest": (
        "1 model_name string",
        "2 model_version string",
        "3 id string",
        "5 inputs InferTensor*",
        "6 outputs InferRequestedOutputTensor*",
        "7 raw_input_contents bytes*",
    ),
    "InferRequestedOutputTensor": ("1 name string",),
    "ModelInferResponse": (
        "2 model_version string",
        "3 id string",
        "5 outputs InferTensor*",
        "6 raw_output_contents bytes*",
    ),
    # Inputs and outputs have the same fields.
    "InferTensor": (
        "1 name string",
        "2 datatype string",
        "3 shape int64*",
        "5 contents InferTensorContents",
    ),
    "InferTensorContents": (
        "1 bool_contents bool*",
        "2 int_contents int32*",
        "3 int64_contents int64*",
        "4 uint_contents uint32*",
        "5 uint64_contents uint64*",
        "6 fp32_contents float*",
        "7 fp64_contents double*",
        "8 bytes_contents bytes*",
    ),
}
_CONTENTS = {
    "BOOL": "bool_contents", "INT8": "int_contents", "INT16": "int_contents",
    "INT32": "int_contents", "INT64": "int64_contents", "UINT8": "uint_contents",
    "UINT16": "uint_contents", "UINT32": "uint_contents", "UINT64": "uint64_contents",
    "FP32": "fp32_contents", "FP64": "fp64_contents",
}  # fmt: skip


@cache
def messages() -> Messages:
    """Return the protocol's messages, as far as the desk says and reads them.

    Raises:
        MissingFramework: protobuf is not installed.
    """
    return declare("outcry.open_inference", FIELDS)


class OpenInferenceRpc:
    """One model on one server."""

    def __init__(self, address: Address, wire: Wire) -> None:
        self._messages = messages()
        self._name, self._version = address.model, address.version or ""
        self._what = f"model {address.model!r}"
        self._wire = wire

    async def ready(self, call: Call) -> None:
        """Return when the model can be asked."""
        spoken = await self._look(call, "ModelReady")
        if spoken.code not in ("OK", "UNKNOWN"):
            not_ready(spoken, self._what)
        if spoken.code == "OK" and self._is_ready(spoken):
            return
        await self._look_why(call)
        not_ready(spoken if spoken.code != "OK" else Spoken("UNAVAILABLE"), self._what)

    def _is_ready(self, spoken: Spoken) -> bool:
        return bool(read(self._messages["ModelReadyResponse"], spoken.message).ready)

    async def _look_why(self, call: Call) -> None:
        """Tell a model that is not there from one that is not ready.

        Triton says of both that they are not ready, and MLServer fails of one that is not there.

        Raises:
            WorkerLost: it is not there.
        """
        metadata = await self._look(call, "ModelMetadata")
        if metadata.code == "NOT_FOUND" and LOADING not in metadata.details:
            not_ready(metadata, self._what)

    async def signature(self, call: Call) -> Signature:
        """Return what the server says of the model."""
        spoken = await self._look(call, "ModelMetadata")
        if spoken.code != "OK":
            not_ready(spoken, f"metadata of {self._what}")
        told = read(self._messages["ModelMetadataResponse"], spoken.message)
        return Signature(_tensors(told.inputs), _tensors(told.outputs))

    async def infer(self, call: Call, rows: Rows, member: Member, shape: Shape) -> Floats:
        """Return the outputs of some rows."""
        asked = self._messages["ModelInferRequest"](
            model_name=self._name, model_version=self._version, id=call.request_id
        )
        for one in tensors_of(rows, member, shape):
            asked.raw_input_contents.append(pack(one))
            asked.inputs.add(name=one.name, datatype=one.datatype, shape=one.sizes)
        for name in shape.outputs:
            asked.outputs.add(name=name)
        spoken = await ask(call, self._wire, f"{SERVICE}/ModelInfer", asked.SerializeToString())
        if spoken.code != "OK":
            refuse(spoken)
        told = read(self._messages["ModelInferResponse"], spoken.message)
        self._check_version(told.model_version)
        if told.id not in ("", call.request_id):
            raise ModelFailed("the server answered another request than this one")
        return side_by_side(pick(values_of(told), shape.outputs), len(rows))

    def _check_version(self, answered: str) -> None:
        """Let pass an answer of the version that was asked, if one was.

        Raises:
            BadModel: the server does not say which version it was; KServe has no versions.
            ModelFailed: it was another.
        """
        if not self._version or answered == self._version:
            return
        if not answered:
            raise BadModel(
                f"version {self._version} is asked, and the server does not say which version "
                "answered; deploymentUrl may leave it out"
            )
        raise ModelFailed(f"version {answered} answered instead of {self._version}")

    async def _look(self, call: Call, what: str) -> Spoken:
        asked = self._messages[f"{what}Request"](name=self._name, version=self._version)
        return await ask(call, self._wire, f"{SERVICE}/{what}", asked.SerializeToString())


def values_of(told: Any) -> dict[str, Any]:
    """Return the outputs of an answer by name, whether they came as bytes or as numbers.

    Raises:
        ModelFailed: one is not what its type and shape say.
    """
    raw = list(told.raw_output_contents)
    if raw and len(raw) != len(told.outputs):
        raise ModelFailed(f"the server gave {len(raw)} contents for {len(told.outputs)} outputs")
    found: dict[str, Any] = {}
    for index, one in enumerate(told.outputs):
        if raw:
            found[one.name] = unpack(raw[index], one.datatype, one.shape, name=one.name)
        elif one.datatype in TEXTS:
            found[one.name] = decoded(one.contents.bytes_contents, one.shape, name=one.name)
        elif one.datatype in _CONTENTS:
            numbers = np.asarray(getattr(one.contents, _CONTENTS[one.datatype]), dtype=np.float64)
            found[one.name] = shaped(numbers, one.shape, name=one.name)
        else:
            raise ModelFailed(
                f"the server's output {one.name!r} is {one.datatype}, which is not understood"
            )
    return found


def _tensors(told: Any) -> tuple[Tensor, ...]:
    return tuple(Tensor(one.name, one.datatype, tuple(one.shape)) for one in told)
