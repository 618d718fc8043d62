"""Who answers while the model that was asked for is away: the last good version that runs here.

Only for those who asked by a name or an alias, never in place of a version that was named, and
never by a model that other people run: it would cost money or be away as well. What is answered
says so: who was asked, who answered, and why.
"""

from collections.abc import Sequence
from decimal import Decimal
from time import monotonic
from typing import Any, Literal, Protocol

import msgspec
import structlog

from app.domain.errors import Refusal
from app.domain.money import plain
from app.domain.predictions import Answered, PredictionCost, StandIn
from app.services.predictions.answering import Answering, Asked
from app.services.predictions.prediction_costs import LANGUAGE_MODELS
from inference.bundle import Bundle, Head
from inference.cards import ModelCard
from inference.errors import Overloaded

log = structlog.get_logger(__name__)

LEAST_S = 0.02
"""With less time than this left, nobody else is asked."""
SHARE = 0.7
"""Of the deadline that an LLM gets, so that somebody else can still answer; the engine gives a
remote server as much."""
_FOREIGN = frozenset((*LANGUAGE_MODELS, "remote"))


class LastGood(Protocol):
    """Which versions were good before; `app.services.models.models.Models`."""

    async def last_good(self, card: ModelCard) -> Sequence[ModelCard]:
        """Return versions that run here and forecast the same, the last deployed first."""
        ...

    async def withdrawn(self, ref: str) -> ModelCard | None:
        """Return the version that a name or alias meant until its files were found changed."""
        ...


class NobodyElse:
    """For desks with one version of everything."""

    async def last_good(self, card: ModelCard) -> Sequence[ModelCard]:
        """Return none."""
        return ()

    async def withdrawn(self, ref: str) -> ModelCard | None:
        """Return none."""
        return None


class StandIns:
    """Finds and asks them."""

    def __init__(self, models: LastGood, answering: Answering) -> None:
        self._models = models
        self._answering = answering

    async def withdrawn(self, ref: str) -> ModelCard | None:
        """Return the version that a reference meant until its files were found changed."""
        return await self._models.withdrawn(ref)

    async def is_there_one(self, card: ModelCard, given: dict[str, Any]) -> bool:
        """Tell whether some version could answer an input in place of `card`."""
        for one in await self._models.last_good(card):
            if await self._fitting(one, given, None) is not None:
                return True
        return False

    async def answer(
        self,
        card: ModelCard,
        given: dict[str, Any],
        first: Answered,
        *,
        asked: Asked | None,
        until: float,
        priority: Literal["interactive", "batch"] = "interactive",
        explain: bool = False,
        champion: ModelCard | None = None,
    ) -> Answered:
        """Return what another version says, or `first`, why `card` said nothing, if none does.

        Args:
            asked: what `card` was asked; the same bars are read again.
            until: on the monotonic clock, when whoever asked gives up.
            champion: who would have answered, had no experiment drawn `card`; it comes first, and
                may run elsewhere.
        """
        if asked is not None and asked.case is not None:
            given = {**given, "asOf": asked.case.as_of.isoformat()}
        for one in await self._candidates(card, champion):
            if until - monotonic() < LEAST_S:
                break
            fitting = await self._fitting(one, given, asked, anywhere=one is champion)
            left = until - monotonic()
            if fitting is None or left < LEAST_S:
                continue
            try:
                second = await self._answering.answer(
                    one, fitting, deadline_s=left, priority=priority, explain=explain
                )
            except Overloaded:
                break
            if second.status == "completed":
                log.warning(
                    "prediction.stood_in",
                    model=f"{card.name}@{card.version}",
                    by=f"{one.name}@{one.version}",
                    reason=first.error_code,
                )
                return _in_place(first, second, one)
            first = _with_spent(first, second)
        return first

    async def _candidates(self, card: ModelCard, champion: ModelCard | None) -> Sequence[ModelCard]:
        found = await self._models.last_good(card)
        if champion is None:
            return found
        return [champion, *(one for one in found if one.id != champion.id)]

    async def _fitting(
        self,
        one: ModelCard,
        given: dict[str, Any],
        asked: Asked | None,
        *,
        anywhere: bool = False,
    ) -> Asked | None:
        """Return what a version is to be asked, None if it cannot answer that question."""
        try:
            own = await self._answering.prepare(one, given)
        except Refusal:
            return None  # its files are damaged too, or it reads something else
        if not anywhere and _FOREIGN.intersection(m.runtime for m in own.bundle.members):
            return None
        if asked is not None and not same_question(asked.bundle, own.bundle, given):
            return None
        return own


def same_question(one: Bundle, other: Bundle, given: dict[str, Any]) -> bool:
    """Tell whether two bundles answer an input with the same kind of thing.

    About a market they may read different features of it; rows must have the same columns.
    """
    columns = [{(column.name, column.kind) for column in each.inputs} for each in (one, other)]
    units = {each.unit for each in (one, other) if each.unit}
    return (
        (one.task, one.timeframe, one.horizon_bars)
        == (other.task, other.timeframe, other.horizon_bars)
        and _kind(one.head) == _kind(other.head)
        and set(one.head.classes) == set(other.head.classes)
        and len(units) < 2
        and ("symbol" in given or columns[0] == columns[1])
    )


def _kind(head: Head) -> str:
    return head.kind if head.kind in ("classes", "text", "paths") else "number"


def _in_place(first: Answered, second: Answered, one: ModelCard) -> Answered:
    told = _with_spent(second, first)
    return msgspec.structs.replace(
        told,
        latency_ms=first.latency_ms + second.latency_ms,
        stood_in=StandIn(model_id=one.id, because=first.error or "It did not answer."),
    )


def _with_spent(kept: Answered, in_vain: Answered) -> Answered:
    """Enter with an answer what was spent on one that is not shown."""
    spent = tuple(msgspec.structs.replace(one, in_vain=True) for one in in_vain.spent)
    return msgspec.structs.replace(
        kept, spent=(*kept.spent, *spent), cost=_both(kept.cost, in_vain.cost)
    )


def _both(shown: PredictionCost | None, tried: PredictionCost | None) -> PredictionCost | None:
    if tried is None or (tried.priced and tried.amount == "0"):
        return shown
    if shown is None:
        return tried
    if shown.priced and shown.amount == "0":
        return msgspec.structs.replace(tried, words=f"{tried.words} (for the try in vain)")
    return msgspec.structs.replace(
        tried,
        amount=plain(Decimal(shown.amount) + Decimal(tried.amount)),
        priced=shown.priced and tried.priced,
        words=f"{shown.words}; and for the try in vain {tried.words}",
        input_tokens=shown.input_tokens + tried.input_tokens,
        output_tokens=shown.output_tokens + tried.output_tokens,
        cached_tokens=shown.cached_tokens + tried.cached_tokens,
        models=[*shown.models, *tried.models],
    )
