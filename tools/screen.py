"""`screen`: which instruments meet a condition on a day, out of all there are."""

import asyncio
from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Annotated, Any, Literal

import msgspec

from tools.analytics import batch, composite, conditions, indicators, snapshot
from tools.analytics import signals as rules
from tools.analytics.conditions import (
    All,
    BadCondition,
    Comparison,
    Condition,
    Standing,
    Times,
    describe,
    holds,
)
from tools.analytics.prices import Prices
from tools.analytics.snapshot import FIELDS, Snapshot
from tools.arguments import Arguments, Timeframe, json_schema, read_arguments
from tools.cards import direction
from tools.errors import InvalidArguments, NoData
from tools.history import History, Market
from tools.market.bars import TIMEFRAMES
from tools.market.instruments import Instrument
from tools.market.replays import is_replay
from tools.technicals import used
from tools.tool import ToolContext, ToolResult

BARS = 520
"""Read of each instrument: enough that the beginning shows in no field any longer."""
SHOWN = 10
MOST_SHOWN = 50
NAMED = 5
"""Symbols named of those that could not be judged."""
STALE_DAYS = {"1d": 7, "1w": 21}
"""Calendar days after which a last bar no longer speaks of the day asked about."""
STALE_INTRADAY = 4
MANY = 32
"""Instruments from which they are computed all at once."""
ALONE = ("obv",)
"""Fields that count from where a history begins, so that two instruments cannot be compared."""

_EXAMPLE = '{"field":"rsi","op":"<","value":30}'


class ScreenArguments(Arguments, frozen=True):
    where: Annotated[
        dict[str, Any] | None,
        msgspec.Meta(
            description=(
                f"Condition, e.g. {_EXAMPLE}; `op`: > >= < <= crosses_above crosses_below; "
                '`value`: a number or {"field":"sma200","times":1.02}. Or {"signal":"breakout",'
                '"direction":"bullish","fired":true}. Combine with {"all":[...]}, {"any":[...]}, '
                '{"not":...}. '
                f"Fields: {', '.join(name for name in FIELDS if name not in ALONE)}."
            )
        ),
    ] = None
    rank_by: Annotated[
        str | None,
        msgspec.Meta(description="Field to order by; default: the first of the condition."),
    ] = msgspec.field(name="rankBy", default=None)
    order: Annotated[
        Literal["highest", "lowest"] | None,
        msgspec.Meta(description="Which end comes first; default: what the condition looks for."),
    ] = None
    at: Annotated[
        date | None,
        msgspec.Meta(description="Speak as of this day (YYYY-MM-DD); default: the newest bar."),
    ] = None
    timeframe: Annotated[Timeframe, msgspec.Meta(description="Of the bars.")] = "1d"
    limit: Annotated[int, msgspec.Meta(ge=1, le=MOST_SHOWN, description="How many to list.")] = (
        SHOWN
    )


class Screen:
    """All instruments against one condition."""

    name = "screen"
    description = (
        "Finds which of all instruments meet a condition on indicators, prices or signals on a "
        "day, ranked, and says how many could not be judged. Without `where` it ranks all of them "
        "by `rankBy`. For two to eight named instruments use `compare`."
    )
    parameters = json_schema(ScreenArguments)

    def __init__(self, market: Market) -> None:
        self._market = market

    async def __call__(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        asked = read_arguments(ScreenArguments, arguments)
        search = _search(asked)
        known = await self._market.instruments()
        every = [one for one in known if not is_replay(one.symbol)]
        day = asked.at or _newest(every, context)
        if day is None:
            raise NoData("There are no bars of any instrument yet.")
        tally = Tally(search, day, asked.timeframe)
        lots = self._market.many(every, context, timeframe=asked.timeframe, bars=BARS, at=asked.at)
        async for lot in lots:
            await asyncio.to_thread(tally.judge, lot)
        return tally.result(every, asked.limit)


class Search(msgspec.Struct, frozen=True):
    """What is looked for, and in which order it is told."""

    condition: Condition | None
    rank_by: str
    lowest_first: bool
    shown: tuple[str, ...]
    """Fields that each row tells."""
    parts: tuple[Condition, ...]
    """What a condition of several parts consists of; each is counted by itself."""


class Found(msgspec.Struct, frozen=True):
    """An instrument that meets the condition."""

    history: History
    at: Snapshot


class Tally:
    """Judges lot after lot and keeps what will be told."""

    def __init__(self, search: Search, day: date, timeframe: str) -> None:
        self._search, self._day, self._timeframe = search, day, timeframe
        self._stale_days = STALE_DAYS.get(timeframe, STALE_INTRADAY)
        self.found: list[Found] = []
        self.not_ready: list[str] = []
        self.stale: list[str] = []
        self.examined = 0
        self.held: Counter[int] = Counter()

    def judge(self, lot: Iterable[History]) -> None:
        """Take up the instruments of one lot."""
        fresh: list[History] = []
        for history in lot:
            if (self._day - history.bars.day(-1)).days > self._stale_days:
                self.stale.append(history.symbol)
            else:
                fresh.append(history)
        self.examined += len(fresh)
        at_ends = snapshots({one.symbol: one for one in fresh}, timeframe=self._timeframe)
        for history in fresh:
            self._one(history, *at_ends[history.symbol])

    def _one(self, history: History, now: Snapshot, before: Snapshot | None) -> None:
        search = self._search
        if search.condition is None:
            answer = None if now[search.rank_by] is None else True
        else:
            answer = holds(search.condition, now, before, None)
            asks = conditions.signals(search.condition)
            if answer is not False and asks:
                # Signals cost far more than numbers: only where numbers leave the question open.
                answer = holds(search.condition, now, before, standing(history))
            if len(search.parts) > 1 and not asks:
                for index, part in enumerate(search.parts):
                    self.held[index] += holds(part, now, before, None) is True
        if answer is None:
            self.not_ready.append(history.symbol)
        elif answer:
            self.found.append(Found(history, now))

    def result(self, every: list[Instrument], limit: int) -> ToolResult:
        """Return what was found, best first."""
        search = self._search
        sign = 1.0 if search.lowest_first else -1.0

        def place(one: Found) -> tuple[bool, float, str]:
            value = one.at[search.rank_by]
            return value is None, sign * (value or 0.0), one.history.symbol

        ranked = sorted(self.found, key=place)
        shown = ranked[:limit]
        without = len(every) - self.examined - len(self.stale)
        data: dict[str, Any] = {
            "asOfDay": self._day.isoformat(),
            "timeframe": self._timeframe,
            "condition": "any" if search.condition is None else describe(search.condition),
            "rankedBy": search.rank_by,
            "order": "lowest" if search.lowest_first else "highest",
            "matched": len(ranked),
            "judged": self.examined - len(self.not_ready),
            "rows": [_row(one, search.shown) for one in shown],
            "rowsLeftOut": len(ranked) - len(shown),
            "notReady": _some(self.not_ready),
            "tooOld": _some(self.stale),
            "withoutBars": without,
            "withSuspectBars": _some(
                [one.symbol for one in every if one.suspect_count], most=NAMED
            ),
        }
        if self.held:
            data["parts"] = [
                {"condition": describe(part), "held": self.held[index]}
                for index, part in enumerate(search.parts)
            ]
        currencies = {one.history.instrument.currency for one in shown}
        sources = dict.fromkeys(one.history.instrument.source for one in shown)
        as_of = max((one.history.as_of for one in shown), default=None)
        return ToolResult(
            data=data,
            summary=(
                f"looked at {self.examined:,} of {len(every):,} instruments on {self._day}: "
                f"{len(ranked):,} meet the condition"
            ),
            source="; ".join(list(sources)[:3]) or "the stored bars",
            as_of=as_of,
            units=used(_units(currencies), data),
        )


def snapshots(
    histories: Mapping[str, History], *, timeframe: str
) -> dict[str, tuple[Snapshot, Snapshot | None]]:
    """Return every field of each instrument at its last bar and the one before.

    All at once where there are many. Prices of zero or less, for which the batch has no place, and
    a handful of instruments are computed one by one; both ways say the same.
    """
    together: dict[str, Prices] = {}
    if len(histories) >= MANY:
        together = {
            name: one.prices
            for name, one in histories.items()
            if (one.prices.low > 0).all() and (one.prices.total > 0).all()
        }
    found = batch.newest(together, timeframe=timeframe) if together else {}
    for name, one in histories.items():
        if name not in found:
            fields = snapshot.table(one.prices, timeframe=timeframe)
            before = snapshot.at(fields, -2) if len(one.bars) > 1 else None
            found[name] = snapshot.at(fields, -1), before
    return found


def standing(history: History) -> list[Standing]:
    """Return the signals valid at the last bar, and which of them fired at it."""
    computed = indicators.compute(history.prices)
    strength = composite.combine(history.prices, computed)
    firings = rules.fire(history.prices, computed, strength)
    last = len(history.bars) - 1
    return [
        Standing(type=firing.type, direction=direction(firing.side), fired=firing.bar == last)
        for firing in rules.active(firings, strength, last)
    ]


def _search(asked: ScreenArguments) -> Search:
    """Return what the arguments look for.

    Raises:
        InvalidArguments: the condition or the ranking is none.
    """
    condition: Condition | None = None
    if asked.where is not None:
        try:
            condition = conditions.parse(asked.where)
        except BadCondition as bad:
            raise InvalidArguments(f"`where` {bad}.") from bad
    elif asked.rank_by is None:
        raise InvalidArguments("Give `where`, a condition, or `rankBy`, a field to rank all by.")
    named = [] if condition is None else _named(condition)
    if asked.rank_by is not None and asked.rank_by not in FIELDS:
        raise InvalidArguments(
            f"`rankBy` {asked.rank_by[:40]!r} is no field. Allowed: {', '.join(FIELDS)}."
        )
    rank_by = asked.rank_by or _measured(condition) or "changePercent"
    for field in (*named, rank_by):
        if field in ALONE:
            raise InvalidArguments(
                f"`{field}` counts from where a history begins, so it compares no two instruments."
            )
    lowest = asked.order == "lowest" if asked.order else _looks_low(condition, rank_by)
    parts = condition.parts if isinstance(condition, All) else ()
    shown = tuple(dict.fromkeys(("close", "changePercent", *named, rank_by)))
    return Search(condition, rank_by, lowest, shown, parts)


def _named(condition: Condition) -> list[str]:
    """Return the fields of a condition in the order they are written."""
    found: list[str] = []
    for leaf in conditions.leaves(condition):
        if isinstance(leaf, Comparison):
            found.append(leaf.field)
            if isinstance(leaf.value, Times):
                found.append(leaf.value.field)
    return list(dict.fromkeys(found))


def _measured(condition: Condition | None) -> str | None:
    """Return the first field that is compared with a number: what a list is best ordered by."""
    every = () if condition is None else conditions.leaves(condition)
    measured = (
        leaf.field
        for leaf in every
        if isinstance(leaf, Comparison) and not isinstance(leaf.value, Times)
    )
    return next(measured, None)


def _looks_low(condition: Condition | None, field: str) -> bool:
    """Return whether the condition looks for low values of the field."""
    if condition is None:
        return False
    return any(
        isinstance(leaf, Comparison)
        and leaf.field == field
        and leaf.op in ("<", "<=", "crosses_below")
        for leaf in conditions.leaves(condition)
    )


def _newest(every: list[Instrument], context: ToolContext) -> date | None:
    lasts = [one.last_bar for one in every if one.last_bar is not None]
    if not lasts:
        return None
    newest = max(lasts)
    closed = newest + TIMEFRAMES["1d"] <= context.now
    return newest.date() if closed else context.now.date()


def _row(one: Found, shown: tuple[str, ...]) -> dict[str, Any]:
    return {
        "symbol": one.history.symbol,
        "name": one.history.instrument.name,
        "lastBar": one.history.day(-1),
        **{field: one.at[field] for field in shown},
    }


def _some(symbols: list[str], *, most: int = NAMED) -> dict[str, Any]:
    return {"count": len(symbols), "examples": sorted(symbols)[:most]}


def _units(currencies: set[str]) -> dict[str, str]:
    money = currencies.pop() if len(currencies) == 1 else "the instrument's currency"
    said = {"price": money, "price a bar": f"{money} a bar"}
    return {
        **{name: said.get(field.unit, field.unit) for name, field in FIELDS.items()},
        "matched": "instruments",
        "judged": "instruments",
        "count": "instruments",
        "held": "instruments",
        "withoutBars": "instruments",
        "rowsLeftOut": "instruments",
    }
