"""Models asked by what the feature store holds of an entity, now and as of a moment."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from app.domain.errors import Invalid, NotFound
from app.domain.principal import Principal
from app.services.datasets.feature_store import FeatureWish
from app.services.predictions.predictions import PredictCommand
from app.services.predictions.stored_inputs import StoredInputs
from app.storage.engine import Database
from inference.bundle import Head, InputColumn
from tests.integration.features.feature_desk import FeatureDesk, days_ago
from tests.integration.predictions.small_models import VARIANCE, PredictionDesk
from tests.integration.storage.desk import Desk

LINES = (
    "time,symbol,heat",
    *(f"2025-0{month}-01,OTHER,1" for month in range(1, 7)),
    "2025-12-20,ACME,3",
    "2026-01-02,ACME,5",
)
PLAIN = msgspec.structs.replace(
    VARIANCE,
    name="plain",
    task="",
    inputs=(InputColumn(name="heat"),),
    head=Head(kind="value"),
    feature_view=None,
    horizon_bars=None,
    timeframe=None,
    event="how it turns out",
    unit="",
)


@pytest.fixture
async def ann(database: Database) -> Principal:
    return await Desk(database).user("ann@example.test")


@pytest.fixture
async def predicting(desk: FeatureDesk, tmp_path: Path) -> AsyncIterator[PredictionDesk]:
    """A desk with a model of one column, and a view that has it."""
    made = PredictionDesk(desk.database, tmp_path / "models")
    made.now = desk.now
    made.answering._stored = StoredInputs(desk.store)
    await made.models.add(PLAIN, weight=2.0, evaluation=None)
    await desk.collect("heats", LINES)
    await desk.store.declare(FeatureWish(name="heats", dataset="heats"), by=None)
    await desk.materialize("heats")
    async with made.engine:
        yield made
        await made.predictions.close()


def ask(request: str, **given: Any) -> PredictCommand:
    return PredictCommand(model="plain", request_id=request, input=given, deadline_s=5.0)


async def test_a_model_reads_what_is_served_and_says_of_when_it_is(
    predicting: PredictionDesk, ann: Principal
) -> None:
    made = await predicting.predictions.predict(ann, ask("r-1", view="heats", entity="ACME"))

    assert made.status == "completed", made.error
    assert made.output is not None
    assert made.output.value == 10.0
    assert made.feature_hash is not None
    told = made.metadata
    assert (told["featureView"], told["entity"]) == ("heats@1", "ACME")
    assert told["eventTime"] == told["knownAt"] == "2026-01-02T00:00:00+00:00"


async def test_as_of_a_moment_it_reads_what_stood_then(
    predicting: PredictionDesk, desk: FeatureDesk, ann: Principal
) -> None:
    given = {"view": "heats@1", "entity": "ACME", "asOf": "2026-01-01T00:00:00Z"}
    early = await predicting.predictions.predict(ann, ask("r-1", **given))
    await desk.collect("heats", (*LINES[:-2], "2025-12-20,ACME,4", LINES[-1]))
    await desk.materialize("heats")
    again = await predicting.predictions.predict(ann, ask("r-2", **given))

    assert early.output is not None
    assert again.output is not None
    assert early.output.value == again.output.value == 6.0
    assert early.feature_hash == again.feature_hash


async def test_asked_by_the_store_and_by_the_same_numbers_it_answers_the_same(
    predicting: PredictionDesk, desk: FeatureDesk, ann: Principal
) -> None:
    view = await desk.store.definition("heats")
    (served,) = await desk.store.values(view, ["ACME"])
    assert served.values is not None

    stored = await predicting.predictions.predict(ann, ask("r-1", view="heats", entity="ACME"))
    given = await predicting.predictions.predict(ann, ask("r-2", features=served.values))

    assert stored.output is not None
    assert given.output is not None
    assert stored.output.value == given.output.value == 10.0


@pytest.mark.parametrize(
    ("given", "kind", "code"),
    [
        ({"view": "nothing", "entity": "ACME"}, NotFound, "unknown_view"),
        ({"view": "heats"}, Invalid, "invalid"),
        ({"view": "heats", "entity": "ACME", "symbol": "X"}, Invalid, "invalid"),
        ({"view": "market.volatility", "entity": "ACME"}, Invalid, "invalid"),
        ({"view": "heats", "entity": "ZZZ"}, Invalid, "no_features"),
        ({"view": "heats", "entity": "OTHER"}, Invalid, "no_features"),
        (
            {"view": "heats", "entity": "ACME", "asOf": "2999-01-01T00:00:00Z"},
            Invalid,
            "look_ahead",
        ),
    ],
)
async def test_what_cannot_be_looked_up_is_refused(
    predicting: PredictionDesk,
    ann: Principal,
    given: dict[str, Any],
    kind: type[Invalid],
    code: str,
) -> None:
    with pytest.raises(kind) as refused:
        await predicting.predictions.predict(ann, ask("r-1", **given))
    assert refused.value.code == code


async def test_a_value_that_got_too_old_is_not_read(
    predicting: PredictionDesk, desk: FeatureDesk, ann: Principal
) -> None:
    desk.now = predicting.now = days_ago(-60)

    with pytest.raises(Invalid, match="younger than 30 days; its newest is of 2026-01-02"):
        await predicting.predictions.predict(ann, ask("r-1", view="heats", entity="ACME"))
