"""`/messages`: the evidence of one message."""

from uuid import UUID

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery

from app.domain.principal import Principal
from app.domain.views import AttachmentView, CitedClaim
from app.rest.charts import answer, look_of
from app.rest.sign_in import may_read
from app.services.conversations.conversations import Conversations
from app.services.market.charts import Charts, stored_card
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

    @get(
        "/{message_id:uuid}/attachments/{attachment_id:uuid}/picture",
        guards=[may_read],
        summary="The chart of a message, as PNG or SVG",
    )
    async def picture(
        self,
        message_id: FromPath[UUID],
        attachment_id: FromPath[UUID],
        principal: NamedDependency[Principal],
        conversations: NamedDependency[Conversations],
        charts: NamedDependency[Charts],
        format: FromQuery[str] = "png",
        theme: FromQuery[str] = "light",
        width: FromQuery[int] = 960,
        height: FromQuery[int | None] = None,
        scale: FromQuery[float] = 2.0,
    ) -> Response[bytes]:
        """Draw the chart as it was when the answer was given."""
        look = look_of(format=format, theme=theme, width=width, height=height, scale=scale)
        found = await conversations.attachment(principal, message_id, attachment_id)
        return answer(await charts.draw(stored_card(found.content), look))
