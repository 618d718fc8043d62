"""Whether the newest bars can be what the market says now: late, or stuck. Pure."""

from datetime import datetime, timedelta

import numpy as np

from tools.market.bars import TIMEFRAMES, Bars, moment
from tools.market.calendars import named
from tools.market.replays import is_replay

LATE = timedelta(minutes=20)
STUCK = timedelta(hours=1)
STUCK_DAYS = 5


def doubts(bars: Bars, now: datetime) -> list[str]:
    """Return what speaks against the newest bars, in words; nothing if nothing does."""
    if not len(bars):
        return []
    return [said for said in (_late(bars, now), _stuck(bars)) if said is not None]


def _late(bars: Bars, now: datetime) -> str | None:
    """Inside a session of a known exchange intraday bars must keep coming."""
    if TIMEFRAMES[bars.timeframe] >= timedelta(days=1) or bars.calendar is None:
        return None
    session = named(bars.calendar).session(now.date())
    # A bar is told of when it closes, and then has a while to arrive.
    due = now - LATE - TIMEFRAMES[bars.timeframe]
    if session is None or not any(opens <= due < now <= closes for opens, closes in session.parts):
        return None
    newest = bars.time(-1)
    if newest + TIMEFRAMES[bars.timeframe] >= due:
        return None
    return (
        f"stale: {bars.calendar} trades, and the newest bar is that of {newest:%Y-%m-%d %H:%M} UTC"
    )


def _stuck(bars: Bars) -> str | None:
    """A price that does not move at all for long is more often a feed that is stuck."""
    length = TIMEFRAMES[bars.timeframe]
    least = STUCK_DAYS if length >= timedelta(days=1) else max(2, STUCK // length)
    if len(bars) < least:
        return None
    last = bars.slice(len(bars) - least)
    prices = np.stack([last.open, last.high, last.low, last.close])
    if (prices != prices[0, 0]).any():
        return None
    return f"stuck: the price has not moved at all in the newest {least} bars"


def reliable(bars: Bars, opened: datetime, now: datetime) -> bool:
    """Tell whether a closed bar can be taken for what the market says: neither late nor stuck.

    The newest bar is judged by the clock of its exchange; earlier ones, which are caught up with,
    only by what came before them. A replay has a clock of its own.
    """
    if is_replay(bars.symbol):
        return True
    known = bars.slice(0, int(np.searchsorted(bars.timestamps, moment(opened), side="right")))
    if len(known) < len(bars):
        return _stuck(known) is None
    return not doubts(known, now)
