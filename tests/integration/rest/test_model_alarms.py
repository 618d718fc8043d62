"""Alarms over models at the REST door: administrators see and acknowledge them."""

from datetime import UTC, datetime

import httpx
import pytest

from app.domain.ids import new_id
from app.domain.model_alarms import Finding
from app.domain.models import NewModel
from app.storage.engine import Database
from app.storage.model_alarms import StoredModelAlarms
from tests.integration.rest.rest_desk import Clients, Desk

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


@pytest.fixture
def root(people: Clients) -> httpx.AsyncClient:
    return people.client("root")


async def raised(desk: Desk, database: Database) -> str:
    card = await desk.registry.models.create(
        NewModel(name="calm", type="regression", framework="numpy")
    )
    finding = Finding(
        kind="outputs_drifted", level="over", model_id=card.id, figure=0.4, threshold=0.25,
        measured_over="the newest 60 answers", words="What it says now is far off.",
        evidence={"p": 0.001},
    )  # fmt: skip
    (alarm,) = await StoredModelAlarms(database).observe([finding], now=NOW)
    return str(alarm.id)


async def test_an_admin_lists_and_acknowledges_alarms(
    root: httpx.AsyncClient, desk: Desk, database: Database
) -> None:
    alarm_id = await raised(desk, database)
    (one,) = (await root.get("/models/alarms")).json()["items"]
    assert one["id"] == alarm_id
    assert (one["model"], one["kind"], one["measuredOver"]) == (
        "calm@1",
        "outputs_drifted",
        "the newest 60 answers",
    )
    assert (one["figure"], one["worst"], one["threshold"]) == (0.4, 0.4, 0.25)
    assert (one["evidence"], one["closedAt"], one["acknowledgedAt"]) == ({"p": 0.001}, None, None)
    assert (await root.get("/models/alarms", params={"state": "closed"})).json()["items"] == []

    seen = await root.post(f"/models/alarms/{alarm_id}/acknowledge")
    assert seen.status_code == 200, seen.text
    assert seen.json()["acknowledgedAt"] is not None
    assert len((await root.get("/models/alarms")).json()["items"]) == 1
    missing = await root.post(f"/models/alarms/{new_id()}/acknowledge")
    assert missing.status_code == 404
    wrong = await root.get("/models/alarms", params={"state": "odd"})
    assert wrong.status_code == 422
    assert "open, closed, all" in wrong.text


async def test_alarms_and_the_engine_are_for_administrators(people: Clients) -> None:
    ann = people.client("ann")
    for path in ("/models/alarms", "/models/engine"):
        assert (await ann.get(path)).status_code == 403
    engine = (await people.client("root").get("/models/engine")).json()
    assert (engine["workerStarts"], engine["models"]) == (0, [])
