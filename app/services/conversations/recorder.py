"""What one run hands its words, tool calls and costs to; the server's side of `RunSink`."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Context, Decimal
from functools import reduce
from typing import Literal

import msgspec

from agents.events import AnyEvent, Custom, usage_entry
from agents.messages import Usage
from agents.sink import Attempt, AttemptEnd
from app.domain.costs import CostEntry, Receipt
from app.domain.ids import AttemptId
from app.domain.journal import CostSettlement
from app.domain.money import plain
from app.domain.runs import Run
from app.services.conversations.pricing import PriceBook, estimate_tokens
from app.services.conversations.run_log import RunLog

Clock = Callable[[], datetime]

_IMPLAUSIBLE_FACTOR = 2
_IMPLAUSIBLE_FLOOR = 1_000
"""Output counts over twice what was streamed (and over this floor) are not believed."""
_IMPLAUSIBLE_INPUT_FACTOR = 4
_IMPLAUSIBLE_INPUT_FLOOR = 10_000
"""Input counts over so many times our own count, and over this floor, are not either."""
_EXACT = Context(prec=100)
"""Sums of money are never rounded, however many and however unlike their amounts."""


def utc_now() -> datetime:
    """Return the wall clock, UTC."""
    return datetime.now(UTC)


class _Open(msgspec.Struct, frozen=True):
    attempt: Attempt
    reserved_at: datetime
    """Its price is the one in force at this moment, also if it ends after a change."""


class _Settled(msgspec.Struct, frozen=True):
    provider: str
    model: str
    usage: Usage
    amount: Decimal | None
    estimated: bool


class RunRecorder:
    """Implements `agents.sink.RunSink` on a run's log and the price book."""

    def __init__(self, log: RunLog, run: Run, prices: PriceBook, *, clock: Clock = utc_now) -> None:
        self._log = log
        self._run = run
        self._prices = prices
        self._clock = clock
        self._open: dict[AttemptId, _Open] = {}
        self._settled: list[_Settled] = []
        # The token path: one call, no wrapper.
        self.text = log.text
        self.wait_for_room = log.wait_for_room

    def emit(self, event: AnyEvent) -> None:
        """Append one event."""
        self._log.emit(event)

    async def attempt_started(self, attempt: Attempt) -> None:
        """Store the reservation of the attempt's worst-case price before anything is sent.

        An attempt that is given up before that is settled here, at nothing: nothing was sent.
        """
        await self._prices.prepare(attempt.provider)
        now = self._clock()
        worst = Usage(
            input_tokens=attempt.estimated_input_tokens, output_tokens=attempt.max_output_tokens
        )
        attempt_id = AttemptId(attempt.id)
        self._log.record(
            reservations=[
                CostEntry(
                    id=attempt_id,
                    run_id=self._run.id,
                    conversation_id=self._run.conversation_id,
                    user_id=self._run.user_id,
                    agent_id=self._run.agent_id,
                    provider=attempt.provider,
                    model=attempt.model,
                    status="reserved",
                    outcome="pending",
                    usage=worst,
                    reserved_usd=self._prices.price(attempt.provider, attempt.model, worst, at=now),
                    amount_usd=None,
                    estimated=False,
                    latency_ms=0,
                    created_at=now,
                )
            ]
        )
        self._open[attempt_id] = _Open(attempt, now)
        try:
            await self._log.durable()
        except BaseException as why:
            cancelled = isinstance(why, asyncio.CancelledError)
            self._settle(
                self._open.pop(attempt_id),
                AttemptEnd(
                    attempt_id=attempt_id,
                    status="cancelled" if cancelled else "failed",
                    usage=Usage(),
                    streamed_characters=0,
                    latency_ms=0,
                    error_code="not_sent",
                ),
                Usage(),
                estimated=False,
            )
            raise

    def attempt_ended(self, end: AttemptEnd) -> Decimal | None:
        """Settle the attempt; a second call for the same attempt is a programming error."""
        opened = self._open.pop(AttemptId(end.attempt_id))
        usage, estimated = plausible_usage(opened.attempt, end)
        return self._settle(opened, end, usage, estimated=estimated)

    def _settle(
        self, opened: _Open, end: AttemptEnd, usage: Usage, *, estimated: bool
    ) -> Decimal | None:
        attempt = opened.attempt
        amount = self._prices.price(attempt.provider, attempt.model, usage, at=opened.reserved_at)
        self._settled.append(_Settled(attempt.provider, attempt.model, usage, amount, estimated))
        self._log.record(
            settlements=[
                CostSettlement(
                    id=AttemptId(attempt.id),
                    outcome=end.status,
                    usage=usage,
                    amount_usd=amount,
                    estimated=estimated,
                    latency_ms=end.latency_ms,
                    settled_at=self._clock(),
                    error_code=end.error_code,
                )
            ]
        )
        total, priced = self.total()
        self._log.emit(
            Custom(
                name="outcry.cost",
                value={"amount": plain(total), "currency": "USD", "priced": priced},
            )
        )
        return amount

    def settle_open(self, outcome: Literal["failed", "cancelled"]) -> None:
        """Settle by estimate whatever a cancelled or crashed run left open."""
        for attempt_id in tuple(self._open):
            self.attempt_ended(
                AttemptEnd(
                    attempt_id=attempt_id,
                    status=outcome,
                    usage=None,
                    streamed_characters=0,
                    latency_ms=0,
                )
            )

    def restore(self, entries: Sequence[CostEntry], *, streamed_characters: int) -> None:
        """Take over a dead process's attempts: the settled as they are, the open by estimate.

        `streamed_characters`: what the attempt that was cut off had streamed.
        """
        for entry in entries:
            if entry.status == "settled":
                self._settled.append(
                    _Settled(
                        entry.provider,
                        entry.model,
                        entry.usage,
                        entry.amount_usd,
                        entry.estimated,
                    )
                )
                continue
            attempt = Attempt(
                id=entry.id,
                provider=entry.provider,
                model=entry.model,
                estimated_input_tokens=entry.usage.input_tokens,
                max_output_tokens=entry.usage.output_tokens,
            )
            self._open[entry.id] = _Open(attempt, entry.created_at)
            self.attempt_ended(
                AttemptEnd(
                    attempt_id=entry.id,
                    status="interrupted",
                    usage=None,
                    streamed_characters=streamed_characters,
                    latency_ms=0,
                )
            )

    @property
    def last_provider(self) -> str:
        """The provider of the newest settled attempt; empty if there was none."""
        return self._settled[-1].provider if self._settled else ""

    @property
    def last_model(self) -> str:
        """The model of the newest settled attempt; empty if there was none."""
        return self._settled[-1].model if self._settled else ""

    def total(self) -> tuple[Decimal, bool]:
        """Return what is known to be spent so far, and whether that is all of it."""
        amounts = [settled.amount for settled in self._settled]
        known = [amount for amount in amounts if amount is not None]
        return reduce(_EXACT.add, known, Decimal(0)), len(known) == len(amounts)

    def usage(self) -> Usage:
        """Return all tokens of all attempts."""
        return sum((settled.usage for settled in self._settled), Usage())

    def usage_entries(self) -> list[dict[str, object]]:
        """Return `RUN_FINISHED.usage`: one entry per provider and model."""
        by_model: dict[tuple[str, str], Usage] = {}
        for settled in self._settled:
            key = (settled.provider, settled.model)
            by_model[key] = by_model.get(key, Usage()) + settled.usage
        return [
            usage_entry(provider=provider, model=model, usage=usage)
            for (provider, model), usage in by_model.items()
        ]

    def receipt(self, *, duration_ms: int, provider: str, model: str) -> Receipt:
        """Return what stands under the answer."""
        total, priced = self.total()
        usage = self.usage()
        return Receipt(
            amount=plain(total),
            currency="USD",
            priced=priced,
            estimated=any(settled.estimated for settled in self._settled),
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cached_tokens=usage.cache_read_tokens,
            attempts=len(self._settled),
            duration_ms=duration_ms,
            provider=provider,
            model=model,
        )


def plausible_usage(attempt: Attempt, end: AttemptEnd) -> tuple[Usage, bool]:
    """Return the usage to charge, and whether it is our estimate.

    A call that was refused before it streamed anything costs nothing. Otherwise a provider that
    says nothing, or what cannot be, is not believed.
    """
    if end.usage is not None and _believable(end.usage, attempt, end.streamed_characters):
        return end.usage, False
    refused = end.status == "failed" and end.error_code != "llm_stalled"
    if refused and end.streamed_characters == 0:
        return Usage(), False
    streamed = estimate_tokens(end.streamed_characters)
    return Usage(input_tokens=attempt.estimated_input_tokens, output_tokens=streamed), True


def _believable(told: Usage, attempt: Attempt, streamed_characters: int) -> bool:
    """Tell whether a provider's counts can be true of this attempt.

    Reasoning is billed but not streamed, so it is taken out of the comparison with the text; with
    the rest of the output it still has to fit what the request allowed.
    """
    if min(msgspec.structs.astuple(told)) < 0:
        return False
    if told.input_tokens == 0 or (told.output_tokens == 0 and streamed_characters > 0):
        return False
    if (
        told.cache_read_tokens + told.cache_write_tokens > told.input_tokens
        or told.reasoning_tokens > told.output_tokens
    ):
        return False
    most_input = max(
        _IMPLAUSIBLE_INPUT_FACTOR * attempt.estimated_input_tokens, _IMPLAUSIBLE_INPUT_FLOOR
    )
    most_text = max(_IMPLAUSIBLE_FACTOR * streamed_characters, _IMPLAUSIBLE_FLOOR)
    return (
        told.input_tokens <= most_input
        and told.output_tokens <= attempt.max_output_tokens * _IMPLAUSIBLE_FACTOR
        and told.output_tokens - told.reasoning_tokens <= most_text
    )
