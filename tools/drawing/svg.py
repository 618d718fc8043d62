"""Draw a card of candles as SVG: candles, overlays, levels, trend line, signals, volume, panes.

The same card always gives the same bytes. What colour tells, a shape, a dash or a word tells too:
rising candles are hollow where there is room, signals are triangles and diamonds, overlays dashed.
"""

from datetime import UTC, datetime

from tools.drawing import ticks
from tools.drawing.canvas import Canvas
from tools.drawing.card import TIMEFRAME_WORDS, ChartCard, Line, Pane, describe
from tools.drawing.layout import Box, Layout, Scale, lay_out
from tools.drawing.letters import fit, width
from tools.drawing.theme import DASHES, PALETTES, Palette, Theme

LEAST_WIDTH, MOST_WIDTH = 360, 2400


def draw(card: ChartCard, *, width: int = 960, height: int | None = None, theme: Theme) -> str:
    """Return the chart as an SVG document of that many CSS pixels."""
    high = height or natural_height(card, width)
    canvas, palette = Canvas(width, high), PALETTES[theme]
    layout = lay_out(card, width, high)
    _heading(canvas, card, layout, palette)
    _time_axis(canvas, card, layout, palette)
    _price(canvas, card, layout, palette)
    _volume(canvas, card, layout, palette)
    for pane, box in zip(card.panes, layout.panes, strict=True):
        _pane(canvas, pane, card, layout, box, palette)
    _footer(canvas, card, layout, palette)
    title = card.title or f"{card.symbol}, {card.name}".rstrip(", ")
    return canvas.finish(title=title, description=describe(card), paper=palette.paper)


def natural_height(card: ChartCard, width: int) -> int:
    """Return the height a chart of that width looks well in."""
    return round(max(0.54 * width, 370) + len(card.panes) * max(0.07 * width, 72))


def _heading(canvas: Canvas, card: ChartCard, layout: Layout, palette: Palette) -> None:
    left, room = layout.price.left, layout.width - layout.price.left - 12
    canvas.text(left, 27, card.symbol, palette.text, size=18, weight="SemiBold")
    at = left + width(card.symbol, 18, "SemiBold") + 10
    kept = f"{TIMEFRAME_WORDS.get(card.timeframe, card.timeframe)}"
    said = card.title.partition(", ")[2] if card.title else card.name
    about = f"{said} · {kept}" if said and said != card.symbol else kept
    canvas.text(at, 27, fit(about, room - at + left, 13), palette.muted, size=13)
    last, before = card.bars[-1][4], card.bars[-2][4] if len(card.bars) > 1 else None
    shown = ticks.plain(last, layout.digits)
    canvas.text(left, 48, shown, palette.text, size=15, weight="SemiBold")
    at = left + width(shown, 15, "SemiBold") + 8
    if before:
        change = 100.0 * (last / before - 1.0)
        color = palette.up if change > 0 else palette.down if change < 0 else palette.muted
        moved = ticks.plain(change, 2)
        moved = f"+{moved}" if change > 0 and moved.strip("0.") else moved
        _arrow(canvas, at + 4, 43, change, color)
        canvas.text(at + 13, 48, f"{moved} %", color, size=13)
        at += 13 + width(f"{moved} %", 13) + 12
    when = _stamp(card)
    canvas.text(at, 48, fit(when, room - at + left, 13), palette.muted, size=13)
    _legend(canvas, card, layout, palette)


def _legend(canvas: Canvas, card: ChartCard, layout: Layout, palette: Palette) -> None:
    at, end = layout.price.left, layout.width - 12
    for index, line in enumerate(card.overlays):
        said = f"{line.name} {ticks.plain(line.points[-1][1], layout.digits)}"
        wide = width(said, 11.5) + 38
        if at + wide > end:
            break
        color, dash = _look(palette, index)
        canvas.line(at, 64, at + 18, 64, color, width=2, dash=dash)
        canvas.text(at + 23, 68, said, palette.axis, size=11.5)
        at += wide


def _price(canvas: Canvas, card: ChartCard, layout: Layout, palette: Palette) -> None:
    box, scale = layout.price, layout.scale
    for tick in layout.prices:
        canvas.line(box.left, scale.y(tick.at), box.right, scale.y(tick.at), palette.grid)
    canvas.clip(box.left, box.top, box.width, box.height)
    for index, line in enumerate(card.overlays):
        color, dash = _look(palette, index)
        canvas.polyline(_points(line, layout, scale), color, width=1.4, dash=dash)
    _levels(canvas, card, layout, palette)
    _candles(canvas, card, layout, palette)
    if card.trend_line is not None:
        line = Line("trend", card.trend_line.points)
        canvas.polyline(_points(line, layout, scale), palette.trend, width=2.2)
    canvas.unclip()
    _markers(canvas, card, layout, palette)
    _tags(canvas, card, layout, palette)


def _candles(canvas: Canvas, card: ChartCard, layout: Layout, palette: Palette) -> None:
    """Paint all candles as one path for each direction, or a line where they would touch."""
    scale, body = layout.scale, layout.step * 0.68
    if layout.step < 2.0:
        closes = [(layout.x(i), scale.y(bar[4])) for i, bar in enumerate(card.bars)]
        canvas.polyline(closes, palette.text, width=1.3)
        return
    hollow = body >= 4.0
    paths: dict[bool, list[str]] = {True: [], False: []}
    wicks: dict[bool, list[str]] = {True: [], False: []}
    half = max(body, 1.2) / 2
    for index, (_, opened, high, low, close, _volume) in enumerate(card.bars):
        rising, x = close >= opened, layout.x(index)
        top, bottom = scale.y(max(opened, close)), scale.y(min(opened, close))
        bottom = max(bottom, top + 1.0)
        wicks[rising].append(
            f"M{x:.1f} {scale.y(high):.1f}V{top:.1f}M{x:.1f} {bottom:.1f}V{scale.y(low):.1f}"
        )
        paths[rising].append(
            f"M{x - half:.1f} {top:.1f}h{2 * half:.1f}V{bottom:.1f}h{-2 * half:.1f}Z"
        )
    for rising, color in ((True, palette.up), (False, palette.down)):
        canvas.path("".join(wicks[rising]), stroke=color)
        fill = palette.paper if rising and hollow else color
        canvas.path("".join(paths[rising]), fill=fill, stroke=color if hollow else "")


def _levels(canvas: Canvas, card: ChartCard, layout: Layout, palette: Palette) -> None:
    """Paint each level as a dashed line; its price is a tag on the axis, if there is room."""
    for level in card.levels:
        y = layout.scale.y(level.price)
        if layout.price.top < y < layout.price.bottom:
            canvas.line(layout.price.left, y, layout.price.right, y, palette.level, dash="5 4")


def _tags(canvas: Canvas, card: ChartCard, layout: Layout, palette: Palette) -> None:
    """Label the price axis: the last close first, then levels, then round prices between them."""
    box, scale = layout.price, layout.scale
    last = card.bars[-1]
    color = palette.up if last[4] >= last[1] else palette.down
    y = min(max(scale.y(last[4]), box.top + 9), box.bottom - 9)
    said = ticks.plain(last[4], layout.digits)
    canvas.line(layout.x(len(card.bars) - 1), y, box.right, y, color, dash="2 3")
    canvas.box(box.right + 2, y - 9, width(said, 11, "SemiBold") + 11, 18, color, round_=3)
    canvas.text(box.right + 7, y + 4, said, palette.tag_text, size=11, weight="SemiBold")
    taken = [y]
    for level in sorted(card.levels, key=lambda one: abs(one.price - last[4])):
        y = scale.y(level.price)
        if box.top < y < box.bottom and all(abs(y - other) >= 15 for other in taken):
            taken.append(y)
            said = f"{level.kind[:1].upper()} {ticks.plain(level.price, layout.digits)}"
            canvas.text(box.right + 7, y + 4, said, palette.text, size=11)
    for tick in layout.prices:
        y = scale.y(tick.at)
        if all(abs(y - other) >= 15 for other in taken):
            canvas.text(box.right + 7, y + 4, tick.label, palette.axis, size=11)


def _markers(canvas: Canvas, card: ChartCard, layout: Layout, palette: Palette) -> None:
    """Paint signals: triangles up below the bar, down above it, diamonds for neither."""
    places = {bar[0]: index for index, bar in enumerate(card.bars)}
    stacked: dict[tuple[int, bool], int] = {}
    free: dict[bool, float] = {True: float("-inf"), False: float("-inf")}
    for marker in card.markers:
        index = places.get(marker.time)
        if index is None:
            continue
        below, bar, x = marker.direction == "bullish", card.bars[index], layout.x(index)
        level = stacked.get((index, below), 0)
        stacked[index, below] = level + 1
        edge = layout.scale.y(bar[3] if below else bar[2])
        y = edge + 10 + 12 * level if below else edge - 10 - 12 * level
        y = min(max(y, layout.price.top + 6), layout.price.bottom - 6)
        color = {"bullish": palette.up, "bearish": palette.down}.get(
            marker.direction, palette.neutral
        )
        if marker.direction == "neutral":
            canvas.path(f"M{x:.1f} {y - 5:.1f}l5 5l-5 5l-5 -5Z", fill=color)
        else:
            _arrow(canvas, x, y, 1 if below else -1, color)
        half = width(marker.text, 10) / 2
        fits = layout.price.left + half < x < layout.price.right - half
        if level == 0 and fits and x - half > free[below] + 4:
            free[below] = x + half
            said_at = y + 17 if below else y - 9
            if layout.price.top + 10 < said_at < layout.price.bottom - 2:
                canvas.text(x, said_at, marker.text, color, size=10, anchor="middle")


def _volume(canvas: Canvas, card: ChartCard, layout: Layout, palette: Palette) -> None:
    box = layout.volume
    most = max(bar[5] for bar in card.bars)
    if box is None or most <= 0:
        return
    scale = Scale(0.0, most * 1.08, box)
    half = max(layout.step * 0.68, 1.0) / 2
    paths: dict[bool, list[str]] = {True: [], False: []}
    for index, bar in enumerate(card.bars):
        x, y = layout.x(index), scale.y(bar[5])
        paths[bar[4] >= bar[1]].append(
            f"M{x - half:.1f} {box.bottom:.1f}V{y:.1f}h{2 * half:.1f}V{box.bottom:.1f}Z"
        )
    canvas.line(box.left, box.bottom, box.right, box.bottom, palette.grid)
    for rising, color in ((True, palette.up), (False, palette.down)):
        canvas.path("".join(paths[rising]), fill=color, opacity=palette.volume_opacity)
    canvas.text(box.left + 4, box.top + 11, "Volume", palette.muted, size=10.5)
    canvas.text(box.right + 7, scale.y(most) + 8, ticks.short(most), palette.axis, size=11)


def _pane(
    canvas: Canvas, pane: Pane, card: ChartCard, layout: Layout, box: Box, palette: Palette
) -> None:
    drawn = [value for line in pane.lines for _, value in line.points] + pane.levels
    index_like = pane.levels == [30, 70]
    low, high = (0.0, 100.0) if index_like else (min(drawn), max(drawn))
    room = (high - low) * 0.1 or 1.0
    scale = Scale(low, high, box) if index_like else Scale(low - room, high + room, box)
    canvas.line(box.left, box.bottom, box.right, box.bottom, palette.grid)
    for level in pane.levels:
        canvas.line(box.left, scale.y(level), box.right, scale.y(level), palette.grid, dash="4 3")
        canvas.text(box.right + 7, scale.y(level) + 4, f"{level:g}", palette.axis, size=11)
    canvas.clip(box.left, box.top, box.width, box.height)
    for index, line in enumerate(pane.lines):
        color = (palette.lines[1], palette.lines[0])[index % 2]
        canvas.polyline(_points(line, layout, scale), color, dash=("", "4 2")[index % 2])
    canvas.unclip()
    at = box.left + 4
    for index, line in enumerate(pane.lines):
        digits = 1 if index_like else layout.digits
        said = f"{line.name} {ticks.plain(line.points[-1][1], digits)}"
        color = (palette.lines[1], palette.lines[0])[index % 2]
        canvas.text(at, box.top + 11, said, color, size=10.5)
        at += width(said, 10.5) + 12


def _time_axis(canvas: Canvas, card: ChartCard, layout: Layout, palette: Palette) -> None:
    bottom = layout.lowest
    opened = [bar[0] for bar in card.bars]
    for tick in ticks.times(opened, step=layout.step, room=58):
        x = layout.x(int(tick.at)) - layout.step / 2
        if not layout.price.left + 14 < x < layout.price.right - 14:
            continue
        canvas.line(x, layout.price.top, x, bottom, palette.grid)
        weight = "SemiBold" if tick.major else "Regular"
        color = palette.text if tick.major else palette.axis
        canvas.text(x, bottom + 16, tick.label, color, size=11, anchor="middle", weight=weight)  # type: ignore[arg-type]
    canvas.line(layout.price.left, bottom, layout.price.right, bottom, palette.grid)


def _footer(canvas: Canvas, card: ChartCard, layout: Layout, palette: Palette) -> None:
    y = layout.height - 10
    mark = "Outcry"
    left = layout.price.left
    canvas.text(layout.width - 12, y, mark, palette.muted, size=11, anchor="end", weight="SemiBold")
    room = layout.width - left - 24 - width(mark, 11, "SemiBold")
    said = f"Source: {card.source}" if card.source else ""
    if card.levels:
        said = f"{said} · S, R: support and resistance, drawn without confidence".strip(" ·")
    canvas.text(left, y, fit(said, room, 11), palette.muted, size=11)


def _points(line: Line, layout: Layout, scale: Scale) -> list[tuple[float, float]]:
    return [
        (layout.x(index), scale.y(value))
        for time, value in line.points
        if (index := layout.places.get(time)) is not None
    ]


def _arrow(canvas: Canvas, x: float, y: float, change: float, color: str) -> None:
    if change > 0:
        canvas.path(f"M{x:.1f} {y - 5:.1f}l5 9h-10Z", fill=color)
    elif change < 0:
        canvas.path(f"M{x:.1f} {y + 5:.1f}l5 -9h-10Z", fill=color)


def _look(palette: Palette, index: int) -> tuple[str, str]:
    return palette.lines[index % len(palette.lines)], DASHES[index % len(DASHES)]


def _stamp(card: ChartCard) -> str:
    if card.bars and card.timeframe in {"1d", "1w"}:
        when = datetime.fromtimestamp(card.bars[-1][0], UTC)
        return f"{card.currency} · {when.day} {when:%B %Y}".strip(" ·")
    when = datetime.fromtimestamp(card.bars[-1][0], UTC)
    return f"{card.currency} · {when.day} {when:%B %Y %H:%M} UTC".strip(" ·")
