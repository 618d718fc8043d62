"""Agents over REST: what a new desk has, how versions grow, what metrics say."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from app.services.agents import Agents
from app.storage.agent_reads import AgentReads
from tests.integration.rest.rest_desk import PROMPTS, Clients, Desk

NEW = {"name": "Teacher", "type": "educator", "systemPrompt": "Explain.", "temperature": 0.5}


async def the_analyst(people: Clients) -> dict[str, Any]:
    page = (await people.client("root").get("/agents")).json()
    (agent,) = page["items"]
    return agent  # type: ignore[no-any-return]


async def test_a_new_desk_has_an_analyst_with_the_desks_tools(people: Clients) -> None:
    agent = await the_analyst(people)
    assert agent["name"] == "Analyst"
    assert agent["type"] == "analyst"
    assert agent["llmProvider"] is None
    assert len(agent["systemPrompt"]) > 500
    endpoints = {tool["name"]: tool["endpoint"] for tool in agent["tools"]}
    assert {"quotes", "indicators", "signals"} <= endpoints.keys()
    assert all(endpoint == f"builtin:{name}" for name, endpoint in endpoints.items())
    assert all(t["parameters"]["additionalProperties"] is False for t in agent["tools"])
    assert agent["memory"]["type"] == "conversation"


async def test_defaults_are_made_once(desk: Desk, people: Clients) -> None:
    assert await desk.agents.ensure_defaults() == []
    await the_analyst(people)


async def test_an_agent_nobody_changed_gets_todays_tools(desk: Desk, people: Clients) -> None:
    before = await the_analyst(people)
    names = [tool["name"] for tool in before["tools"]]
    assert {"quotes", "screen", "levels", "what_changed"} <= set(names)
    fewer = Agents(
        AgentReads(desk.database),
        tools=lambda: desk.toolbox.specs(("quotes", "signals")),
        prompts=PROMPTS,
        clock=lambda: datetime.now(UTC),
    )
    assert await fewer.ensure_defaults() == ["Analyst"]
    older = await the_analyst(people)
    assert [tool["name"] for tool in older["tools"]] == ["quotes", "signals"]
    assert older["version"] == before["version"] + 1
    assert await desk.agents.ensure_defaults() == ["Analyst"]
    assert [tool["name"] for tool in (await the_analyst(people))["tools"]] == names
    assert await desk.agents.ensure_defaults() == []


async def test_an_agent_an_admin_changed_is_left_alone(desk: Desk, people: Clients) -> None:
    analyst = await the_analyst(people)
    root = people.client("root")
    kept = [tool for tool in analyst["tools"] if tool["name"] == "quotes"]
    changed = await root.patch(f"/agents/{analyst['id']}", json={"tools": kept})
    assert changed.status_code == 200
    assert await desk.agents.ensure_defaults() == []
    assert (await the_analyst(people))["tools"] == kept


async def test_an_agent_is_made_and_seen_by_everybody(people: Clients) -> None:
    made = await people.client("root").post("/agents", json=NEW)
    assert made.status_code == 201
    agent = made.json()
    assert agent["version"] == 1
    assert agent["status"] == "active"
    assert agent["maxTokens"] == 4096
    assert (await people.client("bob").get(f"/agents/{agent['id']}")).json() == agent
    names = [a["name"] for a in (await people.client("bob").get("/agents")).json()["items"]]
    assert names == ["Teacher", "Analyst"]


async def test_a_name_is_given_once(people: Clients) -> None:
    root = people.client("root")
    await root.post("/agents", json=NEW)
    again = await root.post("/agents", json=NEW)
    assert (again.status_code, again.json()["code"]) == (409, "name_taken")
    analyst_id = next(
        a["id"] for a in (await root.get("/agents")).json()["items"] if a["name"] == "Analyst"
    )
    renamed = await root.patch(f"/agents/{analyst_id}", json={"name": "Teacher"})
    assert (renamed.status_code, renamed.json()["code"]) == (409, "name_taken")


async def test_a_name_in_another_case_is_the_same_name(people: Clients) -> None:
    root = people.client("root")
    analyst = (await root.get("/agents")).json()["items"][0]
    for name in ("analyst", " ANALYST "):
        made = await root.post("/agents", json={**NEW, "name": name})
        assert (made.status_code, made.json()["code"]) == (409, "name_taken")
        assert "'Analyst'" in made.json()["detail"]
    teacher = (await root.post("/agents", json=NEW)).json()
    taken = await root.patch(f"/agents/{teacher['id']}", json={"name": "aNALYST"})
    assert (taken.status_code, taken.json()["code"]) == (409, "name_taken")
    own = await root.patch(f"/agents/{analyst['id']}", json={"name": "ANALYST"})
    assert (own.status_code, own.json()["name"]) == (200, "ANALYST")


async def test_changing_what_an_agent_does_makes_a_new_version_and_keeps_the_old(
    desk: Desk, people: Clients
) -> None:
    root, agent = people.client("root"), await the_analyst(people)
    path = f"/agents/{agent['id']}"
    changed = (await root.patch(path, json={"temperature": 0.9, "llmModel": "m-2"})).json()
    assert changed["version"] == 2
    assert changed["systemPrompt"] == agent["systemPrompt"]
    versions = (await root.get(f"{path}/versions")).json()["items"]
    assert [(v["version"], v["temperature"]) for v in versions] == [(2, 0.9), (1, 0.2)]
    assert versions[0]["createdBy"] == str(desk.people["root"].user_id)
    page = (await root.get(f"{path}/versions?limit=1")).json()
    older = (await root.get(f"{path}/versions?limit=1&cursor={page['nextCursor']}")).json()
    assert [v["version"] for v in older["items"]] == [1]
    assert older["nextCursor"] is None


async def test_a_new_name_or_status_makes_no_version(people: Clients) -> None:
    root, agent = people.client("root"), await the_analyst(people)
    path = f"/agents/{agent['id']}"
    changed = (await root.patch(path, json={"name": "Ada", "status": "disabled"})).json()
    assert (changed["name"], changed["status"], changed["version"]) == ("Ada", "disabled", 1)
    same = (await root.patch(path, json={"temperature": 0.2})).json()
    assert same["version"] == 1


async def test_a_conversation_stays_with_the_version_it_began_with(
    desk: Desk, people: Clients
) -> None:
    turn = await desk.converse(desk.people["ann"], "q")
    agent = await the_analyst(people)
    await people.client("root").patch(f"/agents/{agent['id']}", json={"maxTokens": 99})
    seen = await people.client("ann").get(f"/conversations/{turn.conversation_id}")
    assert seen.json()["agent"]["version"] == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"temperature": 2.1},
        {"temperature": "0.5"},
        {"maxTokens": 0},
        {"systemPrompt": "  "},
        {"name": ""},
        {"llmProvider": "skynet"},
        {"version": 7},
        {"status": "sleeping"},
        {"metrics": {"totalCost": "0"}},
        {"tools": [{"name": "x", "description": "", "endpoint": "builtin:x", "parameters": {}}]},
        {
            "tools": [
                {
                    "name": "quotes",
                    "description": "",
                    "endpoint": "http://169.254.169.254/",
                    "parameters": {},
                }
            ]
        },
        {
            "tools": [
                {
                    "name": "quotes",
                    "description": "",
                    "endpoint": "builtin:quotes",
                    "parameters": {},
                    "secret": 1,
                }
            ]
        },
        {"memory": {"type": "conversation", "maxTokens": 0, "retention": 1}},
    ],
    ids=str,
)
async def test_what_an_agent_cannot_be_is_refused(people: Clients, wrong: dict[str, Any]) -> None:
    root, agent = people.client("root"), await the_analyst(people)
    changed = await root.patch(f"/agents/{agent['id']}", json=wrong)
    assert changed.status_code == 422, changed.text
    assert (await root.get(f"/agents/{agent['id']}")).json()["version"] == 1


async def test_metrics_count_what_runs_did(desk: Desk, people: Clients) -> None:
    agent = await the_analyst(people)
    assert agent["metrics"] == {
        "totalRequests": 0,
        "avgResponseTime": None,
        "successRate": None,
        "avgTokensUsed": None,
        "totalCost": "0",
        "priced": True,
        "lastActiveAt": None,
    }
    await desk.converse(desk.people["ann"], "q", amount=Decimal("0.1"))
    await desk.converse(desk.people["bob"], "q", amount=Decimal("0.2"))
    _, stopped, _ = await desk.ask(desk.people["ann"], "q")
    await desk.stop(stopped, desk.people["ann"])
    _, failed, _ = await desk.ask(desk.people["ann"], "q")
    await desk.database.execute(
        "UPDATE runs SET status = 'failed', ended_at = started_at WHERE id = $1", failed
    )
    await desk.database.execute(
        "UPDATE runs SET ended_at = started_at + interval '30 seconds' WHERE status = 'cancelled'"
    )
    await desk.ask(desk.people["ann"], "still running")
    metrics = (await people.client("bob").get(f"/agents/{agent['id']}/metrics")).json()
    assert metrics["totalRequests"] == 5
    assert metrics["totalCost"] == "0.3"
    assert metrics["successRate"] == pytest.approx(2 / 3)
    assert metrics["avgResponseTime"] == pytest.approx((60_000 * 2 + 30_000 + 0) / 4)
    assert metrics["avgTokensUsed"] == pytest.approx(812 * 2 / 4)
    assert metrics["lastActiveAt"].endswith("Z")
    assert (await the_analyst(people))["metrics"] == metrics


@pytest.mark.parametrize("depth", [100, 900])
async def test_parameters_nested_too_deep_are_refused(people: Clients, depth: int) -> None:
    root, agent = people.client("root"), await the_analyst(people)
    tool = agent["tools"][0]
    nested: dict[str, Any] = {}
    for _ in range(depth):
        nested = {"a": nested}
    body = {"tools": [{**tool, "parameters": nested}]}
    answer = await root.patch(f"/agents/{agent['id']}", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


async def test_hostile_text_in_an_agent_is_kept_but_for_what_cannot_be(people: Clients) -> None:
    root, agent = people.client("root"), await the_analyst(people)
    tool = {**agent["tools"][0], "description": "a\x00\u202eb", "parameters": {"k\x00": ["\x00"]}}
    changed = await root.patch(
        f"/agents/{agent['id']}", json={"systemPrompt": "<b>\x00</b>", "tools": [tool]}
    )
    assert changed.status_code == 200, changed.text
    assert changed.json()["systemPrompt"] == "<b>\ufffd</b>"
    assert changed.json()["tools"][0]["description"] == "a\ufffd\u202eb"
    assert changed.json()["tools"][0]["parameters"] == {"k\ufffd": ["\ufffd"]}


async def test_two_admins_at_once_do_not_overwrite_each_other(desk: Desk, people: Clients) -> None:
    agent_id = (await the_analyst(people))["id"]
    found = await desk.agents._find(agent_id)
    store = desk.agents._store
    assert await store.replace(found, expected_version=9, created_by=None) is None
