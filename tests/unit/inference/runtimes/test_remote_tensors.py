"""Tensors as bytes, and messages by their field numbers."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as some
from hypothesis.extra import numpy as arrays

from inference.errors import BadInput, BadModel, ModelFailed
from inference.runtimes.remote import open_inference_rpc, tf_serving_rpc
from inference.runtimes.remote.messages import read
from inference.runtimes.remote.signature import Sent
from inference.runtimes.remote.tensors import (
    DTYPES,
    in_type,
    pack,
    pack_texts,
    shaped,
    unpack,
    unpack_texts,
)

FINITE = {"allow_nan": False, "allow_infinity": False}
ANY_TYPE = some.sampled_from(sorted(DTYPES))
SHAPES = arrays.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=5)


@given(some.data(), ANY_TYPE, SHAPES)
def test_numbers_come_back_as_they_went_out(
    data: some.DataObject, datatype: str, sizes: tuple[int, ...]
) -> None:
    kept: Any = data.draw(
        arrays.arrays(DTYPES[datatype], sizes, elements=FINITE)
        if np.dtype(DTYPES[datatype]).kind == "f"
        else arrays.arrays(DTYPES[datatype], sizes)
    )
    values = kept.astype(np.float64)
    sent = Sent("x", sizes, datatype, values)
    if datatype in {"INT64", "UINT64"} and (np.abs(values) > 2.0**53).any():
        return  # no float64 is every such number
    packed = pack(sent)
    assert packed == kept.tobytes()
    np.testing.assert_array_equal(unpack(packed, datatype, sizes, name="x"), values)


@given(some.lists(some.text()))
def test_texts_come_back_as_they_went_out(texts: list[str]) -> None:
    packed = pack(Sent("t", (len(texts),), "BYTES", tuple(texts)))
    assert unpack(packed, "BYTES", [len(texts)], name="t") == texts
    assert unpack_texts(packed, name="t") == [text.encode() for text in texts]


@given(some.binary(max_size=64), some.sampled_from([*DTYPES, "BYTES", "STRING", "BF16", ""]))
def test_whatever_bytes_come_they_are_a_tensor_or_are_refused(data: bytes, datatype: str) -> None:
    for sizes in ([len(data)], [2, 3], [-1, 2], []):
        try:
            found = unpack(data, datatype, sizes, name="x")
        except ModelFailed:
            continue
        assert np.asarray(found).size == np.prod(sizes)


@pytest.mark.parametrize(
    ("datatype", "value"),
    [
        ("INT8", 128.0), ("INT8", -129.0), ("UINT8", -1.0), ("INT32", 2.0**31),
        ("INT64", 2.0**63), ("UINT64", 2.0**64), ("FP32", 1e39), ("FP16", 1e5),
    ],
)  # fmt: skip
def test_a_number_that_does_not_fit_is_named(datatype: str, value: float) -> None:
    with pytest.raises(BadInput, match=rf"input 'x' is {datatype}, which cannot hold"):
        in_type(np.array([0.0, value]), datatype, name="x")


def test_whole_types_are_rounded_to_and_bool_is_not_zero() -> None:
    values = np.array([-0.6, 0.0, 2.5])
    assert in_type(values, "INT64", name="x").tolist() == [-1, 0, 2]
    assert in_type(values, "BOOL", name="x").tolist() == [True, False, True]
    assert in_type(np.array([-(2.0**63)]), "INT64", name="x").tolist() == [-(2**63)]
    with pytest.raises(BadModel, match="is BF16; it may be FP64"):
        in_type(values, "BF16", name="x")


def test_a_short_answer_cannot_stand_for_a_huge_one() -> None:
    one = np.array([1.0])
    assert shaped(one, [3], name="x", fill=True).tolist() == [1.0, 1.0, 1.0]
    for sizes in ([2**40], [2**21, 2**21], [-1], [3, -1]):
        with pytest.raises(ModelFailed):
            shaped(one, sizes, name="x", fill=True)
    with pytest.raises(ModelFailed, match="does not have the shape"):
        shaped(one, [3], name="x")


@pytest.mark.parametrize("cut", range(1, 8))
def test_texts_that_end_too_early_are_refused(cut: int) -> None:
    packed = pack_texts([b"abcd"])
    with pytest.raises(ModelFailed, match="ends within a text"):
        unpack_texts(packed[:cut], name="t")


def _answer(**contents: Any) -> Any:
    made = open_inference_rpc.messages()["ModelInferResponse"]()
    datatype, sizes = contents.pop("datatype"), contents.pop("shape")
    one = made.outputs.add(name="y", datatype=datatype, shape=sizes)
    for name, values in contents.items():
        getattr(one.contents, name).extend(values)
    return made


@pytest.mark.parametrize(
    ("datatype", "field", "values"),
    [
        ("FP32", "fp32_contents", [1.5, -2.0]), ("FP64", "fp64_contents", [1.5, -2.0]),
        ("INT8", "int_contents", [-3, 4]), ("INT32", "int_contents", [-3, 4]),
        ("INT64", "int64_contents", [-3, 4]), ("UINT8", "uint_contents", [3, 4]),
        ("UINT64", "uint64_contents", [3, 4]), ("BOOL", "bool_contents", [True, False]),
    ],
)  # fmt: skip
def test_open_inference_answers_with_numbers_are_read(
    datatype: str, field: str, values: list[Any]
) -> None:
    told = _answer(datatype=datatype, shape=[2], **{field: values})
    assert open_inference_rpc.values_of(told)["y"].tolist() == [float(one) for one in values]


def test_open_inference_answers_that_do_not_fit_are_refused() -> None:
    for told, said in (
        (_answer(datatype="FP32", shape=[2], fp32_contents=[1.0]), "does not have the shape"),
        (_answer(datatype="FP16", shape=[1]), "is FP16, which is not understood"),
        (_answer(datatype="BYTES", shape=[2], bytes_contents=[b"a"]), "1 texts for"),
        (_answer(datatype="BYTES", shape=[1], bytes_contents=[b"\xff"]), "no UTF-8"),
    ):
        with pytest.raises(ModelFailed, match=said):
            open_inference_rpc.values_of(told)
    twice = _answer(datatype="FP32", shape=[1])
    twice.raw_output_contents.extend([b"\0\0\0\0", b"\0\0\0\0"])
    with pytest.raises(ModelFailed, match="2 contents for 1 outputs"):
        open_inference_rpc.values_of(twice)


@pytest.mark.parametrize(
    ("datatype", "field", "values"),
    [
        ("FP32", "float_val", [1.5, -2.0]), ("FP64", "double_val", [1.5, -2.0]),
        ("INT8", "int_val", [-3, 4]), ("INT32", "int_val", [-3, 4]),
        ("INT64", "int64_val", [-3, 4]), ("UINT32", "uint32_val", [3, 4]),
        ("UINT64", "uint64_val", [3, 4]), ("BOOL", "bool_val", [True, False]),
    ],
)  # fmt: skip
def test_tensorflow_answers_with_numbers_are_read(
    datatype: str, field: str, values: list[Any]
) -> None:
    tensor = _tensor(datatype, 3)
    getattr(tensor, field).extend(values)
    expected = [float(one) for one in [*values, values[-1]]]  # the last one is repeated
    assert tf_serving_rpc.values_of(tensor, name="y").tolist() == expected


def test_tensorflow_halves_come_as_their_bits() -> None:
    tensor = _tensor("FP16", 2)
    tensor.half_val.extend(np.array([1.5, -2.0], "<f2").view("<u2").tolist())
    assert tf_serving_rpc.values_of(tensor, name="y").tolist() == [1.5, -2.0]


def test_tensorflow_answers_of_another_kind_are_refused() -> None:
    complex_one = tf_serving_rpc.messages()["TensorProto"](dtype=8)
    unknown = _tensor("FP32", 1)
    unknown.tensor_shape.unknown_rank = True
    for tensor in (complex_one, unknown):
        with pytest.raises(ModelFailed, match="not told"):
            tf_serving_rpc.values_of(tensor, name="y")


def _tensor(datatype: str, size: int) -> Any:
    made = tf_serving_rpc.messages()["TensorProto"](dtype=tf_serving_rpc.TYPES[datatype])
    made.tensor_shape.dim.add(size=size)
    return made


@given(some.binary(max_size=200))
def test_whatever_bytes_come_they_are_a_message_or_are_refused(data: bytes) -> None:
    for kind, of in (
        (open_inference_rpc.messages()["ModelInferResponse"], open_inference_rpc.values_of),
        (tf_serving_rpc.messages()["PredictResponse"], _all_outputs),
    ):
        try:
            of(read(kind, data))
        except ModelFailed:
            continue


def _all_outputs(told: Any) -> None:
    for name in told.outputs:
        tf_serving_rpc.values_of(told.outputs[name], name=name)
