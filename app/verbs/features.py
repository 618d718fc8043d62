"""`outcry features`."""

from datetime import datetime
from pathlib import Path

import rich_click as click

from app.verbs.shared import data_dir_option, run, settings_with


@click.group()
def features() -> None:
    """See the feature store, fill it, and read what was known when."""


@features.command("list")
@click.option("--json", "as_json", is_flag=True, help="As REST gives it.")
@data_dir_option
def features_list(as_json: bool, data_dir: Path | None) -> None:
    """List feature views: how many rows each has, and how fresh it is."""
    from app.terminal.features import list_all  # noqa: PLC0415

    run(list_all(settings_with(data_dir=data_dir), as_json=as_json))


@features.command("show")
@click.argument("view")
@click.option("--json", "as_json", is_flag=True, help="As REST gives it.")
@data_dir_option
def features_show(view: str, as_json: bool, data_dir: Path | None) -> None:
    """Show one view: its columns, where its rows come from, and where they stand."""
    from app.terminal.features import show  # noqa: PLC0415

    run(show(settings_with(data_dir=data_dir), view, as_json=as_json))


@features.command("declare")
@click.argument("name")
@click.option("--dataset", required=True, help="Id or name of a collected dataset.")
@click.option("--entity", help="Column that says of whom. [default: the dataset's]")
@click.option("--time", help="Column that says when it happened. [default: the dataset's]")
@click.option("--known", help="Column that says since when it was known. [default: the dataset's]")
@click.option(
    "--lag-days",
    type=click.FloatRange(0, 100_000),
    default=0.0,
    show_default=True,
    help="Without such a column: known so long after it happened.",
)
@click.option(
    "--ttl-days",
    type=click.FloatRange(0, 100_000, min_open=True),
    default=30.0,
    show_default=True,
    help="A value is used for so long after it happened.",
)
@click.option("--columns", help="Names, with commas between. [default: all that can be features]")
@click.option("--description", default="")
@data_dir_option
def features_declare(
    name: str,
    dataset: str,
    entity: str | None,
    time: str | None,
    known: str | None,
    lag_days: float,
    ttl_days: float,
    columns: str | None,
    description: str,
    data_dir: Path | None,
) -> None:
    """Declare a view over a dataset; another meaning under a name is its next version."""
    from app.services.datasets.feature_store import FeatureWish  # noqa: PLC0415 - keeps `--help` quick
    from app.terminal.features import declare  # noqa: PLC0415

    named = tuple(one.strip() for one in (columns or "").split(",") if one.strip())
    wish = FeatureWish(
        name=name,
        dataset=dataset,
        description=description,
        entity=entity,
        time=time,
        known=known,
        columns=named,
        ttl_seconds=ttl_days * 86_400.0,
        lag_seconds=lag_days * 86_400.0,
    )
    run(declare(settings_with(data_dir=data_dir), wish))


@features.command("materialize")
@click.argument("views", metavar="VIEW...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Every view.")
@data_dir_option
def features_materialize(views: tuple[str, ...], every: bool, data_dir: Path | None) -> None:
    """Store what is new of views, and serve it."""
    from app.terminal.features import materialize  # noqa: PLC0415

    if every == bool(views):
        raise click.UsageError("Name views, or say --all.")
    run(materialize(settings_with(data_dir=data_dir), views))


@features.command("get")
@click.argument("view")
@click.argument("entities", metavar="ENTITY...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="As REST gives it.")
@data_dir_option
def features_get(
    view: str, entities: tuple[str, ...], as_json: bool, data_dir: Path | None
) -> None:
    """Show what is served of some entities now, and how old it is."""
    from app.terminal.features import get  # noqa: PLC0415

    run(get(settings_with(data_dir=data_dir), view, entities, as_json=as_json))


@features.command("history")
@click.argument("view")
@click.argument("entities", metavar="ENTITY...", nargs=-1)
@click.option(
    "--at",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S"]),
    help="What stood then, UTC. [default: now]",
)
@click.option(
    "--pairs",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="CSV, Parquet or JSON lines with the columns entity and time: one answer a row.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where --pairs is answered: a .parquet or .csv file, its rows with the values beside.",
)
@click.option("--json", "as_json", is_flag=True, help="As REST gives it.")
@data_dir_option
def features_history(
    view: str,
    entities: tuple[str, ...],
    at: datetime | None,
    pairs: Path | None,
    out: Path | None,
    as_json: bool,
    data_dir: Path | None,
) -> None:
    """Show what had happened, and was known, at moments: rows to train on."""
    from app.terminal.features import history, history_of_file  # noqa: PLC0415

    if (pairs is None) != (out is None) or (pairs is None) == (not entities):
        raise click.UsageError("Name entities, or give both --pairs and --out.")
    settings = settings_with(data_dir=data_dir)
    if pairs is not None and out is not None:
        run(history_of_file(settings, view, pairs, out))
    else:
        run(history(settings, view, entities, at, as_json=as_json))


@features.command("export-feast")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.argument("views", metavar="[VIEW]...", nargs=-1)
@click.option("--apply", is_flag=True, help="Let Feast register and serve them (outcry[feast]).")
@data_dir_option
def features_export_feast(
    folder: Path, views: tuple[str, ...], apply: bool, data_dir: Path | None
) -> None:
    """Write views, by default all that have rows, as a Feast repository that answers the same."""
    from app.terminal.features import feast  # noqa: PLC0415

    run(feast(settings_with(data_dir=data_dir), folder, views, apply=apply))
