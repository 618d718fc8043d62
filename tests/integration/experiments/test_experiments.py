"""A new version beside the champion, on a real registry, engine and Postgres."""

import asyncio

import pytest

from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.experiments import Experiment, ExperimentMode
from app.domain.predictions import PredictionFilter
from app.domain.principal import Principal
from tests.integration.experiments.experiment_desk import NAME, ExperimentDesk


async def start(
    desk: ExperimentDesk,
    *,
    mode: ExperimentMode = "shadow",
    share: float = 1.0,
    alpha: float = 0.05,
) -> Experiment:
    return await desk.experiments.start(NAME, mode=mode, share=share, alpha=alpha, by=None)


async def test_a_bad_new_version_is_caught_before_it_becomes_champion(
    desk: ExperimentDesk, ann: Principal
) -> None:
    champion = await desk.deploy("1", "champion")
    bad = await desk.deploy("2", "challenger", bias=2.5)
    experiment = await start(desk)
    early = await desk.experiments.reading(experiment.id)
    assert (early.verdict, early.pairs) == ("too early", 0)

    await desk.live(ann, 70)

    seen = await desk.predictions.page(ann, PredictionFilter(), cursor=None, limit=200)
    assert len(seen.items) == 70
    assert {one.model_id for one in seen.items} == {champion.id}, "people saw the champion alone"
    reading = await desk.experiments.reading(experiment.id)
    assert reading.verdict == "worse", reading
    assert reading.pairs > 40
    assert reading.evidence_worse > reading.evidence_needed > reading.evidence_better
    assert reading.skill is not None
    assert reading.skill_high is not None
    assert reading.skill_high < 0
    assert not reading.split.is_broken

    (ended,) = await desk.experiments.look()
    assert ended.status == "rejected"
    assert ended.decision is not None
    assert "worse" in ended.decision["reason"]
    assert ended.decision["reading"]["pairs"] == reading.pairs
    assert (await desk.registry.get(bad.id)).status == "deprecated"
    assert (await desk.registry.find(f"{NAME}@champion")).id == champion.id
    assert await desk.experiments.look() == []
    with pytest.raises(Conflict) as refused:
        await desk.experiments.promote(experiment.id, by=None, reason="I like it")
    assert refused.value.code == "experiment_ended"


async def test_a_better_version_is_promoted_on_the_evidence(
    desk: ExperimentDesk, ann: Principal
) -> None:
    old = await desk.deploy("1", "champion", bias=2.5)
    good = await desk.deploy("2", "challenger")
    experiment = await start(desk, mode="ab", share=0.5)
    with pytest.raises(Conflict) as refused:
        await desk.experiments.promote(experiment.id, by=None, reason=None)
    assert refused.value.code == "not_proven"

    await desk.live(ann, 70, ("AAA", "BBB"))

    seen = await desk.predictions.page(ann, PredictionFilter(), cursor=None, limit=200)
    shown = [one.model_id for one in seen.items]
    assert 45 <= shown.count(good.id) <= 95, "a share was answered by the challenger"
    reading = await desk.experiments.reading(experiment.id)
    assert reading.verdict == "better", reading.words
    assert reading.split.requests == 140
    assert reading.split.challenger == shown.count(good.id)
    assert await desk.experiments.look() == [], "an admin decides what is better"

    ended = await desk.experiments.promote(experiment.id, by=None, reason=None)
    assert ended.status == "promoted"
    assert (await desk.registry.find(f"{NAME}@champion")).id == good.id
    assert (await desk.registry.get(old.id)).status == "deprecated"
    assert (await desk.ask(ann, "AAA")).model_id == good.id


async def test_one_like_the_champion_is_not_told_apart(
    desk: ExperimentDesk, ann: Principal
) -> None:
    await desk.deploy("1", "champion")
    await desk.deploy("2", "challenger", bias=1e-9)
    experiment = await start(desk)
    await desk.live(ann, 30)
    reading = await desk.experiments.reading(experiment.id)
    assert reading.verdict == "too early"
    assert "cannot be told apart" in reading.words
    assert await desk.experiments.look() == []


async def test_the_same_request_gets_the_same_version_and_who_names_one_gets_it(
    desk: ExperimentDesk, ann: Principal
) -> None:
    champion = await desk.deploy("1", "champion")
    challenger = await desk.deploy("2", "challenger", bias=0.5)
    await start(desk, mode="ab", share=0.5)
    twice = [await desk.ask(ann, "AAA") for _ in range(2)]
    assert twice[0] == twice[1]
    pinned = await desk.ask(ann, "AAA", model=f"{NAME}@1")
    assert pinned.model_id == champion.id
    by_id = await desk.ask(ann, "AAA", model=str(challenger.id))
    assert by_id.model_id == challenger.id
    assert pinned.experiment_id is by_id.experiment_id is None
    await desk.predictions.close()
    rows = await desk.database.fetch("SELECT shadow_of FROM predictions")
    assert len(rows) == 4, "one that counts, its repetition, and two that were chosen"


async def test_a_challenger_that_cannot_answer_harms_nobody_and_is_counted(
    desk: ExperimentDesk, ann: Principal
) -> None:
    champion = await desk.deploy("1", "champion")
    challenger = await desk.deploy("2", "challenger", bias=0.5)
    experiment = await start(desk)
    desk.sick = challenger.artifact
    answered = await desk.ask(ann, "AAA")
    assert (answered.model_id, answered.status) == (champion.id, "completed")
    await desk.predictions.close()
    reading = await desk.experiments.reading(experiment.id)
    assert (reading.unpaired, reading.waiting, reading.pairs) == (1, 0, 0)


async def test_what_cannot_be_compared_is_refused(desk: ExperimentDesk) -> None:
    with pytest.raises(NotFound):
        await start(desk)
    await desk.deploy("1", "champion")
    with pytest.raises(NotFound):
        await start(desk)
    await desk.deploy("2", "challenger")
    for share in (0.0, 1.5):
        with pytest.raises(Invalid):
            await start(desk, share=share)
    with pytest.raises(Invalid):
        await start(desk, mode="ab", share=0.8)
    with pytest.raises(Invalid):
        await start(desk, alpha=0.5)
    one = await start(desk)
    with pytest.raises(Conflict) as refused:
        await start(desk)
    assert refused.value.code == "experiment_running"
    stopped = await desk.experiments.stop(one.id, by=None, reason="a try")
    assert stopped.status == "stopped"
    assert (await start(desk)).id != one.id
    page = await desk.experiments.page(model=NAME, status=None, cursor=None, limit=1)
    assert page.next_cursor is not None


async def test_two_who_start_one_at_once_start_one(desk: ExperimentDesk) -> None:
    await desk.deploy("1", "champion")
    await desk.deploy("2", "challenger")
    made = await asyncio.gather(start(desk), start(desk), return_exceptions=True)
    assert sorted(type(one).__name__ for one in made) == ["Conflict", "Experiment"]
