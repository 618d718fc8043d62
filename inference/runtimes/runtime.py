"""What every runtime is: it loads one member of a bundle and runs it over rows.

A runtime imports its framework when it loads, never before, and refuses with `MissingFramework`
where it is absent. It gets files that were verified already and never reads outside the folder.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from inference.bundle import Member
from inference.requests import Floats, Rows
from inference.usage import Usage


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
