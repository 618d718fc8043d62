"""safetensors files that are not what they say are refused with the tensor named (F38)."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import SafetensorError
from safetensors.numpy import load, save

from inference.errors import BadModel
from inference.formats.tensors import MAX_HEADER, MAX_TENSORS, check_tensors, write_header

REPOSITORY = Path(__file__).parents[3]


def _check(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "m.safetensors"
    path.write_bytes(data)
    check_tensors(path, "m.safetensors")


def _tensor(start: int, stop: int, *, dtype: str = "F32", shape: Any = None) -> dict[str, Any]:
    size = {"F32": 4, "U8": 1, "F64": 8}.get(dtype, 2)
    shape = [(stop - start) // size] if shape is None else shape
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, stop]}


def test_what_safetensors_writes_is_let_in(tmp_path: Path) -> None:
    arrays = {
        "f64": np.ones((2, 3)), "f32": np.ones(5, np.float32), "f16": np.ones(4, np.float16),
        "i64": np.arange(3), "i8": np.arange(3, dtype=np.int8), "b": np.array([True]),
        "empty": np.zeros((0, 4), np.float32), "scalar": np.array(1.0),
    }  # fmt: skip
    _check(tmp_path, save(arrays, metadata={"format": "np"}))


@pytest.mark.parametrize(
    ("header", "size", "words"),
    [
        ({"a": _tensor(0, 8), "b": _tensor(4, 12)}, 12, "'b' overlaps"),
        ({"a": _tensor(0, 8), "b": _tensor(12, 16)}, 16, "hole before tensor 'b'"),
        ({"a": _tensor(4, 8)}, 8, "bytes before tensor 'a'"),
        ({"a": _tensor(0, 8)}, 12, "'a' is followed by more"),
        ({"a": _tensor(0, 16)}, 8, "'a' goes past the end"),
        ({"a": _tensor(0, 8, shape=[3])}, 8, "'a': F32 of shape .* needs 12 bytes"),
        ({"a": _tensor(0, 8, shape=[2**62, 8])}, 8, "'a' has an impossible shape"),
        ({"a": _tensor(0, 0, shape=[2**40, 0])}, 0, None),
        ({"a": _tensor(0, 8, shape=[2**32, 2**32])}, 8, "'a' has an impossible shape"),
        ({"a": _tensor(0, 8, shape=[-2])}, 8, "'a': its shape"),
        ({"a": _tensor(0, 8, shape=[True, 2])}, 8, "'a': its shape"),
        ({"a": _tensor(0, 8, shape=[2.0])}, 8, "'a': its shape"),
        ({"a": _tensor(0, 8, shape=[1] * 40)}, 8, "'a': its shape"),
        ({"a": {**_tensor(0, 8), "data_offsets": [8, 0]}}, 8, "'a': data_offsets"),
        ({"a": {**_tensor(0, 8), "data_offsets": [0]}}, 8, "'a': data_offsets"),
        ({"a": {**_tensor(0, 8), "dtype": "F31"}}, 8, "'a' has dtype 'F31'"),
        ({"a": {**_tensor(0, 8), "dtype": ["F32"]}}, 8, "'a' has dtype"),
        ({"a": {**_tensor(0, 8), "more": 1}}, 8, "'a' needs exactly"),
        ({"a": 7}, 0, "'a' needs exactly"),
        ({"": _tensor(0, 8)}, 8, "a name has"),
        ({"__metadata__": {"a": 1}, "a": _tensor(0, 8)}, 8, "__metadata__"),
        ({}, 0, "holds no tensor"),
        ([], 0, "header|JSON"),
    ],
)
def test_a_header_that_lies_is_refused(
    header: Any, size: int, words: str | None, tmp_path: Path
) -> None:
    data = write_header(header) + bytes(size)
    if words is None:
        _check(tmp_path, data)
        return
    with pytest.raises(BadModel, match=words):
        _check(tmp_path, data)


def test_a_name_that_stands_twice_is_refused(tmp_path: Path) -> None:
    one = json.dumps(_tensor(0, 4))
    raw = f'{{"a": {one}, "a": {one}}}'.encode()
    with pytest.raises(BadModel, match="'a' stands twice"):
        _check(tmp_path, len(raw).to_bytes(8, "little") + raw + bytes(4))


@pytest.mark.parametrize(
    ("dtype", "value"),
    [(np.float64, np.nan), (np.float32, np.inf), (np.float16, -np.inf), (np.float32, np.nan)],
)
def test_nan_and_infinity_are_refused_with_the_tensor_named(
    dtype: Any, value: float, tmp_path: Path
) -> None:
    bad = np.ones(3_000_000, dtype)
    bad[-1] = value
    with pytest.raises(BadModel, match="tensor 'bad' holds NaN or infinity"):
        _check(tmp_path, save({"good": np.ones(3), "bad": bad}))


@pytest.mark.parametrize(
    ("dtype", "raw"),
    [("BF16", b"\x80\x7f"), ("BF16", b"\xc0\xff"), ("F8_E4M3", b"\x7f"), ("F8_E5M2", b"\x7c")],
)
def test_nan_is_found_in_the_short_kinds(dtype: str, raw: bytes, tmp_path: Path) -> None:
    header = {"a": {"dtype": dtype, "shape": [1], "data_offsets": [0, len(raw)]}}
    with pytest.raises(BadModel, match="'a' holds NaN"):
        _check(tmp_path, write_header(header) + raw)
    _check(tmp_path, write_header(header) + bytes(len(raw)))


def test_a_giant_header_is_refused_before_it_is_read(tmp_path: Path) -> None:
    path = tmp_path / "m.safetensors"
    with path.open("wb") as file:
        file.write((8 * 1024**3).to_bytes(8, "little") + b"{")
        file.truncate(9 * 1024**3)
    with pytest.raises(BadModel, match=f"{MAX_HEADER:,} are allowed"):
        check_tensors(path, "m.safetensors")
    with pytest.raises(BadModel, match="does not fit"):
        _check(tmp_path, (2**63).to_bytes(8, "little") + b"{" + bytes(100))


def test_a_hundred_thousand_tensors_and_big_files_stay_below_half_a_gibibyte(
    tmp_path: Path,
) -> None:
    """In a process of its own, whose highest memory the kernel tells."""
    many = {str(n): _tensor(n * 4, n * 4 + 4) for n in range(100_000)}
    (tmp_path / "many.safetensors").write_bytes(write_header(many) + bytes(400_000))
    deep = b'{"a":' * 100_000 + b"1" + b"}" * 100_000
    deep = len(deep).to_bytes(8, "little") + deep
    (tmp_path / "deep.safetensors").write_bytes(deep)
    with (tmp_path / "big.safetensors").open("wb") as file:
        size = 1024**3
        file.write(write_header({"w": _tensor(0, size)}))
        file.truncate(file.tell() + size)
    program = textwrap.dedent(
        """
        import sys
        from pathlib import Path
        from inference.errors import BadModel
        from inference.formats.tensors import check_tensors
        for name in ("many", "deep", "big"):
            try:
                check_tensors(Path(sys.argv[1], name + ".safetensors"), name)
                print(name, "fine")
            except BadModel as wrong:
                print(wrong)
        # Not `ru_maxrss`, which also knows the process that this one was started from.
        status = Path("/proc/self/status").read_text()
        print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM")))
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=REPOSITORY, capture_output=True, text=True, timeout=50, check=True,
    )  # fmt: skip
    many_said, deep_said, big_said, peak_kib = done.stdout.splitlines()
    assert f"{MAX_TENSORS:,} are allowed" in many_said
    assert f"'{MAX_TENSORS}'" in many_said
    assert "not JSON" in deep_said
    assert big_said == "big fine"
    assert 0 < int(peak_kib) < 512 * 1024


@given(st.data())
@settings(max_examples=150, deadline=None)
def test_whatever_is_let_in_after_a_change_safetensors_reads_too(data: st.DataObject) -> None:
    raw = bytearray(save({"a": np.ones((2, 2), np.float32), "b": np.arange(3)}))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.sampled_from([len(raw), len(raw) - 1, len(raw) // 2]))
    path = Path(_scratch(), "m.safetensors")
    path.write_bytes(raw[:cut])
    try:
        check_tensors(path, "m")
    except BadModel:
        return
    try:
        read = load(bytes(raw[:cut]))
    except SafetensorError as wrong:
        raise AssertionError(f"let in, but {wrong}") from wrong
    assert all(np.isfinite(array).all() for array in read.values() if array.dtype.kind == "f")


def _scratch() -> str:
    import tempfile  # noqa: PLC0415 - one folder for all examples

    if not hasattr(_scratch, "folder"):
        _scratch.folder = tempfile.TemporaryDirectory()  # type: ignore[attr-defined]
    return str(_scratch.folder.name)  # type: ignore[attr-defined]
