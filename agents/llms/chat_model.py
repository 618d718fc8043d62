"""Let LangChain's `create_agent` think with one of our LLMs.

The graph sees one finished message per call. The words went past it, from the provider's bytes to
the run's sink.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import LanguageModelInput
from langchain_core.language_models.chat_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.messages.ai import InputTokenDetails, OutputTokenDetails, UsageMetadata
from langchain_core.messages.tool import ToolCall, tool_call
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.runnables import Runnable, RunnableConfig
from langchain_core.tools import BaseTool

from agents.errors import LLMOverlong
from agents.llms.llm import LLMReply, LLMRequest
from agents.llms.tool_fragments import new_call_id
from agents.messages import Message, Usage
from agents.state import RunState, current_run
from tools.tool import ToolSpec


class DeskChatModel(BaseChatModel):
    """The chat model of every agent: it asks the LLM of the run it is called in."""

    @property
    def _llm_type(self) -> str:
        return "outcry"

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Offer `tools`, given as `{name, description, parameters}`."""
        return self.bind(tools=tools, **kwargs)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        raise NotImplementedError("agents are asynchronous throughout")

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        *,
        tools: Sequence[dict[str, Any]] = (),
        **kwargs: Any,
    ) -> ChatResult:
        message = await _reply(messages, tools)
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def ainvoke(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AIMessage:
        """Answer `input`; past LangChain's callbacks, 0.3 ms, when nobody listens to them."""
        callbacks: Any = (config or {}).get("callbacks")
        if not isinstance(input, list) or getattr(callbacks, "handlers", callbacks):
            return await super().ainvoke(input, config, stop=stop, **kwargs)
        return await _reply(input, kwargs.get("tools", ()))


async def _reply(messages: Sequence[Any], tools: Sequence[dict[str, Any]]) -> AIMessage:
    """Ask the LLM of the current run; its words go to the run's sink while this waits."""
    state = current_run()
    request = _request(state, messages, tools)
    try:
        reply = await state.attempts.complete(request, state.progress.text)
    except LLMOverlong:
        state.progress.finish_reason = "length"
        raise
    if reply.usage is not None:
        state.progress.add_usage(state.request.llm.provider, request.model, reply.usage)
    state.progress.finish_reason = reply.finish_reason
    return _to_langchain(reply, state)


def _request(
    state: RunState, messages: Sequence[BaseMessage], tools: Sequence[dict[str, Any]]
) -> LLMRequest:
    system = ""
    own: list[Message] = []
    for message in messages:
        if isinstance(message, SystemMessage):
            system = str(message.content)
        else:
            own.append(_from_langchain(message))
    agent = state.request.agent
    return LLMRequest(
        model=state.request.model,
        # The date comes last and changes once a day, so that providers can cache all before it.
        system=f"{system}\n\nToday is {state.request.now:%A, %Y-%m-%d} (UTC).",
        messages=(*state.past, *own),
        tools=tuple(ToolSpec(**tool) for tool in tools),
        temperature=agent.temperature,
        max_output_tokens=agent.max_output_tokens,
    )


def _from_langchain(message: BaseMessage) -> Message:
    match message:
        case HumanMessage():
            return Message(role="user", content=str(message.content))
        case AIMessage():
            return Message(
                role="assistant",
                content=str(message.content),
                tool_requests=tuple(
                    current_run().asked[call["id"] or ""] for call in message.tool_calls
                ),
            )
        case ToolMessage():
            return Message(
                role="tool",
                content=str(message.content),
                tool_request_id=message.tool_call_id,
                failed=message.status == "error",
            )
    raise TypeError(f"no LLM reads a {type(message).__name__}")


def _to_langchain(reply: LLMReply, state: RunState) -> AIMessage:
    calls: list[ToolCall] = []
    for request in reply.tool_requests:
        call_id = request.id
        if not call_id or call_id in state.taken_ids:
            # Some servers count from zero in every reply; a run's ids are unique.
            call_id = new_call_id()
        state.taken_ids.add(call_id)
        state.asked[call_id] = msgspec.structs.replace(request, id=call_id)
        calls.append(tool_call(name=request.name, args=request.arguments, id=call_id))
    return AIMessage(
        content=reply.text,
        tool_calls=calls,
        usage_metadata=_usage_metadata(reply.usage),
        response_metadata={"model_name": reply.model, "finish_reason": reply.finish_reason},
    )


def _usage_metadata(usage: Usage | None) -> UsageMetadata | None:
    if usage is None:
        return None
    return UsageMetadata(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        total_tokens=usage.input_tokens + usage.output_tokens,
        input_token_details=InputTokenDetails(
            cache_read=usage.cache_read_tokens, cache_creation=usage.cache_write_tokens
        ),
        output_token_details=OutputTokenDetails(reasoning=usage.reasoning_tokens),
    )


def tool_dict(spec: ToolSpec) -> dict[str, Any]:
    """Return a tool as the graph carries it to `bind_tools`."""
    described: dict[str, Any] = msgspec.structs.asdict(spec)
    return described
