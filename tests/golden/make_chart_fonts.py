"""Write `tools/drawing/fonts`: the letters that charts on the server are written with.

    apt-get download fonts-inter && dpkg-deb -x fonts-inter_*.deb inter && pip install fonttools
    python -m tests.golden.make_chart_fonts inter/usr/share/fonts/opentype/inter

Inter (SIL Open Font License 1.1), cut down to Western letters and renamed; its figures of one width
stand in the place of the ordinary ones, so that columns of numbers stand still. `advances.json`
has the width of each letter in thousandths of the size.
"""

import json
import sys
from pathlib import Path
from typing import Any

FONTS = Path(__file__).resolve().parents[2] / "tools" / "drawing" / "fonts"
FAMILY = "Outcry Chart"
WEIGHTS = {"Regular": 400, "SemiBold": 600}
LETTERS = {
    *range(0x20, 0x7F),
    *range(0xA0, 0x180),
    *(ord(mark) for mark in "–—‘’“”…•−×·²³€£¥₹₩₽←→↑↓≤≥≈"),
}


def main(folder: Path) -> None:
    """Write each weight and the table of widths."""
    advances = {name: write(folder / f"Inter-{name}.otf", name) for name in WEIGHTS}
    told = json.dumps(advances, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    (FONTS / "advances.json").write_text(told + "\n", encoding="utf-8")


def write(source: Path, weight: str) -> dict[str, int]:
    """Write one weight; return the advance of each letter."""
    # Needed here alone, so not among the dependencies.
    from fontTools import subset  # noqa: PLC0415
    from fontTools.ttLib import TTFont  # noqa: PLC0415

    font: Any = TTFont(source, recalcTimestamp=False)
    for table in font["cmap"].tables:
        for code, glyph in list(table.cmap.items()):
            table.cmap[code] = equal_width(font).get(glyph, glyph)
    options = subset.Options(
        layout_features=["kern"], name_IDs=[0, 1, 2, 13, 14], notdef_outline=True, hinting=False
    )
    cutter = subset.Subsetter(options)
    cutter.populate(unicodes=LETTERS)
    cutter.subset(font)
    full = f"{FAMILY} {weight}"
    for number, said in ((1, FAMILY), (2, weight), (4, full), (6, full.replace(" ", ""))):
        font["name"].setName(said, number, 3, 1, 0x409)
    # Kerning would make figures of one width uneven again, and widths a matter of context.
    del font["GPOS"]
    font["OS/2"].usWeightClass = WEIGHTS[weight]
    font.save(FONTS / f"OutcryChart-{weight}.otf")
    per_em = font["head"].unitsPerEm
    widths, best = font["hmtx"], font.getBestCmap()
    return {chr(code): round(1000 * widths[glyph][0] / per_em) for code, glyph in best.items()}


def equal_width(font: Any) -> dict[str, str]:
    """Return which glyph the feature `tnum` puts in the place of which."""
    layout = font["GSUB"].table
    found: dict[str, str] = {}
    for record in layout.FeatureList.FeatureRecord:
        if record.FeatureTag == "tnum":
            for index in record.Feature.LookupListIndex:
                for part in layout.LookupList.Lookup[index].SubTable:
                    found |= getattr(part, "ExtSubTable", part).mapping
    # Points and commas stay narrow: prices have them all in the same places.
    return {old: new for old, new in found.items() if old.startswith("uni003")}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
