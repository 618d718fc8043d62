"""A language model as a model: what it is asked, the form its answer must have, and reading it.

Pure: no network. The prompt is a template in the bundle, the answer's form is declared field by
field, and an answer that breaks it is a failed answer, never a guess.
"""

import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any, TypeAlias

import msgspec
import numpy as np

from inference.bundle import Member
from inference.errors import BadInput, BadModel, ModelFailed
from inference.requests import Floats, Rows
from inference.runtimes.options import read_options
from inference.runtimes.runtime import Outputs
from inference.usage import Usage

MOST_CHARACTERS = 20_000
"""Of one text in a prompt."""
_PLACE = re.compile(r"\{(\w+)\}")


class Number(msgspec.Struct, frozen=True, kw_only=True, tag="number", forbid_unknown_fields=True):
    """A number: one output column."""

    minimum: float | None = None
    maximum: float | None = None
    description: str = ""


class Choice(msgspec.Struct, frozen=True, kw_only=True, tag="choice", forbid_unknown_fields=True):
    """One of several words: one output column each, 1 for the chosen."""

    among: Annotated[tuple[str, ...], msgspec.Meta(min_length=2)]
    description: str = ""


class Text(msgspec.Struct, frozen=True, kw_only=True, tag="text", forbid_unknown_fields=True):
    """A text for people; one field at most."""

    most_characters: Annotated[int, msgspec.Meta(ge=1, le=20_000)] = 2000
    description: str = ""


Field: TypeAlias = Number | Choice | Text


class LlmOptions(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Options of the runtimes `openai` and `anthropic`."""

    model: str
    prompt: str
    """What is asked about a row; `{column}` stands for the row's value."""
    answer: dict[str, Field]
    """The fields of the answer, in order."""
    system: str = ""
    connection: str | None = None
    """Which connection; by default the one named like the runtime."""
    temperature: float | None = 0.0
    """None for models that take none."""
    max_output_tokens: Annotated[int, msgspec.Meta(ge=1, le=32_768)] = 1024
    timeout_s: Annotated[float, msgspec.Meta(gt=0, le=600)] = 30.0
    """For one row."""
    parallel: Annotated[int, msgspec.Meta(ge=1, le=64)] = 8
    """Rows that are asked about at a time."""
    knowledge_cutoff: datetime | None = None
    """Up to when it has read the world. Rows as of an earlier time are refused: it may know how
    they ended."""
    as_of_column: str | None = None
    """The column that says as of when a row is, in seconds since 1970 UTC: with a cut-off only."""
    extra: dict[str, Any] = {}
    """Further fields of the request, for instance `{"reasoning_effort": "low"}`."""


def llm_options(member: Member) -> LlmOptions:
    """Return the member's options.

    Raises:
        BadModel: they are wrong, or contradict each other.
    """
    options = read_options(member, LlmOptions)
    name = member.name
    if not options.answer:
        raise BadModel(f"model {name!r}: the answer has no fields")
    if sum(isinstance(one, Text) for one in options.answer.values()) > 1:
        raise BadModel(f"model {name!r}: the answer has more than one text")
    if (options.knowledge_cutoff is None) != (options.as_of_column is None):
        raise BadModel(f"model {name!r}: knowledge_cutoff and as_of_column belong together")
    if options.knowledge_cutoff is not None and options.knowledge_cutoff.tzinfo is None:
        raise BadModel(f"model {name!r}: knowledge_cutoff needs a time zone, such as Z")
    if member.columns is not None:
        wanted = set(_PLACE.findall(options.prompt))
        wanted |= {options.as_of_column} if options.as_of_column else set()
        absent = sorted(wanted - set(member.columns))
        if absent:
            raise BadModel(
                f"model {name!r}: the prompt names {absent}, which are none of its columns "
                f"{list(member.columns)}"
            )
    return options


def answer_schema(fields: dict[str, Field]) -> dict[str, Any]:
    """Return the answer's form as JSON Schema, of the kind that providers enforce."""
    return {
        "type": "object",
        "properties": {name: _schema(one) for name, one in fields.items()},
        "required": list(fields),
        "additionalProperties": False,
    }


def prompts(rows: Rows, member: Member, options: LlmOptions) -> list[str]:
    """Return what is asked about each row.

    Raises:
        BadInput: a column is not there, a text is too long, or a row lies before the model's
            knowledge cut-off.
    """
    _check_cutoff(rows, member, options)
    wanted = list(dict.fromkeys(_PLACE.findall(options.prompt)))
    columns: dict[str, Sequence[str]] = {}
    for name in wanted:
        if name in rows.texts:
            longest = max(map(len, rows.texts[name]), default=0)
            if longest > MOST_CHARACTERS:
                raise BadInput(
                    f"column {name!r} has a text of {longest} characters; {MOST_CHARACTERS} are "
                    f"allowed for model {member.name!r}"
                )
            columns[name] = rows.texts[name]
        elif name in rows.names:
            columns[name] = [_said(value) for value in rows.numbers[:, rows.names.index(name)]]
        else:
            there = [*rows.names, *sorted(rows.texts)]
            raise BadInput(f"model {member.name!r} needs the column {name!r}; there are {there}")
    return [
        # All at once, so that a text with braces in it is not filled in again.
        _PLACE.sub(lambda found, row=row: columns[found[1]][row], options.prompt)  # type: ignore[misc]
        for row in range(len(rows))
    ]


def read_answer(found: Any, member: Member, options: LlmOptions) -> tuple[list[float], str | None]:
    """Return the output columns of one answer, and its text.

    Raises:
        ModelFailed: the answer breaks the form.
    """
    if not isinstance(found, dict) or found.keys() != options.answer.keys():
        keys = sorted(found) if isinstance(found, dict) else type(found).__name__
        raise ModelFailed(
            f"model {member.name!r} answered {keys}; {list(options.answer)} were asked for"
        )
    columns: list[float] = []
    text: str | None = None
    for name, field in options.answer.items():
        value = found[name]
        match field:
            case Number():
                columns.append(_number(member.name, name, field, value))
            case Choice():
                if value not in field.among:
                    raise ModelFailed(
                        f"model {member.name!r}: {name} is {str(value)[:60]!r}, none of "
                        f"{list(field.among)}"
                    )
                columns.extend(float(value == one) for one in field.among)
            case Text():
                if not isinstance(value, str) or len(value) > field.most_characters:
                    raise ModelFailed(
                        f"model {member.name!r}: {name} is no text of at most "
                        f"{field.most_characters} characters"
                    )
                text = value
    return columns, text


def outputs_of(answers: Sequence[tuple[list[float], str | None]], usage: Usage) -> Outputs:
    """Return the answers of all rows as one output."""
    columns: Floats | None = None
    if answers and answers[0][0]:
        columns = np.array([numbers for numbers, _ in answers], dtype=np.float64)
    texts = tuple(text for _, text in answers if text is not None)
    return Outputs(columns=columns, texts=texts or None, usage=usage)


def _schema(field: Field) -> dict[str, Any]:
    told: dict[str, Any]
    match field:
        case Number():
            told = {"type": "number"}
            told |= {} if field.minimum is None else {"minimum": field.minimum}
            told |= {} if field.maximum is None else {"maximum": field.maximum}
        case Choice():
            told = {"type": "string", "enum": list(field.among)}
        case Text():
            told = {"type": "string"}
    return {**told, "description": field.description} if field.description else told


def _number(model: str, name: str, field: Number, value: Any) -> float:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not np.isfinite(value):
        raise ModelFailed(f"model {model!r}: {name} is {str(value)[:60]!r}, no finite number")
    low = -np.inf if field.minimum is None else field.minimum
    high = np.inf if field.maximum is None else field.maximum
    if not low <= value <= high:
        raise ModelFailed(f"model {model!r}: {name} is {value}, outside {low} to {high}")
    return float(value)


def _check_cutoff(rows: Rows, member: Member, options: LlmOptions) -> None:
    if options.knowledge_cutoff is None or options.as_of_column is None:
        return
    if options.as_of_column not in rows.names:
        raise BadInput(f"model {member.name!r} needs the column {options.as_of_column!r}")
    as_of = rows.numbers[:, rows.names.index(options.as_of_column)]
    cutoff = options.knowledge_cutoff.timestamp()
    for row, moment in enumerate(as_of):
        if not moment > cutoff:  # NaN too
            when = f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d}" if moment > 0 else "unknown"
            raise BadInput(
                f"row {row} is as of {when}, but model {member.name!r} has read the world up to "
                f"{options.knowledge_cutoff:%Y-%m-%d}: it may know how it ended"
            )


def _said(value: float) -> str:
    return "unknown" if np.isnan(value) else f"{value:.10g}"
