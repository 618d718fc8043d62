"""`outcry experiment`: start, read and decide experiments between versions of a model."""

from uuid import UUID

from rich.table import Table
from rich.text import Text

from app.domain.experiments import Experiment, ExperimentMode, Reading
from app.settings import Settings
from app.terminal.opened_desk import opened_desk

_MOST = 100


async def start(
    settings: Settings, model: str, *, mode: ExperimentMode, share: float, alpha: float
) -> None:
    """Start one."""
    async with opened_desk(settings) as (out, desk):
        made = await desk.experiments.start(
            model, mode=mode, share=share, alpha=alpha, by=desk.owner.id
        )
        out.print(Text(f"{_names(made)}: {made.mode}, {made.share:.0%} of requests."))
        out.print(f"Read it with: outcry experiment show {made.id}")


async def list_all(settings: Settings, *, model: str | None) -> None:
    """Print experiments, newest first."""
    async with opened_desk(settings) as (out, desk):
        found = await desk.experiments.page(model=model, status=None, cursor=None, limit=_MOST)
        if not found.items:
            out.print("There are no experiments.")
            return
        table = Table(box=None)
        table.add_column("id", no_wrap=True, min_width=36)  # whole, to be given to other verbs
        for name in ("versions", "mode", "status", "began (UTC)"):
            table.add_column(name, overflow="fold")
        for one in found.items:
            began = f"{one.started_at:%Y-%m-%d %H:%M}"
            table.add_row(str(one.id), Text(_names(one)), one.mode, one.status, began)
        out.print(table)


async def show(settings: Settings, experiment_id: UUID) -> None:
    """Print what one says."""
    async with opened_desk(settings) as (out, desk):
        experiment = await desk.experiments.get(experiment_id)
        reading = await desk.experiments.reading(experiment_id)
        for line in lines(experiment, reading):
            out.print(Text(line), soft_wrap=True)


async def stop(settings: Settings, experiment_id: UUID, reason: str) -> None:
    """End one without a winner."""
    async with opened_desk(settings) as (out, desk):
        ended = await desk.experiments.stop(experiment_id, by=desk.owner.id, reason=reason)
        out.print(Text(f"{_names(ended)}: {ended.status}."))


async def promote(settings: Settings, experiment_id: UUID, reason: str | None) -> None:
    """Make the challenger champion."""
    async with opened_desk(settings) as (out, desk):
        ended = await desk.experiments.promote(experiment_id, by=desk.owner.id, reason=reason)
        out.print(Text(f"{ended.model}@{ended.challenger_version} is the champion now."))


def _names(one: Experiment) -> str:
    return f"{one.model}@{one.challenger_version} beside @{one.champion_version}"


def lines(experiment: Experiment, reading: Reading) -> list[str]:
    """Return an experiment in a few lines."""
    split = reading.split
    said = [
        f"{_names(experiment)} ({experiment.mode}, {experiment.status})",
        reading.words,
        f"evidence  better {reading.evidence_better:,.1f} : 1, worse {reading.evidence_worse:,.1f} "
        f": 1; {reading.evidence_needed:,.0f} : 1 decides",
    ]
    if reading.champion_loss is not None and reading.challenger_loss is not None:
        said.append(
            f"loss      champion {reading.champion_loss:.4g}, "
            f"challenger {reading.challenger_loss:.4g} over {reading.pairs:,} pairs"
        )
    if reading.skill is not None:
        said.append(
            f"skill     {reading.skill:+.1%} against the champion "
            f"(95 % {reading.skill_low:+.1%} to {reading.skill_high:+.1%})"
        )
    said.append(
        f"split     {split.challenger:,} of {split.requests:,} requests, "
        f"{split.expected_share:.0%} meant (p = {split.p:.3f})"
    )
    said.append(
        f"waiting   {reading.waiting:,} pairs for their outcome; {reading.unpaired:,} failed"
    )
    if experiment.decision is not None:
        said.append(f"decided   {experiment.decision['reason']}")
    return said
