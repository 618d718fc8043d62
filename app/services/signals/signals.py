"""Signals kept up to date with the bars: fired, stored, ended and graded, each exactly once.

Whoever brings a bar may call `refresh`; doing it again changes nothing, in this process or another.
What was shown stays: a stored signal keeps its confidence, is never deleted, and is marked when a
correction of bars takes it away.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

import structlog

from app.domain.errors import Conflict, Invalid, NotFound, Unavailable
from app.domain.signals import SignalFilter, SignalPlan
from app.services.paging import Page, checked_limit, cut, decode_cursor
from app.services.signals.signal_plans import (
    READ,
    Reading,
    is_as_read,
    joined,
    lately_fired,
    make_plan,
    revisited_from,
    without_paths,
)
from app.services.signals.signal_store import SignalStore
from tools.analytics.cases import Cases, pool
from tools.analytics.event_study import Baseline
from tools.analytics.firings import KINDS, VALID_BARS
from tools.case_book import baselines_of
from tools.errors import UnknownSymbol
from tools.market.bars import TIMEFRAMES
from tools.market.instruments import Instrument
from tools.market.intake import BarsStored
from tools.market.signals import STATES, MarketSignal, Scorecard, market_of
from tools.market.store import BarStore, InstrumentStore
from tools.opinions import OpinionBook, Opinions
from tools.scorecards import scorecard
from tools.signal_views import RULES

log = structlog.get_logger(__name__)

Key = tuple[str, str]
"""A symbol and a timeframe."""
Pools = Mapping[Key, Mapping[str, Cases]]
"""The cases of whole markets: by market and timeframe, by kind."""
_ATTEMPTS = 5
_EVER = datetime(1, 1, 2, tzinfo=UTC)
_PAUSE_S = 5.0
_LOOK_S = 60.0


class SignalBook:
    """The use cases of signals; also the `CaseBook` of the tools."""

    def __init__(
        self,
        store: SignalStore,
        instruments: InstrumentStore,
        bars: BarStore,
        *,
        clock: Callable[[], datetime],
        opinions: OpinionBook | None = None,
    ) -> None:
        """Args:
        opinions: what is said outside the prices, for signals that fire now.
        """
        self._store = store
        self._instruments = instruments
        self._bars = bars
        self._clock = clock
        self._opinions = opinions
        self._unread: dict[Key, bool] = {}
        self._heard = asyncio.Event()
        self._undelivered: dict[Key, list[MarketSignal]] = {}

    # --- keeping up with bars -------------------------------------------------------------------

    async def refresh(self, symbol: str, timeframe: str) -> list[MarketSignal]:
        """Store what is new, settle what is due, and return what fired anew.

        Of a history that was never read before only its last bar counts as new. What this
        process has found by itself since the last call is among it.

        Raises:
            UnknownSymbol: no such instrument.
            Unavailable: the database cannot be reached.
        """
        plan = await self._read_series(symbol, timeframe)
        fired = [] if plan is None else _anew(plan)
        return [*self._undelivered.pop((symbol, timeframe), ()), *fired]

    def bars_stored(self, stored: BarsStored) -> None:
        """Hear of new bars; they are read soon, by `keep_up`. Never waits."""
        key = (stored.symbol, stored.timeframe)
        self._unread[key] = self._unread.get(key, False) or stored.corrected
        self._heard.set()

    def look_again(self) -> None:
        """Have `keep_up` look for bars that nobody told of. Never waits."""
        self._heard.set()

    async def keep_up(self, on_progress: Callable[[str], None], *, after_s: float = 0.0) -> None:
        """Read everything there is, then whatever comes, told of or not, until cancelled.

        The first reading takes a core for a while: it begins `after_s`, when nobody waits for the
        start any more.
        """
        await asyncio.sleep(after_s)
        while True:
            try:
                await self.catch_up(on_progress)
            except Unavailable as away:
                log.warning("signals.waits", reason=away.code)
            try:
                async with asyncio.timeout(_LOOK_S):
                    await self._heard.wait()
            except TimeoutError:
                continue  # another process may have brought bars
            # Bars come in lots, and whoever shows them live calls `refresh` at once.
            await asyncio.sleep(_PAUSE_S)
            self._heard.clear()
            await self.read_unread()

    async def read_unread(self) -> None:
        """Read the series of which new bars were heard; those corrected, whole."""
        unread, self._unread = self._unread, {}
        for key, corrected in unread.items():
            await self._read_beside(key, whole=corrected)

    async def catch_up(self, on_progress: Callable[[str], None]) -> int:
        """Read every series whose bars were not read to the end; return how many there were."""
        pending = await self._store.pending(RULES, now=self._clock())
        if not pending:
            return 0
        on_progress(f"Reading signals out of {len(pending)} price histories ...")
        pools = await self._pools(pending)
        stored = 0
        for done, key in enumerate(pending, start=1):
            stored += await self._read_beside(key, pools=pools)
            if done % 50 == 0:
                on_progress(f"Read signals out of {done} of {len(pending)} price histories ...")
        on_progress(
            f"Stored {stored:,} signals of {len(pending)} price histories with their grades."
        )
        return len(pending)

    async def _read_beside(
        self, key: Key, *, whole: bool = False, pools: Pools | None = None
    ) -> int:
        """Read one series for nobody in particular; what fires is kept for whoever asks."""
        try:
            plan = await self._read_series(*key, whole=whole, pools=pools)
        except (UnknownSymbol, NotFound):
            return 0  # removed since
        except (Unavailable, Conflict) as away:
            log.warning("signals.waits", symbol=key[0], timeframe=key[1], reason=away.code)
            self._unread.setdefault(key, whole)
            return 0
        except Exception:
            # One series that cannot be computed must not end the others.
            log.exception("signals.series_failed", symbol=key[0], timeframe=key[1])
            return 0
        if plan is None:
            return 0
        self._keep(key, plan)
        return len(plan.new)

    def _keep(self, key: Key, plan: SignalPlan) -> None:
        """Keep what fired for whoever asks next; what is old already is news to nobody."""
        if plan.before is not None and (fired := _anew(plan)):
            self._undelivered[key] = fired

    async def _read_series(
        self,
        symbol: str,
        timeframe: str,
        *,
        whole: bool = False,
        pools: Pools | None = None,
    ) -> SignalPlan | None:
        """Read a series until nobody else did meanwhile; return what was written."""
        instrument = await self._instruments.find(symbol)
        if instrument is None:
            raise UnknownSymbol(symbol)
        for _ in range(_ATTEMPTS):
            plan = await self._plan(instrument, timeframe, whole=whole, pools=pools)
            if plan is None or await self._store.save(plan):
                return plan
        raise Conflict(f"The signals of {symbol} change too fast.")

    async def _plan(
        self,
        instrument: Instrument,
        timeframe: str,
        *,
        whole: bool,
        pools: Pools | None,
    ) -> SignalPlan | None:
        """Return what reading the bars changes; None when there is nothing new in them."""
        symbol, now = instrument.symbol, self._clock()
        stored = await self._store.progress(symbol, timeframe)
        before = stored if stored is not None and stored.model_id == RULES and not whole else None
        read = await self._bars.read(
            symbol, timeframe=timeframe, end=now, limit=READ if before is not None else None
        )
        bars = read.closed_by(now)
        if before is not None and not is_as_read(bars, before):
            before = None
            bars = (await self._bars.read(symbol, timeframe=timeframe, end=now)).closed_by(now)
        if not len(bars):
            return None
        if before is not None and bars.time(-1) <= before.through:
            return None
        reading = await asyncio.to_thread(Reading, bars)
        start = revisited_from(bars, before)
        since = _EVER if before is None else bars.time(start)
        known = await self._store.known(symbol, timeframe, model_id=RULES, since=since)
        market = market_of(instrument)
        if pools is not None and (market, timeframe) in pools:
            cases: Mapping[str, Cases] = pools[market, timeframe]
        else:
            stored_ids = {one.id for one in known}
            kinds = {
                firing.like
                for key, (firing, _, _) in reading.since(start).items()
                if key not in stored_ids
            }
            others = await self.cases(market, timeframe, before=now, kinds=sorted(kinds))
            cases = await asyncio.to_thread(
                joined, others, reading.cases(), symbol, since=int(since.timestamp())
            )
        said: Mapping[int, Opinions] = {}
        if self._opinions is not None:
            lately = lately_fired(reading, start=start, known=known, now=now)
            said = await self._opinions.at_closes(instrument, bars, lately)
        return await asyncio.to_thread(
            make_plan,
            instrument,
            reading,
            start=start,
            known=known,
            cases=cases,
            before=stored,
            now=now,
            opinions=said,
        )

    async def _pools(self, pending: Sequence[Key]) -> dict[Key, dict[str, Cases]]:
        """Return all cases of the markets of `pending`: those stored and those about to be."""
        found: dict[Key, dict[str, list[Cases]]] = {}
        for symbol, timeframe in pending:
            instrument = await self._instruments.find(symbol)
            if instrument is None:
                continue
            market = market_of(instrument)
            if (market, timeframe) not in found:
                others = await self.cases(market, timeframe, before=self._clock())
                again = [one for one, frame in pending if frame == timeframe]
                found[market, timeframe] = {
                    like: [without_paths(cases, of=again)] for like, cases in others.items()
                }
            bars = await self._bars.read(symbol, timeframe=timeframe, end=self._clock())
            if len(bars := bars.closed_by(self._clock())):
                reading = await asyncio.to_thread(Reading, bars)
                for like, own in reading.cases().items():
                    found[market, timeframe][like].append(without_paths(own))
        return {key: {like: pool(parts) for like, parts in by.items()} for key, by in found.items()}

    # --- what tools ask -------------------------------------------------------------------------

    async def cases(
        self,
        market: str,
        timeframe: str,
        *,
        before: datetime,
        kinds: Sequence[str] = KINDS,
        paths: bool = False,
    ) -> Mapping[str, Cases]:
        """Return the stored cases of a market by kind, settled at or before `before`."""
        return await self._store.cases(
            market, timeframe, model_id=RULES, kinds=kinds, before=before, paths=paths
        )

    async def baselines(
        self, symbols: Sequence[str], timeframe: str, *, before: datetime
    ) -> Mapping[str, Baseline]:
        """Return what prices of these symbols do after any bar; those without bars are left out."""
        return await baselines_of(self._bars, symbols, timeframe, before=before)

    # --- what people ask ------------------------------------------------------------------------

    async def page(
        self,
        *,
        symbol: str | None,
        signal_type: str | None,
        timeframe: str | None,
        state: str | None,
        cursor: str | None,
        limit: int,
    ) -> Page[MarketSignal]:
        """Return stored signals, the newest first.

        Raises:
            Invalid: a filter has a value it cannot have, or the cursor is not ours.
        """
        limit = checked_limit(limit)
        _one_of("signalType", signal_type, tuple(VALID_BARS))
        _one_of("timeframe", timeframe, tuple(TIMEFRAMES))
        _one_of("state", state, STATES)
        asked = SignalFilter(
            symbol=symbol,
            signal_type=signal_type,
            timeframe=timeframe,
            state=next((one for one in STATES if one == state), None),
        )
        found = await self._store.page(asked, after=decode_cursor(cursor), limit=limit + 1)
        return cut(found, limit, lambda signal: (signal.valid_from, signal.id))

    async def scorecard(
        self, instrument: Instrument | None, *, signal_type: str | None, timeframe: str
    ) -> Scorecard:
        """Return how each kind did over the markets of the desk, or that of one instrument.

        Raises:
            Invalid: the type or timeframe is unknown.
        """
        _one_of("signalType", signal_type, tuple(VALID_BARS))
        _one_of("timeframe", timeframe, tuple(TIMEFRAMES))
        among = await self._instruments.all() if instrument is None else [instrument]
        return await scorecard(
            self,
            sorted({market_of(one) for one in among}),
            timeframe,
            before=self._clock(),
            symbol=None if instrument is None else instrument.symbol,
            signal_type=signal_type,
        )

    async def signal(self, signal_id: UUID) -> MarketSignal:
        """Return one signal with its grade.

        Raises:
            NotFound: there is none of that id.
        """
        found = await self._store.find(signal_id)
        if found is None:
            raise NotFound("There is no such signal.")
        return found

    async def compute(self, symbol: str, timeframe: str) -> list[MarketSignal]:
        """Bring the signals of a symbol up to date now and return those that hold.

        Raises:
            Invalid: the timeframe is unknown.
            UnknownSymbol: no such instrument.
        """
        _one_of("timeframe", timeframe, tuple(TIMEFRAMES))
        plan = await self._read_series(symbol, timeframe)
        if plan is not None:
            self._keep((symbol, timeframe), plan)
        return await self._store.active(symbol, timeframe)


def _anew(plan: SignalPlan) -> list[MarketSignal]:
    """Return what fired at bars that had not been read before."""
    last = plan.after.through
    known = plan.before is not None and plan.before.model_id == RULES
    since = plan.before.through if plan.before is not None and known else None
    return [
        new.signal
        for new in plan.new
        if (new.signal.valid_from > since if since is not None else new.signal.valid_from == last)
    ]


def _one_of(name: str, value: str | None, allowed: Sequence[str]) -> None:
    if value is not None and value not in allowed:
        raise Invalid(f"`{name}` must be one of {', '.join(allowed)}.")
