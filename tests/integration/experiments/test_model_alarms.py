"""Alarms over models: opened once, told to administrators, closed when over, one look at a time."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest

from app.domain.errors import Invalid, NotFound
from app.domain.ids import UserId, new_id
from app.domain.model_alarms import AlarmFilter, ModelAlarm
from app.domain.principal import Principal
from app.protocol.frames import NoticeFrame
from app.services.models.model_alarms import ModelAlarms, ModelWatch
from app.services.models.model_health import ModelHealth
from app.storage.model_alarms import StoredModelAlarms
from app.storage.model_reports import StoredModelReports
from app.wiring.bundles import Bundles
from tests.integration.experiments.experiment_desk import NAME, ExperimentDesk
from tests.integration.predictions.small_models import VIEW


@pytest.fixture(autouse=True)
async def admin(desk: ExperimentDesk, ann: Principal) -> None:
    """Alarms concern whoever looks after the desk."""
    await desk.database.execute("UPDATE users SET role = 'admin' WHERE id = $1", ann.user_id)


class Told:
    """Who was told what."""

    def __init__(self) -> None:
        self.notices: list[tuple[UserId, NoticeFrame]] = []

    def notify(self, user_id: UserId, notice: NoticeFrame) -> None:
        self.notices.append((user_id, notice))


class Watched:
    """The watch over a desk, as one process has it."""

    def __init__(self, desk: ExperimentDesk) -> None:
        self.told = Told()
        self.store = StoredModelAlarms(desk.database)
        self.alarms = ModelAlarms(self.store, self.told, clock=desk.clock)
        self.health = ModelHealth(
            StoredModelReports(desk.database),
            desk.registry,
            Bundles(desk.artifacts),
            desk.bars,
            {VIEW.key: VIEW},
            clock=desk.clock,
            reported=self.alarms.reported,
        )
        self.watch = ModelWatch(
            self.alarms, self.store, self.health, desk.experiments, clock=desk.clock
        )

    async def listed(self, state: str = "open") -> list[ModelAlarm]:
        page = await self.alarms.page(AlarmFilter(state=state), cursor=None, limit=50)
        return page.items


async def test_a_bad_model_raises_its_alarms_once_and_they_stay_over_restarts(
    desk: ExperimentDesk, ann: Principal
) -> None:
    bad = await desk.deploy("1", "champion", bias=3.0)
    await desk.live(ann, 60)
    first = Watched(desk)
    await first.watch.look()
    opened = await first.listed()
    assert {one.kind for one in opened} == {"skill_lost", "coverage_off", "distributions_wrong"}
    (lost,) = [one for one in opened if one.kind == "skill_lost"]
    assert (lost.model, lost.model_id, lost.looks) == (f"{NAME}@1", bad.id, 1)
    assert lost.figure is not None
    assert lost.figure < 0
    assert "60 forecasts of 60 moments" in lost.measured_over
    assert "worse than its baseline" in lost.words
    assert {notice.title for _, notice in first.told.notices} == {
        f"{NAME}@1: {one.words}" for one in opened
    }
    assert {user for user, _ in first.told.notices} == {ann.user_id}
    assert {notice.kind for _, notice in first.told.notices} == {"modelAlarm"}

    # The next day, another process.
    desk.now += timedelta(days=1, hours=1)
    second = Watched(desk)
    await second.watch.look()
    again = await second.listed()
    assert [one.id for one in again] == [one.id for one in opened]
    assert {one.looks for one in again} == {2}
    assert second.told.notices == []

    # Out of service, nobody measures it any more.
    await desk.deploy("2", "champion")
    await second.watch.look()
    assert await second.listed() == []
    closed = await second.listed("closed")
    assert {one.closed_because for one in closed} == {"It does not serve any more (deprecated)."}


async def test_only_one_process_looks_at_a_time(desk: ExperimentDesk) -> None:
    watched = Watched(desk)
    async with watched.store.alone("model watch") as mine:
        assert mine
        async with StoredModelAlarms(desk.database).alone("model watch") as theirs:
            assert not theirs
        assert await watched.watch.look() == []
    async with watched.store.alone("model watch") as free:
        assert free


async def test_two_looks_at_once_open_one_alarm(desk: ExperimentDesk, ann: Principal) -> None:
    bad = await desk.deploy("1", "champion", bias=3.0)
    await desk.live(ann, 40)
    ones = [Watched(desk) for _ in range(4)]
    await asyncio.gather(*(one.health.look_at(bad) for one in ones))
    kinds = [one.kind for one in await ones[0].listed("all")]
    assert len(kinds) == len(set(kinds))
    assert sum(len(one.told.notices) for one in ones) == len(kinds)


async def test_damaged_files_are_an_alarm_until_the_version_is_put_right_or_retired(
    desk: ExperimentDesk, ann: Principal
) -> None:
    card = await desk.deploy("1", "champion")
    assert card.artifact is not None
    await desk.registry.quarantine(card.artifact, "linear.safetensors is another file")
    watched = Watched(desk)
    (alarm,) = await watched.watch.look()
    assert (alarm.kind, alarm.model) == ("damaged", f"{NAME}@1")
    assert "linear.safetensors is another file" in alarm.words
    assert await watched.watch.look() == []
    await desk.registry.transition(card.id, "deprecated", by=None)
    await watched.watch.look()
    assert await watched.listed() == []


async def test_a_rejected_challenger_is_told_once_and_over_when_it_was_seen(
    desk: ExperimentDesk, ann: Principal
) -> None:
    await desk.deploy("1", "champion")
    await desk.deploy("2", "challenger", bias=3.0)
    await desk.experiments.start(NAME, mode="shadow", share=1.0, by=None)
    await desk.live(ann, 60)
    assert [one.status for one in await desk.experiments.look()] == ["rejected"]
    watched = Watched(desk)
    (alarm,) = await watched.watch.look()
    assert (alarm.kind, alarm.model) == ("challenger_rejected", f"{NAME}@2")
    assert "is worse than @1" in alarm.words
    assert alarm.figure is not None
    assert alarm.threshold == 20.0
    assert alarm.figure >= alarm.threshold
    seen = await watched.alarms.acknowledge(alarm.id, by=ann.user_id)
    assert (seen.acknowledged_by, seen.closed_because) == (ann.user_id, "It was seen.")
    assert await watched.watch.look() == []
    assert "challenger_rejected" not in [one.kind for one in await watched.listed()]


async def test_a_split_that_cannot_be_believed_is_an_alarm_while_the_experiment_runs(
    desk: ExperimentDesk, ann: Principal
) -> None:
    await desk.deploy("1", "champion")
    await desk.deploy("2", "challenger")
    begun = await desk.experiments.start(NAME, mode="ab", share=0.5, by=None)
    for number in range(30):
        await desk.ask(ann, "AAA", model=NAME)
        desk.now += timedelta(minutes=1)
        await desk.database.execute(
            "UPDATE predictions SET variant = 'champion' WHERE experiment_id = $1", begun.id
        )
        assert number < 30
    watched = Watched(desk)
    (alarm,) = await watched.watch.look()
    assert (alarm.kind, alarm.subject) == ("split_broken", str(begun.id))
    assert alarm.figure is not None
    assert alarm.figure < 0.001
    assert "30 requests" in alarm.measured_over
    await desk.experiments.stop(begun.id, by=None, reason="it is broken")
    for _ in range(2):
        await watched.watch.look()
        desk.now += timedelta(hours=1)
    (closed,) = await watched.listed("closed")
    assert (closed.id, closed.closed_because) == (alarm.id, "It is over.")


async def test_whoever_has_seen_it_first_stays_and_it_is_open_all_the_same(
    desk: ExperimentDesk, ann: Principal
) -> None:
    bad = await desk.deploy("1", "champion", bias=3.0)
    await desk.live(ann, 40)
    watched = Watched(desk)
    await watched.health.look_at(bad)
    one = (await watched.listed())[0]
    assert (await watched.alarms.acknowledge(one.id, by=ann.user_id)).closed_at is None
    seen = await watched.alarms.acknowledge(one.id, by=None)
    assert seen.acknowledged_by == ann.user_id
    assert one.id in [open_.id for open_ in await watched.listed()]
    with pytest.raises(NotFound):
        await watched.alarms.acknowledge(new_id(), by=ann.user_id)
    for wrong in (AlarmFilter(state="odd"), AlarmFilter(kind="odd")):
        with pytest.raises(Invalid):
            await watched.alarms.page(wrong, cursor=None, limit=5)
    page = await watched.alarms.page(AlarmFilter(model_id=bad.id), cursor=None, limit=1)
    rest = await watched.alarms.page(
        AlarmFilter(model_id=bad.id), cursor=page.next_cursor, limit=50
    )
    both = [found.id for found in (*page.items, *rest.items)]
    assert both == [found.id for found in await watched.listed()]
    nobody = await watched.alarms.page(AlarmFilter(model_id=UUID(int=0)), cursor=None, limit=1)
    assert nobody.items == []
