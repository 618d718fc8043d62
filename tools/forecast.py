"""`forecast`: what to expect, how sure that is, and beside what."""

import hashlib
import math
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
import numpy as np

from tools import fan
from tools.arguments import Arguments, AsOf, Symbol, Timeframe, json_schema, read_arguments
from tools.cards import stamp
from tools.forecast_book import ForecastBook, Skill, Told, Untrained, Wanted, What
from tools.history import History, Market, end_of
from tools.market.bars import Bars
from tools.quotes import notes
from tools.tool import ToolContext, ToolResult

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
                summary=(
                    f"looked for a model of {history.symbol}'s {asked.what}: "
                    + (
                        f"{told.model} was judged and does not serve"
                        if told.skill
                        else "there is none"
                    )
                ),
                source=history.instrument.source,
                as_of=history.as_of,
                units={"close": history.instrument.currency, "horizonBars": "bars"}
                | ({} if told.skill is None else _SKILL_UNITS),
            )
        data = {
            **start,
            **said(told, asked.what),
            "notes": [*_caveats(told, history), *notes(history)],
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
        "afterTheFact": told.after_the_fact,
        "learnedUntil": None if told.learned_until is None else stamp(told.learned_until),
        "degraded": told.degraded,
        **_stood_in(told),
        "cost": told.cost,
    }


def _stood_in(told: Told) -> dict[str, Any]:
    """Return who was asked and why another answered, where that is so."""
    if not told.degraded:
        return {}
    return {"askedModel": told.asked_model, "degradedBecause": told.degraded_because}


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


def _none(told: Untrained) -> str:
    """Say in a few words why nothing serves."""
    return f"{told.model} was judged and does not serve" if told.skill else "there is none"


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


def _caveats(told: Told, history: History) -> list[str]:
    """Say what a forecast of the past is not, and where its newest bar was not here by then."""
    said = []
    if told.after_the_fact:
        since = told.learned_until
        said.append(
            "It was asked for after the fact: bars that followed are stored."
            if since is None or since <= told.as_of
            else "It was asked for after the fact, of a model that learned from data up to "
            f"{since:%Y-%m-%d}: from what followed, too."
        )
    if told.as_of < _closed(history):
        said.append(
            f"The bar of {history.day(-1)} was not on this desk by then: the forecast reads what "
            f"was known, up to {told.as_of:%Y-%m-%d}."
        )
    return said


def _keys(tree: Any) -> set[str]:
    if isinstance(tree, dict):
        inner = [_keys(value) for value in tree.values()]
        return set(tree).union(*inner) if inner else set(tree)
    if isinstance(tree, list):
        return set().union(*map(_keys, tree)) if tree else set()
    return set()
