from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from agents.claims.values import Claim
from agents.messages import Usage
from app.domain.ids import ConversationId, MessageId, new_id
from app.domain.journal import Batch, NewClaim, NewMessage, NewToolCall, RunEnd
from app.domain.principal import Principal
from app.domain.runs import Run, StoredEvent
from app.storage.conversation_reads import ConversationReads
from app.storage.events import StoredEvents
from app.storage.journal_store import PostgresJournal
from tests.integration.storage.desk import NOW, Desk, ask


async def answered(
    desk: Desk, run: Run, *, after_s: float, calls: Sequence[tuple[str, int]], cited: Sequence[str]
) -> MessageId:
    """End `run` with an answer that called tools and cites calls."""
    message = NewMessage(
        id=MessageId(new_id()),
        conversation_id=run.conversation_id,
        run_id=run.id,
        parent_id=run.user_message_id,
        role="assistant",
        content="1 2 3",
        timestamp=NOW + timedelta(seconds=after_s),
    )
    ended = RunEnd(run.id, run.conversation_id, "finished", message.timestamp, Usage(), None)
    async with PostgresJournal(desk.database) as journal:
        await journal.write(
            Batch(
                messages=[message],
                tool_calls=[
                    NewToolCall(
                        id=new_id(),
                        message_id=message.id,
                        run_id=run.id,
                        position=position,
                        call_id=call_id,
                        tool_name="quotes",
                        input={},
                        output={"data": value},
                        duration_ms=1,
                        status="success",
                    )
                    for position, (call_id, value) in enumerate(calls)
                ],
                claims=[
                    NewClaim(message.id, Claim(n, 0, 1, "1", "supported", tool_call_id=call_id))
                    for n, call_id in enumerate(cited, 1)
                ],
                run_ends=[ended],
            )
        )
    return message.id


async def test_a_claim_is_shown_with_the_call_it_cites_also_of_an_earlier_answer(
    desk: Desk, ann: Principal, bob: Principal
) -> None:
    first = (await desk.start(ask("one"), ann)).run
    conversation_id = first.conversation_id
    await answered(desk, first, after_s=1, calls=[("early", 1), ("twice", 2)], cited=[])
    second = (await desk.start(ask("two", conversation_id), ann, after_s=2)).run
    message_id = await answered(
        desk,
        second,
        after_s=3,
        calls=[("twice", 3)],
        cited=["early", "twice", "late", "elsewhere", "never"],
    )
    third = (await desk.start(ask("three", conversation_id), ann, after_s=4)).run
    await answered(desk, third, after_s=5, calls=[("late", 4), ("twice", 5)], cited=[])
    other = (await desk.start(ask("other"), ann)).run
    await answered(desk, other, after_s=1, calls=[("elsewhere", 6)], cited=[])
    reads = ConversationReads(desk.database)

    claims = await reads.claims(message_id, ann.user_id)

    assert claims is not None
    outputs = [cited.tool_call and cited.tool_call.output for cited in claims]
    assert outputs == [{"data": 1}, {"data": 3}, None, None, None]
    assert await reads.claims(message_id, bob.user_id) is None


async def test_a_conversation_costs_what_its_owner_spent_on_it(
    desk: Desk, ann: Principal, bob: Principal
) -> None:
    """Cost entries outlive conversations and users, so an id alone does not tell whose they are."""
    run = (await desk.start(ask("one"), ann)).run
    for principal, amount in ((ann, "0.25"), (ann, "0.5"), (bob, "7")):
        await desk.database.execute(
            "INSERT INTO cost_entries (id, conversation_id, user_id, agent_id, provider, model,"
            " status, outcome, amount_usd)"
            " VALUES ($1, $2, $3, $4, 'p', 'm', 'settled', 'succeeded', $5::text::numeric)",
            new_id(),
            run.conversation_id,
            principal.user_id,
            run.agent_id,
            amount,
        )

    view = await ConversationReads(desk.database).find(run.conversation_id, ann.user_id)

    assert view is not None
    assert (view.cost.amount, view.cost.priced) == ("0.75", True)


async def test_the_journals_newest_place_is_never_before_what_was_given_out(
    desk: Desk, ann: Principal
) -> None:
    events = StoredEvents(desk.database)
    nowhere = ConversationId(UUID(int=7))
    assert await events.bounds(nowhere) == (1, 0)
    run = (await desk.start(ask("one"), ann)).run
    assert await events.bounds(run.conversation_id) == (1, 0)
    told = [StoredEvent(run.conversation_id, n, run.id, "CUSTOM", "{}") for n in (1, 2, 3)]
    async with PostgresJournal(desk.database) as journal:
        await journal.write(Batch(events=told))
        assert await events.bounds(run.conversation_id) == (1, 3)
        ended = RunEnd(run.id, run.conversation_id, "finished", NOW, Usage(), None)
        await journal.write(Batch(run_ends=[ended]))

    await desk.database.execute("DELETE FROM run_events WHERE seq = 1")
    assert await events.bounds(run.conversation_id) == (2, 3)
    await desk.database.execute("DELETE FROM run_events WHERE seq = 3")
    assert await events.bounds(run.conversation_id) == (2, 3)
    await desk.database.execute("DELETE FROM run_events")
    assert await events.bounds(run.conversation_id) == (4, 3)
