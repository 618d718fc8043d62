"""Ask a served model directly: rows in, answers out, and nothing is stored.

For programs that speak the Open Inference Protocol. What people and agents ask goes through
`predictions`, which writes down what was asked, answered and how it turned out. Only what a model
uses of others' language models is entered here too.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from app.domain.errors import Conflict, NotFound
from app.domain.ids import UserId
from app.services.models.call_costs import CallCosts
from app.services.predictions.prediction_costs import asks_llm
from app.services.predictions.prediction_ports import BundleReader, ModelBook, PredictionEngine
from inference.bundle import TEXTUAL, Bundle
from inference.cards import ModelCard
from inference.errors import DamagedArtifact
from inference.requests import Answers, Rows

DEADLINE_S = 10.0
LONGEST_S = 120.0
_BELIEVED_S = 1.0
_REMEMBERED = 256
_SERVES = ("deployed", "ready")


@dataclass(frozen=True)
class ServedModel:
    """One version that may be asked."""

    card: ModelCard
    bundle: Bundle
    artifact: str
    """What the engine knows it by."""

    @cached_property
    def columns(self) -> frozenset[str]:
        """The names of all its columns."""
        return frozenset(column.name for column in self.bundle.inputs)

    @cached_property
    def number_columns(self) -> tuple[str, ...]:
        """The names of those that hold numbers, in the model's order."""
        return tuple(c.name for c in self.bundle.inputs if c.kind not in TEXTUAL)


class ModelCalls:
    """Finds and asks models; what a name stands for is believed for a second."""

    def __init__(
        self,
        models: ModelBook,
        bundles: BundleReader,
        engine: PredictionEngine,
        *,
        on_damage: Callable[[ModelCard, str], Awaitable[object]] | None = None,
        check: Callable[[], Awaitable[object]] | None = None,
        costs: CallCosts | None = None,
    ) -> None:
        self._models = models
        self._bundles = bundles
        self._engine = engine
        self._on_damage = on_damage
        self._check = check
        self._costs = costs
        self._known: dict[tuple[str, str | None], tuple[float, ServedModel]] = {}
        self._finding: dict[tuple[str, str | None], asyncio.Task[ServedModel]] = {}

    async def is_ready(self) -> bool:
        """Tell whether the engine could answer now."""
        if self._check is None:
            return True
        try:
            await self._check()
        except Exception:  # whatever a check says, it says no
            return False
        return True

    async def find(self, name: str, version: str | None = None) -> ServedModel:
        """Return a version, or the one that a name stands for.

        Raises:
            NotFound: there is none.
            Conflict: it does not serve; says why.
        """
        key = (name, version)
        known = self._known.get(key)
        if known is not None and time.monotonic() - known[0] < _BELIEVED_S:
            return known[1]
        finding = self._finding.get(key)
        if finding is None:
            # Many callers ask for the same name at once: one of them looks it up.
            finding = self._finding[key] = asyncio.create_task(self._find(name, version))
            finding.add_done_callback(lambda _: self._finding.pop(key, None))
        served = await asyncio.shield(finding)
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[key] = (time.monotonic(), served)
        return served

    async def _find(self, name: str, version: str | None) -> ServedModel:
        if "@" in name:
            raise NotFound("A model's name has no @; the version stands after /versions/.")
        card = await self._models.find(name if version is None else f"{name}@{version}")
        if card.status not in _SERVES:
            raise Conflict(f"{card.name}@{card.version} is {card.status} and does not serve.")
        if card.runs_as is None:
            raise Conflict(f"{card.name}@{card.version} has no files and cannot be asked here.")
        try:
            bundle = await self._bundles(card)
        except DamagedArtifact as damage:
            await self._damaged(card, damage)
            raise
        return ServedModel(card, bundle, card.runs_as)

    async def ask(
        self,
        served: ServedModel,
        rows: Rows,
        *,
        deadline_s: float = DEADLINE_S,
        priority: Literal["interactive", "batch"] = "interactive",
        explain: bool = False,
        user_id: UserId | None = None,
    ) -> Answers:
        """Return the model's answers; what it uses of language models is `user_id`'s to pay.

        Raises:
            InferenceError: as `Engine.predict` says.
        """

        async def ask() -> Answers:
            return await self._engine.predict(
                served.artifact, rows, deadline_s=deadline_s, priority=priority, explain=explain
            )

        try:
            if self._costs is None or not asks_llm(served.bundle):
                return await ask()
            async with self._costs.entered(served.bundle, rows, user_id=user_id) as meter:
                meter.answers = await ask()
                return meter.answers
        except DamagedArtifact as damage:
            await self._damaged(served.card, damage)
            raise

    async def _damaged(self, card: ModelCard, damage: DamagedArtifact) -> None:
        self._known.clear()
        if self._on_damage is not None:
            await self._on_damage(card, str(damage))
