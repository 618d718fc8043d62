"""How a tool reads what a model sent: one Struct is both the check and the JSON Schema."""

from datetime import date
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from tools.errors import InvalidArguments

Timeframe = Literal["1m", "5m", "15m", "30m", "1h", "4h", "1d", "1w", "1mo"]
"""Of the bars that a tool may be asked to compute on."""
Symbol = Annotated[
    str,
    msgspec.Meta(
        min_length=1, max_length=80, description="Symbol or company name, e.g. GOOG or Apple."
    ),
]
OfBars = Annotated[
    Timeframe,
    msgspec.Meta(description="Of the bars; one that is not stored is made of shorter ones."),
]
AsOf = Annotated[
    date | None,
    msgspec.Meta(description="Speak as of this day (YYYY-MM-DD); default: the last bar."),
]


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the arguments of every tool share: unknown ones are refused, not ignored."""


A = TypeVar("A", bound=Arguments)


def read_arguments(kind: type[A], arguments: dict[str, Any]) -> A:
    """Return the arguments as a `kind`.

    Raises:
        InvalidArguments: saying what is wrong and which arguments there are.
    """
    try:
        return msgspec.convert(arguments, kind)
    except msgspec.ValidationError as error:
        reason = str(error).replace("`$.", "`").replace(" - at `$`", "")
        raise InvalidArguments(f"{reason}. Arguments: {_allowed(kind)}.") from error


def _allowed(kind: type[Arguments]) -> str:
    """Return every argument in words: `symbol` (required), `period` (1m, 1y or max)."""
    described = json_schema(kind)
    words = []
    for name, schema in described["properties"].items():
        choices = [schema, *schema.get("anyOf", ())]
        said = [", ".join(one["enum"]) for one in choices if "enum" in one]
        said += ["YYYY-MM-DD" for one in choices if one.get("format") == "date"]
        said += ["required"] if name in described.get("required", ()) else []
        words.append(f"{name} ({'; '.join(said)})" if said else name)
    return ", ".join(words)


def json_schema(kind: type[Arguments]) -> dict[str, Any]:
    """Return the JSON Schema of a flat Arguments struct, without references or titles."""
    _, components = msgspec.json.schema_components([kind], ref_template="#/{name}")
    described: dict[str, Any] = dict(components[kind.__name__])
    described.pop("title", None)
    described.pop("description", None)
    described["additionalProperties"] = False
    # Plain JSON, as it comes back from where agents are stored: defaults may be tuples.
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(described))
    return plain
