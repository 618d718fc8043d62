"""`signals`: what the rules say about one instrument, and how often they were right before."""

import asyncio
from datetime import UTC, date, datetime
from typing import Annotated, Any
from uuid import UUID, uuid5

import msgspec
import numpy as np

from tools import cards, technicals
from tools.analytics import composite, track_record
from tools.analytics import signals as rules
from tools.analytics.composite import CALL, Composite
from tools.analytics.signals import VALID_BARS, Firing
from tools.analytics.track_record import ENOUGH, Outcome, TrackRecord
from tools.arguments import Arguments, json_schema, read_arguments
from tools.history import History, Market
from tools.quotes import notes
from tools.tool import ToolContext, ToolResult

RULES = uuid5(UUID("5f0f6b6e-6d8f-5c3a-9a3e-0c5b7a2f4d11"), "rules-1")
"""The `modelId` of these rules: changes when a rule does."""


class SignalsArguments(Arguments, frozen=True):
    symbol: Annotated[
        str,
        msgspec.Meta(
            min_length=1, max_length=80, description="Symbol or company name, e.g. GOOG or Apple."
        ),
    ]
    at: Annotated[
        date | None,
        msgspec.Meta(description="Speak as of this day (YYYY-MM-DD); default: the last bar."),
    ] = None


class Signals:
    """Signals of one instrument with their measured record."""

    name = "signals"
    description = (
        "What the technical rules say about one instrument: a composite strength from -100 to 100 "
        "with the vote of each indicator, and every signal still valid (entry, exit, trend_change, "
        "volatility, volume_spike, breakout, reversal). Each comes with its measured track record "
        "on this symbol: hit rate, n, base rate, and whether there is a measured edge. Use it for "
        "outlooks and 'should I' questions, and report the track record with the signal."
    )
    parameters = json_schema(SignalsArguments)

    def __init__(self, market: Market) -> None:
        self._market = market

    async def __call__(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        asked = read_arguments(SignalsArguments, arguments)
        history = await self._market.history(asked.symbol, context, at=asked.at)
        return await asyncio.to_thread(_answer, history)


def market_signals(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the valid signals of a result's `data` as whole MarketSignals of the data model.

    A tool result says what all its signals share once, because a model reads it.
    """
    shared = {key: data[key] for key in ("indicators", "technicalAnalysis")}
    return [{**signal, **shared} for signal in data["signals"]]


def _answer(history: History) -> ToolResult:
    picture = technicals.look(history)
    strength = composite.combine(history.prices, picture.indicators)
    firings = rules.fire(history.prices, picture.indicators, strength)
    outcomes = track_record.outcomes(history.prices, picture.indicators.atr)
    valid = rules.active(firings, strength, len(history.bars) - 1)
    signals = [_signal(history, firing, firings, outcomes) for firing in valid]
    whole = _composite(strength, outcomes)
    votes = _votes(strength)
    data = {
        **history.span(),
        "close": float(history.bars.close[-1]),
        "ready": technicals.settled(len(history.bars)),
        "composite": whole,
        "indicators": votes,
        "signals": signals,
        "kindsExamined": len(outcomes),
        "technicalAnalysis": technicals.seed_shape(picture),
        "notReady": technicals.not_ready(len(history.bars)),
        "notes": [
            *notes(history),
            f"{len(outcomes)} kinds of signal are examined per symbol, so that about one in forty "
            "looks like an edge by chance alone.",
        ],
    }
    chart = cards.chart(
        history,
        picture.indicators,
        levels=picture.levels,
        line=picture.trend,
        firings=[firing for firing in firings if firing.type in ("entry", "exit", "breakout")],
    )
    shown = {**(whole or {}), "indicators": votes, "signals": signals}
    return ToolResult(
        data=data,
        summary=_summary(history, whole, signals),
        source=history.instrument.source,
        as_of=history.as_of,
        units=technicals.used(units(history.instrument.currency), data),
        cards=(cards.signal(history, shown), chart) if whole else (chart,),
    )


def _composite(strength: Composite, outcomes: dict[str, Outcome]) -> dict[str, Any] | None:
    record = track_record.of_composite(strength, outcomes)
    if record is None:
        return None
    now = float(strength.strength[-1])
    side = 0 if abs(now) < CALL else int(np.sign(now))
    return {
        "strength": now,
        "direction": cards.direction(side),
        **_confidence(record),
    }


def _votes(strength: Composite) -> list[dict[str, Any]]:
    return [
        {
            "name": vote.name,
            "value": vote.value,
            "signal": vote.signal,
            "weight": vote.weight,
            "vote": vote.vote,
        }
        for vote in composite.votes_at(strength, -1)
    ]


def _signal(
    history: History, firing: Firing, firings: list[Firing], outcomes: dict[str, Outcome]
) -> dict[str, Any]:
    fired = history.bars.time(firing.bar)
    bars = VALID_BARS[firing.type]
    # Counted from the last bar: the bars until then are known, holidays and all.
    left = bars - (len(history.bars) - 1 - firing.bar)
    key = f"{history.symbol}|{history.bars.timeframe}|{firing.like}|{fired.isoformat()}"
    return {
        "id": str(uuid5(RULES, key)),
        "modelId": str(RULES),
        "symbol": history.symbol,
        "signalType": firing.type,
        "strength": firing.strength,
        "direction": cards.direction(firing.side),
        "timeframe": history.bars.timeframe,
        "reason": firing.reason,
        **_confidence(track_record.of_firing(firing, firings, outcomes)),
        "validFrom": cards.stamp(fired),
        "validUntil": cards.stamp(_weekdays_after(history.as_of, left)),
        "validBars": bars,
        "metadata": {"like": firing.like},
        "createdAt": cards.stamp(fired),
    }


def _confidence(record: TrackRecord) -> dict[str, Any]:
    """Return the number, the badge and everything they were counted from."""
    return {
        "confidence": record.hit_rate,
        "edge": record.edge,
        "trackRecord": {
            "event": record.event,
            "like": record.like,
            "horizonBars": record.horizon_bars,
            "n": record.n,
            "hits": record.hits,
            "hitRate": _percent(record.hit_rate),
            "wilsonLow": _percent(record.wilson_low),
            "wilsonHigh": _percent(record.wilson_high),
            "baseRate": _percent(record.base_rate),
            "baseDays": record.base_n,
            "expectedRate": _percent(record.expected),
            "enough": record.n >= ENOUGH,
        },
    }


def _percent(rate: float | None) -> float | None:
    return None if rate is None else 100.0 * rate


def _weekdays_after(day: datetime, bars: int) -> datetime:
    """Return the weekday so many weekdays later; holidays are not known here."""
    later = np.busday_offset(np.datetime64(day.date(), "D"), bars, roll="forward")
    moved = later.astype(object)
    return datetime(moved.year, moved.month, moved.day, tzinfo=UTC)


def _summary(history: History, whole: dict[str, Any] | None, signals: list[dict[str, Any]]) -> str:
    if whole is None:
        return f"{history.symbol} has {len(history.bars)} daily bars: too few for a signal"
    names = ", ".join(signal["signalType"].replace("_", " ") for signal in signals) or "none"
    return (
        f"ran the signal rules over {len(history.bars):,} daily bars of {history.symbol}; "
        f"valid on {history.day(-1)}: {names}"
    )


def units(currency: str) -> dict[str, str]:
    """Return the units of a signal result."""
    inherited = technicals.units(currency)
    # `value` belongs to eight different indicators here, `signal` to votes as well as MACD.
    inherited.pop("value")
    return {
        **inherited,
        "strength": "-100 to 100",
        "confidence": "probability 0-1",
        "hitRate": "%",
        "baseRate": "%",
        "wilsonLow": "%",
        "wilsonHigh": "%",
        "expectedRate": "%",
        "vote": "-1 to 1",
        "n": "past cases",
        "hits": "past cases",
        "baseDays": "days",
        "horizonBars": "daily bars",
        "validBars": "daily bars",
    }
