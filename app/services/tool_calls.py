"""Tools for programs: the same door agents use, with the caller's rights and a time limit."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec

from app.domain.errors import Invalid, NotFound, Refusal, Unavailable
from app.domain.principal import Principal
from tools.errors import (
    InvalidArguments,
    NoData,
    TimedOut,
    ToolError,
    ToolFailed,
    UnknownSymbol,
    UnknownTool,
)
from tools.tool import Card, ToolContext, ToolResult, ToolSpec

TIMEOUT_S = 30.0
"""How long a program may have a tool work; agents have less."""


class ToolAnswer(msgspec.Struct, frozen=True, rename="camel"):
    """A tool's result with its cards: what a model reads, and what a client draws."""

    data: dict[str, Any]
    as_of: datetime | None
    source: str
    units: dict[str, str]
    summary: str
    cards: tuple[Card, ...]


class ToolDoor(Protocol):
    """`tools.registry.ToolBox`, as far as it is needed here."""

    def specs(self, names: Iterable[str] | None = None) -> tuple[ToolSpec, ...]: ...

    async def call(
        self, name: str, arguments: dict[str, Any], context: ToolContext
    ) -> ToolResult: ...


class ToolCalls:
    """The use cases."""

    def __init__(self, tools: ToolDoor, *, clock: Callable[[], datetime]) -> None:
        self._tools = tools
        self._clock = clock

    def specs(self) -> Sequence[ToolSpec]:
        """Return what every tool is called, does and takes."""
        return self._tools.specs()

    def spec(self, name: str) -> ToolSpec:
        """Return one tool's.

        Raises:
            NotFound: `unknown_tool`.
        """
        try:
            return self._tools.specs((name,))[0]
        except ToolError as error:
            raise as_refusal(error) from error

    async def call(self, principal: Principal, name: str, arguments: dict[str, Any]) -> ToolAnswer:
        """Run a tool for whoever asks.

        Raises:
            NotFound: `unknown_tool`, `unknown_symbol` or `no_data`.
            Invalid: `invalid_arguments`; says which there are.
            Unavailable: `timed_out` or `tool_failed`.
        """
        context = ToolContext(
            principal_id=str(principal.user_id), now=self._clock(), timeout_s=TIMEOUT_S
        )
        try:
            result = await self._tools.call(name, arguments, context)
        except ToolError as error:
            raise as_refusal(error) from error
        return ToolAnswer(
            data=result.data,
            as_of=result.as_of,
            source=result.source,
            units=result.units,
            summary=result.summary,
            cards=result.cards,
        )


def as_refusal(error: ToolError) -> Refusal:
    """Return what a client is told of a tool's failure."""
    if isinstance(error, UnknownTool | UnknownSymbol | NoData):
        return NotFound(error.message, code=error.code)
    if isinstance(error, InvalidArguments):
        return Invalid(error.message, code=error.code)
    if isinstance(error, TimedOut | ToolFailed):
        return Unavailable(error.message, code=error.code)
    return Refusal(error.message, code=error.code)
