"""From stored bars to what people see of them, within a moment.

Bars come in through `BarIntake`, which tells this pipeline after the commit. It only notes which
series changed; one task then takes series after series, the oldest change first: it reads what is
new, brings the numbers up to it, shows the newest and judges alerts at every new closed bar.
Signals follow in a slower lane (`live_signals.py`). When it falls behind, changes of one series
gather: the pictures in between are left out, a bar of the signals and alerts never is. The memory
is bounded by the number of series.
Nothing here is the truth: whatever is shown was read from the store.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Self

import msgspec
import numpy as np
import structlog

from app.domain.errors import Invalid, NotFound, Unavailable
from app.protocol.frames import LiveBar, MarketFrame
from app.services.live.lag import Lag
from app.services.live.live_bars import LiveBars
from app.services.live.live_numbers import LiveNumbers
from app.services.live.live_ports import AlertJudge, BarStep, Key, SignalKeeper, Ticker
from app.services.live.live_signals import LiveSignals
from tools.errors import UnknownSymbol
from tools.market.bars import TIMEFRAMES, Bars, moment
from tools.market.intake import BarsStored
from tools.market.replays import is_replay
from tools.market.signals import MarketSignal
from tools.market.store import BarStore, InstrumentStore
from tools.market.symbols import nearest

log = structlog.get_logger(__name__)

FEW_SERIES = 64
"""While no more series than this bring bars, all of them have their signals kept up to date; of
more, only those that somebody watches or has an alert on."""
MOST_NEW = 1_000
"""Bars at once up to which each is judged; more are an import of the past, not news."""
MOST_MISSED = 100
"""Bars that alerts are caught up with when a series is looked at for the first time."""
_FIRST_PAUSE_S = 0.1
_LAST_PAUSE_S = 5.0
_REPORT_S = 60.0


class _Change(msgspec.Struct):
    """What happened to a series since it was last looked at."""

    arrived_at: float | None = None
    """When the first of it arrived; None when somebody only began to watch."""
    first: datetime | None = None
    """When the oldest bar of it opened."""
    count: int = 0
    corrected: bool = False
    """Some of it changed what was stored before."""


class Live:
    """The pipeline, as an async context manager: it works while it is entered."""

    def __init__(
        self,
        instruments: InstrumentStore,
        bars: BarStore,
        ticker: Ticker,
        *,
        clock: Callable[[], datetime],
        signals: SignalKeeper | None = None,
        alerts: AlertJudge | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._instruments = instruments
        self._bars = LiveBars(bars)
        self._ticker = ticker
        self._clock = clock
        self._alerts = alerts
        self._monotonic = monotonic
        self._numbers = LiveNumbers()
        self._changed: dict[Key, _Change] = {}
        """Series to look at, oldest change first."""
        self._open: dict[Key, LiveBar] = {}
        """The open bar of each series that is watched, where trades tell it."""
        self._bringing: set[Key] = set()
        """The first series that brought bars, up to one more than few."""
        self._look_round = True
        """Look at every series that has an alert; also at the start."""
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._signals: LiveSignals | None = None
        if signals is not None:
            self._signals = LiveSignals(
                signals,
                is_watched=ticker.is_watched,
                show=self._show_fired,
                quiet=self._idle,
                monotonic=monotonic,
            )
        self._workers: set[asyncio.Task[None]] = set()
        self._reported_at = monotonic()
        self.lag = Lag()
        """Seconds from the commit of a series' first unseen bar to the frame that shows it."""

    async def __aenter__(self) -> Self:
        self._workers.add(asyncio.create_task(self._work(), name="live"))
        if self._signals is not None:
            self._workers.add(asyncio.create_task(self._signals.work(), name="live signals"))
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        for worker in self._workers:
            worker.cancel()
        await asyncio.wait(self._workers)

    def judge_with(self, alerts: AlertJudge | None) -> None:
        """Judge alerts from now on, those with bars that came before first; None: no longer."""
        self._alerts = alerts
        self._look_round = True
        self._wake.set()

    async def idle(self) -> None:
        """Return once everything that was told has been looked at."""
        await self._idle.wait()
        if self._signals is not None:
            await self._signals.idle.wait()

    # --- what may be watched --------------------------------------------------------------------

    async def check(self, symbols: Sequence[str], timeframe: str) -> None:
        """Return if every one of `symbols` can be watched in `timeframe`.

        Raises:
            Invalid: `unknown_timeframe`.
            NotFound: `unknown_symbol`, with the nearest known ones.
        """
        if timeframe not in TIMEFRAMES:
            raise Invalid(
                f"`timeframe` must be one of {', '.join(TIMEFRAMES)}.", code="unknown_timeframe"
            )
        for symbol in symbols:
            if await self._instruments.find(symbol) is None:
                near = nearest(symbol, await self._instruments.all())
                unknown = UnknownSymbol(symbol[:40], nearest=near)
                raise NotFound(unknown.message, code="unknown_symbol")

    def want(self, symbol: str, timeframe: str) -> None:
        """Publish the newest bar of a series soon; somebody has begun to watch it."""
        self._note((symbol, timeframe))

    # --- what happened --------------------------------------------------------------------------

    def bars_stored(self, stored: BarsStored) -> None:
        """Note that a series changed. `BarIntake` calls this after each commit."""
        key = (stored.symbol, stored.timeframe)
        if len(self._bringing) <= FEW_SERIES:
            self._bringing.add(key)
        change = self._note(key)
        if change.arrived_at is None:
            change.arrived_at = self._monotonic()
        change.first = stored.first if change.first is None else min(change.first, stored.first)
        change.count += stored.count
        change.corrected |= stored.corrected
        for longer in self._bars.longer(stored.symbol, stored.timeframe):
            made = self._note(longer)
            if made.arrived_at is None:
                made.arrived_at = self._monotonic()
            made.first = stored.first if made.first is None else min(made.first, stored.first)
            made.corrected |= stored.corrected

    def follows(self, symbol: str, timeframe: str) -> bool:
        """Tell whether the signals of a series are kept up to date here."""
        key = (symbol, timeframe)
        return self._ticker.is_watched(symbol, timeframe) or self._is_one_of_few(key)

    def bar_open(self, symbol: str, timeframe: str, bar: LiveBar) -> None:
        """Note how the open bar of a series stands; nothing but the picture will read it."""
        if self._ticker.is_watched(symbol, timeframe):
            self._open[symbol, timeframe] = bar
            change = self._note((symbol, timeframe))
            if change.arrived_at is None:
                change.arrived_at = self._monotonic()

    def may_have_missed(self) -> None:
        """Look at everything that is followed: changes may have gone by unheard."""
        self._look_round = True
        for key in {*self._ticker.watched(), *self._bringing}:
            self._note(key)

    def _note(self, key: Key) -> _Change:
        self._wake.set()
        self._idle.clear()
        return self._changed.setdefault(key, _Change())

    # --- the work -------------------------------------------------------------------------------

    async def _work(self) -> None:
        pause_s = _FIRST_PAUSE_S
        while True:
            if self._look_round:
                await self._look_at_alerts()
            if not self._changed:
                self._idle.set()
                self._wake.clear()
                await self._wake.wait()
                continue
            key = next(iter(self._changed))
            change = self._changed.pop(key)
            try:
                await self._look_at(key, change)
            except Unavailable as away:
                log.warning("live.waits", reason=away.code, series=len(self._changed) + 1)
                # Also what was counted but perhaps not judged: alerts see no bar twice.
                self._numbers.drop(key)
                self._put_back(key, change)
                await asyncio.sleep(pause_s)
                pause_s = min(2 * pause_s, _LAST_PAUSE_S)
                continue
            except UnknownSymbol:
                self._numbers.drop(key)  # removed since
            except Exception:
                # One series that cannot be computed must not end the others.
                log.exception("live.series_failed", symbol=key[0], timeframe=key[1])
                self._numbers.drop(key)
            pause_s = _FIRST_PAUSE_S
            self._report()

    async def _look_at_alerts(self) -> None:
        """Catch alerts up with bars that came while nobody looked."""
        self._look_round = False
        if self._alerts is None:
            return
        try:
            for key in await self._alerts.series():
                self._note(key)
        except Unavailable as away:
            log.warning("live.alerts_wait", reason=away.code)
            self._look_round = True
            await asyncio.sleep(_LAST_PAUSE_S)

    def _put_back(self, key: Key, change: _Change) -> None:
        """Keep a change that could not be looked at, with whatever came meanwhile."""
        newer = self._changed.pop(key, _Change())
        firsts = [one.first for one in (change, newer) if one.first is not None]
        change.first = min(firsts) if firsts else None
        change.count += newer.count
        change.corrected |= newer.corrected
        if change.arrived_at is None:
            change.arrived_at = newer.arrived_at
        self._changed = {key: change, **self._changed}

    async def _look_at(self, key: Key, change: _Change) -> None:
        """Bring a series up to date, show it, and judge what watches it."""
        symbol, timeframe = key
        watched = self._ticker.is_watched(symbol, timeframe)
        judged = self._alerts is not None and await self._alerts.watches(symbol, timeframe)
        if not (watched or judged or self._is_one_of_few(key)):
            self._numbers.drop(key)
            self._open.pop(key, None)
            return
        steps, new, closed = await self._catch_up(key, change, whole=judged)
        if watched:
            await self._show(key, steps)
            if change.arrived_at is not None:
                self.lag.add(self._monotonic() - change.arrived_at)
        if self._signals is not None and (new or change.first is not None):
            self._signals.note(key)
        if self._alerts is not None and closed is not None and new:
            await self._alerts.judge(closed, steps)
        if self._alerts is not None and change.corrected and change.first is not None and judged:
            # A longer bar that a corrected one is in opened before it.
            since = change.first - TIMEFRAMES[timeframe]
            await self._alerts.review(await self._bars.closed(key, now=self._clock()), since)

    def _is_one_of_few(self, key: Key) -> bool:
        return len(self._bringing) <= FEW_SERIES and key in self._bringing

    async def _catch_up(
        self, key: Key, change: _Change, *, whole: bool
    ) -> tuple[list[BarStep], int, Bars | None]:
        """Bring a series' numbers up to the store.

        Return the newest bars, how many of them are new (the last one comes in any case), and, if
        the `whole` series is wanted, all its closed bars where there is something new.
        """
        last, now = self._numbers.last(key), self._clock()
        steps: list[BarStep] | None = None
        if last is not None and (change.first is None or change.first > last):
            tail = await self._bars.closed(key, now=now, start=last)
            if len(tail) == 1 and tail.time(0) == last:
                return [], 0, None  # nothing is new
            steps = self._numbers.advance(key, tail)
        if steps is not None and not whole:
            return steps, len(steps), None
        closed = await self._bars.closed(key, now=now)
        if steps is not None:
            new = len(steps)
        else:
            if last is not None and (not len(closed) or closed.time(-1) < last):
                self._numbers.drop(key)  # the series was begun anew
                last = None
            new = _new_bars(closed, last=last, first=change.first)
            if last is None and whole:
                # Bars that came while nobody looked; judged ones are not judged again.
                new = max(new, min(MOST_MISSED, len(closed)))
            if change.count > MOST_NEW or new > MOST_NEW:
                new = 1
            steps = await asyncio.to_thread(self._numbers.seed, key, closed, new=new)
        return steps, new, closed if whole else None

    # --- showing --------------------------------------------------------------------------------

    async def _show(self, key: Key, steps: Sequence[BarStep]) -> None:
        newest = steps[-1] if steps else self._numbers.newest(key)
        if newest is None:
            return
        if steps or key not in self._open:
            self._publish(key, newest.bar, newest.now, (), provisional=False)
        bar = self._open.get(key)
        if bar is None:
            return
        if bar.timestamp <= newest.bar.timestamp:
            del self._open[key]  # it has closed
            return
        numbers = self._numbers.preview(key, bar)
        if numbers is None:
            closed = await self._bars.closed(key, now=self._clock())
            numbers = await asyncio.to_thread(self._numbers.with_open, key, closed, bar)
        self._publish(key, bar, numbers, (), provisional=True)

    def _show_fired(self, key: Key, fired: Sequence[MarketSignal]) -> None:
        """Show the newest bar again with the signals that were found meanwhile."""
        newest = self._numbers.newest(key)
        if newest is not None:
            self._publish(key, newest.bar, newest.now, fired, provisional=False)

    def _publish(
        self,
        key: Key,
        bar: LiveBar,
        numbers: dict[str, float | None],
        fired: Sequence[MarketSignal],
        *,
        provisional: bool,
    ) -> None:
        self._ticker.publish(
            MarketFrame(
                symbol=key[0],
                timeframe=key[1],
                bar=bar,
                indicators=numbers,
                signals=tuple(fired),
                provisional=provisional,
                replay=is_replay(key[0]),
            )
        )

    def _report(self) -> None:
        now = self._monotonic()
        if now - self._reported_at >= _REPORT_S:
            self._reported_at = now
            log.info(
                "live.progress",
                series=len(self._numbers),
                waiting=len(self._changed),
                signals_waiting=len(self._signals or ()),
                **msgspec.to_builtins(self.lag.summary()),
            )


def _new_bars(closed: Bars, *, last: datetime | None, first: datetime | None) -> int:
    """Count the bars behind the last one that was seen; without one, those from `first` on."""
    if last is not None:
        return len(closed) - int(np.searchsorted(closed.timestamps, moment(last), side="right"))
    if first is not None:
        return len(closed) - int(np.searchsorted(closed.timestamps, moment(first), side="left"))
    return 0
