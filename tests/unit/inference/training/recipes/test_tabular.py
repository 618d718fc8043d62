"""A model of any collected table: judged honestly, blind to the future, alike where it is asked."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.bundle import FeatureKind, PreprocessingStep
from inference.datasets.intake import ColumnManifest, TableManifest
from inference.datasets.quality import Roles
from inference.datasets.table_data import TableData, TablePlan, take_rows
from inference.engine.pipeline import LoadedModel
from inference.errors import BadInput
from inference.requests import Rows
from inference.runtimes.catalog import runtime_for
from inference.training.evaluation.comparison import CaseLosses
from inference.training.recipe import TooLittleData, Trained, TrainingData
from inference.training.recipes.tabular import TABULAR

NOW = datetime(2026, 6, 1, tzinfo=UTC)
DAYS = 600
Change = Callable[[dict[str, np.ndarray]], None]


def columns(seed: int = 3, days: int = DAYS) -> dict[str, np.ndarray]:
    """Return two shops whose sales follow the weather, the weekday and the day before."""
    dice = np.random.default_rng(seed)
    day = np.tile(np.arange(days), 2)
    shop = np.repeat(["north", "south"], days)
    warm = dice.normal(15, 8, 2 * days)
    open_ = dice.random(2 * days) < 0.8
    sales = 50 + 2 * warm + 10 * (day % 7 == 5) + 20 * open_ + dice.normal(0, 5, 2 * days)
    sales = sales + np.where(shop == "north", 30, 0)
    return {
        "day": np.datetime64("2023-01-01") + day,
        "shop": shop,
        "weekday": np.array(["mon", "tue", "wed", "thu", "fri", "sat", "sun"])[day % 7],
        "north": shop == "north",
        "warm": np.where(dice.random(2 * days) < 0.05, np.nan, warm),
        "open": open_,
        "said": np.array([f"text {number}" for number in range(2 * days)]),
        "sales": sales,
        "busy": np.where(sales > 110, "busy", np.where(sales > 85, "usual", "quiet")),
        "high": sales > 100,
    }


def table(
    change: Change | None = None,
    *,
    time: bool = True,
    steps: tuple[PreprocessingStep, ...] = (),
    embargo_s: float = 0.0,
    made: dict[str, np.ndarray] | None = None,
) -> TableData:
    """Return a table as it is read; `test_table_data.py` is about reading."""
    found = columns() if made is None else dict(made)
    if change is not None:
        change(found)
    day = found.pop("day").astype("datetime64[s]")
    order = np.argsort(day, kind="stable")
    types = {"f": "DOUBLE", "i": "BIGINT", "b": "BOOLEAN", "U": "VARCHAR", "O": "VARCHAR"}
    manifest = TableManifest(
        columns=(
            ColumnManifest(name="day", type="TIMESTAMP"),
            *(ColumnManifest(name=n, type=types[c.dtype.kind]) for n, c in found.items()),
        ),
        rows=len(day),
        sha256="",
        roles=Roles(time="day" if time else None, entity="shop"),
    )
    entities = tuple(str(one) for one in found.pop("shop")[order])
    texts = {n: tuple(map(str, c[order])) for n, c in found.items() if c.dtype.kind in "UO"}
    numbers = {n: c[order].astype(float) for n, c in found.items() if n not in texts}
    kinds: dict[str, FeatureKind] = dict.fromkeys(texts, "text")
    kinds |= {n: "binary" if found[n].dtype.kind == "b" else "numeric" for n in numbers}
    return TableData(
        rows=Rows(tuple(numbers), np.stack(list(numbers.values()), axis=1), texts),
        kinds={name: kinds[name] for name in found},
        times=day[order] if time else None,
        entities=entities,
        plan=TablePlan(manifest=manifest, embargo_s=embargo_s, steps=steps),
    )


def trained(data: TableData, target: str, **options: Any) -> Trained:
    few = {"trees": 40, "refits": 4}
    return TABULAR.train(
        TrainingData(panel=None, texts=None, table=data, as_of=NOW),
        {"target": target, **few, **options},
        lambda share, said: None,
    )


def answer(model: Trained, rows: Rows, tmp_path: Path) -> Any:
    """Ask a model as the engine does: from its files alone."""
    folder = tmp_path / "model"
    model.write(folder)
    return LoadedModel.load(folder, runtime_for=runtime_for).answer(rows)


def asked(data: TableData, model: Trained, count: int = 200) -> Rows:
    rows = take_rows(data.rows, np.arange(count))
    names = [column.name for column in model.bundle.inputs]
    at = [rows.names.index(name) for name in names if name in rows.names]
    texts = {name: rows.texts[name] for name in names if name in rows.texts}
    return Rows(tuple(rows.names[i] for i in at), rows.numbers[:, at], texts)


def losses(model: Trained) -> CaseLosses:
    assert model.losses is not None
    return model.losses


def ridge_of(model: Trained) -> float:
    chosen = model.parameters.custom_params or {}
    return float(chosen["ridge"])


@pytest.mark.parametrize("tier", ["numpy", "boosted", "scikit_learn"])
def test_a_quantity_is_foretold_better_than_naively_and_answered_from_its_files(
    tmp_path: Path, tier: str
) -> None:
    data = table()
    columns = ["warm", "open", "weekday", "north"]
    model = trained(data, "sales", tier=tier, trees=150, columns=columns)

    found = model.evaluation
    assert found.metric == "squared error"
    assert {one.name for one in found.baselines} == {
        "mean so far",
        "its own mean so far",
        "last value",
        "a season ago",
    }
    assert found.has_skill
    assert found.n == 240
    assert (model.bundle.model_type, model.bundle.head.kind) == ("regression", "value")
    answers = answer(model, asked(data, model), tmp_path)
    truth = data.rows.numbers[:200, data.rows.names.index("sales")]
    assert np.sqrt(np.mean((answers.values - truth) ** 2)) < 9
    assert answers.low is not None
    assert 0.65 < np.mean((answers.low <= truth) & (truth <= answers.high)) < 0.95


@pytest.mark.parametrize("tier", ["numpy", "boosted", "scikit_learn"])
@pytest.mark.parametrize(
    ("target", "classes"), [("busy", ("busy", "quiet", "usual")), ("high", ("false", "true"))]
)
def test_texts_and_truths_are_classes(
    tmp_path: Path, tier: str, target: str, classes: tuple[str, ...]
) -> None:
    data = table()
    model = trained(data, target, tier=tier, columns=["warm", "open", "north"])

    assert model.evaluation.metric == "Brier score"
    assert model.evaluation.has_skill
    assert {one.name for one in model.evaluation.baselines} == {
        "rates so far",
        "after the last one",
    }
    assert model.performance.accuracy is not None
    assert (model.performance.auc is not None) == (len(classes) == 2)
    assert (model.bundle.model_type, model.bundle.head.classes) == ("classification", classes)
    answers = answer(model, asked(data, model), tmp_path)
    assert answers.classes == classes
    assert np.allclose(answers.probabilities.sum(axis=1), 1.0)
    truth = data.rows.texts.get("busy") if target == "busy" else None
    if truth is not None:
        assert np.mean([a == b for a, b in zip(answers.values, truth[:200], strict=True)]) > 0.6


def test_numbers_may_be_asked_for_as_classes() -> None:
    def change(found: dict[str, np.ndarray]) -> None:
        found["high"] = found["high"].astype(int)

    data = table(change)

    assert trained(data, "high").bundle.model_type == "regression"
    assert trained(data, "high", kind="classification").bundle.head.classes == ("0", "1")


def test_intervals_hold_as_often_as_they_say() -> None:
    data = table(made=columns(days=1500))

    found = trained(data, "sales", columns=["warm", "open", "weekday", "north"]).evaluation

    assert abs(found.coverage["0.80"] - 0.8) < 0.07
    assert found.other["rows with a judged interval"] > 200


CUT = np.datetime64("2024-06-01")


@pytest.mark.parametrize(("target", "embargo_s"), [("sales", 0.0), ("busy", 0.0), ("sales", 864e3)])
def test_what_comes_later_changes_no_earlier_forecast(target: str, embargo_s: float) -> None:
    """Poison everything from a day of the test part on: what was forecast before stays."""

    def poison(found: dict[str, np.ndarray]) -> None:
        later = found["day"] >= CUT
        found["warm"] = np.where(later, 1e6, found["warm"])
        found["open"] = np.where(later, ~found["open"], found["open"])
        found["weekday"] = np.where(later, "never", found["weekday"])
        found["sales"] = np.where(later, -1e6, found["sales"])
        found["busy"] = np.where(later, "unheard of", found["busy"])

    steps = (
        PreprocessingStep(type="winsorize", parameters={"columns": ["warm"]}, order=1),
        PreprocessingStep(type="standardize", parameters={"columns": ["warm"]}, order=2),
    )
    options = {"columns": ["warm", "open", "weekday"], "ridge": 1.0}
    clean = losses(trained(table(steps=steps, embargo_s=embargo_s), target, **options))
    dirty = losses(trained(table(poison, steps=steps, embargo_s=embargo_s), target, **options))

    assert np.array_equal(clean.times, dirty.times)
    before = clean.times < CUT
    assert 30 < before.sum() < len(before)
    assert np.array_equal(clean.losses[before], dirty.losses[before])
    assert not np.allclose(clean.losses[~before], dirty.losses[~before])


def test_nothing_is_chosen_on_the_test_part() -> None:
    def poison(found: dict[str, np.ndarray]) -> None:
        later = found["day"] >= np.datetime64("2024-05-01")
        found["sales"] = np.where(later, 1e4 * found["warm"], found["sales"])

    clean = trained(table(), "sales", columns=["warm", "open"])
    dirty = trained(table(poison), "sales", columns=["warm", "open"])

    assert ridge_of(clean) == ridge_of(dirty)


def test_a_target_that_is_still_in_the_making_is_not_learned_from() -> None:
    """A target that is tomorrow's value would be known today without the embargo."""
    dice = np.random.default_rng(1)
    level = np.cumsum(dice.normal(0, 1, DAYS))
    day = np.datetime64("2023-01-01") + np.arange(DAYS)
    made = {"day": day, "shop": np.repeat("one", DAYS), "noise": dice.normal(0, 1, DAYS)}
    made["ahead"] = np.roll(level, -5)  # five days later

    def loss_of_last(embargo_s: float) -> float:
        data = table(made=dict(made), embargo_s=embargo_s)
        found = trained(data, "ahead").evaluation
        return next(one.loss for one in found.baselines if one.name == "last value")

    # With the embargo the last value that was over is five days older, and so is the walk.
    assert loss_of_last(5 * 86_400.0) > 3 * loss_of_last(0.0)


def test_noise_has_no_skill_and_the_card_says_so() -> None:
    def noise(found: dict[str, np.ndarray]) -> None:
        found["sales"] = np.random.default_rng(5).normal(0, 1, len(found["sales"]))

    found = trained(table(noise), "sales", columns=["warm", "open", "weekday"]).evaluation

    assert not found.has_skill
    assert abs(found.best_baseline().skill) < 0.05


def test_a_card_tells_what_was_left_out_and_what_is_suspicious() -> None:
    def change(found: dict[str, np.ndarray]) -> None:
        found["takings"] = found["sales"] * 2.5 + 1
        found["sales"][:7] = np.nan

    notes = " ".join(trained(table(change), "sales").evaluation.notes)

    assert "takings is almost the target itself (correlation +1.0000)" in notes
    assert "said holds" in notes
    assert "different texts and is not read" in notes
    assert "7 rows without 'sales' were left out" in notes
    assert "chosen on the validation part" in notes
    assert "chosen afterwards" not in notes


def test_rows_without_a_time_are_judged_in_folds_and_say_so() -> None:
    data = table(time=False)
    model = trained(data, "sales", columns=["warm", "open", "weekday"])

    assert data.times is None
    assert model.evaluation.first == NOW
    assert {one.name for one in model.evaluation.baselines} == {
        "mean so far",
        "its own mean so far",
    }
    assert any("nothing about rows that are yet to come" in one for one in model.evaluation.notes)


def test_the_steps_of_a_dataset_are_stored_and_replayed(tmp_path: Path) -> None:
    steps = (
        PreprocessingStep(type="log1p", parameters={"columns": ["warm"]}, order=5),
        PreprocessingStep(type="hash", parameters={"column": "said", "buckets": 4}, order=7),
    )
    data = table(steps=steps)
    model = trained(data, "sales", columns=["warm", "said", "weekday"])

    assert [step.type for step in model.bundle.steps] == ["impute", "log1p", "hash", "one_hot"]
    assert answer(model, asked(data, model, 3), tmp_path).values.shape == (3,)


def test_the_same_table_and_options_give_the_same_model() -> None:
    data = table()
    for tier in ("numpy", "boosted"):
        one, other = (trained(data, "sales", tier=tier, columns=["warm"]) for _ in range(2))
        assert one.files == other.files
        assert one.evaluation == other.evaluation


@pytest.mark.parametrize(
    ("target", "options", "says"),
    [
        ("", {}, "name the column to foretell"),
        ("absent", {}, "'absent' cannot be foretold; the table has"),
        ("shop", {}, "cannot be foretold"),
        ("day", {}, "cannot be foretold"),
        ("said", {}, "has 1,200 classes; from 2 to 20"),
        ("busy", {"kind": "regression"}, "only numbers"),
        ("sales", {"kind": "magic"}, "one of auto"),
        ("sales", {"tier": "magic"}, "tiers numpy, boosted"),
        ("sales", {"columns": ["absent"]}, "no column 'absent'"),
        ("sales", {"columns": ["said"]}, "no column is left"),
        ("sales", {"ridge": -1.0}, "ridge must be"),
        ("sales", {"refits": 0}, "refits from"),
    ],
)
def test_what_cannot_be_done_is_told(target: str, options: dict[str, Any], says: str) -> None:
    with pytest.raises(BadInput, match=says):
        trained(table(), target, **options)


def test_too_few_rows_are_told() -> None:
    small = {name: column[:40] for name, column in columns().items()}
    with pytest.raises(TooLittleData, match="50 are needed"):
        trained(table(made=small), "sales")


def test_a_recipe_about_tables_says_that_there_is_none() -> None:
    with pytest.raises(BadInput, match="'tabular' learns from a collected table"):
        TABULAR.train(
            TrainingData(panel=None, texts=None, as_of=NOW),
            {"target": "x"},
            lambda share, said: None,
        )
