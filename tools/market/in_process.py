"""Instruments with their actions, and suspects, in memory: two parts of `store.InProcessMarket`."""

from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime, timedelta
from uuid import UUID, uuid4

import msgspec

from tools.errors import SymbolTaken, UnknownSymbol
from tools.market.actions import Action, ActionKind
from tools.market.instruments import FormerSymbol, Instrument
from tools.market.records import NewSuspect, Suspect, SuspectStatus


def archived(symbol: str, last_day: date) -> str:
    """Return what a delisted instrument is called once its symbol is somebody else's."""
    return f"{symbol}@{last_day}"


class InProcessInstruments:
    """Which instruments there are, what they were called, and what happened to them."""

    def __init__(
        self, instruments: Iterable[Instrument] = (), *, clock: Callable[[], datetime]
    ) -> None:
        self._clock = clock
        self._by_id: dict[UUID, Instrument] = {}
        self._owner: dict[str, UUID] = {}
        self._actions: dict[UUID, list[Action]] = {}
        for instrument in instruments:
            self._create(instrument)

    async def put(self, instrument: Instrument) -> None:
        owner = self._owner.get(instrument.symbol)
        if owner is None:
            self._create(instrument)
            return
        stored = self._by_id[owner]
        listed, gone = instrument.listed_on, stored.delisted_on
        if listed is not None and gone is not None and listed > gone:
            self._archive(owner)
            self._create(instrument)
            return
        self._by_id[owner] = msgspec.structs.replace(
            stored,
            name=instrument.name,
            kind=instrument.kind,
            currency=instrument.currency,
            exchange=instrument.exchange,
            source=instrument.source,
            provenance=instrument.provenance,
            listed_on=instrument.listed_on or stored.listed_on,
            contract=instrument.contract or stored.contract,
            continuous=instrument.continuous or stored.continuous,
        )

    async def futures(self) -> list[Instrument]:
        found = [one for one in self._by_id.values() if one.contract or one.continuous]
        return sorted(found, key=lambda one: one.symbol)

    async def actions(self, symbol: str) -> list[Action]:
        every = self._actions[self._id(symbol)]
        return sorted(every, key=lambda one: (one.ex_date, one.kind, one.known_at))

    async def add_action(self, symbol: str, action: Action) -> Action:
        owner = self._id(symbol)
        before = self._valid(owner, action.ex_date, action.kind)
        if before is not None:
            same = msgspec.structs.replace(action, known_at=before.known_at)
            if same == before:
                return before
        if action.kind == "symbol_change" and action.new_symbol is not None:
            self._rename(owner, action.new_symbol, action.ex_date)
        if action.kind == "delisting":
            stored = self._by_id[owner]
            self._by_id[owner] = msgspec.structs.replace(stored, delisted_on=action.ex_date)
        if before is not None:
            self._withdraw(owner, before, action.known_at)
        self._actions[owner].append(action)
        return action

    async def withdraw_action(self, symbol: str, *, ex_date: date, kind: ActionKind) -> bool:
        owner = self._id(symbol)
        before = self._valid(owner, ex_date, kind)
        if before is None:
            return False
        self._withdraw(owner, before, self._clock())
        if kind == "delisting":
            stored = self._by_id[owner]
            self._by_id[owner] = msgspec.structs.replace(stored, delisted_on=None)
        return True

    def _create(self, instrument: Instrument) -> None:
        owner = instrument.id or uuid4()
        self._by_id[owner] = instrument
        self._owner[instrument.symbol] = owner
        self._actions[owner] = []

    def _id(self, symbol: str) -> UUID:
        if symbol not in self._owner:
            raise UnknownSymbol(symbol)
        return self._owner[symbol]

    def _called(self, symbol: str, on: date | None) -> UUID | None:
        """Return who is meant by a symbol, on a day or now."""
        former = sorted(
            (
                (one.valid_to, one, owner)
                for owner, instrument in self._by_id.items()
                for one in instrument.former_symbols
                if one.symbol == symbol
            ),
            key=lambda one: one[0],
            reverse=True,
        )
        for _, one, owner in former:
            if on is not None and (one.valid_from or date.min) <= on < one.valid_to:
                return owner
        if symbol in self._owner:
            return self._owner[symbol]
        return former[0][2] if former else None

    def _valid(self, owner: UUID, ex_date: date, kind: ActionKind) -> Action | None:
        for one in self._actions[owner]:
            if (one.ex_date, one.kind) == (ex_date, kind) and one.withdrawn_at is None:
                return one
        return None

    def _withdraw(self, owner: UUID, action: Action, at: datetime) -> None:
        at = max(at, action.known_at + timedelta(microseconds=1))
        self._actions[owner].remove(action)
        self._actions[owner].append(msgspec.structs.replace(action, withdrawn_at=at))

    def _rename(self, owner: UUID, symbol: str, on: date) -> None:
        other = self._owner.get(symbol)
        if other == owner:
            return
        if other is not None:
            if self._by_id[other].delisted_on is None:
                raise SymbolTaken(symbol)
            self._archive(other)
        self._call(owner, symbol, until=on)

    def _archive(self, owner: UUID) -> None:
        instrument = self._by_id[owner]
        if instrument.delisted_on is None:
            raise SymbolTaken(instrument.symbol)
        last = instrument.delisted_on
        self._call(owner, archived(instrument.symbol, last), until=last + timedelta(days=1))

    def _call(self, owner: UUID, symbol: str, *, until: date) -> None:
        """Give an instrument another symbol from a day on."""
        instrument = self._by_id[owner]
        former = instrument.former_symbols
        since = former[0].valid_to if former else instrument.listed_on
        was = FormerSymbol(symbol=instrument.symbol, valid_from=since, valid_to=until)
        del self._owner[instrument.symbol]
        self._owner[symbol] = owner
        self._by_id[owner] = msgspec.structs.replace(
            instrument, symbol=symbol, former_symbols=(was, *former)
        )


class InProcessSuspects:
    """The quarantine."""

    def __init__(self, *, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._suspects: dict[UUID, Suspect] = {}

    async def quarantine(
        self, symbol: str, timeframe: str, suspects: Sequence[NewSuspect], *, source: str
    ) -> list[SuspectStatus]:
        known = {
            one.numbers: one
            for one in self._suspects.values()
            if (one.symbol, one.timeframe) == (symbol, timeframe)
        }
        stand: list[SuspectStatus] = []
        for one in suspects:
            before = known.get(one.numbers)
            if before is None:
                before = Suspect(
                    **msgspec.structs.asdict(one),
                    id=uuid4(),
                    symbol=symbol,
                    timeframe=timeframe,
                    source=source,
                    status="quarantined",
                    arrived_at=self._clock(),
                )
                self._suspects[before.id] = known[one.numbers] = before
            stand.append(before.status)
        return stand

    async def suspects(
        self,
        symbol: str | None = None,
        *,
        status: SuspectStatus | None = "quarantined",
        after: UUID | None = None,
        limit: int = 200,
    ) -> list[Suspect]:
        newest_first = list(reversed(self._suspects.values()))
        if after is not None:
            ids = [one.id for one in newest_first]
            newest_first = newest_first[ids.index(after) + 1 :] if after in ids else []
        found = [
            one
            for one in newest_first
            if (symbol is None or one.symbol == symbol) and (status is None or one.status == status)
        ]
        return found[:limit]

    async def suspect(self, suspect_id: UUID) -> Suspect | None:
        return self._suspects.get(suspect_id)

    async def decide(self, suspect_id: UUID, status: SuspectStatus, *, by: str) -> bool:
        found = self._suspects.get(suspect_id)
        if found is None or found.status != "quarantined":
            return False
        self._suspects[suspect_id] = msgspec.structs.replace(
            found, status=status, decided_at=self._clock(), decided_by=by
        )
        return True
