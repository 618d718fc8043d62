"""The ways of sampling paths that are compared: two bootstraps, a filtered one, and a net.

Each learns from instruments as they were at a cut, and then samples from a bar after it. They are
the samplers that serve (`inference/runtimes/path_sampling.py`), not others like them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from msgspec.structs import asdict, replace

from inference.bundle import Member
from inference.datasets.path_views import (
    FAST_COLUMN,
    RETURN_COLUMNS,
    SLOW_COLUMN,
    WARM_UP,
    WINDOW,
    log_returns,
    log_variances,
)
from inference.datasets.volatility_target import FAST
from inference.panel import Panel, Times
from inference.requests import Floats, Rows
from inference.runtimes.path_sampling import (
    FHS,
    GRU,
    SEED,
    FhsOptions,
    FhsPaths,
    GruOptions,
    GruPaths,
    draw_blocks,
    feed_back,
)
from inference.runtimes.weights import Tensor
from inference.training.models.gru_training import HIDDEN, MIXTURES, fit_gru
from inference.training.parallel.lesson import Lesson, Weights

BLOCK = 20.0
_PULLS = np.round(np.arange(0.0, 0.81, 0.1), 2)
_KEEPS = (1.0, 0.995, 0.99, 0.98, 0.97, 0.96, 0.94, 0.92, 0.88, 0.8)
_LEADS = (1, 2, 5, 10, 20)
"""Bars ahead at which the variance is held to what happened."""
_BOOTSTRAP_BARS = 1000


@dataclass(frozen=True, eq=False)
class History:
    """Returns of one instrument, and its two moving variances, at each bar."""

    symbol: str
    times: Times
    returns: Floats
    fast: Floats
    slow: Floats
    """Logs of variances."""

    def until(self, stop: int) -> "History":
        """Return the first `stop` bars."""
        return History(
            self.symbol,
            self.times[:stop],
            self.returns[:stop],
            self.fast[:stop],
            self.slow[:stop],
        )


def histories(panel: Panel) -> list[History]:
    """Return what the samplers read, of instruments with enough bars."""
    found = []
    for series in panel.series:
        if len(series) > WARM_UP + 10:
            returns = log_returns(series)
            fast, slow = log_variances(returns)
            rows = slice(WARM_UP, None)
            found.append(
                History(series.symbol, series.times[rows], returns[rows], fast[rows], slow[rows])
            )
    return found


class Sampler(Protocol):
    """Samples paths of log returns from a bar on."""

    def sample(self, history: History, at: int, *, seed: int) -> Floats:
        """Return paths (paths, steps) from bar `at` on; nothing after it is read."""
        ...


@dataclass(frozen=True)
class Bootstrap:
    """Blocks of the instrument's own last thousand returns less their mean; 1: one by one.

    No sampler here has a drift: the past drift of instruments that survived would flatter it.
    """

    block: float
    paths: int
    steps: int

    def sample(self, history: History, at: int, *, seed: int) -> Floats:
        """Implement `Sampler`."""
        past = history.returns[max(0, at + 1 - _BOOTSTRAP_BARS) : at + 1]
        breaks = np.zeros(len(past), dtype=bool)
        breaks[-1] = True
        drawn = draw_blocks(breaks, self.block, paths=self.paths, steps=self.steps, seed=seed)
        return np.asarray((past - past.mean())[drawn])


@dataclass(frozen=True, eq=False)
class Filtered:
    """Filtered historical simulation, fitted."""

    options: FhsOptions
    tensors: dict[str, Tensor]

    def member(self) -> Member:
        """Return it as a bundle names it."""
        return Member(
            name=FHS,
            runtime="numpy",
            file=f"{FHS}.safetensors",
            architecture=FHS,
            options=_plain(self.options),
            columns=(FAST_COLUMN, SLOW_COLUMN, SEED),
        )

    def sample(self, history: History, at: int, *, seed: int) -> Floats:
        """Implement `Sampler`."""
        row = np.array([[history.fast[at], history.slow[at], float(seed)]])
        return _run(FhsPaths(self.member(), self.options, self.tensors), row)

    def long_run(self, *, paths: int, steps: int, seed: int) -> Floats:
        """Return long paths from a calm start, to look at what they are like."""
        drawn = draw_blocks(
            self.tensors["breaks"] > 0.5, self.options.block, paths=paths, steps=steps, seed=seed
        )
        z = np.asarray(self.tensors["z"], dtype=np.float64)
        return feed_back(z[drawn], 1.0, 1.0, keep=self.options.keep, decay=self.options.decay)


@dataclass(frozen=True, eq=False)
class Recurrent:
    """The recurrent net, fitted."""

    options: GruOptions
    tensors: dict[str, Tensor]

    def member(self) -> Member:
        """Return it as a bundle names it."""
        return Member(
            name=GRU,
            runtime="numpy",
            file=f"{GRU}.safetensors",
            architecture=GRU,
            options=_plain(self.options),
            columns=(*RETURN_COLUMNS, SLOW_COLUMN, SEED),
        )

    def sample(self, history: History, at: int, *, seed: int) -> Floats:
        """Implement `Sampler`."""
        last = history.returns[at + 1 - WINDOW : at + 1]
        row = np.concatenate([last, [history.slow[at], float(seed)]])[None, :]
        return _run(GruPaths(self.member(), self.options, self.tensors), row)

    def long_run(self, *, paths: int, steps: int, seed: int) -> Floats:
        """Return long paths from rest, to look at what they are like."""
        long = replace(self.options, paths=paths, steps=steps)
        # At 1 % a day, so that no draw is cut off for being impossible.
        row = np.array([[*np.zeros(WINDOW), np.log(1e-4), float(seed)]])
        return _run(GruPaths(self.member(), long, self.tensors), row)


def fit_filtered(past: Sequence[History], *, paths: int, steps: int, seed: int) -> Filtered:
    """Return filtered historical simulation whose variance fits the past best, 1 to 20 bars on."""
    pull, keep = fit_variance(past)
    z, breaks = [], []
    for one in past:
        ahead = _ahead(one, pull)
        z.append(one.returns[1:] / np.sqrt(ahead))
        last = np.zeros(len(ahead))
        last[-1] = 1.0
        breaks.append(last)
    pooled = np.concatenate(z)
    # The level of volatility is the filter's business, drift nobody's: mean 0, variance 1.
    pooled = (pooled - pooled.mean()) / pooled.std()
    options = FhsOptions(
        residuals=len(pooled),
        pull=pull,
        keep=keep,
        decay=FAST,
        block=BLOCK,
        paths=paths,
        steps=steps,
        seed=seed,
    )
    return Filtered(options, {"z": pooled, "breaks": np.concatenate(breaks)})


def fit_recurrent(
    past: Sequence[History],
    *,
    paths: int,
    steps: int,
    seed: int,
    training_steps: int,
    fit: Callable[[Lesson], Weights],
) -> Recurrent:
    """Return the net, fitted to returns over the slow deviation at the bar before."""
    moves = [standardised(one) for one in past]
    weights = fit_gru(moves, steps=training_steps, seed=seed, fit=fit)
    options = GruOptions(
        window=WINDOW, hidden=HIDDEN, mixtures=MIXTURES, paths=paths, steps=steps, seed=seed
    )
    return Recurrent(options, weights)


def standardised(history: History) -> Floats:
    """Return each return over the slow deviation known at the bar before."""
    return np.asarray(history.returns[1:] / np.exp(0.5 * history.slow[:-1]))


def _ahead(history: History, pull: float) -> Floats:
    """Return the variance forecast for each bar but the first."""
    fast, slow = np.exp(history.fast[:-1]), np.exp(history.slow[:-1])
    return np.asarray((1.0 - pull) * fast + pull * slow)


def fit_variance(past: Sequence[History]) -> tuple[float, float]:
    """Return (pull, keep) with the least quasi-likelihood loss (log h + r^2 / h) over the leads."""
    best, least = (0.0, 1.0), np.inf
    for pull in _PULLS:
        for keep in _KEEPS:
            losses = [_loss(one, pull, keep, lead) for one in past for lead in _LEADS]
            if (loss := float(np.mean(losses))) < least:
                best, least = (float(pull), keep), loss
    return best


def _loss(history: History, pull: float, keep: float, lead: int) -> float:
    slow = np.exp(history.slow[:-lead])
    ahead = slow + (np.exp(history.fast[:-lead]) - slow) * (1.0 - pull) * keep ** (lead - 1)
    return float(np.mean(np.log(ahead) + history.returns[lead:] ** 2 / ahead))


def _plain(options: FhsOptions | GruOptions) -> dict[str, Any]:
    return asdict(options)


def _run(sampler: FhsPaths | GruPaths, row: Floats) -> Floats:
    found: Floats = sampler.paths(Rows(sampler.columns, row))[0]
    return found
