"""What the registry needs of others."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol
from uuid import UUID

from app.domain.errors import Invalid
from app.domain.models import Lineage, ModelChange, ModelEvent, ModelFilter
from app.domain.views import Position
from inference.artifacts import Manifest
from inference.cards import ModelCard


class ModelStore(Protocol):
    """Keeps cards; met by `app.storage.models`."""

    async def insert(self, card: ModelCard, event: ModelEvent) -> bool: ...

    async def change(
        self,
        changes: Sequence[ModelChange],
        *,
        name: str,
        aliases: Mapping[str, UUID | None],
        held: Mapping[str, UUID] | None = None,
    ) -> bool: ...

    async def find(self, model_id: UUID) -> ModelCard | None: ...

    async def find_version(self, name: str, version: str) -> ModelCard | None: ...

    async def find_alias(self, name: str, alias: str) -> ModelCard | None: ...

    async def find_newest(self, name: str) -> ModelCard | None: ...

    async def find_champion(
        self, task: str, timeframe: str | None, horizon_bars: int | None
    ) -> ModelCard | None: ...

    async def last_good(self, card: ModelCard) -> list[ModelCard]: ...

    async def find_withdrawn(
        self,
        alias: str,
        *,
        name: str | None = None,
        task: str | None = None,
        timeframe: str | None = None,
        horizon_bars: int | None = None,
    ) -> ModelCard | None: ...

    async def held_aliases(self, name: str) -> dict[str, ModelCard]: ...

    async def last_number(self, name: str) -> int: ...

    async def of_artifact(self, digest: str) -> list[ModelCard]: ...

    async def page(
        self, asked: ModelFilter, *, before: Position | None, limit: int
    ) -> list[ModelCard]: ...

    async def events(
        self, model_id: UUID, *, before: Position | None, limit: int
    ) -> list[ModelEvent]: ...

    async def lineage(self, model_id: UUID) -> Lineage | None: ...


class Artifacts(Protocol):
    """Keeps files; met by `inference.artifacts.ArtifactStore`. Its calls block."""

    def put(self, folder: Path) -> str: ...

    def open(self, digest: str) -> Path: ...

    def mend(self, digest: str) -> None: ...

    def manifest(self, digest: str) -> Manifest: ...


JudgeDeployment = Callable[[str], None]
"""Lets pass a `deploymentUrl` that the desk understands and may go to; raises Invalid."""


def no_deployments(url: str) -> None:
    """Refuse: nothing here reaches other servers.

    Raises:
        Invalid: always.
    """
    raise Invalid("Models on other servers cannot be reached from here.", code="address_refused")


Quarantined = Callable[[ModelCard], None]
"""Is told of a version whose files were found changed."""
