"""The compiled graphs, one for each agent configuration in use.

Importing this imports LangChain, which takes about a second: the runner does it off the event
loop.
"""

from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import Context
from typing import Any

import langsmith
from langgraph.graph.state import CompiledStateGraph

from agents.graphs import analyst
from agents.graphs.deps import GraphDeps
from agents.runs import AgentSpec
from tools.registry import ToolBox

_MOST = 64

_BUILDERS = {"analyst": analyst.build}
"""By agent type. A type without a graph of its own answers by the analyst's rules."""


class GraphLibrary:
    """Builds a graph when an agent is first asked and keeps the most recently used ones."""

    def __init__(self, toolbox: ToolBox, *, tracing: bool) -> None:
        self._toolbox = toolbox
        self._tracing = tracing
        self._graphs: OrderedDict[AgentSpec, CompiledStateGraph[Any, Any, Any, Any]] = OrderedDict()
        if not tracing:
            # LangChain wraps middleware in spans whose book-keeping hops to a thread and back,
            # four times a call, also when nothing is traced.
            langsmith.set_runtime_overrides(aio_to_thread=_inline)

    def stream(self, agent: AgentSpec, question: str) -> AsyncIterator[Any]:
        """Run the agent's graph on one question; yields a part as each task starts and ends."""
        parts: AsyncIterator[Any] = self._graph(agent).astream(
            {"messages": [{"role": "user", "content": question}]},
            stream_mode=["tasks"],
            version="v2",
        )
        return parts

    @contextmanager
    def traced(self) -> Iterator[None]:
        """Send nothing to a tracing service in this block, unless tracing was asked for."""
        if self._tracing:
            yield
            return
        with langsmith.tracing_context(enabled=False):
            yield

    def _graph(self, agent: AgentSpec) -> CompiledStateGraph[Any, Any, Any, Any]:
        graph = self._graphs.pop(agent, None)
        if graph is None:
            build = _BUILDERS.get(agent.type, analyst.build)
            graph = build(GraphDeps(agent=agent, toolbox=self._toolbox))
        self._graphs[agent] = graph
        if len(self._graphs) > _MOST:
            self._graphs.popitem(last=False)
        return graph


async def _inline(
    default: Callable[..., Awaitable[Any]],
    context: Context,
    function: Callable[..., Any],
    /,
    *arguments: Any,
    **named: Any,
) -> Any:
    return context.run(function, *arguments, **named)
