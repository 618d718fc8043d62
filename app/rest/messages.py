"""`/messages`: the evidence of one message."""

from uuid import UUID

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from app.domain.principal import Principal
from app.domain.views import AttachmentView, CitedClaim
from app.rest.sign_in import may_read
from app.services.conversations import Conversations
from app.services.paging import Page


class MessagesController(Controller):
    """Messages by themselves."""

    path = "/messages"
    tags = ("Conversations",)

    @get("/{message_id:uuid}/claims", guards=[may_read], summary="The claims of a message")
    async def claims(
        self,
        message_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        conversations: NamedDependency[Conversations],
    ) -> Page[CitedClaim]:
        """Return every claim with the tool call it points to, in reading order."""
        return Page(await conversations.claims(principal, message_id))

    @get(
        "/{message_id:uuid}/attachments/{attachment_id:uuid}",
        guards=[may_read],
        summary="One attachment of a message",
    )
    async def attachment(
        self,
        message_id: FromPath[UUID],
        attachment_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        conversations: NamedDependency[Conversations],
    ) -> AttachmentView:
        """Return a chart with its card, or what is known of a file."""
        return await conversations.attachment(principal, message_id, attachment_id)
