"""Run models of Anthropic's wire format (messages): structured output as a model.

The form of the answer is the input of a tool that must be called, and is checked again here.
"""

from pathlib import Path
from typing import Any

from inference.bundle import Member
from inference.errors import ModelFailed
from inference.runtimes.connections import Connections, no_connections
from inference.runtimes.llm_answers import (
    LlmOptions,
    answer_schema,
    llm_options,
    read_answer,
)
from inference.runtimes.llm_http import Caller
from inference.runtimes.prompted import PromptedModel
from inference.runtimes.runtime import Loaded
from inference.usage import Told

API_VERSION = "2023-06-01"
_TOOL = "answer"


class AnthropicRuntime:
    """Makes models out of prompts. The device is the provider's."""

    def __init__(self, *, connections: Connections = no_connections) -> None:
        self._connections = connections

    def load(self, folder: Path, member: Member, *, device: str) -> Loaded:
        """Check the options and find the connection; nothing is sent."""
        options = llm_options(member)
        connection = self._connections(options.connection or member.runtime)
        headers = {"x-api-key": connection.api_key, "anthropic-version": API_VERSION}
        caller = Caller(member.name, connection, headers, parallel=options.parallel)
        has_version = connection.base_url.rstrip("/").endswith("/v1")
        path = "/messages" if has_version else "/v1/messages"
        return AnthropicModel(member, options, caller, path=path)


class AnthropicModel(PromptedModel):
    """One prompt for one model."""

    def __init__(self, member: Member, options: LlmOptions, caller: Caller, *, path: str) -> None:
        super().__init__(member, options, caller)
        self.path = path

    def _body(self, prompt: str) -> dict[str, Any]:
        options = self._options
        tool = {
            "name": _TOOL,
            "description": "Give your answer.",
            "input_schema": answer_schema(options.answer),
        }
        system = {"system": options.system} if options.system else {}
        heat = {} if options.temperature is None else {"temperature": options.temperature}
        return {
            "model": options.model,
            "max_tokens": options.max_output_tokens,
            "messages": [{"role": "user", "content": prompt}],
            "tools": [tool],
            "tool_choice": {"type": "tool", "name": _TOOL, "disable_parallel_tool_use": True},
            **system,
            **heat,
            **options.extra,
        }

    def _read(self, answer: Any) -> tuple[list[float], str | None]:
        name = self._member.name
        reason = answer["stop_reason"]
        if reason == "refusal":
            raise ModelFailed(f"model {name!r} refused to answer")
        if reason == "max_tokens":
            raise ModelFailed(
                f"model {name!r} was cut off after {self._options.max_output_tokens} tokens"
            )
        calls = [block for block in answer["content"] if block["type"] == "tool_use"]
        if not calls:
            raise ModelFailed(f"model {name!r} answered in words instead of the asked form")
        return read_answer(calls[0]["input"], self._member, self._options)

    @staticmethod
    def _usage(answer: Any) -> Told | None:
        told = answer.get("usage")
        if told is None:
            return None
        cached = int(told.get("cache_read_input_tokens") or 0)
        written = int(told.get("cache_creation_input_tokens") or 0)
        fresh = int(told["input_tokens"])
        return fresh + cached + written, int(told["output_tokens"]), cached, written
