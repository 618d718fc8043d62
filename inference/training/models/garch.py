"""GARCH(1,1) with Student t errors by maximum likelihood, with numpy alone.

    r_t = mu + e_t,  h_t = omega + alpha e_{t-1}^2 + beta h_{t-1},  e_t / sqrt(h_t) ~ t(nu)

The recursion is linear in h, so a whole path is computed by doubling steps instead of a loop.
Returns are scaled to a deviation of 1 before the fit, so that one starting point serves them all.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from inference.requests import Floats

_Function = Callable[[Floats], float]
_LEAST = 250
_STEPS = 200
_START = np.array([-2.5, 3.0, math.log(6.0)])
"""alpha 0.08 of a persistence of 0.95, and 8 degrees of freedom: where most daily returns lie."""


@dataclass(frozen=True)
class Garch:
    """A fitted model, in the units of the returns."""

    mu: float
    omega: float
    alpha: float
    beta: float
    nu: float
    start: float
    """Variance before the first return."""
    free: tuple[float, ...]
    """The optimiser's own coordinates, from which a later fit can start."""

    def variances(self, returns: Floats) -> Floats:
        """Return the variance forecast for the bar after each return."""
        squared = (returns - self.mu) ** 2
        return _path(squared, self.omega, self.alpha, self.beta, self.start)[1:]

    def ahead(self, next_variance: Floats, horizon: int) -> Floats:
        """Return the mean variance of the next `horizon` bars, of the variance of the next one."""
        persistence = self.alpha + self.beta
        level = self.omega / (1.0 - persistence)
        decay = sum(persistence**step for step in range(horizon)) / horizon
        return np.asarray(level + (next_variance - level) * decay, dtype=np.float64)


def fit_garch(returns: Floats, *, start: Garch | None = None) -> Garch | None:
    """Fit a model; None where there are fewer than 250 returns or they do not vary.

    `start` is an earlier fit of the same instrument.
    """
    returns = returns[np.isfinite(returns)]
    deviation = float(returns.std()) if len(returns) else 0.0
    if len(returns) < _LEAST or deviation == 0.0:
        return None
    mu = float(returns.mean())
    squared = ((returns - mu) / deviation) ** 2
    before = float(squared[:50].mean())
    free = _minimise(
        lambda point: _minus_log_likelihood(point, squared, before),
        _START if start is None else np.array(start.free),
    )
    alpha, beta, nu, omega = _natural(free)
    scale = deviation**2
    return Garch(mu, omega * scale, alpha, beta, nu, before * scale, tuple(free.tolist()))


def _natural(point: Floats) -> tuple[float, float, float, float]:
    """Return alpha, beta, nu and omega (of a level of 1, or of its own) of free coordinates."""
    share = 1.0 / (1.0 + math.exp(-float(point[0])))
    persistence = 0.9999 / (1.0 + math.exp(-float(point[1])))
    nu = 2.05 + math.exp(min(float(point[2]), 6.0))
    level = math.exp(float(point[3])) if len(point) > 3 else 1.0
    return share * persistence, (1.0 - share) * persistence, nu, (1.0 - persistence) * level


def _path(squared: Floats, omega: float, alpha: float, beta: float, start: float) -> Floats:
    """Return h_0 .. h_n by x_t = c_t + beta x_{t-1} in doubling steps."""
    path = np.concatenate([[start], omega + alpha * squared])
    step, factor = 1, beta
    while step < len(path) and factor > 1e-14:
        path[step:] = path[step:] + factor * path[:-step]
        step, factor = 2 * step, factor * factor
    return path


def _minus_log_likelihood(point: Floats, squared: Floats, before: float) -> float:
    alpha, beta, nu, omega = _natural(point)
    variance = _path(squared, omega, alpha, beta, before)[:-1]
    constant = math.lgamma((nu + 1.0) / 2.0) - math.lgamma(nu / 2.0)
    constant -= 0.5 * math.log(math.pi * (nu - 2.0))
    body = 0.5 * np.log(variance)
    body += (nu + 1.0) / 2.0 * np.log1p(squared / (variance * (nu - 2.0)))
    return float(body.mean()) - constant


def _minimise(function: _Function, start: Floats) -> Floats:
    """Return where the function is least, by BFGS with central differences."""
    point = np.append(start, 0.0) if len(start) == 3 else start.copy()
    value, slope = function(point), _slope(function, point)
    inverse = np.eye(len(point)) * 0.5
    for _ in range(_STEPS):
        direction = -inverse @ slope
        if direction @ slope >= 0.0:
            inverse, direction = np.eye(len(point)), -slope
        direction *= min(1.0, 2.0 / float(np.abs(direction).max() + 1e-12))
        length = 1.0
        while (
            function(point + length * direction) > value + 1e-4 * length * (direction @ slope)
            and length > 1e-6
        ):
            length *= 0.5
        step = length * direction
        new_slope = _slope(function, point + step)
        change = new_slope - slope
        point, slope = point + step, new_slope
        previous, value = value, function(point)
        curve = float(step @ change)
        if curve > 1e-12:
            left = np.eye(len(point)) - np.outer(step, change) / curve
            inverse = left @ inverse @ left.T + np.outer(step, step) / curve
        if (abs(previous - value) < 1e-9 and float(np.abs(slope).max()) < 1e-4) or length <= 1e-6:
            break
    return point


def _slope(function: _Function, point: Floats) -> Floats:
    out = np.empty(len(point))
    for index in range(len(point)):
        aside = np.zeros(len(point))
        aside[index] = 1e-4
        out[index] = (function(point + aside) - function(point - aside)) / 2e-4
    return out
