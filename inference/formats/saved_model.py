"""Is this TensorFlow's SavedModel, without operations that run code or touch other files?"""

import re
from pathlib import Path

from inference.errors import BadModel, UnsafeArtifact
from inference.formats import sniff
from inference.formats.protobuf import Bytes, messages, text

GRAPH = "saved_model.pb"
_MAX_GRAPH = 256 * 1024 * 1024
_TABLE_END = bytes.fromhex("57fb808b247547db")
"""The last bytes of a LevelDB table, which `variables.index` is."""
_PARTS = re.compile(
    r"variables/variables\.(index|data-\d{5}-of-\d{5})|assets/[A-Za-z0-9][A-Za-z0-9._-]*\.txt"
    r"|fingerprint\.pb"
)
_FORBIDDEN = re.compile(
    r"PyFunc.*|EagerPyFunc|ReadFile|WriteFile|MatchingFiles|WholeFileReader.*|TextLineReader.*"
    r"|TFRecordReader.*|FixedLengthRecordReader.*|.*RecordDataset.*|TextLineDataset.*"
    r"|.*GeneratorDataset.*|LoadDataset.*|SaveDataset.*|SnapshotDataset.*|.*DebugIdentity.*"
    r"|RemoteCall|RemoteFusedGraphExecute|RpcC.*|RpcServer.*|.*SummaryWriter.*|SummaryWriter.*"
    r"|BigQueryReader|LMDB.*|Copy(Host)?|PrintV2|Print|ImmutableConst|CustomOp.*"
)
"""Operations that call Python, open files of their choice or talk to others."""


def check_part(path: Path, name: str, inside: str) -> None:
    """Let pass one file of a SavedModel; `inside` is its path from the model's folder.

    Raises:
        UnsafeArtifact: it has no place in one, or the graph calls what is not allowed.
        BadModel: it is broken.
    """
    if inside == GRAPH:
        _check_graph(path, name)
        return
    if _PARTS.fullmatch(inside) is None:
        raise UnsafeArtifact(
            f"{name} has no place in a SavedModel; there are {GRAPH}, fingerprint.pb, variables/"
            " and assets/*.txt (keras_metadata.pb may hold code: export with model.export)"
        )
    sniff.refuse_hidden(path, name)
    if inside.endswith(".index") and sniff.ends(path)[1][-8:] != _TABLE_END:
        raise BadModel(f"{name} is no index of variables")
    if inside.endswith(".txt"):
        try:
            path.read_bytes().decode()
        except UnicodeDecodeError:
            raise UnsafeArtifact(f"{name} is no text") from None


def _check_graph(path: Path, name: str) -> None:
    if path.stat().st_size > _MAX_GRAPH:
        raise BadModel(f"{name} has more than {_MAX_GRAPH:,} bytes")
    if words := sniff.foreign(path):
        raise UnsafeArtifact(f"{name} is named as a SavedModel's graph but is {words}")
    data = memoryview(path.read_bytes())
    operations = 0
    for meta in messages(data, 2, name):
        for graph in messages(meta, 2, name):
            for node in messages(graph, 1, name):
                operations += 1
                _check_operation(node, name)
            for library in messages(graph, 2, name):
                for function in messages(library, 1, name):
                    for node in messages(function, 3, name):
                        operations += 1
                        _check_operation(node, name)
    if not operations:
        raise BadModel(f"{name} is no SavedModel: there is no operation in it")


def _check_operation(node: Bytes, name: str) -> None:
    operation = text(node, 2, name)
    if _FORBIDDEN.fullmatch(operation):
        raise UnsafeArtifact(
            f"{name}: the operation {operation!r} calls code or opens files; it is not allowed"
        )
