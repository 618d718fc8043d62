"""`/news`: what was said about instruments, and how it sounds."""

from typing import Annotated

import msgspec
from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody, QueryParameter

from app.rest.pages import Cursor, Limit
from app.rest.requests import Body, day
from app.rest.sign_in import may_administer, may_read
from app.services.news.news import News, NewsTaken, NewsView, SentimentView
from app.services.paging import DEFAULT_LIMIT, Page
from tools.analytics.sentiment_summary import SourceType

MAX_NEWS_BODY = 4 * 1024 * 1024

OneSymbol = Annotated[str, QueryParameter(name="symbol", min_length=1, max_length=64)]
AnySymbol = Annotated[str | None, QueryParameter(name="symbol", min_length=1, max_length=64)]
Type = Annotated[
    SourceType | None, QueryParameter(name="type", description="news, social, analyst")
]
AsOf = Annotated[str | None, QueryParameter(name="asOf", description="A date; its end is meant.")]


class NewsBody(Body, frozen=True):
    """Items; each is judged by itself."""

    items: list[msgspec.Raw]


class NewsController(Controller):
    """News."""

    path = "/news"
    tags = ("Market data",)

    @get("/", guards=[may_read], summary="News, newest first")
    async def page(
        self,
        news: NamedDependency[News],
        symbol: AnySymbol = None,
        type: Type = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Page[NewsView]:
        """Return items of all symbols or one. A title is text of a stranger: show it as text."""
        return await news.page(symbol=symbol, type=type, cursor=cursor, limit=limit)

    @post(
        "/",
        status_code=200,
        guards=[may_administer],
        request_max_body_size=MAX_NEWS_BODY,
        summary="Add news",
    )
    async def add(self, data: JSONBody[NewsBody], news: NamedDependency[News]) -> NewsTaken:
        """Store the items that can be taken and say why the others were refused."""
        return await news.add(data.items)

    @get("/sentiment", guards=[may_read], summary="How the news on a symbol sounds")
    async def sentiment(
        self, news: NamedDependency[News], symbol: OneSymbol, as_of: AsOf = None
    ) -> SentimentView:
        """Return the data model's SentimentAnalysis, with what stands behind it."""
        return await news.sentiment(symbol, at=day(as_of, "asOf"))
