"""The other end of `tensorflow_.py`: loads one SavedModel and runs it, in a process of its own.

Started as a script by an interpreter that has TensorFlow, msgspec and numpy; it imports nothing of
ours. Messages are msgpack with a length before them, on standard input and output. A SavedModel is
a program: what could read, write or call beyond its own weights is refused before it is loaded, and
the process may write no file at all.
"""

import os
import resource
import struct
import sys
from typing import Any, BinaryIO

import msgspec

LENGTH = struct.Struct(">I")
MOST_BYTES = 256 * 2**20

FORBIDDEN = (
    "PyFunc", "EagerPyFunc", "ReadFile", "WriteFile", "MatchingFiles", "PrintV2", "Reader",
    "Dataset", "Iterator", "Rpc", "Debug", "Summary", "CopyHost", "LoadLibrary", "XlaLaunch",
    "ImmutableConst", "Gcs", "BigQuery",
)  # fmt: skip
"""An operation whose name contains one of these could reach files, the network or Python."""
FORBIDDEN_WHEN_SERVING = ("Save", "Restore", "MergeV2Checkpoints", "ShardedFilename")
"""Every SavedModel brings functions that save and restore it; its signature must not call them."""


class Refused(Exception):
    """The model cannot be served; the message says why."""


def read_frame(pipe: BinaryIO) -> dict[str, Any] | None:
    """Return the next message, or None at the end."""
    head = pipe.read(LENGTH.size)
    if len(head) < LENGTH.size:
        return None
    (length,) = LENGTH.unpack(head)
    message: dict[str, Any] = msgspec.msgpack.decode(pipe.read(length))
    return message


def write_frame(pipe: BinaryIO, message: dict[str, Any]) -> None:
    """Write one message."""
    body = msgspec.msgpack.encode(message)
    pipe.write(LENGTH.pack(len(body)) + body)
    pipe.flush()


class Served:
    """One signature of a loaded model."""

    def __init__(self, folder: str, signature: str, *, threads: int) -> None:
        import tensorflow as tf  # noqa: PLC0415 # the client imports this module for its constants

        # From here on nothing may be written. (TensorFlow tries the temporary folder on import.)
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        self._tf = tf
        tf.config.threading.set_intra_op_parallelism_threads(threads)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        _check_file(folder)
        self._model = tf.saved_model.load(folder)
        if signature not in self._model.signatures:
            raise Refused(
                f"it has no signature {signature!r}; there are {sorted(self._model.signatures)}"
            )
        self._call = self._model.signatures[signature]
        _check_ops(_ops(self._call.graph.as_graph_def()), (*FORBIDDEN, *FORBIDDEN_WHEN_SERVING))
        self._inputs = self._call.structured_input_signature[1]

    def shapes(self) -> dict[str, Any]:
        """Return what goes in and comes out: name -> (type, shape with None for any size)."""
        return {
            "inputs": {name: _told(spec) for name, spec in self._inputs.items()},
            "outputs": {name: _told(spec) for name, spec in self._call.structured_outputs.items()},
        }

    def run(self, given: dict[str, Any], output: str) -> dict[str, Any]:
        """Return one output for the given inputs."""
        import numpy as np  # noqa: PLC0415 # the client imports this module for its constants

        feed = {}
        for name, sent in given.items():
            spec = self._inputs[name]
            if "texts" in sent:
                feed[name] = self._tf.constant(sent["texts"])
            else:
                array = np.frombuffer(sent["data"], dtype="<f8").reshape(sent["shape"])
                feed[name] = self._tf.cast(self._tf.constant(array), spec.dtype)
        found = np.ascontiguousarray(self._call(**feed)[output].numpy(), dtype="<f8")
        return {"shape": list(found.shape), "data": found.tobytes()}


def _told(spec: Any) -> list[Any]:
    shape = None if spec.shape.rank is None else [size for size in spec.shape.as_list()]
    return [spec.dtype.name, shape]


def _check_file(folder: str) -> None:
    """Look at every operation of the file before anything of it is run."""
    from tensorflow.core.protobuf import saved_model_pb2  # noqa: PLC0415

    saved = saved_model_pb2.SavedModel()
    with open(os.path.join(folder, "saved_model.pb"), "rb") as file:
        saved.ParseFromString(file.read())
    for graph in saved.meta_graphs:
        _check_ops(_ops(graph.graph_def), FORBIDDEN)


def _ops(graph: Any) -> set[str]:
    found = {node.op for node in graph.node}
    for function in graph.library.function:
        found |= {node.op for node in function.node_def}
    return found


def _check_ops(ops: set[str], forbidden: tuple[str, ...]) -> None:
    wrong = sorted(op for op in ops if any(part in op for part in forbidden))
    if wrong:
        raise Refused(f"it uses {', '.join(wrong)}, which could reach beyond its own weights")


def main() -> None:
    """Answer messages until the input ends."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever else is printed must not get between the messages
    served: Served | None = None
    while (message := read_frame(sys.stdin.buffer)) is not None:
        try:
            if served is None:
                served = Served(message["folder"], message["signature"], threads=message["threads"])
                answer = served.shapes()
            else:
                answer = served.run(message["inputs"], message["output"])
        except Exception as error:  # the other end decides what it means
            kind = "refused" if served is None else "failed"
            text = " ".join(str(error).split())[:400]
            named = text if isinstance(error, Refused) else f"{type(error).__name__}: {text}"
            answer = {"error": kind, "message": named}
        write_frame(answers, answer)


if __name__ == "__main__":
    main()
