"""The tools of a market desk, joined to where prices are kept."""

from tools.case_book import CaseBook, ComputedCases
from tools.compare import Compare
from tools.condition_record import ConditionRecordTool
from tools.forecast import Forecast
from tools.forecast_book import ForecastBook
from tools.fundamentals import FundamentalsTool
from tools.history import Market
from tools.indicators import IndicatorsTool
from tools.instruments import Instruments
from tools.levels import Levels
from tools.market.fundamentals import StatementStore
from tools.market.news import NewsStore
from tools.market.store import BarStore, InstrumentStore
from tools.news import NewsTool
from tools.opinions import OpinionBook
from tools.past_forecasts import PastForecasts
from tools.quotes import Quotes
from tools.scorecard import ScorecardTool
from tools.screen import Screen
from tools.signals import Signals
from tools.tool import Tool
from tools.what_changed import WhatChanged


def market_tools(
    instruments: InstrumentStore,
    bars: BarStore,
    *,
    news: NewsStore | None = None,
    statements: StatementStore | None = None,
    cases: CaseBook | None = None,
    forecasts: ForecastBook | None = None,
) -> tuple[Tool, ...]:
    """Return every tool that reads prices, and those on whatever else is kept here.

    `cases` is where the past of signals is kept; by default it is computed from the bars.
    `forecasts` makes forecasts; without it there is no tool for them.
    """
    market, book = Market(instruments, bars), cases or ComputedCases(instruments, bars)
    tools: list[Tool] = [
        Quotes(market),
        IndicatorsTool(market),
        Signals(market, book, OpinionBook(news, statements)),
        ScorecardTool(market, book),
        Levels(market),
        WhatChanged(market, news),
        Compare(market),
        Screen(market),
        Instruments(market),
        ConditionRecordTool(market),
    ]
    if forecasts is not None:
        tools += [Forecast(market, forecasts), PastForecasts(market, forecasts)]
    if news is not None:
        tools.append(NewsTool(instruments, news))
    if statements is not None:
        tools.append(FundamentalsTool(instruments, bars, statements))
    return tuple(tools)
