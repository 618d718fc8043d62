"""What the desk knows of markets: stores, tools and the services on them, opened in one place."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec

from app.security.people import utc_now
from app.services.market.bar_intake import BarIntake
from app.services.market.charts import Charts
from app.services.market.market import MarketData
from app.services.market.market_records import MarketRecords
from app.services.predictions.prediction_ports import PredictionEngine
from app.services.signals.signals import SignalBook
from app.services.tool_calls import ToolCalls
from app.settings import Settings
from app.storage.bars import PostgresBars
from app.storage.engine import Database
from app.storage.instruments import PostgresInstruments
from app.storage.signals import PostgresSignals
from app.wiring.fundamentals import FundamentalsDesk, open_fundamentals
from app.wiring.live import LiveDesk, Sockets, open_live
from app.wiring.news import NewsDesk, open_news
from tools.desk import market_tools
from tools.forecast_book import ForecastBook
from tools.market.demo import load_demo
from tools.opinions import OpinionBook
from tools.registry import ToolBox

Progress = Callable[[str], None]


class MarketDesk(msgspec.Struct, kw_only=True):
    """Everything about markets that is open."""

    settings: Settings
    instruments: PostgresInstruments
    bars: PostgresBars
    toolbox: ToolBox
    intake: BarIntake
    """The one way bars get in; whoever must hear of them adds a listener."""
    data: MarketData
    signals: SignalBook
    news: NewsDesk
    fundamentals: FundamentalsDesk
    tools: ToolCalls
    charts: Charts
    live: LiveDesk
    records: MarketRecords

    async def load_demo(self, on_progress: Progress, *, allow_fetch: bool) -> None:
        """Bring the demo prices up to date: those that ship, and those that may be fetched."""
        await load_demo(
            self.instruments,
            self.bars,
            self.settings.data_dir,
            on_progress=on_progress,
            allow_fetch=allow_fetch,
        )


@asynccontextmanager
async def open_market(
    settings: Settings,
    database: Database,
    sockets: Sockets | None,
    *,
    on_progress: Progress,
    forecasts: ForecastBook | None = None,
    engine: PredictionEngine | None = None,
) -> AsyncIterator[MarketDesk]:
    """Open the market side of the desk, with the prices that ship loaded."""
    instruments, bars = PostgresInstruments(database), PostgresBars(database)
    intake = BarIntake(instruments, bars, clock=utc_now)
    news = open_news(settings, database, instruments, engine)
    fundamentals = open_fundamentals(database, instruments, bars)
    signals = SignalBook(
        PostgresSignals(database),
        instruments,
        bars,
        clock=utc_now,
        opinions=OpinionBook(news.store, fundamentals.store),
    )
    toolbox = ToolBox(
        market_tools(
            instruments,
            bars,
            news=news.store,
            statements=fundamentals.store,
            cases=signals,
            forecasts=forecasts,
        )
    )
    async with AsyncExitStack() as stack:
        live = await stack.enter_async_context(
            open_live(database, instruments, bars, intake, sockets, signals)
        )
        market = MarketDesk(
            settings=settings,
            instruments=instruments,
            bars=bars,
            toolbox=toolbox,
            intake=intake,
            data=MarketData(instruments, bars, intake, clock=utc_now),
            signals=signals,
            news=news,
            fundamentals=fundamentals,
            tools=ToolCalls(toolbox, clock=utc_now),
            charts=Charts(instruments, bars, clock=utc_now),
            live=live,
            records=MarketRecords(instruments, bars, intake, clock=utc_now),
        )
        if sockets is not None:
            # One kind of process does it; whoever stores bars tells the others of them.
            await stack.enter_async_context(market.data.futures)
            intake.listeners.append(market.data.futures.bars_stored)
        await market.load_demo(on_progress, allow_fetch=False)
        await news.load_demo()
        yield market
