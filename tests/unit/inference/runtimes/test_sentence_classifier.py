"""A sentence becomes probabilities: the encoder's mean state, and a linear layer on it."""

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from inference.bundle import Member
from inference.errors import BadInput, BadModel
from inference.requests import Rows
from inference.runtimes.catalog import runtime_for
from inference.runtimes.runtime import Loaded
from inference.runtimes.sentence_classifier import ARCHITECTURE

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytest.importorskip("tokenizers")

WORDS = {"[UNK]": 0, "good": 1, "bad": 2, "day": 3}
STATES = np.array([[0, 0, 1], [1, 0, 0], [0, 1, 0], [0, 0, 1]], dtype=np.float32)


def written(folder: Path, *, weight: np.ndarray) -> Loaded:
    place = folder / "minilm"
    place.mkdir()
    helper = onnx.helper
    ids = helper.make_tensor_value_info("input_ids", onnx.TensorProto.INT64, ["b", "s"])
    out = helper.make_tensor_value_info("states", onnx.TensorProto.FLOAT, ["b", "s", 3])
    graph = helper.make_graph(
        [helper.make_node("Gather", ["table", "input_ids"], ["states"])],
        "encoder",
        [ids],
        [out],
        [onnx.numpy_helper.from_array(STATES, "table")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(model, str(place / "model.onnx"))
    tokenizer: dict[str, object] = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [],
        "normalizer": {"type": "Lowercase"},
        "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": None,
        "decoder": None,
        "model": {"type": "WordLevel", "vocab": WORDS, "unk_token": "[UNK]"},
    }
    (place / "tokenizer.json").write_text(json.dumps(tokenizer))
    weights = {"weight": weight, "bias": np.zeros(len(weight))}
    save_file(weights, place / "classifier.safetensors")
    member = Member(
        name="minilm",
        runtime="onnx",
        file="minilm",
        architecture=ARCHITECTURE,
        columns=("text",),
    )
    return runtime_for("onnx").load(folder, member, device="cpu")


def rows(*texts: str) -> Rows:
    return Rows((), np.zeros((len(texts), 0)), {"text": texts})


def test_the_probabilities_are_those_of_the_mean_state(tmp_path: Path) -> None:
    model = written(tmp_path, weight=2.0 * np.eye(3))
    found = model.run(rows("Good", "good good bad")).columns
    assert found is not None
    assert found[0] == pytest.approx(np.exp([2, 0, 0]) / np.exp([2, 0, 0]).sum())
    mean = np.array([2, 1, 0]) / np.sqrt(5)
    assert found[1] == pytest.approx(np.exp(2 * mean) / np.exp(2 * mean).sum(), abs=1e-6)
    alone = model.run(rows("good good bad")).columns
    assert alone is not None
    assert np.array_equal(alone[0], found[1])


def test_a_layer_of_another_width_and_rows_without_text_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match="reads 5 numbers; the encoder gives 3"):
        written(tmp_path, weight=np.zeros((3, 5)))
    (tmp_path / "b").mkdir()
    model = written(tmp_path / "b", weight=np.eye(3))
    with pytest.raises(BadInput, match="'text'"):
        model.run(Rows(("x",), np.zeros((1, 1))))
