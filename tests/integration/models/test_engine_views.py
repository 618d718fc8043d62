"""What an administrator is told of the engine: of real files, a real worker, a server that died."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from app.domain.models import NewModel
from app.services.models.models import Models
from app.settings import Settings
from app.storage.engine import Database
from app.wiring.engine import open_engine
from inference.bundle import BUNDLE_FILE
from inference.cards import ModelCard
from inference.errors import WorkerLost
from inference.requests import Rows
from tests.fakes.cards import evaluation, write_model
from tests.integration.models.test_engine_desk import LINEAR, NEW
from tests.integration.predictions.away_desk import REMOTE, Server

COLUMNS = ("log_variance_5",)


async def deployed(models: Models, folder: Path, new: NewModel) -> ModelCard:
    card = await models.create(new)
    await models.attach(card.id, folder, validation_metrics={"evaluation": evaluation()})
    await models.transition(card.id, "ready", by=None)
    return await models.transition(card.id, "deployed", by=None)


async def test_it_counts_answers_and_failures_here_and_elsewhere_by_version(
    database: Database, tmp_path: Path
) -> None:
    server = Server()
    await server.start()
    settings = Settings(
        data_dir=tmp_path / "data", engine_device="cpu",
        outbound_allow=(f"127.0.0.1:{server.port}",),
    )  # fmt: skip
    folder = tmp_path / "away"
    folder.mkdir()
    (folder / BUNDLE_FILE).write_bytes(msgspec.json.encode(REMOTE))
    async with open_engine(settings, database) as desk:
        before = await desk.views.now()
        assert (before.answered, before.worker_starts, before.models) == (0, 0, [])
        here = await deployed(
            desk.models, write_model(tmp_path / "m", slope=2.0, members=(LINEAR,)), NEW
        )
        url = f"tfs+http://127.0.0.1:{server.port}/sum"
        new = msgspec.structs.replace(NEW, name="away", deployment_url=url)
        away = await deployed(desk.models, folder, new)
        served = await desk.calls.find("calm")
        names = tuple(column.name for column in served.bundle.inputs)
        for _ in range(3):
            await desk.calls.ask(served, Rows(names, np.ones((4, len(names)))), deadline_s=30)
        remote = await desk.calls.find("away")
        await desk.calls.ask(remote, Rows(COLUMNS, np.ones((2, 1))), deadline_s=5)
        await server.die()
        for _ in range(5):
            with pytest.raises(WorkerLost):
                await desk.calls.ask(remote, Rows(COLUMNS, np.ones((1, 1))), deadline_s=5)

        now = await desk.views.now()
        assert (now.answered, now.failed, now.worker_starts, now.loaded_models) == (4, 5, 1, 1)
        assert now.loaded_bytes > 0
        first, second = now.models
        assert (first.model, first.model_id, first.where) == ("calm@1", here.id, "here")
        assert (first.answered, first.rows, first.mean_batch_rows) == (3, 12, 4.0)
        assert first.p50_ms is not None
        assert first.p99_ms is not None
        assert 0 < first.p50_ms <= first.p99_ms
        assert first.rows_per_s == pytest.approx(12 / 60)
        assert (second.model, second.model_id, second.where) == ("away@1", away.id, "elsewhere")
        assert (second.answered, second.failed, second.rows) == (1, 5, 2)
        assert second.left_alone_for_s is not None
        assert first.left_alone_for_s is None
