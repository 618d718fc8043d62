"""Turn firings into MarketSignals: how sure, since when, until when, and what they stood on."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

import numpy as np

from tools import technicals
from tools.analytics import composite, levels, track_record, trend
from tools.analytics.cases import Cases, Study
from tools.analytics.composite import IN_PRICE
from tools.analytics.firings import VALID_BARS, End, Firing
from tools.analytics.outcomes import failed_after
from tools.analytics.track_record import ENOUGH, TrackRecord
from tools.cards import direction
from tools.market.bars import TIMEFRAMES, Bars
from tools.market.calendars import Calendar, calendar_for
from tools.market.instruments import Instrument
from tools.market.signals import Grade, MarketSignal, OwnRecord, Record, SignalIndicator, State
from tools.opinions import NONE, Opinions
from tools.technicals import Technicals

RULES_VERSION = "rules-2"
"""Changes when a rule does."""
RULES = uuid5(UUID("5f0f6b6e-6d8f-5c3a-9a3e-0c5b7a2f4d11"), RULES_VERSION)
"""The `modelId` of these rules, and the id of their row among the models."""
LIKE = "earlier signals of this kind in this market, the first of each cluster"
_LEVELS_SEE = levels.LOOK_BACK + levels.SIDE


class SignalMaker:
    """Makes the MarketSignals of one history."""

    def __init__(
        self,
        instrument: Instrument,
        raw: Bars,
        study: Study,
        cases: Mapping[str, Cases],
        *,
        now: datetime,
        opinions: Mapping[int, Opinions] | None = None,
    ) -> None:
        """Args:
        raw: the bars as traded, as many as the study has.
        cases: those of the market by kind; what a signal may not know is left out per signal.
        now: when the signals are made.
        opinions: what was said outside the prices, by bar; nothing at bars that are not there.
        """
        self._instrument = instrument
        self._raw = raw
        self._study = study
        self._cases = cases
        self._now = now
        self._opinions = opinions or {}
        self._bases = {like: one.base_rates() for like, one in study.outcomes.items()}
        self._closed = raw.ends().astype(np.int64)

    def make(self, firing: Firing, end: End | None) -> MarketSignal:
        """Return the signal of one firing, graded if its outcome is known."""
        bar = firing.bar
        opened = self._raw.time(bar)
        record = self.record(firing)
        own = self.own(firing)
        base = self.base_rate(firing)
        graded = self.grade(firing)
        sided = firing.side != 0
        said = self._opinions.get(bar, NONE)
        noted: dict[str, object] = {"notes": list(said.notes)} if said.notes else {}
        # Null of an old bar means that nobody looked, not that there was nothing.
        noted["opinions"] = "read" if bar in self._opinions else "not_read"
        return MarketSignal(
            id=signal_id(self._raw.symbol, self._raw.timeframe, firing.like, opened),
            model_id=RULES,
            symbol=self._raw.symbol,
            signal_type=firing.type,
            variant=firing.variant,
            strength=firing.strength,
            direction=direction(firing.side),
            timeframe=self._raw.timeframe,
            reason=firing.reason,
            indicators=self.votes(bar),
            technical_analysis=self.technical_analysis(bar),
            sentiment_analysis=said.sentiment,
            fundamental_analysis=said.fundamentals,
            confidence=record.confidence(sided=sided, base_rate=base),
            base_rate=base if record.base_rate is None else record.base_rate,
            edge=record.edge,
            track_record=_told(record, own),
            valid_from=opened,
            valid_until=valid_until(self._raw, bar, VALID_BARS[firing.type], self._instrument),
            valid_bars=VALID_BARS[firing.type],
            known_at=self._close_of(bar),
            state=state_of(end, graded),
            ended_at=None if end is None else self._raw.time(end.bar),
            end_reason=None if end is None else end.reason,
            outcome=graded,
            metadata={"like": firing.like, **noted},
            created_at=self._now,
        )

    def record(self, firing: Firing) -> TrackRecord:
        """Return what was known of such signals before the bar opened."""
        return track_record.of_cases(
            self._known(firing), self._study.outcomes[firing.like], like=LIKE
        )

    def own(self, firing: Firing) -> OwnRecord:
        """Return the same on this symbol alone."""
        mine = self._known(firing).of_symbol(self._raw.symbol)
        n, hits = len(mine), int(mine.hits.sum())
        return OwnRecord(
            n=n,
            hits=hits,
            hit_rate=hits / n if n >= ENOUGH else None,
            base_rate=float(mine.base_rates.mean()) if n else None,
        )

    def base_rate(self, firing: Firing) -> float | None:
        """Return how often the event came true on any bar of this symbol, as known then."""
        return technicals.number(self._bases[firing.like][firing.bar])

    def grade(self, firing: Firing) -> Grade | None:
        """Return how it turned out, None while that is not known."""
        outcome = self._study.outcomes[firing.like]
        settles = firing.bar + outcome.horizon_bars
        if settles >= len(self._raw):
            return None
        hit = technicals.number(outcome.hits[firing.bar])
        failed = failed_after(firing, self._study.prices)
        return Grade(
            result="none" if hit is None else "hit" if hit > 0 else "miss",
            value=technicals.number(outcome.values[firing.bar]),
            unit=outcome.unit,
            resolved_at=self._close_of(settles),
            note=None if failed is None else f"closed back inside the range after {failed} bars",
        )

    def votes(self, bar: int) -> list[SignalIndicator]:
        """Return what each indicator said, in the prices of that day, and what was said outside."""
        scale = self._scale(bar)
        said = self._opinions.get(bar, NONE)
        return [
            SignalIndicator(
                name=vote.name,
                value=vote.value * scale if vote.name in IN_PRICE else vote.value,
                signal=vote.signal,
                weight=vote.weight,
                vote=vote.vote,
            )
            for vote in (*composite.votes_at(self._study.composite, bar), *said.votes)
        ]

    def technical_analysis(self, bar: int) -> dict[str, Any]:
        """Return the seed's TechnicalAnalysis as it stood at `bar`, in the prices of that day."""
        prices = self._study.prices.upto(bar)
        computed = self._study.indicators
        atr = float(computed.atr[bar])
        support, resistance = levels.find(prices.newest(_LEVELS_SEE), atr=atr)
        picture = technicals.seed_shape(
            Technicals(
                indicators=computed,
                trend=trend.fit(prices.close, atr=atr),
                support=support,
                resistance=resistance,
                month=None,
                quarter=None,
            ),
            bar=bar,
        )
        return _scaled(picture, self._scale(bar))

    def _known(self, firing: Firing) -> Cases:
        return self._cases[firing.like].before(int(self._raw.time(firing.bar).timestamp()))

    def _close_of(self, bar: int) -> datetime:
        return datetime.fromtimestamp(int(self._closed[bar]), UTC)

    def _scale(self, bar: int) -> float:
        """Return how many of the last bar's shares one share was then."""
        return float(self._raw.close[bar] / self._study.prices.close[bar])


def signal_id(symbol: str, timeframe: str, like: str, opened: datetime) -> UUID:
    """Return the id of a signal: the same whenever and wherever it is computed."""
    return uuid5(RULES, f"{symbol}|{timeframe}|{like}|{opened.isoformat()}")


def valid_until(raw: Bars, bar: int, bars: int, instrument: Instrument) -> datetime:
    """Return when the bar opens at whose close a signal of `bar` runs out, by the calendar.

    Known when the signal fires: no later bar is looked at.
    """
    opened, lasts = raw.time(bar), TIMEFRAMES[raw.timeframe]
    calendar = calendar_for(instrument.exchange, instrument.kind)
    if raw.timeframe == "1d":
        day = calendar.sessions_after(opened.date(), bars)
        return datetime(day.year, day.month, day.day, tzinfo=UTC)
    if raw.timeframe == "1mo":
        year, month = divmod(opened.year * 12 + opened.month - 1 + bars, 12)
        return opened.replace(year=year, month=month + 1)
    if lasts < timedelta(days=1):
        return _intraday(calendar, opened, lasts, bars)
    return opened + bars * lasts


def _intraday(calendar: Calendar, opened: datetime, lasts: timedelta, bars: int) -> datetime:
    """Return the opening of the bar so many later, counting trading hours where they are known."""
    left, day = bars, opened.date()
    for _ in range(400):
        session = calendar.session(day)
        if session is None and not calendar.knows(day):
            break
        for starts, stops in () if session is None else session.parts:
            opens = max(starts, opened + lasts) if day == opened.date() else starts
            there = max(0, -(-(stops - opens) // lasts))
            if left <= there:
                return opens + (left - 1) * lasts
            left -= there
        day += timedelta(days=1)
    return opened + bars * lasts


def state_of(end: End | None, graded: Grade | None) -> State:
    """Return whether a signal holds, has ended, or has ended and is graded."""
    if end is None:
        return "active"
    return end.how if graded is None else "resolved"


def _scaled(picture: dict[str, Any], scale: float) -> dict[str, Any]:
    """Return a TechnicalAnalysis with its prices times `scale`."""
    if scale == 1.0:
        return picture

    def money(value: float | None) -> float | None:
        return None if value is None else value * scale

    bands, line = picture["bollingerBands"], picture["trendLine"]
    return {
        "rsi": picture["rsi"],
        "macd": {name: money(value) for name, value in picture["macd"].items()},
        "movingAverages": {name: money(v) for name, v in picture["movingAverages"].items()},
        "bollingerBands": {
            name: value if name == "width" else money(value) for name, value in bands.items()
        },
        "support": [money(price) for price in picture["support"]],
        "resistance": [money(price) for price in picture["resistance"]],
        "trendLine": None
        if line is None
        else {**line, "slope": money(line["slope"]), "intercept": money(line["intercept"])},
    }


def _told(record: TrackRecord, own: OwnRecord | None) -> Record:
    return Record(
        event=record.event,
        like=record.like,
        horizon_bars=record.horizon_bars,
        n=record.n,
        hits=record.hits,
        hit_rate=record.hit_rate,
        wilson_low=record.wilson_low,
        wilson_high=record.wilson_high,
        base_rate=record.base_rate,
        expected_rate=record.expected,
        enough=record.n >= ENOUGH,
        t_value=record.t_value,
        own=own,
    )
