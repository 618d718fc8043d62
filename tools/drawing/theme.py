"""Colours: two palettes of equal care. Direction is never told by colour alone."""

from dataclasses import dataclass
from typing import Literal

Theme = Literal["dark", "light"]


@dataclass(frozen=True)
class Palette:
    """What each part of a chart is painted with."""

    paper: str
    grid: str
    axis: str
    """Labels of the axes."""
    text: str
    muted: str
    up: str
    down: str
    neutral: str
    tag_text: str
    """Text on a coloured tag."""
    lines: tuple[str, ...]
    """Overlays in turn."""
    trend: str
    level: str
    volume_opacity: str


PALETTES: dict[Theme, Palette] = {
    "dark": Palette(
        paper="#12151a",
        grid="#232831",
        axis="#98a2b0",
        text="#edf0f4",
        muted="#98a2b0",
        up="#2fb89a",
        down="#ef6a62",
        neutral="#c7b26a",
        tag_text="#0e1114",
        lines=("#e3b04b", "#6ea8fe", "#c792ea", "#7a8494", "#7a8494", "#5fd0c5", "#f29e6d"),
        trend="#d5dbe4",
        level="#98a2b0",
        volume_opacity="0.45",
    ),
    "light": Palette(
        paper="#ffffff",
        grid="#e9ecf0",
        axis="#59636f",
        text="#161b22",
        muted="#59636f",
        up="#0b7f6b",
        down="#c6362f",
        neutral="#80671b",
        tag_text="#ffffff",
        lines=("#b07400", "#1f62c9", "#8b3fb8", "#7d8794", "#7d8794", "#0b8379", "#b8561a"),
        trend="#39424e",
        level="#59636f",
        volume_opacity="0.40",
    ),
}

DASHES = ("", "", "", "3 3", "3 3", "7 3", "1 3")
"""How each overlay is dashed: a second way to tell lines apart."""
