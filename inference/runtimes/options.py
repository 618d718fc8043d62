"""Read a member's options strictly, and tell how many threads and which device it may use."""

import importlib
import logging
import os
from types import ModuleType
from typing import Any, TypeVar

import msgspec
import numpy as np

from inference.bundle import Member
from inference.errors import BadModel, MissingFramework, ModelFailed
from inference.requests import Floats

Options = TypeVar("Options", bound=msgspec.Struct)

_LOG = logging.getLogger(__name__)
MOST_THREADS = 4
"""Threads that one large model computes with, if nothing else is set."""
SMALL = 1
"""The same of small nets and of trees."""


def read_options(member: Member, kind: type[Options]) -> Options:
    """Return the member's options.

    Raises:
        BadModel: they are wrong; says which and what is allowed.
    """
    try:
        return msgspec.convert(member.options, kind)
    except msgspec.ValidationError as error:
        raise BadModel(f"model {member.name!r}: options of {member.runtime}: {error}") from None


def import_framework(module: str, *, framework: str, extra: str) -> ModuleType:
    """Import what runs a model, when it is needed and not before.

    Raises:
        MissingFramework: it is not installed.
    """
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and module.split(".")[0] != error.name.split(".")[0]:
            raise  # the framework is here; something that it needs is not
        raise MissingFramework(framework, extra=extra) from None


def device_for(wanted: str, *, usable: bool, framework: str) -> str:
    """Return the wanted device, or the CPU where this framework cannot use it.

    A desk has one device for all its models; a framework that was built without CUDA (as the extra
    `xgboost` installs it) must not make its models unusable there.
    """
    if wanted == "cpu" or usable:
        return wanted
    _LOG.warning("%s cannot use %s here; the model runs on the CPU", framework, wanted)
    return "cpu"


def exact_float32(torch: Any) -> None:
    """Have a card compute float32 as float32: cuDNN rounds to 10 bits (TF32) where nobody says so.

    Holds for the process, which has one promise for all its models.
    """
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False


def thread_limit(most: int = MOST_THREADS) -> int:
    """Return how many threads a model may compute with: what `OMP_NUM_THREADS` says, else `most`.

    The desk sets that variable for its worker (`OUTCRY_ENGINE_THREADS`). Small nets are best with
    one: threads that wait for each other at every step lose more on a busy machine than they gain.
    """
    told = os.environ.get("OMP_NUM_THREADS", "")
    if told.isdigit() and int(told) > 0:
        return int(told)
    return max(1, min(most, os.cpu_count() or 1))


def as_columns(found: object, member: Member, rows: int) -> Floats:
    """Return what a framework gave as a matrix of one row per row, float64.

    Raises:
        ModelFailed: it has another shape, or is not made of numbers.
    """
    try:
        matrix = np.asarray(found, dtype=np.float64)
    except (TypeError, ValueError):
        raise ModelFailed(f"model {member.name!r} did not give numbers") from None
    if matrix.ndim == 1:
        matrix = matrix[:, None]
    if matrix.ndim != 2 or len(matrix) != rows:
        raise ModelFailed(
            f"model {member.name!r} gave the shape {list(matrix.shape)} for {rows} rows"
        )
    return matrix
