"""What every graph is built from."""

import msgspec

from agents.runs import AgentSpec
from tools.registry import ToolBox


class GraphDeps(msgspec.Struct, frozen=True):
    """One agent, and the tools it may use."""

    agent: AgentSpec
    toolbox: ToolBox
