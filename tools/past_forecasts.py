"""`past_forecasts`: how earlier forecasts turned out."""

from typing import Annotated, Any

import msgspec

from tools.arguments import Arguments, json_schema, read_arguments
from tools.cards import stamp
from tools.errors import NoData
from tools.forecast import in_percent
from tools.forecast_book import ForecastBook, PastTold, What
from tools.history import Market
from tools.tool import ToolContext, ToolResult

SHOWN_PAST = 8
READ_PAST = 400


class PastForecastsArguments(Arguments, frozen=True):
    symbol: Annotated[
        str,
        msgspec.Meta(max_length=80, description="Symbol or company name; default: all of them."),
    ] = ""
    what: Annotated[What | None, msgspec.Meta(description="Only forecasts of this.")] = None


class PastForecasts:
    """How earlier forecasts turned out."""

    name = "past_forecasts"
    description = (
        "How the desk's earlier forecasts for this person turned out: each with what was said, "
        "what happened and whether it was right, and the counts over all that are settled, beside "
        "the baseline's loss. For 'how did your last forecast do', 'were you right about GOOG'. "
        "Forecasts whose horizon is not over yet are listed as open."
    )
    parameters = json_schema(PastForecastsArguments)

    def __init__(self, market: Market, book: ForecastBook) -> None:
        self._market = market
        self._book = book

    async def __call__(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        asked = read_arguments(PastForecastsArguments, arguments)
        symbol = None
        if asked.symbol:
            symbol = (await self._market.history(asked.symbol, context)).symbol
        past = await self._book.past(
            symbol, what=asked.what, principal_id=context.principal_id, limit=READ_PAST
        )
        if not past:
            about = f" of {symbol}" if symbol else ""
            raise NoData(f"No forecast{about} has been made for you here yet.")
        settled = [one for one in past if one.grade in ("hit", "miss")]
        data: dict[str, Any] = {
            **({"symbol": symbol} if symbol else {}),
            "forecastCount": len(past),
            "settledCount": len(settled),
            "openCount": sum(one.grade is None for one in past),
            "rightCount": sum(one.grade == "hit" for one in settled),
            "forecasts": [past_said(one) for one in past[:SHOWN_PAST]],
        }
        if (better := _against_baseline(settled)) is not None:
            data["lossAgainstBaselinePercent"] = better
        return ToolResult(
            data=data,
            summary=f"looked up {len(past)} earlier forecasts, {len(settled)} of them settled",
            source="forecasts made here, settled on the stored prices",
            as_of=max(one.as_of for one in past),
            units={
                "forecastCount": "forecasts",
                "settledCount": "forecasts",
                "openCount": "forecasts",
                "rightCount": "forecasts",
                "horizonBars": "bars",
                "valuePercent": "%",
                "lowPercent": "%",
                "highPercent": "%",
                "happenedPercent": "%",
                "probabilityPercent": "%",
                "lossAgainstBaselinePercent": "%",
            },
        )


def past_said(one: PastTold) -> dict[str, Any]:
    """Return an earlier forecast in people's units."""
    data: dict[str, Any] = {
        "predictionId": one.prediction_id,
        "symbol": one.symbol,
        "what": one.what,
        "horizonBars": one.horizon_bars,
        "model": one.model,
        "madeOf": stamp(one.as_of),
        "resolvesAt": None if one.resolves_at is None else stamp(one.resolves_at),
        "grade": {"hit": "right", "miss": "wrong", "none": "cannot be told", None: "open"}[
            one.grade
        ],
    }
    if one.what in ("regime", "direction"):
        event = one.classes[1] if len(one.classes) == 2 else str(one.value)
        data["answer"] = one.value
        if event in one.probabilities:
            data["probabilityPercent"] = 100.0 * one.probabilities[event]
        if one.outcome is not None:
            data["happened"] = one.outcome
        return data
    turn = in_percent(one.what)
    data["valuePercent"] = turn(float(one.value))
    if one.low is not None and one.high is not None:
        data |= {"lowPercent": turn(one.low), "highPercent": turn(one.high)}
    if isinstance(one.outcome, int | float):
        data["happenedPercent"] = turn(float(one.outcome))
    return data


def _against_baseline(settled: list[PastTold]) -> float | None:
    """Return by how many percent the loss lay below (negative) or above the baseline's.

    None where the forecasts are of several kinds, whose losses cannot be added.
    """
    both = [
        (one.loss, one.baseline_loss)
        for one in settled
        if one.loss is not None and one.baseline_loss is not None
    ]
    if not both or len({one.what for one in settled}) > 1:
        return None
    theirs = sum(loss for _, loss in both)
    return None if theirs <= 0 else 100.0 * (sum(loss for loss, _ in both) / theirs - 1.0)
