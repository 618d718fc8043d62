"""Run models of OpenAI's wire format (chat completions): structured output as a model.

Also vLLM, llama.cpp and most others that speak it. The form of the answer is enforced by
`response_format` and checked again here.
"""

from pathlib import Path
from typing import Any

import msgspec

from inference.bundle import Member
from inference.errors import BadInput, InferenceError, ModelFailed
from inference.requests import Rows
from inference.runtimes.connections import Connections, no_connections
from inference.runtimes.llm_answers import (
    LlmOptions,
    answer_schema,
    llm_options,
    outputs_of,
    prompts,
    read_answer,
)
from inference.runtimes.llm_http import Caller, map_all
from inference.runtimes.runtime import Loaded, Outputs
from inference.usage import Told, Usage

SIZE_BYTES = 64 * 1024


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


class OpenAIModel:
    """One prompt for one model."""

    def __init__(self, member: Member, options: LlmOptions, caller: Caller) -> None:
        self._member = member
        self._options = options
        self._caller = caller

    @property
    def size_bytes(self) -> int:
        """Next to nothing: it runs elsewhere."""
        return SIZE_BYTES

    def run(self, rows: Rows, *, explain: bool = False) -> Outputs:
        """Ask about each row."""
        if not len(rows):
            raise BadInput("there are no rows")
        bodies = [self._body(prompt) for prompt in prompts(rows, self._member, self._options)]
        found = self._caller.post_all(
            "/chat/completions", bodies, timeout_s=self._options.timeout_s
        )
        name = self._member.name
        usage = Usage.of(
            self._options.connection or self._member.runtime,
            self._options.model,
            map_all(_usage, found, model=name),
        )
        try:
            answers = map_all(self._read, found, model=name)
        except InferenceError as error:
            error.usage = (usage,)
            raise
        return outputs_of(answers, usage)

    def close(self) -> None:
        """Close the connections."""
        self._caller.close()

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


def _usage(answer: Any) -> Told | None:
    told = answer.get("usage")
    if told is None:
        return None
    cached = (told.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
    return int(told["prompt_tokens"]), int(told["completion_tokens"]), int(cached), 0
