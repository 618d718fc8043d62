"""`scorecard`: how each kind of signal did, measured, against doing nothing clever."""

from typing import Annotated, Any, Literal

import msgspec

from tools.analytics.firings import KINDS
from tools.analytics.track_record import PROOF
from tools.arguments import Arguments, Timeframe, json_schema, read_arguments
from tools.case_book import CaseBook
from tools.errors import NoData
from tools.history import Market
from tools.market.signals import ScorecardItem, market_of
from tools.market.symbols import resolve
from tools.scorecards import scorecard
from tools.tool import ToolContext, ToolResult

SignalTypes = Literal[
    "entry", "exit", "trend_change", "volatility", "volume_spike", "breakout", "reversal"
]


class ScorecardArguments(Arguments, frozen=True):
    symbol: Annotated[
        str,
        msgspec.Meta(
            min_length=1,
            max_length=80,
            description="Symbol or company name: its market, and its own record beside it; "
            "default: every market.",
        ),
    ] = ""
    signal_type: Annotated[
        SignalTypes | None, msgspec.Meta(description="Only this type of signal.")
    ] = msgspec.field(name="signalType", default=None)
    timeframe: Annotated[Timeframe, msgspec.Meta(description="Of the bars.")] = "1d"


class ScorecardTool:
    """The measured record of every kind of signal."""

    name = "scorecard"
    description = (
        "How each kind of signal did in the past: hit rate with its 95 % interval against the base "
        "rate, mean excess in average true ranges (ATR) over what prices do anyway, t-values "
        "clustered by month, and whether there is a measured edge. For 'which signals work', "
        "'how good are breakouts', 'is there an edge'. For the signals of today use `signals`."
    )
    parameters = json_schema(ScorecardArguments)

    def __init__(self, market: Market, book: CaseBook) -> None:
        self._market = market
        self._book = book

    async def __call__(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        asked = read_arguments(ScorecardArguments, arguments)
        everything = await self._market.instruments()
        chosen = resolve(asked.symbol, everything) if asked.symbol else None
        among = everything if chosen is None else [chosen]
        markets = sorted({market_of(one) for one in among})
        card = await scorecard(
            self._book,
            markets,
            asked.timeframe,
            before=context.now,
            symbol=None if chosen is None else chosen.symbol,
            signal_type=asked.signal_type,
        )
        items = [item for item in card.items if item.n]
        if card.as_of is None or not items:
            raise NoData(
                "No signal has been graded there yet: a kind is graded once its horizon has "
                "passed, and needs a year of bars before that."
            )
        data: dict[str, Any] = {
            "timeframe": asked.timeframe,
            "kinds": [_told(item, several=len(markets) > 1) for item in items],
            "withEdge": [_name(one) for one in items if one.edge == "measured edge"],
            "notes": [
                f"{len(KINDS)} kinds are examined: an edge is only called one out of sample and "
                f"from a t-value of {PROOF:g} on.",
                "The instruments here were picked because they survived; nothing is said of "
                "those that did not.",
            ],
        }
        if chosen is not None:
            data = {"symbol": chosen.symbol, **data}
        proven = ", ".join(dict.fromkeys(data["withEdge"])) or "none"
        return ToolResult(
            data=data,
            summary=(
                f"graded {sum(item.n for item in items if item.symbol is None):,} signals of "
                f"{', '.join(markets)}; measured edge: {proven}"
            ),
            source="graded signals on the stored prices" if chosen is None else chosen.source,
            as_of=card.as_of,
            units=UNITS,
        )


def _told(item: ScorecardItem, *, several: bool) -> dict[str, Any]:
    told: dict[str, Any] = {
        "signalType": item.signal_type,
        "direction": item.direction,
        "n": item.n,
        "hits": item.hits,
        "hitRate": _percent(item.hit_rate),
        "wilsonLow": _percent(item.wilson_low),
        "wilsonHigh": _percent(item.wilson_high),
        "baseRate": _percent(item.base_rate),
        "edge": item.edge,
        "meanExcessAtr": item.mean_excess_atr,
        "tStatistic": item.t_statistic,
        "horizonBars": item.horizon_bars,
        "event": item.event,
    }
    if item.variant is not None:
        told["variant"] = item.variant
    if several:
        told["market"] = item.market
    if item.symbol is not None:
        told["symbol"] = item.symbol
    return told


def _name(item: ScorecardItem) -> str:
    words = item.signal_type.replace("_", " ")
    if item.variant is not None:
        return f"{words} ({item.variant})"
    return words if item.direction == "neutral" else f"{item.direction} {words}"


def _percent(rate: float | None) -> float | None:
    return None if rate is None else 100.0 * rate


UNITS = {
    "n": "past cases",
    "hits": "past cases",
    "hitRate": "%",
    "wilsonLow": "%",
    "wilsonHigh": "%",
    "baseRate": "%",
    "meanExcessAtr": "average true ranges",
    "tStatistic": "standard errors",
    "horizonBars": "bars",
}
