"""Which version of a model answers a request, and which repeats it unseen."""

from uuid import UUID

import msgspec

from app.domain.experiments import Variant
from inference.cards import ModelCard
from inference.lifecycle import ALIASES


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """Which version answers a request, and which repeats it unseen."""

    answers: ModelCard
    repeats: ModelCard | None = None
    experiment_id: UUID | None = None
    variant: Variant | None = None


def is_pinned(ref: str) -> bool:
    """Tell whether a reference names one version, and not whichever serves under a name."""
    _, at, rest = ref.partition("@")
    return rest not in ALIASES if at else _is_id(ref)


def _is_id(ref: str) -> bool:
    try:
        UUID(ref)
    except ValueError:
        return False
    return True
