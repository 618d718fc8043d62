"""`outcry experiment`."""

from pathlib import Path
from typing import TYPE_CHECKING, cast
from uuid import UUID

import rich_click as click

from app.verbs.shared import data_dir_option, run, settings_with

if TYPE_CHECKING:
    from app.domain.experiments import ExperimentMode


@click.group()
def experiment() -> None:
    """Let a new version prove itself beside the champion before it takes its place."""


@experiment.command("start")
@click.argument("model")
@click.option(
    "--mode",
    type=click.Choice(["shadow", "ab"]),
    default="shadow",
    show_default=True,
    help="shadow: people see the champion alone; ab: a share sees the challenger.",
)
@click.option("--share", type=float, help="Of requests. [default: 1, of ab 0.5]")
@click.option("--alpha", type=float, default=0.05, help="Of a false verdict. [default: 0.05]")
@data_dir_option
def experiment_start(
    model: str, mode: str, share: float | None, alpha: float, data_dir: Path | None
) -> None:
    """Compare MODEL@challenger with MODEL@champion on the same cases."""
    from app.terminal.experiments import start  # noqa: PLC0415

    how = cast("ExperimentMode", mode)
    part = share if share is not None else (1.0 if mode == "shadow" else 0.5)
    run(start(settings_with(data_dir=data_dir), model, mode=how, share=part, alpha=alpha))


@experiment.command("list")
@click.option("--model", help="Only those of this model.")
@data_dir_option
def experiment_list(model: str | None, data_dir: Path | None) -> None:
    """List experiments, newest first."""
    from app.terminal.experiments import list_all  # noqa: PLC0415

    run(list_all(settings_with(data_dir=data_dir), model=model))


@experiment.command("show")
@click.argument("experiment_id", metavar="ID", type=click.UUID)
@data_dir_option
def experiment_show(experiment_id: UUID, data_dir: Path | None) -> None:
    """Say what an experiment says now; it may be read as often as one likes."""
    from app.terminal.experiments import show  # noqa: PLC0415

    run(show(settings_with(data_dir=data_dir), experiment_id))


@experiment.command("stop")
@click.argument("experiment_id", metavar="ID", type=click.UUID)
@click.option("--reason", required=True, help="Recorded with what it said then.")
@data_dir_option
def experiment_stop(experiment_id: UUID, reason: str, data_dir: Path | None) -> None:
    """End an experiment without a winner."""
    from app.terminal.experiments import stop  # noqa: PLC0415

    run(stop(settings_with(data_dir=data_dir), experiment_id, reason))


@experiment.command("promote")
@click.argument("experiment_id", metavar="ID", type=click.UUID)
@click.option("--reason", help="Needed where the evidence does not say that it is better.")
@data_dir_option
def experiment_promote(experiment_id: UUID, reason: str | None, data_dir: Path | None) -> None:
    """Make the challenger champion; the champion is deprecated."""
    from app.terminal.experiments import promote  # noqa: PLC0415

    run(promote(settings_with(data_dir=data_dir), experiment_id, reason))
