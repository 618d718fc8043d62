"""Is this a skops file whose every type is on our list? The one zip archive that is let in.

skops describes a scikit-learn object in `schema.json` and keeps arrays as `.npy` beside it. It
imports the types that the schema names; so each name is judged here, before skops sees the file.
"""

import ast
import math
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from inference.errors import BadModel, UnsafeArtifact
from inference.formats import sniff

SCHEMA = "schema.json"
_MAX_SCHEMA = 32 * 1024 * 1024
_MAX_BYTES = 1024**3
_MAX_ENTRIES = 20_000
_MAX_RATIO = 200
_MAX_DEPTH = 100
_ENTRY = re.compile(r"\d{1,40}\.np[yz]")
_NODES = frozenset(
    (
        "DictNode", "DefaultDictNode", "ListNode", "SetNode", "TupleNode", "SliceNode", "JsonNode",
        "TypeNode", "ObjectNode", "FunctionNode", "NdArrayNode", "MaskedArrayNode", "DTypeNode",
        "RandomStateNode", "RandomGeneratorNode", "SparseMatrixNode", "LossNode", "TreeNode",
        "_DictWithDeprecatedKeysNode", "CachedNode",
    )
)  # fmt: skip
"""How skops may rebuild things. Not: methods, partials, constructors of one's choice."""
_SKLEARN = (
    "_loss|calibration|cluster|compose|covariance|cross_decomposition|decomposition"
    "|discriminant_analysis|dummy|ensemble|feature_extraction|feature_selection|gaussian_process"
    "|impute|isotonic|kernel_approximation|linear_model|mixture|multiclass|multioutput|naive_bayes"
    "|neighbors|neural_network|pipeline|preprocessing|random_projection|svm|tree"
)
_TYPES = re.compile(
    r"builtins\.(dict|list|tuple|set|frozenset|str|int|float|bool|slice|NoneType|complex|range)"
    r"|collections\.(OrderedDict|defaultdict)"
    r"|numpy\.(ndarray|dtype|generic|bool_?|str_|(float|int|uint|complex)\d+|float_|int_|intc|longlong"
    r"|ma\.(core\.)?MaskedArray)"
    r"|numpy\.dtypes\.\w+DType|numpy\.dtype\[.{1,40}\]"
    r"|numpy\.random\.(\w+\.)?(Generator|RandomState|PCG64|PCG64DXSM|MT19937|Philox|SFC64)"
    r"|scipy\.sparse(\._\w+)?\.\w+_(matrix|array)"
    rf"|sklearn\.({_SKLEARN})(\.[A-Za-z_]\w*)*"
    r"|sklearn\.utils\._bunch\.Bunch|sklearn\.utils\.deprecation\._DictWithDeprecatedKeys"
)
_FUNCTIONS = re.compile(
    r"numpy\.(log|log1p|log2|log10|exp|expm1|sqrt|square|abs|absolute|sign|tanh|cbrt|reciprocal)"
    r"|scipy\.special\.(expit|logit|erf|erfinv|gammaln)"
)
_DESCR = re.compile(r"[<>|=]?[?biufcSU]\d{0,6}|\|b1|\|V\d{1,4}")


def check_skops(path: Path, name: str) -> None:
    """Let pass a skops file of known types.

    Raises:
        UnsafeArtifact: it is another archive, or names a type that is not on the list.
        BadModel: it is broken.
    """
    head, _, _ = sniff.ends(path)
    if not head.startswith(b"PK\x03\x04"):
        raise UnsafeArtifact(f"{name} is named skops but is {sniff.foreign(path) or 'no archive'}")
    try:
        with zipfile.ZipFile(path) as archive:
            entries = _entries(archive, name)
            schema = _read(archive, entries[SCHEMA], name)
            used = set(_check_schema(schema, name))
            for entry, about in entries.items():
                if entry.endswith(".npy"):
                    _check_npy(archive, about, name)
                elif entry.endswith(".npz"):
                    raise_nested = _read(archive, about, name)
                    _check_npz(raise_nested, f"{name}: {entry}")
            if missing := sorted(used - entries.keys()):
                raise BadModel(f"{name}: its schema names {missing[0]!r}, which is not in it")
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError) as wrong:
        raise BadModel(f"{name} is a damaged archive: {wrong}") from None


def _entries(archive: zipfile.ZipFile, name: str) -> dict[str, zipfile.ZipInfo]:
    listed = archive.infolist()
    if archive.comment:
        raise UnsafeArtifact(f"{name}: the archive has a comment, which skops does not write")
    if len(listed) > _MAX_ENTRIES or sum(one.file_size for one in listed) > _MAX_BYTES:
        raise BadModel(f"{name}: the archive is too large; {_MAX_BYTES:,} bytes are allowed")
    found: dict[str, zipfile.ZipInfo] = {}
    for one in listed:
        if one.filename != SCHEMA and _ENTRY.fullmatch(one.filename) is None:
            raise UnsafeArtifact(
                f"{name} holds {one.filename[:80]!r}; a skops file holds {SCHEMA} and arrays. Other"
                " zip archives (PyTorch, Keras, .npz) are not allowed"
            )
        if one.filename in found:
            raise UnsafeArtifact(f"{name} holds {one.filename!r} twice")
        if one.file_size > _MAX_RATIO * max(one.compress_size, 1) + 65_536:
            raise UnsafeArtifact(f"{name}: {one.filename} would grow without measure")
        found[one.filename] = one
    if SCHEMA not in found:
        raise UnsafeArtifact(f"{name} is a zip archive without {SCHEMA}: no skops file")
    if found[SCHEMA].file_size > _MAX_SCHEMA:
        raise BadModel(f"{name}: {SCHEMA} has more than {_MAX_SCHEMA:,} bytes")
    return found


def _read(archive: zipfile.ZipFile, about: zipfile.ZipInfo, name: str) -> bytes:
    with archive.open(about) as entry:
        data = entry.read(about.file_size + 1)
    if len(data) != about.file_size:
        raise BadModel(f"{name}: {about.filename} has another size than it says")
    return data


def _check_schema(raw: bytes, name: str) -> Iterator[str]:
    """Judge all types; yield the files that the schema names."""
    try:
        schema = msgspec.json.decode(raw)
    except (msgspec.DecodeError, RecursionError):
        raise BadModel(f"{name}: {SCHEMA} is not JSON") from None
    if not isinstance(schema, dict) or "protocol" not in schema:
        raise BadModel(f"{name}: {SCHEMA} is not skops'")
    waiting: list[tuple[Any, int]] = [(schema, 0)]
    while waiting:
        node, depth = waiting.pop()
        if depth > _MAX_DEPTH:
            raise BadModel(f"{name}: {SCHEMA} is more than {_MAX_DEPTH} levels deep")
        if isinstance(node, list):
            waiting += [(one, depth + 1) for one in node]
        elif isinstance(node, dict):
            if "__loader__" in node or "__class__" in node or "__module__" in node:
                _check_node(node, name)
            if isinstance(file := node.get("file"), str) and "__loader__" in node:
                yield file
            waiting += [(one, depth + 1) for one in node.values()]


def _check_node(node: dict[str, Any], name: str) -> None:
    loader = node.get("__loader__")
    if loader not in _NODES:
        raise UnsafeArtifact(f"{name}: skops' {str(loader)[:60]!r} is not allowed here")
    if loader == "CachedNode":
        return
    spoken = f"{node.get('__module__')}.{node.get('__class__')}"
    allowed = _FUNCTIONS if loader == "FunctionNode" else _TYPES
    if loader == "FunctionNode" and isinstance(inner := node.get("content"), dict):
        spoken = f"{inner.get('module_path')}.{inner.get('function')}"
    if allowed.fullmatch(spoken) is None or ".__" in spoken:
        raise UnsafeArtifact(f"{name} names the type {spoken[:120]!r}, which is not allowed")
    if loader == "TypeNode" and isinstance(inner := node.get("content"), dict):
        pointed = f"{inner.get('__module__')}.{inner.get('__class__')}"
        if _TYPES.fullmatch(pointed) is None:
            raise UnsafeArtifact(f"{name} names the type {pointed[:120]!r}, which is not allowed")


def _check_npy(archive: zipfile.ZipFile, about: zipfile.ZipInfo, name: str) -> None:
    with archive.open(about) as entry:
        head = entry.read(16_384)
    check_npy_header(head, about.file_size, f"{name}: {about.filename}")


def check_npy_header(head: bytes, size: int, who: str) -> None:
    """Let pass an array of numbers or texts, by the beginning of its file.

    Raises:
        UnsafeArtifact: it holds pickled objects.
        BadModel: it is broken.
    """
    if head[:6] != b"\x93NUMPY" or head[6] not in (1, 2, 3):
        raise UnsafeArtifact(f"{who} is no array")
    wide = 2 if head[6] == 1 else 4
    length = int.from_bytes(head[8 : 8 + wide], "little")
    raw = head[8 + wide : 8 + wide + length]
    if len(raw) != length:
        raise BadModel(f"{who} has a header of {length:,} bytes")
    try:
        told = ast.literal_eval(raw.decode("latin-1").strip())
        descr, shape = told["descr"], told["shape"]
        _check_descr(descr, who)
        kind = np.dtype(descr)
        if kind.hasobject:
            raise UnsafeArtifact(f"{who} holds pickled objects")
        numbers = math.prod(int(one) for one in shape)
    except (ValueError, SyntaxError, TypeError, KeyError, MemoryError, RecursionError):
        raise BadModel(f"{who} has a header that cannot be read") from None
    if numbers < 0 or 8 + wide + length + numbers * kind.itemsize != size:
        raise BadModel(f"{who} does not hold as many numbers as it says")


def _check_descr(descr: Any, who: str) -> None:
    if isinstance(descr, list):
        for field in descr:
            _check_descr(field[1], who)
    elif not isinstance(descr, str) or _DESCR.fullmatch(descr) is None:
        raise UnsafeArtifact(f"{who} holds {str(descr)[:40]!r}; only numbers and texts are allowed")


def _check_npz(raw: bytes, who: str) -> None:
    """Sparse matrices are archives of arrays inside the archive."""
    import io  # noqa: PLC0415 - only sparse matrices need it

    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        if sum(one.file_size for one in archive.infolist()) > _MAX_BYTES:
            raise BadModel(f"{who} is too large")
        for one in archive.infolist():
            with archive.open(one) as entry:
                check_npy_header(entry.read(16_384), one.file_size, f"{who}: {one.filename[:40]!r}")
