"""Which models there are: by name, by alias, by task, with what happened to them."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from app.domain.errors import NotFound
from app.domain.models import Lineage, ModelEvent, ModelFilter
from app.domain.text import clean_text
from app.services.models.model_ports import Artifacts, ModelStore
from app.services.paging import Page, checked_limit, cut, decode_cursor
from inference.artifacts import Manifest
from inference.cards import ModelCard
from inference.lifecycle import ALIASES, label

NO_MODEL = "There is no such model."


class ModelReads:
    """What changes nothing."""

    def __init__(
        self, store: ModelStore, artifacts: Artifacts, *, clock: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._artifacts = artifacts
        self._clock = clock

    async def find(self, ref: str | UUID) -> ModelCard:
        """Return the version that `ref` means: an id, NAME, NAME@VERSION or NAME@ALIAS.

        A bare name means its champion, or the newest version while it has none.

        Raises:
            NotFound: there is none; says what there is.
        """
        if isinstance(ref, UUID):
            return await self.get(ref)
        try:
            return await self.get(UUID(ref))
        except ValueError:
            name, at, rest = ref.partition("@")
        if not at:
            card = await self._store.find_alias(name, "champion")
            card = card or await self._store.find_newest(name)
        elif rest in ALIASES:
            card = await self._store.find_alias(name, rest)
        else:
            card = await self._store.find_version(name, rest)
        if card is None:
            raise NotFound(
                f"There is no model {clean_text(ref)[:120]!r}. A model is named by its id, NAME,"
                f" NAME@VERSION, or NAME@ with {' or '.join(ALIASES)}."
            )
        return card

    async def get(self, model_id: UUID) -> ModelCard:
        """Return a version by its id.

        Raises:
            NotFound: it is unknown.
        """
        card = await self._store.find(model_id)
        if card is None:
            raise NotFound(NO_MODEL)
        return card

    async def champion(
        self, task: str, *, timeframe: str | None = None, horizon: int | None = None
    ) -> ModelCard | None:
        """Return the deployed champion of a task, None if there is none that may answer."""
        return await self._store.find_champion(task, timeframe, horizon)

    async def of_artifact(self, digest: str) -> list[ModelCard]:
        """Return the versions that consist of an artifact."""
        return await self._store.of_artifact(digest)

    async def last_good(self, card: ModelCard) -> list[ModelCard]:
        """Return versions that run here and forecast what `card` does, the last good one first."""
        return await self._store.last_good(card)

    async def withdrawn(self, ref: str) -> ModelCard | None:
        """Return the version that NAME or NAME@ALIAS meant until its files were found changed."""
        name, _, alias = ref.partition("@")
        return await self._store.find_withdrawn(alias or "champion", name=name)

    async def withdrawn_champion(
        self, task: str, *, timeframe: str | None = None, horizon: int | None = None
    ) -> ModelCard | None:
        """Return the champion of a task whose files were found changed, if there is no other."""
        return await self._store.find_withdrawn(
            "champion", task=task, timeframe=timeframe, horizon_bars=horizon
        )

    async def page(self, asked: ModelFilter, *, cursor: str | None, limit: int) -> Page[ModelCard]:
        """Return versions, newest first."""
        before, limit = decode_cursor(cursor), checked_limit(limit)
        found = await self._store.page(asked, before=before, limit=limit + 1)
        return cut(found, limit, lambda card: (card.created_at, card.id))

    async def events(self, model_id: UUID, *, cursor: str | None, limit: int) -> Page[ModelEvent]:
        """Return what was done to a version, newest first.

        Raises:
            NotFound: it is unknown.
        """
        before, limit = decode_cursor(cursor), checked_limit(limit)
        await self.get(model_id)
        found = await self._store.events(model_id, before=before, limit=limit + 1)
        return cut(found, limit, lambda event: (event.created_at, event.id))

    async def lineage(self, model_id: UUID) -> Lineage:
        """Return which data a version learned from and how much it has answered.

        Raises:
            NotFound: it is unknown.
        """
        found = await self._store.lineage(model_id)
        if found is None:
            raise NotFound(NO_MODEL)
        return found

    async def files(self, model_id: UUID) -> Manifest:
        """Return what a version's artifact consists of.

        Raises:
            NotFound: it has none.
        """
        card = await self.get(model_id)
        if card.artifact is None:
            raise NotFound(f"{label(card)} has no artifact.")
        return await asyncio.to_thread(self._artifacts.manifest, card.artifact)
