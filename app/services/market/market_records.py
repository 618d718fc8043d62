"""What stands behind the prices: actions, versions, suspects, gaps."""

import asyncio
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Literal
from uuid import UUID

import msgspec

from app.domain.errors import Conflict, Invalid, NotFound, TooLarge
from app.domain.text import clean_text
from app.services.market.bar_intake import BarIntake
from app.services.market.instruments import find_instrument
from app.services.market.market import SYMBOL_RULE, checked_timeframe, is_symbol
from app.services.paging import Page, checked_limit
from tools.errors import SymbolTaken
from tools.market.actions import Action, ActionKind, Adjustment, known
from tools.market.currencies import code, in_units_of
from tools.market.gaps import GapReport, TooLong, report
from tools.market.instruments import Instrument
from tools.market.records import BarVersion, Suspect, SuspectStatus
from tools.market.store import BarStore, InstrumentStore

_MOST_SHARES = Decimal(1_000_000)
_MOST_PAID = Decimal(1_000_000_000)


class NewAction(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody says that happened to an instrument."""

    kind: ActionKind
    ex_date: date
    source: str
    new_shares: Decimal | None = None
    old_shares: Decimal | None = None
    amount: Decimal | None = None
    currency: str | None = None
    new_symbol: str | None = None
    note: str | None = None
    from_contract: str | None = None
    to_contract: str | None = None
    from_price: Decimal | None = None
    to_price: Decimal | None = None
    adjustment: Adjustment | None = None


class Versions(msgspec.Struct, frozen=True, rename="camel"):
    """Everything that was ever believed of one bar."""

    symbol: str
    timeframe: str
    timestamp: datetime
    items: list[BarVersion]
    """Oldest first."""


class MarketRecords:
    """The use cases."""

    def __init__(
        self,
        instruments: InstrumentStore,
        bars: BarStore,
        intake: BarIntake,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._instruments = instruments
        self._bars = bars
        self._intake = intake
        self._clock = clock

    async def actions(self, symbol: str) -> list[Action]:
        """Return all actions of an instrument, also those withdrawn, by date.

        Raises:
            NotFound: `unknown_symbol`.
        """
        instrument = await find_instrument(self._instruments, symbol)
        return await self._instruments.actions(instrument.symbol)

    async def add_action(self, symbol: str, new: NewAction) -> Action:
        """Store an action; one of the same day and kind that says otherwise is withdrawn.

        Raises:
            NotFound: `unknown_symbol`.
            Invalid: the fields do not fit the kind.
            Conflict: `symbol_taken`.
        """
        instrument = await find_instrument(self._instruments, symbol)
        action = _checked(new, instrument, self._clock())
        if action.kind == "roll":
            await self._check_roll(action, instrument)
        try:
            return await self._instruments.add_action(instrument.symbol, action)
        except SymbolTaken as error:
            raise Conflict(error.message, code=error.code) from error

    async def withdraw_action(self, symbol: str, *, ex_date: date, kind: ActionKind) -> None:
        """Say that an action was wrong.

        Raises:
            NotFound: `unknown_symbol`, or there is no such action.
            Invalid: a change of symbol is not undone; it is changed back.
        """
        if kind == "symbol_change":
            raise Invalid("A change of symbol is not withdrawn: add one back to the old symbol.")
        instrument = await find_instrument(self._instruments, symbol)
        if kind == "roll" and instrument.continuous is not None:
            raise Invalid(_FOLLOWS)
        done = await self._instruments.withdraw_action(
            instrument.symbol, ex_date=ex_date, kind=kind
        )
        if not done:
            raise NotFound(f"{instrument.symbol} has no {kind} on {ex_date}.")

    async def _check_roll(self, action: Action, instrument: Instrument) -> None:
        if instrument.continuous is not None:
            raise Invalid(_FOLLOWS)
        if instrument.kind != "future":
            raise Invalid(f"{instrument.symbol} is no future: `kind` is {instrument.kind!r}.")
        for one in known(await self._instruments.actions(instrument.symbol), None):
            if one.kind == "roll" and one.adjustment != action.adjustment:
                raise Invalid(
                    f"The rolls of {instrument.symbol} are adjusted by {one.adjustment}; a series "
                    f"has one way."
                )

    async def versions(self, symbol: str, timeframe: str, timestamp: datetime) -> Versions:
        """Return everything that was ever believed of one bar.

        Raises:
            NotFound: `unknown_symbol`.
            Invalid: the timeframe is unknown.
        """
        checked_timeframe(timeframe)
        instrument = await find_instrument(self._instruments, symbol)
        found = await self._bars.versions(
            instrument.symbol, timeframe=timeframe, timestamp=timestamp
        )
        return Versions(instrument.symbol, timeframe, timestamp, found)

    async def suspects(
        self,
        symbol: str | None,
        *,
        status: SuspectStatus | None,
        cursor: str | None,
        limit: int,
    ) -> Page[Suspect]:
        """Return suspects, newest arrival first.

        Raises:
            NotFound: `unknown_symbol`.
            Invalid: the cursor or the limit cannot be used.
        """
        limit = checked_limit(limit)
        if symbol is not None:
            symbol = (await find_instrument(self._instruments, symbol)).symbol
        try:
            after = None if cursor is None else UUID(cursor)
        except ValueError:
            raise Invalid("`cursor` is not one this server gave out.") from None
        found = await self._bars.suspects(symbol, status=status, after=after, limit=limit + 1)
        shown = found[:limit]
        return Page(shown, str(shown[-1].id) if len(found) > limit else None)

    async def decide(
        self, suspect_id: UUID, decision: Literal["accepted", "rejected"], *, by: str
    ) -> Suspect:
        """Let a suspect in among the bars, or turn it away.

        Raises:
            NotFound: there is no such suspect.
            Invalid: it is to be accepted and cannot be true.
            Conflict: `already_decided`, otherwise than asked.
        """
        suspect = await self._bars.suspect(suspect_id)
        if suspect is None:
            raise NotFound("There is no such suspect.")
        if suspect.status == decision:
            return suspect
        if decision == "accepted":
            done = await self._intake.accept(suspect, by=by)
        else:
            done = await self._bars.decide(suspect_id, "rejected", by=by)
        if not done:
            raise Conflict("Somebody decided this one already.", code="already_decided")
        decided = await self._bars.suspect(suspect_id)
        return suspect if decided is None else decided

    async def gaps(
        self, symbol: str, timeframe: str, *, start: datetime | None, end: datetime | None
    ) -> GapReport:
        """Return which bars are missing between the first and the last of a span.

        Raises:
            NotFound: `unknown_symbol`.
            Invalid: the timeframe is unknown.
            TooLarge: more than two million bars would have to be compared.
        """
        checked_timeframe(timeframe)
        instrument = await find_instrument(self._instruments, symbol)
        bars = await self._bars.read(instrument.symbol, timeframe=timeframe, start=start, end=end)
        try:
            return await asyncio.to_thread(report, bars)
        except TooLong as error:
            raise TooLarge(f"{error}.") from error


def _checked(new: NewAction, instrument: Instrument, now: datetime) -> Action:
    """Return the action if its fields fit its kind."""
    source = clean_text(new.source).strip()
    if not 1 <= len(source) <= 200:
        raise Invalid("`source` must have 1 to 200 characters.")
    note = None if new.note is None else clean_text(new.note).strip()[:1000]
    given = {name for name in _CAMEL if getattr(new, name) is not None}
    needed, allowed = _FIELDS[new.kind]
    if needed - given or given - allowed:
        names = ", ".join(sorted(_CAMEL[name] for name in needed)) or "none of the optional fields"
        raise Invalid(f"A {new.kind.replace('_', ' ')} needs {names}, and nothing else.")
    for name in ("new_shares", "old_shares"):
        shares: Decimal | None = getattr(new, name)
        if shares is not None and not (shares.is_finite() and 0 < shares <= _MOST_SHARES):
            raise Invalid(f"`{_CAMEL[name]}` must be above 0 and at most {_MOST_SHARES:,}.")
    if new.amount is not None and not (new.amount.is_finite() and 0 < new.amount <= _MOST_PAID):
        raise Invalid(f"`amount` must be above 0 and at most {_MOST_PAID:,}.")
    contracts = [_contract(name, getattr(new, name)) for name in ("from_contract", "to_contract")]
    if new.kind == "roll" and contracts[0] == contracts[1]:
        raise Invalid("`fromContract` and `toContract` are the same.")
    for name in ("from_price", "to_price"):
        price: Decimal | None = getattr(new, name)
        if price is not None and not (price.is_finite() and abs(price) <= _MOST_PAID):
            raise Invalid(f"`{_CAMEL[name]}` is no price.")
        if price is not None and price <= 0 and new.adjustment == "ratio":
            raise Invalid(
                f"`{_CAMEL[name]}` is {price}: a ratio of it means nothing. Use `difference`."
            )
    currency = None
    if new.amount is not None:
        currency = code(clean_text(new.currency or instrument.currency))
        if in_units_of(Decimal(1), currency, instrument.currency) is None:
            raise Invalid(
                f"{instrument.symbol} is quoted in {instrument.currency}; a dividend in {currency} "
                f"would need a rate of exchange, which is not known here."
            )
    new_symbol = None
    if new.new_symbol is not None:
        new_symbol = new.new_symbol.strip().upper()
        if not is_symbol(new_symbol):
            raise Invalid(f"`newSymbol` {SYMBOL_RULE}")
    if new.kind in ("symbol_change", "delisting") and new.ex_date > now.astimezone(UTC).date():
        raise Invalid(f"A {new.kind.replace('_', ' ')} is added on its day, not before.")
    return Action(
        kind=new.kind,
        ex_date=new.ex_date,
        new_shares=_plain(new.new_shares),
        old_shares=_plain(new.old_shares),
        amount=_plain(new.amount),
        currency=currency,
        new_symbol=new_symbol,
        note=note,
        source=source,
        known_at=now,
        from_contract=contracts[0],
        to_contract=contracts[1],
        from_price=_plain(new.from_price),
        to_price=_plain(new.to_price),
        adjustment=new.adjustment,
    )


def _contract(name: str, said: str | None) -> str | None:
    if said is None:
        return None
    symbol = said.strip().upper()
    if not is_symbol(symbol):
        raise Invalid(f"`{_CAMEL[name]}` {SYMBOL_RULE}")
    return symbol


def _plain(number: Decimal | None) -> Decimal | None:
    """Return a number without zeros at its end, so that 10 and 10.0 are the same action."""
    return None if number is None else Decimal(f"{number.normalize():f}")


_PAID = ({"amount"}, {"amount", "currency"})
_ROLL = {"from_contract", "to_contract", "from_price", "to_price", "adjustment"}
_FOLLOWS = "The rolls of this series follow from its contracts and its rule."
_FIELDS: dict[ActionKind, tuple[set[str], set[str]]] = {
    "split": ({"new_shares", "old_shares"}, {"new_shares", "old_shares"}),
    "dividend": _PAID,
    "special_dividend": _PAID,
    "symbol_change": ({"new_symbol"}, {"new_symbol"}),
    "delisting": (set(), set()),
    "roll": (_ROLL, _ROLL),
}
"""Kind -> the optional fields it must have, and those it may have."""
_CAMEL = {
    "new_shares": "newShares",
    "old_shares": "oldShares",
    "amount": "amount",
    "currency": "currency",
    "new_symbol": "newSymbol",
    "from_contract": "fromContract",
    "to_contract": "toContract",
    "from_price": "fromPrice",
    "to_price": "toPrice",
    "adjustment": "adjustment",
}
