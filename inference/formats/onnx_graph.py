"""Is this an ONNX model that stands alone: no data in other files, no operators of strangers?

Field numbers are those of `onnx.proto` (IR version 3 and later).
"""

import mmap
from collections.abc import Iterator
from pathlib import Path

from inference.errors import BadModel, UnsafeArtifact
from inference.formats import sniff
from inference.formats.protobuf import VARINT, Bytes, fields, messages, text

DOMAINS = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
"""Whose operators may be used: ONNX's own, and those built into ONNX Runtime."""
_MAX_DEPTH = 16
_IR_VERSION, _GRAPH, _OPSETS, _TRAINING, _FUNCTIONS = 1, 7, 8, 20, 25
_NODES, _INITIALIZERS, _SPARSE = 1, 5, 15
_NODE_OP, _NODE_ATTRIBUTES, _NODE_DOMAIN = 4, 5, 7
_ATTRIBUTE_TENSORS, _ATTRIBUTE_GRAPHS, _ATTRIBUTE_SPARSE = (5, 10), (6, 11), (22, 23)
_TENSOR_NAME, _TENSOR_EXTERNAL, _TENSOR_LOCATION = 8, 13, 14
_FUNCTION_NODES, _FUNCTION_ATTRIBUTES = 7, 11


def check_onnx(path: Path, name: str) -> None:
    """Let pass an ONNX model that needs no other file.

    Raises:
        UnsafeArtifact: it is something else, reads other files or calls foreign operators.
        BadModel: it is broken.
    """
    if path.stat().st_size == 0:
        raise BadModel(f"{name} is empty")
    if words := sniff.foreign(path):
        raise UnsafeArtifact(f"{name} is named onnx but is {words}")
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
    ):
        # Views into the map must be gone before it is closed, also when something was refused.
        try:
            problem = _problem(memoryview(mapped), name)
        except BadModel as wrong:
            problem = type(wrong)(str(wrong))
            wrong.__traceback__ = None
        if problem is not None:
            raise problem


def _problem(model: Bytes, name: str) -> BadModel | None:
    with model:
        version = 0
        graphs = 0
        for number, wire, value in fields(model, name):
            if number == _IR_VERSION and wire == VARINT and isinstance(value, int):
                version = value
            graphs += number == _GRAPH
            if number == _TRAINING:
                return UnsafeArtifact(f"{name} holds training code; export it for inference")
        if not 3 <= version <= 99 or graphs != 1:
            return BadModel(f"{name} is no ONNX model: it has no IR version or no graph")
        for opset in messages(model, _OPSETS, name):
            domain = text(opset, 1, name)
            if domain not in DOMAINS:
                return _foreign_domain(name, domain)
        for graph in messages(model, _GRAPH, name):
            _check_graph(graph, name, 0)
        for function in messages(model, _FUNCTIONS, name):
            _check_nodes(messages(function, _FUNCTION_NODES, name), name, 0)
            for attribute in messages(function, _FUNCTION_ATTRIBUTES, name):
                _check_attribute(attribute, name, 0)
    return None


def _check_graph(graph: Bytes, name: str, depth: int) -> None:
    if depth > _MAX_DEPTH:
        raise BadModel(f"{name}: graphs lie more than {_MAX_DEPTH} deep in each other")
    for tensor in messages(graph, _INITIALIZERS, name):
        _check_tensor(tensor, name)
    for sparse in messages(graph, _SPARSE, name):
        _check_sparse(sparse, name)
    _check_nodes(messages(graph, _NODES, name), name, depth)


def _check_nodes(nodes: Iterator[Bytes], name: str, depth: int) -> None:
    for node in nodes:
        domain = text(node, _NODE_DOMAIN, name)
        if domain not in DOMAINS:
            raise _foreign_domain(name, f"{domain}::{text(node, _NODE_OP, name)}")
        for attribute in messages(node, _NODE_ATTRIBUTES, name):
            _check_attribute(attribute, name, depth)


def _check_attribute(attribute: Bytes, name: str, depth: int) -> None:
    for field in _ATTRIBUTE_TENSORS:
        for tensor in messages(attribute, field, name):
            _check_tensor(tensor, name)
    for field in _ATTRIBUTE_SPARSE:
        for sparse in messages(attribute, field, name):
            _check_sparse(sparse, name)
    for field in _ATTRIBUTE_GRAPHS:
        for graph in messages(attribute, field, name):
            _check_graph(graph, name, depth + 1)


def _check_sparse(sparse: Bytes, name: str) -> None:
    for field in (1, 2):
        for tensor in messages(sparse, field, name):
            _check_tensor(tensor, name)


def _check_tensor(tensor: Bytes, name: str) -> None:
    for number, wire, value in fields(tensor, name):
        if number == _TENSOR_EXTERNAL or (
            number == _TENSOR_LOCATION and wire == VARINT and value != 0
        ):
            raise UnsafeArtifact(
                f"{name}: tensor {text(tensor, _TENSOR_NAME, name)!r} lies in another file;"
                " store the model as one file"
            )


def _foreign_domain(name: str, domain: str) -> UnsafeArtifact:
    allowed = ", ".join(repr(one) for one in DOMAINS)
    return UnsafeArtifact(f"{name} uses operators of {domain!r}; allowed are {allowed}")
