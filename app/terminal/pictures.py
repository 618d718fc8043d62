"""Draw one chart for whoever runs the desk: into a file, or into the terminal."""

import os
import shutil
import sys
from datetime import date
from pathlib import Path
from typing import Literal, cast

import msgspec

from app.observability.logs import configure_logging
from app.services.market.charts import Look
from app.settings import Settings
from app.terminal.follow import LocalFollower
from app.terminal.session import local_principal
from app.wiring.desk import open_desk
from tools.drawing import terminal
from tools.drawing.theme import Theme


class Drawing(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line asks for."""

    symbol: str
    timeframe: str
    bars: int
    at: date | None
    layers: str | None
    width: int | None
    theme: str | None
    letters: bool
    """Never show a picture in the terminal."""
    output: Path | None


async def draw_chart(settings: Settings, wanted: Drawing) -> None:
    """Draw the chart where it is wanted.

    Raises:
        Refusal: there is no such symbol, or a size cannot be used.
    """
    configure_logging(level="WARNING", json_lines=settings.log_json)
    async with open_desk(settings, LocalFollower(), on_progress=lambda _: None) as desk:
        charts = desk.market.charts
        card = await charts.card(
            local_principal(desk),
            wanted.symbol,
            timeframe=wanted.timeframe,
            bars=wanted.bars,
            layers=wanted.layers,
            at=wanted.at,
        )
        if wanted.output is not None:
            kind = cast("Literal['png', 'svg']", wanted.output.suffix.lower().lstrip("."))
            theme = cast("Theme", wanted.theme or "light")
            look = Look(format=kind, theme=theme, width=wanted.width or 960)
            picture = await charts.draw(card, look)
            wanted.output.write_bytes(picture.content)
            sys.stderr.write(f"{wanted.output}: {len(picture.content):,} bytes\n")
            return
        if not wanted.letters:
            theme = cast("Theme", wanted.theme or "dark")
            look = Look(theme=theme, width=wanted.width or 960, scale=1.5)
            picture = await charts.draw(card, look)
            shown = terminal.inline(picture.content, os.environ)
            if shown is not None:
                sys.stdout.write(shown)
                return
    columns = wanted.width or shutil.get_terminal_size((100, 24)).columns
    color = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    sys.stdout.write(terminal.show(card, columns=columns, color=color))
