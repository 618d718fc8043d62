"""`outcry train` and `outcry evaluate`: make a model and see what it is worth."""

import asyncio
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text

from app.domain.errors import Invalid
from app.domain.training import TrainCommand
from app.observability.logs import configure_logging
from app.security.people import utc_now
from app.services.training.labelled_texts import read_labelled
from app.services.training.training_records import record_of
from app.settings import Settings
from app.terminal.follow import LocalFollower
from app.terminal.job_bar import follow_job
from app.terminal.model_card import print_card
from app.wiring.desk import open_desk
from inference.cards import ModelCard
from inference.training.backends.execution import texts_of


class TrainWishes(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says."""

    command: TrainCommand
    assignments: tuple[str, ...]
    """OPTION=VALUE, over the recipe's defaults."""
    texts: Path | None = None
    """A file of labelled texts to learn from, instead of bars."""
    as_json: bool = False


async def list_recipes(settings: Settings) -> None:
    """Print what can be trained."""
    async with _opened(settings) as desk:
        table = Table("recipe", "type", "what its models forecast", "options", box=None)
        for recipe in desk.training.service.recipes():
            options = "  ".join(
                f"{name}={_shown(value)}" for name, value in recipe.defaults.items()
            )
            table.add_row(Text(recipe.name, "bold"), recipe.model_type, recipe.description, options)
        if table.row_count:
            Console(highlight=False).print(table)
        else:
            Console(stderr=True).print("There are no recipes.")


async def train(settings: Settings, wishes: TrainWishes) -> None:
    """Train, with its progress on standard error, and print the model's card.

    Raises:
        Refusal: it cannot be asked for; the message says what is allowed.
        JobFailed: there is no model; the message says why.
    """
    async with _opened(settings) as desk:
        training = desk.training.service
        recipe = training.recipe(wishes.command.recipe)
        given = dict(read_option(one, recipe.defaults) for one in wishes.assignments)
        command = msgspec.structs.replace(
            wishes.command, options={**wishes.command.options, **given}
        )
        if wishes.texts is not None:
            read = await asyncio.to_thread(read_labelled, wishes.texts)
            recorded = await desk.training.datasets.record_texts(
                f"Texts of {wishes.texts.name}",
                texts_of(read),
                source=wishes.texts.name,
                now=utc_now(),
                by=desk.owner.id,
            )
            command = msgspec.structs.replace(command, dataset=recorded.version.digest)
        job = await training.submit(command, by=desk.owner.id)
        job = await follow_job(desk, job)
        result = job.result or {}
        card = await desk.engine.models.find(result["modelId"])
        _print(card, as_json=wishes.as_json)
        if not wishes.as_json:
            Console(highlight=False).print(Text(f"\n{result['judgement']['why']}"), soft_wrap=True)


async def evaluate(
    settings: Settings, reference: str, *, again: bool, as_of: datetime | None, as_json: bool
) -> None:
    """Print a model's card; with `again`, evaluate its design on the bars that are there now.

    That trains a version of its own, which is not deployed, and leaves the old card as it was.

    Raises:
        NotFound: there is no such model.
        Invalid: it was not trained here, so that nobody knows how to do it again.
    """
    async with _opened(settings) as desk:
        card = await desk.engine.models.find(reference)
        if not again:
            _print(card, as_json=as_json)
            return
        record = record_of(card)
    if record is None:
        raise Invalid(
            f"{card.name}@{card.version} was not trained here: its evaluation cannot be repeated.",
            code="not_trained_here",
        )
    # Of a table the newest version; bars are read anew.
    table = record.dataset.rpartition("@")[0] if "target" in record.options else None
    command = msgspec.structs.replace(
        record.command, as_of=as_of, deploy=False, in_background=False, once=None, dataset=table
    )
    await train(settings, TrainWishes(command=command, assignments=(), as_json=as_json))


def _opened(settings: Settings) -> Any:
    configure_logging(level="WARNING", json_lines=settings.log_json)
    return open_desk(settings, LocalFollower(), on_progress=lambda _: None)


def _print(card: ModelCard, *, as_json: bool) -> None:
    out = Console(highlight=False)
    if as_json:
        out.print(Text(msgspec.json.format(msgspec.json.encode(card)).decode()), soft_wrap=True)
    else:
        print_card(out, card)


def read_option(assignment: str, defaults: Any) -> tuple[str, Any]:
    """Return OPTION=VALUE as the option and its value, read as its default's kind.

    Raises:
        Invalid: it is no such pair, or the value is of another kind.
    """
    name, sign, text = assignment.partition("=")
    name = name.strip().replace("-", "_")
    if not sign or not name:
        raise Invalid(f"{assignment!r} is not OPTION=VALUE, for instance horizon=5.")
    default = defaults.get(name)
    if isinstance(default, str):
        return name, text
    try:
        return name, msgspec.json.decode(text)
    except msgspec.DecodeError:
        if default is None:
            return name, text
        raise Invalid(
            f"{name}={text}: give a value such as {_shown(default)}, the default."
        ) from None


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()
