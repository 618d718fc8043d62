"""`/fundamentals`: what companies reported, and what their price makes of it."""

import msgspec
from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import JSONBody

from app.rest.news import AsOf, OneSymbol
from app.rest.requests import Body, day
from app.rest.sign_in import may_administer, may_read
from app.services.market.fundamentals import FundamentalsService, FundamentalsView, StatementsTaken

MAX_STATEMENTS_BODY = 4 * 1024 * 1024


class StatementsBody(Body, frozen=True):
    """Statements; each is judged by itself."""

    statements: list[msgspec.Raw]


class FundamentalsController(Controller):
    """Fundamentals."""

    path = "/fundamentals"
    tags = ("Market data",)

    @get("/", guards=[may_read], summary="Fundamentals of a symbol")
    async def one(
        self,
        fundamentals: NamedDependency[FundamentalsService],
        symbol: OneSymbol,
        as_of: AsOf = None,
    ) -> FundamentalsView:
        """Return the data model's FundamentalAnalysis with its definitions and dates."""
        return await fundamentals.one(symbol, at=day(as_of, "asOf"))

    @post(
        "/",
        status_code=200,
        guards=[may_administer],
        request_max_body_size=MAX_STATEMENTS_BODY,
        summary="Add statements",
    )
    async def add(
        self, data: JSONBody[StatementsBody], fundamentals: NamedDependency[FundamentalsService]
    ) -> StatementsTaken:
        """Store the statements that can be believed and say why the others were refused."""
        return await fundamentals.add(data.statements)
