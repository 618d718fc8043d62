"""From bars to a judged version: what is stored, what is said, and what a kill leaves."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from app.domain.errors import Invalid, NotFound
from app.domain.jobs import Job
from app.domain.training import TrainCommand
from app.services.training.training_records import record_of
from inference.training.evaluation.comparison import LOSSES_FILE
from tests.integration.training.training_desk import TrainingDesk


async def test_a_training_ends_in_a_ready_version_with_its_lineage(desk: TrainingDesk) -> None:
    job, card = await desk.train(horizon=5)

    assert (job.status, job.error) == ("completed", None)
    assert card is not None
    assert job.result is not None
    assert job.result["model"] == "echo-5@1"
    assert job.result["modelId"] == str(card.id)
    assert (card.status, card.aliases) == ("ready", ())
    assert card.artifact is not None
    assert (desk.artifacts.open(card.artifact) / LOSSES_FILE).exists()
    evaluation = card.evaluation()
    assert evaluation is not None
    assert card.performance.mse == evaluation.loss
    lineage = await desk.models.lineage(card.id)
    assert lineage.dataset is not None
    assert (lineage.dataset.name, lineage.dataset.size) == ("Bars of everything, 1d", 500)
    record = record_of(card)
    assert record is not None
    assert record.digest == lineage.dataset.digest
    assert record.symbols == ("AAA", "BBB")
    assert record.options["horizon"] == 5
    assert [path.name for path in (desk.data_dir / "training").iterdir()] == []


async def test_a_model_with_skill_is_deployed_as_the_first_champion(desk: TrainingDesk) -> None:
    job, card = await desk.train(deploy=True)

    assert card is not None
    assert (card.status, card.aliases) == ("deployed", ("champion",))
    assert job.result is not None
    assert job.result["judgement"]["why"].startswith("It is the first champion")


async def test_a_model_without_skill_stays_ready_and_says_why(desk: TrainingDesk) -> None:
    job, card = await desk.train(deploy=True, skill=0.01)

    assert card is not None
    assert card.status == "ready"
    assert job.result is not None
    assert "not above 0" in job.result["judgement"]["why"]


async def test_a_better_model_takes_the_place_of_the_champion(desk: TrainingDesk) -> None:
    await desk.train(deploy=True, gain=40.0)
    job, card = await desk.train(deploy=True, gain=1.0)

    assert job.result is not None
    assert job.result["judgement"]["why"].startswith("It is better than echo-1@1")
    assert card is not None
    assert card.aliases == ("champion",)
    was = (await desk.versions())[0]
    assert (was.status, was.aliases) == ("deprecated", ())


async def test_a_worse_model_leaves_the_champion_alone(desk: TrainingDesk) -> None:
    await desk.train(deploy=True, gain=1.0)
    job, card = await desk.train(deploy=True, gain=40.0)

    assert job.result is not None
    assert "worse than echo-1@1" in job.result["judgement"]["why"]
    assert job.result["judgement"]["comparison"]["verdict"] == "worse"
    assert card is not None
    assert card.status == "ready"
    assert (await desk.versions())[0].aliases == ("champion",)


async def test_another_design_that_is_alike_does_not_take_over_and_a_refit_does(
    desk: TrainingDesk,
) -> None:
    await desk.train(deploy=True)
    job, _ = await desk.train(deploy=True, skill=0.2)
    assert job.result is not None
    assert "not measurably better" in job.result["judgement"]["why"]

    for symbol in ("AAA", "BBB"):
        await desk.add_bars(symbol, 10)
    job, card = await desk.train(deploy=True)

    assert job.result is not None
    assert "the same design on older data" in job.result["judgement"]["why"]
    assert card is not None
    assert card.aliases == ("champion",)
    assert (await desk.versions())[0].status == "deprecated"


async def test_a_refit_on_newer_bars_of_others_takes_over_and_on_older_ones_does_not(
    desk: TrainingDesk,
) -> None:
    await desk.stock("NEWER", bars=300)
    whys = []
    for symbol in ("AAA", "NEWER", "BBB"):
        command = TrainCommand(recipe="echo", symbols=(symbol,), deploy=True)
        job, _ = await desk.done(await desk.training.submit(command, by=None))
        assert job.result is not None
        whys.append(job.result["judgement"]["why"])

    assert "the same design on older data; they share only 0 cases" in whys[1]
    assert "not comparable" in whys[2]
    assert [card.aliases for card in await desk.versions()] == [(), ("champion",), ()]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"behaviour": "bad_input"}, "The recipe 'echo' was told to refuse."),
        ({"behaviour": "broken"}, "ZeroDivisionError: a bug"),
        ({"behaviour": "greedy"}, "more than 2.0 GiB"),
    ],
)
async def test_a_recipe_that_fails_leaves_a_failed_version_and_its_job_says_so(
    desk: TrainingDesk, options: dict[str, Any], says: str
) -> None:
    job, card = await desk.train(**options)

    assert job.status == "failed"
    assert says in (job.error or "")
    assert card is not None
    assert (card.status, card.failure) == ("failed", job.error)
    assert card.training_dataset_version_id is not None


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_a_worker_that_keeps_dying_fails_the_job_and_is_named(desk: TrainingDesk) -> None:
    pytest.importorskip("torch")
    options = {"workers": 2, "device": "cpu", "study": {"behaviour": "dies", "of": 1}}
    job = await desk.training.submit(TrainCommand(recipe="team", options=options), by=None)
    assert job.title == "Training team-1 with 2 workers"

    ended, _ = await desk.done(job)

    assert ended.status == "failed"
    assert ended.error == (
        "Worker 2 of 2 of the training was killed (signal 9, SIGKILL), perhaps for want of memory. "
        "That happened 3 times."
    )
    why = await desk.database.fetchval("SELECT failure FROM models WHERE recipe = 'team'")
    assert why == ended.error


async def test_too_few_bars_say_so(desk: TrainingDesk) -> None:
    await desk.stock("CCC", bars=40)

    job, card = await desk.train()

    assert job.error == "It needs 100 bars of each instrument."
    assert card is not None
    assert card.status == "failed"


async def test_what_cannot_be_asked_for_is_refused_at_once(desk: TrainingDesk) -> None:
    async def asked(**changes: Any) -> None:
        await desk.training.submit(TrainCommand(**{"recipe": "echo", **changes}), by=None)

    with pytest.raises(Invalid, match="there are: echo"):
        await asked(recipe="alchemy")
    with pytest.raises(Invalid, match="no option 'depth'"):
        await asked(options={"depth": 3})
    with pytest.raises(Invalid, match="is a int"):
        await asked(options={"horizon": "five"})
    with pytest.raises(Invalid, match="RAY_ADDRESS"):
        await asked(backend="ray")
    with pytest.raises(NotFound, match="ZZZ"):
        await asked(symbols=("ZZZ",))
    with pytest.raises(NotFound, match="no dataset"):
        await asked(dataset="nothing@3")
    with pytest.raises(Invalid, match="not several"):
        await asked(symbols=("AAA",), market="equity USD")
    assert await desk.versions() == []


async def test_the_same_training_is_not_queued_twice(desk: TrainingDesk) -> None:
    first, second = await desk.ask(horizon=5), await desk.ask(horizon=5)
    other = await desk.ask(horizon=1)

    assert first.id == second.id
    assert other.id != first.id


async def test_a_recorded_version_is_learned_from_again_whatever_was_corrected_since(
    desk: TrainingDesk,
) -> None:
    _, first = await desk.train()
    await desk.add_bars("AAA", 20)
    assert first is not None
    record = record_of(first)
    assert record is not None

    job = await desk.training.submit(TrainCommand(recipe="echo", dataset=record.dataset), by=None)
    _, again = await desk.done(job)

    assert again is not None
    assert again.id != first.id
    assert again.artifact == first.artifact


async def test_cancelling_ends_a_training_and_its_version(desk: TrainingDesk) -> None:
    job = await desk.ask(behaviour="hangs")
    async with desk.jobs:
        await _trains(desk, job)
        await desk.database.execute("UPDATE jobs SET cancel_asked = true WHERE id = $1", job.id)
        async with asyncio.timeout(20):
            ended = await desk.jobs.wait(job.id)

    assert ended.status == "cancelled"
    (card,) = await desk.versions()
    assert (card.status, card.failure) == ("failed", "It was cancelled.")
    assert list((desk.data_dir / "training").iterdir()) == []


async def test_a_desk_that_shuts_down_leaves_the_training_to_the_next_one(
    desk: TrainingDesk,
) -> None:
    job = await desk.ask(step_s=0.1)
    async with asyncio.timeout(30):
        async with desk.jobs:
            await _trains(desk, job)
    (card,) = await desk.versions()
    assert card.status == "training"

    next_desk = TrainingDesk(desk.database, desk.data_dir)
    ended, after = await next_desk.done(job)

    assert ended.status == "completed"
    assert after is not None
    assert (after.id, after.status) == (card.id, "ready")
    assert len(await desk.versions()) == 1


async def test_a_training_whose_process_was_killed_is_started_again(desk: TrainingDesk) -> None:
    job, card = await desk.train(behaviour="dies_once")

    assert job.status == "completed"
    assert card is not None
    assert (card.version, card.status) == ("1", "ready")


async def test_a_job_that_was_given_up_leaves_no_version_in_training(desk: TrainingDesk) -> None:
    job = await desk.ask(behaviour="hangs")
    async with desk.jobs:
        await _trains(desk, job)
    await desk.database.execute(
        "UPDATE jobs SET status = 'failed', error = 'It died.', ended_at = now() WHERE id = $1",
        job.id,
    )

    await desk.training.tidy()

    (card,) = await desk.versions()
    assert (card.status, card.failure) == ("failed", "It died.")
    assert list((desk.data_dir / "training").iterdir()) == []


async def test_default_models_are_asked_for_once(desk: TrainingDesk) -> None:
    await desk.stock("LONG", bars=800)
    told: list[str] = []
    defaults = desk.defaults()

    assert await defaults.ask(told.append) == ["Training echo-1"]
    assert await defaults.ask(told.append) == []
    assert told == [
        "Training 1 models on LONG in the background; 'outcry job list' shows how far they are."
    ]
    queued = await desk.database.fetchval("SELECT id FROM jobs")
    await desk.jobs.work_on(queued)
    (card,) = await desk.versions()
    assert card.aliases == ("champion",)
    record = record_of(card)
    assert record is not None
    assert record.symbols == ("LONG",)
    await desk.database.execute("DELETE FROM jobs")
    await desk.add_bars("LONG", 5)
    assert await defaults.ask(told.append) == []


async def test_a_desk_without_enough_bars_says_so(desk: TrainingDesk) -> None:
    told: list[str] = []

    assert await desk.defaults().ask(told.append) == []
    assert "no instrument has 750 daily bars" in told[0]


async def test_champions_are_trained_anew_by_the_clock_where_there_are_newer_bars(
    desk: TrainingDesk,
) -> None:
    await desk.train(deploy=True)
    defaults = desk.defaults(retrain_days=30)

    assert await defaults.ask_again(print) == []
    desk.clock.ahead = timedelta(days=31)
    assert await defaults.ask_again(print) == []  # nothing new to learn from
    await desk.add_bars("AAA", 3)
    assert await defaults.ask_again(print) == ["Training echo-1"]
    assert await defaults.ask_again(print) == []
    queued = await desk.database.fetchval("SELECT id FROM jobs WHERE status = 'queued'")
    await desk.jobs.work_on(queued)
    old, new = await desk.versions()
    assert (old.status, new.aliases) == ("deprecated", ("champion",))


async def _trains(desk: TrainingDesk, job: Job) -> None:
    """Wait until the job's recipe runs."""
    running = asyncio.Event()

    def seen(now: Job) -> None:
        if now.status == "running" and now.stage not in ("", "recording the data", "starting"):
            running.set()

    watching = asyncio.create_task(desk.jobs.wait(job.id, seen=seen))
    async with asyncio.timeout(20):
        await running.wait()
    watching.cancel()
