"""`compare`: two to five instruments over the same days."""

import asyncio
from datetime import date, timedelta
from itertools import combinations
from typing import Annotated, Any

import msgspec
import numpy as np

from tools import cards, technicals
from tools.analytics import volatility
from tools.analytics.prices import Prices, log_returns
from tools.arguments import Arguments, json_schema, read_arguments
from tools.errors import InvalidArguments, NoData
from tools.history import History, Market, Period, start_of
from tools.technicals import number
from tools.tool import ToolContext, ToolResult


class CompareArguments(Arguments, frozen=True):
    symbols: Annotated[
        list[str],
        msgspec.Meta(
            min_length=2, max_length=5, description="Two to five symbols or company names."
        ),
    ]
    from_: Annotated[
        date | None, msgspec.Meta(description="First day (YYYY-MM-DD) to compare from.")
    ] = msgspec.field(name="from", default=None)
    to: Annotated[
        date | None,
        msgspec.Meta(description="Last day (YYYY-MM-DD); default: the last day they all have."),
    ] = None
    period: Annotated[
        Period | None,
        msgspec.Meta(description="Instead of `from`: how far back; 1y when neither is given."),
    ] = None


class Compare:
    """Several instruments side by side."""

    name = "compare"
    description = (
        "Compares two to five instruments over the same days: return, volatility, deepest fall, "
        "RSI, trend, and the correlation of their daily returns. Ends on the last day that all of "
        "them have, which can be earlier than the last bar of one."
    )
    parameters = json_schema(CompareArguments)

    def __init__(self, market: Market) -> None:
        self._market = market

    async def __call__(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        asked = read_arguments(CompareArguments, arguments)
        histories = [await self._market.history(s, context, at=asked.to) for s in asked.symbols]
        if len({history.symbol for history in histories}) < len(histories):
            raise InvalidArguments("Two of the names mean the same instrument.")
        end = min(history.bars.day(-1) for history in histories)
        histories = [
            history
            if history.bars.day(-1) == end
            else await self._market.history(history.symbol, context, at=_reaching(history, end))
            for history in histories
        ]
        return await asyncio.to_thread(_answer, histories, asked)


def _reaching(history: History, end: date) -> date:
    """Return `end`, if the history had begun by then.

    Raises:
        NoData: their days do not meet.
    """
    if history.bars.day(0) > end:
        raise NoData(
            f"{history.symbol} begins on {history.day(0)}, after another one ends on {end}: "
            "there is no day to compare."
        )
    return end


def _answer(histories: list[History], asked: CompareArguments) -> ToolResult:
    period = asked.period or (None if asked.from_ is not None else "1y")
    starts = [start_of(history, start=asked.from_, period=period) for history in histories]
    first = max(h.bars.day(bar) for h, bar in zip(histories, starts, strict=True))
    starts = [len(h.bars.until(first)) - 1 for h in histories]
    rows = [_row(history, start) for history, start in zip(histories, starts, strict=True)]
    end = max(history.as_of for history in histories)
    best = max(rows, key=lambda row: row["changePercent"])
    names = ", ".join(history.symbol for history in histories)
    data = {
        "notes": _clipped(histories, starts, first, end.date(), asked.to),
        "from": first.isoformat(),
        "to": end.date().isoformat(),
        "instruments": rows,
        "correlations": _correlations(histories, first),
        "highestReturn": best["symbol"],
        "calmest": min(rows, key=_calm)["symbol"],
    }
    return ToolResult(
        data=data,
        summary=f"compared {names} from {first} to {end.date()}",
        source="; ".join(dict.fromkeys(history.instrument.source for history in histories)),
        as_of=end,
        units={
            "startClose": histories[0].instrument.currency,
            "endClose": histories[0].instrument.currency,
            "rsi": "index 0-100",
            "r2": "0-1",
            "changePercent": "%",
            "totalReturnPercent": "%",
            "drawdownPercent": "%",
            "volatilityPercent": "% a year",
            "correlation": "-1 to 1",
            "days": "days",
        },
        cards=(cards.compared(histories[0], histories[1:]),),
    )


def _clipped(
    histories: list[History], starts: list[int], first: date, end: date, asked: date | None
) -> list[str]:
    """Return whose history makes the comparison shorter than what was asked for."""
    said = [
        f"{history.symbol} begins on {first}; the comparison cannot start sooner."
        for history, start in zip(histories, starts, strict=True)
        if start == 0
    ]
    newest = max(history.newest for history in histories)
    if asked is not None:
        newest = min(newest, asked)
    said += [
        f"{history.symbol} ends on {end}, others go on to {newest}; the comparison ends there."
        for history in histories
        if history.newest == end < newest
    ]
    return said


def _calm(row: dict[str, Any]) -> float:
    moves = row["volatilityPercent"]
    return float("inf") if moves is None else float(moves)


def _row(history: History, start: int) -> dict[str, Any]:
    prices: Prices = history.prices
    close = prices.close[start:]
    picture = technicals.look(history)
    moves = volatility.measure(prices.total[start:], len(close) - 1) if len(close) > 20 else None
    rsi = number(picture.indicators.rsi[-1])
    return {
        "symbol": history.symbol,
        "name": history.instrument.name,
        "startClose": float(close[0]),
        "endClose": float(close[-1]),
        "changePercent": 100.0 * float(close[-1] / close[0] - 1.0),
        "totalReturnPercent": 100.0 * float(prices.total[-1] / prices.total[start] - 1.0),
        "volatilityPercent": None if moves is None else moves.annualised,
        "drawdownPercent": 100.0 * float((close / np.maximum.accumulate(close) - 1.0).min()),
        "rsi": rsi,
        "trend": None if picture.trend is None else picture.trend.direction,
        "r2": None if picture.trend is None else picture.trend.r2,
    }


def _correlations(histories: list[History], first: date) -> list[dict[str, Any]]:
    """Return each pair's correlation of daily log returns over the days both traded."""
    out = []
    for one, other in combinations(histories, 2):
        days, ones, others = np.intersect1d(
            one.prices.days, other.prices.days, assume_unique=True, return_indices=True
        )
        inside = days >= np.datetime64(first + timedelta(days=1), "s")
        begin = max(0, int(np.argmax(inside)) - 1) if inside.any() else len(days)
        pair = [
            log_returns(history.prices.total[index[begin:]])[1:]
            for history, index in ((one, ones), (other, others))
        ]
        enough = len(pair[0]) >= 20 and all(returns.std() > 0 for returns in pair)
        value = number(np.corrcoef(pair[0], pair[1])[0, 1]) if enough else None
        out.append(
            {"between": [one.symbol, other.symbol], "correlation": value, "days": len(pair[0])}
        )
    return out
