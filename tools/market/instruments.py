"""What can be asked about: a symbol, its name, and where its prices came from."""

from datetime import datetime
from typing import Any

import msgspec


class Instrument(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """One thing with a price. The last three fields are what the store found, not what it keeps."""

    symbol: str
    name: str
    kind: str = "equity"
    currency: str = "USD"
    exchange: str | None = None
    source: str
    """As a person would cite it; goes into every tool result."""
    provenance: dict[str, Any] = {}
    """Package, version, sha256, licence, upstream, how prices are adjusted, survivorship."""
    first_bar: datetime | None = None
    last_bar: datetime | None = None
    bar_count: int = 0
    """Daily bars."""
