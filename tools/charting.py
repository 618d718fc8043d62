"""A chart by itself: the card `chart.candles` of one instrument with the layers asked for."""

from typing import Literal, get_args

import msgspec

from tools import cards, technicals
from tools.analytics import composite
from tools.analytics import signals as rules
from tools.history import History
from tools.tool import Card

Layer = Literal["averages", "bands", "levels", "trend", "signals", "rsi", "macd"]
LAYERS: tuple[Layer, ...] = get_args(Layer)
USUAL: tuple[Layer, ...] = ("averages", "levels", "trend", "signals", "rsi")
_BANDS = ("Upper band", "Lower band")


def chart_of(history: History, *, bars: int, layers: tuple[Layer, ...] = USUAL) -> Card:
    """Return the newest `bars` candles with the layers; volume is always there."""
    picture = technicals.look(history)
    firings: list[rules.Firing] = []
    if "signals" in layers:
        strength = composite.combine(history.prices, picture.indicators)
        firings = rules.fire(history.prices, picture.indicators, strength)
    panes: list[Literal["RSI", "MACD"]] = ["RSI"] if "rsi" in layers else []
    panes += ["MACD"] if "macd" in layers else []
    card = cards.chart(
        history,
        picture.indicators,
        overlays="all" if "bands" in layers else "averages",
        panes=panes,
        levels=picture.levels if "levels" in layers else (),
        line=picture.trend if "trend" in layers else None,
        firings=[firing for firing in firings if firing.type in ("entry", "exit", "breakout")],
        shown=bars,
    )
    if "averages" in layers:
        return card
    bands = [line for line in card.content["overlays"] if line["name"] in _BANDS]
    return msgspec.structs.replace(card, content={**card.content, "overlays": bands})
