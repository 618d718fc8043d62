"""Alerts: a condition on one instrument that is told once per episode.

An episode begins at the bar at which the condition comes to hold and ends when it no longer does;
`step` alone decides both. Unknown is neither: a value that is not ready begins nothing and ends
nothing.
"""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

from app.domain.ids import AgentId, ConversationId, RunId, UserId, derived_id
from tools.analytics.condition_parts import Standing

AlertStatus = Literal["active", "paused"]
AlertState = Literal["new", "armed", "held", "open"]
Result = Literal["true", "false", "unknown", "unreliable"]
DeliveryEvent = Literal["fired", "withdrawn"]
DeliveryStatus = Literal["pending", "delivered", "failed"]

MOST_ALERTS = 200
"""Of one user."""
MOST_BARS = 1_000
"""Of a cool-down, or of a wait for an end."""


class AlertMoment(msgspec.Struct, frozen=True, kw_only=True):
    """One closed bar of one symbol, with everything that a condition may ask about."""

    symbol: str
    timeframe: str
    bar_time: datetime
    """When the bar opened, UTC."""
    now: dict[str, float | None]
    """`tools.analytics.snapshot.at` of this bar."""
    before: dict[str, float | None] | None
    """... of the bar before; None when there is none."""
    signals: tuple[Standing, ...] | None
    """Valid at this bar; None when nobody computed them."""
    fired: tuple[Standing, ...] = ()
    """Those that fired at this very bar."""
    reliable: bool = True
    """False: the bar is suspect or stale. Nothing fires or ends on it."""


class Watch(msgspec.Struct, frozen=True):
    """Where an alert stands between two bars."""

    state: AlertState = "new"
    """`held`: it held when the alert was made, which waits for that to end."""
    false_bars: int = 0
    """Bars in a row at which an open episode's condition did not hold."""
    cooldown_left: int = 0


class Rules(msgspec.Struct, frozen=True):
    """How an alert's episodes begin and end."""

    fire_if_already_true: bool = False
    cooldown_bars: int = 0
    """Bars after an episode's end at which none begins."""
    ends_after_bars: int = 1
    """Bars in a row at which the condition must not hold for an episode to end."""


Change = Literal["begins", "ends"]


def step(watch: Watch, rules: Rules, holds: bool | None) -> tuple[Watch, Change | None]:
    """Return where an alert stands after a bar at which its condition holds, or does not, or
    nobody can say; and whether an episode begins or ends there."""
    if holds is None:
        return watch, None
    cooling = max(0, watch.cooldown_left - 1)
    match watch.state:
        case "new" if holds and not rules.fire_if_already_true:
            return Watch("held"), None
        case "new" | "armed" if holds and watch.cooldown_left == 0:
            return Watch("open"), "begins"
        case "new" | "armed":
            return Watch("armed", cooldown_left=cooling), None
        case "held":
            return Watch("held" if holds else "armed"), None
        case "open" if holds:
            return Watch("open"), None
        case "open" if watch.false_bars + 1 < rules.ends_after_bars:
            return Watch("open", false_bars=watch.false_bars + 1), None
    return Watch("armed", cooldown_left=rules.cooldown_bars), "ends"


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """An alert as stored."""

    id: UUID
    user_id: UserId
    name: str
    symbol: str
    timeframe: str
    condition: dict[str, Any]
    words: str
    """As its owner put it; empty when it came as JSON."""
    status: AlertStatus
    agent_id: AgentId | None
    rules: Rules
    watch: Watch
    webhook_url: str | None
    webhook_off: str | None
    """Why nothing is sent any more: the receiver said that it is gone."""
    last_bar_time: datetime | None
    """The newest bar it was evaluated at."""
    last_result: Result | None
    last_fired_at: datetime | None
    created_at: datetime
    updated_at: datetime


class Episode(msgspec.Struct, frozen=True, kw_only=True):
    """One time that an alert fired."""

    id: UUID
    alert_id: UUID
    bar_time: datetime
    fired_at: datetime
    ended_at: datetime | None
    ended_bar_time: datetime | None
    evidence: dict[str, Any]
    conversation_id: ConversationId | None
    """None until it is open."""
    withdrawn_at: datetime | None = None
    """Since when it is known that it should not have begun: a correction took away what fired."""
    withdrawn_because: str | None = None


class Attempt(msgspec.Struct, frozen=True, rename="camel"):
    """One try to deliver."""

    at: datetime
    status: int | None
    """The receiver's answer; None when there was none."""
    error: str | None
    duration_ms: int


class Delivery(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent of an episode to its alert's webhook."""

    id: UUID
    episode_id: UUID
    alert_id: UUID
    event: DeliveryEvent
    status: DeliveryStatus
    attempts: tuple[Attempt, ...]
    next_attempt_at: datetime | None


class Fired(msgspec.Struct, frozen=True, kw_only=True):
    """An episode that has just begun."""

    alert_id: UUID
    episode_id: UUID
    user_id: UserId
    name: str
    symbol: str
    bar_time: datetime


class Unopened(msgspec.Struct, frozen=True, kw_only=True):
    """An episode whose conversation is not open yet, with its alert."""

    episode: Episode
    alert: Alert
    tries: int
    """How often it was begun before."""


def episode_id(alert_id: UUID, bar_time: datetime) -> UUID:
    """Return the one id of what an alert fires at a bar, whoever notices it and however often."""
    return derived_id(alert_id, "episode", bar_time.isoformat())


def conversation_id(episode: UUID, tries: int) -> ConversationId:
    """Return the conversation that an episode opens at its so-manyth try."""
    return ConversationId(derived_id(episode, "conversation", tries))


class OpeningRun(msgspec.Struct, frozen=True):
    """The run that was to open a conversation."""

    id: RunId
    status: str
    error_code: str | None
    answer: str | None
    talked_in: bool
    """Somebody has written in its conversation."""


class Withdrawal(msgspec.Struct, frozen=True, kw_only=True):
    """An episode that is to be withdrawn, and why."""

    episode: Episode
    alert: Alert
    because: str


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What a bar makes of an alert."""

    watch: Watch
    change: Change | None
    result: Result
    evidence: dict[str, Any] = {}
    """Of an episode that begins."""


class AlertPatch(msgspec.Struct, frozen=True, kw_only=True):
    """A changed alert, whole."""

    alert: Alert
    restart: bool
    """What it watches has changed: an open episode is over, and it begins anew."""
