"""Alerts and episodes as their owner sees them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from app.domain.alerts import (
    Alert,
    AlertMoment,
    AlertState,
    AlertStatus,
    Attempt,
    Delivery,
    DeliveryEvent,
    DeliveryStatus,
    Episode,
    Result,
)
from app.domain.views import View
from tools.analytics.condition_parts import LABELS, Comparison, Condition, Times, leaves
from tools.analytics.conditions import describe, fields, looks_back, parse, signals

_NOTES: dict[AlertState, str] = {
    "new": "It has not seen a bar yet.",
    "armed": "It waits for the condition to come to hold.",
    "held": "The condition held already when the alert was made: it waits for that to end, and "
    "fires the next time.",
    "open": "It has fired, and the condition still holds: it fires again after that has ended.",
}


class AlertView(View, frozen=True):
    """An alert."""

    id: UUID
    name: str
    symbol: str
    timeframe: str
    condition: dict[str, Any]
    description: str
    words: str
    status: AlertStatus
    state: AlertState
    note: str
    """What it waits for, in a sentence."""
    agent_id: UUID | None
    fire_if_already_true: bool
    cooldown_bars: int
    ends_after_bars: int
    webhook_url: str | None
    webhook_off: str | None
    episode_open: bool
    last_fired_at: datetime | None
    last_bar_time: datetime | None
    last_result: Result | None
    created_at: datetime
    updated_at: datetime


class NewAlertView(AlertView, frozen=True):
    """An alert that was just made."""

    webhook_secret: str | None = None
    """Shown this once; signs what is sent to the webhook."""


class SecretView(View, frozen=True):
    """A webhook's new secret, shown this once."""

    webhook_secret: str


class DeliveryView(View, frozen=True):
    """What became of sending an episode to the webhook."""

    id: UUID
    event: DeliveryEvent
    status: DeliveryStatus
    attempts: tuple[Attempt, ...]
    next_attempt_at: datetime | None


class EpisodeView(View, frozen=True):
    """One time that an alert fired."""

    id: UUID
    fired_at: datetime
    bar_time: datetime
    ended_at: datetime | None
    thread_id: UUID | None
    evidence: dict[str, Any]
    withdrawn_at: datetime | None
    """Since when it is known that a correction took away what fired."""
    withdrawn_because: str | None
    deliveries: list[DeliveryView]


class ParsedView(View, frozen=True):
    """What a phrase was understood to say; nothing is stored."""

    symbol: str
    timeframe: str
    condition: dict[str, Any]
    description: str


class TrialView(View, frozen=True):
    """What an alert would do at the newest bar; nothing is stored or sent."""

    bar_time: datetime | None
    holds: bool | None
    would_fire: bool
    note: str
    evidence: dict[str, Any]
    not_ready: list[str]
    """Fields that have no value yet."""
    text: str | None
    """What the conversation would open with."""


def alert_view(alert: Alert) -> AlertView:
    """Return an alert as its owner sees it."""
    return AlertView(
        id=alert.id,
        name=alert.name,
        symbol=alert.symbol,
        timeframe=alert.timeframe,
        condition=alert.condition,
        description=describe(parse(alert.condition)),
        words=alert.words,
        status=alert.status,
        state=alert.watch.state,
        note=note_of(alert),
        agent_id=alert.agent_id,
        fire_if_already_true=alert.rules.fire_if_already_true,
        cooldown_bars=alert.rules.cooldown_bars,
        ends_after_bars=alert.rules.ends_after_bars,
        webhook_url=alert.webhook_url,
        webhook_off=alert.webhook_off,
        episode_open=alert.watch.state == "open",
        last_fired_at=alert.last_fired_at,
        last_bar_time=alert.last_bar_time,
        last_result=alert.last_result,
        created_at=alert.created_at,
        updated_at=alert.updated_at,
    )


def note_of(alert: Alert) -> str:
    """Return in a sentence what an alert waits for."""
    if alert.status == "paused":
        return "It is paused."
    said = _NOTES[alert.watch.state]
    if alert.last_result == "unknown":
        return f"{said} At the last bar a value it needs was not ready, so nobody could say."
    if alert.last_result == "unreliable":
        return f"{said} The last bar is suspect, so it was not judged."
    return said


def new_alert_view(alert: Alert, secret: str | None) -> NewAlertView:
    """Return a new alert with its webhook's secret."""
    return NewAlertView(**msgspec.structs.asdict(alert_view(alert)), webhook_secret=secret)


def episode_view(episode: Episode, sent: Sequence[Delivery]) -> EpisodeView:
    """Return an episode as its owner sees it."""
    return EpisodeView(
        id=episode.id,
        fired_at=episode.fired_at,
        bar_time=episode.bar_time,
        ended_at=episode.ended_at,
        thread_id=episode.conversation_id,
        evidence=episode.evidence,
        withdrawn_at=episode.withdrawn_at,
        withdrawn_because=episode.withdrawn_because,
        deliveries=[
            DeliveryView(
                id=one.id,
                event=one.event,
                status=one.status,
                attempts=one.attempts,
                next_attempt_at=one.next_attempt_at,
            )
            for one in sent
        ],
    )


def evidence_of(condition: Condition, moment: AlertMoment) -> dict[str, Any]:
    """Return what a condition saw at a bar, as it is kept with the episode."""
    found: dict[str, Any] = {
        "description": describe(condition),
        "close": moment.now.get("close"),
        "values": {name: moment.now.get(name) for name in sorted(fields(condition))},
        "parts": [
            {"what": describe(leaf), **_threshold(leaf, moment)} for leaf in leaves(condition)
        ],
    }
    if looks_back(condition) and moment.before is not None:
        found["before"] = {name: moment.before.get(name) for name in sorted(fields(condition))}
    if signals(condition):
        found["signals"] = [msgspec.to_builtins(one) for one in moment.signals or ()]
    return found


def not_ready(condition: Condition, moment: AlertMoment) -> list[str]:
    """Return the fields a condition reads that have no value at a bar."""
    return [LABELS[name] for name in sorted(fields(condition)) if moment.now.get(name) is None]


def _threshold(leaf: object, moment: AlertMoment) -> dict[str, Any]:
    if not isinstance(leaf, Comparison):
        return {}
    value = leaf.value
    if isinstance(value, Times):
        other = moment.now.get(value.field)
        value_now = None if other is None else other * value.times
        return {"value": moment.now.get(leaf.field), "threshold": value_now}
    return {"value": moment.now.get(leaf.field), "threshold": value}
