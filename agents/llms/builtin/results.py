"""The tool results of one turn, read defensively: a missing value is None, never a crash."""

import math
from datetime import date
from typing import Any

import msgspec

from agents.messages import Message, ToolRequest


class Result(msgspec.Struct, frozen=True):
    """One tool call and what came of it."""

    tool: str
    arguments: dict[str, Any]
    data: dict[str, Any] | None = None
    """None when the tool failed."""
    failure: str = ""
    source: str = ""

    # Reading -----------------------------------------------------------------------------------

    def at(self, *path: str | int) -> Any:
        """Return what stands at `path`, or None."""
        return at(self.data, *path)

    def number(self, *path: str | int) -> float | None:
        """Return the finite number at `path`."""
        return number(self.data, *path)

    def text(self, *path: str | int) -> str:
        """Return the string at `path`, empty when there is none."""
        return text(self.data, *path)

    def day(self, *path: str | int) -> date | None:
        """Return the day at `path`."""
        return day(self.data, *path)

    def rows(self, *path: str | int) -> list[dict[str, Any]]:
        """Return the objects listed at `path`."""
        return rows(self.data, *path)


class Results(msgspec.Struct, frozen=True):
    """All results of the turn, in the order of the calls."""

    items: tuple[Result, ...] = ()

    def find(self, tool: str, **arguments: object) -> Result | None:
        """Return the newest result of `tool` that was asked with these arguments, failed or not."""
        for result in reversed(self.items):
            if result.tool == tool and all(
                result.arguments.get(name) == value for name, value in arguments.items()
            ):
                return result
        return None

    def made(self, tool: str, arguments: dict[str, Any]) -> bool:
        """Tell whether exactly this call was made."""
        return any(one.tool == tool and one.arguments == arguments for one in self.items)

    def good(self, tool: str) -> Result | None:
        """Return the newest successful result of `tool`."""
        for result in reversed(self.items):
            if result.tool == tool and result.data is not None:
                return result
        return None

    @property
    def failures(self) -> tuple[Result, ...]:
        return tuple(result for result in self.items if result.data is None)


def read_results(turn: tuple[Message, ...]) -> Results:
    """Pair the tool messages of a turn with the requests they answer."""
    requests: dict[str, ToolRequest] = {}
    items: list[Result] = []
    for message in turn:
        for request in message.tool_requests:
            requests[request.id] = request
        if message.role == "tool" and message.tool_request_id in requests:
            items.append(_read(requests[message.tool_request_id], message))
    return Results(tuple(items))


def _read(request: ToolRequest, message: Message) -> Result:
    if not message.failed:
        try:
            evidence = msgspec.json.decode(message.content)
        except (msgspec.DecodeError, UnicodeEncodeError):
            evidence = None
        data = evidence.get("data") if isinstance(evidence, dict) else None
        if isinstance(data, dict):
            source = evidence.get("source")
            return Result(
                request.name,
                request.arguments,
                data=data,
                source=source if isinstance(source, str) else "",
            )
    return Result(request.name, request.arguments, failure=message.content[:600] or "no answer")


def at(tree: Any, *path: str | int) -> Any:
    for key in path:
        if isinstance(key, int) and isinstance(tree, list):
            tree = tree[key] if -len(tree) <= key < len(tree) else None
        elif isinstance(tree, dict):
            tree = tree.get(key)
        else:
            return None
    return tree


def number(tree: Any, *path: str | int) -> float | None:
    value = at(tree, *path)
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        plain = float(value)
    except ValueError:
        return None
    return plain if math.isfinite(plain) else None


def text(tree: Any, *path: str | int) -> str:
    """Return a string that is safe to set into a sentence: one line, no markup, not long."""
    value = at(tree, *path)
    if not isinstance(value, str):
        return ""
    kept = "".join(character for character in value if character.isprintable())
    return kept.translate(_MARKUP)[:240].strip()


_MARKUP = {ord(mark): None for mark in "*`[]<>|#\\"} | {ord("_"): " "}


def day(tree: Any, *path: str | int) -> date | None:
    value = at(tree, *path)
    if not isinstance(value, str):
        return None
    try:
        return date.fromisoformat(value[:10])
    except ValueError:
        return None


def rows(tree: Any, *path: str | int) -> list[dict[str, Any]]:
    value = at(tree, *path)
    return [row for row in value if isinstance(row, dict)] if isinstance(value, list) else []
