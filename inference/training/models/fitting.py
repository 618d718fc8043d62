"""How a recipe has its networks trained: by which workers, and what is told of it meanwhile."""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec

from inference.errors import BadInput
from inference.training.parallel.lesson import Lesson, Weights
from inference.training.parallel.place import Place, check_place
from inference.training.parallel.team import Team
from inference.training.recipe import Progress, TrainingData

OPTIONS: Mapping[str, Any] = {"workers": 1, "device": "auto"}
"""What recipes with a tier that torch trains add to their defaults."""
_TELL_EVERY_S = 0.2


class Fitting:
    """A team at work for a recipe: its steps are told between those of the recipe."""

    def __init__(self, team: Team, checkpoint: Path | None, progress: Progress) -> None:
        self._team = team
        self._checkpoint = checkpoint
        self._progress = progress
        self._share, self._said = 0.0, "learning"
        self._told_at = 0.0

    @property
    def place(self) -> Place:
        """Where it is trained."""
        return self._team.place

    def metrics(self) -> dict[str, Any]:
        """Return what the card says of it."""
        return {"computedWith": msgspec.to_builtins(self.place)}

    def progress(self, share: float, said: str) -> None:
        """Tell how far the recipe is; what is told of steps from now on is at that place."""
        self._share, self._said = share, said
        self._progress(share, f"{said}, {self.place.in_words()}")

    def __call__(self, lesson: Lesson) -> Weights:
        """Return what was learned."""
        return self._team.fit(lesson, checkpoint=self._checkpoint, tell=self._tell)

    def _tell(self, step: int, steps: int) -> None:
        now = time.monotonic()
        if now - self._told_at < _TELL_EVERY_S:
            return
        self._told_at = now
        words = f"{self._said}, step {step} of {steps}, {self.place.in_words()}"
        self._progress(self._share, words)


def check_workers(options: Mapping[str, Any], *, trained_by_torch: bool) -> None:
    """Refuse workers and devices that cannot be, or that this tier does not use.

    Raises:
        BadInput: says what is allowed.
    """
    check_place(options["workers"], options["device"])
    if not trained_by_torch and (options["workers"] > 1 or options["device"] == "cuda"):
        raise BadInput(
            f"the tier {options['tier']!r} computes in one process on the CPU; workers and device "
            "are for the tier that torch trains"
        )


@contextmanager
def fitting(
    data: TrainingData, options: Mapping[str, Any], progress: Progress, *, trained_by_torch: bool
) -> Iterator[Fitting | None]:
    """Return who trains the networks, until the recipe is done; None where torch trains none.

    Raises:
        BadInput: there are not so many cards.
        MissingFramework: torch is not installed.
    """
    if not trained_by_torch:
        yield None
        return
    with data.team(options["workers"], options["device"]) as team:
        yield Fitting(team, data.checkpoint, progress)
