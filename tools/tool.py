"""What a tool is, what it is told and what it answers.

A tool is reached by agents, REST and outside programs through one door, `ToolBox.call`
(`tools/registry.py`). It never knows who streams, stores or pays.
"""

from datetime import datetime
from typing import Any, Protocol

import msgspec


class ToolContext(msgspec.Struct, frozen=True):
    """On whose behalf and how long a tool may work."""

    principal_id: str
    """The user whose rights apply."""
    now: datetime
    """UTC; nothing after it may be read."""
    timeout_s: float = 20.0


class Card(msgspec.Struct, frozen=True, rename="camel"):
    """Something a client draws beside the answer; the model never reads it."""

    activity_type: str
    """`chart.candles`, `signal` or `forecast`."""
    content: dict[str, Any]


class ToolResult(msgspec.Struct, frozen=True, rename="camel"):
    """What a tool found out. `data` is small enough for a model to read whole."""

    data: dict[str, Any]
    """Plain JSON. Numbers are unrounded; every one may become the evidence of a claim."""
    summary: str
    """What was done, in plain words for people: "read 2,148 daily bars of GOOG"."""
    source: str
    """Where the data came from, as a person would cite it."""
    as_of: datetime | None = None
    """The last moment the data speaks of; None when it speaks of no moment."""
    units: dict[str, str] = {}
    """Key in `data` (the last name of its path) -> unit: "USD", "%", "shares", "index 0-100"."""
    cards: tuple[Card, ...] = ()

    def evidence(self) -> dict[str, Any]:
        """Return what is stored, shown to the model and cited: everything but the cards."""
        return {
            "data": self.data,
            "asOf": self.as_of.isoformat().replace("+00:00", "Z") if self.as_of else None,
            "source": self.source,
            "units": self.units,
            "summary": self.summary,
        }


class Tool(Protocol):
    """One thing an agent may do."""

    @property
    def name(self) -> str: ...

    @property
    def description(self) -> str:
        """One paragraph for a model: what it answers, when to call it, what it cannot do."""
        ...

    @property
    def parameters(self) -> dict[str, Any]:
        """JSON Schema of the arguments, `additionalProperties` false."""
        ...

    async def __call__(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        """Do it.

        Raises:
            ToolError: with a message the model can act on.
        """
        ...


class ToolSpec(msgspec.Struct, frozen=True):
    """What an LLM is told about a tool."""

    name: str
    description: str
    parameters: dict[str, Any]
