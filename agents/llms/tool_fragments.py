"""Put tool calls together from the fragments a stream brings them in.

Pure. Providers disagree about fragments: with or without index or id, name and arguments in one
chunk, several calls under one index. A new id, or a new name where there is no id, is a new call.
"""

import json
import math
from typing import Any, NoReturn

import msgspec
from uuid_utils.compat import uuid7

from agents.llms.text import clean_json, clean_text
from agents.messages import ToolRequest


class _Call:
    __slots__ = ("arguments", "id", "index", "name")

    def __init__(self, index: int | None) -> None:
        self.index = index
        self.id = ""
        self.name = ""
        self.arguments: list[str] = []


class ToolFragments:
    """The tool calls of one reply, while it streams."""

    __slots__ = ("_calls",)

    def __init__(self) -> None:
        self._calls: list[_Call] = []

    def add(
        self, *, index: int | None = None, id: str = "", name: str = "", arguments: str = ""
    ) -> None:
        """Take one fragment."""
        call = self._find(index, id, name)
        if call is None:
            call = _Call(index)
            self._calls.append(call)
        if id:
            call.id = id
        if name and call.name != name:
            call.name += name
        if arguments:
            call.arguments.append(arguments)

    def requests(self) -> tuple[ToolRequest, ...]:
        """Return the calls in the order they began; each with an id of its own."""
        requests = []
        taken: set[str] = set()
        for call in self._calls:
            call_id = clean_text(call.id)
            if not call_id or call_id in taken:
                call_id = new_call_id()
            taken.add(call_id)
            requests.append(_request(call_id, clean_text(call.name), "".join(call.arguments)))
        return tuple(requests)

    def _find(self, index: int | None, id: str, name: str) -> _Call | None:
        if not self._calls:
            return None
        if index is not None:
            same = [call for call in self._calls if call.index == index]
            if not same:
                return None
            newest = same[-1]
            another = bool(id and newest.id and id != newest.id and name)
            return None if another else newest
        if id:
            known = next((call for call in self._calls if call.id == id), None)
            if known is not None:
                return known
            return None if name or self._calls[-1].id else self._calls[-1]
        last = self._calls[-1]
        # A name after arguments began can only be the next call's.
        return None if name and last.name and last.arguments else last


def new_call_id() -> str:
    """Return an id for a call whose provider gave none."""
    return f"call_{uuid7().hex}"


def _request(call_id: str, name: str, text: str) -> ToolRequest:
    if not text.strip():
        return ToolRequest(id=call_id, name=name, arguments={})
    try:
        arguments = _decode(text)
        if isinstance(arguments, str):  # encoded twice
            arguments = _decode(arguments)
    except (ValueError, RecursionError):
        arguments = None
    if not isinstance(arguments, dict):
        return ToolRequest(id=call_id, name=name, arguments={}, malformed=clean_text(text))
    return ToolRequest(id=call_id, name=name, arguments=clean_json(arguments))


def _decode(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError):
        # Lone surrogates, which msgspec refuses and `clean_json` mends.
        return json.loads(text, parse_constant=_refuse, parse_float=_finite)


def _finite(number: str) -> float:
    """Return a number that can be written again: 1e999 would be read as infinity."""
    value = float(number)
    return value if math.isfinite(value) else _refuse(number)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON number")
