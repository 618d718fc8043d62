"""`/conversations`: list, look at, rename, pin, close, delete and take away."""

from dataclasses import dataclass
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from litestar import Controller, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.openapi.spec import (
    OpenAPIMediaType,
    OpenAPIResponse,
    OpenAPIType,
    Operation,
    Schema,
)
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter
from litestar.response import Stream

from app.domain.principal import Principal
from app.domain.views import (
    ConversationChange,
    ConversationFilter,
    ConversationStatus,
    ConversationView,
    MessageView,
)
from app.rest.pages import Cursor, Limit, Words
from app.rest.requests import Body
from app.rest.sign_in import may_read, may_write
from app.services.conversations.conversations import Conversations
from app.services.conversations.exports import as_json, as_markdown
from app.services.paging import DEFAULT_LIMIT, Page


@dataclass
class Download(Operation):
    """Describes a download that comes in two forms."""

    def __post_init__(self) -> None:
        text = Schema(type=OpenAPIType.STRING)
        content = {
            "text/markdown": OpenAPIMediaType(schema=text),
            "application/json": OpenAPIMediaType(schema=Schema(type=OpenAPIType.OBJECT)),
        }
        whole = OpenAPIResponse(description="The whole conversation", content=content)
        self.responses = {**(self.responses or {}), "200": whole}


class ConversationPatch(Body, frozen=True):
    """What is to change; what is left out stays."""

    title: str | msgspec.UnsetType = msgspec.UNSET
    pinned: bool | msgspec.UnsetType = msgspec.UNSET
    status: ConversationStatus | msgspec.UnsetType = msgspec.UNSET


class ReadBody(Body, frozen=True):
    """Up to which sequence number the caller has read."""

    seq: int


class ReadPosition(msgspec.Struct, frozen=True, rename="camel"):
    """Up to where a conversation is read."""

    read_seq: int


class ConversationsController(Controller):
    """The caller's conversations."""

    path = "/conversations"
    tags = ("Conversations",)

    @get("/", guards=[may_read], summary="My conversations")
    async def page(
        self,
        principal: NamedDependency[Principal],
        conversations: NamedDependency[Conversations],
        words: Words = None,
        status: FromQuery[ConversationStatus | None] = None,
        pinned: FromQuery[bool | None] = None,
        agent_id: Annotated[UUID | None, QueryParameter(name="agentId")] = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Page[ConversationView]:
        """Return conversations, the latest changed first; `query` searches titles and messages."""
        return await conversations.page(
            principal,
            ConversationFilter(status=status, pinned=pinned, agent_id=agent_id),
            query=words,
            cursor=cursor,
            limit=limit,
        )

    @get("/{conversation_id:uuid}", guards=[may_read], summary="One conversation")
    async def one(
        self,
        conversation_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        conversations: NamedDependency[Conversations],
    ) -> ConversationView:
        """Return a conversation without its messages."""
        return await conversations.get(principal, conversation_id)

    @patch("/{conversation_id:uuid}", guards=[may_write], summary="Rename, pin or close")
    async def change(
        self,
        conversation_id: FromPath[UUID],
        data: JSONBody[ConversationPatch],
        principal: NamedDependency[Principal],
        conversations: NamedDependency[Conversations],
    ) -> ConversationView:
        """Change title, pin or status."""
        change = ConversationChange(
            title=None if data.title is msgspec.UNSET else data.title,
            pinned=None if data.pinned is msgspec.UNSET else data.pinned,
            status=None if data.status is msgspec.UNSET else data.status,
        )
        return await conversations.change(principal, conversation_id, change)

    @post(
        "/{conversation_id:uuid}/read",
        status_code=200,
        guards=[may_write],
        summary="Say how far it is read",
    )
    async def read(
        self,
        conversation_id: FromPath[UUID],
        data: JSONBody[ReadBody],
        principal: NamedDependency[Principal],
        conversations: NamedDependency[Conversations],
    ) -> ReadPosition:
        """Note that the caller has read up to `seq`, in all their browsers; never back."""
        return ReadPosition(await conversations.read_to(principal, conversation_id, data.seq))

    @delete("/{conversation_id:uuid}", guards=[may_write], summary="Delete a conversation")
    async def delete(
        self,
        conversation_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        conversations: NamedDependency[Conversations],
    ) -> None:
        """Delete a conversation with its messages and journal."""
        await conversations.delete(principal, conversation_id)

    @get("/{conversation_id:uuid}/messages", guards=[may_read], summary="Its messages")
    async def messages(
        self,
        conversation_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        conversations: NamedDependency[Conversations],
        superseded: FromQuery[bool] = False,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Page[MessageView]:
        """Return messages with evidence and receipts, newest first.

        `superseded=true` shows also what regenerating or editing has replaced.
        """
        return await conversations.messages(
            principal, conversation_id, superseded=superseded, cursor=cursor, limit=limit
        )

    @get(
        "/{conversation_id:uuid}/export",
        guards=[may_read],
        summary="Take it away",
        operation_class=Download,
    )
    async def export(
        self,
        conversation_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        conversations: NamedDependency[Conversations],
        export_format: Annotated[
            Literal["json", "markdown"], QueryParameter(name="format")
        ] = "markdown",
        shown: Annotated[Literal["none", "link", "embed"], QueryParameter(name="charts")] = "none",
    ) -> Stream:
        """Download the whole conversation; in Markdown claims become footnotes.

        `charts` says whether Markdown shows its charts: as links to this server, or with the
        pictures inside the file.
        """
        conversation = await conversations.get(principal, conversation_id)
        messages = conversations.transcript(principal, conversation_id)
        if export_format == "json":
            body, media_type, suffix = as_json(conversation, messages), "application/json", "json"
        else:
            body, media_type, suffix = (
                as_markdown(conversation, messages, charts=shown),
                "text/markdown",
                "md",
            )
        return Stream(
            body,
            media_type=media_type,
            headers={"Content-Disposition": f'attachment; filename="{conversation_id}.{suffix}"'},
        )
