"""The naive ways to foretell a column of a table: its mean, its last value, the last season's.

What was the last value is judged row by row: only what had happened, was known and lies an embargo
back counts, as it would have at that moment.
"""

from collections.abc import Callable, Mapping

import numpy as np

from inference.datasets.splits import Mask
from inference.panel import Times
from inference.requests import Floats
from inference.training.evaluation.walk_forward import Cases

Fit = Callable[[Cases, Cases], Floats]
LAST, SEASON = "last", "season"
"""Columns that `lagged` adds to cases."""
_DAY = 86_400
_LEAST_OWN = 20


def lagged(cases: Cases, season: int) -> dict[str, Floats]:
    """Return each case's last outcome of its own entity, and the one a whole season back.

    `season` counts rows of the entity; 0: there is none. NaN where nothing was known yet.
    """
    last = np.full(len(cases), np.nan)
    back = np.full(len(cases), np.nan)
    for symbol in np.unique(cases.symbols):
        mine = np.flatnonzero(cases.symbols == symbol)
        mine = mine[np.argsort(cases.times[mine], kind="stable")]
        outcomes = cases.outcomes[mine]
        # How many of the entity's rows had an outcome that was over at each of its moments.
        known = np.searchsorted(cases.released[mine], cases.times[mine], side="right")
        place = np.arange(len(mine))
        newest = known - 1
        last[mine] = np.where(newest >= 0, outcomes[np.maximum(newest, 0)], np.nan)
        if season:
            seasons = np.maximum(1, -((newest - place) // season))
            at = place - seasons * season
            back[mine] = np.where(at >= 0, outcomes[np.maximum(at, 0)], np.nan)
    return {LAST: last, SEASON: back} if season else {LAST: last}


def season_of(times: Times, symbols: np.ndarray, train: Mask) -> int:
    """Return how many rows a season has, by the usual step of the training rows; 0: none.

    Hours have days of 24, days weeks of 7 (5 where weekends are missing), months years of 12.
    """
    steps = [
        np.diff(np.unique(times[train & (symbols == symbol)]).astype(np.int64))
        for symbol in np.unique(symbols)
    ]
    found = np.concatenate(steps) if steps else np.empty(0)
    if len(found) < 20:
        return 0
    step = float(np.median(found))
    if 3_300 <= step <= 3_900:
        return 24
    if 0.9 * _DAY <= step <= 1.1 * _DAY:
        # 1970-01-01 was a Thursday.
        days = (times[train].astype(np.int64) // _DAY + 3) % 7
        return 7 if (days >= 5).mean() > 0.1 else 5
    return 12 if 27 * _DAY <= step <= 32 * _DAY else 0


def mean_so_far(train: Cases, test: Cases) -> Floats:
    """Forecast the mean of all outcomes so far."""
    return np.full(len(test), train.outcomes.mean())


def own_mean(train: Cases, test: Cases) -> Floats:
    """Forecast the mean of the entity's own outcomes; of all where it has fewer than 20."""
    out = mean_so_far(train, test)
    for symbol in np.unique(test.symbols):
        own = train.outcomes[train.symbols == symbol]
        if len(own) >= _LEAST_OWN:
            out[test.symbols == symbol] = own.mean()
    return out


def as_it_was(column: str) -> Fit:
    """Return what forecasts a column of `lagged` as it stands, the mean where it is missing."""

    def fit(train: Cases, test: Cases) -> Floats:
        found = test.column(column)
        return np.where(np.isnan(found), mean_so_far(train, test), found)

    return fit


def rates_so_far(classes: int) -> Fit:
    """Return how often each class has come so far."""
    return lambda train, test: np.tile(_rates(train.outcomes, classes), (len(test), 1))


def after_the_last(classes: int) -> Fit:
    """Return how often each class came after what the entity's last one was."""

    def fit(train: Cases, test: Cases) -> Floats:
        before, now = train.column(LAST), test.column(LAST)
        out = np.tile(_rates(train.outcomes, classes), (len(test), 1))
        for one in range(classes):
            then = train.outcomes[before == one]
            if len(then) >= _LEAST_OWN:
                out[now == one] = _rates(then, classes)
        return out

    return fit


def of_quantities(cases: Cases) -> Mapping[str, Fit]:
    """Return the baselines of a quantity, by name."""
    found: dict[str, Fit] = {"mean so far": mean_so_far}
    if len(cases.symbol_names) > 1:
        found["its own mean so far"] = own_mean
    if LAST in cases.names:
        found["last value"] = as_it_was(LAST)
    if SEASON in cases.names:
        found["a season ago"] = as_it_was(SEASON)
    return found


def of_classes(cases: Cases, classes: int) -> Mapping[str, Fit]:
    """Return the baselines of a class, by name."""
    found: dict[str, Fit] = {"rates so far": rates_so_far(classes)}
    if LAST in cases.names:
        found["after the last one"] = after_the_last(classes)
    return found


def _rates(outcomes: Floats, classes: int) -> Floats:
    counts = np.bincount(outcomes.astype(np.int64), minlength=classes)
    return np.asarray((counts + 0.5) / (counts.sum() + 0.5 * classes), dtype=np.float64)
