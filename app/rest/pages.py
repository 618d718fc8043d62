"""The query parameters that every list takes."""

from typing import Annotated

from litestar.params import QueryParameter

from app.services.paging import MAX_LIMIT

Cursor = Annotated[
    str | None,
    QueryParameter(name="cursor", max_length=400, description="`nextCursor` of the page before."),
]
Words = Annotated[
    str | None, QueryParameter(name="query", max_length=200, description="What to look for.")
]
Limit = Annotated[
    int, QueryParameter(name="limit", ge=1, le=MAX_LIMIT, description="How many at most.")
]
