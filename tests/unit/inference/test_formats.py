"""The formats that are let in, as their frameworks write them, and what is refused of each."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from inference.bundle import BUNDLE_FILE, Member
from inference.errors import BadModel, UnsafeArtifact
from inference.formats.chat_template import MAX_OUTPUT, MAX_TEMPLATE, TemplateFailed, fill_in
from inference.formats.folder import check_folder
from tests.fakes.cards import bundle, write_model

RNG = np.random.default_rng(7)
ROWS, LABELS = RNG.normal(size=(60, 3)), RNG.integers(0, 2, 60)


def refused(folder: Path, words: str, kind: type[BadModel] = BadModel) -> None:
    with pytest.raises(kind, match=words):
        check_folder(folder)


def test_a_bundle_with_weights_is_let_in_and_its_members_must_be_there(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "m")
    assert check_folder(folder) == [BUNDLE_FILE, "ridge.safetensors"]
    for file, words in (("../../etc/passwd", "outside"), ("/etc/passwd", "outside"),
                        ("gone.onnx", "not in the model")):  # fmt: skip
        wrong = bundle(members=(Member(name="m", runtime="numpy", file=file),))
        (folder / BUNDLE_FILE).write_bytes(msgspec.json.encode(wrong))
        refused(folder, words)
    (folder / BUNDLE_FILE).write_text('{"name": 7}')
    refused(folder, "is no bundle")


# --- ONNX -----------------------------------------------------------------------------------------


def _onnx(**changes: Any) -> Any:
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    weights = onnx.numpy_helper.from_array(np.ones((3, 1), np.float32), "w")
    node = helper.make_node("MatMul", ["x", "w"], ["y"], domain=changes.get("domain", ""))
    graph = helper.make_graph(
        [node],
        "g",
        [helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [None, 3])],
        [helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [None, 1])],
        initializer=[weights],
    )
    opsets = [helper.make_opsetid(changes.get("opset", ""), 17)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=9)


def test_onnx_is_let_in_unless_it_reads_other_files_or_calls_strangers(tmp_path: Path) -> None:
    file = tmp_path / "m.onnx"
    model = _onnx()
    file.write_bytes(model.SerializeToString())
    assert check_folder(tmp_path) == ["m.onnx"]
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = 1
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", "../../../etc/passwd"
    file.write_bytes(model.SerializeToString())
    refused(tmp_path, "tensor 'w' lies in another file", UnsafeArtifact)
    file.write_bytes(_onnx(domain="evil.ops").SerializeToString())
    refused(tmp_path, "operators of 'evil.ops::MatMul'", UnsafeArtifact)
    file.write_bytes(_onnx(opset="evil.ops").SerializeToString())
    refused(tmp_path, "operators of 'evil.ops'", UnsafeArtifact)


def test_data_in_other_files_is_found_in_graphs_inside_of_graphs(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    model = _onnx()
    inner = onnx.helper.make_graph([], "inner", [], [])
    tensor = inner.initializer.add()
    tensor.name, tensor.data_location = "deep", 1
    middle = onnx.helper.make_graph(
        [onnx.helper.make_node("If", ["c"], ["z"], then_branch=inner, else_branch=inner)],
        "middle", [], [],
    )  # fmt: skip
    model.graph.node.append(
        onnx.helper.make_node("If", ["c"], ["z"], then_branch=middle, else_branch=middle)
    )
    (tmp_path / "m.onnx").write_bytes(model.SerializeToString())
    refused(tmp_path, "tensor 'deep' lies in another file", UnsafeArtifact)


def test_onnx_cut_anywhere_is_refused_or_harmless(tmp_path: Path) -> None:
    whole = _onnx().SerializeToString()
    for at in range(len(whole)):
        (tmp_path / "m.onnx").write_bytes(whole[:at])
        try:
            check_folder(tmp_path)
        except BadModel:
            continue
        # What ends between two fields is a model that lacks the fields after it.
        assert at > len(whole) - 12


# --- XGBoost --------------------------------------------------------------------------------------


def _booster(folder: Path, kind: str = "gbtree", suffix: str = "json") -> Path:
    xgboost = pytest.importorskip("xgboost")
    data = xgboost.DMatrix(ROWS, label=LABELS)
    settings = {"objective": "binary:logistic", "booster": kind, "nthread": 1}
    file = folder / f"b.{suffix}"
    xgboost.train(settings, data, num_boost_round=4).save_model(file)
    return file


@pytest.mark.parametrize("kind", ["gbtree", "dart", "gblinear"])
@pytest.mark.parametrize("suffix", ["json", "ubj"])
def test_boosters_are_let_in(kind: str, suffix: str, tmp_path: Path) -> None:
    file = _booster(tmp_path, kind, suffix)
    assert check_folder(tmp_path) == [file.name]


@pytest.mark.parametrize(
    ("column", "index", "value", "words"),
    [
        ("left_children", 0, 99, "node that is not there"),
        ("right_children", 0, -2, "node that is not there"),
        ("left_children", 0, -1, "node with one child"),
        ("left_children", 0, 0, "circle"),
        ("split_indices", 0, 3, "feature that is not there"),
        ("split_indices", 0, -1, "feature that is not there"),
        ("split_conditions", 0, "inf", "NaN or infinity"),
        ("split_conditions", None, [], "different lengths"),
        ("default_left", None, [], "different lengths"),
    ],
)
def test_a_tree_that_points_outside_of_itself_is_refused(
    column: str, index: int | None, value: Any, words: str, tmp_path: Path
) -> None:
    file = _booster(tmp_path)
    model = json.loads(file.read_bytes())
    tree = model["learner"]["gradient_booster"]["model"]["trees"][0]
    if index is None:
        tree[column] = value
    else:
        tree[column][index] = value
    file.write_text(json.dumps(model))
    refused(tmp_path, f"tree 0.*{words}")


def test_a_booster_that_lacks_something_is_refused(tmp_path: Path) -> None:
    file = _booster(tmp_path)
    whole = file.read_text()
    changes: list[dict[str, Any]] = [
        {"learner": {}},
        {"learner": {"learner_model_param": {"num_feature": "x"}}},
    ]
    for change in changes:
        file.write_text(json.dumps(change))
        refused(tmp_path, "no complete XGBoost model")
    model = json.loads(whole)
    model["learner"]["gradient_booster"]["model"]["tree_info"] = [0, 0, 0, 7]
    file.write_text(json.dumps(model))
    refused(tmp_path, "tree_info does not fit")


def test_ubj_cut_or_changed_anywhere_is_refused_or_whole(tmp_path: Path) -> None:
    file = _booster(tmp_path, suffix="ubj")
    whole = file.read_bytes()
    for at in range(0, len(whole) - 1, 7):
        file.write_bytes(whole[:at])
        refused(tmp_path, "b.ubj")
    for _ in range(300):
        changed = bytearray(whole)
        changed[RNG.integers(len(whole))] = RNG.integers(256)
        file.write_bytes(changed)
        try:
            check_folder(tmp_path)
        except BadModel:
            continue
    file.write_bytes(whole + b"}")
    refused(tmp_path, "more follows")


# --- skops ----------------------------------------------------------------------------------------


def _skops(folder: Path, thing: Any) -> Path:
    skops_io = pytest.importorskip("skops.io")
    file = folder / "m.skops"
    file.write_bytes(skops_io.dumps(thing))
    return file


def test_scikit_learn_pipelines_are_let_in(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    from sklearn.calibration import CalibratedClassifierCV  # noqa: PLC0415 - an extra
    from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestClassifier  # noqa: PLC0415
    from sklearn.feature_extraction.text import TfidfVectorizer  # noqa: PLC0415
    from sklearn.linear_model import LogisticRegression, Ridge  # noqa: PLC0415
    from sklearn.pipeline import make_pipeline  # noqa: PLC0415
    from sklearn.preprocessing import StandardScaler  # noqa: PLC0415
    from sklearn.svm import SVC  # noqa: PLC0415

    texts = ["profit rises", "loss falls", "profit up", "loss down"] * 5
    fitted = [
        make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, LABELS),
        Ridge().fit(ROWS, LABELS),
        HistGradientBoostingRegressor(max_iter=3, loss="gamma").fit(ROWS, LABELS + 1.0),
        RandomForestClassifier(n_estimators=3, random_state=0).fit(ROWS, LABELS),
        CalibratedClassifierCV(SVC(), cv=2).fit(ROWS, LABELS),
        make_pipeline(TfidfVectorizer(), LogisticRegression()).fit(texts, [1, 0, 1, 0] * 5),
    ]
    for number, model in enumerate(fitted):
        folder = tmp_path / str(number)
        folder.mkdir()
        _skops(folder, model)
        assert check_folder(folder) == ["m.skops"]


class Stranger:
    """A class that is ours and not scikit-learn's."""

    def __init__(self) -> None:
        self.x = 1

    def method(self) -> int:
        return self.x


def test_types_that_are_not_on_the_list_are_refused(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    from functools import partial  # noqa: PLC0415

    from sklearn.preprocessing import FunctionTransformer  # noqa: PLC0415

    for thing in (
        Stranger(),
        {"deep": [(Stranger(),)]},
        FunctionTransformer(print),
        FunctionTransformer(_skops),
        partial(print, 1),
        Stranger().method,
        Path,
    ):
        _skops(tmp_path, thing)
        refused(tmp_path, "not allowed", UnsafeArtifact)
    _skops(tmp_path, FunctionTransformer(np.log1p))
    assert check_folder(tmp_path)


def _edit(file: Path, **changes: bytes | None) -> None:
    with zipfile.ZipFile(file) as old:
        entries = {name: old.read(name) for name in old.namelist()}
    for name, data in changes.items():
        real = name.replace("_json", ".json").replace("_npy", ".npy").replace("n", "", 1)
        real = name.replace("_json", ".json") if name == "schema_json" else real
        if data is None:
            del entries[next(one for one in entries if one.endswith(".npy"))]
        else:
            entries[real] = data
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as new:
        for name, data in entries.items():
            new.writestr(name, data)
    file.write_bytes(out.getvalue())


def test_a_skops_file_with_something_else_inside_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    from sklearn.linear_model import Ridge  # noqa: PLC0415

    model = Ridge().fit(ROWS, LABELS)
    pickled = io.BytesIO()
    np.save(pickled, np.array([{}], dtype=object), allow_pickle=True)
    _edit(_skops(tmp_path, model), n123_npy=pickled.getvalue())
    refused(tmp_path, r"123\.npy holds .*(objects|only numbers)", UnsafeArtifact)
    with zipfile.ZipFile(_skops(tmp_path, model), "a") as archive:
        archive.writestr("data.pkl", b"x")
    refused(tmp_path, r"holds 'data\.pkl'", UnsafeArtifact)
    _edit(_skops(tmp_path, model), npy=None)
    refused(tmp_path, "which is not in it")
    with zipfile.ZipFile(_skops(tmp_path, model), "a") as archive:
        archive.comment = b"hello"
    refused(tmp_path, "has a comment", UnsafeArtifact)
    file = _skops(tmp_path, model)
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("schema.json", b" " * 30_000_000)
    refused(tmp_path, "grow without measure", UnsafeArtifact)


@pytest.mark.parametrize(
    ("module", "name", "loader"),
    [
        ("os", "system", "FunctionNode"),
        ("builtins", "eval", "FunctionNode"),
        ("subprocess", "Popen", "ObjectNode"),
        ("sklearn.datasets", "fetch_openml", "FunctionNode"),
        ("sklearn.utils._joblib", "os", "ObjectNode"),
        ("sklearn.tree.__init__", "os", "ObjectNode"),
        ("numpy", "load", "ObjectNode"),
        ("builtins", "dict", "ConstructorFromReduceNode"),
        ("builtins", "dict", "MethodNode"),
    ],
)
def test_a_forged_schema_is_refused(module: str, name: str, loader: str, tmp_path: Path) -> None:
    node: dict[str, Any] = {"__class__": name, "__module__": module, "__loader__": loader}
    if loader == "FunctionNode":
        node |= {"__class__": "builtin_function_or_method", "__module__": "builtins"}
        node["content"] = {"module_path": module, "function": name}
    schema = {"__class__": "list", "__module__": "builtins", "__loader__": "ListNode",
              "content": [node], "protocol": 2, "_skops_version": "0.16.0"}  # fmt: skip
    with zipfile.ZipFile(tmp_path / "m.skops", "w") as archive:
        archive.writestr("schema.json", json.dumps(schema))
    refused(tmp_path, "not allowed", UnsafeArtifact)


# --- SavedModel -----------------------------------------------------------------------------------


def _field(number: int, data: bytes) -> bytes:
    size, out = len(data), b""
    while size >= 0x80:
        out += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([number << 3 | 2]) + out + bytes([size]) + data


def _saved_model(folder: Path, operation: str, *, in_function: bool) -> None:
    """Write the graph of one operation, by `saved_model.proto`'s field numbers."""
    node = _field(1, b"n") + _field(2, operation.encode())
    graph = _field(2, _field(1, _field(3, node))) if in_function else _field(1, node)
    folder.mkdir(exist_ok=True, parents=True)
    (folder / "saved_model.pb").write_bytes(b"\x08\x01" + _field(2, _field(2, graph)))


@pytest.mark.parametrize("in_function", [False, True])
def test_a_saved_model_is_let_in_unless_it_calls_code_or_opens_files(
    in_function: bool, tmp_path: Path
) -> None:
    model = tmp_path / "net"
    _saved_model(model, "MatMul", in_function=in_function)
    (model / "variables").mkdir()
    (model / "variables" / "variables.data-00000-of-00001").write_bytes(bytes(40))
    index = bytes(40) + bytes.fromhex("57fb808b247547db")
    (model / "variables" / "variables.index").write_bytes(index)
    (model / "fingerprint.pb").write_bytes(b"\x08\x01")
    assert len(check_folder(tmp_path)) == 4
    for operation in ("PyFunc", "EagerPyFunc", "WriteFile", "ReadFile", "TFRecordDatasetV2"):
        _saved_model(model, operation, in_function=in_function)
        refused(tmp_path, f"'{operation}' calls code or opens files", UnsafeArtifact)
    _saved_model(model, "RestoreV2", in_function=in_function)
    (model / "keras_metadata.pb").write_bytes(b"x")
    refused(tmp_path, "no place in a SavedModel", UnsafeArtifact)
    (model / "keras_metadata.pb").unlink()
    (model / "variables" / "variables.index").write_bytes(b"short")
    refused(tmp_path, "no index of variables")


# --- texts and templates --------------------------------------------------------------------------


def _template(folder: Path, template: str) -> Path:
    (folder / "tokenizer_config.json").write_text(json.dumps({"chat_template": template}))
    return folder


def test_an_ordinary_chat_template_is_let_in_and_filled_in(tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    template = "{% for m in messages %}<{{ m.role }}>{{ m.content }}{% endfor %}"
    assert check_folder(_template(tmp_path, template))
    assert fill_in(template, {"messages": [{"role": "user", "content": "hi"}]}) == "<user>hi"
    with pytest.raises(TemplateFailed, match="roles must alternate"):
        fill_in("{{ raise_exception('roles must alternate') }}", {"messages": []})


@pytest.mark.parametrize(
    "template",
    [
        # An endless loop, by a list that grows while it is walked, or by very many steps.
        "{% set l = [1] %}{% for x in range(99999) %}{% for y in range(99999) %}"
        "{% for z in range(99999) %}{% endfor %}{% endfor %}{% endfor %}",
        "{{ 'x' * 99999999999 }}",
        "{{ 'a' * 70000 }}",
        "{{ ''.__class__.__mro__ }}{{ ''.__class__.__base__.__subclasses__() }}",
        "{{ messages.append(1) }}",
        "{% for x in range(99999) %}{{ 'xxxxxxxxxx' }}{% endfor %}",
        "{% include '/etc/passwd' %}{{ 9 ** 9 ** 9 }}",
        "x" * (MAX_TEMPLATE + 1),
    ],
)
def test_a_template_without_end_or_measure_is_refused(template: str, tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    try:
        check_folder(_template(tmp_path, template))
    except UnsafeArtifact:
        return
    # What the sandbox itself ends may be let in: it can do nothing either.
    with pytest.raises(TemplateFailed):
        fill_in(template, {"messages": [], "add_generation_prompt": True})


def test_an_endless_template_is_ended_by_its_time(tmp_path: Path) -> None:
    pytest.importorskip("jinja2")
    endless = "{% for x in range(99999) %}{% for y in range(99999) %}{% endfor %}{% endfor %}"
    refused(_template(tmp_path, endless), "did not end within 100 ms", UnsafeArtifact)
    (tmp_path / "tokenizer_config.json").unlink()
    (tmp_path / "chat_template.jinja").write_text(endless)
    refused(tmp_path, "did not end within 100 ms", UnsafeArtifact)
    (tmp_path / "chat_template.jinja").write_text("{{ 'a' * " + str(MAX_OUTPUT + 1) + " }}")
    refused(tmp_path, "writes more than", UnsafeArtifact)


def test_texts_must_be_texts(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\nprofit\n")
    assert check_folder(tmp_path) == ["vocab.txt"]
    for data, words in ((b"\xff\xfe\x00", "no text in UTF-8"), (b"a\x00b", "zero bytes")):
        (tmp_path / "vocab.txt").write_bytes(data)
        refused(tmp_path, words, UnsafeArtifact)
