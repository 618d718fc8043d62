"""What is known of vendors that sell prices as JSON over HTTP: descriptions, no code of theirs.

A description says how to ask and where the answer keeps what. Another package may bring more: an
entry point of the group `outcry.bar_vendors` that names a `Vendor`. Written from the vendors'
public documentation and tested on answers of that shape; none was asked for real.
"""

from importlib.metadata import entry_points

import msgspec

from tools.market.sources.source import SourceError

GROUP = "outcry.bar_vendors"


class Vendor(msgspec.Struct, frozen=True, kw_only=True):
    """How one vendor is asked for the bars of one symbol."""

    name: str
    title: str
    """Whom an answer cites."""
    base_url: str
    path: str
    """With {symbol}, {timeframe}, {start} and {end} (days) where they go."""
    query: dict[str, str] = {}
    """The same in the query string."""
    headers: dict[str, str] = {}
    """With {key} and, for vendors that have one, {secret}."""
    key: str
    """Environment variable or sealed secret of the key."""
    secret: str | None = None
    timeframes: dict[str, str]
    """Ours -> theirs."""
    rows: str = ""
    """Dotted path of the list of bars in an answer; empty: the answer itself."""
    columns: dict[str, str]
    """Field of a bar -> their name."""
    next_url: str | None = None
    """Dotted path of the address of the next page."""
    next_token: tuple[str, str] | None = None
    """Dotted path of a token, and the query parameter that takes it."""
    timezone: str | None = "America/New_York"
    """Whose days their daily bars are."""
    prices: str
    """How their prices are adjusted, in words."""

    @property
    def base_url_variable(self) -> str:
        """Return the environment variable that names another server of the same format."""
        return f"{self.name.upper()}_BASE_URL"


_KNOWN = (
    Vendor(
        name="alpaca",
        title="Alpaca Market Data",
        base_url="https://data.alpaca.markets",
        path="/v2/stocks/{symbol}/bars",
        query={
            "timeframe": "{timeframe}",
            "start": "{start}",
            "end": "{end}",
            "limit": "10000",
            "adjustment": "raw",
        },
        headers={"APCA-API-KEY-ID": "{key}", "APCA-API-SECRET-KEY": "{secret}"},
        key="ALPACA_API_KEY",
        secret="ALPACA_API_SECRET",
        timeframes={
            "1m": "1Min",
            "5m": "5Min",
            "15m": "15Min",
            "1h": "1Hour",
            "4h": "4Hour",
            "1d": "1Day",
        },
        rows="bars",
        columns={
            "timestamp": "t",
            "open": "o",
            "high": "h",
            "low": "l",
            "close": "c",
            "volume": "v",
        },
        next_token=("next_page_token", "page_token"),
        prices="as traded",
    ),
    Vendor(
        name="massive",
        title="Massive (formerly Polygon)",
        base_url="https://api.massive.com",
        path="/v2/aggs/ticker/{symbol}/range/{timeframe}/{start}/{end}",
        query={"adjusted": "false", "sort": "asc", "limit": "50000"},
        headers={"Authorization": "Bearer {key}"},
        key="MASSIVE_API_KEY",
        timeframes={
            "1m": "1/minute",
            "5m": "5/minute",
            "15m": "15/minute",
            "1h": "1/hour",
            "4h": "4/hour",
            "1d": "1/day",
        },
        rows="results",
        columns={
            "timestamp": "t",
            "open": "o",
            "high": "h",
            "low": "l",
            "close": "c",
            "volume": "v",
        },
        next_url="next_url",
        prices="as traded",
    ),
    Vendor(
        name="tiingo",
        title="Tiingo end-of-day prices",
        base_url="https://api.tiingo.com",
        path="/tiingo/daily/{symbol}/prices",
        query={"startDate": "{start}", "endDate": "{end}"},
        headers={"Authorization": "Token {key}"},
        key="TIINGO_API_KEY",
        timeframes={"1d": "daily"},
        columns={
            "timestamp": "date",
            "open": "open",
            "high": "high",
            "low": "low",
            "close": "close",
            "volume": "volume",
            "adjusted_close": "adjClose",
        },
        timezone=None,
        prices="as traded; the adjusted close includes splits and dividends",
    ),
)


def vendors() -> dict[str, Vendor]:
    """Return every vendor by name: those known here, and those other packages bring.

    Raises:
        SourceError: an installed package brings something else under this group.
    """
    found = {vendor.name: vendor for vendor in _KNOWN}
    for point in entry_points(group=GROUP):
        brought = point.load()
        if not isinstance(brought, Vendor):
            raise SourceError(f"{point.value} is no tools.market.sources.vendors.Vendor.")
        found[brought.name] = brought
    return found


def find_vendor(name: str) -> Vendor:
    """Return the vendor of that name.

    Raises:
        SourceError: there is none; the message lists those there are.
    """
    known = vendors()
    if name not in known:
        raise SourceError(f"There is no vendor {name!r}. Vendors: {', '.join(sorted(known))}.")
    return known[name]
