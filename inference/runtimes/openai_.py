"""Run models of OpenAI's wire format (chat completions): structured output as a model.

Also vLLM, llama.cpp and most others that speak it. The form of the answer is enforced by
`response_format` and checked again here.
"""

from pathlib import Path
from typing import Any

import msgspec

from inference.bundle import Member
from inference.errors import ModelFailed
from inference.runtimes.connections import Connections, no_connections
from inference.runtimes.llm_answers import (
    answer_schema,
    llm_options,
    read_answer,
)
from inference.runtimes.llm_http import Caller
from inference.runtimes.prompted import PromptedModel
from inference.runtimes.runtime import Loaded
from inference.usage import Told


class OpenAIRuntime:
    """Makes models out of prompts. The device is the provider's."""

    def __init__(self, *, connections: Connections = no_connections) -> None:
        self._connections = connections

    def load(self, folder: Path, member: Member, *, device: str) -> Loaded:
        """Check the options and find the connection; nothing is sent."""
        options = llm_options(member)
        connection = self._connections(options.connection or member.runtime)
        headers = {"Authorization": f"Bearer {connection.api_key}"} if connection.api_key else {}
        caller = Caller(member.name, connection, headers, parallel=options.parallel)
        return OpenAIModel(member, options, caller)


class OpenAIModel(PromptedModel):
    """One prompt for one model."""

    path = "/chat/completions"

    def _body(self, prompt: str) -> dict[str, Any]:
        options = self._options
        messages = [{"role": "user", "content": prompt}]
        if options.system:
            messages.insert(0, {"role": "system", "content": options.system})
        schema = {"name": "answer", "strict": True, "schema": answer_schema(options.answer)}
        heat = {} if options.temperature is None else {"temperature": options.temperature}
        return {
            "model": options.model,
            "messages": messages,
            "response_format": {"type": "json_schema", "json_schema": schema},
            "max_completion_tokens": options.max_output_tokens,
            **heat,
            **options.extra,
        }

    def _read(self, answer: Any) -> tuple[list[float], str | None]:
        name = self._member.name
        choice = answer["choices"][0]
        message = choice["message"]
        if message.get("refusal") or choice.get("finish_reason") == "content_filter":
            raise ModelFailed(f"model {name!r} refused to answer")
        if choice.get("finish_reason") == "length":
            raise ModelFailed(
                f"model {name!r} was cut off after {self._options.max_output_tokens} tokens"
            )
        try:
            found = msgspec.json.decode(message["content"])
        except msgspec.DecodeError:
            raise ModelFailed(f"model {name!r} did not answer with JSON") from None
        return read_answer(found, self._member, self._options)

    @staticmethod
    def _usage(answer: Any) -> Told | None:
        told = answer.get("usage")
        if told is None:
            return None
        cached = (told.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
        return int(told["prompt_tokens"]), int(told["completion_tokens"]), int(cached), 0
