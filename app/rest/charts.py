"""`/charts`: a chart as a picture."""

from datetime import date
from typing import Annotated, Any

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath, FromQuery, QueryParameter

from app.domain.errors import Invalid
from app.domain.principal import Principal
from app.rest.sign_in import may_read
from app.services.market.charts import DEFAULT_BARS, MEDIA_TYPES, Charts, Look, Picture
from tools.drawing.theme import PALETTES

At = Annotated[str | None, QueryParameter(name="at", description="Speak as of this day.")]


class ChartsController(Controller):
    """Charts drawn by the server, from the same description the client draws."""

    path = "/charts"
    tags = ("Market data",)

    @get("/{symbol:str}", guards=[may_read], summary="The chart of a symbol, as PNG or SVG")
    async def picture(
        self,
        symbol: FromPath[str],
        principal: NamedDependency[Principal],
        charts: NamedDependency[Charts],
        timeframe: FromQuery[str] = "1d",
        bars: FromQuery[int] = DEFAULT_BARS,
        layers: FromQuery[str | None] = None,
        at: At = None,
        format: FromQuery[str] = "png",
        theme: FromQuery[str] = "light",
        width: FromQuery[int] = 960,
        height: FromQuery[int | None] = None,
        scale: FromQuery[float] = 2.0,
    ) -> Response[bytes]:
        """Return the newest `bars` candles with their `layers`, drawn with the shipped letters."""
        look = look_of(format=format, theme=theme, width=width, height=height, scale=scale)
        card = await charts.card(
            principal, symbol, timeframe=timeframe, bars=bars, layers=layers, at=_day(at)
        )
        return answer(await charts.draw(card, look))


def look_of(
    *,
    format: str,
    theme: str,
    width: int,
    height: int | None,
    scale: float,
) -> Look:
    """Return how a picture shall look.

    Raises:
        Invalid: there is no such format or theme.
    """
    if format not in MEDIA_TYPES:
        raise Invalid(f"`format` must be one of {', '.join(MEDIA_TYPES)}.")
    if theme not in PALETTES:
        raise Invalid(f"`theme` must be one of {', '.join(PALETTES)}.")
    return Look(
        format=format,
        theme=theme,
        width=width,
        height=height,
        scale=scale,
    )


def answer(picture: Picture) -> Response[Any]:
    """Return a picture; what it shows is the reader's own, so that no shared cache keeps it."""
    return Response(
        content=picture.content,
        media_type=picture.media_type,
        headers={"Cache-Control": "private, no-store"},
    )


def _day(value: str | None) -> date | None:
    if value is None:
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise Invalid("`at` must be a day such as 2013-03-01.") from None
