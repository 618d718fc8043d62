"""May this folder be a model? Every file is named, opened and judged by what it holds.

An allow-list: what is not known to be harmless is refused. Nothing here calls a framework's loader;
the formats that are let in hold numbers and texts, never code.
"""

import os
import re
import stat
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import msgspec

from inference.errors import BadModel, UnsafeArtifact
from inference.formats import boosters, onnx_graph, saved_model, skops_archive, tensors, texts

ALLOWED = (
    ".safetensors, .onnx, .skops, .ubj (XGBoost), .json, .txt, .jinja, and TensorFlow's SavedModel"
    " (saved_model.pb with variables/)"
)
_PART = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,119}")
_MAX_DEPTH = 6


class FolderLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How large a model may be."""

    files: int = 2_000
    bytes_in_all: int = 16 * 1024**3


Checker = Callable[[Path, str], None]
_CHECKERS: dict[str, Checker] = {
    ".safetensors": tensors.check_tensors,
    ".onnx": onnx_graph.check_onnx,
    ".skops": skops_archive.check_skops,
    ".ubj": boosters.check_ubj,
    ".json": texts.check_json,
    ".txt": texts.check_text,
    ".jinja": texts.check_template,
}


def list_files(folder: Path, limits: FolderLimits) -> list[str]:
    """Return the paths of a folder's files, relative and sorted.

    Raises:
        UnsafeArtifact: something in it is no plain file, or has a name that is not allowed.
        BadModel: there is nothing in it, or too much.
    """
    found: list[str] = []
    size = 0
    try:
        entries = list(_walk(folder, PurePosixPath(), limits.files))
    except NotADirectoryError:
        raise BadModel(f"{folder.name} is not a folder") from None
    for path, about in entries:
        found.append(path)
        size += about.st_size
    if not found:
        raise BadModel("there are no files")
    if size > limits.bytes_in_all:
        raise BadModel(
            f"the files have {size:,} bytes together; {limits.bytes_in_all:,} are allowed"
        )
    return sorted(found)


def _walk(folder: Path, inside: PurePosixPath, most: int) -> list[tuple[str, os.stat_result]]:
    found: list[tuple[str, os.stat_result]] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            path = inside / entry.name
            check_path(str(path))
            about = entry.stat(follow_symlinks=False)
            if stat.S_ISDIR(about.st_mode):
                found += _walk(folder / entry.name, path, most - len(found))
            elif stat.S_ISLNK(about.st_mode):
                raise UnsafeArtifact(f"{path} is a symbolic link; only plain files are allowed")
            elif stat.S_ISREG(about.st_mode):
                found.append((str(path), about))
            else:
                raise UnsafeArtifact(f"{path} is no plain file")
            if len(found) > most:
                raise BadModel("there are too many files")
    return found


def check_path(path: str) -> None:
    """Let pass what may be the path of a file inside a model.

    Raises:
        UnsafeArtifact: it leaves the folder, is hidden, or has unusual characters.
    """
    parts = path.split("/")
    if len(parts) > _MAX_DEPTH:
        raise UnsafeArtifact(f"{path[:80]!r} lies more than {_MAX_DEPTH} folders deep")
    for part in parts:
        if _PART.fullmatch(part) is None:
            raise UnsafeArtifact(
                f"the path {path[:120]!r} is not allowed: names have letters, digits, '.', '_' and"
                " '-', and begin with a letter or digit"
            )


def check_folder(folder: Path, limits: FolderLimits | None = None) -> list[str]:
    """Return the files of a folder if each is in a format that may be loaded.

    Raises:
        UnsafeArtifact: names the file, what it is, and what is allowed.
        BadModel: a file is in an allowed format, but broken.
    """
    files = list_files(folder, limits or FolderLimits())
    saved = {
        str(PurePosixPath(path).parent)
        for path in files
        if PurePosixPath(path).name == saved_model.GRAPH
    }
    for path in files:
        if (root := _root_of(path, saved)) is not None:
            saved_model.check_part(folder / path, path, str(PurePosixPath(path).relative_to(root)))
            continue
        checker = _CHECKERS.get(PurePosixPath(path).suffix)
        if checker is None:
            raise UnsafeArtifact(
                f"{path}: {texts.what_it_is(folder / path)}; allowed are {ALLOWED}"
            )
        checker(folder / path, path)
    texts.check_references(folder, files)
    return files


def _root_of(path: str, saved: set[str]) -> str | None:
    for parent in PurePosixPath(path).parents:
        if str(parent) in saved:
            return str(parent)
    return None
