"""Charts as pictures: for terminals, exports and programs that cannot draw."""

import asyncio
from collections.abc import Callable
from datetime import date, datetime
from typing import Any, Literal, get_args

import msgspec

from app.domain.errors import Invalid, NotFound
from app.domain.principal import Principal
from app.services.tool_calls import TIMEOUT_S, as_refusal
from tools.charting import LAYERS, USUAL, Layer, chart_of
from tools.drawing.card import ChartCard, NothingToDraw, read_card
from tools.drawing.png import TooManyPixels, render
from tools.drawing.svg import LEAST_WIDTH, MOST_WIDTH, draw, natural_height
from tools.drawing.theme import Theme
from tools.errors import ToolError
from tools.history import Market
from tools.market.bars import TIMEFRAMES
from tools.market.store import BarStore, InstrumentStore
from tools.tool import ToolContext

Format = Literal["png", "svg"]
MEDIA_TYPES: dict[Format, str] = {"png": "image/png", "svg": "image/svg+xml"}
DEFAULT_BARS = 130
LEAST_BARS, MOST_BARS = 2, 2000
SHARPEST = 3.0


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """How a picture shall look."""

    format: Format = "png"
    theme: Theme = "light"
    width: int = 960
    """CSS pixels."""
    height: int | None = None
    scale: float = 2.0
    """Pixels of a PNG for each CSS pixel."""


class Picture(msgspec.Struct, frozen=True):
    """A drawn chart."""

    content: bytes
    media_type: str


class Charts:
    """The use cases."""

    def __init__(
        self, instruments: InstrumentStore, bars: BarStore, *, clock: Callable[[], datetime]
    ) -> None:
        self._market = Market(instruments, bars)
        self._clock = clock

    async def card(
        self,
        principal: Principal,
        symbol: str,
        *,
        timeframe: str = "1d",
        bars: int = DEFAULT_BARS,
        layers: str | None = None,
        at: date | None = None,
    ) -> ChartCard:
        """Return the chart of a symbol as a description.

        Raises:
            NotFound: `unknown_symbol` or `no_data`.
            Invalid: the timeframe, the number of bars or a layer cannot be used.
        """
        if timeframe not in TIMEFRAMES:
            raise Invalid(f"`timeframe` must be one of {', '.join(TIMEFRAMES)}.")
        if not LEAST_BARS <= bars <= MOST_BARS:
            raise Invalid(f"`bars` must be from {LEAST_BARS} to {MOST_BARS:,}; it is {bars:,}.")
        wanted = _layers(layers)
        context = ToolContext(
            principal_id=str(principal.user_id), now=self._clock(), timeout_s=TIMEOUT_S
        )
        try:
            history = await self._market.history(symbol, context, at=at, timeframe=timeframe)
        except ToolError as error:
            raise as_refusal(error) from error
        drawn = await asyncio.to_thread(chart_of, history, bars=bars, layers=wanted)
        return read_card(drawn.content)

    async def draw(self, card: ChartCard, look: Look) -> Picture:
        """Return a chart as a picture.

        Raises:
            Invalid: the size cannot be used.
        """
        return await asyncio.to_thread(picture_of, card, look)


def picture_of(card: ChartCard, look: Look) -> Picture:
    """Draw a card: a third of a second for a sharp PNG, so never on an event loop.

    Raises:
        Invalid: the size cannot be used.
    """
    if not LEAST_WIDTH <= look.width <= MOST_WIDTH:
        raise Invalid(f"`width` must be from {LEAST_WIDTH} to {MOST_WIDTH:,}; it is {look.width}.")
    height = look.height or natural_height(card, look.width)
    if not LEAST_WIDTH // 2 <= height <= MOST_WIDTH:
        raise Invalid(
            f"`height` must be from {LEAST_WIDTH // 2} to {MOST_WIDTH:,}; it is {height}."
        )
    if not 0.5 <= look.scale <= SHARPEST:
        raise Invalid(f"`scale` must be from 0.5 to {SHARPEST:g}; it is {look.scale:g}.")
    svg = draw(card, width=look.width, height=height, theme=look.theme)
    if look.format == "svg":
        return Picture(svg.encode(), MEDIA_TYPES["svg"])
    try:
        content = render(svg, width=look.width, height=height, scale=look.scale)
    except TooManyPixels as error:
        raise Invalid(f"The picture would be too large: {error}.") from error
    return Picture(content, MEDIA_TYPES["png"])


def stored_card(content: dict[str, Any] | None) -> ChartCard:
    """Return a stored card, `{activityType, content}`, as a chart.

    Raises:
        NotFound: it is none of candles.
    """
    try:
        if content is None or content.get("activityType") != "chart.candles":
            raise NothingToDraw("the attachment is another card")
        return read_card(content.get("content") or {})
    except NothingToDraw as error:
        raise NotFound("This attachment is no chart that can be drawn.") from error


def _layers(said: str | None) -> tuple[Layer, ...]:
    """Return the layers of a comma-separated list; an empty list shows candles and volume alone.

    Raises:
        Invalid: one of them is none.
    """
    if said is None:
        return USUAL
    names = [name.strip() for name in said.split(",") if name.strip()]
    for name in names:
        if name not in get_args(Layer):
            raise Invalid(f"`layers` has {name[:40]!r}; there are {', '.join(LAYERS)}.")
    return tuple(layer for layer in LAYERS if layer in names)
