"""The analyst: looks things up with the desk's tools and answers from what they return."""

from typing import Any

from langchain.agents import create_agent
from langgraph.graph.state import CompiledStateGraph

from agents.graphs.deps import GraphDeps
from agents.llms.chat_model import DeskChatModel, tool_dict
from agents.middleware.context import ContextWindow
from agents.middleware.limits import RunLimits
from agents.middleware.repair import RepairDanglingCalls
from agents.middleware.tool_calls import CallTools
from agents.prompting import system_prompt


def build(deps: GraphDeps) -> CompiledStateGraph[Any, Any, Any, Any]:
    """Return the compiled graph of one agent; it holds nothing of any run."""
    return create_agent(
        DeskChatModel(),
        tools=[tool_dict(spec) for spec in deps.toolbox.specs(deps.agent.tool_names)],
        system_prompt=system_prompt("analyst", deps.agent.system_prompt),
        middleware=[
            ContextWindow(),
            RepairDanglingCalls(),
            RunLimits(),
            CallTools(deps.toolbox),
        ],
    )
