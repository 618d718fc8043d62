"""`/instruments`, `/bars`, `/indicators`: the desk's market data."""

from datetime import date
from typing import Annotated

import msgspec
from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, JSONBody, QueryParameter

from app.rest.pages import Cursor, Limit, Words
from app.rest.requests import Body, moment
from app.rest.sign_in import may_administer, may_read
from app.services.market.bar_intake import BarsTaken
from app.services.market.market import (
    DEFAULT_BARS,
    MAX_BARS,
    BarSeries,
    IndicatorSeries,
    MarketData,
    NewInstrument,
)
from app.services.paging import DEFAULT_LIMIT, Page
from tools.market.futures import Continuous, Contract
from tools.market.instruments import Instrument

MAX_BARS_BODY = 4 * 1024 * 1024

From = Annotated[str | None, QueryParameter(name="from", description="A date or a time.")]
To = Annotated[str | None, QueryParameter(name="to", description="A date or a time.")]
Count = Annotated[int, QueryParameter(name="limit", ge=1, le=MAX_BARS)]
Fields = Annotated[
    str | None,
    QueryParameter(name="fields", max_length=1000, description="Names by commas, e.g. rsi,sma200."),
]
KnownAt = Annotated[
    str | None, QueryParameter(name="knownAt", description="A moment: what was known then.")
]
On = Annotated[str | None, QueryParameter(name="on", description="A day.")]
Symbol = Annotated[str, QueryParameter(name="symbol", min_length=1, max_length=64)]


class InstrumentBody(Body, frozen=True):
    """What makes a symbol known."""

    symbol: str
    name: str
    source: str
    kind: str = "equity"
    currency: str = "USD"
    exchange: str | None = None
    listed_on: date | None = None
    """First day of trading. Later than the last day of a delisted one of this symbol: another."""
    contract: Contract | None = None
    """Of a future that ends: root, expiresOn, rollsOn."""
    continuous: Continuous | None = None
    """Of a series of contracts: root, rule (date, volume), adjustment (ratio, difference)."""


class BarsBody(Body, frozen=True):
    """Bars of one symbol, oldest first. Each row is judged by itself."""

    symbol: str
    timeframe: str
    bars: list[msgspec.Raw]


class InstrumentsController(Controller):
    """What can be asked about."""

    path = "/instruments"
    tags = ("Market data",)

    @get("/", guards=[may_read], summary="Instruments by symbol")
    async def page(
        self,
        market: NamedDependency[MarketData],
        words: Words = None,
        cursor: Cursor = None,
        limit: Limit = DEFAULT_LIMIT,
    ) -> Page[Instrument]:
        """Return instruments in the order of their symbols; `query` looks in symbol and name."""
        return await market.instruments(query=words, cursor=cursor, limit=limit)

    @post("/", guards=[may_administer], summary="Make a symbol known")
    async def add(
        self, data: JSONBody[InstrumentBody], market: NamedDependency[MarketData]
    ) -> Instrument:
        """Make a symbol known, so that bars can be posted for it."""
        return await market.add_instrument(NewInstrument(**msgspec.structs.asdict(data)))

    @get("/{symbol:str}", guards=[may_read], summary="One instrument")
    async def one(
        self, symbol: FromPath[str], market: NamedDependency[MarketData], on: On = None
    ) -> Instrument:
        """Return an instrument and where its prices came from.

        A former symbol is understood too; `on` asks what was called so on that day.
        """
        day = moment(on, "on")
        return await market.instrument(symbol, on=None if day is None else day.date())


class BarsController(Controller):
    """Price history."""

    path = "/bars"
    tags = ("Market data",)

    @get("/", guards=[may_read], summary="Bars of a symbol")
    async def page(
        self,
        market: NamedDependency[MarketData],
        symbol: Symbol,
        timeframe: FromQuery[str] = "1d",
        start: From = None,
        end: To = None,
        limit: Count = DEFAULT_BARS,
        adjusted: FromQuery[bool] = True,
        known_at: KnownAt = None,
    ) -> BarSeries:
        """Return the newest `limit` bars, oldest first.

        `adjusted=false` gives prices as the source gives them; `knownAt` what the desk knew then.
        """
        return await market.bars(
            symbol,
            timeframe,
            start=moment(start, "from"),
            end=moment(end, "to"),
            limit=limit,
            adjusted=adjusted,
            known_at=moment(known_at, "knownAt"),
        )

    @post(
        "/",
        status_code=200,
        guards=[may_administer],
        request_max_body_size=MAX_BARS_BODY,
        summary="Add bars",
    )
    async def add(self, data: JSONBody[BarsBody], market: NamedDependency[MarketData]) -> BarsTaken:
        """Store the rows that can be believed and say why the others were refused."""
        return await market.add_bars(data.symbol, data.timeframe, data.bars)


class IndicatorsController(Controller):
    """Indicators."""

    path = "/indicators"
    tags = ("Market data",)

    @get("/", guards=[may_read], summary="Indicators of a symbol")
    async def series(
        self,
        market: NamedDependency[MarketData],
        symbol: Symbol,
        timeframe: FromQuery[str] = "1d",
        start: From = None,
        end: To = None,
        limit: Count = DEFAULT_BARS,
        fields: Fields = None,
    ) -> IndicatorSeries:
        """Return TA-Lib's values at the newest `limit` bars, each series oldest first.

        `fields` chooses among all per-bar numbers of the desk.
        """
        return await market.indicators(
            symbol,
            timeframe,
            start=moment(start, "from"),
            end=moment(end, "to"),
            limit=limit,
            fields=fields,
        )
