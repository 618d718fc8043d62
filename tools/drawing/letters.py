"""How wide a text is in the shipped letters, so that labels neither collide nor are cut off."""

import json
from functools import lru_cache
from pathlib import Path
from typing import Literal

FONTS = Path(__file__).with_name("fonts")
FAMILY = "Outcry Chart"
FILES = tuple(str(FONTS / f"OutcryChart-{weight}.otf") for weight in ("Regular", "SemiBold"))
Weight = Literal["Regular", "SemiBold"]
UNKNOWN = 600
"""Thousandths of the size: what a letter that is not there takes."""


@lru_cache(maxsize=1)
def _advances() -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = json.loads(
        (FONTS / "advances.json").read_text(encoding="utf-8")
    )
    return found


def width(text: str, size: float, weight: Weight = "Regular") -> float:
    """Return how wide `text` is at a size, in the same unit."""
    advances = _advances()[weight]
    return size * sum(advances.get(letter, UNKNOWN) for letter in text) / 1000


def written(text: str) -> str:
    """Return `text` in the letters there are; what cannot be written becomes "?"."""
    known = _advances()["Regular"]
    return "".join(letter if letter in known else "?" for letter in " ".join(text.split()))


def fit(text: str, room: float, size: float, weight: Weight = "Regular") -> str:
    """Return `text`, cut with an ellipsis where it is wider than `room`; empty in no room."""
    if width(text, size, weight) <= room:
        return text
    kept = text
    while kept and width(kept + "…", size, weight) > room:
        kept = kept[:-1]
    return f"{kept.rstrip()}…" if kept.strip() else ""
