"""`/signals`: what the rules said, how it turned out, and how good such signals are."""

from typing import Annotated
from uuid import UUID

import msgspec
from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, JSONBody, QueryParameter

from app.rest.pages import Cursor, Limit
from app.rest.requests import Body
from app.rest.sign_in import may_read, may_write
from app.services.market.market import MarketData
from app.services.paging import DEFAULT_LIMIT, Page
from app.services.signals.signals import SignalBook
from tools.market.signals import MarketSignal, Scorecard

Symbol = Annotated[str | None, QueryParameter(name="symbol", min_length=1, max_length=64)]
Type = Annotated[str | None, QueryParameter(name="signalType", max_length=64)]
Timeframe = Annotated[str | None, QueryParameter(name="timeframe", max_length=8)]
State = Annotated[str | None, QueryParameter(name="state", max_length=16)]


class ComputeBody(Body, frozen=True):
    """Whose signals to bring up to date."""

    symbol: str
    timeframe: str = "1d"


class Computed(msgspec.Struct, frozen=True):
    """The signals that hold at the last bar, newest first."""

    items: list[MarketSignal]


class SignalsController(Controller):
    """Signals."""

    path = "/signals"
    tags = ("Market data",)

    @get("/", guards=[may_read], summary="Stored signals")
    async def page(
        self,
        signals: NamedDependency[SignalBook],
        market: NamedDependency[MarketData],
        symbol: Symbol = None,
        signal_type: Type = None,
        timeframe: Timeframe = None,
        in_state: State = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Page[MarketSignal]:
        """Return signals as they were shown, with their grades, the newest first."""
        known = None if symbol is None else (await market.instrument(symbol)).symbol
        return await signals.page(
            symbol=known,
            signal_type=signal_type,
            timeframe=timeframe,
            state=in_state,
            cursor=cursor,
            limit=limit,
        )

    @get("/scorecard", guards=[may_read], summary="How good signals are")
    async def scorecard(
        self,
        signals: NamedDependency[SignalBook],
        market: NamedDependency[MarketData],
        symbol: Symbol = None,
        signal_type: Type = None,
        timeframe: Timeframe = None,
    ) -> Scorecard:
        """Return how each kind did in its market and, with `symbol`, on that symbol alone."""
        known = None if symbol is None else await market.instrument(symbol)
        return await signals.scorecard(known, signal_type=signal_type, timeframe=timeframe or "1d")

    @post("/compute", status_code=200, guards=[may_write], summary="Compute signals now")
    async def compute(
        self,
        data: JSONBody[ComputeBody],
        signals: NamedDependency[SignalBook],
        market: NamedDependency[MarketData],
    ) -> Computed:
        """Run the rules over the bars that have closed and return what holds."""
        known = await market.instrument(data.symbol)
        return Computed(await signals.compute(known.symbol, data.timeframe))

    @get("/{signal_id:uuid}", guards=[may_read], summary="One signal")
    async def one(
        self, signal_id: FromPath[UUID], signals: NamedDependency[SignalBook]
    ) -> MarketSignal:
        """Return one signal with all it stood on, and its grade once it is known."""
        return await signals.signal(signal_id)
