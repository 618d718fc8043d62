"""The registry: how versions of models are made, of files that were trained here or elsewhere.

`model_reads` finds them, `model_states` moves them on. Who may call what is decided at the doors.
"""

import asyncio
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import msgspec
import structlog

from app.domain.errors import Conflict
from app.domain.ids import UserId, new_id
from app.domain.models import EventKind, Measured, NewModel
from app.domain.text import clean_text
from app.services.models.model_cards import (
    busy,
    check_bundle,
    checked_name,
    full_disk_told,
    not_finite,
    with_measured,
)
from app.services.models.model_states import TRIES, ModelStates
from inference.bundle import BUNDLE_FILE, Bundle, read_bundle
from inference.cards import FRAMEWORKS, Framework, ModelCard, ModelPerformance
from inference.engine.remote import check_place
from inference.errors import NotAllowed
from inference.lifecycle import label
from inference.runtimes.intake import check_members

log = structlog.get_logger(__name__)


class Models(ModelStates):
    """The use cases."""

    async def create(self, new: NewModel) -> ModelCard:
        """Make a version in status `training`; with an id that is known, return what is stored.

        Raises:
            Invalid: its name or version cannot be used, or the desk may not go to its
                `deploymentUrl`.
            Conflict: the version is taken.
        """
        if new.deployment_url is not None:
            self._judge_deployment(new.deployment_url)
        return await self._add(new, kind="created", details={})

    async def add(
        self,
        new: NewModel,
        folder: Path,
        measured: Measured,
        *,
        by: UserId | None,
        source: str,
    ) -> ModelCard:
        """Make a version of files from elsewhere, in status `validating`.

        Raises:
            UnsafeArtifact, BadModel: the files are not allowed, or do not fit; nothing was made.
        """
        if new.version is not None and await self._store.find_version(new.name, new.version):
            raise Conflict(f"There is a {new.name}@{new.version} already.", code="version_taken")
        if new.deployment_url is not None:
            self._judge_deployment(new.deployment_url)
        digest, bundle = await self._put(folder)
        check_place(bundle, new.deployment_url)
        new = msgspec.structs.replace(
            new,
            recipe=new.recipe or bundle.recipe,
            task=new.task or bundle.task,
            timeframe=new.timeframe or bundle.timeframe,
            horizon_bars=new.horizon_bars or bundle.horizon_bars,
            created_by=new.created_by or by,
        )
        check_bundle(bundle, new.type, new.framework, f"{new.name}: its {BUNDLE_FILE}")
        return await self._add(
            new,
            kind="imported",
            details={"source": source, "artifact": digest},
            artifact=digest,
            measured=measured,
        )

    async def attach(
        self,
        model_id: UUID,
        folder: Path,
        *,
        performance: ModelPerformance | None = None,
        validation_metrics: dict[str, Any] | None = None,
        measured: Measured | None = None,
        by: UserId | None = None,
    ) -> ModelCard:
        """Store a version's files and what was measured; it is `validating` then.

        What a version runs on is known when its recipe has run: until then it is what the recipe
        usually makes.

        Raises:
            NotFound: the version is unknown.
            NotAllowed: it is past that.
            UnsafeArtifact, BadModel: the files are not allowed, or do not fit.
        """
        card = await self.get(model_id)
        if card.status not in ("training", "validating"):
            raise NotAllowed(
                f"{label(card)} is {card.status}; files are attached while a model is training or"
                " validating. Make a new version"
            )
        digest, bundle = await self._put(folder)
        check_place(bundle, card.deployment_url)
        framework = card.framework
        if card.recipe == bundle.recipe and bundle.framework in FRAMEWORKS:
            framework = cast("Framework", bundle.framework)
        check_bundle(bundle, card.type, framework, f"{label(card)}: its {BUNDLE_FILE}")
        measured = measured or Measured()
        if performance is not None:
            measured = msgspec.structs.replace(measured, performance=performance)
        if validation_metrics is not None:
            measured = msgspec.structs.replace(measured, validation_metrics=validation_metrics)

        def attached(card: ModelCard) -> tuple[ModelCard, dict[str, Any]]:
            if card.status not in ("training", "validating"):
                raise Conflict(f"{label(card)} is {card.status} by now.", code="status_changed")
            after = msgspec.structs.replace(
                with_measured(card, measured, now=self._clock()),
                status="validating",
                artifact=digest,
                framework=framework,
                recipe=card.recipe or bundle.recipe,
                task=card.task or bundle.task,
                timeframe=card.timeframe or bundle.timeframe,
                horizon_bars=card.horizon_bars or bundle.horizon_bars,
            )
            return after, {"artifact": digest, "from": card.status}

        return await self._change(model_id, "attached", attached, by=by)

    async def measure(
        self, model_id: UUID, measured: Measured, *, by: UserId | None = None
    ) -> ModelCard:
        """Store what was measured of a version, for instance its latency.

        Raises:
            NotFound: it is unknown.
            NotAllowed: a version that left `validating` keeps the evaluation it was judged by.
        """

        def told(card: ModelCard) -> tuple[ModelCard, dict[str, Any]]:
            metrics = measured.validation_metrics or {}
            if card.status not in ("training", "validating") and "evaluation" in metrics:
                raise NotAllowed(
                    f"{label(card)} is {card.status}; its evaluation may change while it is"
                    " training or validating"
                )
            return with_measured(card, measured, now=card.trained_at), {
                "fields": sorted(
                    name for name in measured.__struct_fields__ if getattr(measured, name)
                )
            }

        return await self._change(model_id, "measured", told, by=by)

    async def _add(
        self,
        new: NewModel,
        *,
        kind: EventKind,
        details: dict[str, Any],
        artifact: str | None = None,
        measured: Measured | None = None,
    ) -> ModelCard:
        if new.id is not None and (known := await self._store.find(new.id)) is not None:
            return known
        name, now = checked_name(new.name, "name"), self._clock()
        for _ in range(TRIES):
            version = new.version
            if version is None:
                version = str(await self._store.last_number(name) + 1)
            card = ModelCard(
                id=new.id or new_id(),
                name=name,
                version=checked_name(version, "version"),
                type=new.type,
                framework=new.framework,
                architecture=clean_text(new.architecture)[:200],
                parameters=new.parameters,
                performance=ModelPerformance(),
                status="training" if artifact is None else "validating",
                training_dataset_id=new.training_dataset_id,
                training_dataset_version_id=new.training_dataset_version_id,
                validation_metrics={},
                created_by=new.created_by,
                trained_at=None,
                created_at=now,
                updated_at=now,
                deployment_url=new.deployment_url,
                artifact=artifact,
                recipe=new.recipe,
                task=new.task,
                timeframe=new.timeframe,
                horizon_bars=new.horizon_bars,
                knowledge_cutoff=new.knowledge_cutoff,
            )
            if measured is not None:
                card = with_measured(card, measured, now=None)
            try:
                done = await self._store.insert(
                    card, self._event(card, kind, details, by=new.created_by)
                )
            except ValueError as wrong:
                raise not_finite(wrong) from None
            if done:
                log.info("model.made", model=label(card), how=kind)
                return card
            if new.id is not None and (known := await self._store.find(new.id)) is not None:
                return known
            if new.version is not None:
                raise Conflict(f"There is a {name}@{version} already.", code="version_taken")
        raise busy()

    async def _put(self, folder: Path) -> tuple[str, Bundle]:
        def put() -> tuple[str, Bundle]:
            digest = self._artifacts.put(folder)
            opened = self._artifacts.open(digest)
            bundle = read_bundle((opened / BUNDLE_FILE).read_bytes())
            check_members(opened, bundle)
            return digest, bundle

        with full_disk_told():
            return await asyncio.to_thread(put)
