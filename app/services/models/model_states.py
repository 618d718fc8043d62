"""In which state a model is and which version serves: every step checked, recorded and atomic."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import structlog

from app.domain.errors import NotFound
from app.domain.ids import UserId, new_id
from app.domain.models import EventKind, ModelChange, ModelEvent
from app.services.models.model_cards import busy, in_status, not_finite
from app.services.models.model_ports import (
    Artifacts,
    JudgeDeployment,
    ModelStore,
    Quarantined,
    no_deployments,
)
from app.services.models.model_reads import ModelReads
from inference.cards import ModelCard, ModelParameters, ModelPerformance
from inference.errors import DamagedArtifact, NotAllowed
from inference.lifecycle import (
    check_transition,
    checked_alias,
    choose_alias,
    has_skill,
    label,
    no_skill,
)

log = structlog.get_logger(__name__)

TRIES = 5
"""How often a change is tried anew when somebody else was quicker."""


class ModelStates(ModelReads):
    """What moves versions and aliases."""

    def __init__(
        self,
        store: ModelStore,
        artifacts: Artifacts,
        *,
        clock: Callable[[], datetime],
        judge_deployment: JudgeDeployment = no_deployments,
    ) -> None:
        super().__init__(store, artifacts, clock=clock)
        self._judge_deployment = judge_deployment
        self.quarantine_listeners: list[Quarantined] = []

    async def transition(
        self,
        model_id: UUID,
        status: str,
        *,
        by: UserId | None,
        reason: str | None = None,
        alias: str | None = None,
    ) -> ModelCard:
        """Move a version on. Deployed, it gets `alias`, or the first that is free.

        Who had the alias is deprecated. `reason` is recorded; it is needed to fail a version, and
        to deploy one whose skill is not above zero.

        Raises:
            NotFound: it is unknown.
            NotAllowed: the lifecycle forbids it; says what is missing.
            DamagedArtifact: its files are not those that were approved; it is quarantined.
        """
        for _ in range(TRIES):
            card = await self.get(model_id)
            to = check_transition(card, status, reason=reason)
            if alias is not None and to != "deployed":
                raise NotAllowed("an alias is given with the status deployed only")
            if card.status == "failed" and card.artifact is not None and to == "validating":
                await asyncio.to_thread(self._artifacts.mend, card.artifact)
            elif to in ("ready", "deployed") and card.artifact is not None:
                await self.open_files(card)
            held = await self._store.held_aliases(card.name)
            aliases: dict[str, UUID | None] = {
                one: None for one, other in held.items() if other.id == card.id
            }
            changes = []
            after = in_status(card, to, now=self._now(card), reason=reason)
            details: dict[str, Any] = {"from": card.status, "to": to}
            if reason:
                details["reason"] = reason
            if to == "deployed":
                versions = {one: other.version for one, other in held.items()}
                chosen = choose_alias(alias, held=versions, version=card.version, name=card.name)
                changes += self._replaced(held.get(chosen), card, by=by)
                aliases[chosen] = card.id
                details["alias"] = chosen
                if not has_skill(card):
                    details["override"] = no_skill(card)
                    after = msgspec.structs.replace(after, deployed_despite=reason)
            changes.append(self._told(card, after, "status", details, by=by))
            if await self._store.change(changes, name=card.name, aliases=aliases, held=_ids(held)):
                log.info("model.moved", model=label(card), to=to, was=card.status)
                return await self.get(model_id)
        raise busy()

    async def set_alias(self, model_id: UUID, alias: str, *, by: UserId | None) -> ModelCard:
        """Let an alias of its name point to a deployed version; who had it is deprecated.

        Raises:
            NotFound: it is unknown.
            NotAllowed: it is not deployed, or there is no such alias.
        """
        chosen = checked_alias(alias)
        for _ in range(TRIES):
            card = await self.get(model_id)
            if card.status != "deployed":
                raise NotAllowed(
                    f"{label(card)} is {card.status}; an alias points to a deployed version."
                    " Deploy it with that alias instead"
                )
            if card.aliases == (chosen,):
                return card
            held = await self._store.held_aliases(card.name)
            aliases: dict[str, UUID | None] = {
                one: None for one, other in held.items() if other.id == card.id
            }
            aliases[chosen] = card.id
            after = msgspec.structs.replace(card, updated_at=self._now(card))
            changes = [
                *self._replaced(held.get(chosen), card, by=by),
                self._told(card, after, "alias", {"alias": chosen, "had": card.aliases}, by=by),
            ]
            if await self._store.change(changes, name=card.name, aliases=aliases, held=_ids(held)):
                log.info("model.alias", model=label(card), alias=chosen)
                return await self.get(model_id)
        raise busy()

    async def quarantine(self, artifact: str, failure: str) -> list[ModelCard]:
        """Take every version of an artifact out of service, because its files were changed.

        Returns those that were in service or could have come into it.
        """
        stopped = []
        for card in await self._store.of_artifact(artifact):
            while card.status != "failed":
                now = self._now(card)
                after = msgspec.structs.replace(
                    card, status="failed", failure=failure, quarantined_at=now, updated_at=now
                )
                aliases = dict.fromkeys(card.aliases)
                event = {
                    "from": card.status,
                    "failure": failure,
                    "artifact": artifact,
                    "aliases": list(card.aliases),
                }
                change = self._told(card, after, "quarantined", event, by=None)
                if await self._store.change([change], name=card.name, aliases=aliases):
                    log.error("model.quarantined", model=label(card), failure=failure)
                    stopped.append(after)
                    for listener in self.quarantine_listeners:
                        listener(after)
                    break
                card = await self.get(card.id)
        return stopped

    async def ensure_rules(self, model_id: UUID, *, name: str, version: str, task: str) -> None:
        """Have a row for a set of rules that is part of the program, and make it the champion."""
        if (known := await self._store.find(model_id)) and known.status == "deployed":
            return
        now = self._clock()
        card = known or ModelCard(
            id=model_id, name=name, version=version, type="classification", framework="numpy",
            architecture="rules", parameters=ModelParameters(),
            performance=ModelPerformance(), status="deployed", training_dataset_id=None,
            validation_metrics={}, created_by=None, trained_at=None, created_at=now,
            updated_at=now, deployed_at=now, task=task,
        )  # fmt: skip
        if known is None:
            await self._store.insert(card, self._event(card, "created", {}, by=None))
            card = await self.get(model_id)
        held = await self._store.held_aliases(name)
        after = in_status(card, "deployed", now=self._now(card), reason=None)
        changes = [
            *self._replaced(held.get("champion"), card, by=None),
            self._told(card, after, "status", {"to": "deployed", "alias": "champion"}, by=None),
        ]
        # False: another process of this desk was quicker, with the same outcome.
        await self._store.change(
            changes, name=name, aliases={"champion": model_id}, held=_ids(held)
        )

    async def open_files(self, card: ModelCard) -> Path:
        """Return the folder of a version's files, compared with what was approved.

        Raises:
            NotFound: it has none.
            DamagedArtifact: they differ; every version of them is quarantined.
        """
        if card.artifact is None:
            raise NotFound(f"{label(card)} has no artifact.")
        try:
            return await asyncio.to_thread(self._artifacts.open, card.artifact)
        except DamagedArtifact as damaged:
            await self.quarantine(card.artifact, str(damaged))
            raise

    async def _change(
        self,
        model_id: UUID,
        kind: EventKind,
        alter: Callable[[ModelCard], tuple[ModelCard, dict[str, Any]]],
        *,
        by: UserId | None,
    ) -> ModelCard:
        for _ in range(TRIES):
            card = await self.get(model_id)
            after, details = alter(card)
            after = msgspec.structs.replace(after, updated_at=self._now(card))
            change = self._told(card, after, kind, details, by=by)
            try:
                if await self._store.change([change], name=card.name, aliases={}):
                    return await self.get(model_id)
            except ValueError as wrong:
                raise not_finite(wrong) from None
        raise busy()

    def _replaced(
        self, holder: ModelCard | None, by_card: ModelCard, *, by: UserId | None
    ) -> list[ModelChange]:
        if holder is None or holder.id == by_card.id:
            return []
        after = in_status(holder, "deprecated", now=self._now(holder), reason=None)
        details = {"from": holder.status, "to": "deprecated", "replacedBy": label(by_card)}
        return [self._told(holder, after, "status", details, by=by)]

    def _told(
        self,
        before: ModelCard,
        after: ModelCard,
        kind: EventKind,
        details: dict[str, Any],
        *,
        by: UserId | None,
    ) -> ModelChange:
        return ModelChange(
            before=before, after=after, event=self._event(before, kind, details, by=by)
        )

    def _event(
        self, card: ModelCard, kind: EventKind, details: dict[str, Any], *, by: UserId | None
    ) -> ModelEvent:
        return ModelEvent(
            id=new_id(),
            model_id=card.id,
            kind=kind,
            details=msgspec.to_builtins(details),
            user_id=by,
            created_at=self._clock(),
        )

    def _now(self, card: ModelCard) -> datetime:
        """Return the time, later than the card's last change: that tells two states apart."""
        return max(self._clock(), card.updated_at + timedelta(microseconds=1))


def _ids(held: dict[str, ModelCard]) -> dict[str, UUID]:
    return {alias: card.id for alias, card in held.items()}
