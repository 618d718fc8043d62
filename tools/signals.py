"""`signals`: what the rules say about one instrument, and how often they were right before."""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec
import numpy as np

from tools import cards, fundamentals, technicals
from tools.analytics import cases as analytics
from tools.analytics import track_record
from tools.analytics.cases import Cases, Study
from tools.analytics.composite import CALL
from tools.analytics.firings import KINDS, ends
from tools.analytics.outcomes import Outcome
from tools.analytics.track_record import ENOUGH, TrackRecord
from tools.arguments import Arguments, AsOf, OfBars, Symbol, json_schema, read_arguments
from tools.case_book import CaseBook
from tools.history import History, Market
from tools.market.signals import MarketSignal, market_of
from tools.opinions import NONE, OpinionBook, Opinions
from tools.quotes import notes
from tools.signal_views import SignalMaker
from tools.technicals import Technicals
from tools.tool import Card, ToolContext, ToolResult

CHANCE = (
    f"{len(KINDS)} kinds of signal are examined, so an edge is only called one from a t-value of "
    f"{track_record.PROOF:g} on."
)


class SignalsArguments(Arguments, frozen=True):
    symbol: Symbol
    at: AsOf = None
    timeframe: OfBars = "1d"


class Signals:
    """Signals of one instrument with their measured record."""

    name = "signals"
    description = (
        "What the technical rules say about one instrument: a composite strength from -100 to 100 "
        "with each indicator's vote, and every signal still valid, each with its measured track "
        "record: how often such signals were right in this market before it fired, the base rate, "
        "and whether there is a measured edge. News sentiment and fundamentals, where there are "
        "any, are shown with weight 0. Without one, `confidence` of a direction is only "
        "the base rate. Use it for outlooks and 'should I' questions, and report the record too; "
        "`scorecard` tells more about a kind of signal."
    )
    parameters = json_schema(SignalsArguments)

    def __init__(self, market: Market, book: CaseBook, opinions: OpinionBook | None = None) -> None:
        self._market = market
        self._book = book
        self._opinions = opinions

    async def __call__(self, arguments: dict[str, Any], context: ToolContext) -> ToolResult:
        asked = read_arguments(SignalsArguments, arguments)
        history = await self._market.history(
            asked.symbol, context, at=asked.at, timeframe=asked.timeframe
        )
        known = await self._book.cases(
            market_of(history.instrument), history.bars.timeframe, before=history.as_of
        )
        said = NONE
        if self._opinions is not None:
            said = await self._opinions.at_close(history.instrument, history.stored)
        return await asyncio.to_thread(_answer, history, known, said, context.now)


def _answer(
    history: History, known: Mapping[str, Cases], said: Opinions, now: datetime
) -> ToolResult:
    study = analytics.study(history.prices)
    picture = technicals.look(history)
    last = len(history.bars) - 1
    maker = SignalMaker(
        history.instrument, history.bars, study, known, now=now, opinions={last: said}
    )
    held = [
        maker.make(firing, end)
        for firing, end in zip(
            study.firings, ends(study.firings, study.composite, last), strict=True
        )
        if end is None
    ]
    held.sort(key=lambda signal: (-signal.valid_from.timestamp(), signal.signal_type))
    whole = _composite(study)
    votes = [msgspec.to_builtins(vote) for vote in maker.votes(last)]
    signals = [_told(signal) for signal in held]
    data = {
        **history.span(),
        "close": float(history.bars.close[-1]),
        "ready": technicals.settled(len(history.bars)),
        "composite": whole,
        "indicators": votes,
        "signals": signals,
        "kindsExamined": len(KINDS),
        "technicalAnalysis": technicals.seed_shape(picture),
        "sentimentAnalysis": said.sentiment,
        "fundamentalAnalysis": said.fundamentals,
        "notReady": technicals.not_ready(len(history.bars)),
        "notes": [*notes(history), CHANCE, *said.notes],
    }
    return ToolResult(
        data=data,
        summary=_summary(history, whole, held),
        source=history.instrument.source,
        as_of=history.as_of,
        units=technicals.used(
            technicals.of_bars(
                units(history.instrument.currency, said.currency), history.bars.timeframe
            ),
            data,
        ),
        cards=_cards(history, study, picture, {"indicators": votes, "signals": signals}, whole),
    )


def _cards(
    history: History,
    study: Study,
    picture: Technicals,
    shown: dict[str, Any],
    whole: dict[str, Any] | None,
) -> tuple[Card, ...]:
    chart = cards.chart(
        history,
        picture.indicators,
        levels=picture.levels,
        line=picture.trend,
        firings=[f for f in study.firings if f.type in ("entry", "exit", "breakout")],
    )
    return (chart,) if whole is None else (cards.signal(history, {**whole, **shown}), chart)


def _composite(study: Study) -> dict[str, Any] | None:
    named: dict[str, Outcome] = dict(study.outcomes)
    record = track_record.of_composite(study.composite, named, study.prices)
    if record is None:
        return None
    now = float(study.composite.strength[-1])
    side = 0 if abs(now) < CALL else int(np.sign(now))
    return {
        "strength": now,
        "direction": cards.direction(side),
        "confidence": record.confidence(sided=True),
        "edge": record.edge,
        "trackRecord": _record(record),
    }


def _told(signal: MarketSignal) -> dict[str, Any]:
    """Return what a model needs of a signal; `id` leads to all of it."""
    record = signal.track_record
    told: dict[str, Any] = {
        "id": str(signal.id),
        "signalType": signal.signal_type,
        "strength": signal.strength,
        "direction": signal.direction,
        "reason": signal.reason,
        "confidence": signal.confidence,
        "edge": signal.edge,
        "trackRecord": {
            "event": record.event,
            "like": record.like,
            "horizonBars": record.horizon_bars,
            "n": record.n,
            "hits": record.hits,
            **_percents(
                hitRate=record.hit_rate,
                wilsonLow=record.wilson_low,
                wilsonHigh=record.wilson_high,
                baseRate=signal.base_rate,
            ),
            "enough": record.enough,
        },
        "validFrom": cards.stamp(signal.valid_from),
        "validUntil": cards.stamp(signal.valid_until),
        "validBars": signal.valid_bars,
    }
    if signal.variant is not None:
        told["variant"] = signal.variant
    if (own := record.own) is not None:
        told["trackRecord"]["thisSymbol"] = {"n": own.n, "hits": own.hits}
    if (grade := signal.outcome) is not None:
        told["outcome"] = {"result": grade.result, "value": grade.value, "unit": grade.unit}
    return told


def _record(record: TrackRecord) -> dict[str, Any]:
    return {
        "event": record.event,
        "like": record.like,
        "horizonBars": record.horizon_bars,
        "n": record.n,
        "hits": record.hits,
        **_percents(
            hitRate=record.hit_rate,
            wilsonLow=record.wilson_low,
            wilsonHigh=record.wilson_high,
            baseRate=record.base_rate,
            expectedRate=record.expected,
        ),
        "enough": record.n >= ENOUGH,
    }


def _percents(**rates: float | None) -> dict[str, float | None]:
    return {name: None if rate is None else 100.0 * rate for name, rate in rates.items()}


def _summary(history: History, whole: dict[str, Any] | None, held: list[MarketSignal]) -> str:
    if whole is None:
        return f"{history.symbol} has {len(history.bars)} bars: too few for a signal"
    names = ", ".join(signal.signal_type.replace("_", " ") for signal in held) or "none"
    return (
        f"ran the signal rules over {len(history.bars):,} bars of {history.symbol}; "
        f"valid on {history.day(-1)}: {names}"
    )


def units(currency: str, reported_in: str | None = None) -> dict[str, str]:
    """Return the units of a signal result; `reported_in` is the currency of the statements."""
    inherited = technicals.units(currency)
    # `value` belongs to eight different indicators here, `signal` to votes as well as MACD.
    inherited.pop("value")
    return {
        **fundamentals.units(reported_in or currency, currency),
        **inherited,
        "score": "-1 to 1",
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
        "horizonBars": "daily bars",
        "validBars": "daily bars",
    }
