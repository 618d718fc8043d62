"""Models in the terminal: list them, look at one, bring one in or out, move one on."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec
from rich.console import Console
from rich.text import Text

from app.domain.ids import UserId
from app.domain.models import DatasetOrigin, ModelFilter
from app.settings import Settings
from app.terminal.opened_database import opened_database
from app.wiring.registry import RegistryTools, open_registry_tools
from inference.cards import ModelCard
from inference.lifecycle import label

_MOST = 200
_out = Console(highlight=False)


class _Shop(msgspec.Struct, frozen=True):
    tools: RegistryTools
    owner: UserId | None
    """The first admin: whoever has this terminal."""


@asynccontextmanager
async def _shop(settings: Settings) -> AsyncIterator[_Shop]:
    async with opened_database(settings) as (database, owner):
        yield _Shop(open_registry_tools(settings, database), owner)


async def list_models(settings: Settings, asked: ModelFilter) -> None:
    """Print versions, newest first."""
    async with _shop(settings) as shop:
        page = await shop.tools.models.page(asked, cursor=None, limit=_MOST)
    if not page.items:
        Console(stderr=True).print("There are no such models.")
        return
    rows = [("model", "status", "type", "skill", "framework", "trained")]
    rows += [
        (
            label(card),
            _standing(card),
            card.type,
            _skill(card),
            card.framework,
            _day(card.trained_at),
        )
        for card in page.items
    ]
    # Names are there to be copied: no cell is cut; a narrow terminal gets fewer columns.
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    if _out.is_terminal:
        while len(widths) > 4 and sum(widths) + 2 * len(widths) - 2 > _out.width:
            widths.pop()
    for number, row in enumerate(rows):
        line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False))
        _out.print(Text(line.rstrip(), "bold" if number == 0 else ""), soft_wrap=True)


async def show_model(settings: Settings, ref: str, *, as_json: bool) -> None:
    """Print one version, with what was done to it."""
    async with _shop(settings) as shop:
        card = await shop.tools.models.find(ref)
        if as_json:
            sys.stdout.write(msgspec.json.format(msgspec.json.encode(card)).decode() + "\n")
            return
        lineage = await shop.tools.models.lineage(card.id)
        events = await shop.tools.models.events(card.id, cursor=None, limit=20)
    rows = [
        ("model", f"{label(card)}  {card.id}"),
        ("status", " ".join((card.status, *card.aliases))),
        ("type", f"{card.type}, {card.framework}, {card.architecture}"),
        ("skill", _skill(card, whole=True)),
        ("deployed despite", card.deployed_despite or ""),
        ("failure", card.failure or ""),
        ("artifact", card.artifact or ""),
        ("runs at", card.deployment_url or ""),
        ("learned from", _origin(lineage.dataset)),
        ("answered", f"{lineage.predictions:,} predictions"),
    ]  # fmt: skip
    for name, value in rows:
        if value:
            _out.print(Text(f"{name:17}{value}"), soft_wrap=True)
    for event in events.items:
        told = ", ".join(f"{key} {value}" for key, value in event.details.items())
        _out.print(
            Text(f"  {event.created_at:%Y-%m-%d %H:%M}  {event.kind}: {told}"), soft_wrap=True
        )


async def import_model(
    settings: Settings, source: str, *, name: str | None, version: str | None
) -> None:
    """Make a version of a folder, a packed file or an https address, and print what to do next."""
    async with _shop(settings) as shop:
        if "://" in source:
            card = await shop.tools.files.import_url(
                source, by=shop.owner, name=name, version=version
            )
        else:
            card = await shop.tools.files.import_path(
                Path(source), by=shop.owner, name=name, version=version
            )
    _out.print(Text(f"{label(card)} is {card.status}: {card.id}"))
    _out.print(Text(f"Next: outcry model transition {label(card)} ready"), style="dim")


async def move_model(
    settings: Settings, ref: str, status: str, *, reason: str | None, alias: str | None
) -> None:
    """Move a version on and say where it is."""
    async with _shop(settings) as shop:
        card = await shop.tools.models.find(ref)
        card = await shop.tools.models.transition(
            card.id, status, by=shop.owner, reason=reason, alias=alias
        )
    _out.print(Text(" ".join((f"{label(card)} is", card.status, *card.aliases))))


async def name_model(settings: Settings, ref: str, alias: str) -> None:
    """Let an alias point to a deployed version."""
    async with _shop(settings) as shop:
        card = await shop.tools.models.find(ref)
        card = await shop.tools.models.set_alias(card.id, alias, by=shop.owner)
    _out.print(Text(f"{label(card)} is {alias}"))


async def export_model(settings: Settings, ref: str, target: Path) -> None:
    """Write a version's files into one packed file; half of it is never left there."""
    async with _shop(settings) as shop:
        card = await shop.tools.models.find(ref)
        _, parts = await shop.tools.files.download(card.id)
        half = target.with_name(target.name + ".part")
        size = 0
        try:
            with await asyncio.to_thread(half.open, "wb") as out:
                async for part in parts:
                    size += await asyncio.to_thread(out.write, part)
            await asyncio.to_thread(half.replace, target)
        finally:
            await asyncio.to_thread(half.unlink, missing_ok=True)
    Console(stderr=True).print(Text(f"{label(card)}: {size:,} bytes in {target}"))


def _standing(card: ModelCard) -> str:
    told = ", ".join(card.aliases) if card.aliases else str(card.status)
    return told + (" (quarantined)" if card.quarantined_at else "")


def _skill(card: ModelCard, *, whole: bool = False) -> str:
    evaluation = card.evaluation()
    if evaluation is None or not evaluation.baselines:
        return "not evaluated"
    best = evaluation.least_sure()
    told = f"{best.skill:+.1%} [{best.skill_low:+.1%}, {best.skill_high:+.1%}]"
    if not whole:
        return told
    note = "" if evaluation.has_skill else "; no usable skill"
    return f"{told} {evaluation.metric} against {best.name}, n {evaluation.n:,}{note}"


def _origin(dataset: DatasetOrigin | None) -> str:
    if dataset is None:
        return "no stored dataset"
    return f"{dataset.name}, version {dataset.version} ({dataset.size:,} rows)"


def _day(moment: datetime | None) -> str:
    return "" if moment is None else f"{moment.astimezone(UTC):%Y-%m-%d}"
