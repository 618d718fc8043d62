"""The card `chart.candles` as a value: what `tools/cards.py` wrote, read with care.

One description is drawn by the web client and here; its numbers are rounded for drawing only.
"""

from datetime import UTC, datetime
from typing import Any, Literal

import msgspec

Point = tuple[int, float]
"""Seconds since 1970, and a value."""
Candle = tuple[int, float, float, float, float, float]
"""Opening time in seconds since 1970, open, high, low, close, volume."""


class NothingToDraw(ValueError):
    """The card has no bars, or is no card of candles."""


class Line(msgspec.Struct, frozen=True):
    name: str
    points: list[Point]


class Pane(msgspec.Struct, frozen=True):
    """Lines below the price, on a scale of their own."""

    name: str
    lines: list[Line]
    levels: list[float] = []


class Marker(msgspec.Struct, frozen=True):
    """A signal at a bar."""

    time: int
    text: str
    direction: Literal["bullish", "bearish", "neutral"]


class PriceLevel(msgspec.Struct, frozen=True):
    price: float
    kind: str


class TrendLine(msgspec.Struct, frozen=True):
    direction: str
    points: list[Point]


class ChartCard(msgspec.Struct, frozen=True, rename="camel"):
    """Candles, and what was computed on them."""

    symbol: str
    bars: list[Candle]
    name: str = ""
    title: str | None = None
    currency: str = ""
    timeframe: str = "1d"
    source: str = ""
    as_of: str = ""
    overlays: list[Line] = []
    panes: list[Pane] = []
    markers: list[Marker] = []
    levels: list[PriceLevel] = []
    trend_line: TrendLine | None = None

    def newest(self, count: int) -> "ChartCard":
        """Return the card with its newest `count` bars and nothing that stands before them."""
        if count >= len(self.bars):
            return self
        bars = self.bars[-count:]
        first = bars[0][0]

        def cut(lines: list[Line]) -> list[Line]:
            kept = [Line(one.name, [p for p in one.points if p[0] >= first]) for one in lines]
            return [one for one in kept if one.points]

        return msgspec.structs.replace(
            self,
            bars=bars,
            overlays=cut(self.overlays),
            panes=[Pane(pane.name, cut(pane.lines), pane.levels) for pane in self.panes],
            markers=[marker for marker in self.markers if marker.time >= first],
        )


def read_card(content: dict[str, Any]) -> ChartCard:
    """Return the card of candles that `content` describes.

    Raises:
        NothingToDraw: it has no bars or does not look like one.
    """
    try:
        card = msgspec.convert(content, ChartCard, strict=False)
    except msgspec.ValidationError as error:
        raise NothingToDraw(f"this is no card of candles: {error}") from error
    if not card.bars:
        raise NothingToDraw("the card has no bars")
    return card


def day(time: int) -> str:
    """Return "1 Mar 2013"."""
    when = datetime.fromtimestamp(time, UTC)
    return f"{when.day} {when:%b %Y}"


TIMEFRAME_WORDS = {
    "1m": "1-minute bars",
    "5m": "5-minute bars",
    "15m": "15-minute bars",
    "1h": "hourly bars",
    "4h": "4-hour bars",
    "1d": "daily bars",
    "1w": "weekly bars",
}


def describe(card: ChartCard) -> str:
    """Return in words what the chart shows, for people who cannot see it."""
    first, last = card.bars[0], card.bars[-1]
    money = f" {card.currency}" if card.currency else ""
    said = [
        f"{TIMEFRAME_WORDS.get(card.timeframe, card.timeframe)} from {day(first[0])} to "
        f"{day(last[0])}; last close {last[4]:,}{money}, highest {max(b[2] for b in card.bars):,}, "
        f"lowest {min(b[3] for b in card.bars):,}."
    ]
    said += [f"{line.name} ends at {line.points[-1][1]:,}." for line in card.overlays]
    for kind in ("resistance", "support"):
        prices = [f"{level.price:,}" for level in card.levels if level.kind == kind]
        said += [f"Drawn {kind}: {', '.join(prices)}."] if prices else []
    if card.trend_line is not None:
        said.append(f"Trend line: {card.trend_line.direction}.")
    for pane in card.panes:
        said += [f"{line.name} ends at {line.points[-1][1]:,}." for line in pane.lines]
    newest = card.markers[-6:]
    if newest:
        listed = ", ".join(f"{m.direction} {m.text} on {day(m.time)}" for m in newest)
        said.append(f"Signals, newest last: {listed}.")
    return " ".join(said)
