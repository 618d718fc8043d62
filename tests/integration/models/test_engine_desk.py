"""A stored version asked through the engine that the desk opens: real rows, files and process."""

from pathlib import Path

import numpy as np
import pytest

from app.domain.errors import Conflict
from app.domain.models import NewModel
from app.settings import Settings
from app.storage.engine import Database
from app.wiring.engine import engine_options, open_engine
from inference.bundle import Member
from inference.errors import BadInput, DamagedArtifact
from inference.requests import Rows
from tests.fakes.cards import evaluation, write_model

LINEAR = Member(
    name="ridge",
    runtime="numpy",
    file="ridge.safetensors",
    architecture="linear",
    options={"inputs": 1},
)
NEW = NewModel(name="calm", type="regression", framework="numpy", architecture="linear")


async def test_a_deployed_version_answers_until_its_files_are_changed(
    database: Database, tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path / "data", engine_device="cpu")
    async with open_engine(settings, database) as desk:
        models, calls = desk.models, desk.calls
        card = await models.create(NEW)
        await models.attach(
            card.id,
            write_model(tmp_path / "m", slope=2.0, members=(LINEAR,)),
            validation_metrics={"evaluation": evaluation()},
        )
        with pytest.raises(Conflict, match="validating and does not serve"):
            await calls.find("calm")
        await models.transition(card.id, "ready", by=None)
        await models.transition(card.id, "deployed", by=None)

        served = await calls.find("calm")
        names = tuple(column.name for column in served.bundle.inputs)
        rows = Rows(names, np.ones((3, len(names))))
        answers = await calls.ask(served, rows, deadline_s=30)
        assert len(answers) == 3
        alone = await calls.ask(served, Rows(names, np.ones((1, len(names)))), deadline_s=30)
        assert alone.values[0] == answers.values[0]
        with pytest.raises(BadInput):
            await calls.ask(served, Rows(("nothing",), np.ones((1, 1))), deadline_s=30)
        assert await calls.is_ready()

    # Another start: what is on the disk is not what was approved.
    assert served.card.artifact is not None
    folder = desk.artifacts.open(served.card.artifact)
    weights = next(path for path in folder.iterdir() if path.suffix == ".safetensors")
    weights.chmod(0o644)
    weights.write_bytes(weights.read_bytes()[:-1] + b"\xff")
    async with open_engine(settings, database) as desk:
        with pytest.raises(DamagedArtifact):
            await desk.calls.ask(served, rows, deadline_s=30)
        assert (await desk.models.get(served.card.id)).status == "failed"
        with pytest.raises(Conflict, match="is failed"):
            await desk.calls.find("calm", served.card.version)


def test_settings_reach_the_worker(tmp_path: Path) -> None:
    options = engine_options(
        Settings(engine_device="cuda:1", engine_memory_mib=7, engine_cache_mib=3, engine_threads=2)
    )
    assert options.worker.device == "cuda:1"
    assert (options.worker.memory_mib, options.cache_bytes) == (7, 3 * 2**20)
    assert options.worker.environment()["OMP_NUM_THREADS"] == "2"
