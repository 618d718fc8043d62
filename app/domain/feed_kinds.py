"""What a feed can carry."""

from typing import Literal

FeedKind = Literal["bars", "ticks", "news"]

TICK_TIMEFRAMES = ("1m", "5m", "15m", "1h")
"""Timeframes of the bars that trades can be made into."""
