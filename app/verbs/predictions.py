"""`outcry predict` and `outcry settle`."""

import sys
from datetime import datetime
from pathlib import Path

import rich_click as click

from app.verbs.shared import data_dir_option, run, settings_with


@click.command()
@click.argument("symbol")
@click.option(
    "--what",
    type=click.Choice(["volatility", "returns", "regime", "direction"]),
    default="volatility",
    show_default=True,
)
@click.option(
    "--horizon",
    type=click.Choice(["1", "5", "20"]),
    default="5",
    show_default=True,
    help="Bars ahead.",
)
@click.option("--timeframe", default="1d", show_default=True, help="Of the bars.")
@click.option("--at", type=click.DateTime(["%Y-%m-%d"]), help="As of this day, not the last bar.")
@click.option("--json", "as_json", is_flag=True, help="Print the forecast as JSON.")
@data_dir_option
def predict(
    symbol: str,
    what: str,
    horizon: str,
    timeframe: str,
    at: datetime | None,
    as_json: bool,
    data_dir: Path | None,
) -> None:
    """Forecast an instrument: outcry predict GOOG --horizon 5

    Asks the deployed model, and shows value, interval, a plain baseline beside it, the measured
    confidence with its number of cases, and the model's skill. Kept like any other prediction, and
    graded when its horizon is over. Ends with 1 where no model forecasts that.
    """
    # What opens the desk takes a while to import.
    from app.terminal.forecasts import ForecastWanted  # noqa: PLC0415
    from app.terminal.forecasts import predict as print_forecast  # noqa: PLC0415

    wanted = ForecastWanted(
        symbol=symbol,
        what=what,
        horizon=int(horizon),
        timeframe=timeframe,
        at=None if at is None else at.date().isoformat(),
        as_json=as_json,
    )
    sys.exit(0 if run(print_forecast(settings_with(data_dir=data_dir), wanted)) else 1)


@click.command()
@data_dir_option
def settle(data_dir: Path | None) -> None:
    """Fill in how forecasts turned out. A running desk does this by itself."""
    from app.terminal.forecasts import settle as settle_all  # noqa: PLC0415 - opens the desk

    run(settle_all(settings_with(data_dir=data_dir)))
