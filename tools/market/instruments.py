"""What can be asked about: a symbol, its name, and where its prices came from.

A symbol is only what an instrument is called for a while: companies change it, and exchanges give
it to others afterwards. Bars and actions belong to the instrument, by its id.
"""

from datetime import date, datetime
from typing import Any
from uuid import UUID

import msgspec

from tools.market.futures import Continuous, Contract


class FormerSymbol(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What an instrument was called before."""

    symbol: str
    valid_from: date | None = None
    """None: as long as anybody knows."""
    valid_to: date
    """The first day on which it was called otherwise."""


class Instrument(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One thing with a price. The last fields are what the store found, not what it keeps."""

    symbol: str
    name: str
    kind: str = "equity"
    currency: str = "USD"
    """Of its prices; pence are GBX, not GBP."""
    exchange: str | None = None
    source: str
    """As a person would cite it; goes into every tool result."""
    provenance: dict[str, Any] = {}
    """Package, version, sha256, licence, upstream, how prices are adjusted, survivorship."""
    listed_on: date | None = None
    """Its first day of trading; bars before it are refused."""
    delisted_on: date | None = None
    """Its last day of trading; bars after it are refused."""
    contract: Contract | None = None
    """Of a future that ends."""
    continuous: Continuous | None = None
    """Of a series that is made of such contracts; its bars are not brought, they follow."""
    id: UUID | None = None
    former_symbols: tuple[FormerSymbol, ...] = ()
    """Latest first."""
    first_bar: datetime | None = None
    last_bar: datetime | None = None
    bar_count: int = 0
    """Daily bars."""
    suspect_count: int = 0
    """Bars of any timeframe in quarantine: not believed, not shown, waiting for somebody."""
