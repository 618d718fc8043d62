"""`forecast` and `past_forecasts`: what to expect, how sure that is, and how it went before."""

import hashlib
import math
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from tools import fan
from tools.arguments import Arguments, AsOf, Symbol, Timeframe, json_schema, read_arguments
from tools.cards import stamp
from tools.errors import NoData
from tools.forecast_book import ForecastBook, PastTold, Skill, Told, Untrained, Wanted, What
from tools.history import History, Market, end_of
from tools.market.bars import Bars
from tools.quotes import notes
from tools.tool import ToolContext, ToolResult

SHOWN_PAST = 8
READ_PAST = 400
_KIND = "What to forecast: volatility is the usual move a day, returns a range of changes, regime "
_KIND += "the probability of a turbulent stretch, direction that of a higher price."


class ForecastArguments(Arguments, frozen=True):
    symbol: Symbol
    what: Annotated[What, msgspec.Meta(description=_KIND)] = "volatility"
    horizon: Annotated[
        Literal[1, 5, 20], msgspec.Meta(description="Bars ahead: a day, a week, a month.")
    ] = 5
    timeframe: Annotated[Timeframe, msgspec.Meta(description="Of the bars.")] = "1d"
    at: AsOf = None


class PastForecastsArguments(Arguments, frozen=True):
    symbol: Annotated[
        str,
        msgspec.Meta(max_length=80, description="Symbol or company name; default: all of them."),
    ] = ""
    what: Annotated[What | None, msgspec.Meta(description="Only forecasts of this.")] = None


class Forecast:
    """The forecast of the model that serves by default."""

    name = "forecast"
    description = (
        "What to expect of one instrument over the next 1, 5 or 20 bars, from the desk's own "
        "models: value, interval, a plain baseline beside it, how much better than that baseline "
        "the model was on data it had not seen (skill), and the measured confidence with its "
        "number of cases. For 'what do you expect', 'how volatile will it be', 'how likely is a "
        "turbulent week', 'will it rise'. Where `edge` is 'no measured edge', say so: the model "
        "is no better than its baseline. Where `degraded` is true, say that `askedModel` could not "
        "answer, why (`degradedBecause`), and that `model` did. Where `available` is false, "
        "nothing here forecasts that; "
        "never make a number up instead. For how earlier forecasts went use `past_forecasts`."
    )
    parameters = json_schema(ForecastArguments)

    def __init__(self, market: Market, book: ForecastBook) -> None:
        self._market = market
        self._book = book

    async def __call__(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        asked = read_arguments(ForecastArguments, arguments)
        history = await self._market.history(
            asked.symbol, context, at=asked.at, timeframe=asked.timeframe
        )
        wanted = Wanted(
            symbol=history.symbol,
            what=asked.what,
            horizon_bars=asked.horizon,
            timeframe=asked.timeframe,
            as_of=_closed(history) if asked.at is None else min(end_of(asked.at), context.now),
            past=asked.at is not None,
            fingerprint=_fingerprint(history.stored),
        )
        told = await self._book.forecast(
            wanted, principal_id=context.principal_id, deadline_s=0.8 * context.timeout_s
        )
        start: dict[str, Any] = {
            "symbol": history.symbol,
            "what": asked.what,
            "horizonBars": asked.horizon,
            "timeframe": asked.timeframe,
            "lastBar": history.day(-1),
            "newestBarAgeDays": history.age_days,
            "close": float(history.bars.close[-1]),
        }
        if isinstance(told, Untrained):
            return ToolResult(
                data={
                    **start,
                    "available": False,
                    "reason": told.reason,
                    "howToGetOne": told.how,
                    **_judged(told),
                    "notes": notes(history),
                },
                summary=f"looked for a model of {history.symbol}'s {asked.what}: there is none",
                source=history.instrument.source,
                as_of=history.as_of,
                units={"close": history.instrument.currency, "horizonBars": "bars"}
                | ({} if told.skill is None else _SKILL_UNITS),
            )
        data = {
            **start,
            **said(told, asked.what),
            "notes": [*_came_later(told, history), *notes(history)],
        }
        return ToolResult(
            data=data,
            summary=(
                f"asked {told.model} for {history.symbol}'s {asked.what} over the next "
                f"{told.horizon_bars} bars"
            ),
            source=f"{told.model} on {history.instrument.source}",
            as_of=history.as_of,
            units={
                key: unit
                for key, unit in units(asked.what, asked.timeframe).items()
                if key in _keys(data)
            }
            | {"close": history.instrument.currency},
            cards=(fan.forecast(history, told, asked.what, data),),
        )


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


def said(told: Told, what: What) -> dict[str, Any]:
    """Return a forecast in people's units: moves and changes in percent, probabilities too."""
    data: dict[str, Any] = {"available": True, "event": told.event}
    if what in ("regime", "direction"):
        event = told.classes[1] if len(told.classes) == 2 else str(told.value)
        data["answer"] = told.value
        data["probabilityPercent"] = 100.0 * told.probabilities.get(event, math.nan)
        if event in told.baseline_probabilities:
            data["baseline"] = {
                "name": told.baseline_name,
                "probabilityPercent": 100.0 * told.baseline_probabilities[event],
            }
    else:
        turn = in_percent(what)
        data["expectedPercent"] = turn(float(told.value))
        if told.low is not None and told.high is not None and told.level is not None:
            data["interval"] = {
                "lowPercent": turn(told.low),
                "highPercent": turn(told.high),
                "coveragePercent": 100.0 * told.level,
            }
        if told.quantiles:
            data["quantiles"] = [
                {"levelPercent": 100.0 * level, "valuePercent": turn(value)}
                for level, value in sorted(told.quantiles.items())
            ]
        if told.baseline_value is not None:
            data["baseline"] = {
                "name": told.baseline_name,
                "valuePercent": turn(float(told.baseline_value)),
            }
            if told.baseline_low is not None and told.baseline_high is not None:
                data["baseline"] |= {
                    "lowPercent": turn(told.baseline_low),
                    "highPercent": turn(told.baseline_high),
                }
    data["edge"] = (
        "measured edge" if told.skill is not None and told.skill.has_edge else "no measured edge"
    )
    if told.skill is not None:
        data["skill"] = _skill(told.skill)
    if told.basis is None:
        data["confidence"] = None
    else:
        data["confidence"] = {
            "confidencePercent": 100.0 * told.basis.confidence,
            "cases": told.basis.n,
            "measuredOn": told.basis.measured_on,
        }
        if told.basis.observed is not None:
            data["confidence"]["cameTruePercent"] = 100.0 * told.basis.observed
    if told.contributions:
        top = list(told.contributions.items())[:5]
        data["contributions"] = [
            {"name": name.replace("_", " "), "effect": "raises" if moved > 0 else "lowers"}
            for name, moved in top
            if moved
        ]
    return data | {
        "model": told.model,
        "modelId": told.model_id,
        "predictionId": told.prediction_id,
        "dataClosedAt": stamp(told.as_of),
        "resolvesAt": None if told.resolves_at is None else stamp(told.resolves_at),
        "degraded": told.degraded,
        **_stood_in(told),
        "cost": told.cost,
    }


def _stood_in(told: Told) -> dict[str, Any]:
    """Return who was asked and why another answered, where that is so."""
    if not told.degraded:
        return {}
    return {"askedModel": told.asked_model, "degradedBecause": told.degraded_because}


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


def in_percent(what: What) -> Any:
    """Return what turns a model's number into percent: a variance into a move, a log return into a
    change."""
    if what == "volatility":
        return lambda variance: 100.0 * math.sqrt(max(variance, 0.0))
    return lambda log_return: 100.0 * math.expm1(log_return)


def units(what: What, timeframe: str) -> dict[str, str]:
    """Return the units of a forecast result."""
    each = "% a day" if timeframe == "1d" else "% a bar"
    moved = each if what == "volatility" else "%"
    return {
        "expectedPercent": moved,
        "valuePercent": moved,
        "lowPercent": moved,
        "highPercent": moved,
        "coveragePercent": "%",
        "levelPercent": "%",
        "probabilityPercent": "%",
        **_SKILL_UNITS,
        "confidencePercent": "%",
        "cameTruePercent": "%",
        "cases": "past cases",
        "horizonBars": "bars",
    }


def _judged(told: Untrained) -> dict[str, Any]:
    """Return what was found out about a model that does not serve."""
    if told.skill is None:
        return {}
    return {"edge": "no measured edge", "judgedModel": told.model, "skill": _skill(told.skill)}


_SKILL_UNITS = {
    "skillPercent": "%",
    "skillLowPercent": "%",
    "skillHighPercent": "%",
    "intervalPercent": "%",
    "evaluatedCases": "past cases",
}


def _skill(skill: Skill) -> dict[str, Any]:
    return {
        "skillPercent": 100.0 * skill.value,
        "skillLowPercent": 100.0 * skill.low,
        "skillHighPercent": 100.0 * skill.high,
        "intervalPercent": 95.0,
        "against": skill.baseline,
        "metric": skill.metric,
        "evaluatedCases": skill.n,
    }


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


def _closed(history: History) -> datetime:
    """Return when the last bar of a history closed."""
    ends = history.stored.slice(len(history.stored) - 1).ends()
    return datetime.fromtimestamp(int(ends[0].astype("datetime64[s]").astype(np.int64)), UTC)


def _fingerprint(bars: Bars) -> str:
    """Return a digest of all the numbers: a correction of any of them is another question."""
    digest = hashlib.blake2b(digest_size=12)
    for column in (bars.timestamps, bars.open, bars.high, bars.low, bars.close, bars.volume):
        digest.update(np.ascontiguousarray(column).tobytes())
    return digest.hexdigest()


def _came_later(told: Told, history: History) -> list[str]:
    """Say it where the newest bar was not here yet at the moment that was asked about."""
    if told.as_of >= _closed(history):
        return []
    return [
        f"The bar of {history.day(-1)} was not on this desk by then: the forecast reads what was "
        f"known, up to {told.as_of:%Y-%m-%d}."
    ]


def _keys(tree: Any) -> set[str]:
    if isinstance(tree, dict):
        inner = [_keys(value) for value in tree.values()]
        return set(tree).union(*inner) if inner else set(tree)
    if isinstance(tree, list):
        return set().union(*map(_keys, tree)) if tree else set()
    return set()
