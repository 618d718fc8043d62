"""Keep the series that are made of contracts up to what is stored of the contracts.

A series has no bars of its own: whenever contracts bring daily bars it is made anew by its rule,
and only what differs is written, as bars with versions and rolls with the moment they were known.
"""

import asyncio
import contextlib
from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Self

import msgspec
import structlog

from app.domain.errors import Conflict, Invalid, Unavailable
from tools.market.actions import known
from tools.market.bars import Bars
from tools.market.futures import BadContracts, Chain, Continuous, Contract, chain, check_order
from tools.market.instruments import Instrument
from tools.market.intake import BarsStored
from tools.market.store import BarStore, InstrumentStore

log = structlog.get_logger(__name__)

KIND = "future"
MOST_BARS = 20_000
"""Daily bars read of a contract: more than any was ever traded."""
_PAUSE_S = 1.0


class Futures:
    """Makes the series; as an async context manager also whenever a contract brings bars."""

    def __init__(
        self,
        instruments: InstrumentStore,
        bars: BarStore,
        *,
        clock: Callable[[], datetime],
        tell: Callable[[BarsStored], None],
    ) -> None:
        self._instruments = instruments
        self._bars = bars
        self._clock = clock
        self._tell = tell
        self._changed: set[str] = set()
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._worker: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._worker = asyncio.create_task(self._work(), name="futures")
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._worker is not None:
            self._worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._worker

    def bars_stored(self, stored: BarsStored) -> None:
        """Note that an instrument has daily bars that it had not. Never waits."""
        if stored.timeframe == "1d":
            self._changed.add(stored.symbol)
            self._idle.clear()
            self._wake.set()

    async def idle(self) -> None:
        """Return once every series is made of what was noted."""
        await self._idle.wait()

    async def check(self, instrument: Instrument) -> None:
        """Return if an instrument can be stored as the contract or the series it says it is.

        Raises:
            Invalid: its fields do not fit together.
            Conflict: `contract_taken`, another contract of the root expires that day.
        """
        contract, series = instrument.contract, instrument.continuous
        if contract is None and series is None:
            return
        if contract is not None and series is not None:
            raise Invalid("Give `contract` or `continuous`: one instrument is not both.")
        if instrument.kind != KIND:
            raise Invalid(f"`kind` of a contract or a series of them is {KIND!r}.")
        root = (contract or series).root  # type: ignore[union-attr]  # one of them is there
        if not 1 <= len(root) <= 32 or root != root.strip().upper():
            raise Invalid("`root` must have 1 to 32 signs, in capitals, e.g. CL.")
        if contract is not None and contract.deadline > contract.expires_on:
            raise Invalid(f"`rollsOn` is after `expiresOn`, {contract.expires_on}.")
        order = [] if contract is None else [(contract, instrument.symbol)]
        for one in await self._instruments.futures():
            if one.symbol == instrument.symbol:
                if (one.contract is None) != (contract is None):
                    raise Invalid(f"{one.symbol} is a contract or a series already, not both.")
            elif one.contract is not None and one.contract.root == root:
                if contract is not None and one.contract.expires_on == contract.expires_on:
                    raise Conflict(
                        f"{one.symbol} is the contract of {root} that expires on "
                        f"{contract.expires_on}.",
                        code="contract_taken",
                    )
                if one.currency != instrument.currency:
                    raise Invalid(f"Contracts of {root} are quoted in {one.currency}.")
                order.append((one.contract, one.symbol))
        try:
            check_order(order)
        except BadContracts as bad:
            raise Invalid(f"{bad}") from bad

    async def make(self, symbols: Collection[str] | None = None) -> list[Chain]:
        """Make the series that contracts of these symbols are in, or that are called so; None: all.

        Raises:
            BadContracts: a series cannot be made of its contracts; the others are made.
        """
        every = await self._instruments.futures()
        roots = {_root(one) for one in every if symbols is None or one.symbol in symbols}
        made: list[Chain] = []
        bad: BadContracts | None = None
        for one in every:
            if one.continuous is None or one.continuous.root not in roots:
                continue
            try:
                made.append(await self._make(one, one.continuous, every))
            except BadContracts as error:
                bad = bad or error
                await self._say(one, held=None, problem=str(error), contracts=())
        if bad is not None:
            raise bad
        return made

    async def _make(
        self, instrument: Instrument, series: Continuous, every: Sequence[Instrument]
    ) -> Chain:
        mine: dict[str, Contract] = {
            one.symbol: one.contract
            for one in every
            if one.contract is not None and one.contract.root == series.root
        }
        now = self._clock()
        read = await self._bars.read_many(list(mine), limit=MOST_BARS)
        made = await asyncio.to_thread(
            chain,
            [(mine[symbol], bars.closed_by(now)) for symbol, bars in read.items()],
            series,
            symbol=instrument.symbol,
            source=instrument.source,
            known_at=now,
        )
        await self._keep_rolls(instrument.symbol, made)
        await self._keep_bars(instrument.symbol, made.bars)
        used = [one.from_contract for one in made.rolls if one.from_contract is not None]
        last = () if made.held is None else (made.held,)
        await self._say(instrument, held=made.held, problem=made.problem, contracts=(*used, *last))
        return made

    async def _keep_rolls(self, symbol: str, made: Chain) -> None:
        planned = {one.ex_date for one in made.rolls}
        for one in known(await self._instruments.actions(symbol), None):
            if one.kind == "roll" and one.ex_date not in planned:
                await self._instruments.withdraw_action(symbol, ex_date=one.ex_date, kind="roll")
        for one in made.rolls:
            await self._instruments.add_action(symbol, one)

    async def _keep_bars(self, symbol: str, bars: Bars) -> None:
        stored = await self._bars.read(symbol)
        if set(stored.epochs().tolist()) - set(bars.epochs().tolist()):
            # A day that is of no held contract any more: what was there stays as a version.
            await self._bars.replace(bars)
            if len(bars):
                self._tell(
                    BarsStored(
                        symbol=symbol,
                        timeframe="1d",
                        first=bars.time(0),
                        last=bars.time(-1),
                        count=len(bars),
                        corrected=True,
                    )
                )
            return
        told = await self._bars.add(bars)
        if told is not None:
            self._tell(told)

    async def _say(
        self,
        instrument: Instrument,
        *,
        held: str | None,
        problem: str | None,
        contracts: Sequence[str],
    ) -> None:
        provenance = {
            **instrument.provenance,
            "madeOf": list(contracts),
            "held": held,
            "problem": problem,
        }
        if provenance != instrument.provenance:
            await self._instruments.put(msgspec.structs.replace(instrument, provenance=provenance))
        if problem is not None:
            log.warning("futures.series_ends", symbol=instrument.symbol, reason=problem)

    async def _work(self) -> None:
        while True:
            if not self._changed:
                self._idle.set()
            await self._wake.wait()
            self._wake.clear()
            symbols, self._changed = self._changed, set()
            try:
                await self.make(symbols)
            except BadContracts as bad:
                log.warning("futures.no_series", reason=str(bad))
            except Unavailable as away:
                log.warning("futures.waits", reason=away.code)
                self._changed |= symbols
                self._wake.set()
                await asyncio.sleep(_PAUSE_S)
            except Exception:
                # One series that cannot be made must not end the others.
                log.exception("futures.failed")


def _root(instrument: Instrument) -> str | None:
    one = instrument.contract or instrument.continuous
    return None if one is None else one.root
