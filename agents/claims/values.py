"""What a claim is: one number or date of an answer and where it was found out."""

from datetime import datetime
from typing import Any, Literal

import msgspec


class Evidence(msgspec.Struct, frozen=True):
    """One tool result of the run, as claims may cite it."""

    tool_call_id: str
    tool: str
    arguments: dict[str, Any]
    result: dict[str, Any]
    """What `ToolResult.evidence()` gave."""


class Claim(msgspec.Struct, frozen=True, rename="camel"):
    """One number, or date, of an answer. Offsets count Unicode code points of the message text."""

    index: int
    """1, 2, 3 ... in reading order: the superscript."""
    start: int
    end: int
    text: str
    """The characters as they stand in the answer: "806.19", "1 March 2013", "68"."""
    status: Literal["supported", "parameter", "unverified"]
    """`parameter`: it was asked for, not found out (the 14 in RSI 14, a period, a count)."""
    value: float | str | None = None
    """The exact value in the evidence."""
    tool_call_id: str | None = None
    tool: str | None = None
    path: str | None = None
    """JSON pointer into the evidence: `/data/rsi/value`."""
    label: str | None = None
    """What the number is, in words: "RSI (14)"."""
    unit: str | None = None
    as_of: datetime | None = None
    source: str | None = None
