"""Pure steps from one card to the next, and what may stand on a card."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

import msgspec

from app.domain.errors import Conflict, Invalid, Unavailable
from app.domain.models import Measured
from app.domain.text import clean_text
from inference.bundle import Bundle
from inference.cards import Evaluation, ModelCard, ModelStatus
from inference.errors import BadModel
from inference.lifecycle import ALIASES

_MAX_NAME = 80
_NAME_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")


def in_status(card: ModelCard, to: ModelStatus, *, now: datetime, reason: str | None) -> ModelCard:
    return msgspec.structs.replace(
        card,
        status=to,
        updated_at=now,
        deployed_at=now if to == "deployed" else card.deployed_at,
        deployed_despite=None if to == "deployed" else card.deployed_despite,
        deprecated_at=now if to == "deprecated" else None,
        failure=reason if to == "failed" else None,
        quarantined_at=card.quarantined_at if to == "failed" else None,
    )


def with_measured(card: ModelCard, measured: Measured, *, now: datetime | None) -> ModelCard:
    metrics = dict(card.validation_metrics)
    for key, value in (measured.validation_metrics or {}).items():
        metrics[key] = msgspec.to_builtins(value)
    if "evaluation" in metrics:
        try:
            evaluation = msgspec.convert(metrics["evaluation"], Evaluation)
        except msgspec.ValidationError as wrong:
            raise BadModel(f"validationMetrics.evaluation: {wrong}") from None
        metrics["evaluation"] = msgspec.to_builtins(evaluation)
    return msgspec.structs.replace(
        card,
        performance=measured.performance or card.performance,
        validation_metrics=metrics,
        parameters=measured.parameters or card.parameters,
        architecture=measured.architecture or card.architecture,
        trained_at=measured.trained_at or card.trained_at or now,
    )


def check_bundle(bundle: Bundle, kind: str, framework: str, who: str) -> None:
    if (bundle.model_type, bundle.framework) != (kind, framework):
        raise BadModel(
            f"{who} says type {bundle.model_type!r} and framework {bundle.framework!r}, the model"
            f" {kind!r} and {framework!r}; they must agree"
        )


def checked_name(name: str, field: str) -> str:
    if not 1 <= len(name) <= _MAX_NAME or not _NAME_CHARACTERS.issuperset(name):
        raise Invalid(
            f"`{field}` must have 1 to {_MAX_NAME} letters, digits, '.', '_' or '-';"
            f" it is {clean_text(name)[:100]!r}."
        )
    if name in ALIASES:
        raise Invalid(f"`{field}` must not be {' or '.join(ALIASES)}: these are aliases.")
    return name


def not_finite(wrong: ValueError) -> BadModel:
    return BadModel(f"what was measured cannot be stored: {wrong}")


def busy() -> Conflict:
    return Conflict(
        "Somebody else changes these models just now; look at them and try again.",
        code="version_conflict",
    )


@contextmanager
def full_disk_told() -> Iterator[None]:
    """Tell of a disk that is full in words.

    Raises:
        Unavailable: it is.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise
        raise Unavailable(
            "The disk is full: nothing of this model was stored.", code="disk_full"
        ) from error
