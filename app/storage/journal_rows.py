"""What a batch holds, as rows of clean texts in the order of the statements' columns."""

from collections.abc import Iterable
from typing import Any

import msgspec

from app.domain.costs import CostEntry
from app.domain.journal import (
    CostSettlement,
    NewAttachment,
    NewClaim,
    NewMessage,
    NewToolCall,
    RunEnd,
)
from app.domain.runs import StoredEvent
from app.domain.text import clean_text
from app.storage.engine import encode_json


def columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    """Turn rows into the columns that `unnest` takes."""
    return [list(column) for column in zip(*rows, strict=True)]


def event(e: StoredEvent) -> tuple[Any, ...]:
    return (
        e.conversation_id,
        e.seq,
        e.run_id,
        e.type,
        _clean(e.message_id),
        clean_text(e.payload),
    )


def reservation(e: CostEntry) -> tuple[Any, ...]:
    u = e.usage
    return (
        e.id,
        e.run_id,
        e.conversation_id,
        e.user_id,
        e.agent_id,
        clean_text(e.provider),
        clean_text(e.model),
        e.status,
        e.outcome,
        u.input_tokens,
        u.output_tokens,
        u.cache_read_tokens,
        u.cache_write_tokens,
        u.reasoning_tokens,
        e.reserved_usd,
        e.amount_usd,
        e.estimated,
        e.latency_ms,
        e.created_at,
        e.settled_at,
    )


def settlement(s: CostSettlement) -> tuple[Any, ...]:
    u = s.usage
    return (
        s.id,
        s.outcome,
        u.input_tokens,
        u.output_tokens,
        u.cache_read_tokens,
        u.cache_write_tokens,
        u.reasoning_tokens,
        s.amount_usd,
        s.estimated,
        s.latency_ms,
        s.settled_at,
        _clean(s.error_code),
    )


def message(m: NewMessage) -> tuple[Any, ...]:
    return (
        m.id,
        m.conversation_id,
        m.run_id,
        m.parent_id,
        m.role,
        clean_text(m.content),
        m.tokens,
        m.cost,
        m.stopped,
        m.timestamp,
    )


def tool_call(c: NewToolCall) -> tuple[Any, ...]:
    return (
        c.id,
        c.message_id,
        c.run_id,
        c.position,
        clean_text(c.call_id),
        clean_text(c.tool_name),
        encode_json(c.input),
        encode_json(c.output),
        c.duration_ms,
        c.status,
    )


def attachment(a: NewAttachment) -> tuple[Any, ...]:
    return (
        a.id,
        a.message_id,
        a.type,
        clean_text(a.url),
        clean_text(a.mime_type),
        a.size,
        None if a.content is None else encode_json(a.content),
    )


def claim(row: NewClaim) -> tuple[Any, ...]:
    c = row.claim
    return (
        row.message_id,
        c.index,
        c.start,
        c.end,
        clean_text(c.text),
        c.status,
        None if c.value is None else encode_json(c.value),
        _clean(c.tool_call_id),
        _clean(c.tool),
        _clean(c.path),
        _clean(c.label),
        _clean(c.unit),
        c.as_of,
        _clean(c.source),
    )


def run_end(e: RunEnd) -> tuple[Any, ...]:
    receipt = None if e.receipt is None else encode_json(msgspec.to_builtins(e.receipt))
    return (
        e.run_id,
        e.status,
        e.ended_at,
        e.usage.input_tokens,
        e.usage.output_tokens,
        receipt,
        _clean(e.error_code),
    )


def _clean(text: str | None) -> str | None:
    return None if text is None else clean_text(text)
