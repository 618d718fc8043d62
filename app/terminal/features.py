"""`outcry features`: list, show, declare, materialize, get and history."""

import asyncio
import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.domain.features import FeatureCard, FeatureValues, HistoricValues
from app.services.datasets.feature_store import FeatureWish
from app.settings import Settings
from app.terminal.job_bar import follow_job
from app.terminal.opened_desk import opened_desk
from app.wiring.desk import Desk
from inference.datasets.feast_export import apply_feast, export_feast, find_feast
from inference.datasets.feature_files import answer_pairs
from inference.datasets.feature_sets import FeatureSet, Value


async def list_all(settings: Settings, *, as_json: bool) -> None:
    """Print every view."""
    async with opened_desk(settings) as (out, desk):
        cards = await desk.features.store.cards()
        if as_json:
            _print_json(out, cards)
            return
        table = Table("view", "from", "rows", "online", "newest (UTC)", "status", box=None)
        for one in cards:
            table.add_row(
                Text(one.view),
                Text(one.dataset or f"{one.timeframe} bars"),
                "" if one.offline is None else f"{one.offline.rows:,}",
                "" if one.online is None else f"{one.online.entities:,}",
                "" if one.online is None else _when(one.online.newest_event_at),
                one.status,
            )
        out.print(table)


async def show(settings: Settings, reference: str, *, as_json: bool) -> None:
    """Print one view."""
    async with opened_desk(settings) as (out, desk):
        card = await desk.features.store.card(reference)
        if as_json:
            _print_json(out, card)
            return
        _print_card(out, card)


async def declare(settings: Settings, wish: FeatureWish) -> None:
    """Declare a view over a dataset."""
    async with opened_desk(settings) as (out, desk):
        made = await desk.features.store.declare(wish, by=desk.owner.id)
        _print_card(out, await desk.features.store.card(made.key))
        out.print(Text(f"Fill it with: outcry features materialize {made.key}"), soft_wrap=True)


async def materialize(settings: Settings, references: Sequence[str]) -> None:
    """Store what is new of some views, of all if none is named, and serve it.

    Raises:
        JobFailed: says why.
    """
    async with opened_desk(settings) as (out, desk):
        every = [one.key for one in await desk.features.store.definitions()]
        for reference in references or every:
            await _materialize(out, desk, reference)


async def _materialize(out: Console, desk: Desk, reference: str) -> None:
    job = await desk.features.materializing.submit(reference, by=desk.owner.id)
    told = (await follow_job(desk, job)).result or {}
    out.print(
        Text(
            f"{told['view']}: {told['added']:,} rows added ({told['late']:,} late, "
            f"{told['corrected']:,} corrected) to {told['rows']:,}; {told['written']:,} "
            "entities changed online."
        ),
        soft_wrap=True,
    )


async def get(
    settings: Settings, reference: str, entities: Sequence[str], *, as_json: bool
) -> None:
    """Print what is served of some entities."""
    async with opened_desk(settings) as (out, desk):
        view = await desk.features.store.definition(reference)
        found = await desk.features.store.values(view, entities)
        if as_json:
            _print_json(out, found)
            return
        for one in found:
            age = "" if one.age_seconds is None else f", {one.age_seconds / 86_400:.1f} days old"
            _print_values(out, view, one, f"{one.status}{age}")


async def history(
    settings: Settings,
    reference: str,
    entities: Sequence[str],
    at: datetime | None,
    *,
    as_json: bool,
) -> None:
    """Print what stood at a moment."""
    when = datetime.now(UTC) if at is None else at.replace(tzinfo=UTC)
    async with opened_desk(settings) as (out, desk):
        view = await desk.features.store.definition(reference)
        found = await desk.features.store.history(view, [(one, when) for one in entities])
        if as_json:
            _print_json(out, found)
            return
        for one in found:
            _print_values(out, view, one, f"as of {_when(when)}")


async def history_of_file(settings: Settings, reference: str, pairs: Path, target: Path) -> None:
    """Answer a file of entities and moments in another file."""
    async with opened_desk(settings) as (out, desk):
        view = await desk.features.store.definition(reference)
        rows, found = await asyncio.to_thread(
            answer_pairs, desk.features.offline, view, pairs, target, now=datetime.now(UTC)
        )
        out.print(Text(f"{rows:,} rows, {found:,} with values, in {target}."), soft_wrap=True)


async def feast(
    settings: Settings, folder: Path, references: Sequence[str], *, apply: bool
) -> None:
    """Write views as a Feast repository; `apply`: have Feast register and serve them.

    Raises:
        MissingFramework: there is no Feast here to apply them.
    """
    if apply:
        find_feast(os.environ)
    async with opened_desk(settings) as (out, desk):
        store, offline = desk.features.store, desk.features.offline
        if references:
            views = [await store.definition(reference) for reference in references]
        else:
            known = await store.definitions()
            views = [one for one in known if await store.offline_index(one) is not None]
        names = await asyncio.to_thread(export_feast, offline, views, folder)
        if apply:
            await apply_feast(offline, views, folder, now=datetime.now(UTC), environment=os.environ)
        for name, view in zip(names, views, strict=True):
            out.print(Text(f"{view.key} as {name}"))
        then = "applied and served" if apply else f"next: feast -c {folder} apply"
        out.print(Text(f"Written to {folder}; {then}."), soft_wrap=True)


def _print_card(out: Console, card: FeatureCard) -> None:
    out.print(Text(f"{card.view} ({card.status})", style="bold"))
    if card.description:
        out.print(Text(card.description), soft_wrap=True)
    known = card.known or (
        f"{card.lag_seconds / 86_400:g} days after it happened" if card.lag_seconds else "at once"
    )
    source = f"dataset {card.dataset}" if card.dataset else f"{card.timeframe} bars of every market"
    out.print(
        Text(
            f"of {source}; by {card.entity}; known: {known}; usable for "
            f"{card.ttl_seconds / 86_400:g} days"
        ),
        soft_wrap=True,
    )
    out.print(Text(", ".join(card.names)), soft_wrap=True)
    if card.offline is not None:
        off = card.offline
        out.print(
            Text(
                f"offline: {off.rows:,} rows ({off.corrections:,} corrections) of "
                f"{off.entities:,} entities, {_when(off.first_event_at)} to "
                f"{_when(off.newest_event_at)}, {off.size_bytes / 1e6:.1f} MB"
            ),
            soft_wrap=True,
        )
    if card.online is not None:
        on = card.online
        out.print(
            Text(
                f"online: {on.entities:,} entities ({on.stale:,} stale), newest "
                f"{_when(on.newest_event_at)}, materialized {_when(on.materialized_at)}"
            ),
            soft_wrap=True,
        )


def _print_values(
    out: Console, view: FeatureSet, one: FeatureValues | HistoricValues, said: str
) -> None:
    out.print(Text(f"{one.entity}: {said}", style="bold"))
    if one.event_time is not None and one.known_at is not None:
        out.print(Text(f"of {_when(one.event_time)}, known {_when(one.known_at)}"))
    if one.values is None:
        out.print(Text("nothing that may be used"))
        return
    table = Table(box=None, show_header=False)
    for name in view.names:
        table.add_row(Text(name), Text(_shown(one.values[name])))
    out.print(table)


def _shown(value: Value) -> str:
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else str(value)


def _when(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M}"


def _print_json(out: Console, value: object) -> None:
    out.print(Text(msgspec.json.encode(value).decode()), soft_wrap=True)
