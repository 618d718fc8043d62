"""Did the split go as it was meant to? If not, nothing that an experiment says can be believed."""

import hashlib
import math
from uuid import UUID

SUSPICIOUS = 0.001
"""A p-value below it stops the reading of an experiment: one in a thousand cries wolf (Fabijan et
al. 2019, "Diagnosing Sample Ratio Mismatch in Online Controlled Experiments")."""


def assigned(experiment: UUID, unit: str, share: float) -> bool:
    """Tell whether a unit gets the challenger: always the same answer, for `share` of units."""
    digest = hashlib.sha256(experiment.bytes + unit.encode()).digest()
    return int.from_bytes(digest[:8]) < share * 2**64


def mismatch_p(challenger: int, total: int, share: float) -> float:
    """Return the chance of a split at least as uneven, if each unit got `share` independently.

    Chi-square with one degree of freedom; for fewer than 20 units the exact binomial.
    """
    if not total or not 0.0 < share < 1.0:
        return 1.0
    if total < 20:
        return _exact(challenger, total, share)
    expected = total * share
    statistic = (challenger - expected) ** 2 * (1.0 / expected + 1.0 / (total - expected))
    return math.erfc(math.sqrt(statistic / 2.0))


def _exact(challenger: int, total: int, share: float) -> float:
    chances = [
        math.comb(total, k) * share**k * (1.0 - share) ** (total - k) for k in range(total + 1)
    ]
    return min(1.0, sum(p for p in chances if p <= chances[challenger] * (1.0 + 1e-9)))
