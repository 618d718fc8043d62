"""A sheet of SVG: shapes in, one deterministic text out. Every text is escaped."""

from collections.abc import Sequence
from html import escape
from typing import Literal

from tools.drawing.letters import FAMILY, Weight, written

Anchor = Literal["start", "middle", "end"]


class Canvas:
    """Collects elements in the order they are painted."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self._parts: list[str] = []
        self._clips = 0

    def line(
        self, x1: float, y1: float, x2: float, y2: float, color: str, *, width: float = 1,
        dash: str = "",
    ) -> None:  # fmt: skip
        self._parts.append(
            f'<path d="M{_n(x1)} {_n(y1)}L{_n(x2)} {_n(y2)}" {_stroke(color, width, dash)}/>'
        )

    def polyline(
        self, points: Sequence[tuple[float, float]], color: str, *, width: float = 1.5,
        dash: str = "",
    ) -> None:  # fmt: skip
        if len(points) > 1:
            path = "L".join(f"{_n(x)} {_n(y)}" for x, y in points)
            joins = 'stroke-linejoin="round" stroke-linecap="round"'
            self._parts.append(f'<path d="M{path}" {_stroke(color, width, dash)} {joins}/>')

    def path(self, data: str, *, fill: str = "none", stroke: str = "", opacity: str = "") -> None:
        """Add a path; one long path is far smaller than thousands of rectangles."""
        if data:
            outline = f' stroke="{stroke}" stroke-width="1"' if stroke else ""
            seen = f' fill-opacity="{opacity}"' if opacity else ""
            self._parts.append(f'<path d="{data}" fill="{fill}"{seen}{outline}/>')

    def box(
        self, x: float, y: float, width: float, height: float, color: str, *, round_: float = 0
    ) -> None:
        corner = f' rx="{_n(round_)}"' if round_ else ""
        self._parts.append(
            f'<rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" height="{_n(height)}"{corner} '
            f'fill="{color}"/>'
        )

    def text(
        self, x: float, y: float, said: str, color: str, *, size: float = 12,
        anchor: Anchor = "start", weight: Weight = "Regular",
    ) -> None:  # fmt: skip
        bold = ' font-weight="600"' if weight == "SemiBold" else ""
        where = "" if anchor == "start" else f' text-anchor="{anchor}"'
        self._parts.append(
            f'<text x="{_n(x)}" y="{_n(y)}" font-size="{_n(size)}" fill="{color}"{bold}{where}>'
            f"{escape(written(said))}</text>"
        )

    def clip(self, x: float, y: float, width: float, height: float) -> None:
        """Cut off whatever is added until `unclip` outside this box."""
        self._clips += 1
        self._parts.append(
            f'<clipPath id="c{self._clips}"><rect x="{_n(x)}" y="{_n(y)}" width="{_n(width)}" '
            f'height="{_n(height)}"/></clipPath><g clip-path="url(#c{self._clips})">'
        )

    def unclip(self) -> None:
        self._parts.append("</g>")

    def finish(self, *, title: str, description: str, paper: str) -> str:
        """Return the whole document, with what a screen reader says."""
        wide, high = _n(self.width), _n(self.height)
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" '
            f'viewBox="0 0 {wide} {high}" role="img" aria-labelledby="title desc" '
            f"font-family=\"'{FAMILY}', Inter, system-ui, sans-serif\" "
            'style="font-variant-numeric:tabular-nums">'
            f'<title id="title">{_plain(title)}</title><desc id="desc">{_plain(description)}</desc>'
            f'<rect width="{wide}" height="{high}" fill="{paper}"/>{"".join(self._parts)}</svg>\n'
        )


def _plain(said: str) -> str:
    """Return a text that XML can hold: no control characters, no half of a pair."""
    return escape("".join(letter if letter.isprintable() else " " for letter in said))


def _stroke(color: str, width: float, dash: str) -> str:
    dashed = f' stroke-dasharray="{dash}"' if dash else ""
    return f'fill="none" stroke="{color}" stroke-width="{_n(width)}"{dashed}'


def _n(value: float) -> str:
    shown = f"{value:.2f}".rstrip("0").rstrip(".")
    return "0" if shown in {"-0", ""} else shown
