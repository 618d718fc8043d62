"""Versions of datasets in a DVC repository: its files by `dvc`, its list beside them.

`dvc` runs as a command of its own, with a deadline, and gets of the environment only what remotes
need: it sends no statistics and reads no configuration but the repository's. The data is where
the repository's remotes are; `outcry/NAME/3.json` says what a version is, and belongs, as the
`.dvc` files do, into the Git repository around it.
"""

import asyncio
import hashlib
import os
import re
import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec

from inference.datasets.commands import TookTooLong, find_command, run_cleanly
from inference.errors import DamagedArtifact, InferenceError

FOLDER = "outcry"
FILES = "files"
_SHORT_S = 120.0
TRANSFER_S = 3_600.0
"""A push or pull is given up after so long."""
_NUMBER = re.compile(r"(\d{1,9})\.json")


class DvcFailed(InferenceError):
    """`dvc` could not do it; the message is what it said."""

    code = "dvc_failed"


class RemoteVersion(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What the repository's list says of a version."""

    name: str
    version: int
    """As the repository counts."""
    digest: str
    file: str
    manifest: dict[str, Any]
    description: str
    size: int
    as_of: datetime | None
    features: list[dict[str, Any]]
    splits: dict[str, float]
    quality: dict[str, Any]


def find_dvc() -> tuple[str, ...]:
    """Return the command: this environment's, or the one on the PATH.

    Raises:
        MissingFramework: there is none.
    """
    return find_command("dvc", module="dvc")


class DvcRepository:
    """One repository."""

    def __init__(
        self,
        folder: Path,
        command: Sequence[str],
        *,
        environment: Mapping[str, str],
        transfer_s: float = TRANSFER_S,
    ) -> None:
        self.folder = folder
        self._command = tuple(command)
        self._environment = environment
        self._transfer_s = transfer_s

    # --- the list -------------------------------------------------------------------------------

    def versions(self, name: str) -> list[RemoteVersion]:
        """Return the versions of a dataset that the repository lists, oldest first.

        Raises:
            DamagedArtifact: an entry cannot be read.
        """
        place = self.folder / FOLDER / _slug(name)
        found = []
        for path in place.glob("*.json") if place.is_dir() else ():
            if not _NUMBER.fullmatch(path.name):
                continue
            try:
                found.append(msgspec.json.decode(path.read_bytes(), type=RemoteVersion))
            except msgspec.DecodeError as wrong:
                raise DamagedArtifact(
                    f"{path.relative_to(self.folder)} in the repository cannot be read: {wrong}"
                ) from wrong
        return sorted((one for one in found if one.name == name), key=lambda one: one.version)

    def enter(self, new: RemoteVersion) -> RemoteVersion:
        """List a version under its number, or the next one that is free; return it as it is."""
        for known in self.versions(new.name):
            if known.digest == new.digest:
                return known
        place = self.folder / FOLDER / _slug(new.name)
        place.mkdir(parents=True, exist_ok=True)
        numbers = [int(path.stem) for path in place.glob("*.json") if _NUMBER.fullmatch(path.name)]
        number = new.version if new.version not in numbers else max(numbers) + 1
        while True:
            entry = msgspec.structs.replace(new, version=number)
            partial = place / f".{number}.{uuid4().hex}"
            partial.write_bytes(msgspec.json.format(msgspec.json.encode(entry)) + b"\n")
            try:
                os.link(partial, place / f"{number}.json")
            except FileExistsError:
                number += 1
            else:
                return entry
            finally:
                partial.unlink(missing_ok=True)

    # --- the files ------------------------------------------------------------------------------

    async def prepare(self) -> None:
        """Make the repository, if there is none."""
        if (self.folder / ".dvc").is_dir():
            return
        await asyncio.to_thread(self.folder.mkdir, parents=True, exist_ok=True)
        # Inside of Git, dvc keeps the data out of it by itself.
        bare = () if (self.folder / ".git").exists() else ("--no-scm",)
        await self._run("init", "--quiet", *bare, within=_SHORT_S)

    async def remote(self, said: str | None) -> tuple[str, ...]:
        """Return the options that choose a remote: one by name, by address, or the default.

        Raises:
            DvcFailed: the repository has no default.
        """
        if said is None:
            listed = await self._run("config", "core.remote", within=_SHORT_S, quietly=True)
            if not listed.strip():
                raise DvcFailed(
                    "the repository has no default remote: say --remote NAME, a folder or an "
                    "address, or set one with `dvc remote default`"
                )
            return ()
        if "/" not in said:
            return ("--remote", said)
        address = _address(said)
        name = f"outcry-{hashlib.sha256(address.encode()).hexdigest()[:10]}"
        await self._run("remote", "add", "--quiet", "--force", name, address, within=_SHORT_S)
        return ("--remote", name)

    async def push(self, file: Path, *, remote: Sequence[str]) -> str:
        """Track a file by its name and send it; return the name it has in the repository."""
        kept = self.folder / FOLDER / FILES / file.name
        await asyncio.to_thread(_copy, file, kept)
        try:
            await self._run("add", "--quiet", _relative(kept, self.folder), within=self._transfer_s)
            pointer = f"{_relative(kept, self.folder)}.dvc"
            await self._run("push", *remote, pointer, within=self._transfer_s)
        finally:
            # The cache holds it; what lies in the folder would be a third copy.
            await asyncio.to_thread(kept.unlink, missing_ok=True)
        return file.name

    async def pull(self, name: str, *, remote: Sequence[str]) -> Path:
        """Fetch a file; return where it lies. Whoever asked removes it.

        Raises:
            DvcFailed: it is not there, or not what the repository says.
        """
        kept = self.folder / FOLDER / FILES / Path(name).name
        pointer = f"{_relative(kept, self.folder)}.dvc"
        if not (self.folder / pointer).is_file():
            raise DvcFailed(f"the repository has no {pointer}: fetch it with Git first")
        await self._run("pull", *remote, pointer, within=self._transfer_s)
        if not kept.is_file():
            raise DvcFailed(f"dvc did not bring {kept.name}")
        return kept

    def forget(self, name: str) -> None:
        """Remove a fetched file, and dvc's copy of it, so that the next pull asks the remote."""
        kept = self.folder / FOLDER / FILES / Path(name).name
        kept.unlink(missing_ok=True)
        try:
            pointer = kept.with_name(f"{kept.name}.dvc").read_text("utf-8")
        except FileNotFoundError:
            return
        for md5 in re.findall(r"md5: ([0-9a-f]{32})\b", pointer):
            cached = self.folder / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]
            cached.unlink(missing_ok=True)

    async def _run(self, *arguments: str, within: float, quietly: bool = False) -> str:
        """Run `dvc`; return what it printed. `quietly`: that it fails means nothing."""
        own = self.folder / ".dvc" / "tmp" / "outcry"
        try:
            ended = await run_cleanly(
                (*self._command, *arguments),
                within=within,
                folder=self.folder,
                environment=self._environment,
                more={
                    "DVC_NO_ANALYTICS": "1",
                    "DVC_GLOBAL_CONFIG_DIR": str(own / "global"),
                    "DVC_SYSTEM_CONFIG_DIR": str(own / "system"),
                    "DVC_SITE_CACHE_DIR": str(own / "site"),
                },
            )
        except TookTooLong:
            raise DvcFailed(f"dvc {arguments[0]} took longer than {within:g} s") from None
        if ended.rc and not quietly:
            raise DvcFailed(f"dvc {arguments[0]}: {ended.said}")
        return ended.out


def _slug(name: str) -> str:
    """Return a folder's name: readable, and one for each dataset."""
    plain = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40] or "dataset"
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _address(said: str) -> str:
    """Return a remote's address: a folder means the one seen from here, not from the repository."""
    return said if "://" in said else str(Path(said).resolve())


def _copy(file: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    shutil.copyfile(file, target)


def _relative(path: Path, folder: Path) -> str:
    return path.relative_to(folder).as_posix()
