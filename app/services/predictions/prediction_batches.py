"""Predictions by the thousand: written down first, then made lot by lot as a job.

What is asked stands in the predictions themselves, so that a job whose process died goes on with
those that are still pending, and none is made twice.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime
from time import monotonic
from typing import Any
from uuid import UUID

import msgspec

from app.domain.errors import Conflict, Invalid, Refusal, TooLarge, Unreadable
from app.domain.ids import UserId, new_id
from app.domain.jobs import Job
from app.domain.predictions import Answered, NewPrediction, Prediction, PredictionFilter
from app.domain.principal import Principal
from app.services.experiments.routes import is_pinned
from app.services.job_runs import JobCancelled, JobRun
from app.services.jobs import Jobs
from app.services.predictions.answering import Answering, Asked
from app.services.predictions.prediction_inputs import hash_of
from app.services.predictions.prediction_ports import ModelBook, PredictionStore
from app.services.predictions.predictions import SERVES
from app.services.predictions.stand_ins import NobodyElse, StandIns
from inference.cards import ModelCard
from inference.errors import Overloaded

KIND = "predictions.batch"
MOST = 10_000
LOT = 256
_DEADLINE_S = 60.0
_PAGE = 500
_ATTEMPTS = 30


class BatchCommand(msgspec.Struct, frozen=True, kw_only=True):
    """Many inputs for one model."""

    model: str
    inputs: list[dict[str, Any]]
    explain: bool = False


class PredictionBatches:
    """The use cases of batches."""

    def __init__(
        self,
        store: PredictionStore,
        models: ModelBook,
        answering: Answering,
        jobs: Jobs,
        *,
        clock: Callable[[], datetime],
        stand_ins: StandIns | None = None,
    ) -> None:
        self._store = store
        self._models = models
        self._answering = answering
        self._jobs = jobs
        self._stand_ins = stand_ins or StandIns(NobodyElse(), answering)
        self._clock = clock
        jobs.register(KIND, self.carry_out)

    async def submit(self, principal: Principal, command: BatchCommand) -> Job:
        """Write down what is asked, and queue the job that answers it.

        Raises:
            NotFound: no such model.
            Conflict: it does not serve.
            Invalid, TooLarge: there are no inputs, or more than a batch may have.
        """
        if not command.inputs:
            raise Invalid("`inputs` is empty.")
        if len(command.inputs) > MOST:
            raise TooLarge(
                f"A batch may have {MOST:,} inputs; this one has {len(command.inputs):,}."
            )
        card = await self._models.find(command.model)
        if card.status not in SERVES:
            raise Conflict(
                f"{card.name}@{card.version} is {card.status} and does not serve.",
                code="model_not_serving",
            )
        batch, now = f"batch {new_id()} ", self._clock()
        await self._store.begin_many(
            [
                NewPrediction(
                    id=new_id(),
                    model_id=card.id,
                    user_id=principal.user_id,
                    request_id=f"{batch}{index:06d}",
                    input=given,
                    input_hash=hash_of(str(card.id), given, explain=command.explain),
                    created_at=now,
                    status="pending",
                )
                for index, given in enumerate(command.inputs)
            ]
        )
        job = await self._jobs.submit(
            KIND,
            title=f"{len(command.inputs):,} predictions of {card.name}@{card.version}",
            payload={
                "batch": batch,
                "modelId": str(card.id),
                "userId": str(principal.user_id),
                "count": len(command.inputs),
                "explain": command.explain,
                "alone": is_pinned(command.model),
            },
            owner=principal.user_id,
        )
        await self._store.attach_job(principal.user_id, batch, job.id)
        return job

    async def carry_out(self, run: JobRun) -> dict[str, Any]:
        """Make what a batch is still waiting for."""
        payload = run.payload
        # Whoever submitted it may have died before it could say so.
        user_id = UserId(UUID(payload["userId"]))
        count = await self._store.attach_job(user_id, payload["batch"], run.id)
        card = await self._models.find(payload["modelId"])
        try:
            while waiting := await self._store.waiting(run.id, limit=LOT):
                tally = await self._tally(run.id)
                done = count - tally["pending"] - tally["processing"]
                await run.progress(
                    100.0 * done / max(count, 1), f"made {done:,} of {count:,} predictions"
                )
                await self._make(
                    card.id,
                    waiting,
                    explain=bool(payload.get("explain")),
                    alone=bool(payload.get("alone", True)),
                )
        except JobCancelled:
            await self._store.cancel_waiting(run.id)
            raise
        tally = await self._tally(run.id)
        return {"count": count, "model": f"{card.name}@{card.version}", **tally}

    async def rows(self, principal: Principal, job_id: UUID) -> AsyncIterator[list[Prediction]]:
        """Yield the predictions of a job of the caller's, a page at a time."""
        after = None
        while True:
            found = await self._store.page(
                principal.user_id, PredictionFilter(job_id=job_id), after=after, limit=_PAGE
            )
            if found:
                yield found
            if len(found) < _PAGE:
                return
            after = (found[-1].created_at, found[-1].id)

    async def _make(
        self, model_id: UUID, waiting: Sequence[Prediction], *, explain: bool, alone: bool
    ) -> None:
        card = await self._models.find(str(model_id))
        answers: list[tuple[UUID, Answered]] = []
        fitting: list[tuple[UUID, Asked]] = []
        for one in waiting:
            try:
                fitting.append((one.id, await self._answering.prepare(card, one.input)))
            except Refusal as refusal:
                refused = Answered(
                    status="failed",
                    latency_ms=0.0,
                    error_code=refusal.code,
                    error=refusal.message,
                    away=isinstance(refusal, Unreadable),
                )
                answers.append((one.id, refused))
        if fitting:
            made = await self._patiently(card, [asked for _, asked in fitting], explain=explain)
            answers += [(one[0], answer) for one, answer in zip(fitting, made, strict=True)]
        if not alone:
            asked = dict(fitting)
            given = {one.id: one.input for one in waiting}
            answers = [
                (
                    id_,
                    await self._or_another(
                        card, given[id_], answer, asked.get(id_), explain=explain
                    ),
                )
                for id_, answer in answers
            ]
        await self._store.finish_many(answers)

    async def _or_another(
        self,
        card: ModelCard,
        given: dict[str, Any],
        answer: Answered,
        asked: Asked | None,
        *,
        explain: bool,
    ) -> Answered:
        """Return what another version says where the model was away."""
        if not answer.away:
            return answer
        until = monotonic() + _DEADLINE_S
        return await self._stand_ins.answer(
            card, given, answer, asked=asked, until=until, priority="batch", explain=explain
        )

    async def _patiently(
        self, card: ModelCard, asked: Sequence[Asked], *, explain: bool
    ) -> list[Answered]:
        """Ask again while too much is waiting: people come first, and a batch has time."""
        for _ in range(_ATTEMPTS - 1):
            try:
                return await self._answering.answer_many(
                    card, asked, deadline_s=_DEADLINE_S, explain=explain
                )
            except Overloaded as full:
                await asyncio.sleep(full.retry_after_s)
        return await self._answering.answer_many(
            card, asked, deadline_s=_DEADLINE_S, explain=explain
        )

    async def _tally(self, job_id: UUID) -> dict[str, int]:
        statuses = ("pending", "processing", "completed", "failed", "timeout")
        return dict.fromkeys(statuses, 0) | await self._store.tally(job_id)
