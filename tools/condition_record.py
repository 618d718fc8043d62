"""`condition_record`: how often a condition came to hold on one instrument, and what followed."""

import asyncio
from datetime import date, datetime
from typing import Annotated, Any, Literal

import msgspec

from tools import cards
from tools.analytics import condition_record, indicators, snapshot
from tools.analytics.condition_parts import (
    Comparison,
    Condition,
    Signalled,
    Times,
    leaves,
)
from tools.analytics.condition_record import After, ConditionRecord
from tools.analytics.conditions import (
    BadCondition,
    describe,
    fields,
    looks_back,
    parse,
    signals,
)
from tools.analytics.prices import Floats
from tools.analytics.signals import Firing
from tools.analytics.standing import standing
from tools.analytics.track_record import ENOUGH
from tools.arguments import Arguments, Symbol, json_schema, read_arguments
from tools.errors import InvalidArguments
from tools.history import History, Market
from tools.market.bars import TIMEFRAMES
from tools.technicals import number, used
from tools.tool import Card, ToolContext, ToolResult

CONFIDENCE = 95.0
"""Of the intervals, in %."""
_SHOWN = 5
"""Latest occasions that are listed."""
UNITS = {
    "bars": "bars",
    "newestBarAgeDays": "days",
    "suspectBars": "bars",
    "occasions": "times",
    "barsJudged": "bars",
    "horizonBars": "bars",
    "n": "occasions",
    "rises": "occasions",
    "riseRate": "%",
    "confidencePercent": "%",
    "wilsonLow": "%",
    "wilsonHigh": "%",
    "baseRate": "%",
    "baseN": "bars",
    "meanReturnPercent": "%",
    "baseMeanReturnPercent": "%",
}


class ConditionArguments(Arguments, frozen=True):
    symbol: Symbol
    condition: Annotated[
        dict[str, Any],
        msgspec.Meta(
            description='A comparison {"field": "rsi", "op": "<", "value": 30}; op is one of > >= '
            '< <= crosses_above crosses_below; value a number or {"field": "sma200"}. A signal '
            '{"signal": "breakout", "direction": "bullish"}. Or {"all": [...]}, {"any": [...]}, '
            '{"not": ...} of those.'
        ),
    ]
    timeframe: Annotated[
        Literal["1m", "5m", "15m", "1h", "4h", "1d", "1w"],
        msgspec.Meta(description="Length of a bar; default: a day."),
    ] = "1d"
    at: Annotated[
        Annotated[str, msgspec.Meta(pattern=r"^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?Z)?$")] | None,
        msgspec.Meta(
            description="Speak as of this day (YYYY-MM-DD), or of the bar that opened at this time "
            "(YYYY-MM-DDTHH:MM:SSZ); default: the last bar.",
        ),
    ] = None


class ConditionRecordTool:
    """The record of one condition on one instrument."""

    name = "condition_record"
    description = (
        "How often a condition came to hold on one instrument in the past and where the price "
        "stood 5 and 20 bars later, against all bars: n, rate, Wilson interval, base rate, and "
        "whether there is a measured edge. Also each part of the condition with its value now. "
        "Use it for 'how often did that happen' and 'what happened after'."
    )
    parameters = json_schema(ConditionArguments)

    def __init__(self, market: Market) -> None:
        self._market = market

    async def __call__(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        asked = read_arguments(ConditionArguments, arguments)
        try:
            condition = parse(asked.condition)
        except BadCondition as wrong:
            raise InvalidArguments(f"{wrong}.") from None
        day, context = _until(asked, context)
        history = await self._market.history(
            asked.symbol, context, at=day, timeframe=asked.timeframe
        )
        return await asyncio.to_thread(_answer, history, condition)


def _until(asked: ConditionArguments, context: ToolContext) -> tuple[date | None, ToolContext]:
    """Return the day to stop at, or a context in which the bar asked for has just closed."""
    if asked.at is None:
        return None, context
    try:
        if "T" not in asked.at:
            return date.fromisoformat(asked.at), context
        opened = datetime.fromisoformat(asked.at)
    except ValueError:
        raise InvalidArguments(f"`at`: {asked.at} is no day or time there is.") from None
    closed = opened + TIMEFRAMES[asked.timeframe]
    return None, msgspec.structs.replace(context, now=min(context.now, closed))


def _answer(history: History, condition: Condition) -> ToolResult:
    prices, last = history.prices, len(history.bars) - 1
    table = snapshot.table(prices, timeframe=history.bars.timeframe)
    standing_at = standing(prices) if signals(condition) else None
    holds = condition_record.truths(condition, table, standing_at)
    found = condition_record.record(holds, prices.total, at=last)
    data = {
        **history.span(),
        "close": float(history.bars.close[-1]),
        "condition": describe(condition),
        "holds": None if holds[last] < 0 else bool(holds[last]),
        "now": _values(condition, table, last),
        "before": _values(condition, table, last - 1) if looks_back(condition) and last else None,
        "parts": [_part(leaf, table, last) for leaf in leaves(condition)],
        "validSignals": None
        if standing_at is None
        else [f"{one.direction} {one.type.replace('_', ' ')}" for one in standing_at[last]],
        "past": _past(history, found),
        "after": {f"bars{one.horizon_bars}": _row(one) for one in found.after},
        "confidencePercent": CONFIDENCE,
        "notes": [
            "An occasion is a bar at which the condition came to hold. Each counts once its "
            "outcome is known; of occasions that share bars only the first counts.",
            f"With fewer than {ENOUGH} occasions no rate is given.",
        ],
    }
    return ToolResult(
        data=data,
        summary=(
            f"looked for “{describe(condition)}” in {len(history.bars):,} bars of {history.symbol}"
        ),
        source=history.instrument.source,
        as_of=history.as_of,
        units=used({**_units(history), **UNITS}, data),
        cards=(_chart(history, found, last, bool(holds[last] == 1)),),
    )


def _units(history: History) -> dict[str, str]:
    """Return the unit of each field, prices in the instrument's currency."""
    currency = history.instrument.currency
    return {
        name: currency if field.unit == snapshot.PRICE else field.unit
        for name, field in snapshot.FIELDS.items()
    }


def _values(condition: Condition, table: dict[str, Floats], bar: int) -> dict[str, float | None]:
    """Return every value that the condition reads, at a bar."""
    return {field: number(table[field][bar]) for field in sorted(fields(condition))}


def _part(leaf: Comparison | Signalled, table: dict[str, Floats], bar: int) -> dict[str, Any]:
    """Return one comparison or signal in words, with the threshold as it stands at the bar."""
    if isinstance(leaf, Signalled):
        return {"what": describe(leaf)}
    threshold = leaf.value
    if isinstance(threshold, Times):
        worth = number(table[threshold.field][bar] * threshold.times)
        return {"what": describe(leaf), "field": leaf.field, "threshold": worth}
    return {"what": describe(leaf), "field": leaf.field, "threshold": threshold}


def _past(history: History, found: ConditionRecord) -> dict[str, Any]:
    return {
        "occasions": len(found.began),
        "barsJudged": found.known,
        "latest": [history.day(int(bar)) for bar in found.began[-_SHOWN:][::-1]],
        "first": history.day(int(found.began[0])) if len(found.began) else None,
    }


def _row(found: After) -> dict[str, Any]:
    """Return what followed, as JSON; rates in %."""

    def percent(rate: float | None) -> float | None:
        return None if rate is None else 100.0 * rate

    return {
        "horizonBars": found.horizon_bars,
        "n": found.n,
        "rises": found.rises,
        "riseRate": percent(found.rise_rate),
        "wilsonLow": percent(found.wilson_low),
        "wilsonHigh": percent(found.wilson_high),
        "meanReturnPercent": found.mean_return_percent,
        "baseRate": percent(found.base_rate),
        "baseN": found.base_n,
        "baseMeanReturnPercent": found.base_mean_return_percent,
        "edge": found.edge,
    }


def _chart(history: History, found: ConditionRecord, last: int, holds: bool) -> Card:
    """Return the candles with a mark where the condition came to hold."""
    bars = [*(int(bar) for bar in found.began), *([last] if holds else [])]
    marks = [Firing("entry", bar, 0, 0.0, "the condition came to hold") for bar in bars]
    card = cards.chart(history, indicators.compute(history.prices), panes=("RSI",), firings=marks)
    markers = [{**mark, "text": "alert"} for mark in card.content["markers"]]
    return msgspec.structs.replace(card, content={**card.content, "markers": markers})
