"""One small trained model per runtime, saved as an artifact would hold it."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from inference.bundle import Member
from inference.requests import Floats, Rows
from inference.runtimes.catalog import runtime_for
from inference.runtimes.runtime import Runtime

NAMES = ("rv_day", "rv_week", "rv_month", "volume")


@dataclass(frozen=True)
class Case:
    """A saved model and what its framework itself says about rows."""

    member: Member
    expected: Callable[[Rows], Floats]
    rows: Callable[[int], Rows] = field(default=lambda count: market_rows(count))
    hidden: str | None = None
    """The module whose absence must be told; None where nothing is needed."""
    extra: str = ""
    exact_batches: bool = True
    """Whether a row gives the same bits in any batch; else within 1e-5."""
    missing_allowed: bool = False
    contributions: Callable[[Rows], Floats] | None = None
    """What the contributions of a row must sum to."""
    main_file: str | None = None
    """What is damaged, where the member's file is a folder."""
    runtime: Callable[[], Runtime] | None = None

    def made(self) -> Runtime:
        """Return the runtime that the case is loaded by."""
        return runtime_for(self.member.runtime) if self.runtime is None else self.runtime()


def market_rows(count: int, seed: int = 3) -> Rows:
    """Return rows of log variances and abnormal volume."""
    rng = np.random.default_rng(seed)
    level = rng.normal(-9.0, 1.0, size=(count, 1))
    numbers = np.hstack([level + rng.normal(0, 0.5, size=(count, 3)), rng.normal(size=(count, 1))])
    return Rows(NAMES, numbers)


def next_variance(rows: Rows) -> Floats:
    """Return a made-up next variance: persistent, higher after abnormal volume, noisy."""
    rng = np.random.default_rng(5)
    x = rows.numbers
    log = 0.5 * x[:, 0] + 0.3 * x[:, 1] + 0.2 * x[:, 2] + 0.3 * np.maximum(x[:, 3], 0.0)
    return np.asarray(np.exp(log + rng.normal(0, 0.3, size=len(x))))


def training() -> tuple[Floats, Floats]:
    """Return the rows and targets that all numeric examples learn from."""
    rows = market_rows(600, seed=1)
    return rows.numbers, next_variance(rows)


HEADLINES = (
    ("shares surge on record profit", 2),
    ("profit beats estimates, outlook raised", 2),
    ("stock falls after weak guidance", 0),
    ("company misses estimates, shares plunge", 0),
    ("annual meeting held on tuesday", 1),
    ("board names new secretary", 1),
)


def headline_rows(count: int) -> Rows:
    """Return headlines, told over and over with other numbers in them."""
    texts = tuple(f"{HEADLINES[i % len(HEADLINES)][0]} in {2000 + i}" for i in range(count))
    return Rows((), np.empty((count, 0)), {"headline": texts})


def headline_labels(count: int) -> Any:
    """Return their labels: 0 negative, 1 neutral, 2 positive."""
    return np.array([HEADLINES[i % len(HEADLINES)][1] for i in range(count)])


def member(runtime: Any, file: str, **more: Any) -> Member:
    """Return a member named after its runtime."""
    return Member(name=f"{runtime}-example", runtime=runtime, file=file, **more)


Maker = Callable[[Path], Case]
