"""The registry on a real Postgres: versions, states, aliases, and what happens to bad files."""

import asyncio
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.domain.errors import Conflict, Invalid, NotFound
from app.domain.ids import new_id
from app.domain.models import Measured, ModelFilter, NewModel
from app.services.models.models import Models
from app.storage.engine import Database
from inference.artifacts import ArtifactStore
from inference.bundle import Member
from inference.cards import ModelCard, ModelPerformance
from inference.errors import BadModel, DamagedArtifact, NotAllowed
from tests.fakes.cards import bundle, evaluation, write_model
from tools.signal_views import RULES, RULES_VERSION

NEW = NewModel(name="calm", type="regression", framework="numpy", architecture="linear")


async def trained(models: Models, folder: Path, *, low: float = 0.1, **changes: Any) -> ModelCard:
    """Return a version with files and an evaluation, in `ready`."""
    card = await models.create(msgspec.structs.replace(NEW, **changes))
    await models.attach(
        card.id,
        write_model(folder, slope=float(card.version)),
        performance=ModelPerformance(mse=0.5),
        validation_metrics={"evaluation": evaluation(low=low)},
    )
    return await models.transition(card.id, "ready", by=None)


async def test_a_model_goes_from_training_to_champion(models: Models, tmp_path: Path) -> None:
    card = await models.create(NEW)
    assert (card.status, card.version, card.artifact) == ("training", "1", None)
    attached = await models.attach(
        card.id,
        write_model(tmp_path / "m"),
        performance=ModelPerformance(mse=0.5),
        validation_metrics={"evaluation": evaluation(), "seconds": 2},
    )
    assert attached.status == "validating"
    assert attached.evaluation() == evaluation()
    assert (attached.task, attached.timeframe, attached.horizon_bars) == ("variance", "1d", 1)
    await models.transition(card.id, "ready", by=None)
    deployed = await models.transition(card.id, "deployed", by=None)
    assert deployed.aliases == ("champion",)
    assert deployed.deployed_at is not None
    assert deployed.trained_at is not None
    for ref in (str(card.id), card.id, "calm", "calm@1", "calm@champion"):
        assert await models.find(ref) == deployed
    assert await models.champion("variance") == deployed
    assert await models.champion("variance", timeframe="1d", horizon=1) == deployed
    assert await models.champion("variance", timeframe="1d", horizon=5) is None
    kinds = [event.kind for event in (await models.events(card.id, cursor=None, limit=9)).items]
    assert kinds == ["status", "status", "attached", "created"]


async def test_a_second_version_becomes_challenger_and_then_replaces_the_champion(
    models: Models, tmp_path: Path
) -> None:
    first, second = [await trained(models, tmp_path / str(n)) for n in range(2)]
    await models.transition(first.id, "deployed", by=None)
    second = await models.transition(second.id, "deployed", by=None)
    assert second.aliases == ("challenger",)
    second = await models.set_alias(second.id, "champion", by=None)
    assert second.aliases == ("champion",)
    first = await models.get(first.id)
    assert (first.status, first.aliases) == ("deprecated", ())
    assert first.deprecated_at is not None
    told = (await models.events(first.id, cursor=None, limit=1)).items[0]
    assert told.details["replacedBy"] == "calm@2"
    back = await models.transition(first.id, "deployed", by=None, alias="champion")
    assert (back.aliases, back.deprecated_at) == (("champion",), None)
    assert (await models.get(second.id)).status == "deprecated"


async def test_a_version_without_skill_is_deployed_only_with_a_recorded_reason(
    models: Models, tmp_path: Path
) -> None:
    card = await trained(models, tmp_path / "m", low=-0.01)
    with pytest.raises(NotAllowed, match="not above 0"):
        await models.transition(card.id, "deployed", by=None)
    assert (await models.get(card.id)).status == "ready"
    card = await models.transition(card.id, "deployed", by=None, reason="to show an honest card")
    assert card.deployed_despite == "to show an honest card"
    told = (await models.events(card.id, cursor=None, limit=1)).items[0]
    assert told.details["reason"] == "to show an honest card"
    assert "not above 0" in told.details["override"]


async def test_an_alias_points_to_deployed_versions_only(models: Models, tmp_path: Path) -> None:
    card = await trained(models, tmp_path / "m")
    with pytest.raises(NotAllowed, match="is ready; an alias points to a deployed version"):
        await models.set_alias(card.id, "champion", by=None)
    await models.transition(card.id, "deployed", by=None)
    with pytest.raises(NotAllowed, match="no alias"):
        await models.set_alias(card.id, "best", by=None)
    card = await models.transition(card.id, "ready", by=None)
    assert card.aliases == ()
    with pytest.raises(NotFound, match="NAME@VERSION"):
        await models.find("calm@champion")


async def test_of_many_deployed_at_once_each_alias_ends_with_one(
    models: Models, database: Database, tmp_path: Path
) -> None:
    cards = [await trained(models, tmp_path / str(n)) for n in range(4)]
    done = await asyncio.gather(
        *(models.transition(card.id, "deployed", by=None, alias="champion") for card in cards),
        return_exceptions=True,
    )
    assert all(isinstance(one, ModelCard | Conflict) for one in done)
    after = [await models.get(card.id) for card in cards]
    deployed = [card for card in after if card.status == "deployed"]
    assert [card.aliases for card in deployed] == [("champion",)]


async def test_changed_files_quarantine_every_version_of_them(
    models: Models, artifacts: ArtifactStore, tmp_path: Path
) -> None:
    told: list[ModelCard] = []
    models.quarantine_listeners.append(told.append)
    card = await trained(models, tmp_path / "m")
    assert card.artifact is not None
    await models.transition(card.id, "deployed", by=None)
    file = artifacts.open(card.artifact) / "ridge.safetensors"
    file.chmod(0o644)
    file.write_bytes(file.read_bytes()[::-1])
    with pytest.raises(DamagedArtifact) as damaged:
        artifacts.open(card.artifact)
    await models.quarantine(card.artifact, str(damaged.value))
    card = await models.get(card.id)
    assert (card.status, card.aliases) == ("failed", ())
    assert "is not the file that was approved" in (card.failure or "")
    assert card.quarantined_at is not None
    assert [one.id for one in told] == [card.id]
    assert await models.champion("variance") is None
    assert (await models.events(card.id, cursor=None, limit=1)).items[0].kind == "quarantined"
    # Mended from the stored files, it starts again at validating.
    mended = await models.transition(card.id, "validating", by=None)
    assert (mended.status, mended.failure, mended.quarantined_at) == ("validating", None, None)
    artifacts.open(mended.artifact or "")


async def test_deploying_changed_files_quarantines_instead(
    models: Models, artifacts: ArtifactStore, tmp_path: Path
) -> None:
    card = await trained(models, tmp_path / "m")
    file = artifacts.open(card.artifact or "") / "bundle.json"
    file.chmod(0o644)
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(DamagedArtifact):
        await models.transition(card.id, "deployed", by=None)
    assert (await models.get(card.id)).status == "failed"


async def test_versions_count_up_and_an_id_that_is_asked_twice_is_made_once(
    models: Models,
) -> None:
    made = await asyncio.gather(*(models.create(NEW) for _ in range(5)))
    assert sorted(card.version for card in made) == ["1", "2", "3", "4", "5"]
    mine = msgspec.structs.replace(NEW, id=new_id())
    first, second = await asyncio.gather(models.create(mine), models.create(mine))
    assert first.id == second.id == mine.id
    with pytest.raises(Conflict, match="calm@3 already"):
        await models.create(msgspec.structs.replace(NEW, version="3"))
    for name in ("", "a b", "x" * 81, "../x", "champion", "a@b"):
        with pytest.raises(Invalid, match="`name` must"):
            await models.create(msgspec.structs.replace(NEW, name=name))


async def test_files_that_do_not_fit_leave_the_version_as_it_was(
    models: Models, tmp_path: Path
) -> None:
    card = await models.create(msgspec.structs.replace(NEW, framework="onnx"))
    with pytest.raises(BadModel, match="they must agree"):
        await models.attach(card.id, write_model(tmp_path / "m"))
    assert await models.get(card.id) == card
    linear = await models.create(NEW)
    wide = bundle(
        members=(
            Member(
                name="ridge",
                runtime="numpy",
                file="ridge.safetensors",
                architecture="linear",
                options={"inputs": 2},
            ),
        )
    )
    folder = write_model(tmp_path / "wide")
    (folder / "bundle.json").write_bytes(msgspec.json.encode(wide))
    with pytest.raises(BadModel, match="weight"):
        await models.attach(linear.id, folder)
    assert await models.get(linear.id) == linear
    other = await trained(models, tmp_path / "n", name="other")
    with pytest.raises(NotAllowed, match="files are attached while"):
        await models.attach(other.id, tmp_path / "n")
    again = await models.create(NEW)
    with pytest.raises(BadModel, match="nan is not a number"):
        await models.attach(
            again.id, tmp_path / "n", performance=ModelPerformance(mse=float("nan"))
        )


async def test_a_model_from_elsewhere_begins_in_validating(models: Models, tmp_path: Path) -> None:
    card = await models.add(
        NEW,
        write_model(tmp_path / "m"),
        Measured(validation_metrics={"evaluation": evaluation()}),
        by=None,
        source="a folder",
    )
    assert (card.status, card.recipe, card.task) == ("validating", "variance", "variance")
    event = (await models.events(card.id, cursor=None, limit=1)).items[0]
    assert (event.kind, event.details["source"]) == ("imported", "a folder")
    with pytest.raises(Conflict):
        await models.add(
            msgspec.structs.replace(NEW, version="1"),
            tmp_path / "m",
            Measured(),
            by=None,
            source="",
        )


async def test_lists_are_filtered_and_paged(models: Models, tmp_path: Path) -> None:
    cards = [await trained(models, tmp_path / str(n), name=f"m{n % 2}") for n in range(4)]
    await models.transition(cards[0].id, "deployed", by=None)
    page = await models.page(ModelFilter(task="variance"), cursor=None, limit=3)
    assert [card.id for card in page.items] == [card.id for card in reversed(cards)][:3]
    rest = await models.page(ModelFilter(task="variance"), cursor=page.next_cursor, limit=3)
    assert [card.id for card in rest.items] == [cards[0].id]
    for asked, expected in (
        (ModelFilter(name="m1"), 2),
        (ModelFilter(status="deployed", name="m0"), 1),
        (ModelFilter(alias="champion", task="variance"), 1),
        (ModelFilter(framework="xgboost"), 0),
        (ModelFilter(type="regression"), 4),
    ):
        assert len((await models.page(asked, cursor=None, limit=50)).items) == expected


async def test_the_rule_set_of_the_signals_is_a_deployed_model(
    models: Models, database: Database
) -> None:
    rules = await models.get(RULES)
    assert (rules.name, rules.version, rules.status) == (
        "market-signals",
        RULES_VERSION,
        "deployed",
    )
    assert rules.aliases == ("champion",)
    before = (await models.events(RULES, cursor=None, limit=9)).items
    await models.ensure_rules(RULES, name="market-signals", version=RULES_VERSION, task="signals")
    assert await models.get(RULES) == rules
    assert (await models.events(RULES, cursor=None, limit=9)).items == before


async def test_new_rules_take_the_place_of_the_old_ones(models: Models, database: Database) -> None:
    newer = new_id()
    try:
        await models.ensure_rules(newer, name="market-signals", version="rules-9", task="signals")
        assert (await models.get(newer)).aliases == ("champion",)
        assert (await models.get(RULES)).status == "deprecated"
    finally:
        await database.execute("DELETE FROM model_aliases WHERE model_id = $1", newer)
        await database.execute("DELETE FROM models WHERE id = $1", newer)
        await models.ensure_rules(
            RULES, name="market-signals", version=RULES_VERSION, task="signals"
        )


async def test_lineage_leads_from_the_data_to_the_predictions(
    models: Models, database: Database, tmp_path: Path
) -> None:
    dataset, version = new_id(), new_id()
    await database.execute(
        "INSERT INTO datasets (id, name, type) VALUES ($1, 'bars', 'training')", dataset
    )
    await database.execute(
        "INSERT INTO dataset_versions (id, dataset_id, version, digest, size)"
        " VALUES ($1, $2, 3, 'd1', 500)",
        version,
        dataset,
    )
    card = await trained(
        models,
        tmp_path / "m",
        training_dataset_id=dataset,
        training_dataset_version_id=version,
    )
    for number in range(2):
        await database.execute(
            "INSERT INTO predictions (id, model_id, request_id, input_hash, status)"
            " VALUES ($1, $2, $3, 'h', 'completed')",
            new_id(),
            card.id,
            f"r{number}",
        )
    lineage = await models.lineage(card.id)
    assert lineage.dataset is not None
    assert (lineage.dataset.name, lineage.dataset.version, lineage.dataset.digest) == (
        "bars",
        3,
        "d1",
    )
    assert lineage.predictions == 2
    assert (await models.lineage(RULES)).dataset is None
