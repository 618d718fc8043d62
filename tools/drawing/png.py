"""SVG to PNG with the shipped letters alone, so that every machine gives the same picture."""

import resvg_py

from tools.drawing.letters import FAMILY, FILES

MOST_PIXELS = 16_000_000


class TooManyPixels(ValueError):
    """The picture would be larger than anybody needs."""


def render(svg: str, *, width: int, height: int, scale: float = 2.0) -> bytes:
    """Return the picture; `scale` 2 is sharp on today's screens.

    Raises:
        TooManyPixels: it would have over 16 million.
    """
    if width * height * scale * scale > MOST_PIXELS:
        raise TooManyPixels(
            f"{width * scale:.0f} by {height * scale:.0f} pixels are too many; {MOST_PIXELS:,} may "
            "be"
        )
    return resvg_py.svg_to_bytes(
        svg_string=svg,
        skip_system_fonts=True,
        font_files=list(FILES),
        font_family=FAMILY,
        sans_serif_family=FAMILY,
        zoom=scale,
    )
