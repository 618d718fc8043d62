"""Models on their way in and out: uploads, downloads, what comes from an address or a folder."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, BinaryIO, Protocol, cast
from urllib.parse import unquote, urlsplit
from uuid import UUID

import msgspec

from app.domain.errors import Invalid, NotFound, TooLarge, Unavailable
from app.domain.ids import UserId
from app.domain.models import Measured, NewModel
from app.services.models.model_cards import full_disk_told
from app.services.models.models import Models
from inference.artifacts import ArtifactStore
from inference.bundle import BUNDLE_FILE, read_bundle
from inference.cards import Framework, ModelCard, ModelParameters, ModelPerformance, ModelType
from inference.errors import BadModel
from inference.formats.folder import list_files
from inference.lifecycle import label
from inference.packing import pack, unpack

CARD_FILE = "card.json"
"""Lies beside the files in a packed model, and says what is known of it. It is no part of the
artifact."""
_CHUNK = 1024 * 1024
_CHUNK_S = 60.0
"""A sender that is silent for so long is given up."""
FETCH_S = 3600.0


class Fetch(Protocol):
    """Reaches addresses that others chose; `app.security.outbound` behind it."""

    async def __call__(
        self, url: str, write: Callable[[bytes], object], *, most: int, total_s: float
    ) -> int:
        """Give what is there to `write`.

        Raises:
            Invalid: the address is not permitted.
            Unavailable: it cannot be had.
        """
        ...


class PackedCard(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a packed model says of itself. Whoever imports it answers for its truth."""

    name: str
    version: str | None = None
    type: ModelType
    framework: Framework
    architecture: str = ""
    parameters: ModelParameters = ModelParameters()
    performance: ModelPerformance = ModelPerformance()
    validation_metrics: dict[str, Any] = {}
    trained_at: datetime | None = None
    knowledge_cutoff: datetime | None = None
    deployment_url: str | None = None


class ModelFiles:
    """The use cases."""

    def __init__(
        self,
        models: Models,
        artifacts: ArtifactStore,
        fetch: Fetch,
        *,
        sources: Sequence[str],
        most: int,
    ) -> None:
        self._models = models
        self._artifacts = artifacts
        self._fetch = fetch
        self._sources = tuple(sources)
        self.most = most
        """Bytes of a packed model."""

    async def upload(
        self, model_id: UUID, body: AsyncIterator[bytes], *, by: UserId | None
    ) -> ModelCard:
        """Attach a packed model to a version that waits for its files.

        Raises:
            TooLarge: it is.
            BadModel: it is cut, or its files are not allowed; the version stays as it was.
        """
        await self._models.get(model_id)
        with self._artifacts.workshop() as work, full_disk_told():
            with (work / "packed").open("xb") as out:
                await self._receive(body, out)
            packed, folder = await asyncio.to_thread(self._unpacked, work / "packed", work)
            return await self._models.attach(model_id, folder, measured=_measured(packed), by=by)

    async def _receive(self, body: AsyncIterator[bytes], out: BinaryIO) -> None:
        size, waiting = 0, bytearray()
        while True:
            try:
                async with asyncio.timeout(_CHUNK_S):
                    part = await anext(body, None)
            except TimeoutError:
                raise Unavailable(f"Nothing came for {_CHUNK_S:g} seconds.") from None
            if part is None:
                break
            size += len(part)
            if size > self.most:
                raise TooLarge(
                    f"A packed model may have {self.most:,} bytes (OUTCRY_MODEL_MAX_BYTES)."
                )
            waiting += part
            if len(waiting) >= _CHUNK:
                await asyncio.to_thread(out.write, bytes(waiting))
                waiting.clear()
        await asyncio.to_thread(out.write, bytes(waiting))

    async def download(self, model_id: UUID) -> tuple[str, AsyncIterator[bytes]]:
        """Return a file name and the packed model, its files compared with what was approved.

        Raises:
            NotFound: it has none.
            DamagedArtifact: its files were changed.
        """
        card = await self._models.get(model_id)
        if card.artifact is None:
            raise NotFound(f"{label(card)} has no artifact.")
        folder = await self._models.open_files(card)
        extra = {CARD_FILE: msgspec.json.encode(_packed_card(card))}

        async def parts() -> AsyncIterator[bytes]:
            pieces = pack(folder, extra=extra)
            while (part := await asyncio.to_thread(next, pieces, None)) is not None:
                yield part

        return f"{card.name}-{card.version}.tar.zst", parts()

    def check_source(self, url: str) -> None:
        """Let pass an address below one that the operator listed.

        Raises:
            Invalid: it is not; says which are.
        """
        if not self._sources:
            raise Invalid(
                "Models are fetched from addresses listed in OUTCRY_MODEL_SOURCES; none is listed.",
                code="source_not_allowed",
            )
        if not any(_is_below(url, source) for source in self._sources):
            raise Invalid(
                f"`url` must begin with https and lie below one of {', '.join(self._sources)}.",
                code="source_not_allowed",
            )

    async def import_url(
        self,
        url: str,
        *,
        by: UserId | None,
        name: str | None = None,
        version: str | None = None,
        model_id: UUID | None = None,
    ) -> ModelCard:
        """Fetch a packed model and make a version of it.

        Raises:
            Invalid: the address is not on the list.
            Unavailable: it cannot be had.
            BadModel: it is cut, or its files are not allowed.
        """
        self.check_source(url)
        with self._artifacts.workshop() as work, full_disk_told():
            with (work / "packed").open("xb") as out:
                await self._fetch(url, out.write, most=self.most, total_s=FETCH_S)
            packed, folder = await asyncio.to_thread(self._unpacked, work / "packed", work)
            return await self._add(
                folder, packed, by=by, name=name, version=version, source=url, model_id=model_id
            )

    async def import_path(
        self, path: Path, *, by: UserId | None, name: str | None = None, version: str | None = None
    ) -> ModelCard:
        """Make a version of a folder, or of a packed model in a file, on this machine.

        Raises:
            BadModel: its files are not allowed.
        """
        with self._artifacts.workshop() as work, full_disk_told():
            packed, folder, source = await asyncio.to_thread(self._laid_out, path, work)
            return await self._add(folder, packed, by=by, name=name, version=version, source=source)

    async def _add(
        self,
        folder: Path,
        packed: PackedCard | None,
        *,
        by: UserId | None,
        name: str | None,
        version: str | None,
        source: str,
        model_id: UUID | None = None,
    ) -> ModelCard:
        if packed is None:
            packed = await asyncio.to_thread(_card_of_bundle, folder)
        new = NewModel(
            id=model_id,
            name=name or packed.name,
            version=version or packed.version,
            type=packed.type,
            framework=packed.framework,
            architecture=packed.architecture,
            parameters=packed.parameters,
            knowledge_cutoff=packed.knowledge_cutoff,
            deployment_url=packed.deployment_url,
            created_by=by,
        )
        measured = _measured(packed) or Measured()
        return await self._models.add(new, folder, measured, by=by, source=source)

    def _unpacked(self, packed: Path, work: Path) -> tuple[PackedCard | None, Path]:
        folder = work / "unpacked"
        folder.mkdir()
        with packed.open("rb") as source:
            unpack(source, folder, self._artifacts.limits)
        return _take_card(folder), folder

    def _laid_out(self, path: Path, work: Path) -> tuple[PackedCard | None, Path, str]:
        """Return what a folder or a file says of itself, its files alone, and what to call it."""
        if not path.is_dir():
            packed, folder = self._unpacked(path, work)
            return packed, folder, f"the file {path.name}"
        source = f"the folder {path.name}"
        card = path / CARD_FILE
        if card.is_symlink() or not card.is_file():
            return None, path, source
        # The card is no part of the model: what is stored is a copy without it.
        copy = work / "copy"
        for file in list_files(path, self._artifacts.limits):
            target = copy / file
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path / file, target, follow_symlinks=False)
        return _take_card(copy), copy, source


def _take_card(folder: Path) -> PackedCard | None:
    file = folder / CARD_FILE
    if not file.is_file():
        return None
    data = file.read_bytes()
    file.unlink()
    return _read_card(data)


def _read_card(data: bytes) -> PackedCard:
    try:
        return msgspec.json.decode(data, type=PackedCard)
    except (msgspec.DecodeError, RecursionError) as wrong:
        raise BadModel(f"{CARD_FILE} cannot be read: {wrong}") from None


def _card_of_bundle(folder: Path) -> PackedCard:
    try:
        bundle = read_bundle((folder / BUNDLE_FILE).read_bytes())
    except FileNotFoundError:
        raise BadModel(f"it holds no {BUNDLE_FILE}") from None
    except (msgspec.DecodeError, RecursionError) as wrong:
        raise BadModel(f"{BUNDLE_FILE} cannot be read: {wrong}") from None
    return PackedCard(
        name=bundle.name,
        type=cast("ModelType", bundle.model_type),
        framework=cast("Framework", bundle.framework),
        architecture=bundle.members[0].architecture if bundle.members else "",
    )


def _packed_card(card: ModelCard) -> PackedCard:
    return PackedCard(**{field: getattr(card, field) for field in PackedCard.__struct_fields__})


def _measured(packed: PackedCard | None) -> Measured | None:
    if packed is None:
        return None
    return Measured(
        performance=packed.performance,
        validation_metrics=packed.validation_metrics,
        parameters=packed.parameters,
        architecture=packed.architecture,
        trained_at=packed.trained_at,
    )


def _is_below(url: str, source: str) -> bool:
    asked, listed = urlsplit(url), urlsplit(source)
    path = unquote(asked.path)
    return (
        asked.scheme == "https"
        and listed.scheme == "https"
        and asked.netloc.lower() == listed.netloc.lower()
        and not asked.query
        and not asked.fragment
        and path == asked.path
        and ".." not in path.split("/")
        and (path + "/").startswith(listed.path.rstrip("/") + "/")
    )
