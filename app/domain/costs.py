"""What an attempt at a provider costs. Decimal throughout; None means unpriced, never zero."""

from datetime import datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

import msgspec

from agents.messages import Usage
from app.domain.ids import AttemptId, ConversationId, RunId, UserId

NEWS_SCORING = "6b0d6f5e-5c6f-5b7a-9a55-6e6577730001"
"""Stands as conversation and agent of what was spent on scoring news, which has neither."""

PREDICTING = "6b0d6f5e-5c6f-5b7a-9a55-6e6577730002"
"""The same for what models of the prediction engine used of others' language models."""


class CostEntry(msgspec.Struct, frozen=True):
    """One row per provider attempt: reserved before the call, settled exactly once after it."""

    id: AttemptId
    run_id: RunId
    conversation_id: ConversationId
    user_id: UserId
    agent_id: object
    provider: str
    model: str
    status: Literal["reserved", "settled"]
    outcome: Literal["pending", "succeeded", "failed", "cancelled", "interrupted"]
    usage: Usage
    reserved_usd: Decimal | None
    amount_usd: Decimal | None
    """None: the price of this model is not known."""
    estimated: bool
    """The provider never sent usage, so tokens were counted by us."""
    latency_ms: int
    created_at: datetime
    settled_at: datetime | None = None


CallOutcome = Literal["succeeded", "failed", "cancelled"]


class ReservedCall(msgspec.Struct, frozen=True, kw_only=True):
    """An open entry of a call that belongs to no run."""

    id: UUID
    user_id: UserId | None
    """None: the desk itself."""
    provider: str
    model: str
    input_tokens: int
    """An estimate, until it is settled."""
    reserved_usd: Decimal | None


class Receipt(msgspec.Struct, frozen=True, rename="camel"):
    """What one answer cost, as shown under it."""

    amount: str
    """Decimal string in `currency`; the priced part only."""
    currency: str
    priced: bool
    """False when any attempt had no known price: the true cost is higher."""
    estimated: bool
    input_tokens: int
    output_tokens: int
    cached_tokens: int
    attempts: int
    duration_ms: int
    provider: str
    model: str
