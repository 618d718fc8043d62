"""The chat completions wire format: OpenAI, vLLM, llama.cpp and most others, by base URL.

Bytes in, text out: one wake-up of the socket is decoded into typed structs and leaves as one
call of `on_text`. Usage is always asked for. Nothing is retried here.
"""

import json
from typing import Any

import msgspec

from agents.errors import LLMRejected, LLMStalled, LLMUnavailable
from agents.llms.deadlines import StreamTimeouts
from agents.llms.dialect import Dialects
from agents.llms.http_stream import HttpStream
from agents.llms.llm import LLMReply, LLMRequest, StreamMeter, TextSink, metered
from agents.llms.openai_chunks import Chunk, Delta, Function, decode_chunk, lenient_chunk
from agents.llms.openai_requests import first_dialect, write_request
from agents.llms.sse import SseSplitter
from agents.llms.text import TextCleaner
from agents.llms.tool_fragments import ToolFragments
from agents.llms.wire import is_count
from agents.messages import Usage

OPENAI_URL = "https://api.openai.com/v1"


class OpenAILLM:
    """Any server that speaks OpenAI's chat completions."""

    def __init__(
        self,
        *,
        provider: str = "openai",
        base_url: str = OPENAI_URL,
        api_key: str = "",
        label: str = "OpenAI",
        timeouts: StreamTimeouts | None = None,
    ) -> None:
        self._provider = provider
        headers = {"Authorization": f"Bearer {api_key}"} if api_key else {}
        self._http = HttpStream(
            base_url, label=label, headers=headers, secret=api_key, timeouts=timeouts
        )
        self._dialects = Dialects()
        self._is_openai = self._http.base_url == OPENAI_URL

    @property
    def provider(self) -> str:
        return self._provider

    async def complete(self, request: LLMRequest, on_text: TextSink) -> LLMReply:
        """Stream one reply; see `LLM.complete`."""
        meter = metered(on_text)
        reader = ChatReader(meter, self._http)
        first = first_dialect(request.model, openai=self._is_openai)
        dialect = self._dialects.of(request.model, first=first)
        body = write_request(request, dialect)
        try:
            await self._http.post("/chat/completions", body, reader.feed, meter)
        except LLMRejected as error:
            self._dialects.learn(request.model, dialect, error)
            raise
        except (LLMUnavailable, LLMStalled):
            # Once it said why it ended, the answer is whole and only the goodbye is missing.
            if not reader.ended:
                raise
        return reader.reply(request.model)

    async def models(self) -> tuple[str, ...]:
        """Return what this server serves, in its order.

        Raises:
            LLMError: it does not say.
        """
        body = await self._http.get("/models")
        try:
            listed = msgspec.json.decode(body)["data"]
            return tuple(str(model["id"]) for model in listed)
        except (msgspec.DecodeError, KeyError, TypeError) as error:
            raise LLMRejected(f"{self._http.label} lists no models at /models") from error

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()


class ChatReader:
    """Reads one streamed completion. Pure: bytes in, text to the meter, a reply at the end."""

    __slots__ = (
        "_cleaner",
        "_done",
        "_finish",
        "_http",
        "_meter",
        "_model",
        "_sse",
        "_text",
        "_tools",
        "_usage",
    )

    def __init__(self, meter: StreamMeter, http: HttpStream) -> None:
        self._meter = meter
        self._http = http
        self._sse = SseSplitter()
        self._cleaner = TextCleaner()
        self._tools = ToolFragments()
        self._text: list[str] = []
        self._finish: str | None = None
        self._usage: dict[str, Any] | None = None
        self._model: str | None = None
        self._done = False

    @property
    def ended(self) -> bool:
        """Tell whether the provider has said that and why its answer ended."""
        return self._done or self._finish is not None

    def feed(self, data: bytes) -> bool:
        """Read what one wake-up brought; True once the stream said that it is done.

        Raises:
            LLMError: the provider sent an error, or something that is no chunk.
        """
        self._read(self._sse.feed(data))
        return self._done

    def _read(self, events: list[bytes]) -> None:
        shown = ""
        for event in events:
            if event == b"[DONE]":
                self._done = True
                break
            try:
                chunk = decode_chunk(event)
            except (msgspec.DecodeError, UnicodeError):
                self._show(shown)
                shown = ""
                chunk = self._lenient(event)
            if chunk.error is not None:
                self._show(shown)
                raise self._http.refused(event, self._meter)
            if chunk.usage is not None:
                self._usage = chunk.usage
            if chunk.model is not None:
                self._model = chunk.model
            if chunk.choices:
                choice = chunk.choices[0]
                if choice.finish_reason:
                    self._finish = choice.finish_reason
                delta = choice.delta
                if delta is not None:
                    if delta.content:
                        shown += delta.content
                    else:
                        shown += self._rest(delta)
        self._show(shown)

    def _rest(self, delta: Delta) -> str:
        """Take everything of a delta that is not plain content; return what is shown."""
        for unseen in (delta.reasoning_content, delta.reasoning):
            if unseen:
                self._meter.unseen += len(unseen)
                break
        for call in delta.tool_calls or ():
            function = call.function or Function()
            arguments = function.arguments or ""
            self._meter.unseen += len(arguments) + len(function.name or "")
            self._tools.add(
                index=call.index,
                id=call.id or "",
                name=function.name or "",
                arguments=arguments,
            )
        return delta.refusal or ""

    def _show(self, text: str) -> None:
        if text and (text := self._cleaner.feed(text)):
            self._text.append(text)
            self._meter(text)

    def _lenient(self, event: bytes) -> Chunk:
        """Read a chunk that is not quite as the format says, or give up on the stream."""
        try:
            return lenient_chunk(json.loads(event.decode("utf-8", "replace")))
        except (ValueError, RecursionError) as error:
            raise self._http.broken("sent something that cannot be read", self._meter) from error

    def reply(self, asked_model: str) -> LLMReply:
        """Return the finished reply.

        Raises:
            LLMUnavailable: the stream ended before the reply did.
        """
        if not self.ended:
            self._read(self._sse.finish())
        if not self.ended:
            raise self._http.broken("ended the stream before the answer", self._meter)
        if left := self._cleaner.finish():
            self._text.append(left)
            self._meter(left)
        tool_requests = self._tools.requests()
        return LLMReply(
            text="".join(self._text),
            tool_requests=tool_requests,
            usage=read_usage(self._usage),
            finish_reason=_finish_reason(self._finish, asks=bool(tool_requests)),
            model=self._model or asked_model,
        )


def _finish_reason(told: str | None, *, asks: bool) -> Any:
    match told:
        case "length":
            return "length"
        case "content_filter":
            return "refused"
        case _:
            return "tool_calls" if asks else "stop"


def read_usage(told: dict[str, Any] | None) -> Usage | None:
    """Return the tokens a server told; None when it told nothing that can be believed."""
    if told is None:
        return None
    incoming, outgoing = told.get("prompt_tokens"), told.get("completion_tokens")
    if not (is_count(incoming) and is_count(outgoing)):
        return None
    cached = _detail(told, "prompt_tokens_details", "cached_tokens")
    return Usage(
        input_tokens=incoming,
        output_tokens=outgoing,
        cache_read_tokens=min(cached, incoming),
        reasoning_tokens=min(
            _detail(told, "completion_tokens_details", "reasoning_tokens"), outgoing
        ),
    )


def _detail(told: dict[str, Any], group: str, name: str) -> int:
    details = told.get(group)
    value = details.get(name) if isinstance(details, dict) else None
    return value if is_count(value) else 0
