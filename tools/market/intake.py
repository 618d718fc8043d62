"""What is told of bars once they are stored."""

from datetime import datetime

import msgspec


class BarsStored(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Bars of one symbol and timeframe that are new, or differ from what was stored."""

    symbol: str
    timeframe: str
    first: datetime
    """When the oldest of them opened."""
    last: datetime
    """When the newest of them opened."""
    count: int
    corrected: bool
    """Some of them changed what was stored before: whatever was computed from it is out of date."""
