"""Where prices are kept, as those who need them ask for it.

Two implementations: `tools.market.store.InProcessMarket` in memory, `app.storage` on Postgres. One
suite of tests holds both to what is written here.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Protocol
from uuid import UUID

from tools.market.actions import Action, ActionKind
from tools.market.bars import Bars
from tools.market.instruments import Instrument
from tools.market.intake import BarsStored
from tools.market.records import BarVersion, NewSuspect, Suspect, SuspectStatus


class InstrumentStore(Protocol):
    """Knows which symbols exist, and what happened to the companies behind them."""

    async def all(self) -> list[Instrument]:
        """Return every instrument by symbol, with its span of daily bars."""
        ...

    async def find(self, symbol: str, *, on: date | None = None) -> Instrument | None:
        """Return the instrument of exactly this symbol.

        With `on` it is the one that was called so on that day. Otherwise the one that is called so
        now, else the one that was so last.
        """
        ...

    async def put(self, instrument: Instrument) -> None:
        """Create the instrument or bring what is stored about its symbol up to date.

        Where the symbol's owner was delisted and `listed_on` is later, the symbol goes to a new
        instrument, and the old one keeps its bars under `SYMBOL@LAST-DAY`.
        """
        ...

    async def futures(self) -> list[Instrument]:
        """Return the contracts and the series made of them, by symbol."""
        ...

    async def actions(self, symbol: str) -> list[Action]:
        """Return all actions of an instrument, also those withdrawn, by date.

        Raises:
            UnknownSymbol: no such instrument.
        """
        ...

    async def add_action(self, symbol: str, action: Action) -> Action:
        """Store an action; one of the same day and kind that says otherwise is withdrawn.

        A new symbol and a delisting are carried out. Doing it again changes nothing. Return what is
        stored.

        Raises:
            UnknownSymbol: no such instrument.
            SymbolTaken: another instrument is called by the new symbol.
        """
        ...

    async def withdraw_action(self, symbol: str, *, ex_date: date, kind: ActionKind) -> bool:
        """Say that an action was wrong; return False if there is none.

        Raises:
            UnknownSymbol: no such instrument.
        """
        ...


class BarStore(Protocol):
    """Keeps bars as their source gave them, raw and adjusted apart, with every version."""

    async def read(
        self,
        symbol: str,
        *,
        timeframe: str = "1d",
        start: datetime | None = None,
        end: datetime | None = None,
        limit: int | None = None,
        known_at: datetime | None = None,
        backfilled: bool = False,
    ) -> Bars:
        """Return the newest `limit` bars that opened from `start` to `end`, both included.

        With `known_at` they are those that the desk knew at that moment, as it knew them, and so
        are their actions; with `backfilled` also those that came later, as they first came.

        Raises:
            UnknownSymbol: no such instrument.
        """
        ...

    async def read_many(
        self,
        symbols: Sequence[str],
        *,
        timeframe: str = "1d",
        end: datetime | None = None,
        limit: int,
        known_at: datetime | None = None,
        backfilled: bool = False,
    ) -> dict[str, Bars]:
        """Return the newest `limit` bars of each symbol that opened by `end`, in a few reads.

        `known_at` and `backfilled` as in `read`.

        Symbols that nobody knows or that have no bars are left out.
        """
        ...

    async def replace(self, bars: Bars) -> int:
        """Make `bars` all there is of their symbol and timeframe; return how many they are.

        Doing it again changes nothing. It is one step: no reader sees half of it. What was there
        stays as a version.

        Raises:
            UnknownSymbol: no such instrument.
        """
        ...

    async def add(self, bars: Bars) -> BarsStored | None:
        """Insert `bars` among what is stored; a bar at a known time supersedes the old one.

        Return which of them are new or differ from what was there; None if none do.

        Raises:
            UnknownSymbol: no such instrument.
            MixedBasis: what is stored is on another basis.
        """
        ...

    async def versions(
        self, symbol: str, *, timeframe: str, timestamp: datetime
    ) -> list[BarVersion]:
        """Return everything that was ever believed of one bar, oldest first."""
        ...

    async def quarantine(
        self, symbol: str, timeframe: str, suspects: Sequence[NewSuspect], *, source: str
    ) -> list[SuspectStatus]:
        """Keep bars that nobody believes, each once; return where each of them stands.

        Raises:
            UnknownSymbol: no such instrument.
        """
        ...

    async def suspects(
        self,
        symbol: str | None = None,
        *,
        status: SuspectStatus | None = "quarantined",
        after: UUID | None = None,
        limit: int = 200,
    ) -> list[Suspect]:
        """Return suspects, newest arrival first; `after`: those that arrived before this one."""
        ...

    async def suspect(self, suspect_id: UUID) -> Suspect | None:
        """Return one suspect."""
        ...

    async def decide(self, suspect_id: UUID, status: SuspectStatus, *, by: str) -> bool:
        """Say what became of a suspect; return False if that was said already."""
        ...
