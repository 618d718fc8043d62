"""Who trains networks: this process, or several that it starts and watches."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

from inference.training.parallel.checkpoint import checkpoint_file
from inference.training.parallel.crew import Crew
from inference.training.parallel.group import Single
from inference.training.parallel.learn import Tell, learn
from inference.training.parallel.lesson import Lesson, Weights
from inference.training.parallel.place import Place, place_for
from inference.training.parallel.torch_here import one_thread, require_torch


class Team(Protocol):
    """One or several workers that learn what they are given."""

    @property
    def place(self) -> Place: ...

    def fit(self, lesson: Lesson, *, checkpoint: Path | None, tell: Tell) -> Weights:
        """Return the weights that were learned.

        Args:
            checkpoint: a folder in which it keeps what it needs to go on after a kill, with these
                workers or others.
            tell: takes steps made and all of them; what it raises ends the workers.

        Raises:
            Diverged: gradients were not finite.
            CardFull: not even one case fits into a card.
            MemoryError: nor into this machine.
            WorkerLost: a worker went away.
        """
        ...


class OpenTeam(Protocol):
    """Makes a team: `with open_team(2, "auto") as team`."""

    def __call__(self, workers: int, device: str) -> Any:
        """Return a context manager of a `Team`.

        Raises:
            BadInput: there cannot be so many workers there.
            MissingFramework: torch is not installed.
        """
        ...


class Alone:
    """This process, as the only worker."""

    def __init__(self, torch: Any, place: Place) -> None:
        self._torch = torch
        self.place = place

    def fit(self, lesson: Lesson, *, checkpoint: Path | None, tell: Tell) -> Weights:
        """Implement `Team`."""
        with one_thread(self._torch):
            return learn(
                self._torch,
                lesson,
                device=self.place.device_of(0),
                group=Single(),
                checkpoint=checkpoint_file(checkpoint, lesson.digest()),
                tell=tell,
            )


@contextmanager
def local_team(workers: int, device: str) -> Iterator[Team]:
    """Return a team on this machine; its processes, if there are any, end with the context."""
    torch = require_torch()
    place = place_for(torch, workers, device)
    if workers == 1:
        yield Alone(torch, place)
        return
    with Crew(place) as crew:
        yield crew
