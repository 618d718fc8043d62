"""A folder of transformers that brings code is refused before transformers sees it."""

import json
from pathlib import Path

import pytest

from inference.errors import BadModel, UnsafeArtifact
from inference.runtimes.huggingface import check_folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that is fine as far as it is looked at here."""
    made = tmp_path / "bert"
    made.mkdir()
    (made / "config.json").write_text(json.dumps({"model_type": "bert"}))
    (made / "tokenizer_config.json").write_text("{}")
    (made / "model.safetensors").write_bytes(b"weights")
    return made


def test_a_plain_folder_is_fine(folder: Path) -> None:
    check_folder(folder)


@pytest.mark.parametrize("name", ["modeling_own.py", "pytorch_model.bin", "x.pkl", "sub/tf.h5"])
def test_files_that_could_run_are_refused_by_name(folder: Path, name: str) -> None:
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / name).write_bytes(b"")
    with pytest.raises(UnsafeArtifact, match=Path(name).name):
        check_folder(folder)


@pytest.mark.parametrize("file", ["config.json", "tokenizer_config.json"])
def test_a_config_that_names_code_is_refused(folder: Path, file: str) -> None:
    (folder / file).write_text(json.dumps({"auto_map": {"AutoModel": "modeling_own.Own"}}))
    with pytest.raises(UnsafeArtifact, match=f"{file} names code"):
        check_folder(folder)


def test_a_link_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere.txt").write_text("x")
    (folder / "vocab.txt").symlink_to(tmp_path / "elsewhere.txt")
    with pytest.raises(UnsafeArtifact, match=r"vocab\.txt"):
        check_folder(folder)


@pytest.mark.parametrize("file", ["config.json", "model.safetensors"])
def test_a_file_that_is_needed_is_named(folder: Path, file: str) -> None:
    (folder / file).unlink()
    with pytest.raises(BadModel, match=file):
        check_folder(folder)


@pytest.mark.parametrize("text", ["{", "[]", "\x00"])
def test_a_config_that_is_no_object_is_refused(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(BadModel, match=r"config\.json is no JSON"):
        check_folder(folder)
