"""Charts drawn on the server: the same bytes every time, complete, readable, and safe."""

import hashlib
import re
import struct
import xml.etree.ElementTree as ET
import zlib
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import pytest

from tools.desk import market_tools
from tools.drawing import ticks
from tools.drawing.card import ChartCard, NothingToDraw, describe, read_card
from tools.drawing.letters import fit, width
from tools.drawing.png import TooManyPixels, render
from tools.drawing.svg import draw, natural_height
from tools.drawing.theme import PALETTES
from tools.market.demo import vendored_market
from tools.registry import ToolBox
from tools.tool import ToolContext

SVG = "{http://www.w3.org/2000/svg}"
CALLS: dict[str, tuple[str, dict[str, Any]]] = {
    "signals": ("signals", {"symbol": "AAPL"}),
    "indicators": ("indicators", {"symbol": "GOOG"}),
    "compared": ("compare", {"symbols": ["AAPL", "GOOG", "MSFT"]}),
    "one bar": ("quotes", {"symbol": "GOOG", "to": "2004-08-19"}),
}


@pytest.fixture(scope="module")
async def cards() -> dict[str, dict[str, Any]]:
    market = vendored_market()
    box = ToolBox(market_tools(market, market))
    context = ToolContext(principal_id="x", now=datetime(2026, 1, 1, tzinfo=UTC))
    found = {}
    for name, (tool, arguments) in CALLS.items():
        result = await box.call(tool, arguments, context)
        found[name] = next(
            card.content for card in result.cards if card.activity_type == "chart.candles"
        )
    return found


def texts(svg: str) -> list[str]:
    return [node.text or "" for node in ET.fromstring(svg).iter(f"{SVG}text")]


@pytest.mark.parametrize("name", list(CALLS))
@pytest.mark.parametrize("theme", ["dark", "light"])
@pytest.mark.parametrize("wide", [360, 960])
def test_every_card_is_drawn_inside_its_sheet(
    name: str, theme: Any, wide: int, cards: dict[str, dict[str, Any]]
) -> None:
    card = read_card(cards[name])
    svg = draw(card, width=wide, theme=theme)
    root = ET.fromstring(svg)
    assert root.get("role") == "img"
    assert (root.findtext(f"{SVG}title") or "").startswith(card.symbol)
    assert "last close" in (root.findtext(f"{SVG}desc") or "")
    assert float(root.get("height", "0")) == natural_height(card, wide)
    assert not re.search(r"nan|inf\b|None", svg)
    for node in root.iter(f"{SVG}text"):
        assert -1 <= float(node.get("x", "-9")) <= wide
        assert 0 < float(node.get("y", "-9")) <= natural_height(card, wide)
    said = texts(svg)
    assert f"{card.bars[-1][4]:,.2f}" in said
    assert any(card.source[:12] in text for text in said)


def test_the_same_card_gives_the_same_picture(cards: dict[str, dict[str, Any]]) -> None:
    card = read_card(cards["signals"]).newest(60)
    one, two = (draw(card, width=400, theme="dark") for _ in range(2))
    assert one == two
    pictures = {
        hashlib.sha256(render(svg, width=400, height=460, scale=1)).hexdigest()
        for svg in (one, two)
    }
    assert len(pictures) == 1


def pixels(png: bytes) -> tuple[int, int, set[bytes]]:
    """Return width, height and the colours of an 8-bit RGBA picture, filters undone as needed."""
    assert png[:8] == b"\x89PNG\r\n\x1a\n"
    wide, high, depth, kind = struct.unpack(">IIBB", png[16:26])
    assert (depth, kind) == (8, 6)
    return wide, high, set(re.findall(rb"(?s)....", zlib.decompress(idat(png))[1:2000]))


def idat(png: bytes) -> bytes:
    at, data = 8, b""
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        if png[at + 4 : at + 8] == b"IDAT":
            data += png[at + 8 : at + 8 + length]
        at += 12 + length
    return data


def test_a_picture_is_as_large_as_asked_and_has_letters(cards: dict[str, dict[str, Any]]) -> None:
    card = read_card(cards["indicators"]).newest(40)
    svg = draw(card, width=480, height=400, theme="light")
    wide, high, _ = pixels(render(svg, width=480, height=400, scale=1.5))
    assert (wide, high) == (720, 600)
    silent = re.sub(r"<text.*?</text>", "", svg)
    loud = len(idat(render(svg, width=480, height=400, scale=1)))
    assert loud > 1.2 * len(idat(render(silent, width=480, height=400, scale=1)))


def test_a_picture_too_large_is_refused(cards: dict[str, dict[str, Any]]) -> None:
    svg = draw(read_card(cards["one bar"]), width=400, theme="dark")
    with pytest.raises(TooManyPixels, match="too many"):
        render(svg, width=4000, height=4000, scale=2)


def test_hostile_names_stay_text() -> None:
    hostile = '<script>alert(1)</script> & "quotes" \u202e \x00 \ud800'
    content = {
        "symbol": "X",
        "name": hostile,
        "source": hostile,
        "bars": [[0, 1, 2, 1, 1.5, 10], [86400, 1.5, 2, 1, 1.8, 10]],
        "markers": [{"time": 0, "text": hostile, "direction": "bullish"}],
    }
    svg = draw(read_card(content), width=600, theme="dark")
    assert "<script" not in svg
    assert render(svg, width=600, height=370, scale=1)


@pytest.mark.parametrize("content", [{}, {"symbol": "X", "bars": []}, {"symbol": "X", "bars": [1]}])
def test_what_is_no_chart_is_not_drawn(content: dict[str, Any]) -> None:
    with pytest.raises(NothingToDraw):
        read_card(content)


def test_signals_are_told_by_shape_and_word_as_well(cards: dict[str, dict[str, Any]]) -> None:
    card = read_card(cards["signals"])
    svg = draw(card, width=960, theme="dark")
    assert {"entry", "exit"} <= set(texts(svg))
    up, down = PALETTES["dark"].up, PALETTES["dark"].down
    assert re.search(rf'l5 9h-10Z" fill="{up}"', svg)
    assert re.search(rf'l5 -9h-10Z" fill="{down}"', svg)


def test_fewer_bars_take_their_lines_and_signals_along(cards: dict[str, dict[str, Any]]) -> None:
    whole = read_card(cards["signals"])
    cut = whole.newest(30)
    first = cut.bars[0][0]
    assert len(cut.bars) == 30
    assert all(point[0] >= first for line in cut.overlays for point in line.points)
    assert all(marker.time >= first for marker in cut.markers)
    assert whole.newest(10_000) is whole
    assert describe(cut) != describe(whole)


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0.0, 100.0, ["0", "20", "40", "60", "80", "100"]),
        (801.2, 808.9, ["802", "804", "806", "808"]),
        (0.012, 0.019, ["0.012", "0.014", "0.016", "0.018"]),
        (-3.0, 3.0, ["−3", "−2", "−1", "0", "1", "2", "3"]),
        (5.0, 5.0, ["5.00"]),
    ],
)
def test_ticks_are_round(low: float, high: float, labels: list[str]) -> None:
    assert [tick.label for tick in ticks.values(low, high, at_most=6)] == labels


def test_a_year_is_marked_where_it_begins(cards: dict[str, dict[str, Any]]) -> None:
    card: ChartCard = read_card(cards["signals"])
    found = ticks.times([bar[0] for bar in card.bars], step=4.0, room=58)
    majors = [tick for tick in found if tick.major]
    assert [tick.label for tick in majors] == ["2013"]
    opened = datetime.fromtimestamp(card.bars[int(majors[0].at)][0], UTC)
    assert (opened.year, opened.month) == (2013, 1)
    steps = [b.at - a.at for a, b in pairwise(found)]
    assert min(steps) * 4.0 >= 40


def test_text_is_cut_to_its_room() -> None:
    assert fit("short", 100, 12) == "short"
    cut = fit("a very long name of a company", 60, 12)
    assert cut.endswith("…")
    assert width(cut, 12) <= 60
    assert fit("anything", 2, 12) == ""
    assert width("0123456789", 10) == pytest.approx(10 * width("0", 10))
