"""What programs use of others' language models through `/v2`: reserved before, settled once after.

Nothing else of such a call is kept. What dies between the two is settled by the estimate, by the
same recovery as what agents were about to spend.
"""

import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Protocol

from agents.messages import Usage as Tokens
from app.domain.costs import CallOutcome, ReservedCall
from app.domain.ids import UserId, new_id
from app.domain.predictions import Spent
from app.services.conversations.pricing import PriceBook, estimate_tokens
from app.services.predictions.prediction_costs import LANGUAGE_MODELS, PredictionCosts
from inference.bundle import Bundle
from inference.errors import InferenceError
from inference.requests import Answers, Rows
from inference.runtimes.llm_answers import llm_options


class CallCostStore(Protocol):
    """Keeps entries; met by `app.storage.call_costs`."""

    async def reserve(self, entries: Sequence[ReservedCall], *, now: datetime) -> None: ...

    async def settle(
        self,
        entry: ReservedCall,
        spent: Spent,
        *,
        outcome: CallOutcome,
        latency_ms: int,
        now: datetime,
    ) -> bool: ...


class Meter:
    """What one call used, as far as it is known."""

    def __init__(self) -> None:
        self.answers: Answers | None = None


class CallCosts:
    """Enters what calls cost."""

    def __init__(
        self, store: CallCostStore, prices: PriceBook, *, clock: Callable[[], datetime]
    ) -> None:
        self._store = store
        self._prices = prices
        self._costs = PredictionCosts(prices, clock=clock)
        self._clock = clock

    @asynccontextmanager
    async def entered(
        self, bundle: Bundle, rows: Rows, *, user_id: UserId | None
    ) -> AsyncIterator[Meter]:
        """Reserve what a call may use of language models, and settle it when it is over.

        Whoever enters tells the meter what was answered; of what failed, the error knows.
        """
        meter, entries = Meter(), await self._reserve(bundle, rows, user_id)
        begun = time.perf_counter()
        failed: InferenceError | None = None
        outcome: CallOutcome = "cancelled"
        try:
            yield meter
            outcome = "succeeded"
        except InferenceError as error:
            outcome, failed = "failed", error
            raise
        finally:
            usage = () if meter.answers is None else meter.answers.usage
            spent = await self._costs.spent(usage if failed is None else failed.usage)
            by_name = {(one.provider, one.model): one for one in spent}
            for entry in entries:
                await self._store.settle(
                    entry,
                    by_name.get((entry.provider, entry.model), untold(entry)),
                    outcome=outcome,
                    latency_ms=round((time.perf_counter() - begun) * 1000),
                    now=self._clock(),
                )

    async def _reserve(
        self, bundle: Bundle, rows: Rows, user_id: UserId | None
    ) -> list[ReservedCall]:
        found: dict[tuple[str, str], Tokens] = {}
        texts = sum(len(text) for column in rows.texts.values() for text in column)
        for member in bundle.members:
            if member.runtime not in LANGUAGE_MODELS:
                continue
            options = llm_options(member)
            name = (options.connection or member.runtime, options.model)
            asked = len(rows) * (len(options.system) + len(options.prompt)) + texts
            found[name] = found.get(name, Tokens()) + Tokens(
                input_tokens=estimate_tokens(asked),
                output_tokens=len(rows) * options.max_output_tokens,
            )
        entries = []
        for (provider, model), tokens in found.items():
            await self._prices.prepare(provider)
            entries.append(
                ReservedCall(
                    id=new_id(),
                    user_id=user_id,
                    provider=provider,
                    model=model,
                    input_tokens=tokens.input_tokens,
                    reserved_usd=self._prices.price(provider, model, tokens, at=self._clock()),
                )
            )
        if entries:
            await self._store.reserve(entries, now=self._clock())
        return entries


def untold(entry: ReservedCall) -> Spent:
    """Return what is entered where the provider told nothing: it was sent, and may be charged."""
    return Spent(
        provider=entry.provider,
        model=entry.model,
        usage=Tokens(input_tokens=entry.input_tokens),
        amount_usd=None,
        is_complete=False,
    )
