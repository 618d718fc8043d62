"""Costs of a run: reserved before, settled once, estimated when unknown, exact to the digit."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.messages import Usage
from agents.sink import Attempt, AttemptEnd
from app.domain.ids import AgentId, ConversationId, RunId, UserId, new_id
from app.domain.journal import Batch
from app.domain.money import plain
from app.domain.runs import Run
from app.services.conversations.journal import Journal, JournalPolicy
from app.services.conversations.pricing import PriceBook, estimate_tokens
from app.services.conversations.recorder import RunRecorder, _Settled, plausible_usage


class Store:
    def __init__(self) -> None:
        self.written = Batch()

    async def write(self, batch: Batch) -> None:
        for field in batch.__struct_fields__:
            getattr(self.written, field).extend(getattr(batch, field))


AT = datetime(2026, 1, 1, tzinfo=UTC)


class Nobody:
    def publish(self, events: object) -> None: ...


def a_run() -> Run:
    return Run(
        id=RunId(new_id()),
        conversation_id=ConversationId(new_id()),
        user_id=UserId(new_id()),
        agent_id=AgentId(new_id()),
        agent_version=1,
        status="running",
        user_message_id=None,
        started_at=datetime(2026, 1, 1, tzinfo=UTC),
    )


@pytest.fixture
async def store() -> Store:
    return Store()


@pytest.fixture
async def recorder(store: Store) -> AsyncIterator[RunRecorder]:
    policy = JournalPolicy(quiet_interval_s=0, busy_interval_s=0)
    run = a_run()
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
    [
        Usage(-1, 10),
        Usage(10, -5),
        Usage(10, 10**12),
        Usage(10**12, 10),
        Usage(10, 10, cache_read_tokens=-1),
        Usage(10, 10, cache_write_tokens=-1),
        Usage(10, 10, reasoning_tokens=-1),
        Usage(10, 10, cache_read_tokens=6, cache_write_tokens=6),
        Usage(10, 10, reasoning_tokens=11),
        Usage(10, 10**12, reasoning_tokens=10**12),
        Usage(0, 10),
        Usage(10, 0),
    ],
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


def test_reasoning_is_billed_though_nobody_saw_it() -> None:
    asked = attempt()
    told = Usage(900, 95, reasoning_tokens=90)
    assert plausible_usage(asked, end(asked, told, characters=20)) == (told, False)


class Gated(Store):
    """A store that can be made to wait or to refuse."""

    def __init__(self) -> None:
        super().__init__()
        self.open = asyncio.Event()
        self.entered = asyncio.Event()

    async def write(self, batch: Batch) -> None:
        self.entered.set()
        await self.open.wait()
        await super().write(batch)


async def test_an_attempt_given_up_before_it_was_sent_costs_nothing() -> None:
    gated = Gated()
    policy = JournalPolicy(quiet_interval_s=0, busy_interval_s=0)
    async with Journal(gated, Nobody(), policy) as journal:
        log = journal.open(ConversationId(new_id()), RunId(new_id()), 0)
        recorder = RunRecorder(log, a_run(), PriceBook(), clock=lambda: AT)
        asked = attempt()
        announcing = asyncio.ensure_future(recorder.attempt_started(asked))
        await asyncio.wait_for(gated.entered.wait(), 5)
        announcing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await announcing
        gated.open.set()
        recorder.settle_open("cancelled")
        await log.durable()
    [settled] = gated.written.settlements
    assert (settled.id, settled.outcome) == (asked.id, "cancelled")
    assert settled.amount_usd == 0
    assert not settled.estimated
    assert recorder.total() == (Decimal(0), True)


async def test_the_price_is_the_one_in_force_when_the_attempt_began(store: Store) -> None:
    class Rising(PriceBook):
        def price(self, provider: str, model: str, usage: Usage, *, at: datetime) -> Decimal:
            return Decimal(at.year)

    now = AT
    async with Journal(store, Nobody(), JournalPolicy(quiet_interval_s=0)) as journal:
        log = journal.open(ConversationId(new_id()), RunId(new_id()), 0)
        recorder = RunRecorder(log, a_run(), Rising(), clock=lambda: now)
        asked = attempt()
        await recorder.attempt_started(asked)
        now = AT.replace(year=2027)
        assert recorder.attempt_ended(end(asked, Usage(10, 10))) == Decimal(2026)


counts = st.integers(min_value=-5, max_value=5_000)
told = st.none() | st.builds(Usage, counts, counts, counts, counts, counts)
models = st.sampled_from(
    [
        ("openai", "gpt-4o"),
        ("openai", "gpt-5.4-mini"),
        ("anthropic", "claude-haiku-4-5"),
        ("google", "gemini-2.5-flash"),
        ("builtin", "outcry-builtin-1"),
        ("huggingface", "gpt-4o"),
        ("openai", "nobody-knows-this-one"),
    ]
)
outcomes = st.sampled_from(["succeeded", "failed", "cancelled"])


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(models, told, outcomes, st.integers(0, 4_000)), max_size=25))
async def test_receipts_are_the_exact_sum_of_the_settled_entries(
    attempts: list[tuple[tuple[str, str], Usage | None, str, int]],
) -> None:
    store = Store()
    policy = JournalPolicy(quiet_interval_s=0, busy_interval_s=0)
    async with Journal(store, Nobody(), policy) as journal:
        log = journal.open(ConversationId(new_id()), RunId(new_id()), 0)
        recorder = RunRecorder(log, a_run(), PriceBook(), clock=lambda: AT)
        for (provider, model), usage, status, characters in attempts:
            asked = attempt(provider, model)
            await recorder.attempt_started(asked)
            recorder.attempt_ended(
                AttemptEnd(asked.id, status, usage, characters, 1)  # type: ignore[arg-type]
            )
        await log.durable()
        receipt = recorder.receipt(duration_ms=1, provider="", model="")
    written = store.written
    assert [s.id for s in written.settlements] == [r.id for r in written.reservations]
    amounts = [s.amount_usd for s in written.settlements]
    known = [amount for amount in amounts if amount is not None]
    assert Fraction(receipt.amount) == sum(map(Fraction, known), Fraction(0))
    assert receipt.priced == (None not in amounts)
    assert all(amount >= 0 for amount in known)
    # What the database can hold without rounding: numeric(24, 12).
    assert all(amount == amount.quantize(Decimal("1e-12")) for amount in known)
    assert receipt.input_tokens == sum(s.usage.input_tokens for s in written.settlements)
    assert receipt.attempts == len(attempts)


def test_many_tiny_and_one_huge_amount_add_up_exactly() -> None:
    amounts = [Decimal("999999999999.999999999999"), *[Decimal("0.000000000001")] * 999]
    recorder = RunRecorder(_NoLog(), a_run(), PriceBook())  # type: ignore[arg-type]
    recorder._settled = [_Settled("p", "m", Usage(), amount, False) for amount in amounts]
    total, _ = recorder.total()
    assert Fraction(total) == sum(map(Fraction, amounts))


class _NoLog:
    text = None
    wait_for_room = None


@pytest.mark.parametrize(
    ("provider", "model", "priced"),
    [
        ("openai", "gpt-5.4-mini", True),
        ("anthropic", "claude-haiku-4-5", True),
        ("google", "gemini-2.5-flash", True),
        ("cohere", "command-r", True),
        ("builtin", "outcry-builtin-1", True),
        ("huggingface", "meta-llama/Llama-3.1-8B-Instruct", False),
        ("huggingface", "gpt-4o", False),
        ("openai", "", False),
        ("", "gpt-4o", False),
    ],
)
def test_a_price_is_known_or_it_is_not_zero(provider: str, model: str, priced: bool) -> None:
    price = PriceBook().price(provider, model, Usage(1_000, 10), at=AT)
    assert (price is not None) is priced
    assert price is None or (price > 0) is (provider != "builtin")


def test_a_vendors_price_says_nothing_about_another_address() -> None:
    book = PriceBook(redirected={"openai"})
    assert book.price("openai", "gpt-4o", Usage(1_000, 10), at=AT) is None
    assert book.price("anthropic", "claude-haiku-4-5", Usage(1_000, 10), at=AT) is not None


@given(st.builds(Usage, *[st.integers(-(10**15), 10**15)] * 5))
def test_no_count_however_absurd_stops_a_run(usage: Usage) -> None:
    for provider, model in (("openai", "gpt-4o"), ("anthropic", "claude-haiku-4-5")):
        price = PriceBook().price(provider, model, usage, at=AT)
        assert price is not None
        assert price.is_finite()
        assert price >= 0
