"""What every recipe is: it turns data into a bundle with weights and an honest evaluation.

A recipe is pure work: it opens no database and no socket, and the same data, options and seed give
the same model. Whoever runs it hands in the data and hears of the progress.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, TypeAlias

import msgspec

from inference.bundle import BUNDLE_FILE, Bundle
from inference.cards import Evaluation, Framework, ModelParameters, ModelPerformance, ModelType
from inference.datasets.table_data import TableData
from inference.errors import BadInput, InferenceError
from inference.panel import Panel
from inference.training.evaluation.comparison import CaseLosses
from inference.training.parallel.team import OpenTeam, local_team

Progress: TypeAlias = Callable[[float, str], None]
"""Takes the share that is done, 0 to 1, and what is being done in plain words. Raises `Cancelled`
where nobody wants the model any more: a recipe lets it pass."""


class Cancelled(Exception):
    """Whoever asked for the training does not want it any more."""


class TooLittleData(InferenceError):
    """There is not enough to learn and to evaluate: says how much there is and what is needed."""

    code = "too_little_data"


@dataclass(frozen=True)
class TextData:
    """Labelled texts, oldest first where their times are known."""

    texts: tuple[str, ...]
    labels: tuple[str, ...]
    times: tuple[datetime, ...] | None = None
    """When each text became known, UTC."""
    groups: tuple[str, ...] | None = None
    """What must stay on one side of a split: an instrument, a story, a source."""
    numbers: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    """Further columns, one number a text, which the caller computed: "lexicon_score"."""

    def __post_init__(self) -> None:
        columns = {"labels": self.labels, "times": self.times, **self.numbers}
        for name, column in columns.items():
            if column is not None and len(column) != len(self.texts):
                raise BadInput(f"there are {len(self.texts)} texts and {len(column)} {name}")
        if self.groups is not None and len(self.groups) != len(self.texts):
            raise BadInput(f"there are {len(self.texts)} texts and {len(self.groups)} groups")


@dataclass(frozen=True, eq=False)
class TrainingData:
    """What a recipe learns from."""

    panel: Panel | None
    """Prices, for recipes about the market."""
    texts: TextData | None
    """Labelled texts, for recipes about language."""
    as_of: datetime
    """The data cut, UTC: nothing in here was known later."""
    table: TableData | None = None
    """A collected table, for recipes about whatever it holds."""
    seed: int = 0
    checkpoint: Path | None = None
    """A folder of this training's own, where a long one leaves what it needs to go on."""
    team: OpenTeam = local_team
    """Opens the workers that train networks: `with data.team(2, "auto") as team`."""

    def prices(self, recipe: str) -> Panel:
        """Return the panel.

        Raises:
            BadInput: there is none, and the recipe needs it.
        """
        if self.panel is None or not self.panel.series:
            raise BadInput(f"the recipe {recipe!r} learns from prices; the dataset has none")
        return self.panel

    def rows(self, recipe: str) -> TableData:
        """Return the table.

        Raises:
            BadInput: there is none, and the recipe needs it.
        """
        if self.table is None or not len(self.table):
            raise BadInput(f"the recipe {recipe!r} learns from a collected table; there is none")
        return self.table


@dataclass(frozen=True)
class Trained:
    """A model, ready to be stored, and what is known about it."""

    bundle: Bundle
    files: dict[str, bytes]
    """Path inside the artifact -> content, without `bundle.json`."""
    evaluation: Evaluation
    performance: ModelPerformance
    parameters: ModelParameters
    notes: tuple[str, ...] = ()
    """What a reader of the card has to know and the evaluation does not say."""
    metrics: dict[str, Any] = field(default_factory=dict)
    """What else was measured: it goes into the card's validation metrics under its own names."""
    losses: CaseLosses | None = None
    """The loss of every case of the evaluation: without them no other model can be compared with
    this one, case by case, and it does not become champion by itself where there is one."""

    def write(self, folder: Path) -> None:
        """Write the artifact: the files and `bundle.json`."""
        for name, content in self.files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        encoded = msgspec.json.format(msgspec.json.encode(self.bundle), indent=2)
        (folder / BUNDLE_FILE).write_bytes(encoded)


class Recipe(Protocol):
    """One way to make a model."""

    @property
    def name(self) -> str:
        """What `outcry train` calls it: "variance"."""
        ...

    @property
    def task(self) -> str:
        """What its models forecast, as asked for by tools."""
        ...

    @property
    def model_type(self) -> ModelType: ...

    @property
    def framework(self) -> Framework:
        """Of its default tier; a trained bundle says its own."""
        ...

    @property
    def description(self) -> str:
        """One sentence for people: what it forecasts and from what."""
        ...

    @property
    def extras(self) -> tuple[str, ...]:
        """The extras that some of its options need; the defaults need none of them."""
        ...

    @property
    def defaults(self) -> Mapping[str, Any]:
        """Option -> value where nobody says otherwise."""
        ...

    def train(self, data: TrainingData, options: Mapping[str, Any], progress: Progress) -> Trained:
        """Learn, evaluate walk-forward beside the baselines, and return the model.

        Raises:
            BadInput: an option or the data do not fit.
            TooLittleData: there is not enough to learn and to evaluate.
            MissingFramework: an option needs an extra that is not installed.
            Cancelled: `progress` said so.
        """
        ...


def with_defaults(recipe: Recipe, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the defaults with `options` over them, each of its default's kind.

    Raises:
        BadInput: an option is unknown or of another kind.
    """
    chosen = dict(recipe.defaults)
    for name, value in options.items():
        if name not in chosen:
            known = ", ".join(sorted(chosen)) or "none"
            raise BadInput(f"the recipe {recipe.name!r} has no option {name!r}; it has: {known}")
        chosen[name] = _like(recipe.name, name, value, recipe.defaults[name])
    return chosen


def _like(recipe: str, name: str, value: Any, default: Any) -> Any:
    """Return `value` if it is of the default's kind (a whole number will do for a real one)."""
    kind = type(default)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if kind in (list, tuple) and isinstance(value, list | tuple):
        return kind(value)
    if default is not None and type(value) is not kind:
        raise BadInput(
            f"the option {name!r} of the recipe {recipe!r} is a {kind.__name__} "
            f"(by default {default!r}), not {value!r}"
        )
    return value
