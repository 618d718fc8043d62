"""Models: which there are, in which state, in and out."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, cast
from uuid import UUID

import rich_click as click

from app.verbs.shared import data_dir_option, run, settings_with

if TYPE_CHECKING:
    from inference.cards import ModelStatus

_STATUSES = ("training", "validating", "ready", "deployed", "deprecated", "failed")
_ALIASES = ("champion", "challenger")


@click.group()
def model() -> None:
    """See models, bring one in or out, deploy one or take one out of service.

    A MODEL is named by its id, NAME, NAME@VERSION, NAME@champion or NAME@challenger.
    """


@model.command("list")
@click.option("--name", help="Only versions of this name.")
@click.option("--task", help='Only models that forecast this, such as "variance".')
@click.option("--status", type=click.Choice(_STATUSES), help="Only versions in this state.")
@data_dir_option
def model_list(
    name: str | None, task: str | None, status: str | None, data_dir: Path | None
) -> None:
    """List versions with their skill against the best baseline, newest first."""
    from app.domain.models import ModelFilter  # noqa: PLC0415
    from app.terminal.models import list_models  # noqa: PLC0415

    wanted = cast("ModelStatus | None", status)
    asked = ModelFilter(name=name, task=task, status=wanted)
    run(list_models(settings_with(data_dir=data_dir), asked))


@model.command("show")
@click.argument("ref", metavar="MODEL")
@click.option("--json", "as_json", is_flag=True, help="Print the whole card as JSON.")
@data_dir_option
def model_show(ref: str, as_json: bool, data_dir: Path | None) -> None:
    """Show one version, where it comes from, and what was done to it."""
    from app.terminal.models import show_model  # noqa: PLC0415

    run(show_model(settings_with(data_dir=data_dir), ref, as_json=as_json))


@model.command("import")
@click.argument("source")
@click.option("--name", help="[default: what its card or bundle says]")
@click.option("--version", help="[default: the next number, or what its card says]")
@data_dir_option
def model_import(source: str, name: str | None, version: str | None, data_dir: Path | None) -> None:
    """Bring in a folder, a .tar.zst file, or an https address below OUTCRY_MODEL_SOURCES.

    Every file is judged by its bytes; formats that could hold code are refused.
    """
    from app.terminal.models import import_model  # noqa: PLC0415

    run(import_model(settings_with(data_dir=data_dir), source, name=name, version=version))


@model.command("transition")
@click.argument("ref", metavar="MODEL")
@click.argument("status", type=click.Choice(_STATUSES))
@click.option("--reason", help="Needed to fail it, or to deploy it without skill; recorded.")
@click.option("--alias", type=click.Choice(_ALIASES), help="With deployed. [default: a free one]")
@data_dir_option
def model_transition(data_dir: Path | None, **asked: Any) -> None:
    """Move a version on, as far as the lifecycle allows."""
    from app.terminal.models import move_model  # noqa: PLC0415

    run(move_model(settings_with(data_dir=data_dir), **asked))


@model.command("alias")
@click.argument("ref", metavar="MODEL")
@click.argument("alias", type=click.Choice(_ALIASES))
@data_dir_option
def model_alias(ref: str, alias: str, data_dir: Path | None) -> None:
    """Make a deployed version champion or challenger; who was it is deprecated."""
    from app.terminal.models import name_model  # noqa: PLC0415

    run(name_model(settings_with(data_dir=data_dir), ref, alias))


@model.command("predict")
@click.argument("ref", metavar="MODEL")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-o", "--output", type=click.Path(dir_okay=False, path_type=Path),
    help="The CSV file to write. [default: standard output]",
)  # fmt: skip
@data_dir_option
def model_predict(ref: str, file: Path, output: Path | None, data_dir: Path | None) -> None:
    """Ask a model about every row of a CSV, Parquet or JSON lines file.

    Columns that it does not read are left alone. One line a row comes out: the value, its interval
    or the probability of each class. Nothing is recorded.
    """
    from app.terminal.row_predictions import RowsWanted, predict_rows  # noqa: PLC0415

    wanted = RowsWanted(model=ref, file=file, output=output)
    run(predict_rows(settings_with(data_dir=data_dir), wanted))


@model.command("export")
@click.argument("ref", metavar="MODEL")
@click.option(
    "-o", "--output", "target", required=True, help="The .tar.zst file to write.",
    type=click.Path(dir_okay=False, path_type=Path),
)  # fmt: skip
@data_dir_option
def model_export(ref: str, target: Path, data_dir: Path | None) -> None:
    """Write a version's files and card into one file, to be imported elsewhere."""
    from app.terminal.models import export_model  # noqa: PLC0415

    run(export_model(settings_with(data_dir=data_dir), ref, target))


@model.command("alarms")
@click.option("--all", "all_of_them", is_flag=True, help="Those that are over too.")
@click.option("--json", "as_json", is_flag=True, help="Print them as JSON, one a line.")
@data_dir_option
def model_alarms(all_of_them: bool, as_json: bool, data_dir: Path | None) -> None:
    """Show what the watch over models raised: drift, lost skill, damage, and what is away."""
    from app.terminal.model_alarms import list_alarms  # noqa: PLC0415

    run(list_alarms(settings_with(data_dir=data_dir), all_of_them=all_of_them, as_json=as_json))


@model.command("acknowledge")
@click.argument("alarm", type=click.UUID)
@data_dir_option
def model_acknowledge(alarm: UUID, data_dir: Path | None) -> None:
    """Say that an alarm was seen. It stays until it is over: outcry model alarms"""
    from app.terminal.model_alarms import acknowledge  # noqa: PLC0415

    run(acknowledge(settings_with(data_dir=data_dir), alarm))
