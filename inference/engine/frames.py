"""What passes between the engine and its worker: a length, then one msgpack value.

Arrays travel as their bytes (float64, this machine's order: both ends are one machine), so a frame
costs little more than copying it. One frame may carry the rows of many calls.
"""

import struct
from typing import TypeAlias

import msgspec
import numpy as np

from inference.errors import (
    BadInput,
    BadModel,
    DamagedArtifact,
    DeadlineExceeded,
    InferenceError,
    MissingFramework,
    ModelFailed,
    NotReady,
    Overloaded,
    UnsafeArtifact,
    WorkerLost,
)
from inference.requests import Answers, Floats, Rows
from inference.usage import Usage

_LENGTH = struct.Struct(">Q")
HEADER_BYTES = _LENGTH.size
MAX_FRAME_BYTES = 2 * 2**30
_LARGE = 64 * 2**10


class Array(msgspec.Struct, frozen=True, array_like=True):
    """Numbers and their shape."""

    shape: tuple[int, ...]
    data: bytes


class Load(msgspec.Struct, frozen=True, array_like=True, tag="load"):
    """Read a model from a verified folder."""

    artifact: str
    folder: str


class Unload(msgspec.Struct, frozen=True, array_like=True, tag="unload"):
    """Let a model go. It does not run."""

    artifact: str


class Run(msgspec.Struct, frozen=True, array_like=True, tag="run"):
    """Answer the rows of some calls."""

    batch: int
    artifact: str
    names: tuple[str, ...]
    numbers: Array
    texts: dict[str, tuple[str, ...]]
    sizes: tuple[int, ...]
    """Rows of each call."""
    explain: bool


class Ready(msgspec.Struct, frozen=True, array_like=True, tag="ready"):
    """The worker has started."""

    pid: int


class Alive(msgspec.Struct, frozen=True, array_like=True, tag="alive"):
    """The worker still works at something."""


class Used(msgspec.Struct, frozen=True, array_like=True):
    """What rows used of somebody's language model."""

    provider: str
    model: str
    tokens: Array


class Failure(msgspec.Struct, frozen=True, array_like=True, tag="failure"):
    """An error of ours, to be raised on the other side."""

    code: str
    message: str
    framework: str = ""
    extra: str = ""
    retry_after_s: float = 1.0
    used: tuple[Used, ...] = ()


class Loaded(msgspec.Struct, frozen=True, array_like=True, tag="loaded"):
    """A model is ready, or cannot be."""

    artifact: str
    size_bytes: int = 0
    max_batch: int = 1
    distant: bool = False
    failure: Failure | None = None


class Given(msgspec.Struct, frozen=True, array_like=True, tag="given"):
    """Answers, as they travel."""

    numbers: Array | None = None
    words: tuple[str, ...] | None = None
    quantiles: Array | None = None
    levels: tuple[float, ...] = ()
    probabilities: Array | None = None
    classes: tuple[str, ...] = ()
    low: Array | None = None
    high: Array | None = None
    interval_level: float | None = None
    contributions: Array | None = None
    contribution_names: tuple[str, ...] = ()
    paths: Array | None = None
    used: tuple[Used, ...] = ()


class Done(msgspec.Struct, frozen=True, array_like=True, tag="done"):
    """What became of a batch: answers of all its calls together, or of each by itself."""

    batch: int
    seconds: float
    together: Given | None = None
    each: tuple[Given | Failure, ...] = ()


ToWorker: TypeAlias = Load | Unload | Run
FromWorker: TypeAlias = Ready | Alive | Loaded | Done

_encode = msgspec.msgpack.Encoder().encode
read_to_worker = msgspec.msgpack.Decoder(ToWorker).decode
read_from_worker = msgspec.msgpack.Decoder(FromWorker).decode


def frame(message: ToWorker | FromWorker) -> tuple[bytes, ...]:
    """Return the pieces of one frame, length first; a large body is not copied once more."""
    body = _encode(message)
    header = _LENGTH.pack(len(body))
    return (header, body) if len(body) > _LARGE else (header + body,)


def length_of(header: bytes | bytearray | memoryview) -> int:
    """Return how long the frame is that this header announces.

    Raises:
        ValueError: longer than any frame of ours: the two ends are out of step.
    """
    (length,) = _LENGTH.unpack(header)
    if length > MAX_FRAME_BYTES:
        raise ValueError(f"a frame of {length:,} bytes")
    return int(length)


def array(numbers: Floats) -> Array:
    """Return an array as it travels."""
    return Array(numbers.shape, np.ascontiguousarray(numbers, dtype=np.float64).tobytes())


def numbers_of(given: Array) -> Floats:
    """Return an array that has travelled; it cannot be written to."""
    return np.frombuffer(given.data, dtype=np.float64).reshape(given.shape)


def run_of(batch: int, artifact: str, rows: Rows, sizes: tuple[int, ...], *, explain: bool) -> Run:
    """Return the frame that asks for a batch."""
    return Run(batch, artifact, rows.names, array(rows.numbers), rows.texts, sizes, explain)


def rows_of(run: Run) -> Rows:
    """Return the rows of a batch."""
    return Rows(run.names, numbers_of(run.numbers), run.texts)


def given_of(answers: Answers) -> Given:
    """Return answers as they travel."""
    words = answers.values if isinstance(answers.values, tuple) else None
    return Given(
        numbers=None if isinstance(answers.values, tuple) else array(answers.values),
        words=words,
        quantiles=_maybe(answers.quantiles),
        levels=answers.levels,
        probabilities=_maybe(answers.probabilities),
        classes=answers.classes,
        low=_maybe(answers.low),
        high=_maybe(answers.high),
        interval_level=answers.interval_level,
        contributions=_maybe(answers.contributions),
        contribution_names=answers.contribution_names,
        paths=_maybe(answers.paths),
        used=_used_of(answers.usage),
    )


def _used_of(usage: tuple[Usage, ...]) -> tuple[Used, ...]:
    return tuple(Used(one.provider, one.model, array(one.tokens)) for one in usage)


def _usage_of(used: tuple[Used, ...]) -> tuple[Usage, ...]:
    return tuple(Usage(one.provider, one.model, numbers_of(one.tokens)) for one in used)


def _maybe(numbers: Floats | None) -> Array | None:
    return None if numbers is None else array(numbers)


def answers_of(given: Given) -> Answers:
    """Return answers that have travelled.

    Raises:
        ModelFailed: there are none in it.
    """
    values: Floats | tuple[str, ...]
    if given.words is not None:
        values = given.words
    elif given.numbers is not None:
        values = numbers_of(given.numbers)
    else:
        raise ModelFailed("the worker gave no answers")
    return Answers(
        values,
        quantiles=_back(given.quantiles),
        levels=given.levels,
        probabilities=_back(given.probabilities),
        classes=given.classes,
        low=_back(given.low),
        high=_back(given.high),
        interval_level=given.interval_level,
        contributions=_back(given.contributions),
        contribution_names=given.contribution_names,
        paths=_back(given.paths),
        usage=_usage_of(given.used),
    )


def _back(given: Array | None) -> Floats | None:
    return None if given is None else numbers_of(given)


_ERRORS: dict[str, type[InferenceError]] = {
    kind.code: kind
    for kind in (
        BadInput,
        BadModel,
        DamagedArtifact,
        DeadlineExceeded,
        ModelFailed,
        NotReady,
        UnsafeArtifact,
        WorkerLost,
    )
}


def failure_of(error: InferenceError) -> Failure:
    """Return an error as it travels."""
    return Failure(
        error.code,
        str(error),
        framework=error.framework if isinstance(error, MissingFramework) else "",
        extra=error.extra if isinstance(error, MissingFramework) else "",
        retry_after_s=error.retry_after_s if isinstance(error, Overloaded) else 1.0,
        used=_used_of(error.usage),
    )


def error_of(failure: Failure) -> InferenceError:
    """Return an error that has travelled; one we do not know is a failure of the model."""
    error = _error_of(failure)
    error.usage = _usage_of(failure.used)
    return error


def _error_of(failure: Failure) -> InferenceError:
    if failure.code == MissingFramework.code:
        return MissingFramework(failure.framework, extra=failure.extra)
    if failure.code == Overloaded.code:
        return Overloaded(failure.message, retry_after_s=failure.retry_after_s)
    return _ERRORS.get(failure.code, ModelFailed)(failure.message)
