"""Two versions of a model against each other on the same cases, and what came of it.

Values only. In a `shadow` experiment people see the champion's answers alone; in an `ab` one a
share of requests is answered by the challenger. Either way both answer every case that counts, so
that their losses are compared pair by pair.
"""

from datetime import datetime
from typing import Any, Literal, TypeAlias
from uuid import UUID

import msgspec

from app.domain.ids import UserId
from app.domain.views import View

ExperimentMode: TypeAlias = Literal["shadow", "ab"]
ExperimentStatus: TypeAlias = Literal["running", "stopped", "promoted", "rejected"]
"""`rejected`: the challenger was caught being worse, and was taken out by itself."""
Variant: TypeAlias = Literal["champion", "challenger"]
Verdict: TypeAlias = Literal["too early", "better", "worse", "split is broken"]


class Experiment(View, frozen=True):
    """One experiment."""

    id: UUID
    model: str
    """The name whose versions they are."""
    mode: ExperimentMode
    share: float
    """Of requests: answered by the challenger (`ab`), or repeated by it (`shadow`)."""
    alpha: float
    """How often, at most, it ends with a verdict where there is no difference."""
    champion_id: UUID
    champion_version: str
    challenger_id: UUID
    challenger_version: str
    status: ExperimentStatus
    created_by: UUID | None
    started_at: datetime
    ended_at: datetime | None = None
    decision: dict[str, Any] | None = None
    """What it ended with: the reading of that moment, who decided, and why."""


class NewExperiment(msgspec.Struct, frozen=True, kw_only=True):
    """What it takes to start one."""

    id: UUID
    model: str
    mode: ExperimentMode
    share: float
    alpha: float
    champion_id: UUID
    challenger_id: UUID
    created_by: UserId | None
    started_at: datetime


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """One settled case that both versions answered."""

    as_of: datetime
    champion_loss: float
    challenger_loss: float


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How requests were split since the start."""

    champion: int
    """Requests that the champion answered alone (`shadow`), or at all (`ab`)."""
    challenger: int
    """Requests that the challenger repeated, or answered."""
    unpaired: int
    """Of those that count as cases, how many one of the two did not answer."""
    waiting: int
    """Pairs whose outcome is not known yet."""


class Split(View, frozen=True):
    """Whether the split went as it was meant to."""

    requests: int
    challenger: int
    expected_share: float
    p: float
    """Chance of a split at least as uneven by luck."""
    is_broken: bool


class Reading(View, frozen=True):
    """What an experiment says at a moment. It may be read as often as one likes."""

    verdict: Verdict
    words: str
    """For people."""
    pairs: int
    waiting: int
    rounds: int
    """Moments that count: those whose horizons do not overlap."""
    champion_loss: float | None
    challenger_loss: float | None
    skill: float | None
    """1 - challenger's loss / champion's loss: above 0, the challenger is better."""
    skill_low: float | None
    skill_high: float | None
    evidence_better: float
    """Capital of who bet that the challenger is better; it started at 1."""
    evidence_worse: float
    evidence_needed: float
    """1 / alpha."""
    split: Split
    unpaired: int
    as_of: datetime
