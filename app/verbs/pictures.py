"""`outcry chart`: a chart in the terminal, or as a file."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from app.verbs.shared import data_dir_option, run, settings_with

if TYPE_CHECKING:
    from datetime import datetime


@click.command()
@click.argument("symbol")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write a picture: FILE.png or FILE.svg.",
)
@click.option("--timeframe", default="1d", show_default=True, help="1m 5m 15m 1h 4h 1d 1w")
@click.option("--bars", default=130, show_default=True, help="How many, the newest.")
@click.option("--at", type=click.DateTime(["%Y-%m-%d"]), help="Speak as of this day.")
@click.option("--layers", help="Any of averages,bands,levels,trend,signals,rsi,macd.")
@click.option("--width", type=int, help="CSS pixels of a picture, columns in letters.")
@click.option("--theme", type=click.Choice(["dark", "light"]), help="[default: light in a file]")
@click.option("--letters", is_flag=True, help="Draw in letters, also where pictures are shown.")
@data_dir_option
def chart(
    symbol: str,
    output: Path | None,
    timeframe: str,
    bars: int,
    at: "datetime | None",
    layers: str | None,
    width: int | None,
    theme: str | None,
    letters: bool,
    data_dir: Path | None,
) -> None:
    """Draw a chart: outcry chart GOOG -o goog.png

    Without -o it is drawn here: as a picture where the terminal shows some (kitty, Ghostty,
    WezTerm, iTerm2), else as candles in letters.
    """
    from app.terminal.pictures import Drawing, draw_chart  # noqa: PLC0415

    kind = None if output is None else output.suffix.lower().lstrip(".")
    if kind not in {None, "png", "svg"}:
        raise click.BadParameter("end the file's name in .png or .svg", param_hint="--output")
    wanted = Drawing(
        symbol=symbol,
        timeframe=timeframe,
        bars=bars,
        at=None if at is None else at.date(),
        layers=layers,
        width=width,
        theme=theme,
        letters=letters or not sys.stdout.isatty(),
        output=output,
    )
    run(draw_chart(settings_with(data_dir=data_dir), wanted))
