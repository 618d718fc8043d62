"""Where an axis has its lines and how they are labelled."""

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import NamedTuple


class Tick(NamedTuple):
    at: float
    """A value, or the index of a bar."""
    label: str
    major: bool = False
    """The beginning of something bigger: a year, a day."""


def values(low: float, high: float, at_most: int) -> list[Tick]:
    """Return round values between `low` and `high`."""
    span = high - low
    if not span > 0:
        return [Tick(low, plain(low, 2))]
    rough = span / max(1, at_most)
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * by for by in (1.0, 2.0, 2.5, 5.0, 10.0) if size * by >= rough * 0.999)
    digits = decimals(step)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [Tick(index * step, plain(index * step, digits)) for index in range(first, last + 1)]


def decimals(step: float) -> int:
    """Return how many digits behind the point a step needs."""
    for digits in range(9):
        if abs(round(step, digits) - step) < step * 1e-6:
            return digits
    return 8


def plain(value: float, digits: int) -> str:
    """Return a number with separators and a real minus sign."""
    shown = f"{value:,.{digits}f}"
    if shown.startswith("-"):
        return f"−{shown[1:]}" if any(c in "123456789" for c in shown) else shown[1:]
    return shown


def short(value: float) -> str:
    """Return a large number in few letters: 4.2M."""
    for size, mark in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")):
        if abs(value) >= size:
            return f"{plain(value / size, 1).removesuffix('.0')}{mark}"
    return plain(value, 0)


_Unit = tuple[Callable[[datetime], object], Callable[[datetime], str], Callable[[datetime], object]]
_UNITS: tuple[_Unit, ...] = (
    (lambda t: (t.date(), t.hour, t.minute // 15), lambda t: f"{t:%H:%M}", lambda t: t.date()),
    (lambda t: (t.date(), t.hour), lambda t: f"{t:%H:%M}", lambda t: t.date()),
    (lambda t: (t.date(), t.hour // 4), lambda t: f"{t:%H:%M}", lambda t: t.date()),
    (lambda t: t.date(), lambda t: f"{t.day} {t:%b}", lambda t: t.year),
    (lambda t: t.isocalendar()[:2], lambda t: f"{t.day} {t:%b}", lambda t: t.year),
    (lambda t: (t.year, t.month), lambda t: f"{t:%b}", lambda t: t.year),
    (lambda t: (t.year, (t.month - 1) // 3), lambda t: f"{t:%b}", lambda t: t.year),
    (lambda t: t.year, lambda t: f"{t.year}", lambda t: None),
    (lambda t: t.year // 2, lambda t: f"{t.year}", lambda t: None),
    (lambda t: t.year // 5, lambda t: f"{t.year}", lambda t: None),
    (lambda t: t.year // 10, lambda t: f"{t.year}", lambda t: None),
)
"""Finest first: what makes a new tick, its label, and what makes it a major one."""


def times(opened: Sequence[int], *, step: float, room: float) -> list[Tick]:
    """Return where the finest unit of time begins that leaves `room` between its labels.

    `opened` are the bars' times, `step` the distance between two bars in the unit of `room`.
    """
    moments = [datetime.fromtimestamp(time, UTC) for time in opened]
    for key, label, bigger in _UNITS:
        starts = [i for i in range(1, len(moments)) if key(moments[i]) != key(moments[i - 1])]
        if len(starts) * room > max(1, len(moments)) * step:
            continue
        ticks: list[Tick] = []
        for index in starts:
            now, before = moments[index], moments[index - 1]
            major = bigger(now) != bigger(before)
            said = _major(now, before) if major else label(now)
            near = ticks and (index - ticks[-1].at) * step < room * 0.8
            if near and not major:
                continue
            if near:
                ticks.pop()
            ticks.append(Tick(index, said, major))
        return ticks
    return []


def _major(now: datetime, before: datetime) -> str:
    return f"{now.year}" if now.year != before.year else f"{now.day} {now:%b}"
