"""`outcry train` and `outcry evaluate`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, cast

import rich_click as click

from app.verbs.shared import data_dir_option, run, settings_with

if TYPE_CHECKING:
    from app.domain.training import BackendName


@click.command()
@click.argument("recipe", required=False)
@click.option("--list", "show", is_flag=True, help="List the recipes and their options.")
@click.option("--horizon", type=click.IntRange(1, 250), help="How many bars ahead it forecasts.")
@click.option("--symbols", help="Whose bars to learn from: AAPL,GOOG. [default: all of the desk]")
@click.option("--market", help="Learn from all instruments of a market, as 'equity USD'.")
@click.option("--dataset", help="A collected table, or a recorded version: NAME, NAME@3 ...")
@click.option("--target", help="The column of the table to foretell. RECIPE is tabular then.")
@click.option(
    "--texts",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Learn from labelled texts: CSV, JSON lines or Parquet with text, label.",
)
@click.option("--timeframe", default="1d", show_default=True)
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), help="Read no bar that closed later.")
@click.option("--tier", help="How large a model, where the recipe has tiers: numpy, boosted ...")
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    help="How many processes train, each on its share of every batch; one card each. [default: 1]",
)
@click.option(
    "--device",
    type=click.Choice(["auto", "cpu", "cuda"]),
    help="What they compute on. [default: cards if there is one for each, else the CPU]",
)
@click.option(
    "--set", "assignments", multiple=True, metavar="OPTION=VALUE",
    help="Any other option of the recipe.",
)  # fmt: skip
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True)
@click.option(
    "--deploy",
    is_flag=True,
    help="Let it serve if its skill is above zero and it is better than the present champion.",
)
@click.option(
    "--backend",
    type=click.Choice(["local", "ray"]),
    help="Where it runs. [default: ray if RAY_ADDRESS is set, else local]",
)
@click.option("--json", "as_json", is_flag=True, help="Print the card as JSON.")
@data_dir_option
def train(
    recipe: str | None,
    show: bool,
    horizon: int | None,
    symbols: str | None,
    market: str | None,
    dataset: str | None,
    target: str | None,
    texts: Path | None,
    timeframe: str,
    as_of: datetime | None,
    tier: str | None,
    workers: int | None,
    device: str | None,
    assignments: tuple[str, ...],
    seed: int,
    deploy: bool,
    backend: str | None,
    as_json: bool,
    data_dir: Path | None,
) -> None:
    """Train a model and show what it is worth: outcry train variance --horizon 5

    Runs RECIPE on the desk's bars, or on a collected table (--dataset NAME --target COLUMN),
    evaluates it walk-forward beside naive baselines, and stores it as a new version whose card says
    how it did, also when it did badly. Works with and without a running server. Ctrl-C ends it.
    """
    # Imported here, as by all verbs, so that `--help` answers at once.
    from app.domain.training import TrainCommand  # noqa: PLC0415
    from app.services.training.training_records import with_target  # noqa: PLC0415
    from app.terminal.training import TrainWishes, list_recipes  # noqa: PLC0415
    from app.terminal.training import train as train_here  # noqa: PLC0415

    settings = settings_with(data_dir=data_dir)
    if show or (recipe is None and target is None):
        run(list_recipes(settings))
        return
    given = {"horizon": horizon, "tier": tier, "workers": workers, "device": device}
    recipe, options = with_target(
        recipe, target, {name: value for name, value in given.items() if value is not None}
    )
    command = TrainCommand(
        recipe=recipe,
        options=options,
        symbols=tuple(part.strip().upper() for part in (symbols or "").split(",") if part.strip()),
        market=market,
        dataset=dataset,
        timeframe=timeframe,
        as_of=None if as_of is None else as_of.replace(tzinfo=UTC),
        seed=seed,
        deploy=deploy,
        backend=cast("BackendName | None", backend),
    )
    wishes = TrainWishes(command=command, assignments=assignments, texts=texts, as_json=as_json)
    run(train_here(settings, wishes))


@click.command()
@click.argument("model", metavar="NAME[@VERSION]")
@click.option("--again", is_flag=True, help="Evaluate its design on the bars there are now.")
@click.option("--as-of", type=click.DateTime(["%Y-%m-%d"]), help="With --again: no later bar.")
@click.option("--json", "as_json", is_flag=True, help="Print the card as JSON.")
@data_dir_option
def evaluate(
    model: str, again: bool, as_of: datetime | None, as_json: bool, data_dir: Path | None
) -> None:
    """Show what a model is worth: outcry evaluate variance-5@champion

    Prints the stored card: skill against each baseline with its interval, coverage, by year. With
    --again the same recipe and options are evaluated walk-forward on newer bars, as a version of
    its own that is not deployed.
    """
    from app.terminal.training import evaluate as evaluate_here  # noqa: PLC0415

    at = None if as_of is None else as_of.replace(tzinfo=UTC)
    settings = settings_with(data_dir=data_dir)
    run(evaluate_here(settings, model, again=again, as_of=at, as_json=as_json))
