"""How a value in one unit may be written in another: a fraction as percent, say."""

import re
from decimal import Decimal
from typing import Literal

from agents.claims.mentions import Unit

Kind = Literal["unknown", "percent", "fraction", "money", "count", "other"]

_ONE = Decimal(1)
_HUNDRED = Decimal(100)
_TEN_THOUSAND = Decimal(10_000)


def _any_of(words: str) -> re.Pattern[str]:
    return re.compile(words, re.IGNORECASE)


_KINDS: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("percent", _any_of(r"%|percent|\bpp\b")),
    ("fraction", _any_of(r"fraction|ratio|probab|proportion|share of|0-1|0 to 1")),
    ("money", _any_of(r"USD|EUR|GBP|JPY|CHF|[$€£¥]|price|currency|dollar")),
    ("count", _any_of(r"shares|bars|days|count|cases|trades|times|rows|weeks|months|years")),
)


def kind_of_unit(unit: str) -> Kind:
    """Return what sort of unit a tool named."""
    if not unit:
        return "unknown"
    for kind, pattern in _KINDS:
        if pattern.search(unit[:60]):
            return kind
    return "other"


def readings(
    shown: Unit, kind: Kind, value: Decimal, *, percent_said: bool
) -> list[tuple[Decimal, float]]:
    """Return by what a value may be multiplied to be shown so, each with how natural that is."""
    small = abs(value) <= Decimal("1.5")
    if shown == "%":
        if kind == "percent":
            return [(_ONE, 1.0)]
        if kind == "fraction":
            return [(_HUNDRED, 1.0)]
        if kind == "unknown":
            return [(_ONE, 0.2), (_HUNDRED, 0.2)] if small else [(_ONE, 0.2)]
        return [(_ONE, 0.0)] if kind == "other" else []
    if shown == "currency":
        return {"money": [(_ONE, 1.0)], "unknown": [(_ONE, 0.2)]}.get(kind, [])
    if shown == "bps":
        return {"percent": [(_HUNDRED, 0.8)], "fraction": [(_TEN_THOUSAND, 0.8)]}.get(kind, [])
    if shown == "points":
        if kind == "fraction":
            return [(_HUNDRED, 0.3), (_ONE, 0.0)]
        return [] if kind == "count" else [(_ONE, 0.3)]
    if shown == "times":
        return [] if kind in {"percent", "money"} else [(_ONE, 0.3)]
    if kind == "fraction" and percent_said:
        return [(_ONE, 0.2), (_HUNDRED, 0.0)]
    if kind == "percent":
        return [(_ONE, 0.1 if percent_said else -0.2)]
    return [(_ONE, 0.2)]
