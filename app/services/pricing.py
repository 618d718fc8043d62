"""What tokens cost: published prices in force at a moment, exact to the last decimal.

A model without a known price is unpriced (`None`), never free. Only the built-in model is free,
because it runs here and asks nobody.
"""

from datetime import datetime
from decimal import Decimal

from agents.messages import Usage

FREE_PROVIDERS = frozenset({"builtin"})
_CHARACTERS_PER_TOKEN = 4
"""Rule of thumb for English text; only used where a provider did not count."""


def estimate_tokens(characters: int) -> int:
    """Return roughly how many tokens `characters` of text are; at least 1 for any text."""
    return -(-characters // _CHARACTERS_PER_TOKEN)


class PriceBook:
    """Prices by provider and model, from the offline snapshot that `genai-prices` ships."""

    def price(self, provider: str, model: str, usage: Usage, *, at: datetime) -> Decimal | None:
        """Return the price of `usage` in USD, or None when this model has no known price.

        Cached tokens are part of `usage.input_tokens` and are charged at their own price.
        """
        if provider in FREE_PROVIDERS:
            return Decimal(0)
        # Loaded at the first priced call: it costs a quarter of a second of start-up.
        import genai_prices  # noqa: PLC0415

        tokens = genai_prices.Usage(
            input_tokens=usage.input_tokens,
            output_tokens=usage.output_tokens,
            cache_read_tokens=min(usage.cache_read_tokens, usage.input_tokens) or None,
            cache_write_tokens=min(usage.cache_write_tokens, usage.input_tokens) or None,
        )
        try:
            calculation = genai_prices.calc_price(
                tokens, model_ref=model, provider_id=provider, genai_request_timestamp=at
            )
        except LookupError:
            return None
        return calculation.total_price
