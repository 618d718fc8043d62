"""A model that is away raises one alarm, and it is over once it answers by itself."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from app.domain.model_alarms import AlarmFilter, ModelAlarm
from app.domain.principal import Principal
from app.services.alerts.alert_ports import Silence
from app.services.models.model_alarms import ModelAlarms, ModelWatch
from app.storage.engine import Database
from app.storage.model_alarms import StoredModelAlarms
from tests.integration.experiments.experiment_desk import NAME
from tests.integration.predictions.away_desk import BIAS, AwayDesk
from tests.integration.predictions.small_models import BARS


class NoReports:
    async def look_after(self) -> list[object]:
        return []


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> AsyncIterator[AwayDesk]:
    desk = AwayDesk(database, tmp_path)
    await desk.load(BARS - 20)
    await desk.server.start()
    async with desk.engine:
        yield desk
        await desk.predictions.close()
    await desk.server.die()


@pytest.fixture
def watch(desk: AwayDesk) -> ModelWatch:
    store = StoredModelAlarms(desk.database)
    alarms = ModelAlarms(store, Silence(), clock=desk.clock)
    return ModelWatch(alarms, store, NoReports(), desk.experiments, clock=desk.clock)  # type: ignore[arg-type]


async def listed(desk: AwayDesk, state: str = "open") -> list[ModelAlarm]:
    store = StoredModelAlarms(desk.database)
    return await store.page(AlarmFilter(state=state), before=None, limit=9)


@pytest.mark.parametrize("stood_in", [True, False])
async def test_one_alarm_while_it_is_away_and_none_once_it_answers(
    desk: AwayDesk, ann: Principal, watch: ModelWatch, stood_in: bool
) -> None:
    if stood_in:
        await desk.deploy("1", "champion", bias=BIAS)
    away = await desk.deploy_elsewhere("2")
    await desk.server.die()
    for number in range(2):
        await desk.put(ann, f"few {number}")
    assert await watch.look() == []
    await desk.put(ann, "one more")
    (alarm,) = await watch.look()
    assert (alarm.kind, alarm.model, alarm.model_id) == ("away", f"{NAME}@2", away.id)
    assert (alarm.figure, alarm.threshold) == (3.0, 2.0)
    answered = 3 if stood_in else 0
    assert f"another version answered {answered} of them" in alarm.words
    assert "the server cannot be reached" in alarm.words
    assert alarm.evidence["unanswered"] == 3 - answered
    assert await watch.look() == []

    await desk.server.start()
    desk.seconds += 31
    desk.now += timedelta(minutes=1)
    assert not (await desk.put(ann, "back")).degraded
    for _ in range(2):
        assert await watch.look() == []
        desk.now += timedelta(hours=1)
    assert await listed(desk) == []
    (closed,) = await listed(desk, "closed")
    assert (closed.id, closed.closed_because) == (alarm.id, "It is over.")


async def test_the_watch_looks_at_once_when_files_are_found_changed(
    desk: AwayDesk, ann: Principal, watch: ModelWatch
) -> None:
    card = await desk.deploy("1", "champion")
    desk.registry.quarantine_listeners.append(lambda _: watch.wake())
    keeping = asyncio.create_task(watch.keep_up())
    try:
        assert card.artifact is not None
        await desk.registry.quarantine(card.artifact, "it was changed")
        async with asyncio.timeout(10):
            while not await listed(desk):  # noqa: ASYNC110 - the database tells
                await asyncio.sleep(0.02)
    finally:
        keeping.cancel()
        await asyncio.wait({keeping})
    assert [one.kind for one in await listed(desk)] == ["damaged"]
