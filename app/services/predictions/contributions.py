"""Which inputs moved an answer, and how it is said. Pure."""

from typing import Any

import numpy as np

_MOST_FEATURES = 24


def largest(names: tuple[str, ...], moved: Any) -> dict[str, float]:
    """Return the contributions that are largest, largest first."""
    order = np.argsort(-np.abs(moved))[:_MOST_FEATURES]
    return {names[index]: float(moved[index]) for index in order}


def explained(features: dict[str, float]) -> str:
    """Return in words which inputs moved the answer most."""
    said = [
        f"{name.replace('_', ' ')} {'raises' if moved > 0 else 'lowers'} it"
        for name, moved in list(features.items())[:3]
        if moved
    ]
    return "; ".join(said)
