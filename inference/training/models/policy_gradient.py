"""Learn a policy by following the slope of what it earns along simulated paths.

The derivative of every step with respect to the policy's numbers is carried forward beside the
path itself (forward sensitivities), so that the slope is exact for the paths at hand: no critic, no
sampling of actions. `tracking_problem` has a known optimum, which tests hold the learner to.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from inference.requests import Floats

Objective = Callable[[Floats], tuple[float, Floats]]
"""Policy's numbers -> mean loss, and its slope."""


def descend(
    objective: Objective,
    start: Floats,
    *,
    steps: int,
    rate: float,
    progress: Callable[[float], None] = lambda _: None,
) -> Floats:
    """Return the numbers with the least loss that Adam met on its way down from `start`."""
    numbers = start.astype(np.float64).copy()
    best, best_loss = numbers.copy(), np.inf
    slow, fast = np.zeros_like(numbers), np.zeros_like(numbers)
    for step in range(1, steps + 1):
        loss, slope = objective(numbers)
        if loss < best_loss:
            best, best_loss = numbers.copy(), loss
        slow = 0.9 * slow + 0.1 * slope
        fast = 0.99 * fast + 0.01 * slope * slope
        eased = rate * (1.0 - (step - 1) / steps) + 0.02 * rate
        unbiased = np.sqrt(fast / (1.0 - 0.99**step))
        numbers = numbers - eased * (slow / (1.0 - 0.9**step)) / (unbiased + 1e-12)
        progress(step / steps)
    return best if best_loss <= objective(numbers)[0] else numbers


@dataclass(frozen=True)
class TrackingProblem:
    """Follow a target that wanders around 0, where moving costs the square of the move.

    The target is x' = persistence x + noise; holding p costs (p - x)^2 + cost (p - before)^2 a
    step. The best policy is linear, p = keep before + take x, and known in closed form.
    """

    persistence: float
    cost: float

    def optimum(self) -> tuple[float, float]:
        """Return (keep, take) of the policy with the least mean cost.

        The value of holding p is quadratic; its first coefficient A solves
        A = cost - cost^2 / (1 + cost + A), and keep and take follow from the first-order condition.
        """
        # A^2 + A - cost = 0, times the positive root.
        value = (-1.0 + np.sqrt(1.0 + 4.0 * self.cost)) / 2.0
        whole = 1.0 + self.cost + value
        return float(self.cost / whole), float(1.0 / (whole - self.cost * self.persistence))

    def objective(self, *, paths: int, steps: int, burn_in: int, seed: int) -> Objective:
        """Return the mean cost of (keep, take) along paths that are drawn once."""
        dice = np.random.default_rng(seed)
        noise = dice.standard_normal((steps + burn_in, paths))
        targets = np.empty_like(noise)
        at = dice.standard_normal(paths) / np.sqrt(1.0 - self.persistence**2)
        for step in range(len(noise)):
            at = self.persistence * at + noise[step]
            targets[step] = at

        def loss(numbers: Floats) -> tuple[float, Floats]:
            keep, take = numbers
            held = np.zeros(paths)
            by_keep, by_take = np.zeros(paths), np.zeros(paths)
            total, slope = 0.0, np.zeros(2)
            for step, x in enumerate(targets):
                now = keep * held + take * x
                now_keep, now_take = held + keep * by_keep, x + keep * by_take
                if step >= burn_in:
                    off, move = now - x, self.cost * (now - held)
                    total += float(off @ off + move @ (now - held))
                    slope[0] += 2.0 * float(off @ now_keep + move @ (now_keep - by_keep))
                    slope[1] += 2.0 * float(off @ now_take + move @ (now_take - by_take))
                held, by_keep, by_take = now, now_keep, now_take
            return total / (steps * paths), slope / (steps * paths)

        return loss
