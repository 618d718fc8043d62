"""The conversation an alert opens: evidence, receipt, transcript, and what a crash leaves of it."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest

from agents.llms.builtin.model import BuiltinLLM
from agents.llms.scripted import ScriptedReply
from app.domain.ids import ConversationId
from app.domain.principal import Principal
from app.domain.views import MessageView
from app.services.conversations.exports import as_markdown
from app.storage.engine import Database
from tests.integration.alerts.alert_desk import bar
from tests.integration.alerts.conftest import Server

DAY = datetime(2013, 2, 19, tzinfo=UTC)


async def fire(server: Server, ann: Principal, **wishes: object) -> ConversationId:
    """Fire an alert on the shipped prices of GOOG and return what it opened."""
    alert_id = await server.at.make(ann, **wishes)
    await server.at.alerts.evaluate(bar(790, 18, signals=()))
    values = {"close": 806.85, "rsi": 75.6}
    moment = bar(806.85, 19)
    moment.now.update(values)
    assert len(await server.at.alerts.evaluate(moment)) == 1
    assert await server.at.openings.open_all() == 1
    episodes = (await server.at.alerts.episodes(ann, alert_id, cursor=None, limit=1)).items
    assert episodes[0].thread_id is not None
    return ConversationId(episodes[0].thread_id)


async def messages(server: Server, ann: Principal, thread: ConversationId) -> list[MessageView]:
    page = await server.process.conversations.messages(
        ann, thread, superseded=False, cursor=None, limit=50
    )
    return list(reversed(page.items))


async def test_it_begins_with_what_happened_its_evidence_and_how_it_went_before(
    server: Server, ann: Principal
) -> None:
    thread = await fire(server, ann, name="Google over 800")
    (message,) = await messages(server, ann, thread)
    assert message.role == "assistant"
    text = message.content
    assert text.startswith(
        "**GOOG: close above 800.** Your alert “Google over 800” fired on 19 February 2013."
    )
    assert "Close: **806.85**; the condition compares it with 800.00." in text
    assert "**Before:** it never came to hold" in text
    assert "no LLM was asked" in text

    calls = [(call.tool_name, call.status) for call in message.tool_calls]
    assert calls == [
        ("condition_record", "success"),
        ("indicators", "success"),
        ("signals", "success"),
        ("levels", "success"),
    ]
    assert "Nearest levels: support at" in text
    assert "hardly more often than at lines that mean nothing" in text
    assert [card.type for card in message.attachments] == ["chart"] * len(message.attachments)
    assert message.attachments
    assert message.receipt is not None
    assert (message.receipt.amount, message.receipt.priced) == ("0", True)
    assert (message.receipt.provider, message.receipt.model) == ("builtin", "outcry-alert-1")


@pytest.mark.parametrize(
    "condition",
    [
        {"field": "close", "op": ">", "value": 800},
        {"field": "rsi", "op": ">", "value": 70},
        {"all": [{"field": "close", "op": ">", "value": {"field": "sma50", "times": 1.02}},
                 {"field": "volumeRatio", "op": ">", "value": 0.5}]},
        {"field": "macd", "op": ">", "value": {"field": "macdSignal"}},
        {"field": "close", "op": "crosses_above", "value": {"field": "sma200"}},
        {"field": "changePercent", "op": ">=", "value": 1},
    ],
)  # fmt: skip
async def test_every_number_it_says_has_its_evidence(
    server: Server, ann: Principal, condition: dict[str, object]
) -> None:
    alert_id = await server.on_prices.make(ann, condition=condition)
    alert = await server.at.store.find(ann.user_id, alert_id)
    assert alert is not None
    await _force(server, alert_id)
    assert await server.at.openings.open_all() == 1
    episodes = (await server.at.alerts.episodes(ann, alert_id, cursor=None, limit=1)).items
    assert episodes[0].thread_id is not None
    (message,) = await messages(server, ann, ConversationId(episodes[0].thread_id))
    unverified = [claim.text for claim in message.claims if claim.status == "unverified"]
    assert unverified == [], message.content
    assert len(message.claims) >= 8


async def test_an_alert_on_a_signal_tells_how_such_signals_did(
    server: Server, ann: Principal
) -> None:
    alert_id = await server.on_prices.make(
        ann, symbol="IBM", condition={"signal": "volume_spike", "fired": True}
    )
    await _force(server, alert_id, datetime(2011, 8, 8, tzinfo=UTC))
    assert await server.at.openings.open_all() == 1
    episodes = (await server.at.alerts.episodes(ann, alert_id, cursor=None, limit=1)).items
    assert episodes[0].thread_id is not None
    thread = ConversationId(episodes[0].thread_id)
    (message,) = await messages(server, ann, thread)
    assert "- **Volume spike**, since 8 August 2011" in message.content
    assert "base rate" in message.content
    assert [c.text for c in message.claims if c.status == "unverified"] == []

    # It can be taken away like any other conversation.
    conversations = server.process.conversations
    whole = await conversations.get(ann, thread)
    page = [part async for part in as_markdown(whole, conversations.transcript(ann, thread))]
    text = "".join(part if isinstance(part, str) else part.decode() for part in page)
    assert "IBM: a volume spike signal fires." in text


async def _force(server: Server, alert_id: object, day: datetime = DAY) -> None:
    """Store an episode at a day of the shipped prices, whatever the condition says of it."""
    await server.process.database.execute(
        "INSERT INTO alert_episodes (id, alert_id, bar_time, fired_at)"
        " VALUES (gen_random_uuid(), $1, $2, $2)",
        alert_id,
        day,
    )


async def test_sockets_are_told_and_the_transcript_replays(server: Server, ann: Principal) -> None:
    thread = await fire(server, ann, name="Google over 800")
    ((user_id, notice),) = server.at.notices.notices
    assert (user_id, notice.kind, notice.thread_id) == (ann.user_id, "alert", thread)
    assert notice.title == "GOOG: Google over 800"

    events = server.process.seen.events
    types = [event.type for event in events]
    assert (types[0], types[-1]) == ("RUN_STARTED", "RUN_FINISHED")
    assert [event.seq for event in events] == list(range(1, len(events) + 1))
    stored = await server.process.events.read(thread, after=0, limit=1000)
    assert stored == events
    said = "".join(event.payload for event in events if event.type == "TEXT_MESSAGE_CONTENT")
    assert said == (await messages(server, ann, thread))[0].content
    assert '"mode":"alert"' in events[0].payload
    shown = await server.process.conversations.get(ann, thread)
    assert shown.title == "GOOG: Google over 800"


async def test_the_person_replies_and_the_agent_knows_what_was_said(
    server: Server, ann: Principal
) -> None:
    thread = await fire(server, ann)
    server.process.script(ScriptedReply(text="It is."))
    await server.process.answer("Is that unusual?", conversation_id=thread)
    llm = server.process.llm
    roles = [message.role for message in llm.requests[0].messages]
    assert roles == ["user", "assistant", *["tool"] * 4, "assistant", "user"]
    assert llm.requests[0].messages[0].content == "An alert of mine fired. How does GOOG look?"
    assert llm.requests[0].messages[6].content.startswith("**GOOG: close above 800.**")
    # Read from the database it is the same, to the byte.
    server.process.runs._histories._kept.clear()
    server.process.script(ScriptedReply(text="Still."))
    await server.process.answer("And now?", conversation_id=thread)
    assert server.process.llm.requests[0].messages[:7] == llm.requests[0].messages[:7]
    assert [m.role for m in await messages(server, ann, thread)] == [
        "assistant", "user", "assistant", "user", "assistant",
    ]  # fmt: skip


async def test_the_built_in_model_knows_what_a_reply_is_about(
    server: Server, ann: Principal, database: Database
) -> None:
    tools: list[dict[str, object]] = [
        {"name": name, "description": "", "endpoint": f"builtin:{name}", "parameters": {}}
        for name in ("quotes", "indicators", "signals")
    ]
    await database.execute("UPDATE agent_versions SET config = config || $1", {"tools": tools})
    thread = await fire(server, ann)
    server.process.llm = BuiltinLLM()  # type: ignore[assignment]
    for question in ("Is that unusual?", "What do the signals say?"):
        await server.process.answer(question, conversation_id=thread)
        answer = (await messages(server, ann, thread))[-1]
        assert "GOOG" in answer.content, question
        assert {call.input["symbol"] for call in answer.tool_calls} == {"GOOG"}, question


async def test_an_episode_whose_process_died_before_it_opened_is_opened_by_the_next(
    start: Callable[[], Awaitable[Server]], ann: Principal, database: Database
) -> None:
    dying = await start()
    alert_id = await dying.at.make(ann)
    await dying.at.alerts.evaluate(bar(790, 18))
    await dying.at.alerts.evaluate(bar(801, 19))
    # It dies here: the episode is stored, nothing else is.
    other = await start()
    assert await other.at.openings.open_all() == 1
    assert await other.at.openings.open_all() == 0
    assert await dying.at.openings.open_all() == 0
    assert await database.fetchval("SELECT count(*) FROM conversations") == 1
    episodes = (await other.at.alerts.episodes(ann, alert_id, cursor=None, limit=5)).items
    assert [one.thread_id is not None for one in episodes] == [True]
    assert len(other.at.notices.notices) == 1


async def test_a_conversation_that_broke_off_is_begun_again(
    start: Callable[[], Awaitable[Server]], ann: Principal, database: Database
) -> None:
    dying = await start()
    alert_id = await dying.at.make(ann)
    await dying.at.alerts.evaluate(bar(790, 18))
    await dying.at.alerts.evaluate(bar(801, 19))
    assert await dying.at.openings.open_all() == 1
    # As a crash between its run's beginning and its end leaves it, once recovery has cleaned up.
    await database.execute("UPDATE runs SET status = 'failed', error_code = 'interrupted'")
    await database.execute("UPDATE alert_episodes SET opened_at = NULL, conversation_id = NULL")
    other = await start()
    assert await other.at.openings.open_all() == 1
    assert await database.fetchval("SELECT count(*) FROM conversations") == 1
    episodes = (await other.at.alerts.episodes(ann, alert_id, cursor=None, limit=5)).items
    thread = episodes[0].thread_id
    assert thread is not None
    (message,) = await messages(other, ann, ConversationId(thread))
    assert message.content.startswith("**GOOG: close above 800.**")


async def test_a_conversation_somebody_wrote_in_is_never_taken_away(
    server: Server, ann: Principal, database: Database
) -> None:
    thread = await fire(server, ann)
    server.process.script(ScriptedReply(text="It is."))
    await server.process.answer("Is that unusual?", conversation_id=thread)
    await database.execute("UPDATE runs SET status = 'failed' WHERE mode = 'alert'")
    await database.execute("UPDATE alert_episodes SET opened_at = NULL")
    assert await server.at.openings.open_all() == 1
    assert len(await messages(server, ann, thread)) == 3


async def test_a_run_that_another_process_writes_is_left_to_it(
    server: Server, ann: Principal, database: Database
) -> None:
    thread = await fire(server, ann)
    await database.execute("UPDATE runs SET status = 'running', owner = 'elsewhere'")
    await database.execute("UPDATE alert_episodes SET opened_at = NULL")
    assert await server.at.openings.open_all() == 0
    await database.execute("UPDATE runs SET status = 'finished'")
    assert await server.at.openings.open_all() == 1
    assert len(await messages(server, ann, thread)) == 1


async def test_where_its_agent_cannot_the_first_of_the_desk_opens_it(
    server: Server, ann: Principal, database: Database
) -> None:
    agent_id = await database.fetchval(
        "INSERT INTO agents (id, name, type, status, config) SELECT gen_random_uuid(), 'trader',"
        " type, 'active', config FROM agents LIMIT 1 RETURNING id"
    )
    await server.at.make(ann, agent_id=agent_id)
    await database.execute("UPDATE agents SET status = 'disabled' WHERE id = $1", agent_id)
    await server.at.alerts.evaluate(bar(790, 18))
    await server.at.alerts.evaluate(bar(801, 19))
    assert await server.at.openings.open_all() == 1
