"""`outcry dataset push` and `pull`, beside the other verbs of the group."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import rich_click as click

from app.verbs.datasets import dataset
from app.verbs.shared import data_dir_option, run, settings_with

__all__ = ["dataset"]
_repository = click.option(
    "--repo",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder of the DVC repository, made if it is none. [default: DATA_DIR/dvc]",
)
_remote = click.option(
    "--remote",
    help="A remote of the repository by name, a folder, or an address. [default: its own]",
)


def _options(command: Callable[..., Any]) -> Callable[..., Any]:
    return _repository(_remote(data_dir_option(command)))


@dataset.command("push")
@click.argument("reference", metavar="NAME[@VERSION]")
@_options
def dataset_push(
    reference: str, folder: Path | None, remote: str | None, data_dir: Path | None
) -> None:
    """Send a version of a dataset to a DVC remote, for other desks (needs outcry[dvc])."""
    from app.terminal.dataset_remotes import push  # noqa: PLC0415

    run(push(settings_with(data_dir=data_dir), reference, folder=folder, remote=remote))


@dataset.command("pull")
@click.argument("reference", metavar="NAME[@VERSION]")
@_options
def dataset_pull(
    reference: str, folder: Path | None, remote: str | None, data_dir: Path | None
) -> None:
    """Fetch a version from a DVC remote; taken only if it is what its address says."""
    from app.terminal.dataset_remotes import pull  # noqa: PLC0415

    run(pull(settings_with(data_dir=data_dir), reference, folder=folder, remote=remote))
