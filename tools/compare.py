"""`compare`: two to eight instruments over the same days, against a baseline."""

import asyncio
from datetime import date, timedelta
from itertools import combinations
from typing import Annotated, Any

import msgspec
import numpy as np

from tools import cards, technicals
from tools.analytics import snapshot, volatility
from tools.analytics.prices import BARS_A_YEAR, Floats, Prices, log_returns
from tools.analytics.snapshot import FIELDS
from tools.arguments import Arguments, OfBars, json_schema, read_arguments
from tools.errors import InvalidArguments, NoData
from tools.history import History, Market, Period, start_of
from tools.technicals import number
from tools.tool import ToolContext, ToolResult

MOST = 8
ENOUGH = 20
"""Days from which a correlation is told."""


class CompareArguments(Arguments, frozen=True):
    symbols: Annotated[
        list[str],
        msgspec.Meta(
            min_length=2, max_length=MOST, description="Two to eight symbols or company names."
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
    timeframe: OfBars = "1d"
    baseline: Annotated[
        Annotated[str, msgspec.Meta(min_length=1, max_length=80)] | None,
        msgspec.Meta(description="Symbol to measure against; default: the mean of those compared."),
    ] = None
    fields: Annotated[
        tuple[str, ...],
        msgspec.Meta(
            max_length=6, description="More numbers at the last day, by the names `screen` has."
        ),
    ] = ()


class Compare:
    """Several instruments side by side."""

    name = "compare"
    description = (
        "Compares two to eight instruments over the same days: return, also in excess of a "
        "baseline, volatility, deepest fall, RSI, trend, and the correlation of their daily "
        "returns. Ends on the last day that all of them have, which can be earlier than the last "
        "bar of one."
    )
    parameters = json_schema(CompareArguments)

    def __init__(self, market: Market) -> None:
        self._market = market

    async def __call__(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        asked = read_arguments(CompareArguments, arguments)
        for field in asked.fields:
            if field not in FIELDS:
                raise InvalidArguments(
                    f"`fields` has {field[:40]!r}, which is none. Allowed: {', '.join(FIELDS)}."
                )
        said = [*asked.symbols, *([asked.baseline] if asked.baseline else [])]
        histories = [
            await self._market.history(one, context, at=asked.to, timeframe=asked.timeframe)
            for one in said
        ]
        count = len(asked.symbols)
        if len({history.symbol for history in histories[:count]}) < count:
            raise InvalidArguments("Two of the names mean the same instrument.")
        end = min(history.bars.day(-1) for history in histories)
        histories = [
            history
            if history.bars.day(-1) == end
            else await self._market.history(
                history.symbol, context, at=_reaching(history, end), timeframe=asked.timeframe
            )
            for history in histories
        ]
        return await asyncio.to_thread(_answer, histories, count, asked)


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


def _answer(every: list[History], count: int, asked: CompareArguments) -> ToolResult:
    """Return the comparison of the first `count`; one more is the baseline."""
    period = asked.period or (None if asked.from_ is not None else "1y")
    starts = [start_of(history, start=asked.from_, period=period) for history in every]
    first = max(h.bars.day(bar) for h, bar in zip(every, starts, strict=True))
    starts = [len(h.bars.until(first)) - 1 for h in every]
    histories = every[:count]
    rows = [
        _row(history, start, asked.fields)
        for history, start in zip(histories, starts[:count], strict=True)
    ]
    against = every[count] if len(every) > count else None
    baseline = _baseline(rows, against, starts[-1])
    for row, history in zip(rows, histories, strict=True):
        row["excessPercent"] = row["changePercent"] - baseline["changePercent"]
        if against is not None and history.symbol != against.symbol:
            row["beta"], row["correlation"] = _with(history, against, first)
    end = max(history.as_of for history in histories)
    compared = {history.instrument.currency for history in histories}
    money = compared.pop() if len(compared) == 1 else "the instrument's currency"
    best = max(rows, key=lambda row: row["changePercent"])
    names = ", ".join(history.symbol for history in histories)
    data = {
        "notes": _clipped(every, starts, first, end.date(), asked.to),
        "from": first.isoformat(),
        "to": end.date().isoformat(),
        "timeframe": asked.timeframe,
        "instruments": rows,
        "baseline": baseline,
        "correlations": _correlations(histories, first),
        "highestReturn": best["symbol"],
        "calmest": min(rows, key=_calm)["symbol"],
    }
    return ToolResult(
        data=data,
        summary=f"compared {names} from {first} to {end.date()}",
        source="; ".join(dict.fromkeys(history.instrument.source for history in histories)),
        as_of=end,
        units=technicals.of_bars(
            {
                **{name: _unit(name, money) for name in asked.fields},
                "startClose": money,
                "endClose": money,
                "rsi": "index 0-100",
                "r2": "0-1",
                "excessPercent": "%",
                "changePercent": "%",
                "totalReturnPercent": "%",
                "drawdownPercent": "%",
                "volatilityPercent": "% a year",
                "correlation": "-1 to 1",
                "days": "days",
            },
            asked.timeframe,
        ),
        cards=(cards.compared(histories[0], every[1:]),),
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


def _baseline(rows: list[dict[str, Any]], against: History | None, start: int) -> dict[str, Any]:
    """Return what the comparison is measured against: one instrument, or all in equal parts."""
    if against is None:
        mean = sum(row["changePercent"] for row in rows) / len(rows)
        return {"name": "the mean of those compared", "changePercent": mean}
    close = against.prices.close
    return {
        "name": against.symbol,
        "changePercent": 100.0 * float(close[-1] / close[start] - 1.0),
    }


def _with(history: History, against: History, first: date) -> tuple[float | None, float | None]:
    """Return beta and correlation of daily returns with the baseline's."""
    ours, theirs = _paired(history, against, first)
    if len(ours) < ENOUGH or not theirs.std() > 0 or not ours.std() > 0:
        return None, None
    correlation = number(np.corrcoef(ours, theirs)[0, 1])
    beta = number(np.cov(ours, theirs)[0, 1] / theirs.var(ddof=1))
    return beta, correlation


def _unit(field: str, money: str) -> str:
    return {"price": money, "price a bar": f"{money} a bar"}.get(
        FIELDS[field].unit, FIELDS[field].unit
    )


def _row(history: History, start: int, fields: tuple[str, ...]) -> dict[str, Any]:
    prices: Prices = history.prices
    close = prices.close[start:]
    picture = technicals.look(history)
    moves = None
    if len(close) > 20:
        a_year = BARS_A_YEAR[history.bars.timeframe]
        moves = volatility.measure(prices.total[start:], len(close) - 1, a_year=a_year)
    rsi = number(picture.indicators.rsi[-1])
    table = snapshot.table(prices, timeframe=history.bars.timeframe) if fields else {}
    asked = {name: number(table[name][-1]) for name in fields}
    return {
        **asked,
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
        ours, theirs = _paired(one, other, first)
        enough = len(ours) >= ENOUGH and ours.std() > 0 and theirs.std() > 0
        value = number(np.corrcoef(ours, theirs)[0, 1]) if enough else None
        out.append({"between": [one.symbol, other.symbol], "correlation": value, "days": len(ours)})
    return out


def _paired(one: History, other: History, first: date) -> tuple[Floats, Floats]:
    """Return the daily log returns of both over the days both traded, after `first`."""
    days, ones, others = np.intersect1d(
        one.prices.days, other.prices.days, assume_unique=True, return_indices=True
    )
    inside = days >= np.datetime64(first + timedelta(days=1), "s")
    begin = max(0, int(np.argmax(inside)) - 1) if inside.any() else len(days)
    return (
        log_returns(one.prices.total[ones[begin:]])[1:],
        log_returns(other.prices.total[others[begin:]])[1:],
    )
