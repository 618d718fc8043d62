"""`outcry dataset push` and `pull`."""

import os
from pathlib import Path

from rich.text import Text

from app.settings import Settings
from app.terminal.opened_desk import opened_desk
from inference.datasets.dvc_repository import DvcRepository, find_dvc


async def push(
    settings: Settings, reference: str, *, folder: Path | None, remote: str | None
) -> None:
    """Send a version to a repository's remote.

    Raises:
        MissingFramework: there is no dvc here.
    """
    repository = _repository(settings, folder)
    async with opened_desk(settings) as (out, desk):
        made = await desk.datasets.remotes.push(reference, repository, remote=remote)
        out.print(
            Text(
                f"{made.name}@{made.version}: {made.size:,} rows, {made.digest[:12]}, pushed. "
                f"The repository is {repository.folder}."
            ),
            soft_wrap=True,
        )


async def pull(
    settings: Settings, reference: str, *, folder: Path | None, remote: str | None
) -> None:
    """Fetch a version from a repository's remote, and verify it.

    Raises:
        MissingFramework: there is no dvc here.
    """
    repository = _repository(settings, folder)
    async with opened_desk(settings) as (out, desk):
        pulled = await desk.datasets.remotes.pull(reference, repository, remote=remote)
        mine, theirs = pulled.version, pulled.listed
        how = "pulled and verified" if pulled.fetched else "here already"
        other = f" (@{theirs.version} in the repository)" if mine.version != theirs.version else ""
        out.print(
            Text(
                f"{mine.name}@{mine.version}{other}: {mine.size:,} rows, {mine.digest[:12]}, {how}."
            ),
            soft_wrap=True,
        )


def _repository(settings: Settings, folder: Path | None) -> DvcRepository:
    place = (folder or settings.data_dir / "dvc").resolve()
    return DvcRepository(place, find_dvc(), environment=os.environ)
