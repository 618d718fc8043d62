"""Alarms over models: opened once, kept while they last, closed when they are over for sure.

Values, and the rule by which one opens and closes. A figure that dances on its threshold raises one
alarm and not twenty: it closes well below, at two looks an hour apart, and one that comes back
within a day goes on.
"""

from datetime import datetime, timedelta
from typing import Any, Literal, TypeAlias, get_args
from uuid import UUID

import msgspec

from app.domain.views import View

AlarmKind: TypeAlias = Literal[
    "skill_lost",
    "skill_faded",
    "coverage_off",
    "distributions_wrong",
    "inputs_drifted",
    "outputs_drifted",
    "odd_answers",
    "unanswered",
    "away",
    "damaged",
    "split_broken",
    "challenger_rejected",
]
KINDS: tuple[str, ...] = get_args(AlarmKind)
ONCE: frozenset[str] = frozenset({"challenger_rejected"})
"""What has happened and does not last: over when somebody has seen it."""
CERTAIN: frozenset[str] = frozenset({"damaged"})
"""What is a fact and no measurement: over as soon as it is."""
STATES = ("open", "closed", "all")

Level: TypeAlias = Literal["over", "between", "under", "unknown"]
"""Beyond its threshold; neither that nor well below; well below; not measurable now."""

CLEAR_LOOKS = 2
CLEAR_FOR = timedelta(hours=1)
COMES_BACK = timedelta(days=1)
"""An alarm that was closed less long ago goes on when its figure is over the threshold again."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one look found of one thing that may go wrong with a model."""

    kind: AlarmKind
    level: Level
    model_id: UUID
    subject: str = ""
    """What it is about within the model: an experiment's id; mostly nothing."""
    figure: float | None = None
    threshold: float | None = None
    measured_over: str = ""
    """In words: how many cases, of when."""
    words: str = ""
    """For people; needed where the level is `over`."""
    evidence: dict[str, Any] = {}

    @property
    def key(self) -> tuple[UUID, AlarmKind, str]:
        """What an alarm is about."""
        return self.model_id, self.kind, self.subject


class ModelAlarm(View, frozen=True):
    """One alarm, as it is stored and shown."""

    id: UUID
    model_id: UUID
    model: str
    """name@version."""
    kind: AlarmKind
    subject: str
    figure: float | None
    """As it was found last."""
    worst: float | None
    """The figure when it was found farthest beyond the threshold."""
    threshold: float | None
    measured_over: str
    words: str
    evidence: dict[str, Any]
    opened_at: datetime
    last_over_at: datetime
    looks: int
    """How often it was found beyond its threshold."""
    reopened: int
    """How often it came back within a day of being closed."""
    closed_at: datetime | None
    closed_because: str | None
    acknowledged_at: datetime | None
    acknowledged_by: UUID | None
    clear_looks: int = 0
    clear_since: datetime | None = None


Change: TypeAlias = Literal["opens", "reopens", "stays", "wavers", "clears", "closes"]


def step(
    level: Level, newest: ModelAlarm | None, *, now: datetime, kind: AlarmKind
) -> Change | None:
    """Return what a look makes of the newest alarm about a thing; None: nothing is written."""
    if kind in ONCE:
        return "opens" if level == "over" and newest is None else None
    is_open = newest is not None and newest.closed_at is None
    match level:
        case "over" if is_open:
            return "stays"
        case "over" if newest is not None and _is_fresh(newest, now):
            return "reopens"
        case "over":
            return "opens"
        case "under" if newest is not None and is_open:
            if kind in CERTAIN:
                return "closes"
            looks, since = newest.clear_looks + 1, newest.clear_since or now
            return "closes" if looks >= CLEAR_LOOKS and now - since >= CLEAR_FOR else "clears"
        case "between" if newest is not None and is_open and newest.clear_looks:
            return "wavers"
    return None


def _is_fresh(closed: ModelAlarm, now: datetime) -> bool:
    return closed.closed_at is not None and now - closed.closed_at < COMES_BACK


class AlarmFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which alarms a list shows."""

    state: str = "open"
    model_id: UUID | None = None
    kind: str | None = None


class Away(msgspec.Struct, frozen=True, kw_only=True):
    """How often a model was away lately."""

    model_id: UUID
    times: int
    unanswered: int
    """Of those, where no other version stood in."""
    newest: datetime
    because: str
    answered_since: bool
    """It has answered by itself after that."""


class Broken(msgspec.Struct, frozen=True, kw_only=True):
    """A version whose files were found changed."""

    model_id: UUID
    failure: str
    at: datetime
    is_over: bool
    """It was put right, or retired."""


def worse(kind: AlarmKind, one: float | None, other: float | None) -> float | None:
    """Return which of two figures lies farther beyond the threshold."""
    known = [value for value in (one, other) if value is not None]
    if not known:
        return None
    return min(known) if kind in LOW_IS_BAD else max(known)


LOW_IS_BAD: frozenset[str] = frozenset(
    {"skill_lost", "distributions_wrong", "split_broken", "coverage_off"}
)
