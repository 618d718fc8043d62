"""Bars that come by themselves."""

from pathlib import Path
from typing import TYPE_CHECKING

import rich_click as click

from app.verbs.shared import data_dir_option, run, settings_with

if TYPE_CHECKING:
    from datetime import datetime


@click.command()
@data_dir_option
def ingest(data_dir: Path | None) -> None:
    """Read bars, trades and news from Kafka topics until told to stop.

    Needs KAFKA_BOOTSTRAP_SERVERS. Positions are kept in Postgres with the rows, so a restart,
    however it came about, goes on where the rows end: nothing is lost and nothing doubled. Several
    processes share the partitions. A server reads the topics by itself unless OUTCRY_INGEST=0.
    """
    from app.terminal.ingest import ingest as read_topics  # noqa: PLC0415

    run(read_topics(settings_with(data_dir=data_dir)))


@click.command()
@click.argument("symbols", nargs=-1)
@click.option("--from", "start", type=click.DateTime(["%Y-%m-%d"]), help="[default: 250 bars back]")
@click.option("--to", "end", type=click.DateTime(["%Y-%m-%d"]), help="[default: the last bar]")
@click.option("--speed", default="1d/s", show_default=True, help="Market time a second; no gaps.")
@click.option("--timeframe", default="1d", show_default=True, help="Of the bars: 1m … 1d, 1w.")
@click.option("--alert", metavar="WORDS", help='What to wait for, e.g. "RSI above 70".')
@click.option("--no-alert", is_flag=True, help="Make no alert.")
@click.option("--clear", is_flag=True, help="Remove all replays instead.")
@data_dir_option
def replay(
    symbols: tuple[str, ...],
    start: "datetime | None",
    end: "datetime | None",
    speed: str,
    timeframe: str,
    alert: str | None,
    no_alert: bool,
    clear: bool,
    data_dir: Path | None,
) -> None:
    """Show a real past again, bar by bar, on a running desk: outcry replay GOOG IBM --speed 1d/s

    GOOG is shown as GOOG@REPLAY, with its true dates and prices, marked as a replay everywhere;
    what is stored of GOOG is not touched. Charts move, signals fire, an alert opens a conversation.
    Space pauses, q or Ctrl-C stops. Market hours that were closed take no time.
    """
    from app.terminal.replay import ReplayWishes  # noqa: PLC0415
    from app.terminal.replay import clear as remove_replays  # noqa: PLC0415
    from app.terminal.replay import replay as show_replay  # noqa: PLC0415

    settings = settings_with(data_dir=data_dir)
    if clear:
        run(remove_replays(settings))
        return
    if not symbols:
        raise click.UsageError("Say which symbols: outcry replay GOOG")
    wishes = ReplayWishes(
        symbols=symbols,
        timeframe=timeframe,
        start=start.date() if start else None,
        end=end.date() if end else None,
        speed=speed,
        alert="" if no_alert else alert,
    )
    run(show_replay(settings, wishes))
