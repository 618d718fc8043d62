"""Forecast the past as it would have been done: refit, forecast the next bars, go on.

A label is learned from only when it and an embargo are over at the refit. Both are counted in the
instrument's own bars, so gaps and exchanges do not matter.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from inference.datasets.views import FeatureView, Table
from inference.errors import BadInput
from inference.panel import Panel, Series, Times
from inference.requests import Floats
from inference.training.recipe import TooLittleData

Mask = NDArray[np.bool_]
Target = Callable[[Series, int], Floats]
"""A series and a horizon -> the outcome of each bar, NaN where it is not known."""
NEVER = np.datetime64("9999-01-01", "s")


@dataclass(frozen=True, eq=False)
class Cases:
    """Rows to learn from and to be judged on, instrument by instrument, oldest first."""

    names: tuple[str, ...]
    rows: Floats
    """Shape (cases, names)."""
    outcomes: Floats
    times: Times
    """When each forecast is made: the close of its bar."""
    released: Times
    """When the label and its embargo are over; `NEVER` where the history ends before."""
    symbols: NDArray[np.int64]
    """Index into `symbol_names`."""
    symbol_names: tuple[str, ...]
    horizon: int
    aside: Floats
    """A second outcome, known with the first: what a scale is learned from. NaN where unused."""

    def __len__(self) -> int:
        return len(self.outcomes)

    def pick(self, which: Mask) -> "Cases":
        """Return the cases where `which` is true."""
        return replace(
            self,
            rows=self.rows[which],
            outcomes=self.outcomes[which],
            times=self.times[which],
            released=self.released[which],
            symbols=self.symbols[which],
            aside=self.aside[which],
        )

    def columns(self, *names: str) -> Floats:
        """Return some columns, in this order."""
        return self.rows[:, [self.names.index(name) for name in names]]

    def column(self, name: str) -> Floats:
        """Return one column."""
        return self.rows[:, self.names.index(name)]


def cases_of(
    panel: Panel,
    view: FeatureView,
    target: Target,
    *,
    horizon: int,
    embargo: int | None = None,
    extra: Callable[[Series], dict[str, Floats]] = lambda _: {},
    aside: Target | None = None,
) -> Cases:
    """Return every bar whose features are known; those whose outcome is not known yet have NaN.

    `extra` adds columns that baselines need and no model reads. The embargo is one horizon by
    default.
    """
    tables: dict[str, Table] = dict(view.compute(panel))
    inputs = tuple(column.name for column in view.columns)
    wait = horizon + (horizon if embargo is None else embargo)
    parts: list[tuple[Floats, Floats, Times, Times, NDArray[np.int64], Floats]] = []
    names = inputs
    for index, series in enumerate(panel.series):
        more = extra(series)
        names = (*inputs, *more)
        columns = [tables[series.symbol].columns[name] for name in inputs]
        rows = np.stack([*columns, *more.values()], axis=1)
        known = np.isfinite(rows).all(axis=1)
        outcomes = target(series, horizon)
        second = np.full(len(series), np.nan)
        if aside is not None:
            second = aside(series, horizon)
            outcomes = np.where(np.isnan(second), np.nan, outcomes)
        released = np.full(len(series), NEVER)
        released[: max(0, len(series) - wait)] = series.times[wait:]
        parts.append(
            (
                rows[known],
                outcomes[known],
                series.times[known],
                released[known],
                np.full(int(known.sum()), index, dtype=np.int64),
                second[known],
            )
        )
    found = [np.concatenate(column) for column in zip(*parts, strict=True)]
    return Cases(
        names=names,
        rows=found[0],
        outcomes=found[1],
        times=found[2],
        released=found[3],
        symbols=found[4],
        symbol_names=tuple(series.symbol for series in panel.series),
        horizon=horizon,
        aside=found[5],
    )


@dataclass(frozen=True)
class Plan:
    """When to refit, and on what."""

    refit_bars: int = 126
    """Moments between refits."""
    test_share: float = 0.6
    """Share of the moments, the newest, that are forecast."""
    test_from: str = ""
    """ISO date of the first forecast instead."""
    window_bars: int = 0
    """How many moments before the refit are learned from; 0: all of them (expanding)."""
    least_train: int = 300
    """Cases that the first fit needs."""

    def __post_init__(self) -> None:
        if self.refit_bars < 1 or not 0.0 < self.test_share < 1.0 or self.window_bars < 0:
            raise BadInput(
                "refit_bars must be 1 or more, test_share between 0 and 1, window_bars 0 or more"
            )


@dataclass(frozen=True, eq=False)
class Fold:
    """One refit: what is learned from and what is forecast with it."""

    train: Mask
    test: Mask
    share: float
    """How much of the whole is done once this fold is, 0 to 1."""


def folds(cases: Cases, plan: Plan) -> Iterator[Fold]:
    """Return the refits, oldest first. Every case with a known outcome from the first one on is
    forecast exactly once.

    Raises:
        TooLittleData: the first refit has too little to learn from.
    """
    known = np.isfinite(cases.outcomes)
    moments = np.unique(cases.times[known])
    if not len(moments):
        raise TooLittleData("no bar has both its features and its outcome")
    first = _first_test(moments, plan)
    while first < len(moments) and _released(cases, moments[first], known) < plan.least_train:
        first += plan.refit_bars
    if first >= len(moments):
        raise TooLittleData(
            f"there are {int(known.sum()):,} cases over {len(moments):,} bars; "
            f"{plan.least_train:,} to learn from and some to be judged on are needed"
        )
    for start in range(first, len(moments), plan.refit_bars):
        stop = min(start + plan.refit_bars, len(moments))
        cut = moments[start]
        train = known & (cases.released <= cut)
        if plan.window_bars:
            train &= cases.times >= moments[max(0, start - plan.window_bars)]
        test = known & (cases.times >= cut) & (cases.times <= moments[stop - 1])
        yield Fold(train, test, (stop - first) / (len(moments) - first))


def _first_test(moments: Times, plan: Plan) -> int:
    if not plan.test_from:
        return int(len(moments) * (1.0 - plan.test_share))
    try:
        day = datetime.fromisoformat(plan.test_from)
    except ValueError:
        raise BadInput(f"test_from is {plan.test_from!r}; it must be an ISO date") from None
    seconds = int(day.replace(tzinfo=day.tzinfo or UTC).timestamp())
    return int(np.searchsorted(moments, np.datetime64(seconds, "s")))


def _released(cases: Cases, cut: np.datetime64, known: Mask) -> int:
    return int((known & (cases.released <= cut)).sum())


def forecast(
    cases: Cases,
    plan: Plan,
    fit: Callable[[Cases, Cases], Floats],
    *,
    width: int = 1,
    progress: Callable[[float], None] = lambda _: None,
) -> tuple[Floats, int]:
    """Return the walk-forward forecasts of `fit(train, test)`, NaN before the first, and how often
    it was refitted.

    Both outcomes of `test` are hidden from `fit`.
    """
    shape = (len(cases),) if width == 1 else (len(cases), width)
    found = np.full(shape, np.nan)
    refits = 0
    for fold in folds(cases, plan):
        test = cases.pick(fold.test)
        unknown = np.full(len(test), np.nan)
        hidden = replace(test, outcomes=unknown, aside=unknown)
        found[fold.test] = fit(cases.pick(fold.train), hidden)
        refits += 1
        progress(fold.share)
    return found, refits


def moment(time: np.datetime64) -> datetime:
    """Return numpy's time as Python's, UTC."""
    return datetime.fromtimestamp(int(time.astype("datetime64[s]").astype(np.int64)), UTC)
