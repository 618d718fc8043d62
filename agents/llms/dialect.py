"""Remember which optional parts of a request a model does not take.

Servers of one wire format differ: some models refuse a temperature, some want another name for
the output limit. What a server refuses by name is left out of the next attempt, which the retry
policy makes and books like any other.
"""

from typing import Literal

import msgspec

from agents.errors import LLMRejected


class Dialect(msgspec.Struct, frozen=True):
    """What one model takes."""

    temperature: bool = True
    stream_options: bool = True
    max_tokens: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"


class Dialects:
    """What is known about each model of one server."""

    def __init__(self) -> None:
        self._known: dict[str, Dialect] = {}

    def of(self, model: str, *, first: Dialect) -> Dialect:
        """Return how to ask `model`; `first`, as long as nothing was learned."""
        return self._known.get(model, first)

    def learn(self, model: str, spoken: Dialect, error: LLMRejected) -> None:
        """Note what `error` says about the way `spoken`; makes it retryable if that is news."""
        changed = _changed(spoken, error.message)
        if changed is not None and error.status in (400, 422):
            self._known[model] = changed
            error.retryable = True


def _changed(spoken: Dialect, complaint: str) -> Dialect | None:
    if "max_completion_tokens" in complaint and spoken.max_tokens == "max_tokens":
        return msgspec.structs.replace(spoken, max_tokens="max_completion_tokens")
    if "temperature" in complaint and spoken.temperature:
        return msgspec.structs.replace(spoken, temperature=False)
    if "stream_options" in complaint and spoken.stream_options:
        return msgspec.structs.replace(spoken, stream_options=False)
    return None
