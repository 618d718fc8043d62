"""The shipped prices and a tool box on them."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from tools.desk import market_tools
from tools.market.bars import Bars
from tools.market.demo import read_vendored, vendored_market
from tools.market.store import InProcessMarket
from tools.registry import ToolBox
from tools.tool import ToolContext

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def shipped() -> dict[str, Bars]:
    return read_vendored()


@pytest.fixture
def market() -> InProcessMarket:
    return vendored_market()


@pytest.fixture
def box(market: InProcessMarket) -> ToolBox:
    return ToolBox(market_tools(market, market))


@pytest.fixture
def context() -> ToolContext:
    return ToolContext(principal_id="somebody", now=NOW)


@pytest.fixture
def at() -> Callable[[datetime], ToolContext]:
    return lambda now: ToolContext(principal_id="somebody", now=now)
