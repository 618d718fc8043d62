"""`/alerts` as programs use it."""

from typing import Any

import pytest

from app.domain.alerts import MOST_ALERTS
from tests.integration.rest.rest_desk import Clients, Desk

OVER_800: dict[str, Any] = {
    "symbol": "GOOG",
    "condition": {"field": "close", "op": ">", "value": 800},
}


@pytest.fixture
async def ann(market_desk: Desk, people: Clients) -> Any:
    return people.client("ann")


async def test_what_was_understood_is_posted_and_judged_at_the_newest_bar(ann: Any) -> None:
    parsed = await ann.post("/alerts/parse", json={"text": "google closes above $800"})
    assert parsed.status_code == 200
    assert parsed.json() == {
        "symbol": "GOOG",
        "timeframe": "1d",
        "condition": {"field": "close", "op": ">", "value": 800.0},
        "description": "close above 800",
    }
    assert (await ann.get("/alerts")).json()["items"] == []

    said = parsed.json()
    said.pop("description")
    made = await ann.post("/alerts", json={**said, "words": "google closes above $800"})
    assert made.status_code == 201
    alert = made.json()
    assert alert["name"] == alert["description"] == "close above 800"
    # The last shipped close of Google is 806.19.
    assert (alert["state"], alert["lastResult"], alert["episodeOpen"]) == ("held", "true", False)
    assert "held already" in alert["note"]
    assert alert["lastBarTime"] == "2013-03-01T00:00:00Z"
    assert alert["webhookSecret"] is None
    assert (await ann.get("/alerts")).json()["items"] == [
        {key: value for key, value in alert.items() if key != "webhookSecret"}
    ]


async def test_what_is_not_understood_is_said_with_what_was(ann: Any) -> None:
    answer = await ann.post("/alerts/parse", json={"text": "GOOG above 800 unless it rains"})
    assert (answer.status_code, answer.json()["code"]) == (422, "not_understood")
    assert "unless" in answer.json()["detail"]
    assert "GOOG" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("body", "status", "code", "named"),
    [
        ({**OVER_800, "symbol": "GOOGLX"}, 404, "unknown_symbol", "GOOG"),
        ({**OVER_800, "timeframe": "3d"}, 422, "invalid", "1w"),
        ({**OVER_800, "condition": {"field": "closs", "op": ">", "value": 1}}, 422,
         "bad_condition", "close"),
        ({**OVER_800, "condition": {"all": []}}, 422, "bad_condition", "all"),
        ({**OVER_800, "name": "x" * 121}, 422, "invalid", "120"),
        ({**OVER_800, "cooldownBars": -1}, 422, "invalid", "cooldownBars"),
        ({**OVER_800, "endsAfterBars": 0}, 422, "invalid", "endsAfterBars"),
        ({**OVER_800, "cooldownBars": True}, 422, "invalid", "cooldownBars"),
        ({**OVER_800, "agentId": "00000000-0000-0000-0000-000000000001"}, 404, "not_found",
         "agent"),
        ({**OVER_800, "webhookUrl": "http://169.254.169.254/"}, 422, "address_refused",
         "public"),
        ({**OVER_800, "webhookUrl": "ftp://example.com/"}, 422, "address_refused", "https"),
        ({**OVER_800, "webhookUrl": "https://u:p@example.com/"}, 422, "address_refused",
         "password"),
        ({"symbol": "GOOG"}, 422, "invalid", "condition"),
    ],
)  # fmt: skip
async def test_what_is_wrong_is_refused_and_says_what_is_allowed(
    ann: Any, body: dict[str, Any], status: int, code: str, named: str
) -> None:
    answer = await ann.post("/alerts", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.json()
    assert named in answer.json()["detail"]
    assert (await ann.get("/alerts")).json()["items"] == []


async def test_a_webhooks_secret_is_shown_once(ann: Any) -> None:
    body = {**OVER_800, "webhookUrl": "https://hooks.example.com/x"}
    made = (await ann.post("/alerts", json=body)).json()
    assert made["webhookSecret"].startswith("whsec_")
    path = f"/alerts/{made['id']}"
    assert "webhookSecret" not in (await ann.get(path)).json()
    patched = (await ann.patch(path, json={"name": "other"})).json()
    assert (patched["name"], patched["webhookSecret"]) == ("other", None)
    fresh = (await ann.post(f"{path}/secret")).json()["webhookSecret"]
    assert fresh != made["webhookSecret"]
    without = (await ann.patch(path, json={"webhookUrl": None})).json()
    assert without["webhookUrl"] is None
    assert (await ann.post(f"{path}/secret")).json()["code"] == "no_webhook"


async def test_an_alert_is_changed_paused_listed_and_deleted(ann: Any) -> None:
    first = (await ann.post("/alerts", json=OVER_800)).json()
    second = (await ann.post("/alerts", json={**OVER_800, "name": "two"})).json()
    path = f"/alerts/{first['id']}"
    condition = {"field": "close", "op": ">", "value": 900}
    changed = (await ann.patch(path, json={"condition": condition})).json()
    assert (changed["description"], changed["state"]) == ("close above 900", "armed")
    paused = (await ann.patch(path, json={"status": "paused"})).json()
    assert (paused["status"], paused["note"]) == ("paused", "It is paused.")
    for query, ids in (
        ("", [second["id"], first["id"]]),
        ("?status=paused", [first["id"]]),
        ("?symbol=goog&limit=1", [second["id"]]),
        ("?symbol=MSFT", []),
    ):
        found = (await ann.get(f"/alerts{query}")).json()["items"]
        assert [one["id"] for one in found] == ids, query
    page = (await ann.get("/alerts?limit=1")).json()
    rest = (await ann.get(f"/alerts?limit=1&cursor={page['nextCursor']}")).json()
    assert [one["id"] for one in rest["items"]] == [first["id"]]
    assert rest["nextCursor"] is None
    assert (await ann.delete(path)).status_code == 204
    assert (await ann.get(path)).status_code == 404
    assert (await ann.delete(path)).status_code == 404


async def test_episodes_come_with_their_evidence(desk: Desk, people: Clients) -> None:
    alert_id = await desk.alert_of("ann")
    answer = await people.client("ann").get(f"/alerts/{alert_id}/episodes")
    (episode,) = answer.json()["items"]
    assert episode["barTime"] == "2013-02-05T00:00:00Z"
    assert episode["evidence"]["values"] == {"close": 801.0}
    assert (episode["threadId"], episode["endedAt"], episode["deliveries"]) == (None, None, [])


async def test_a_dry_run_tells_what_would_be_said(ann: Any) -> None:
    made = (await ann.post("/alerts", json=OVER_800)).json()
    trial = (await ann.post(f"/alerts/{made['id']}/test")).json()
    assert (trial["holds"], trial["wouldFire"]) == (True, False)
    assert trial["barTime"] == "2013-03-01T00:00:00Z"
    assert trial["text"].startswith("**GOOG: close above 800.**")
    assert "**Before:**" in trial["text"]


async def test_there_is_a_most_of_alerts(desk: Desk, ann: Any, people: Clients) -> None:
    await ann.post("/alerts", json=OVER_800)
    await desk.database.execute(
        "INSERT INTO alerts (id, user_id, name, symbol, timeframe, condition)"
        " SELECT gen_random_uuid(), user_id, name, symbol, timeframe, condition"
        " FROM alerts, generate_series(2, $1)",
        MOST_ALERTS,
    )
    answer = await ann.post("/alerts", json=OVER_800)
    assert (answer.status_code, answer.json()["code"]) == (409, "too_many_alerts")
    assert (await people.client("bob").post("/alerts", json=OVER_800)).status_code == 201
