"""Conversations over REST, on rows written by the journal."""

from collections.abc import Awaitable, Callable
from decimal import Decimal
from uuid import UUID

import httpx
import pytest

from agents.claims import Claim
from app.domain.ids import ConversationId
from tests.integration.rest.rest_desk import Clients, Desk

CLAIMS = [
    Claim(
        index=1,
        start=15,
        end=21,
        text="806.19",
        status="supported",
        value=806.19,
        tool_call_id="call-1",
        tool="quotes",
        path="/data/close",
        label="close",
        unit="USD",
        source="demo",
    ),
    Claim(index=2, start=25, end=37, text="1 March 2013", status="supported", value="2013-03-01"),
    Claim(index=3, start=46, end=48, text="68", status="unverified"),
]


async def walk(
    get: Callable[[str], Awaitable[httpx.Response]],
    path: str,
    *,
    between: Callable[[], Awaitable[object]] | None = None,
) -> list[dict]:  # type: ignore[type-arg]
    """Return the items of all pages."""
    items, cursor = [], ""
    joiner = "&" if "?" in path else "?"
    while True:
        answer = await get(f"{path}{joiner}limit=2{cursor}")
        assert answer.status_code == 200, answer.text
        page = answer.json()
        items += page["items"]
        if page["nextCursor"] is None:
            return items
        cursor = f"&cursor={page['nextCursor']}"
        if between is not None:
            await between()


async def test_a_conversation_shows_what_a_list_needs(desk: Desk, people: Clients) -> None:
    ann = desk.people["ann"]
    turn = await desk.converse(ann, "How does GOOG look?", claims=CLAIMS)
    answer = await people.client("ann").get(f"/conversations/{turn.conversation_id}")
    seen = answer.json()
    assert seen["title"] == "How does GOOG look?"
    assert seen["agent"]["name"] == "Analyst"
    assert seen["agentId"] == seen["agent"]["id"]
    assert seen["messageCount"] == 3
    assert seen["lastMessage"].startswith("GOOG closed")
    assert seen["cost"] == {"amount": "0.0021", "currency": "USD", "priced": True}
    assert seen["running"] is None
    assert seen["lastSeq"] == 7
    assert seen["startedAt"].endswith("Z")
    assert "messages" not in seen


async def test_a_run_in_progress_is_named(desk: Desk, people: Clients) -> None:
    conversation_id, run_id, _ = await desk.ask(desk.people["ann"], "And MSFT?")
    answer = await people.client("ann").get(f"/conversations/{conversation_id}")
    assert answer.json()["running"] == str(run_id)


async def test_an_unpriced_attempt_makes_the_sum_a_lower_bound(desk: Desk, people: Clients) -> None:
    ann = desk.people["ann"]
    turn = await desk.converse(ann, "one", amount=Decimal("0.10"))
    await desk.converse(ann, "two", amount=None, conversation_id=turn.conversation_id)
    answer = await people.client("ann").get(f"/conversations/{turn.conversation_id}")
    assert answer.json()["cost"] == {"amount": "0.1", "currency": "USD", "priced": False}


async def test_messages_carry_their_evidence_and_the_receipt_stands_on_the_last_piece(
    desk: Desk, people: Clients
) -> None:
    turn = await desk.converse(desk.people["ann"], "How does GOOG look?", claims=CLAIMS)
    answer = await people.client("ann").get(f"/conversations/{turn.conversation_id}/messages")
    last, piece, question = answer.json()["items"]
    assert question["role"] == "user"
    assert question["content"] == "How does GOOG look?"
    assert piece["receipt"] is None
    assert piece["claims"] == piece["toolCalls"] == []
    assert last["receipt"]["inputTokens"] == 700
    assert last["receipt"]["amount"] == "0.0021"
    assert last["cost"] == "0.0021"
    assert last["runId"] == str(turn.run_id)
    assert last["parentId"] == piece["id"]
    assert [claim["text"] for claim in last["claims"]] == ["806.19", "1 March 2013", "68"]
    assert [claim["value"] for claim in last["claims"]] == [806.19, "2013-03-01", None]
    call = last["toolCalls"][0]
    assert call["id"] == last["claims"][0]["toolCallId"] == "call-1"
    assert call["output"]["data"] == {"close": 806.19}
    assert call["duration"] == 12
    assert last["attachments"][0]["content"]["activityType"] == "chart.candles"


async def test_a_chart_can_be_fetched_at_its_own_address(desk: Desk, people: Clients) -> None:
    turn = await desk.converse(desk.people["ann"], "chart")
    messages = await people.client("ann").get(f"/conversations/{turn.conversation_id}/messages")
    chart = messages.json()["items"][0]["attachments"][0]
    answer = await people.client("ann").get(chart["url"].removeprefix("/api/v1"))
    assert answer.json() == chart


async def test_claims_stand_beside_the_tool_call_they_point_to(desk: Desk, people: Clients) -> None:
    turn = await desk.converse(desk.people["ann"], "q", claims=CLAIMS)
    answer = await people.client("ann").get(f"/messages/{turn.answer_id}/claims")
    first, second, _ = answer.json()["items"]
    assert first["toolCall"]["toolName"] == "quotes"
    assert second["toolCall"] is None


async def test_a_claim_may_point_to_a_tool_call_of_an_earlier_turn(
    desk: Desk, people: Clients
) -> None:
    who, client = desk.people["ann"], people.client("ann")
    first = await desk.converse(who, "q")
    later = await desk.converse(
        who, "and then?", conversation_id=first.conversation_id, claims=CLAIMS, call_id="call-2"
    )
    cited = (await client.get(f"/messages/{later.answer_id}/claims")).json()["items"][0]
    assert cited["claim"]["toolCallId"] == cited["toolCall"]["id"] == "call-1"
    assert cited["toolCall"]["output"]["data"] == {"close": 806.19}


async def test_what_was_replaced_is_hidden_until_asked_for(desk: Desk, people: Clients) -> None:
    ann = desk.people["ann"]
    first = await desk.converse(ann, "q", "first answer")
    await desk.converse(
        ann,
        "",
        "second answer",
        conversation_id=first.conversation_id,
        mode="regenerate",
        from_message_id=first.question_id,
    )
    path = f"/conversations/{first.conversation_id}/messages"
    shown = (await people.client("ann").get(path)).json()["items"]
    assert [m["content"] for m in shown] == ["second answer", "Let me look.", "q"]
    everything = (await people.client("ann").get(f"{path}?superseded=true")).json()["items"]
    assert {m["content"] for m in everything if m["superseded"]} == {"first answer", "Let me look."}


async def test_paging_neither_repeats_nor_skips_while_messages_arrive(
    desk: Desk, people: Clients
) -> None:
    ann = desk.people["ann"]
    turn = await desk.converse(ann, "q0", "a0")
    for number in range(1, 3):
        await desk.converse(ann, f"q{number}", "a", conversation_id=turn.conversation_id)
    client = people.client("ann")
    path = f"/conversations/{turn.conversation_id}/messages"
    before = [m["id"] for m in (await client.get(path)).json()["items"]]

    async def arrive() -> None:
        await desk.converse(ann, "late", "late", conversation_id=turn.conversation_id)

    seen = [m["id"] for m in await walk(client.get, path, between=arrive)]
    assert seen == before


async def test_paging_conversations_neither_repeats_nor_skips_while_new_ones_begin(
    desk: Desk, people: Clients
) -> None:
    ann = desk.people["ann"]
    made = [str((await desk.converse(ann, f"c{n}")).conversation_id) for n in range(5)]

    async def begin() -> None:
        await desk.converse(ann, "new")

    seen = [c["id"] for c in await walk(people.client("ann").get, "/conversations", between=begin)]
    assert seen == made[::-1]


async def test_filters_narrow_the_list(desk: Desk, people: Clients) -> None:
    ann, client = desk.people["ann"], people.client("ann")
    one = (await desk.converse(ann, "one")).conversation_id
    two = (await desk.converse(ann, "two")).conversation_id
    await client.patch(f"/conversations/{one}", json={"pinned": True, "status": "completed"})
    agent_id = (await client.get("/agents")).json()["items"][0]["id"]

    async def ids(query: str) -> list[str]:
        return [c["id"] for c in (await client.get(f"/conversations?{query}")).json()["items"]]

    assert await ids("pinned=true") == [str(one)]
    assert await ids("pinned=false") == [str(two)]
    assert await ids("status=completed") == [str(one)]
    assert await ids(f"agentId={agent_id}") == [str(two), str(one)]
    assert await ids(f"agentId={UUID(int=7)}") == []
    assert await ids("query=ONE") == [str(one)]
    assert await ids("query=806.19&pinned=true") == [str(one)]


async def test_a_change_changes_only_what_it_names(desk: Desk, people: Clients) -> None:
    client = people.client("ann")
    turn = await desk.converse(desk.people["ann"], "old title")
    path = f"/conversations/{turn.conversation_id}"
    before = (await client.get(path)).json()
    after = (await client.patch(path, json={"title": "  new \n title "})).json()
    assert after == {**before, "title": "new title"}
    closed = (await client.patch(path, json={"status": "abandoned"})).json()
    assert closed["endedAt"] is not None
    reopened = (await client.patch(path, json={"status": "active"})).json()
    assert reopened["endedAt"] is None


@pytest.mark.parametrize(
    "body",
    [
        {"title": ""},
        {"title": "x" * 201},
        {"title": None},
        {"pinned": "true"},
        {"pinned": 1},
        {"status": "closed"},
        {"userId": "00000000-0000-0000-0000-000000000001"},
        {"agentId": "00000000-0000-0000-0000-000000000001"},
        {"cost": {"amount": "0"}},
        {"title": "ok", "lastSeq": 1},
        [],
        "title",
    ],
)
async def test_nothing_else_can_be_assigned(desk: Desk, people: Clients, body: object) -> None:
    client = people.client("ann")
    turn = await desk.converse(desk.people["ann"], "q")
    path = f"/conversations/{turn.conversation_id}"
    before = (await client.get(path)).json()
    answer = await client.patch(path, json=body)
    assert answer.status_code == 422
    assert answer.json()["code"] == "invalid"
    assert (await client.get(path)).json() == before


async def test_deleting_takes_everything_along_but_not_while_an_answer_is_written(
    desk: Desk, people: Clients
) -> None:
    ann, client = desk.people["ann"], people.client("ann")
    turn = await desk.converse(ann, "q", claims=CLAIMS)
    _, run_id, _ = await desk.ask(ann, "more", conversation_id=turn.conversation_id)
    path = f"/conversations/{turn.conversation_id}"
    refused = await client.delete(path)
    assert (refused.status_code, refused.json()["code"]) == (409, "run_active")
    assert (await client.get(path)).status_code == 200
    await client.post(f"/runs/{run_id}/cancel")
    assert (await client.delete(path)).status_code == 204
    for gone in (path, f"{path}/messages", f"/runs/{turn.run_id}", f"{path}/export"):
        assert (await client.get(gone)).status_code == 404
    assert (await client.delete(path)).status_code == 404


HOSTILE = [
    "a\x00b\ud83d",
    "\u202eright to left\u202c",
    "e" + "\u0301" * 1000,
    "<script>alert(1)</script>",
    "'; DROP TABLE messages; --",
    "%_\\%",
    "👩‍👩‍👧‍👦 " * 50,
    "x" * 90_000,
]


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
async def test_hostile_text_comes_back_as_it_was_said(
    desk: Desk, people: Clients, text: str
) -> None:
    turn = await desk.converse(desk.people["ann"], text)
    client = people.client("ann")
    path = f"/conversations/{turn.conversation_id}"
    question = (await client.get(f"{path}/messages")).json()["items"][-1]
    kept = text.replace("\x00", "\ufffd").replace("\ud83d", "\ufffd")
    assert question["content"] == kept
    exported = await client.get(f"{path}/export")
    assert kept.encode() in exported.content
    title = " ".join(kept.split())[:150]
    renamed = await client.patch(path, json={"title": title})
    assert renamed.json()["title"] == title.strip()


async def test_an_export_holds_every_message_and_every_claim(desk: Desk, people: Clients) -> None:
    ann, client = desk.people["ann"], people.client("ann")
    turn = await desk.converse(ann, "q1", claims=CLAIMS)
    for number in range(2, 60):
        await desk.converse(
            ann, f"q{number}", conversation_id=turn.conversation_id, claims=CLAIMS[:1]
        )
    path = f"/conversations/{turn.conversation_id}"
    as_json = (await client.get(f"{path}/export?format=json")).json()
    assert as_json["id"] == str(turn.conversation_id)
    assert len(as_json["messages"]) == 59 * 3
    assert [m["content"] for m in as_json["messages"] if m["role"] == "user"] == [
        f"q{number}" for number in range(1, 60)
    ]
    assert sum(len(m["claims"]) for m in as_json["messages"]) == 3 + 58
    answer = await client.get(f"{path}/export")
    assert answer.headers["content-type"].startswith("text/markdown")
    assert f"{turn.conversation_id}.md" in answer.headers["content-disposition"]
    lines = answer.text.splitlines()
    assert sum(line.startswith("[^") for line in lines) == 3 + 58
    for claim in CLAIMS:
        assert any(line.startswith(f"[^3-{claim.index}]: “{claim.text}”") for line in lines)
    assert "GOOG closed at 806.19[^3-1] on 1 March 2013[^3-2]; RSI is 68[^3-3]." in answer.text


async def test_an_export_shows_its_charts_as_links_or_as_pictures(
    desk: Desk, people: Clients
) -> None:
    turn = await desk.converse(desk.people["ann"], "q1", claims=CLAIMS)
    client = people.client("ann")
    path = f"/conversations/{turn.conversation_id}/export"
    assert "![" not in (await client.get(path)).text
    where = f"/messages/{turn.answer_id}/attachments/{turn.attachment_id}/picture"
    linked = (await client.get(f"{path}?charts=link")).text
    assert f"](/api/v1{where})" in linked
    assert "![GOOG: daily bars from 1 Jan 1970 to 2 Jan 1970; last close 12.5" in linked
    embedded = (await client.get(f"{path}?charts=embed")).text
    assert "](data:image/png;base64,iVBORw0KGgo" in embedded
    picture = await client.get(f"{where}?width=400&scale=1")
    assert picture.content.startswith(b"\x89PNG")
    assert (await people.client("bob").get(where)).status_code == 404


async def test_an_unknown_conversation_is_404_even_where_a_list_would_be_empty(
    people: Clients, desk: Desk
) -> None:
    unknown = ConversationId(UUID(int=5))
    answer = await people.client("ann").get(f"/conversations/{unknown}/messages")
    assert answer.status_code == 404


async def test_what_is_read_in_one_browser_is_read_in_the_other(
    desk: Desk, people: Clients
) -> None:
    turn = await desk.converse(desk.people["ann"], "How does GOOG look?", claims=CLAIMS)
    path = f"/conversations/{turn.conversation_id}"
    one, other = people.client("ann"), people.client("ann")
    seen = (await one.get(path)).json()
    assert seen["readSeq"] == seen["lastSeq"] == 7, "what one asks oneself is read"
    assert (await one.post(f"{path}/read", json={"seq": 3})).json() == {"readSeq": 3}
    assert (await other.get(path)).json()["readSeq"] == 3
    (row,) = (await other.get("/conversations")).json()["items"]
    assert (row["readSeq"], row["lastSeq"]) == (3, 7)
    assert (await other.post(f"{path}/read", json={"seq": 2})).json() == {"readSeq": 3}
    assert (await other.post(f"{path}/read", json={"seq": 999})).json() == {"readSeq": 7}
    for wrong in (-1, 2**60):
        assert (await one.post(f"{path}/read", json={"seq": wrong})).status_code == 422
    assert (await people.client("bob").post(f"{path}/read", json={"seq": 9})).status_code == 404
    assert (await one.get(path)).json()["readSeq"] == 7
