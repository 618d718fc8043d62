"""May these texts stand in a model? JSON, vocabularies and chat templates; none that names code."""

from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from inference.bundle import BUNDLE_FILE, read_bundle
from inference.errors import BadModel, UnsafeArtifact
from inference.formats import boosters, sniff
from inference.formats.chat_template import MAX_TEMPLATE, try_template

MAX_JSON = 40 * 1024 * 1024
MAX_TEXT = 64 * 1024 * 1024
_MAX_DEPTH = 64
_CODE_KEYS = ("auto_map", "custom_pipelines", "trust_remote_code")
"""By these, transformers imports Python files that lie beside the weights."""
_CODE = frozenset((".py", ".pyc", ".so", ".dll", ".dylib", ".sh", ".js", ".jar", ".exe", ".ipynb"))


def what_it_is(path: Path) -> str:
    """Say what a file is that is not allowed."""
    if path.suffix in _CODE:
        return "it is code"
    words = sniff.foreign(path)
    return f"it is {words}" if words else f"{path.suffix or 'no suffix'} is no format of ours"


def check_json(path: Path, name: str) -> None:
    """Let pass JSON: settings of a model, a tokenizer, a vocabulary, a booster or our own bundle.

    Raises:
        UnsafeArtifact: it is something else, or names code to be imported.
        BadModel: it is broken.
    """
    data = _bytes(path, name, MAX_JSON, "json")
    try:
        found = msgspec.json.decode(data)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as wrong:
        raise BadModel(f"{name} is not JSON: {wrong}") from None
    if not isinstance(found, dict | list):
        raise BadModel(f"{name} must hold a JSON object or array")
    if PurePosixPath(name).name == BUNDLE_FILE:
        try:
            read_bundle(data)
        except msgspec.ValidationError as wrong:
            raise BadModel(f"{name} is no bundle: {wrong}") from None
    if isinstance(found, dict) and boosters.is_booster(found):
        boosters.check_booster(found, name)
        return
    _check_code(found, name)
    if isinstance(found, dict):
        _check_chat_templates(found.get("chat_template"), name)


def check_text(path: Path, name: str) -> None:
    """Let pass plain text: a vocabulary, merges, labels.

    Raises:
        UnsafeArtifact: it is something else.
    """
    _decode(_bytes(path, name, MAX_TEXT, "txt"), name)


def check_template(path: Path, name: str) -> None:
    """Let pass a chat template that ends in time.

    Raises:
        UnsafeArtifact: it is too long, does not end or writes without end.
    """
    text = _decode(_bytes(path, name, MAX_TEMPLATE, "jinja"), name)
    try_template(text, name)


def check_references(folder: Path, files: list[str]) -> None:
    """Let pass a folder whose bundle and indexes point only into it.

    Raises:
        UnsafeArtifact: a path leads out of the folder.
        BadModel: a file is named that is not there.
    """
    there = set(files) | {str(parent) for path in files for parent in PurePosixPath(path).parents}
    if BUNDLE_FILE in there:
        for member in read_bundle((folder / BUNDLE_FILE).read_bytes()).members:
            if member.file is not None:
                _check_reference(member.file, f"{BUNDLE_FILE}: member {member.name!r}", there)
    for path in files:
        if path.endswith(".safetensors.index.json"):
            index = msgspec.json.decode((folder / path).read_bytes())
            names = index.get("weight_map", {}) if isinstance(index, dict) else {}
            if not isinstance(names, dict):
                raise BadModel(f"{path}: weight_map must map tensors to files")
            beside = PurePosixPath(path).parent
            for file in {str(value) for value in names.values()}:
                _check_reference(str(beside / file), path, there)


def _check_reference(target: str, who: str, there: set[str]) -> None:
    parts = PurePosixPath(target)
    if parts.is_absolute() or ".." in parts.parts or "\\" in target:
        raise UnsafeArtifact(f"{who} points to {target[:120]!r}, outside of the model")
    if str(parts) not in there:
        raise BadModel(f"{who} names {target[:120]!r}, which is not in the model")


def _bytes(path: Path, name: str, most: int, kind: str) -> bytes:
    size = path.stat().st_size
    if words := sniff.foreign(path):
        raise UnsafeArtifact(f"{name} is named {kind} but is {words}")
    if size > most:
        raise UnsafeArtifact(f"{name} has {size:,} bytes; {most:,} are allowed")
    return path.read_bytes()


def _decode(data: bytes, name: str) -> str:
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise UnsafeArtifact(f"{name} is no text in UTF-8") from None
    if "\x00" in text:
        raise UnsafeArtifact(f"{name} is no text: it holds zero bytes")
    return text


def _check_code(found: Any, name: str) -> None:
    waiting: list[tuple[Any, int]] = [(found, 0)]
    while waiting:
        value, depth = waiting.pop()
        if depth > _MAX_DEPTH:
            raise BadModel(f"{name} is more than {_MAX_DEPTH} levels deep")
        if isinstance(value, dict):
            for key in _CODE_KEYS:
                # In a vocabulary these may be words, with a number each.
                if key in value and type(value[key]) is not int and value[key] not in (None, False):
                    raise UnsafeArtifact(
                        f"{name} has {key!r}: it asks for Python code to be imported, which is not"
                        " allowed"
                    )
            waiting += [(one, depth + 1) for one in value.values() if isinstance(one, dict | list)]
        elif isinstance(value, list):
            waiting += [(one, depth + 1) for one in value if isinstance(one, dict | list)]


def _check_chat_templates(templates: Any, name: str) -> None:
    if templates is None:
        return
    if isinstance(templates, str):
        templates = [{"template": templates}]
    if not isinstance(templates, list) or len(templates) > 16:
        raise BadModel(f"{name}: chat_template must be a text or a list of named texts")
    for one in templates:
        text = one.get("template") if isinstance(one, dict) else None
        if not isinstance(text, str):
            raise BadModel(f"{name}: a chat template must be a text")
        try_template(text, name)
