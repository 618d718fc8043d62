"""What every runtime is: it loads one member of a bundle and runs it over rows.

A runtime imports its framework when it loads, never before, and refuses with `MissingFramework`
where it is absent. It gets files that were verified already and never reads outside the folder.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from inference.bundle import Member
from inference.requests import Floats, Rows


@dataclass(frozen=True)
class Usage:
    """What a run used of somebody else's language model; whoever pays prices it."""

    model: str
    """The provider's name of it."""
    calls: int
    input_tokens: int
    """All of them, those read from the provider's cache too."""
    output_tokens: int
    cached_input_tokens: int = 0
    is_complete: bool = True
    """False where an answer did not tell: then the figures are a lower bound."""

    @classmethod
    def total(cls, model: str, told: Sequence[tuple[int, int, int] | None]) -> "Usage":
        """Return the sum of (input, output, cached input) over calls; None: it was not told."""
        known = [one for one in told if one is not None]
        return cls(
            model,
            len(told),
            sum(given for given, _, _ in known),
            sum(made for _, made, _ in known),
            sum(cached for _, _, cached in known),
            len(known) == len(told),
        )


@dataclass(frozen=True, eq=False)
class Outputs:
    """What a member gives, before the head makes answers of it."""

    columns: Floats | None = None
    """Shape (rows, outputs), float64."""
    texts: tuple[str, ...] | None = None
    paths: Floats | None = None
    """Shape (rows, paths, steps)."""
    contributions: Floats | None = None
    """Shape (rows, contribution_names), of the first output."""
    contribution_names: tuple[str, ...] = ()
    usage: Usage | None = None
    """Of a language model that others run."""


class Loaded(Protocol):
    """A member that is ready to run. It is called by one thread at a time."""

    @property
    def size_bytes(self) -> int:
        """About how much memory it holds."""
        ...

    def run(self, rows: Rows, *, explain: bool = False) -> Outputs:
        """Return one output per row; with `explain`, contributions too where they are exact.

        A row that does not fit fails the whole call: who joins callers' rows parts them then.

        Raises:
            BadInput: the rows do not fit.
            NotAnswered: a remote or generating model could not answer.
        """
        ...

    def close(self) -> None:
        """Give back what it holds."""
        ...


class Runtime(Protocol):
    """One framework, or one way to reach a server."""

    def load(self, folder: Path, member: Member, *, device: str) -> Loaded:
        """Return the member, ready to run on `device` ("cpu", "cuda", "cuda:1").

        A framework that cannot use that device runs on the CPU.

        Raises:
            MissingFramework: what runs it is not installed.
            BadModel: the files are not what the member says.
        """
        ...
