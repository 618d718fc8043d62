"""The browser's condition builder offers what the server's conditions know, by the same names."""

import re
from pathlib import Path

from tools.analytics.condition_parts import DIRECTIONS, LABELS, OPERATORS, SIGNALS

FIELDS = Path(__file__).parents[2] / "app/web/src/lib/market/fields.ts"


def block(name: str) -> str:
    """Return what stands between the brackets of a constant."""
    found = re.search(rf"export const {name}[^=]*= [\[{{](.*?)[\]}}];", FIELDS.read_text(), re.S)
    assert found is not None, name
    return found[1]


def test_the_builder_offers_every_field_by_its_name() -> None:
    offered = dict(re.findall(r'^  (\w+): "([^"]*)",$', block("FIELDS"), re.M))
    assert offered == LABELS


def test_the_builder_offers_every_operator_signal_and_direction() -> None:
    keys = re.findall(r'^  "?([^":\s]+)"?: "', block("OPERATORS"), re.M)
    assert tuple(keys) == OPERATORS
    assert tuple(re.findall(r'"(\w+)"', block("SIGNALS"))) == SIGNALS
    assert tuple(re.findall(r'"(\w+)"', block("DIRECTIONS"))) == DIRECTIONS
