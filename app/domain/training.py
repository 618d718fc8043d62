"""A training as it is asked for, and what came of it."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

import msgspec

BackendName = Literal["local", "ray"]


class TrainCommand(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which recipe to run, on what data, and what to do with the model."""

    recipe: str
    options: dict[str, Any] = {}
    """Over the recipe's defaults."""
    symbols: tuple[str, ...] = ()
    """Whose bars to learn from; all of the desk's when neither these nor `market` are given."""
    market: str | None = None
    """Of whose instruments: "equity USD"."""
    dataset: str | None = None
    """A recorded version to learn from again, as `NAME@3` or by its address."""
    timeframe: str = "1d"
    as_of: datetime | None = None
    """Nothing that closed later is read; the present moment by default."""
    seed: int = 0
    backend: BackendName | None = None
    """By default a Ray cluster where `RAY_ADDRESS` names one, else a process of this machine."""
    deploy: bool = False
    """Make it champion if its skill is above 0 and it is better than the present one."""
    in_background: bool = False
    """At the lowest priority and with one thread: nobody waits for it."""
    once: str | None = None
    """What the desk calls trainings that it asks for by itself, so that it asks once."""


class TrainingRecord(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """How a model came to be; stands in its validation metrics under `training`."""

    recipe: str
    code: str
    """SHA-256 of the recipe's source, its beginning: the recipe's version."""
    options: dict[str, Any]
    """All of them, with the defaults that nobody changed."""
    seed: int
    dataset: str
    """Name and version."""
    digest: str
    """Of the dataset's version."""
    symbols: tuple[str, ...]
    rows: int
    as_of: datetime
    """The data cut."""
    command: TrainCommand
    backend: str
    seconds: float
    peak_bytes: int
    job_id: UUID
    once: str | None = None


class Judgement(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What became of a trained model, and why."""

    deployed: bool
    champion: bool
    why: str
    """One sentence for people."""
    against: str | None = None
    """The champion it was compared with."""
    comparison: dict[str, Any] | None = None


class TrainingState(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What a training's job needs to go on after its process died."""

    digest: str | None = None
    model_id: UUID | None = None
    lost: int = 0
    """How often its training process went away."""
