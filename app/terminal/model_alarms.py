"""Alarms over models in the terminal: list them, and say that one was seen."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import UUID

import msgspec
from rich.console import Console
from rich.text import Text

from app.domain.ids import UserId
from app.domain.model_alarms import AlarmFilter, ModelAlarm
from app.security.people import utc_now
from app.services.alerts.alert_ports import Silence
from app.services.models.model_alarms import ModelAlarms
from app.settings import Settings
from app.storage.model_alarms import StoredModelAlarms
from app.terminal.opened_database import opened_database

_MOST = 200


class _Watch(msgspec.Struct, frozen=True):
    alarms: ModelAlarms
    owner: UserId | None
    """The first admin: whoever has this terminal."""


@asynccontextmanager
async def _watch(settings: Settings) -> AsyncIterator[_Watch]:
    async with opened_database(settings) as (database, owner):
        yield _Watch(ModelAlarms(StoredModelAlarms(database), Silence(), clock=utc_now), owner)


async def list_alarms(settings: Settings, *, all_of_them: bool, as_json: bool) -> None:
    """Print alarms, newest first."""
    out = Console(highlight=False)
    async with _watch(settings) as watch:
        which = AlarmFilter(state="all" if all_of_them else "open")
        page = await watch.alarms.page(which, cursor=None, limit=_MOST)
    if as_json:
        for alarm in page.items:
            out.print(msgspec.json.encode(alarm).decode(), soft_wrap=True, markup=False)
        return
    if not page.items:
        Console(stderr=True).print("There are no alarms over models.")
        return
    for alarm in page.items:
        for number, line in enumerate(lines(alarm)):
            out.print(Text(line, "bold" if number == 0 else ""), soft_wrap=True)


async def acknowledge(settings: Settings, alarm_id: UUID) -> None:
    """Say that an alarm was seen, and print it."""
    async with _watch(settings) as watch:
        alarm = await watch.alarms.acknowledge(alarm_id, by=watch.owner)
    Console(highlight=False).print(Text("\n".join(lines(alarm))), soft_wrap=True)


def lines(alarm: ModelAlarm) -> list[str]:
    """Return an alarm in a few lines."""
    over = f"over since {alarm.closed_at:%Y-%m-%d %H:%M}" if alarm.closed_at else "open"
    seen = ", seen" if alarm.acknowledged_at else ""
    told = [
        f"{alarm.model}  {alarm.kind.replace('_', ' ')}  ({over}{seen})",
        f"  {alarm.words}",
    ]
    if alarm.figure is not None:
        beyond = "" if alarm.threshold is None else f", threshold {alarm.threshold:.4g}"
        told.append(f"  figure {alarm.figure:.4g}{beyond}, over {alarm.measured_over}")
    since = f"  since {alarm.opened_at:%Y-%m-%d %H:%M}, found {alarm.looks} times"
    if alarm.reopened:
        since += f", came back {alarm.reopened} times"
    return [*told, f"{since}  {alarm.id}"]
