"""`outcry dataset`."""

from pathlib import Path

import rich_click as click

from app.verbs.shared import data_dir_option, run, settings_with


@click.group()
def dataset() -> None:
    """See what models learn from, and collect more of it."""


@dataset.command("list")
@data_dir_option
def dataset_list(data_dir: Path | None) -> None:
    """List datasets, newest first."""
    from app.terminal.datasets import list_all  # noqa: PLC0415

    run(list_all(settings_with(data_dir=data_dir)))


@dataset.command("show")
@click.argument("reference", metavar="DATASET")
@click.option("--json", "as_json", is_flag=True, help="As REST gives it.")
@data_dir_option
def dataset_show(reference: str, as_json: bool, data_dir: Path | None) -> None:
    """Show one dataset, by its id or name, with its versions."""
    from app.terminal.datasets import show  # noqa: PLC0415

    run(show(settings_with(data_dir=data_dir), reference, as_json=as_json))


@dataset.command("add")
@click.argument("name")
@click.option("--file", "file", type=click.Path(path_type=Path), help="CSV, Parquet, JSON lines.")
@click.option("--url", help="An address that gives CSV, Parquet, JSON or JSON lines.")
@click.option("--database", help="postgresql://host:5432/name, of which --query gives the rows.")
@click.option("--stream", help="kafka://host:9092/topic, or kafka:///topic of the desk's own.")
@click.option("--query", help="The SELECT, or which messages; @FILE holds it.")
@click.option("--format", "format_", type=click.Choice(["csv", "parquet", "jsonl", "json"]))
@click.option("--description", default="")
@click.option("--time", help="Column that says when. [default: one called time, date, ...]")
@click.option("--entity", help="Column that says of whom. [default: one called symbol, ...]")
@click.option("--known", help="Column that says when it was known. [default: known_at]")
@click.option("--embargo-days", type=click.FloatRange(0, 10_000), default=0.0, show_default=True)
@click.option(
    "--credential",
    "credentials",
    multiple=True,
    metavar="NAME=VARIABLE",
    help="For the source: its value stands in this environment variable. May be repeated.",
)
@data_dir_option
def dataset_add(
    name: str,
    file: Path | None,
    url: str | None,
    database: str | None,
    stream: str | None,
    query: str | None,
    format_: str | None,
    description: str,
    time: str | None,
    entity: str | None,
    known: str | None,
    embargo_days: float,
    credentials: tuple[str, ...],
    data_dir: Path | None,
) -> None:
    """Enter a dataset and collect it."""
    from app.terminal.datasets import AddWishes, add  # noqa: PLC0415

    wishes = AddWishes(
        name=name,
        file=file,
        url=url,
        database=database,
        stream=stream,
        query=query,
        format=format_,
        description=description,
        time=time,
        entity=entity,
        known=known,
        embargo_s=embargo_days * 86_400.0,
        credentials=credentials,
    )
    run(add(settings_with(data_dir=data_dir), wishes))


@dataset.command("collect")
@click.argument("reference", metavar="DATASET")
@data_dir_option
def dataset_collect(reference: str, data_dir: Path | None) -> None:
    """Fetch a dataset again; the same content is the same version."""
    from app.terminal.datasets import collect  # noqa: PLC0415

    run(collect(settings_with(data_dir=data_dir), reference))


@dataset.command("profile")
@click.argument("reference", metavar="DATASET")
@click.option("--version", type=click.IntRange(1, 2**31 - 1), help="[default: the newest]")
@click.option("--json", "as_json", is_flag=True, help="As REST gives it.")
@data_dir_option
def dataset_profile(
    reference: str, version: int | None, as_json: bool, data_dir: Path | None
) -> None:
    """Show what is in a dataset's columns, and how good it is."""
    from app.terminal.datasets import profile  # noqa: PLC0415

    run(profile(settings_with(data_dir=data_dir), reference, version=version, as_json=as_json))
