"""Costs of a run: reserved before, settled once, estimated when unknown, exact to the digit."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.messages import Usage
from agents.sink import Attempt, AttemptEnd
from app.domain.ids import AgentId, ConversationId, RunId, UserId, new_id
from app.domain.journal import Batch
from app.domain.money import plain
from app.domain.runs import Run
from app.services.journal import Journal, JournalPolicy
from app.services.pricing import PriceBook, estimate_tokens
from app.services.recorder import RunRecorder, plausible_usage


class Store:
    def __init__(self) -> None:
        self.written = Batch()

    async def write(self, batch: Batch) -> None:
        for field in batch.__struct_fields__:
            getattr(self.written, field).extend(getattr(batch, field))


class Nobody:
    def publish(self, events: object) -> None: ...


@pytest.fixture
async def store() -> Store:
    return Store()


@pytest.fixture
async def recorder(store: Store) -> AsyncIterator[RunRecorder]:
    policy = JournalPolicy(quiet_interval_s=0, busy_interval_s=0)
    run = Run(
        id=RunId(new_id()),
        conversation_id=ConversationId(new_id()),
        user_id=UserId(new_id()),
        agent_id=AgentId(new_id()),
        agent_version=1,
        status="running",
        user_message_id=None,
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
    )
    async with Journal(store, Nobody(), policy) as journal:
        log = journal.open(run.conversation_id, run.id, 0)
        yield RunRecorder(log, run, PriceBook(), clock=lambda: datetime(2026, 1, 1, tzinfo=UTC))


def attempt(provider: str = "openai", model: str = "gpt-4o") -> Attempt:
    return Attempt(
        id=new_id(),
        provider=provider,
        model=model,
        estimated_input_tokens=1_000,
        max_output_tokens=100,
    )


def end(of: Attempt, usage: Usage | None, *, characters: int = 400) -> AttemptEnd:
    return AttemptEnd(
        attempt_id=of.id,
        status="succeeded",
        usage=usage,
        streamed_characters=characters,
        latency_ms=5,
    )


async def test_the_reservation_is_durable_before_the_provider_is_asked(
    recorder: RunRecorder, store: Store
) -> None:
    asked = attempt()
    await recorder.attempt_started(asked)
    [entry] = store.written.reservations
    assert entry.id == asked.id
    assert entry.reserved_usd == Decimal("0.0035")  # 1,000 × 2.50 + 100 × 10.00 per million


async def test_cached_tokens_are_charged_at_their_own_price(recorder: RunRecorder) -> None:
    asked = attempt()
    await recorder.attempt_started(asked)
    usage = Usage(input_tokens=1_000, output_tokens=100, cache_read_tokens=400)
    # 600 × 2.50 + 400 × 1.25 + 100 × 10.00 per million
    assert recorder.attempt_ended(end(asked, usage)) == Decimal("0.0030")


async def test_an_attempt_is_settled_exactly_once(recorder: RunRecorder, store: Store) -> None:
    asked = attempt()
    await recorder.attempt_started(asked)
    recorder.attempt_ended(end(asked, Usage(10, 10)))
    with pytest.raises(KeyError):
        recorder.attempt_ended(end(asked, Usage(10, 10)))
    recorder.settle_open("cancelled")
    await recorder._log.durable()
    assert [settlement.id for settlement in store.written.settlements] == [asked.id]


async def test_a_provider_that_sends_no_usage_is_charged_by_estimate(
    recorder: RunRecorder,
) -> None:
    asked = attempt()
    await recorder.attempt_started(asked)
    recorder.attempt_ended(end(asked, None, characters=400))
    receipt = recorder.receipt(duration_ms=1, provider="openai", model="gpt-4o")
    assert receipt.estimated
    assert (receipt.input_tokens, receipt.output_tokens) == (1_000, 100)
    assert Decimal(receipt.amount) == Decimal("0.0035")


async def test_an_unknown_model_is_unpriced_and_never_free(recorder: RunRecorder) -> None:
    asked = attempt(model="nobody-knows-this-one")
    await recorder.attempt_started(asked)
    assert recorder.attempt_ended(end(asked, Usage(10, 10))) is None
    receipt = recorder.receipt(duration_ms=1, provider="openai", model="nobody-knows-this-one")
    assert not receipt.priced


async def test_the_builtin_model_is_free_and_still_counted(recorder: RunRecorder) -> None:
    asked = attempt("builtin", "outcry-builtin-1")
    await recorder.attempt_started(asked)
    assert recorder.attempt_ended(end(asked, Usage(10, 20))) == Decimal(0)
    receipt = recorder.receipt(duration_ms=1, provider="builtin", model="outcry-builtin-1")
    assert (receipt.amount, receipt.priced, receipt.output_tokens) == ("0", True, 20)


async def test_several_attempts_add_up(recorder: RunRecorder) -> None:
    for _ in range(3):
        asked = attempt()
        await recorder.attempt_started(asked)
        recorder.attempt_ended(end(asked, Usage(1_000, 100)))
    receipt = recorder.receipt(duration_ms=1, provider="openai", model="gpt-4o")
    assert receipt.attempts == 3
    assert Decimal(receipt.amount) == Decimal("0.0105")
    [entry] = recorder.usage_entries()
    assert (entry["inputTokens"], entry["outputTokens"]) == (3_000, 300)


@pytest.mark.parametrize(
    "told",
    [Usage(-1, 10), Usage(10, -5), Usage(10, 10**12)],
)
def test_implausible_usage_is_not_believed(told: Usage) -> None:
    asked = attempt()
    usage, estimated = plausible_usage(asked, end(asked, told))
    assert estimated
    assert usage == Usage(input_tokens=1_000, output_tokens=estimate_tokens(400))


def test_a_refused_call_costs_nothing() -> None:
    asked = attempt()
    refused = AttemptEnd(
        attempt_id=asked.id,
        status="failed",
        usage=None,
        streamed_characters=0,
        latency_ms=1,
        error_code="llm_unauthorized",
    )
    assert plausible_usage(asked, refused) == (Usage(), False)


@given(st.decimals(min_value=0, max_value=10**9, allow_nan=False, places=12))
def test_plain_money_is_the_same_number_without_an_exponent(amount: Decimal) -> None:
    text = plain(amount)
    assert Decimal(text) == amount
    assert "E" not in text
    assert not (("." in text) and text.endswith("0"))
