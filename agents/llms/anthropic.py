"""The messages wire format: Anthropic, and servers that speak it, by base URL.

Same shape as `openai.py`: one wake-up of the socket leaves as one call of `on_text`.
"""

import json
from typing import Any

import msgspec

from agents.errors import LLMRejected, LLMStalled, LLMUnavailable
from agents.llms.deadlines import StreamTimeouts
from agents.llms.dialect import Dialect, Dialects
from agents.llms.http_stream import HttpStream
from agents.llms.llm import LLMReply, LLMRequest, StreamMeter, TextSink, metered
from agents.llms.sse import SseSplitter
from agents.llms.text import TextCleaner
from agents.llms.tool_fragments import ToolFragments
from agents.llms.wire import encode, is_count
from agents.messages import Message, Usage

ANTHROPIC_URL = "https://api.anthropic.com"
_VERSION = "2023-06-01"


class _Block(msgspec.Struct, gc=False):
    type: str = ""
    id: str = ""
    name: str = ""
    text: str | None = None
    input: Any = None


class _Delta(msgspec.Struct, gc=False):
    text: str | None = None
    partial_json: str | None = None
    thinking: str | None = None
    stop_reason: str | None = None


class _Start(msgspec.Struct, gc=False):
    model: str | None = None
    usage: dict[str, Any] | None = None


class _Event(msgspec.Struct, gc=False):
    type: str = ""
    index: int = 0
    delta: _Delta | None = None
    content_block: _Block | None = None
    message: _Start | None = None
    usage: dict[str, Any] | None = None


_decode = msgspec.json.Decoder(_Event).decode


class AnthropicLLM:
    """Any server that speaks Anthropic's messages."""

    def __init__(
        self,
        *,
        base_url: str = ANTHROPIC_URL,
        api_key: str = "",
        label: str = "Anthropic",
        timeouts: StreamTimeouts | None = None,
    ) -> None:
        self._http = HttpStream(
            base_url,
            label=label,
            headers={"x-api-key": api_key, "anthropic-version": _VERSION},
            secret=api_key,
            timeouts=timeouts,
        )
        self._dialects = Dialects()
        # People give the address with and without the version.
        self._path = "/messages" if self._http.base_url.endswith("/v1") else "/v1/messages"

    @property
    def provider(self) -> str:
        return "anthropic"

    async def complete(self, request: LLMRequest, on_text: TextSink) -> LLMReply:
        """Stream one reply; see `LLM.complete`."""
        meter = metered(on_text)
        reader = MessageReader(meter, self._http)
        dialect = self._dialects.of(request.model, first=Dialect())
        body = write_request(request, dialect)
        try:
            await self._http.post(self._path, body, reader.feed, meter)
        except LLMRejected as error:
            self._dialects.learn(request.model, dialect, error)
            raise
        except (LLMUnavailable, LLMStalled):
            # Once it said why it ended, the answer is whole and only the goodbye is missing.
            if not reader.ended:
                raise
        return reader.reply(request.model)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()


class MessageReader:
    """Reads one streamed message. Pure: bytes in, text to the meter, a reply at the end."""

    def __init__(self, meter: StreamMeter, http: HttpStream) -> None:
        self._meter = meter
        self._http = http
        self._sse = SseSplitter()
        self._cleaner = TextCleaner()
        self._tools = ToolFragments()
        self._text: list[str] = []
        self._usage: dict[str, Any] = {}
        self._stop: str | None = None
        self._model: str | None = None
        self._done = False

    @property
    def ended(self) -> bool:
        """Tell whether the provider has said that and why its answer ended."""
        return self._done or self._stop is not None

    def feed(self, data: bytes) -> bool:
        """Read what one wake-up brought; True once the stream said that it is done.

        Raises:
            LLMError: the provider sent an error, or something that is no event.
        """
        self._read(self._sse.feed(data))
        return self._done

    def _read(self, events: list[bytes]) -> None:
        shown = ""
        for data in events:
            try:
                event = _decode(data)
            except (msgspec.DecodeError, UnicodeError):
                self._show(shown)
                shown = ""
                event = self._lenient(data)
            match event.type:
                case "content_block_delta" if event.delta is not None:
                    if event.delta.text:
                        shown += event.delta.text
                    else:
                        self._unseen(event)
                case "content_block_start" if event.content_block is not None:
                    shown += event.content_block.text or ""
                    self._begin(event.index, event.content_block)
                case "message_start" if event.message is not None:
                    self._model = event.message.model
                    self._take_usage(event.message.usage)
                case "message_delta":
                    if event.delta is not None and event.delta.stop_reason:
                        self._stop = event.delta.stop_reason
                    self._take_usage(event.usage)
                case "message_stop":
                    self._done = True
                    break
                case "error":
                    self._show(shown)
                    raise self._http.refused(data, self._meter)
        self._show(shown)

    def _begin(self, index: int, block: _Block) -> None:
        if block.type != "tool_use":
            return
        # `input` is an empty object that the fragments fill, or, from some servers, all of it.
        arguments = json.dumps(block.input) if block.input else ""
        self._meter.unseen += len(block.name) + len(arguments)
        self._tools.add(index=index, id=block.id, name=block.name, arguments=arguments)

    def _unseen(self, event: _Event) -> None:
        """Take a delta that is not shown."""
        delta = event.delta or _Delta()
        if delta.partial_json:
            self._meter.unseen += len(delta.partial_json)
            self._tools.add(index=event.index, arguments=delta.partial_json)
        if delta.thinking:
            self._meter.unseen += len(delta.thinking)

    def _take_usage(self, told: dict[str, Any] | None) -> None:
        # Counts are cumulative: the last one told stands.
        if told:
            self._usage.update({name: n for name, n in told.items() if n is not None})

    def _show(self, text: str) -> None:
        if text and (text := self._cleaner.feed(text)):
            self._text.append(text)
            self._meter(text)

    def _lenient(self, data: bytes) -> _Event:
        try:
            return msgspec.convert(json.loads(data.decode("utf-8", "replace")), _Event)
        except (ValueError, RecursionError, msgspec.ValidationError) as error:
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
            finish_reason=_finish_reason(self._stop, asks=bool(tool_requests)),
            model=self._model or asked_model,
        )


def _finish_reason(told: str | None, *, asks: bool) -> Any:
    match told:
        case "max_tokens" | "model_context_window_exceeded":
            return "length"
        case "refusal":
            return "refused"
        case _:
            return "tool_calls" if asks else "stop"


def read_usage(told: dict[str, Any]) -> Usage | None:
    """Return the tokens Anthropic told; None when it told nothing that can be believed.

    Its `input_tokens` are those neither read from nor written to the cache; ours are all of them.
    """
    fresh, outgoing = told.get("input_tokens"), told.get("output_tokens")
    read = told.get("cache_read_input_tokens", 0)
    written = told.get("cache_creation_input_tokens", 0)
    if not (is_count(fresh) and is_count(outgoing) and is_count(read) and is_count(written)):
        return None
    return Usage(
        input_tokens=fresh + read + written,
        output_tokens=outgoing,
        cache_read_tokens=read,
        cache_write_tokens=written,
    )


# --- what is sent ---------------------------------------------------------------------------------


def write_request(request: LLMRequest, dialect: Dialect) -> bytes:
    """Return the request's JSON."""
    body: dict[str, Any] = {
        "model": request.model,
        "max_tokens": request.max_output_tokens,
        # Tools and rules are the same for every call of an agent: marked for the provider's cache.
        "system": [
            {"type": "text", "text": request.system, "cache_control": {"type": "ephemeral"}}
        ],
        "messages": _write_messages(request.messages),
        "stream": True,
    }
    if dialect.temperature:
        body["temperature"] = request.temperature
    if request.tools:
        body["tools"] = [
            {
                "name": tool.name,
                "description": tool.description,
                "input_schema": tool.parameters,
            }
            for tool in request.tools
        ]
    return encode(body)


def _write_messages(messages: tuple[Message, ...]) -> list[dict[str, Any]]:
    """Return the messages as turns of user and assistant; tool results are the user's words."""
    turns: list[dict[str, Any]] = []
    for message in messages:
        role = "assistant" if message.role == "assistant" else "user"
        blocks = _blocks(message)
        if turns and turns[-1]["role"] == role:
            turns[-1]["content"].extend(blocks)
        elif blocks:
            turns.append({"role": role, "content": blocks})
    return turns


def _blocks(message: Message) -> list[dict[str, Any]]:
    if message.role == "tool":
        result: dict[str, Any] = {
            "type": "tool_result",
            "tool_use_id": message.tool_request_id or "",
            "content": message.content,
        }
        return [{**result, "is_error": True} if message.failed else result]
    # Empty text blocks are refused.
    said = message.content if message.content.strip() else ""
    blocks: list[dict[str, Any]] = [{"type": "text", "text": said}] if said else []
    blocks.extend(
        {"type": "tool_use", "id": call.id, "name": call.name, "input": call.arguments}
        for call in message.tool_requests
    )
    return blocks
