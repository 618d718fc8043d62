"""`instruments`: what can be asked about, and for which years."""

from typing import Annotated, Any

import msgspec

from tools.arguments import Arguments, json_schema, read_arguments
from tools.errors import UnknownSymbol
from tools.history import Market
from tools.market.bars import TIMEFRAMES
from tools.market.instruments import Instrument
from tools.market.symbols import nearest, resolve
from tools.technicals import used
from tools.tool import ToolContext, ToolResult

LISTED = 50


class InstrumentsArguments(Arguments, frozen=True):
    query: Annotated[
        Annotated[str, msgspec.Meta(min_length=1, max_length=80)] | None,
        msgspec.Meta(description="Part of a symbol or name; default: all."),
    ] = None


class Instruments:
    """The list of symbols."""

    name = "instruments"
    description = (
        "Lists which symbols there are prices for, with names, date ranges and sources. Call it "
        "when asked what is available or when a name is not known."
    )
    parameters = json_schema(InstrumentsArguments)

    def __init__(self, market: Market) -> None:
        self._market = market

    async def __call__(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        asked = read_arguments(InstrumentsArguments, arguments)
        every = await self._market.instruments()
        found = every if asked.query is None else _matching(asked.query, every)
        shown = [_row(instrument, context) for instrument in found[:LISTED]]
        lasts = [i.last_bar for i in found if i.last_bar is not None]
        data = {
            "count": len(found),
            "instruments": shown,
            "nearest": list(nearest(asked.query, every)) if asked.query and not found else [],
        }
        return ToolResult(
            data=data,
            summary=f"found {len(found)} of {len(every)} instruments",
            source="; ".join(dict.fromkeys(i.source for i in found)) or "the instrument list",
            as_of=min(max(lasts), context.now) if lasts else None,
            units=used({"bars": "daily bars", "count": "instruments"}, data),
        )


def _matching(query: str, every: list[Instrument]) -> list[Instrument]:
    part = query.strip().lower()
    found = [i for i in every if part in i.symbol.lower() or part in i.name.lower()]
    if found:
        return found
    try:
        return [resolve(query, every)]
    except UnknownSymbol:
        return []


def _row(instrument: Instrument, context: ToolContext) -> dict[str, Any]:
    last = instrument.last_bar
    closed = last is None or last + TIMEFRAMES["1d"] <= context.now
    return {
        "symbol": instrument.symbol,
        "name": instrument.name,
        "kind": instrument.kind,
        "currency": instrument.currency,
        "firstBar": None if instrument.first_bar is None else str(instrument.first_bar.date()),
        # A bar that has not closed by `now` does not exist yet for the one who asks.
        "lastBar": None if last is None else str((last if closed else context.now).date()),
        "bars": instrument.bar_count,
        "source": instrument.source,
    }
