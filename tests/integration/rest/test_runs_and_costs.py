"""Runs, receipts and sums over REST."""

from decimal import Decimal

import msgspec
import pytest

from agents.messages import Usage
from agents.news_scorer import Asked
from app.storage.scoring_costs import ScoringCosts
from tests.integration.rest.rest_desk import Clients, Desk
from tests.integration.rest.test_conversations import walk


async def test_a_run_shows_its_receipt(desk: Desk, people: Clients) -> None:
    turn = await desk.converse(desk.people["ann"], "q")
    run = (await people.client("ann").get(f"/runs/{turn.run_id}")).json()
    assert run["status"] == "finished"
    assert run["userMessageId"] == str(turn.question_id)
    assert (run["inputTokens"], run["outputTokens"]) == (700, 112)
    assert run["receipt"]["model"] == "m-1"


async def test_events_come_as_ag_ui_with_their_sequence_number(desk: Desk, people: Clients) -> None:
    ann = desk.people["ann"]
    first = await desk.converse(ann, "one", "Text of the first run.")
    turn = await desk.converse(ann, "two", "a b c d e", conversation_id=first.conversation_id)
    client = people.client("ann")
    items = (await client.get(f"/runs/{turn.run_id}/events")).json()["items"]
    assert [item["seq"] for item in items] == list(range(8, 15))
    assert all(i["event"]["metadata"]["outcry"]["seq"] == i["seq"] for i in items)
    assert [item["event"]["type"] for item in items] == [
        "TOOL_CALL_START",
        *["TEXT_MESSAGE_CONTENT"] * 5,
        "RUN_FINISHED",
    ]
    assert "".join(item["event"].get("delta", "") for item in items) == "a b c d e "
    assert items[1]["event"]["messageId"] == str(turn.answer_id)
    assert items[-1]["event"]["metadata"]["outcry"]["messageId"] == "m"


async def test_events_are_paged_by_after(desk: Desk, people: Clients) -> None:
    turn = await desk.converse(desk.people["ann"], "q", "a b c d e")
    client, path = people.client("ann"), f"/runs/{turn.run_id}/events?limit=3"
    first = (await client.get(path)).json()
    second = (await client.get(f"{path}&after={first['nextCursor']}")).json()
    third = (await client.get(f"{path}&after={second['nextCursor']}")).json()
    seen = [item["seq"] for page in (first, second, third) for item in page["items"]]
    assert seen == list(range(1, 8))
    assert third["nextCursor"] is None


@pytest.mark.parametrize("after", ["-1", "x", "99999999999999999999", "1.5"])
async def test_a_wrong_after_is_refused(desk: Desk, people: Clients, after: str) -> None:
    turn = await desk.converse(desk.people["ann"], "q")
    answer = await people.client("ann").get(f"/runs/{turn.run_id}/events?after={after}")
    assert answer.status_code == 422


async def test_a_running_run_can_be_stopped_once(desk: Desk, people: Clients) -> None:
    _, run_id, _ = await desk.ask(desk.people["ann"], "q")
    client = people.client("ann")
    pending = await client.get(f"/runs/{run_id}/receipt")
    assert (pending.status_code, pending.json()["code"]) == (409, "run_active")
    first = await client.post(f"/runs/{run_id}/cancel")
    second = await client.post(f"/runs/{run_id}/cancel", json={})
    assert first.json() == {"runId": str(run_id), "stopped": True}
    assert second.json() == {"runId": str(run_id), "stopped": False}


async def test_nobody_stops_a_strangers_run(desk: Desk, people: Clients) -> None:
    _, run_id, _ = await desk.ask(desk.people["ann"], "q")
    assert (await people.client("bob").post(f"/runs/{run_id}/cancel")).status_code == 404
    assert desk.stopped == []


async def test_a_receipt_lists_every_attempt(desk: Desk, people: Clients) -> None:
    turn = await desk.converse(desk.people["ann"], "q")
    receipt = (await people.client("ann").get(f"/runs/{turn.run_id}/receipt")).json()
    assert receipt["receipt"]["amount"] == "0.0021"
    (entry,) = receipt["entries"]
    assert entry["amount"] == "0.0021"
    assert entry["cachedTokens"] == 500
    assert entry["outcome"] == "succeeded"


async def test_costs_add_up_exactly_however_they_are_grouped(desk: Desk, people: Clients) -> None:
    ann = desk.people["ann"]
    tiny = Decimal("0.000000000001")
    one = await desk.converse(ann, "dear", amount=Decimal("0.1"))
    await desk.converse(ann, "more", amount=Decimal("0.2"), conversation_id=one.conversation_id)
    await desk.converse(ann, "cheap", amount=tiny)
    await desk.converse(desk.people["bob"], "bob's", amount=Decimal(5))
    client = people.client("ann")
    for grouping, groups in (("conversation", 2), ("agent", 1), ("model", 1), ("day", 1)):
        items = (await client.get(f"/costs?groupBy={grouping}")).json()["items"]
        assert len(items) == groups
        assert sum(Decimal(item["amount"]) for item in items) == Decimal("0.3") + tiny
        assert sum(item["attempts"] for item in items) == 3
    dearest = (await client.get("/costs")).json()["items"][0]
    assert dearest["key"] == str(one.conversation_id)
    assert dearest["label"] == "dear"
    assert dearest["amount"] == "0.3"


async def test_unpriced_attempts_show_in_the_sum(desk: Desk, people: Clients) -> None:
    await desk.converse(desk.people["ann"], "q", amount=None)
    (item,) = (await people.client("ann").get("/costs")).json()["items"]
    assert (item["amount"], item["priced"]) == ("0", False)


async def test_costs_can_be_narrowed_to_a_span(desk: Desk, people: Clients) -> None:
    await desk.converse(desk.people["ann"], "q")
    client = people.client("ann")

    async def count(query: str) -> int:
        answer = await client.get(f"/costs?{query}")
        assert answer.status_code == 200, answer.text
        return len(answer.json()["items"])

    assert await count("from=2026-01-05&to=2026-01-06") == 1
    assert await count("from=2026-01-06") == 0
    assert await count("to=2026-01-05T12:00:00Z") == 0
    assert await count("from=2026-01-05T13:00:00%2B02:00") == 1
    for wrong in ("from=yesterday", "from=2026-01-06&to=2026-01-05", "groupBy=user", "all=maybe"):
        assert (await client.get(f"/costs?{wrong}")).status_code == 422


async def test_everybodys_costs_are_for_admins(desk: Desk, people: Clients) -> None:
    await desk.converse(desk.people["ann"], "q", amount=Decimal(1))
    await desk.converse(desk.people["bob"], "q", amount=Decimal(2))
    (item,) = (await people.client("root").get("/costs?all=true&groupBy=model")).json()["items"]
    assert item["amount"] == "3"
    answer = await people.client("ann").get("/costs?all=true")
    assert answer.status_code == 403


async def test_cost_groups_are_paged(desk: Desk, people: Clients) -> None:
    ann = desk.people["ann"]
    for amount in range(1, 6):
        await desk.converse(ann, "q", amount=Decimal(amount))
    items = await walk(people.client("ann").get, "/costs")
    assert [item["amount"] for item in items] == ["5", "4", "3", "2", "1"]


async def test_what_scoring_news_cost_is_among_the_owners_costs(
    desk: Desk, people: Clients
) -> None:
    ann = desk.people["ann"]
    costs = ScoringCosts(desk.database, ann.user_id)
    paid = Asked(
        provider="openai",
        model="m",
        answered=True,
        usage=Usage(input_tokens=300, output_tokens=100),
        reserved_usd=Decimal("0.05"),
        amount_usd=Decimal("0.04"),
        estimated=False,
        latency_ms=1200,
    )
    await costs.add(paid)
    await costs.add(msgspec.structs.replace(paid, answered=False, estimated=True, usage=Usage()))
    for grouping in ("conversation", "agent"):
        answer = await people.client("ann").get(f"/costs?groupBy={grouping}")
        (item,) = answer.json()["items"]
        assert item["label"] == "news scoring (outcry score)"
        assert (item["amount"], item["attempts"], item["inputTokens"]) == ("0.08", 2, 300)
