"""Read what artifacts say of themselves, once each: an artifact never changes."""

import asyncio

from inference.artifacts import ArtifactStore
from inference.bundle import Bundle
from inference.cards import ModelCard
from inference.engine.pipeline import open_bundle
from inference.errors import BadModel

_KEPT = 256


class Bundles:
    """Bundles of verified artifacts."""

    def __init__(self, artifacts: ArtifactStore) -> None:
        self._artifacts = artifacts
        self._read: dict[str, Bundle] = {}

    async def __call__(self, card: ModelCard) -> Bundle:
        """Return the bundle of a model.

        Raises:
            DamagedArtifact: its bytes are not those that were approved.
            BadModel: it has none.
        """
        if card.artifact is None:
            raise BadModel("it has no artifact, so that nobody can say what it reads")
        known = self._read.get(card.artifact)
        if known is None:
            known = await asyncio.to_thread(self._load, card.artifact)
            if len(self._read) >= _KEPT:
                self._read.clear()
            self._read[card.artifact] = known
        return known

    def _load(self, artifact: str) -> Bundle:
        return open_bundle(self._artifacts.open(artifact))
