"""Candles for a terminal: the picture itself where the terminal can show one, else in letters.

Letters tell direction by shape: a rising candle is thin, a falling one thick.
"""

import base64
from collections.abc import Mapping

from tools.drawing import ticks
from tools.drawing.card import Candle, ChartCard, day
from tools.drawing.layout import digits_of

_BLOCKS = " ▁▂▃▄▅▆▇█"
_CHUNK = 4096
LEAST_COLUMNS, LEAST_ROWS = 40, 8
_UP, _DOWN, _DIM, _BOLD, _PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[2m", "\x1b[1m", "\x1b[0m"


def inline(png: bytes, environment: Mapping[str, str]) -> str | None:
    """Return what makes this terminal show the picture; None where it cannot."""
    program, kind = environment.get("TERM_PROGRAM", ""), environment.get("TERM", "")
    if environment.get("TMUX") or kind.startswith(("screen", "tmux")):
        return None
    if environment.get("KITTY_WINDOW_ID") or "kitty" in kind or program in {"ghostty", "WezTerm"}:
        return _kitty(png)
    if program == "iTerm.app":
        data = base64.b64encode(png).decode()
        return f"\x1b]1337;File=inline=1;width=100%;size={len(png)}:{data}\x07\n"
    return None


def _kitty(png: bytes) -> str:
    data = base64.b64encode(png).decode()
    chunks = [data[start : start + _CHUNK] for start in range(0, len(data), _CHUNK)]
    parts = []
    for index, chunk in enumerate(chunks):
        head = "f=100,a=T," if index == 0 else ""
        parts.append(f"\x1b_G{head}m={int(index < len(chunks) - 1)};{chunk}\x1b\\")
    return "".join(parts) + "\n"


def show(card: ChartCard, *, columns: int, rows: int = 18, color: bool = True) -> str:
    """Return the newest candles that fit into so many columns, with volume and axes."""
    columns, rows = max(columns, LEAST_COLUMNS), max(rows, LEAST_ROWS)
    digits = digits_of(card)
    labels = max(len(ticks.plain(bar[2], digits)) for bar in card.bars) + 2
    room = columns - labels
    step = 2 if len(card.bars) * 2 <= room else 1
    shown = card.newest(max(2, room // step))
    low, high = min(bar[3] for bar in shown.bars), max(bar[2] for bar in shown.bars)
    span = (high - low) or abs(high) * 0.01 or 1.0
    size = span / rows
    paint = _Paint(color)
    lines = [_head(card, paint, columns), ""]
    marked = {int((tick.at - low) / size): tick for tick in ticks.values(low, high, at_most=5)}
    for row in range(rows - 1, -1, -1):
        gap = " " * (step - 1)
        cells = [_cell(bar, row, low, size, rows, paint) + gap for bar in shown.bars]
        tick = marked.get(row)
        lines.append("".join(cells) + ("" if tick is None else paint.dim(f" ┤{tick.label}")))
    lines.append(_volume(shown, step, paint))
    lines.append(paint.dim(_times(shown, step)))
    if card.source:
        lines.append(paint.dim(f"Source: {card.source}"[:columns]))
    return "\n".join(line.rstrip() for line in lines) + "\n"


class _Paint:
    """Colours where there may be some."""

    def __init__(self, color: bool) -> None:
        self._color = color

    def rising(self, said: str) -> str:
        return f"{_UP}{said}{_PLAIN}" if self._color else said

    def falling(self, said: str) -> str:
        return f"{_DOWN}{said}{_PLAIN}" if self._color else said

    def dim(self, said: str) -> str:
        return f"{_DIM}{said}{_PLAIN}" if self._color else said

    def bold(self, said: str) -> str:
        return f"{_BOLD}{said}{_PLAIN}" if self._color else said


def _head(card: ChartCard, paint: _Paint, columns: int) -> str:
    last, before = card.bars[-1], card.bars[-2] if len(card.bars) > 1 else None
    close = f"{ticks.plain(last[4], digits_of(card))} {card.currency}".rstrip()
    said, wide = f"{paint.bold(card.symbol)} {close}", len(card.symbol) + 1 + len(close)
    if before is not None and before[4]:
        change = 100.0 * (last[4] / before[4] - 1.0)
        moved = f"{'▲ +' if change > 0 else '▼ −' if change < 0 else ''}{abs(change):.2f} %"
        said += f" {paint.rising(moved) if change >= 0 else paint.falling(moved)}"
        wide += 1 + len(moved)
    for more in (day(last[0]), card.name):
        if more and wide + 3 + len(more) <= columns:
            said, wide = f"{said} · {more}", wide + 3 + len(more)
    return said


def _cell(bar: Candle, row: int, low: float, size: float, rows: int, paint: _Paint) -> str:
    """Return what a candle shows in a row of the picture, the lowest row being 0."""
    _, opened, highest, lowest, close, _volume = bar

    def at(price: float) -> int:
        return min(rows - 1, int((price - low) / size))

    body = at(min(opened, close)) <= row <= at(max(opened, close))
    if not body and not at(lowest) <= row <= at(highest):
        return " "
    if close >= opened:
        return paint.rising("┃" if body else "│")
    return paint.falling("█" if body else "│")


def _volume(card: ChartCard, step: int, paint: _Paint) -> str:
    most = max(bar[5] for bar in card.bars)
    if most <= 0:
        return ""
    cells = [
        _BLOCKS[max(1, round(bar[5] / most * 8)) if bar[5] > 0 else 0] + " " * (step - 1)
        for bar in card.bars
    ]
    return paint.dim("".join(cells) + f" {ticks.short(most)}")


def _times(card: ChartCard, step: int) -> str:
    line = [" "] * (len(card.bars) * step + 6)
    taken = -1
    for tick in ticks.times([bar[0] for bar in card.bars], step=step, room=8):
        start = int(tick.at) * step
        if start > taken and start + len(tick.label) <= len(line):
            line[start : start + len(tick.label)] = tick.label
            taken = start + len(tick.label)
    return "".join(line)
