"""What `outcry predict` prints of a forecast."""

from datetime import UTC, datetime

from app.terminal.forecasts import lines
from tests.fakes.forecasts import MadeUpForecasts
from tools.desk import market_tools
from tools.market.demo import vendored_market
from tools.registry import ToolBox
from tools.tool import ToolContext

NOW = datetime(2013, 3, 1, 22, tzinfo=UTC)


async def told(*, away: bool) -> list[str]:
    market = vendored_market()
    box = ToolBox(market_tools(market, market, forecasts=MadeUpForecasts(away=away)))
    result = await box.call(
        "forecast", {"symbol": "GOOG"}, ToolContext(principal_id="somebody", now=NOW)
    )
    (card,) = result.cards
    assert card.content["degraded"] is away
    assert card.content.get("askedModel") == ("volatility-model@4" if away else None)
    return lines(result.data)


async def test_who_was_away_and_why_is_a_line_of_its_own() -> None:
    (line,) = [one for one in await told(away=True) if one.startswith("degraded")]
    assert "volatility-model@4 could not answer (the server cannot be reached.)" in line
    assert not [one for one in await told(away=False) if one.startswith("degraded")]
