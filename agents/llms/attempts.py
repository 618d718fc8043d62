"""Ask a provider until it answers or it makes no sense to ask again.

The one place that retries. Every request sent is one attempt: announced before its first byte,
closed exactly once, however it ends. An attempt that has shown text is never repeated, so two
attempts are never spliced into one message.
"""

import asyncio
import random
from collections.abc import Awaitable, Callable

import msgspec
from uuid_utils.compat import uuid7

from agents.errors import LLMError
from agents.llms.llm import LLM, LLMReply, LLMRequest, StreamMeter, TextSink
from agents.sink import Attempt, AttemptEnd, RunSink
from memory.window import estimate_tokens

_TOKENS_PER_MESSAGE = 8
"""What roles and separators cost beside the text."""


_CHARACTERS_PER_TOKEN = 8
_SPARE_CHARACTERS = 4_000
"""A provider that sends more than these allow for ignores `max_output_tokens`."""


class RetryPolicy(msgspec.Struct, frozen=True):
    """How often, and how long to wait in between."""

    max_retries: int = 2
    first_wait_s: float = 0.5
    max_wait_s: float = 8.0
    max_retry_after_s: float = 30.0
    """A provider that asks for more is not waited for."""


class Attempts:
    """Sends requests of one run, each as one or more attempts."""

    def __init__(
        self,
        llm: LLM,
        sink: RunSink,
        *,
        deadline: float,
        policy: RetryPolicy | None = None,
        waiting: Callable[[LLMError, float], Awaitable[None]] | None = None,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        """`deadline` is in event loop time; `waiting` spends the pause before a retry."""
        self._llm = llm
        self._sink = sink
        self._deadline = deadline
        self._policy = policy or RetryPolicy()
        self._waiting = waiting or _sleep
        self._jitter = jitter

    async def complete(self, request: LLMRequest, on_text: TextSink) -> LLMReply:
        """Stream one reply.

        Raises:
            LLMError: the last attempt's.
            BudgetExceeded: nothing was sent.
        """
        estimated = estimate_input_tokens(request)
        retries = 0
        while True:
            try:
                return await self._attempt(request, on_text, estimated)
            except LLMError as error:
                pause = self._pause(error, retries)
                if pause is None:
                    raise
                retries += 1
                await self._waiting(error, pause)

    async def _attempt(
        self, request: LLMRequest, on_text: TextSink, estimated_input_tokens: int
    ) -> LLMReply:
        attempt = Attempt(
            id=uuid7(),
            provider=self._llm.provider,
            model=request.model,
            estimated_input_tokens=estimated_input_tokens,
            max_output_tokens=request.max_output_tokens,
        )
        await self._sink.attempt_started(attempt)
        clock = asyncio.get_running_loop().time
        began = clock()
        most = _CHARACTERS_PER_TOKEN * request.max_output_tokens + _SPARE_CHARACTERS
        meter = StreamMeter(on_text, most=most)

        def end(
            status: str, reply: LLMReply | None = None, code: str | None = None, more: int = 0
        ) -> None:
            self._sink.attempt_ended(
                AttemptEnd(
                    attempt_id=attempt.id,
                    status=status,  # type: ignore[arg-type]
                    usage=reply.usage if reply else None,
                    streamed_characters=meter.characters + more,
                    latency_ms=round((clock() - began) * 1000),
                    error_code=code,
                )
            )

        # A task of its own: each wake-up then resumes the reader alone and not the two dozen
        # frames of the graph above it. Cancelling this cancels it and waits for its end.
        reading = asyncio.create_task(self._llm.complete(request, meter))
        try:
            reply = await reading
            if not meter.characters:
                # A provider that does not stream: what it said still counts, and is still shown.
                meter.unseen = sum(len(str(call.arguments)) for call in reply.tool_requests)
                if reply.text:
                    meter(reply.text)
        except asyncio.CancelledError:
            end("cancelled")
            raise
        except LLMError as error:
            # What only the LLM's own reader has seen is paid for as well.
            unmetered = max(0, error.streamed_characters - meter.characters)
            end("failed", code=error.code, more=unmetered)
            raise
        except BaseException:
            end("failed", code="internal_error")
            raise
        end("succeeded", reply)
        return reply

    def _pause(self, error: LLMError, retries: int) -> float | None:
        """Return how long to wait before asking again; None if that makes no sense."""
        policy = self._policy
        if not error.retryable or error.started or retries >= policy.max_retries:
            return None
        pause = min(policy.first_wait_s * 2**retries, policy.max_wait_s)
        pause *= 0.5 + self._jitter() / 2
        if error.retry_after_s is not None:
            if error.retry_after_s > policy.max_retry_after_s:
                return None
            pause = max(pause, error.retry_after_s)
        left = self._deadline - asyncio.get_running_loop().time()
        return pause if pause < left else None


async def _sleep(_: LLMError, pause_s: float) -> None:
    await asyncio.sleep(pause_s)


def estimate_input_tokens(request: LLMRequest) -> int:
    """Return about how many tokens a request is, tending to too many: what is reserved."""
    tokens = estimate_tokens(request.system)
    for message in request.messages:
        tokens += _TOKENS_PER_MESSAGE + estimate_tokens(message.content)
        for call in message.tool_requests:
            tokens += _TOKENS_PER_MESSAGE + estimate_tokens(call.name)
            tokens += estimate_tokens(str(call.arguments))
    for tool in request.tools:
        tokens += _TOKENS_PER_MESSAGE + estimate_tokens(tool.description)
        tokens += estimate_tokens(str(tool.parameters))
    return tokens
