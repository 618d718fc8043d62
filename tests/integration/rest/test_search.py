"""Finding words in one's own messages and titles."""

from typing import Any

import pytest

from tests.integration.rest.rest_desk import Clients, Desk
from tests.integration.rest.test_conversations import walk


async def find(people: Clients, query: str) -> list[dict[str, Any]]:
    answer = await people.client("ann").get("/search", params={"query": query})
    assert answer.status_code == 200, answer.text
    return answer.json()["items"]  # type: ignore[no-any-return]


async def test_words_match_from_their_beginning_and_are_marked(desk: Desk, people: Clients) -> None:
    ann = desk.people["ann"]
    turn = await desk.converse(ann, "hm?", "The volatility of GOOG is low, its volume is not.")
    await desk.converse(ann, "hm?", "Nothing of the kind.")
    found = await find(people, "vol goo")
    assert [hit["messageId"] for hit in found] == [str(turn.answer_id)]
    assert found[0]["snippet"] == (
        "The \x01vol\x02atility of \x01GOO\x02G is low, its \x01vol\x02ume is not."
    )
    assert found[0]["conversationId"] == str(turn.conversation_id)
    assert found[0]["title"] == "hm?"


async def test_a_question_and_the_title_made_from_it_are_one_hit(
    desk: Desk, people: Clients
) -> None:
    turn = await desk.converse(desk.people["ann"], "How is NVDA?", "Fine.")
    assert [hit["messageId"] for hit in await find(people, "nvda")] == [str(turn.question_id)]


async def test_a_title_is_found_even_after_it_was_changed(desk: Desk, people: Clients) -> None:
    turn = await desk.converse(desk.people["ann"], "one", "two")
    await people.client("ann").patch(
        f"/conversations/{turn.conversation_id}", json={"title": "Earnings of NVDA"}
    )
    found = await find(people, "nvda")
    assert [(hit["messageId"], hit["snippet"]) for hit in found] == [
        (None, "Earnings of \x01NVDA\x02")
    ]


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("it fell by -1.3 % today", "1.3"),
        ("see https://example.org/a?b=c", "org/a?b"),
        ("100% sure_thing", "e_t"),
        ("100% sure", "%"),
        ("C:\\temp", "\\t"),
        ("it's 'quoted' & (bracketed) | !odd :*", "'quoted' &"),
        ("it's 'quoted' & (bracketed) | !odd :*", "!odd :*"),
        ("価格は上昇しました", "上昇"),
        ("naïve café", "CAFÉ"),
    ],
)
async def test_odd_queries_find_exactly_what_they_say(
    desk: Desk, people: Clients, text: str, query: str
) -> None:
    ann = desk.people["ann"]
    turn = await desk.converse(ann, "hm?", text)
    await desk.converse(ann, "hm?", "something else altogether")
    found = await find(people, query)
    assert [hit["messageId"] for hit in found] == [str(turn.answer_id)]
    assert "\x01" in found[0]["snippet"]


@pytest.mark.parametrize("query", ["<->", "a <-> b", "'", "\\", "(((", "!!!", ":*", "\x00", "&|"])
async def test_no_query_breaks_the_search(desk: Desk, people: Clients, query: str) -> None:
    await desk.converse(desk.people["ann"], "plain", "words")
    assert await find(people, query) == []


async def test_a_text_cannot_forge_the_marks(desk: Desk, people: Clients) -> None:
    await desk.converse(desk.people["ann"], "hm?", "\x01forged\x02 and real")
    found = await find(people, "real")
    assert found[0]["snippet"] == "forged and \x01real\x02"


async def test_replaced_messages_are_not_found(desk: Desk, people: Clients) -> None:
    ann = desk.people["ann"]
    first = await desk.converse(ann, "hm?", "obsolete wisdom")
    assert len(await find(people, "obsolete")) == 1
    await desk.converse(
        ann,
        "",
        "fresh",
        conversation_id=first.conversation_id,
        mode="regenerate",
        from_message_id=first.question_id,
    )
    assert await find(people, "obsolete") == []


async def test_pages_of_hits_neither_repeat_nor_skip_while_messages_arrive(
    desk: Desk, people: Clients
) -> None:
    ann = desk.people["ann"]
    made = [str((await desk.converse(ann, "hm?", f"needle {n}")).answer_id) for n in range(5)]

    async def arrive() -> None:
        await desk.converse(ann, "hm?", "needle late")

    hits = await walk(people.client("ann").get, "/search?query=needle", between=arrive)
    assert [hit["messageId"] for hit in hits] == made[::-1]


@pytest.mark.parametrize("query", ["", "   ", "x" * 201])
async def test_an_empty_or_endless_query_is_refused(people: Clients, query: str) -> None:
    answer = await people.client("ann").get("/search", params={"query": query})
    assert answer.status_code == 422
