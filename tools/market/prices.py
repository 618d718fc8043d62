"""From stored bars to the columns that analytics reads."""

from tools.analytics.prices import Prices
from tools.market.bars import Bars


def prices_of(bars: Bars) -> Prices:
    """Return the columns of `bars`, in the share count of the last one."""
    adjusted = bars.split_adjusted()
    return Prices(
        days=adjusted.timestamps,
        open=adjusted.open,
        high=adjusted.high,
        low=adjusted.low,
        close=adjusted.close,
        volume=adjusted.volume,
        total=bars.total_return_close(),
    )
