"""Candles in letters, and pictures where the terminal can show one."""

import base64
import re

import pytest

from tools.drawing.card import ChartCard
from tools.drawing.terminal import inline, show

RISING = [(day * 86_400, 10.0 + day, 11.5 + day, 9.5 + day, 11.0 + day, 100.0) for day in range(60)]
FALLING = [(d * 86_400, 80.0 - d, 80.5 - d, 78.5 - d, 79.0 - d, 50.0) for d in range(60)]


def card(bars: list[tuple[int, float, float, float, float, float]]) -> ChartCard:
    return ChartCard(symbol="X", bars=bars, name="Example", currency="USD", source="made up")


@pytest.mark.parametrize("columns", [10, 60, 100, 200])
def test_no_line_is_wider_than_the_terminal(columns: int) -> None:
    for line in show(card(RISING), columns=columns, color=False).splitlines():
        assert len(line) <= max(columns, 40)


def test_direction_is_told_by_shape_without_colour() -> None:
    up, down = (show(card(bars), columns=100, color=False) for bars in (RISING, FALLING))
    assert "┃" in up
    assert not re.search("█(?=.*┤)", up)
    assert "█" in down
    assert "┃" not in down
    assert "\x1b" not in up
    assert "▲" in up
    assert "▼" in down


def test_every_candle_is_there() -> None:
    picture = show(card(RISING), columns=200, rows=10, color=False).splitlines()[2:12]
    for column in range(0, 120, 2):
        assert any(len(line) > column and line[column] in "┃│" for line in picture), column


def test_colours_are_only_added() -> None:
    plain = show(card(RISING), columns=100, color=False)
    coloured = show(card(RISING), columns=100)
    assert re.sub(r"\x1b\[[0-9]+m", "", coloured).split() == plain.split()


@pytest.mark.parametrize(
    ("environment", "head"),
    [
        ({"KITTY_WINDOW_ID": "1"}, "\x1b_Gf=100,a=T,m=1;"),
        ({"TERM_PROGRAM": "ghostty"}, "\x1b_Gf=100,a=T,m=1;"),
        ({"TERM_PROGRAM": "iTerm.app"}, "\x1b]1337;File=inline=1;width=100%;size=9000:"),
    ],
)
def test_a_picture_is_sent_as_the_terminal_wants_it(environment: dict[str, str], head: str) -> None:
    picture = bytes(range(250)) * 36
    sent = inline(picture, environment)
    assert sent is not None
    assert sent.startswith(head)
    chunks = re.findall(r"[;:]([A-Za-z0-9+/=]+)(?:\x1b\\|\x07)", sent)
    assert base64.b64decode("".join(chunks)) == picture


@pytest.mark.parametrize(
    "environment",
    [{}, {"TERM": "xterm-256color"}, {"TERM": "xterm-kitty", "TMUX": "/tmp/x"}, {"TERM": "dumb"}],
)
def test_a_terminal_without_pictures_gets_none(environment: dict[str, str]) -> None:
    assert inline(b"x", environment) is None
