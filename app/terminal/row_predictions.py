"""`outcry model predict`: what a model says of every row of a file, as CSV."""

import asyncio
import csv
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO, cast

import msgspec
from rich.console import Console

from app.domain.errors import Invalid
from app.observability.logs import configure_logging
from app.services.datasets.dataset_collecting import ENDINGS
from app.settings import Settings
from app.terminal.follow import LocalFollower
from app.wiring.desk import open_desk
from inference.datasets.intake import Format
from inference.datasets.row_files import rows_of_file
from inference.engine.pipeline import part
from inference.requests import Answers, Rows

_AT_ONCE = 5_000
_DEADLINE_S = 60.0


class RowsWanted(msgspec.Struct, frozen=True, kw_only=True):
    """What the command line says."""

    model: str
    file: Path
    output: Path | None
    """None: standard output."""


async def predict_rows(settings: Settings, wanted: RowsWanted) -> None:
    """Write one line a row: the value, with its interval or the probability of each class.

    Raises:
        NotFound, Conflict: there is no such model, or it does not serve.
        Invalid: the file's kind cannot be told by its name.
        InferenceError: the rows do not fit; says which column and what is allowed.
    """
    configure_logging(level="WARNING", json_lines=settings.log_json)
    kind = ENDINGS.get(wanted.file.suffix.lower())
    if kind is None or kind == "json":
        raise Invalid(f"{wanted.file.name}: give a .csv, .parquet or .jsonl file.")
    if not wanted.file.is_file():
        raise Invalid(f"There is no file {wanted.file}.")
    with Console(stderr=True).status("Opening the desk …") as status:
        async with open_desk(settings, LocalFollower(), on_progress=status.update) as desk:
            card = await desk.engine.models.find(wanted.model)
            served = await desk.engine.calls.find(card.name, card.version)
            rows = await asyncio.to_thread(
                rows_of_file, wanted.file, cast("Format", kind), served.bundle
            )
            answers = []
            for start in range(0, len(rows), _AT_ONCE):
                status.update(f"{start:,} of {len(rows):,} rows …")
                some: Rows = part(rows, start, start + _AT_ONCE)
                answers.append(
                    await desk.engine.calls.ask(
                        served, some, deadline_s=_DEADLINE_S, priority="batch"
                    )
                )
    if wanted.output is None:
        _write(sys.stdout, answers)
        return
    with wanted.output.open("w", newline="") as file:
        _write(file, answers)


def _write(file: TextIO, answers: list[Answers]) -> None:
    out = csv.writer(file, lineterminator="\n")
    first = answers[0]
    names = ["value"]
    if first.low is not None:
        names += ["low", "high"]
    names += [f"p({name})" for name in first.classes]
    out.writerow(names)
    for one in answers:
        out.writerows(_lines(one))


def _lines(answers: Answers) -> Iterator[list[str]]:
    for index in range(len(answers)):
        value = answers.values[index]
        line = [value if isinstance(value, str) else f"{value:.10g}"]
        if answers.low is not None and answers.high is not None:
            line += [f"{answers.low[index]:.10g}", f"{answers.high[index]:.10g}"]
        if answers.probabilities is not None:
            line += [f"{chance:.6g}" for chance in answers.probabilities[index]]
        yield line
