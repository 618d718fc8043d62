"""From data to a registered, judged model version: one job, whatever process dies meanwhile.

The data is recorded, a version is begun under an id that follows from the job's, the recipe runs
in a process of its own, and the version is stored, taken to `ready` and perhaps deployed. Each step
finds what an earlier attempt did, so that a job leaves one version.
"""

import asyncio
import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import structlog

from app.domain.errors import Invalid
from app.domain.ids import UserId, derived_id
from app.domain.jobs import Job
from app.domain.training import TrainCommand, TrainingRecord, TrainingState
from app.services.datasets.datasets import BarsWanted, Datasets, Recorded, TableRecorded
from app.services.job_runs import JobCancelled, JobFailed, JobRun, to_its_end
from app.services.jobs import FOR_PEOPLE, Jobs
from app.services.training.promotion import judge
from app.services.training.training_ports import (
    Finished,
    NewTraining,
    TrainedModels,
    TrainingHistory,
)
from app.services.training.training_records import (
    checked_table,
    code_of,
    horizon_of,
    learns_from_tables,
    model_name,
    result_of,
    title_of,
    training_folders,
    type_of,
)
from inference.cards import ModelCard, ModelParameters
from inference.errors import BadInput
from inference.training.backends.backend import (
    CATALOG,
    Backend,
    Outcome,
    TrainingLost,
    TrainingTask,
    model_folder,
)
from inference.training.backends.local import forget
from inference.training.recipe import Recipe, with_defaults

log = structlog.get_logger(__name__)

KIND = "train"
_DATA, _TRAINED = 2.0, 96.0
"""Percent of a job when the data is there, and when the recipe has run."""
_MOST_LOST = 3


class TrainingPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What a training may take."""

    memory_bytes: int | None = 4 * 1024**3
    limit_s: float = 6 * 3600.0
    threads: int = 2
    """Of a training that somebody waits for."""
    nice: int = 5
    background_nice: int = 15


class Training:
    """The use case."""

    def __init__(
        self,
        models: TrainedModels,
        datasets: Datasets,
        jobs: Jobs,
        history: TrainingHistory,
        *,
        recipes: Mapping[str, Recipe],
        backends: Mapping[str, Callable[[], Backend]],
        root: Path,
        clock: Callable[[], datetime],
        catalog: str = CATALOG,
        policy: TrainingPolicy | None = None,
    ) -> None:
        """Args:
        backends: by name; the first one is for those who name none.
        root: the folder in which trainings keep what they are at.
        catalog: the module that has `recipes`, for the processes that run them.
        """
        self._models = models
        self._datasets = datasets
        self._jobs = jobs
        self._history = history
        self._recipes = recipes
        self._backends = backends
        self._root = root
        self._clock = clock
        self._catalog = catalog
        self._policy = policy or TrainingPolicy()
        jobs.register(KIND, self.carry_out)

    # --- asking ---------------------------------------------------------------------------------

    def recipes(self) -> list[Recipe]:
        """Return what can be trained."""
        return list(self._recipes.values())

    def recipe(self, name: str) -> Recipe:
        """Return one recipe.

        Raises:
            Invalid: there is no such recipe.
        """
        if name not in self._recipes:
            known = ", ".join(self._recipes) or "none yet"
            raise Invalid(
                f"There is no recipe {name[:80]!r}; there are: {known}.", code="unknown_recipe"
            )
        return self._recipes[name]

    async def submit(
        self, command: TrainCommand, *, by: UserId | None, after_s: float = 0.0
    ) -> Job:
        """Queue a training; the same one is not queued twice.

        Raises:
            Invalid: recipe, option, backend or timeframe is unknown, or they contradict each other.
            NotFound: an instrument or dataset is unknown.
        """
        recipe = self.recipe(command.recipe)
        try:
            options = with_defaults(recipe, command.options)
        except BadInput as wrong:
            raise Invalid(f"{_upper(str(wrong))}.", code=wrong.code) from None
        self._backend_of(command)
        table = await self._check_data(command, recipe, options)
        asked = msgspec.to_builtins(command)
        return await self._jobs.submit(
            KIND,
            title=title_of(recipe, options, table),
            payload={**asked, "by": None if by is None else str(by)},
            owner=by,
            dedupe_key=f"train:{_digest(asked)}",
            after_s=after_s,
        )

    async def _check_data(
        self, command: TrainCommand, recipe: Recipe, options: dict[str, Any]
    ) -> TableRecorded | None:
        """See that there is what the recipe learns from; return the table, where it is one."""
        given = [bool(command.symbols), command.market is not None, command.dataset is not None]
        if sum(given) > 1:
            raise Invalid("Give symbols, a market or a dataset, not several of them.")
        if command.dataset is None:
            if learns_from_tables(recipe):
                raise Invalid(
                    f"The recipe {recipe.name!r} learns from a collected table: name a dataset."
                )
            await self._datasets.check(self._wanted(command))
            return None
        recorded = await self._datasets.recorded(command.dataset)
        return checked_table(recorded, recipe, options, self.recipes())

    def _backend_of(self, command: TrainCommand) -> Callable[[], Backend]:
        """Return what makes the backend that is asked for.

        Raises:
            Invalid: it is not set up here.
        """
        if command.backend is None:
            return next(iter(self._backends.values()))
        if command.backend not in self._backends:
            raise Invalid(
                f"The backend {command.backend!r} is not set up here; there is: "
                f"{', '.join(self._backends)}. RAY_ADDRESS names a Ray cluster.",
                code="unknown_backend",
            )
        return self._backends[command.backend]

    async def tidy(self) -> None:
        """Fail versions whose job was given up, and remove what ended trainings left on the disk.

        A job whose process died too often, or that was cancelled while nobody had it, ends without
        its handler.
        """
        for _, model_id, why in await self._history.abandoned():
            await self._models.fail(model_id, why)
        for folder in await asyncio.to_thread(training_folders, self._root):
            if await self._history.is_over(UUID(folder.name)):
                await asyncio.to_thread(forget, folder)

    # --- doing ----------------------------------------------------------------------------------

    async def carry_out(self, job: JobRun) -> dict[str, Any]:
        """Do a training's job.

        Raises:
            JobFailed: there will be no model; the message says why.
            JobCancelled: nobody wants it any more.
        """
        by = job.payload.get("by")
        asked = {key: value for key, value in job.payload.items() if key != "by"}
        command = msgspec.convert(asked, TrainCommand)
        recipe = self.recipe(command.recipe)
        model_id = derived_id(job.id, "model")
        try:
            return await self._train(job, command, recipe, None if by is None else UserId(by))
        except (JobCancelled, asyncio.CancelledError):
            # If not, the process is shutting down, or another one has the job: it goes on there.
            if job.stop.is_set():
                await to_its_end(self._end_cancelled(job, model_id))
            raise
        except Exception as failure:
            for_people = isinstance(failure, FOR_PEOPLE)
            why = _upper(str(failure)) if for_people else "It failed for a reason of its own."
            await self._models.fail(model_id, why)
            await asyncio.to_thread(forget, self._folder(job))
            if not for_people:
                raise
            raise JobFailed(why) from failure

    async def _end_cancelled(self, job: JobRun, model_id: UUID) -> None:
        if await self._history.cancel_asked(job.id):
            await self._models.fail(model_id, "It was cancelled.")
            await asyncio.to_thread(forget, self._folder(job))

    async def _train(
        self, job: JobRun, command: TrainCommand, recipe: Recipe, by: UserId | None
    ) -> dict[str, Any]:
        state = msgspec.convert(job.state, TrainingState)
        options = with_defaults(recipe, command.options)
        await job.progress(0.0, "recording the data")
        recorded = await self._recorded(command, state, by)
        state = msgspec.structs.replace(state, digest=recorded.version.digest)
        await job.progress(_DATA / 2, "recording the data", msgspec.to_builtins(state))
        card = await self._models.begin(
            NewTraining(
                id=derived_id(job.id, "model"),
                name=model_name(recipe, options, recorded.table),
                recipe=recipe,
                type=type_of(recipe, options, recorded.table),
                parameters=ModelParameters(custom_params=options),
                dataset=recorded.version,
                timeframe=None if recorded.bars is None else recorded.bars.timeframe,
                horizon_bars=horizon_of(options),
                created_by=by,
            )
        )
        if card.status == "failed":
            raise JobFailed(card.failure or "It failed.")
        state = msgspec.structs.replace(state, model_id=card.id)
        await job.progress(_DATA, "starting", msgspec.to_builtins(state))
        if card.status in ("training", "validating"):
            outcome = await self._run(job, command, state, recorded)
            await job.progress(_TRAINED, "storing the model")
            card = await self._finish(job, command, recipe, card, recorded, outcome)
        await job.progress(98.0, "judging it")
        judgement = await judge(card, self._models, wanted=command.deploy)
        await asyncio.to_thread(forget, self._folder(job))
        return result_of(card, judgement)

    async def _recorded(
        self, command: TrainCommand, state: TrainingState, by: UserId | None
    ) -> Recorded:
        """Return the data: of an earlier attempt if its numbers are still here."""
        if command.dataset is not None:
            return await self._datasets.recorded(command.dataset)
        if state.digest is not None and await self._datasets.is_here(state.digest):
            return await self._datasets.recorded(state.digest)
        return await self._datasets.record_bars(self._wanted(command), by=by)

    def _wanted(self, command: TrainCommand) -> BarsWanted:
        return BarsWanted(
            symbols=command.symbols,
            market=command.market,
            timeframe=command.timeframe,
            as_of=command.as_of or self._clock(),
            as_known=command.as_of is not None,
        )

    async def _run(
        self, job: JobRun, command: TrainCommand, state: TrainingState, recorded: Recorded
    ) -> Outcome:
        """Have the recipe run until it has ended; a process that went away is started again."""
        backend = self._backend_of(command)()
        policy = self._policy
        task = TrainingTask(
            recipe=command.recipe,
            options=command.options,
            as_of=recorded.as_of,
            seed=command.seed,
            snapshot=str(recorded.path.resolve()),
            manifest=recorded.bars,
            texts=recorded.texts,
            table=None if recorded.table is None else recorded.table.plan,
            catalog=self._catalog,
            threads=1 if command.in_background else policy.threads,
            nice=policy.background_nice if command.in_background else policy.nice,
            memory_bytes=policy.memory_bytes,
            limit_s=policy.limit_s,
        )

        async def on_progress(share: float, said: str) -> None:
            await job.progress(_DATA + (_TRAINED - _DATA) * min(max(share, 0.0), 1.0), said)

        while True:
            try:
                return await self._unless_stopped(
                    job, backend.run(task, self._folder(job), on_progress)
                )
            except TrainingLost as lost:
                state = msgspec.structs.replace(state, lost=state.lost + 1)
                log.warning("training.lost", job_id=str(job.id), times=state.lost, why=str(lost))
                if state.lost >= _MOST_LOST:
                    raise JobFailed(f"{lost} That happened {state.lost} times.") from lost
                await job.progress(_DATA, "starting again", msgspec.to_builtins(state))

    async def _unless_stopped(self, job: JobRun, work: Any) -> Outcome:
        """Return what `work` gives, or end it as soon as the job is to end.

        A recipe may be silent for long: its end must not wait for its next word.
        """
        running = asyncio.ensure_future(work)
        stopped = asyncio.ensure_future(job.stop.wait())
        try:
            await asyncio.wait({running, stopped}, return_when=asyncio.FIRST_COMPLETED)
            if running.done():
                outcome: Outcome = running.result()
                return outcome
            raise JobCancelled
        finally:
            stopped.cancel()
            if not running.done():
                running.cancel()
                await asyncio.wait({running})

    async def _finish(
        self,
        job: JobRun,
        command: TrainCommand,
        recipe: Recipe,
        card: ModelCard,
        recorded: Recorded,
        outcome: Outcome,
    ) -> ModelCard:
        version, manifest = recorded.version, recorded.manifest
        record = TrainingRecord(
            recipe=recipe.name,
            code=code_of(recipe),
            options=with_defaults(recipe, command.options),
            seed=command.seed,
            dataset=f"{version.name}@{version.version}",
            digest=version.digest,
            symbols=() if recorded.bars is None else recorded.bars.symbols,
            rows=manifest.rows,
            as_of=recorded.as_of,
            command=command,
            backend=self._backend_of(command)().name,
            seconds=round(outcome.seconds, 3),
            peak_bytes=outcome.peak_bytes,
            job_id=job.id,
            once=command.once,
        )
        evaluation = outcome.evaluation
        metrics = {
            **outcome.metrics,
            "evaluation": None if evaluation is None else msgspec.to_builtins(evaluation),
            "training": msgspec.to_builtins(record),
            "notes": [*outcome.notes, *recorded.survivorship],
        }
        return await self._models.finish(
            card.id,
            Finished(
                folder=model_folder(self._folder(job)),
                parameters=outcome.parameters,
                performance=outcome.performance,
                validation_metrics=metrics,
                trained_at=self._clock(),
                data=recorded,
            ),
        )

    def _folder(self, job: JobRun) -> Path:
        return self._root / str(job.id)


def _digest(asked: dict[str, Any]) -> str:
    return hashlib.sha256(msgspec.json.encode(asked, order="deterministic")).hexdigest()[:32]


def _upper(text: str) -> str:
    return text[:1].upper() + text[1:]
