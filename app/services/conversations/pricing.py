"""What tokens cost: published prices in force at a moment, exact to the last decimal.

Three kinds of model, and no fourth:

- *free*: the built-in model. It runs inside this process and asks nobody, so its price is zero.
- *priced*: a vendor's model, asked at the vendor's own address.
- *unpriced* (`None`, never zero): everything else. That is a vendor's model without a published
  price, any model at an address that is not the vendor's (a proxy has its own bill, whatever the
  model is called), and a model on one's own machine.

Decision: a self-hosted model (vLLM, llama.cpp) is unpriced, not free. No bill comes for it, but
what it costs in machines and power is not zero, and showing "free" beside a rented GPU would be
false. `Selection.free` says the same: of the built-in model only.
"""

import asyncio
import importlib
from collections.abc import Set
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

import structlog

from agents.messages import Usage

log = structlog.get_logger(__name__)

FREE_PROVIDERS = frozenset({"builtin"})
_CHARACTERS_PER_TOKEN = 4
"""Rule of thumb for English text; only used where a provider did not count."""
_PLACES = Decimal("1e-12")
"""What a cost entry can hold. No price of ours is finer; one that were would be rounded here,
once, so that receipts and entries can never differ."""


def estimate_tokens(characters: int) -> int:
    """Return roughly how many tokens `characters` of text are; at least 1 for any text."""
    return -(-characters // _CHARACTERS_PER_TOKEN)


class PriceBook:
    """Prices by provider and model, from the offline snapshot that `genai-prices` ships."""

    def __init__(self, *, redirected: Set[str] = frozenset()) -> None:
        """`redirected`: providers that are asked at another address than the vendor's."""
        self._redirected = redirected
        self._snapshot: Any = None

    async def prepare(self, provider: str) -> None:
        """Load the prices off the event loop, if `provider` has any: it takes a quarter second."""
        if self._snapshot is None and self._has_prices(provider):
            await asyncio.to_thread(self._load)

    def price(self, provider: str, model: str, usage: Usage, *, at: datetime) -> Decimal | None:
        """Return the price of `usage` in USD, or None when this model has no known price.

        Cached tokens are part of `usage.input_tokens` and are charged at their own price. Counts
        that contradict each other are priced as far as they make sense.
        """
        if provider in FREE_PROVIDERS:
            return Decimal(0)
        if not self._has_prices(provider):
            return None
        genai_prices = self._load()
        incoming, outgoing = max(usage.input_tokens, 0), max(usage.output_tokens, 0)
        read = min(max(usage.cache_read_tokens, 0), incoming)
        written = min(max(usage.cache_write_tokens, 0), incoming - read)
        tokens = genai_prices.Usage(
            input_tokens=incoming,
            output_tokens=outgoing,
            cache_read_tokens=read or None,
            cache_write_tokens=written or None,
        )
        try:
            calculation = genai_prices.calc_price(
                tokens, model_ref=model, provider_id=provider, genai_request_timestamp=at
            )
        except LookupError:
            return None
        except ValueError:
            # A price that cannot be told must not cost anybody their answer.
            log.exception("price.unknown", provider=provider, model=model)
            return None
        price: Decimal = calculation.total_price
        return price.quantize(_PLACES, ROUND_HALF_EVEN) if _finer(price) else price

    def _has_prices(self, provider: str) -> bool:
        return provider not in FREE_PROVIDERS and provider not in self._redirected

    def _load(self) -> Any:
        if self._snapshot is None:
            self._snapshot = importlib.import_module("genai_prices")
        return self._snapshot


def _finer(price: Decimal) -> bool:
    exponent = price.as_tuple().exponent
    return isinstance(exponent, int) and exponent < -12
