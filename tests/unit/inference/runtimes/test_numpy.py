"""Networks by numpy alone."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

from inference.bundle import Member
from inference.errors import BadInput, BadModel, UnsafeArtifact
from inference.requests import Rows
from inference.runtimes.catalog import runtime_for
from inference.runtimes.runtime import Loaded

RNG = np.random.default_rng(7)


def member(architecture: str, **options: Any) -> Member:
    return Member(
        name="net", runtime="numpy", file="net.safetensors", architecture=architecture,
        options=options,
    )  # fmt: skip


def rows(numbers: Any) -> Rows:
    matrix = np.asarray(numbers, dtype=np.float64)
    return Rows(tuple(f"c{index}" for index in range(matrix.shape[1])), matrix)


def load(folder: Path, what: Member, tensors: dict[str, Any]) -> Loaded:
    save_file({name: np.asarray(value) for name, value in tensors.items()}, folder / what.file)  # type: ignore[operator]
    return runtime_for("numpy").load(folder, what, device="cpu")


def mlp_tensors(*widths: int, dtype: Any = np.float32) -> dict[str, Any]:
    found = {}
    for index in range(len(widths) - 1):
        shape = (widths[index + 1], widths[index])
        found[f"layers.{index}.weight"] = RNG.normal(size=shape).astype(dtype)
        found[f"layers.{index}.bias"] = RNG.normal(size=shape[0]).astype(dtype)
    return found


def test_a_linear_model_is_its_weights_times_the_row(tmp_path: Path) -> None:
    tensors = {"weight": np.array([[2.0, -1.0]]), "bias": np.array([0.5])}
    net = load(tmp_path, member("linear", inputs=2), tensors)
    assert net.run(rows([[1.0, 3.0], [0.0, 0.0]])).columns.tolist() == [[-0.5], [0.5]]  # type: ignore[union-attr]
    assert net.size_bytes == (16 * 16 + 16) * 8


def test_contributions_of_a_linear_model_sum_to_what_moved_it_from_the_mean(tmp_path: Path) -> None:
    tensors = {
        "weight": RNG.normal(size=(1, 5)),
        "bias": RNG.normal(size=1),
        "input_mean": RNG.normal(size=5),
    }
    net = load(tmp_path, member("linear", inputs=5), tensors)
    asked = rows(RNG.normal(size=(9, 5)))
    outputs = net.run(asked, explain=True)
    middle = net.run(rows(tensors["input_mean"][None])).columns
    assert outputs.contribution_names == asked.names
    assert outputs.columns is not None
    assert outputs.contributions is not None
    assert middle is not None
    np.testing.assert_allclose(
        outputs.contributions.sum(axis=1), (outputs.columns - middle)[:, 0], atol=1e-12
    )


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_row_gives_the_same_bits_alone_and_in_any_batch(
    tmp_path: Path, activation: str, dtype: Any
) -> None:
    what = member(
        "monotone_quantiles", inputs=11, hidden=[37, 19], outputs=7, anchor=3, activation=activation
    )
    net = load(tmp_path, what, mlp_tensors(11, 37, 19, 7, dtype=dtype))
    matrix = RNG.normal(size=(301, 11))
    whole = net.run(rows(matrix)).columns
    assert whole is not None
    for index in range(0, 301, 7):
        assert np.array_equal(net.run(rows(matrix[index : index + 1])).columns, whole[[index]])  # type: ignore[arg-type]
    assert np.array_equal(net.run(rows(matrix[13:150])).columns, whole[13:150])  # type: ignore[arg-type]
    assert np.array_equal(net.run(rows(matrix[::-1])).columns, whole[::-1])  # type: ignore[arg-type]


@pytest.mark.parametrize("anchor", [0, 3, 6])
def test_quantiles_never_cross(tmp_path: Path, anchor: int) -> None:
    what = member("monotone_quantiles", inputs=4, hidden=[8], outputs=7, anchor=anchor)
    columns = load(tmp_path, what, mlp_tensors(4, 8, 7)).run(rows(RNG.normal(size=(50, 4)))).columns
    assert columns is not None
    assert (np.diff(columns, axis=1) >= 0).all()


def test_scaled_quantiles_are_scores_times_the_deviation_of_a_log_variance(tmp_path: Path) -> None:
    tensors = {
        "weight": RNG.normal(size=(1, 4)),
        "bias": RNG.normal(size=1),
        "scores": np.array([-1.5, 0.1, 1.4]),
    }
    net = load(tmp_path, member("scaled_quantiles", inputs=4, outputs=3), tensors)
    matrix = RNG.normal(size=(40, 4))
    found = net.run(rows(matrix), explain=True)
    logs = matrix @ tensors["weight"][0] + tensors["bias"]
    expected = np.exp(0.5 * logs)[:, None] * tensors["scores"]
    np.testing.assert_allclose(found.columns, expected, rtol=1e-12)  # type: ignore[arg-type]
    # What moves the variance is no contribution to a quantile.
    assert found.contributions is None


def test_an_mlp_agrees_with_the_plain_formula(tmp_path: Path) -> None:
    tensors = mlp_tensors(3, 5, 2, dtype=np.float64)
    net = load(tmp_path, member("mlp", inputs=3, hidden=[5], outputs=2, activation="tanh"), tensors)
    matrix = RNG.normal(size=(40, 3))
    hidden = np.tanh(matrix @ tensors["layers.0.weight"].T + tensors["layers.0.bias"])
    expected = hidden @ tensors["layers.1.weight"].T + tensors["layers.1.bias"]
    np.testing.assert_allclose(net.run(rows(matrix)).columns, expected, rtol=1e-12)  # type: ignore[arg-type]


def test_columns_are_picked_by_name_and_in_the_members_order(tmp_path: Path) -> None:
    tensors = {"weight": np.array([[1.0, 10.0]]), "bias": np.zeros(1)}
    what = Member(
        name="net", runtime="numpy", file="net.safetensors", architecture="linear",
        options={"inputs": 2}, columns=("c2", "c0"),
    )  # fmt: skip
    net = load(tmp_path, what, tensors)
    assert net.run(rows([[1.0, 2.0, 3.0]])).columns.tolist() == [[13.0]]  # type: ignore[union-attr]
    with pytest.raises(BadInput, match=r"needs the columns \['c2'\]"):
        net.run(rows([[1.0, 2.0]]))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"layers.0.weight": np.zeros((5, 4))}, r"'layers.0.weight' has the shape \[5, 4\]"),
        ({"layers.1.bias": None}, r"'layers.1.bias' of shape \[2\] is not in it"),
        ({"extra": np.zeros(3, np.float32)}, "'extra' is not part of the architecture"),
        ({"layers.1.bias": np.array([np.nan, 0.0], np.float32)}, "'layers.1.bias' holds NaN"),
        ({"layers.1.bias": np.zeros(2, np.int64)}, "'layers.1.bias' has the type I64"),
    ],
)  # fmt: skip
def test_weights_that_do_not_fit_are_refused_with_the_tensor_named(
    tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    tensors = {**mlp_tensors(3, 5, 2), **change}
    kept = {name: tensor for name, tensor in tensors.items() if tensor is not None}
    with pytest.raises(BadModel, match=says):
        load(tmp_path, member("mlp", inputs=3, hidden=[5], outputs=2), kept)


@pytest.mark.parametrize(
    ("what", "says"),
    [
        (member("transformer"), "known are linear, mlp, monotone_quantiles, scaled_quantiles"),
        (member("mlp", hidden=[3]), "missing required field `inputs`"),
        (member("linear", inputs=3, colour="red"), "unknown field `colour`"),
        (member("monotone_quantiles", inputs=3, hidden=[3], outputs=2, anchor=2), "anchor 2"),
        (
            member("gru_quantiles", inputs=7, window=3, channels=2, units=4, outputs=3),
            "7 inputs are not 3 bars of 2 channels",
        ),
    ],
)
def test_an_architecture_that_is_not_declared_well_is_refused(
    tmp_path: Path, what: Member, says: str
) -> None:
    with pytest.raises(BadModel, match=says):
        load(tmp_path, what, mlp_tensors(3, 5, 2))


def test_a_file_that_is_no_safetensors_is_refused(tmp_path: Path) -> None:
    (tmp_path / "net.safetensors").write_bytes(b"\x80\x04\x95not a model at all")
    with pytest.raises(UnsafeArtifact, match="no safetensors file"):
        runtime_for("numpy").load(tmp_path, member("linear", inputs=3), device="cpu")


def test_a_file_outside_the_artifact_is_refused(tmp_path: Path) -> None:
    what = Member(
        name="net", runtime="numpy", file="../net.safetensors", architecture="linear",
        options={"inputs": 3},
    )  # fmt: skip
    with pytest.raises(UnsafeArtifact, match="outside"):
        runtime_for("numpy").load(tmp_path, what, device="cpu")


def test_half_precision_is_read_as_float32(tmp_path: Path) -> None:
    tensors = {"weight": np.array([[1.5, -2.0]], np.float16), "bias": np.zeros(1, np.float16)}
    net = load(tmp_path, member("linear", inputs=2), tensors)
    assert net.run(rows([[2.0, 1.0]])).columns.tolist() == [[1.0]]  # type: ignore[union-attr]


def test_a_missing_number_is_named(tmp_path: Path) -> None:
    net = load(
        tmp_path, member("linear", inputs=2), {"weight": np.ones((1, 2)), "bias": np.zeros(1)}
    )
    with pytest.raises(BadInput, match="row 1, column 'c0' is missing"):
        net.run(rows([[1.0, 2.0], [np.nan, 2.0]]))


def test_a_runtime_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(BadModel, match="no runtime 'abacus' here; there are numpy"):
        runtime_for("abacus")
