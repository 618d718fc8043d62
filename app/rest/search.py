"""`/search`: find words in one's own messages and titles."""

from typing import Annotated

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import QueryParameter

from app.domain.principal import Principal
from app.domain.views import SearchHit
from app.rest.pages import Cursor, Limit
from app.rest.sign_in import may_read
from app.services.conversations.conversations import MAX_QUERY, Conversations
from app.services.paging import DEFAULT_LIMIT, Page


class SearchController(Controller):
    """Full-text search."""

    path = "/search"
    tags = ("Conversations",)

    @get("/", guards=[may_read], summary="Search messages and titles")
    async def search(
        self,
        principal: NamedDependency[Principal],
        conversations: NamedDependency[Conversations],
        words: Annotated[str, QueryParameter(name="query", min_length=1, max_length=MAX_QUERY)],
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Page[SearchHit]:
        """Return what holds all the words, newest first; hits stand between U+0001 and U+0002."""
        return await conversations.search(principal, words, cursor=cursor, limit=limit)
