"""What one reading of a price history changes in the stored signals. Pure: no rows, no clock."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID

import numpy as np

from app.domain.signals import (
    KnownSignal,
    NewSignal,
    SignalChange,
    SignalPlan,
    SignalProgress,
)
from tools.analytics import cases as analytics
from tools.analytics.cases import Cases, Study
from tools.analytics.firings import End, Firing, ends
from tools.case_book import fingerprint
from tools.market.bars import Bars
from tools.market.instruments import Instrument
from tools.market.prices import prices_of
from tools.market.replays import is_replay
from tools.market.signals import market_of
from tools.opinions import Opinions
from tools.signal_views import RULES, SignalMaker, signal_id, state_of

READ = 3_200
"""Newest bars that are read when a bar comes. The rules remember 1,250, base rates as many outcomes
of them: from bar 2,530 or so on nothing can tell these bars from the whole history."""
WATCHED = 2_700
"""Newest bars whose change is noticed when the next one is read."""
REVISITED = 150
"""Newest bars whose signals may still change: more than the longest validity and horizon."""

LIVE = timedelta(days=5)
"""A bar that closed longer ago is history: its signals carry no opinions. Over a long weekend."""
MOST_LIVE = 10
"""Newest bars of one reading whose signals carry opinions, so that catching up stays fast."""


class Reading:
    """A price history as read, studied once."""

    def __init__(self, bars: Bars) -> None:
        self.bars = bars
        self.study: Study = analytics.study(prices_of(bars))
        last = len(bars) - 1
        horizons = {like: one.horizon_bars for like, one in self.study.outcomes.items()}
        firings = self.study.firings
        counted = analytics.counted(firings, horizons)
        self.fired: dict[UUID, tuple[Firing, End | None, bool]] = {
            signal_id(bars.symbol, bars.timeframe, firing.like, bars.time(firing.bar)): (
                firing,
                end,
                counts,
            )
            for firing, end, counts in zip(
                firings, ends(firings, self.study.composite, last), counted, strict=True
            )
        }

    def since(self, bar: int) -> dict[UUID, tuple[Firing, End | None, bool]]:
        """Return what fired at `bar` or later, by id."""
        return {key: one for key, one in self.fired.items() if one[0].bar >= bar}

    def cases(self) -> dict[str, Cases]:
        """Return the cases of this history by kind; a replay's are those of what it repeats."""
        closed = self.bars.ends().astype(np.int64)
        found = analytics.collect(self.study, self.bars.symbol, closed=closed)
        if is_replay(self.bars.symbol):
            return {like: analytics.nothing() for like in found}
        return found


def revisited_from(bars: Bars, before: SignalProgress | None) -> int:
    """Return the first bar whose signals are compared with what is stored; 0: all of them."""
    if before is None:
        return 0
    through = int(np.searchsorted(bars.timestamps, _time(before.through), side="right")) - 1
    return max(0, through - REVISITED)


def is_as_read(bars: Bars, before: SignalProgress) -> bool:
    """Return whether the bars that were read before are among `bars`, none of them changed."""
    start = int(np.searchsorted(bars.timestamps, _time(before.watched_from), side="left"))
    stop = int(np.searchsorted(bars.timestamps, _time(before.through), side="right"))
    if start >= len(bars) or bars.time(start) != before.watched_from:
        return False
    return fingerprint(bars.slice(start, stop)) == before.digest


def progress_of(bars: Bars) -> SignalProgress:
    """Return how far reading `bars` comes."""
    watched = bars.slice(max(0, len(bars) - WATCHED))
    return SignalProgress(
        model_id=RULES,
        watched_from=watched.time(0),
        through=watched.time(-1),
        digest=fingerprint(watched),
    )


def joined(
    stored: Mapping[str, Cases], own: Mapping[str, Cases], symbol: str, *, since: int
) -> dict[str, Cases]:
    """Return the stored cases of a market, those of `symbol` from `since` on as just read.

    `since` is in seconds since 1970. Older ones are better known by what is stored: the bars that
    were read may not reach back far enough to judge them.
    """
    out = {}
    for like, pooled in stored.items():
        old = np.flatnonzero((pooled.symbols != symbol) | (pooled.fired < since))
        new = np.flatnonzero(own[like].fired >= since)
        parts = [without_paths(pooled.take(old)), without_paths(own[like].take(new))]
        out[like] = analytics.pool(parts)
    return out


def without_paths(cases: Cases, *, of: Sequence[str] = ()) -> Cases:
    """Return the cases without what prices did after them, and without those of some symbols."""
    kept = cases.take(np.flatnonzero(~np.isin(cases.symbols, list(of))))
    return Cases(**{**vars(kept), "paths": np.empty((len(kept), 0))})


def lately_fired(
    reading: Reading, *, start: int, known: Sequence[KnownSignal], now: datetime
) -> list[int]:
    """Return the bars from `start` on that closed lately and whose signals are not all stored."""
    stored = {one.id for one in known}
    fired = {one[0].bar for key, one in reading.since(start).items() if key not in stored}
    bars, lately = reading.bars, []
    for bar in sorted(fired, reverse=True)[:MOST_LIVE]:
        closed = datetime.fromtimestamp(
            int(bars.slice(bar, bar + 1).ends().astype(np.int64)[0]), UTC
        )
        if closed < now - LIVE:
            break
        lately.append(bar)
    return lately


def make_plan(
    instrument: Instrument,
    reading: Reading,
    *,
    start: int,
    known: Sequence[KnownSignal],
    cases: Mapping[str, Cases],
    before: SignalProgress | None,
    now: datetime,
    opinions: Mapping[int, Opinions] | None = None,
) -> SignalPlan:
    """Return what has to be written so that what is stored from bar `start` on is what fired."""
    bars, study = reading.bars, reading.study
    maker = SignalMaker(instrument, bars, study, cases, now=now, opinions=opinions)
    ahead = analytics.followed(study.prices, study.indicators.atr)
    fired = reading.since(start)
    stored = {one.id: one for one in known}

    def path(firing: Firing) -> bytes:
        horizon = study.outcomes[firing.like].horizon_bars
        if firing.bar + horizon >= len(bars):
            return b""
        row = analytics.sided(ahead[firing.bar, :horizon], firing.like)
        return row.astype("<f4").tobytes()

    new = [
        NewSignal(
            signal=maker.make(firing, end),
            market=market_of(instrument),
            counted=counts and not is_replay(bars.symbol),
            own_base_rate=maker.base_rate(firing),
            path=path(firing),
        )
        for key, (firing, end, counts) in fired.items()
        if key not in stored
    ]
    changes = []
    for key, (firing, end, _) in fired.items():
        one = stored.get(key)
        if one is None:
            continue
        grade = maker.grade(firing)
        state = state_of(end, grade)
        ended_at = None if end is None else bars.time(end.bar)
        result = None if grade is None else grade.result
        value = None if grade is None else grade.value
        same = (state, ended_at, result) == (one.state, one.ended_at, one.outcome)
        if same and _close(value, one.outcome_value):
            continue
        changes.append(
            SignalChange(
                id=key,
                state=state,
                ended_at=ended_at,
                end_reason=None if end is None else end.reason,
                outcome=grade,
                path=path(firing),
            )
        )
    return SignalPlan(
        symbol=bars.symbol,
        timeframe=bars.timeframe,
        before=before,
        after=progress_of(bars),
        new=new,
        changes=changes,
        withdrawn=[key for key in stored if key not in fired],
    )


def _close(one: float | None, other: float | None) -> bool:
    if one is None or other is None:
        return one is other
    return bool(np.isclose(one, other, rtol=1e-6, atol=1e-9))


def _time(moment: datetime) -> np.datetime64:
    return np.datetime64(int(moment.timestamp()), "s")
