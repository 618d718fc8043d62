"""From a collected table to a model that is asked about rows: one path, with its lineage."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.domain.datasets import Dataset, DataSource
from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.predictions import Prediction
from app.domain.training import TrainCommand
from app.services.conversations.pricing import PriceBook
from app.services.predictions.answering import Answering
from app.services.predictions.features import FeatureReader
from app.services.predictions.prediction_costs import PredictionCosts
from app.services.predictions.predictions import PredictCommand, Predictions
from app.services.training.training_records import record_of
from app.storage.engine import Database
from app.storage.predictions import PostgresPredictions
from app.wiring.bundles import Bundles
from inference.bundle import PreprocessingStep
from inference.datasets.row_files import rows_of_file
from inference.engine.in_process import InProcessEngine
from inference.engine.pipeline import LoadedModel
from inference.runtimes.catalog import runtime_for
from inference.training.catalog import RECIPES
from tests.integration.datasets.collecting_desk import CollectingDesk
from tests.integration.storage.desk import Desk
from tests.integration.training.training_desk import TrainingDesk

ROWS = 400


def write_rows(path: Path, *, seed: int = 2, rows: int = ROWS) -> None:
    dice = np.random.default_rng(seed)
    lines = ["day,load,mood,heat"]
    for number in range(rows):
        load, mood = dice.normal(), dice.choice(["calm", "wild"])
        heat = 20 + 3 * load + 5 * (mood == "wild") + dice.normal()
        day = np.datetime64("2024-01-01") + number
        lines.append(f"{day},{load:.6f},{mood},{heat:.6f}")
    path.write_text("\n".join(lines) + "\n")


class Tables:
    """Datasets and trainings of one desk."""

    def __init__(self, database: Database, root: Path) -> None:
        self.trainings = TrainingDesk(
            database, root, recipes=RECIPES, catalog="inference.training.catalog"
        )
        self.collecting = CollectingDesk(database, root, {})

    async def collected(self, name: str = "Heat & load") -> Dataset:
        write_rows(self.collecting.incoming / "rows.csv")
        source = DataSource(type="file", uri="rows.csv")
        steps = (PreprocessingStep(type="standardize", parameters={"columns": ["load"]}, order=1),)
        dataset = await self.collecting.enter(source, name=name, preprocessing_steps=steps)
        assert (await self.collecting.collect(dataset)).status == "completed"
        return dataset


@pytest.fixture
def tables(untrained: Database, tmp_path: Path) -> Tables:
    return Tables(untrained, tmp_path)


async def test_a_model_of_a_table_knows_what_it_learned_from(
    tables: Tables, tmp_path: Path
) -> None:
    dataset = await tables.collected()
    (version,) = await tables.collecting.catalog.versions(dataset.id)
    desk = tables.trainings
    command = TrainCommand(
        recipe="tabular", options={"target": "heat"}, dataset=dataset.name, deploy=True
    )

    job = await desk.training.submit(command, by=None)
    await desk.jobs.work_on(job.id)
    ended = await desk.jobs.wait(job.id)

    assert ended.status == "completed", ended.error
    assert ended.title == "Training Heat-load-heat"
    assert ended.result is not None
    assert ended.result["judgement"]["deployed"] is True
    card = await desk.models.find("Heat-load-heat@champion")
    assert (card.type, card.task, card.recipe) == ("regression", "tabular", "tabular")
    assert card.training_dataset_id == dataset.id
    assert card.training_dataset_version_id == version.id
    record = record_of(card)
    assert record is not None
    assert (record.dataset, record.digest) == ("Heat & load@1", version.digest)
    assert (record.rows, record.as_of) == (ROWS, version.as_of)
    evaluation = card.evaluation()
    assert evaluation is not None
    assert evaluation.has_skill

    write_rows(tmp_path / "new.csv", seed=9, rows=50)
    assert card.artifact is not None
    model = LoadedModel.load(desk.artifacts.open(card.artifact), runtime_for=runtime_for)
    answers = model.answer(rows_of_file(tmp_path / "new.csv", "csv", model.bundle))
    truth = np.loadtxt(tmp_path / "new.csv", delimiter=",", skiprows=1, usecols=3)
    assert np.sqrt(np.mean((np.asarray(answers.values) - truth) ** 2)) < 1.5


async def test_rows_are_asked_about_by_the_door_of_all_predictions(tables: Tables) -> None:
    dataset = await tables.collected()
    desk, database = tables.trainings, tables.trainings.database
    for target in ("heat", "mood"):
        command = TrainCommand(
            recipe="tabular", options={"target": target}, dataset=dataset.name, deploy=True
        )
        job = await desk.training.submit(command, by=None)
        await desk.jobs.work_on(job.id)
    ann = await Desk(database).user("ann@example.test")
    store = PostgresPredictions(database)
    engine = InProcessEngine(desk.artifacts.open, runtime_for=runtime_for)
    answering = Answering(
        store,
        Bundles(desk.artifacts),
        engine,
        FeatureReader(desk.instruments, desk.bars, {}, clock=desk.clock),
        clock=desk.clock,
        costs=PredictionCosts(PriceBook(), clock=desk.clock),
    )
    predictions = Predictions(store, desk.models, answering, clock=desk.clock)

    async def ask(model: str, **given: Any) -> Prediction:
        name = f"{model} {given}"
        return await predictions.predict(
            ann, PredictCommand(model=model, request_id=name, input=given, explain=True)
        )

    async with engine:
        one = await ask("Heat-load-heat", features={"load": 1.0, "mood": "wild"})
        many = await ask(
            "Heat-load-heat", rows=[{"load": load, "mood": "calm"} for load in (None, -1.0)]
        )
        which = await ask("Heat-load-mood", features={"load": 0.0, "heat": 26.0})
        wrong = await ask("Heat-load-heat", features={"load": 1.0})
        await predictions.close()

    assert one.output is not None
    assert one.output.value == pytest.approx(28, abs=1)
    assert one.output.unit == "heat"
    assert one.interval is not None
    assert one.interval.low < one.output.value < one.interval.high
    assert one.output.features is not None
    assert set(one.output.features) == {"load", "mood=calm", "mood=wild"}
    assert many.output is not None
    assert many.output.value == pytest.approx([20, 17], abs=1)
    assert which.output is not None
    assert which.output.value == "wild"
    assert which.output.probabilities is not None
    assert which.output.probabilities["wild"] > 0.9
    assert (wrong.status, wrong.error_code) == ("failed", "bad_input")
    assert "'mood' is missing" in (wrong.error or "")


async def test_the_target_says_what_kind_of_model_it_is(tables: Tables) -> None:
    dataset = await tables.collected()
    desk = tables.trainings
    command = TrainCommand(recipe="tabular", options={"target": "mood"}, dataset=dataset.name)

    job = await desk.training.submit(command, by=None)
    await desk.jobs.work_on(job.id)

    assert (await desk.jobs.wait(job.id)).status == "completed"
    card = await desk.models.find("Heat-load-mood@1")
    assert (card.type, card.status) == ("classification", "ready")


async def test_what_does_not_go_together_is_refused_at_once(tables: Tables) -> None:
    dataset = await tables.collected()
    submit = tables.trainings.training.submit

    async def refused(recipe: str, dataset: str | None, **options: object) -> str:
        with pytest.raises((Invalid, NotFound, Conflict)) as caught:
            await submit(TrainCommand(recipe=recipe, dataset=dataset, options=options), by=None)
        return caught.value.message

    said = await refused("variance", dataset.name)
    assert said == (
        "Heat & load@1 holds a table; the recipe 'variance' does not learn from that. "
        "There are: tabular."
    )
    assert "name a dataset" in await refused("tabular", None, target="heat")
    assert "Name the column to foretell" in await refused("tabular", dataset.name)
    assert "['load', 'mood', 'heat']" in await refused("tabular", dataset.name, target="absent")
    assert "only numbers" in await refused(
        "tabular", dataset.name, target="mood", kind="regression"
    )
    assert "no dataset 'absent'" in await refused("tabular", "absent", target="heat")


async def test_a_table_whose_file_has_changed_is_not_learned_from(tables: Tables) -> None:
    dataset = await tables.collected()
    (kept,) = tables.collecting.root.iterdir()
    kept.write_bytes(kept.read_bytes()[:300])
    command = TrainCommand(recipe="tabular", options={"target": "heat"}, dataset=dataset.name)

    with pytest.raises(Conflict, match="cannot be read"):
        await tables.trainings.training.submit(command, by=None)
