"""`/tools`: what agents may call, for programs."""

from typing import Any

import msgspec
from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody

from app.domain.principal import Principal
from app.rest.requests import Body
from app.rest.sign_in import may_read
from app.services.paging import Page
from app.services.tool_calls import ToolAnswer, ToolCalls
from tools.tool import ToolSpec


class CallBody(Body, frozen=True):
    """What a tool is called with."""

    arguments: dict[str, Any] = msgspec.field(default_factory=dict)


class ToolsController(Controller):
    """Tools: every one only reads, so that whoever may read may call."""

    path = "/tools"
    tags = ("Tools",)

    @get("/", guards=[may_read], summary="Every tool")
    async def all(self, tools: NamedDependency[ToolCalls]) -> Page[ToolSpec]:
        """Return each tool's name, description and the JSON Schema of its arguments."""
        return Page(list(tools.specs()))

    @get("/{name:str}", guards=[may_read], summary="One tool")
    async def one(self, name: FromPath[str], tools: NamedDependency[ToolCalls]) -> ToolSpec:
        """Return what one tool is called, does and takes."""
        return tools.spec(name)

    @post("/{name:str}", status_code=200, guards=[may_read], summary="Call a tool")
    async def call(
        self,
        name: FromPath[str],
        data: JSONBody[CallBody],
        principal: NamedDependency[Principal],
        tools: NamedDependency[ToolCalls],
    ) -> ToolAnswer:
        """Run a tool and return its result; nothing is stored."""
        return await tools.call(principal, name, data.arguments)
