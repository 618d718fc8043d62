"""What a prediction cost: nothing where its model runs here, else what the provider's tokens do.

One price for one thing: the same book as for agents' answers, with the price in force at the time.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal

from agents.messages import Usage as Tokens
from app.domain.money import plain
from app.domain.predictions import PredictionCost, Spent
from app.services.conversations.pricing import PriceBook
from inference.bundle import Bundle
from inference.usage import Usage

LANGUAGE_MODELS = ("openai", "anthropic")
"""Runtimes that ask a provider of language models."""
HERE = "none: it runs on this desk"
ELSEWHERE = "unpriced: another server answers it, and what that costs is not known here"
UNTOLD = "unpriced: the provider may charge for what was begun, and did not tell"


class PredictionCosts:
    """Prices predictions."""

    def __init__(self, prices: PriceBook, *, clock: Callable[[], datetime]) -> None:
        self._prices = prices
        self._clock = clock

    async def spent(self, usage: Sequence[Usage]) -> tuple[Spent, ...]:
        """Return one entry for each language model that was asked."""
        together: dict[tuple[str, str], list[Usage]] = {}
        for one in usage:
            together.setdefault((one.provider, one.model), []).append(one)
        found = []
        for (provider, model), ones in together.items():
            await self._prices.prepare(provider)
            tokens = Tokens(
                input_tokens=sum(one.input_tokens for one in ones),
                output_tokens=sum(one.output_tokens for one in ones),
                cache_read_tokens=sum(one.cached_input_tokens for one in ones),
                cache_write_tokens=sum(one.written_input_tokens for one in ones),
            )
            complete = all(one.is_complete for one in ones)
            price = self._prices.price(provider, model, tokens, at=self._clock())
            found.append(
                Spent(
                    provider=provider,
                    model=model,
                    usage=tokens,
                    amount_usd=price if complete else None,
                    is_complete=complete,
                )
            )
        return tuple(found)


def asks_llm(bundle: Bundle) -> bool:
    """Tell whether an answer needs a provider of language models."""
    return any(member.runtime in LANGUAGE_MODELS for member in bundle.members)


def cost_of(bundle: Bundle, spent: Sequence[Spent]) -> PredictionCost:
    """Return what a prediction cost, in numbers and in words."""
    if not spent:
        runtimes = {member.runtime for member in bundle.members}
        if runtimes.intersection(LANGUAGE_MODELS):
            # Overdue or broken off: nothing was told, which is not nothing.
            return _unpriced(UNTOLD)
        if "remote" in runtimes:
            return _unpriced(ELSEWHERE)
        return PredictionCost(amount="0", currency="USD", priced=True, words=HERE)
    amounts = [one.amount_usd for one in spent]
    known = sum((one for one in amounts if one is not None), Decimal(0))
    priced = None not in amounts
    models = [f"{one.provider}/{one.model}" for one in spent]
    tokens = sum((one.usage for one in spent), Tokens())
    used = (
        f"{', '.join(models)}, {tokens.input_tokens:,} tokens in and {tokens.output_tokens:,} out"
    )
    return PredictionCost(
        amount=plain(known),
        currency="USD",
        priced=priced,
        words=f"{plain(known)} USD: {used}" if priced else f"unpriced: {used}",
        input_tokens=tokens.input_tokens,
        output_tokens=tokens.output_tokens,
        cached_tokens=tokens.cache_read_tokens,
        models=models,
    )


def _unpriced(words: str) -> PredictionCost:
    return PredictionCost(amount="0", currency="USD", priced=False, words=words)
