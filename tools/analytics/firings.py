"""What a signal is, which others resemble it, and how long it holds."""

from dataclasses import dataclass
from typing import Literal

from tools.analytics.composite import Composite

SignalType = Literal[
    "entry", "exit", "trend_change", "volatility", "volume_spike", "breakout", "reversal"
]
Variant = Literal["burst", "squeeze"]
Side = Literal[-1, 0, 1]
VARIANTS: tuple[Variant, ...] = ("burst", "squeeze")
VALID_BARS: dict[SignalType, int] = {
    "entry": 20,
    "exit": 5,
    "trend_change": 60,
    "volatility": 5,
    "volume_spike": 5,
    "breakout": 20,
    "reversal": 10,
}
KINDS = (
    "entry+",
    "entry-",
    "exit+",
    "exit-",
    "trend_change+",
    "trend_change-",
    "volatility:burst",
    "volatility:squeeze",
    "volume_spike",
    "breakout+",
    "breakout-",
    "reversal+",
    "reversal-",
)
"""Every `like` there is: what is examined, and so what chance may favour."""


def kind_of(like: str) -> tuple[SignalType, Variant | None, Side]:
    """Return the type, variant and side that one of `KINDS` stands for."""
    name, _, variant = like.partition(":")
    side: Side = 1 if name.endswith("+") else -1 if name.endswith("-") else 0
    bare = name.rstrip("+-")
    kind = next(one for one in VALID_BARS if one == bare)
    shade: Variant | None = next((one for one in VARIANTS if one == variant), None)
    return kind, shade, side


@dataclass(frozen=True)
class Firing:
    """One signal at the close of one bar."""

    type: SignalType
    bar: int
    side: Side
    strength: float
    """-100 to 100; a heuristic."""
    reason: str
    variant: Variant | None = None

    @property
    def like(self) -> str:
        """Which other firings resemble it: type, side and variant, as one word."""
        if self.variant is not None:
            return f"{self.type}:{self.variant}"
        return self.type + {-1: "-", 0: "", 1: "+"}[self.side]

    @property
    def line(self) -> str:
        """Which later firings supersede it: those of its type, whichever side they take."""
        return self.like if self.side == 0 else self.type


@dataclass(frozen=True)
class End:
    """Why a signal holds no longer, and since the close of which bar."""

    bar: int
    how: Literal["expired", "superseded"]
    reason: str


def ends(firings: list[Firing], composite: Composite, last: int) -> list[End | None]:
    """Return how each firing ended by the close of bar `last`, None for those that still hold.

    `firings` are in the order `fire` returns.
    """
    strength = composite.strength.tolist()
    later: dict[str, list[Firing]] = {}
    out: list[End | None] = [None] * len(firings)
    for index in range(len(firings) - 1, -1, -1):
        firing = firings[index]
        candidates = [
            End(firing.bar + VALID_BARS[firing.type], "expired", "its time has passed"),
            *_superseded(firing, later),
        ]
        if firing.type == "entry" and (lost := _turned(firing, strength, last)) is not None:
            candidates.append(End(lost, "superseded", "the strength crossed zero"))
        # At the same bar the reason that says more wins: being superseded, not running out.
        first = min(candidates, key=lambda end: (end.bar, end.how == "expired"))
        out[index] = first if first.bar <= last else None
        later.setdefault(firing.line, []).append(firing)
    return out


def active(firings: list[Firing], composite: Composite, last: int) -> list[Firing]:
    """Return what still holds at the close of bar `last`, newest first."""
    held = [
        firing
        for firing, end in zip(firings, ends(firings, composite, last), strict=True)
        if end is None and firing.bar <= last
    ]
    return sorted(held, key=lambda firing: (-firing.bar, firing.type))


def _superseded(firing: Firing, later: dict[str, list[Firing]]) -> list[End]:
    """Return when a newer firing of the type, or an exit, takes the place of `firing`."""
    found = []
    if newer := _next(later.get(firing.line, []), firing.bar):
        found.append(End(newer.bar, "superseded", f"a newer {firing.type.replace('_', ' ')}"))
    if firing.type == "entry" and (leave := _next(later.get("exit", []), firing.bar)):
        found.append(End(leave.bar, "superseded", "an exit"))
    return found


def _next(firings: list[Firing], bar: int) -> Firing | None:
    """Return the earliest of `firings`, which are newest first, that is after `bar`."""
    for firing in reversed(firings):
        if firing.bar > bar:
            return firing
    return None


def _turned(firing: Firing, strength: list[float], last: int) -> int | None:
    stop = min(firing.bar + VALID_BARS["entry"], last)
    for bar in range(firing.bar + 1, stop + 1):
        if strength[bar] * firing.side <= 0.0:
            return bar
    return None
