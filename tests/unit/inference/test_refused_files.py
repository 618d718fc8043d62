"""What is no model is told by its bytes, and nothing ever loads it (F37, F41)."""

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import subprocess
import sys
import tarfile
import textwrap
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zstandard
from safetensors.numpy import save

from inference.errors import BadModel, UnsafeArtifact
from inference.formats.folder import FolderLimits, check_folder, check_path

TENSORS = save({"w": np.ones((4, 256), np.float32)})
REPOSITORY = Path(__file__).parents[3]


class Evil:
    """Runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return os.system, ("touch /tmp/outcry-was-here",)


def _zip(**entries: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, data in entries.items():
            archive.writestr(name.replace("__", "/").replace("_", "."), data)
    return out.getvalue()


def _tar() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo("data.pkl")
        entry.size = 4
        archive.addfile(entry, io.BytesIO(b"data"))
    return out.getvalue()


def _npy() -> bytes:
    out = io.BytesIO()
    np.save(out, np.array([Evil()], dtype=object), allow_pickle=True)
    return out.getvalue()


BAD: dict[str, bytes] = {
    **{f"pickle protocol {n}": pickle.dumps({"w": Evil()}, protocol=n) for n in range(6)},
    "pickled global": b"cos\nsystem\n(S'true'\ntR.",
    "joblib": b"ZF0x1234" + b"\x00" * 40,
    "joblib, zlib": b"ZF0x1234" + gzip.compress(pickle.dumps(1)),
    "PyTorch's .pt": _zip(model__data_pkl=pickle.dumps(Evil()), model__version=b"3\n"),
    ".npy with objects": _npy(),
    ".npz": _zip(a_npy=_npy()),
    "HDF5": b"\x89HDF\r\n\x1a\n" + b"\x00" * 600,
    "HDF5 behind a user block": b"x" * 512 + b"\x89HDF\r\n\x1a\n" + b"\x00" * 600,
    "zip": _zip(a_txt=b"a"),
    "tar": _tar(),
    "tar.gz": gzip.compress(_tar()),
    "tar.bz2": bz2.compress(_tar()),
    "tar.xz": lzma.compress(_tar()),
    "zstd": zstandard.compress(_tar()),
    "program": b"\x7fELF" + b"\x00" * 60,
    "script": b"#!/bin/sh\ntrue\n",
    "GGUF": b"GGUF" + b"\x03\x00\x00\x00" * 8,
}
NAMES = (
    "model.safetensors", "model.onnx", "model.ubj", "model.skops", "model.json", "model.txt",
    "template.jinja", "model.pt", "model.pkl", "model.joblib", "model.npy", "model.h5", "model.zip",
    "model.tar", "model.bin", "saved_model.pb", "model",
)  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_a_forbidden_format_is_refused_under_every_name(kind: str, tmp_path: Path) -> None:
    for number, name in enumerate(NAMES):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / name).write_bytes(BAD[kind])
        with pytest.raises(BadModel, match=name.replace(".", r"\.")):
            check_folder(folder)


@pytest.mark.parametrize("kind", [kind for kind in BAD if "user block" not in kind])
def test_renamed_to_safetensors_it_is_called_by_its_true_name(kind: str, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(BAD[kind])
    with pytest.raises(UnsafeArtifact, match=r"named safetensors but is an? "):
        check_folder(tmp_path)


def test_a_file_that_is_two_things_is_refused(tmp_path: Path) -> None:
    inside = b"\x00" * 4096
    weights = save({"w": np.frombuffer(inside, np.uint8)})
    archive = _zip(data_pkl=pickle.dumps(Evil()))
    # A zip's directory is found from the end, so that it may hide in the last tensor.
    hidden = weights[: len(weights) - len(archive)] + archive
    (tmp_path / "model.safetensors").write_bytes(hidden)
    with pytest.raises(UnsafeArtifact, match="at the same time a zip archive"):
        check_folder(tmp_path)
    header = json.loads(weights[8 : 8 + int.from_bytes(weights[:8], "little")])
    header["__metadata__"] = {"a": " " * 200 + "ustar" * 20}
    raw = json.dumps(header).encode()
    raw = raw[:249] + b"ustar" + raw[254:]
    data = len(raw).to_bytes(8, "little") + raw + inside
    assert data[257:262] == b"ustar"
    (tmp_path / "model.safetensors").write_bytes(data)
    with pytest.raises(UnsafeArtifact, match="at the same time a tar archive"):
        check_folder(tmp_path)


def test_no_loader_is_called_and_no_code_runs(tmp_path: Path) -> None:
    """In a process of its own: nothing is imported, compiled, unpickled or started meanwhile."""
    for number, data in enumerate(BAD.values()):
        for name in NAMES:
            folder = tmp_path / f"{number}-{name}"
            folder.mkdir()
            (folder / name).write_bytes(data)
    program = textwrap.dedent(
        """
        import pickle, sys, zipfile
        from pathlib import Path
        import numpy as np
        from inference.errors import BadModel
        from inference.formats.folder import check_folder

        root, caught, armed = Path(sys.argv[1]), [], False
        events = {"import", "compile", "exec", "marshal.loads", "pickle.find_class", "os.system",
                  "subprocess.Popen", "ctypes.dlopen", "os.exec", "socket.connect"}

        def watch(event, arguments):
            if armed and event in events:
                caught.append((event, str(arguments)[:200]))

        def refuse(*_, **__):
            caught.append(("a loader", ""))
            raise AssertionError

        sys.addaudithook(watch)
        pickle.load = pickle.loads = pickle.Unpickler = np.load = refuse
        folders = sorted(root.iterdir())
        b"x".decode("cp437")  # an encoding of names in zip archives is imported at its first use
        armed = True
        refused = 0
        for folder in folders:
            try:
                check_folder(folder)
            except BadModel:
                refused += 1
        armed = False
        assert not caught, caught[:5]
        assert refused == len(folders), (refused, len(folders))
        loaded = {"torch", "joblib", "h5py", "tensorflow", "skops", "sklearn", "xgboost", "onnx",
                  "onnxruntime", "safetensors", "tarfile"} & set(sys.modules)
        assert not loaded, loaded
        print("refused", refused)
        """
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path)],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == f"refused {len(BAD) * len(NAMES)}"
    assert not Path("/tmp/outcry-was-here").exists()


def _folder(root: Path, **files: str | bytes) -> Path:
    (root / "model.safetensors").write_bytes(TENSORS)
    for name, data in files.items():
        file = root / name.replace("__", "/").replace("_json", ".json")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data.encode() if isinstance(data, str) else data)
    return root


@pytest.mark.parametrize(
    "config",
    [
        {"auto_map": {"AutoModel": "modeling.Custom"}},
        {"auto_map": "modeling.Custom"},
        {"text_config": {"deep": [{"auto_map": {"AutoConfig": "c.C"}}]}},
        {"trust_remote_code": True},
        {"custom_pipelines": {"x": {"impl": "p.P"}}},
    ],
)
def test_a_config_that_asks_for_code_is_refused(config: object, tmp_path: Path) -> None:
    with pytest.raises(UnsafeArtifact, match=r"config\.json has .* Python code"):
        check_folder(_folder(tmp_path, config_json=json.dumps(config)))


def test_a_vocabulary_may_contain_any_word(tmp_path: Path) -> None:
    words = {"auto_map": 5, "trust_remote_code": 6, "the": 0}
    assert check_folder(_folder(tmp_path, vocab_json=json.dumps(words)))


@pytest.mark.parametrize("name", ["modeling.py", "x.so", "run.sh", "a.ipynb", "deep/er/m.pyc"])
def test_code_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(UnsafeArtifact, match="it is code"):
        check_folder(_folder(tmp_path, **{name.replace("/", "__"): "print(1)"}))


def _link(folder: Path) -> None:
    (folder / "passwd.txt").symlink_to("/etc/passwd")


def _link_up(folder: Path) -> None:
    (folder / "up").symlink_to(folder.parent, target_is_directory=True)


def _pipe(folder: Path) -> None:
    os.mkfifo(folder / "pipe.txt")


def _hide(folder: Path) -> None:
    (folder / ".hidden.json").write_text("{}")


def _space(folder: Path) -> None:
    (folder / "a b.json").write_text("{}")


def _umlaut(folder: Path) -> None:
    (folder / "ünder.json").write_text("{}")


@pytest.mark.parametrize("spoil", [_link, _link_up, _pipe, _hide, _space, _umlaut])
def test_links_pipes_and_hidden_files_are_refused(
    spoil: Callable[[Path], None], tmp_path: Path
) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    spoil(_folder(folder))
    with pytest.raises(UnsafeArtifact):
        check_folder(folder)


@pytest.mark.parametrize(
    "path", ["../x", "a/../b", "/etc/passwd", "a//b", "", ".", "a/./b", "a\\b", "-rf", "a\x00b",
             "a/b/c/d/e/f/g", "x" * 200],
)  # fmt: skip
def test_a_path_that_could_leave_the_folder_is_refused(path: str) -> None:
    with pytest.raises(UnsafeArtifact):
        check_path(path)


def test_an_index_that_points_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    index = {"weight_map": {"w": "../../secret.safetensors"}}
    (tmp_path / "a").mkdir()
    folder = _folder(tmp_path / "a")
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(UnsafeArtifact, match="outside of the model"):
        check_folder(folder)
    index["weight_map"]["w"] = "gone.safetensors"
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    with pytest.raises(BadModel, match="which is not in the model"):
        check_folder(folder)


def test_too_many_files_and_too_deep_folders_are_refused(tmp_path: Path) -> None:
    folder = _folder(tmp_path, a_json="{}", b_json="{}")
    with pytest.raises(BadModel, match="too many files"):
        check_folder(folder, FolderLimits(files=2))
    deep = folder / "a/b/c/d/e/f"
    deep.mkdir(parents=True)
    (deep / "x.json").write_text("{}")
    with pytest.raises(UnsafeArtifact, match="folders deep"):
        check_folder(folder)


def test_an_empty_folder_and_a_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadModel, match="no files"):
        check_folder(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(BadModel, match="is not a folder"):
        check_folder(tmp_path / "file")


def test_json_that_is_deep_broken_or_huge_is_refused(tmp_path: Path) -> None:
    for data, words in (
        ("[" * 5000 + "]" * 5000, "levels deep|not JSON"),
        ('{"a": NaN}', "not JSON"),
        ("7", "object or array"),
        (b"\xff\xfe{}", "not JSON"),
        ('{"a": [' * 70 + "1" + "]}" * 70, "levels deep"),
    ):
        with pytest.raises(BadModel, match=words):
            check_folder(_folder(tmp_path, config_json=data))
    with (tmp_path / "config.json").open("wb") as file:
        file.truncate(41 * 1024 * 1024)
    with pytest.raises(BadModel, match="are allowed"):
        check_folder(tmp_path)
