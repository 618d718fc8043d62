"""Where everything of a chart stands: boxes, and scales that turn prices into places."""

from dataclasses import dataclass

from tools.drawing.card import ChartCard
from tools.drawing.letters import width
from tools.drawing.ticks import Tick, plain, values

HEAD = 78
"""Title, price and legend."""
FOOT = 46
"""Labels of the time axis, and the source."""
GAP = 8


@dataclass(frozen=True)
class Box:
    """A part of the sheet, in pixels from its top left."""

    left: float
    top: float
    right: float
    bottom: float

    @property
    def width(self) -> float:
        return self.right - self.left

    @property
    def height(self) -> float:
        return self.bottom - self.top


@dataclass(frozen=True)
class Scale:
    """Values from `low` to `high` over the height of a box."""

    low: float
    high: float
    box: Box

    def y(self, value: float) -> float:
        """Return where a value stands."""
        span = self.high - self.low
        share = 0.5 if span <= 0 else (value - self.low) / span
        return self.box.bottom - share * self.box.height


@dataclass(frozen=True)
class Layout:
    width: float
    height: float
    price: Box
    volume: Box | None
    panes: tuple[Box, ...]
    scale: Scale
    step: float
    """Between two bars."""
    digits: int
    """Behind the point of a price."""
    prices: tuple[Tick, ...]
    """Round prices."""
    places: dict[int, int]
    """Opening time -> which bar."""

    def x(self, index: int) -> float:
        """Return the middle of a bar."""
        return self.price.left + (index + 0.5) * self.step

    @property
    def lowest(self) -> float:
        """Return where the time axis is."""
        boxes = [self.price, *([self.volume] if self.volume else []), *self.panes]
        return max(box.bottom for box in boxes)


def lay_out(card: ChartCard, wide: float, high: float) -> Layout:
    """Divide the sheet among the price, the volume and the panes below."""
    digits = digits_of(card)
    low, top = _reach(card)
    labels = max(width(plain(value, digits), 11, "SemiBold") for value in (low, top))
    mark = width("S ", 11) if card.levels else 0.0
    left, right = 14.0, wide - max(labels + mark + 18, 46)
    room = high - HEAD - FOOT
    shares = [0.16] * any(bar[5] > 0 for bar in card.bars) + [0.17] * len(card.panes)
    heights = [room * share for share in shares]
    bottom = HEAD + room - sum(heights) - GAP * len(heights)
    price = Box(left, HEAD, right, bottom)
    boxes, at = [], bottom
    for height in heights:
        boxes.append(Box(left, at + GAP, right, at + GAP + height))
        at += GAP + height
    scale = Scale(low, top, price)
    has_volume = len(boxes) > len(card.panes)
    return Layout(
        width=wide,
        height=high,
        price=price,
        volume=boxes[0] if has_volume else None,
        panes=tuple(boxes[1:] if has_volume else boxes),
        scale=scale,
        step=price.width / len(card.bars),
        digits=digits,
        prices=tuple(
            tick
            for tick in values(low, top, at_most=max(3, round(price.height / 46)))
            if price.top + 4 <= scale.y(tick.at) <= price.bottom
        ),
        places={bar[0]: index for index, bar in enumerate(card.bars)},
    )


def digits_of(card: ChartCard) -> int:
    """Return how many digits behind the point this price is quoted with."""
    price = abs(card.bars[-1][4])
    return 2 if price >= 1 else 4 if price >= 0.01 else 8


def _reach(card: ChartCard) -> tuple[float, float]:
    """Return the prices the scale begins and ends with, with air above and below.

    Lines far away do not squeeze the candles: they count for at most half the candles' span.
    """
    low, high = min(bar[3] for bar in card.bars), max(bar[2] for bar in card.bars)
    span = (high - low) or abs(high) * 0.02 or 1.0
    known = {bar[0] for bar in card.bars}
    drawn = [value for line in card.overlays for time, value in line.points if time in known]
    drawn += [level.price for level in card.levels]
    if drawn:
        low = min(low, max(min(drawn), low - span / 2))
        high = max(high, min(max(drawn), high + span / 2))
    air = (high - low) * 0.06 or span
    return low - air, high + air
