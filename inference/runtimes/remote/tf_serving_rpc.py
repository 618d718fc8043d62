"""Ask TensorFlow Serving over gRPC, and what speaks its PredictionService."""

from functools import cache
from typing import Any

import numpy as np

from inference.bundle import Member
from inference.errors import ModelFailed
from inference.requests import Floats, Rows
from inference.runtimes.remote.address import Address
from inference.runtimes.remote.line import Call, Spoken, Wire
from inference.runtimes.remote.messages import Messages, declare, read
from inference.runtimes.remote.rpc import ask, not_ready, refuse
from inference.runtimes.remote.signature import (
    Shape,
    Signature,
    Tensor,
    pick,
    side_by_side,
    tensors_of,
)
from inference.runtimes.remote.tensors import decoded, in_type, shaped, unpack
from inference.runtimes.remote.tf_serving import DEFAULT_SIGNATURE

PREDICTIONS = "/tensorflow.serving.PredictionService"
MODELS = "/tensorflow.serving.ModelService"
AVAILABLE = 30
"""State of a version that can be asked."""
TYPES = {
    "FP32": 1, "FP64": 2, "INT32": 3, "UINT8": 4, "INT16": 5, "INT8": 6, "BYTES": 7, "INT64": 9,
    "BOOL": 10, "UINT16": 17, "FP16": 19, "UINT32": 22, "UINT64": 23,
}  # fmt: skip
"""The Open Inference Protocol's word -> TensorFlow's number."""
FIELDS = {
    "GetModelStatusRequest": ("1 model_spec ModelSpec",),
    "GetModelStatusResponse": ("1 model_version_status ModelVersionStatus*",),
    "ModelVersionStatus": ("1 version int64", "2 state int32"),
    "GetModelMetadataRequest": ("1 model_spec ModelSpec", "2 metadata_field string*"),
    "GetModelMetadataResponse": ("2 metadata {Any}",),
    "Any": ("1 type_url string", "2 value bytes"),
    "SignatureDefMap": ("1 signature_def {SignatureDef}",),
    "SignatureDef": ("1 inputs {TensorInfo}", "2 outputs {TensorInfo}"),
    "TensorInfo": ("2 dtype int32", "3 tensor_shape TensorShapeProto"),
    "PredictRequest": (
        "1 model_spec ModelSpec",
        "2 inputs {TensorProto}",
        "3 output_filter string*",
    ),
    "PredictResponse": ("1 outputs {TensorProto}",),
    "ModelSpec": (
        "1 name string",
        "2 version Int64Value",
        "3 signature_name string",
        "4 version_label string",
    ),
    "Int64Value": ("1 value int64",),
    "TensorShapeProto": ("2 dim Dim*", "3 unknown_rank bool"),
    "Dim": ("1 size int64",),
    "TensorProto": (
        "1 dtype int32",
        "2 tensor_shape TensorShapeProto",
        "4 tensor_content bytes",
        "5 float_val float*",
        "6 double_val double*",
        "7 int_val int32*",
        "8 string_val bytes*",
        "10 int64_val int64*",
        "11 bool_val bool*",
        "13 half_val int32*",
        "16 uint32_val uint32*",
        "17 uint64_val uint64*",
    ),
}
_NAMES = {number: name for name, number in TYPES.items()}
_VALUES = {
    "FP32": "float_val", "FP64": "double_val", "INT64": "int64_val", "BOOL": "bool_val",
    "INT32": "int_val", "INT16": "int_val", "INT8": "int_val", "UINT8": "int_val",
    "UINT16": "int_val", "UINT32": "uint32_val", "UINT64": "uint64_val",
}  # fmt: skip


@cache
def messages() -> Messages:
    """Return the protocol's messages, as far as the desk says and reads them.

    Raises:
        MissingFramework: protobuf is not installed.
    """
    return declare("outcry.tf_serving", FIELDS)


class TensorFlowServingRpc:
    """One model on one server."""

    def __init__(self, address: Address, signature: str, wire: Wire) -> None:
        self._messages = messages()
        self._address = address
        self._what = f"model {address.model!r}"
        self._signature = signature
        self._wire = wire

    async def ready(self, call: Call) -> None:
        """Return when a version can be asked; servers that tell no status are believed."""
        asked = self._messages["GetModelStatusRequest"](model_spec=self._spec())
        spoken = await self._call(call, f"{MODELS}/GetModelStatus", asked)
        if spoken.code == "UNIMPLEMENTED":
            return
        if spoken.code != "OK":
            not_ready(spoken, self._what)
        told = read(self._messages["GetModelStatusResponse"], spoken.message)
        if all(version.state != AVAILABLE for version in told.model_version_status):
            not_ready(Spoken("UNAVAILABLE"), self._what)

    async def signature(self, call: Call) -> Signature:
        """Return what the server says of the model; some say nothing."""
        asked = self._messages["GetModelMetadataRequest"](
            model_spec=self._spec(), metadata_field=["signature_def"]
        )
        spoken = await self._call(call, f"{PREDICTIONS}/GetModelMetadata", asked)
        if spoken.code == "UNIMPLEMENTED":
            return Signature()
        if spoken.code != "OK":
            not_ready(spoken, f"metadata of {self._what}")
        told = read(self._messages["GetModelMetadataResponse"], spoken.message)
        if "signature_def" not in told.metadata:
            raise ModelFailed("the server's metadata tells no signatures")
        packed = told.metadata["signature_def"].value
        all_of_them = read(self._messages["SignatureDefMap"], packed).signature_def
        named = self._signature or DEFAULT_SIGNATURE
        if named not in all_of_them:
            raise ModelFailed(
                f"the server has no signature {named!r}; it has {sorted(all_of_them)}"
            )
        one = all_of_them[named]
        return Signature(_tensors(one.inputs), _tensors(one.outputs))

    async def infer(self, call: Call, rows: Rows, member: Member, shape: Shape) -> Floats:
        """Return the outputs of some rows."""
        asked = self._messages["PredictRequest"](
            model_spec=self._spec(self._signature), output_filter=shape.outputs
        )
        # A column is (rows, 1) where the server does not say: what feature columns are made of.
        for one in tensors_of(rows, member, shape, rank=2):
            tensor = asked.inputs[one.name]
            for size in one.sizes:
                tensor.tensor_shape.dim.add(size=size)
            if isinstance(one.values, tuple):
                tensor.string_val.extend(text.encode() for text in one.values)
            else:
                numbers = in_type(one.values, one.datatype, name=one.name)
                tensor.tensor_content = numbers.tobytes()
            tensor.dtype = TYPES[one.datatype]
        spoken = await self._call(call, f"{PREDICTIONS}/Predict", asked)
        if spoken.code != "OK":
            refuse(spoken)
        told = read(self._messages["PredictResponse"], spoken.message).outputs
        found = {name: values_of(told[name], name=name) for name in told}
        return side_by_side(pick(found, shape.outputs), len(rows))

    async def _call(self, call: Call, method: str, asked: Any) -> Spoken:
        return await ask(call, self._wire, method, asked.SerializeToString(deterministic=True))

    def _spec(self, signature: str = "") -> Any:
        made = self._messages["ModelSpec"](name=self._address.model, signature_name=signature)
        version = self._address.version
        if version is not None and version.isdecimal() and len(version) < 19:
            made.version.value = int(version)
        elif version is not None:
            made.version_label = version
        return made


def values_of(tensor: Any, *, name: str) -> Any:
    """Return a tensor, whether it came as bytes or as numbers; of these the last may be repeated.

    Raises:
        ModelFailed: it is not what its type and shape say.
    """
    datatype = _NAMES.get(tensor.dtype)
    if datatype is None or tensor.tensor_shape.unknown_rank:
        raise ModelFailed(f"the server's output {name!r} has a type or shape that is not told")
    sizes = [dim.size for dim in tensor.tensor_shape.dim]
    if datatype == "BYTES":
        return decoded(tensor.string_val, sizes, name=name)
    if tensor.tensor_content:
        return unpack(tensor.tensor_content, datatype, sizes, name=name)
    if datatype == "FP16":
        bits = np.asarray(tensor.half_val, dtype=np.int64)
        return shaped(bits.astype("<u2").view("<f2"), sizes, name=name, fill=True)
    numbers = np.asarray(getattr(tensor, _VALUES[datatype]), dtype=np.float64)
    return shaped(numbers, sizes, name=name, fill=True)


def _tensors(told: Any) -> tuple[Tensor, ...]:
    found = []
    for name in told:
        one = told[name]
        sizes = None
        if not one.tensor_shape.unknown_rank:
            sizes = tuple(dim.size for dim in one.tensor_shape.dim)
        found.append(Tensor(name, _NAMES.get(one.dtype, f"DT_{one.dtype}"), sizes))
    return tuple(found)
