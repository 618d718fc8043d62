"""A new version's card says how fast it answers here, or why nobody knows."""

from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
import pytest

from app.services.datasets.datasets import BarsWanted
from app.services.models.model_speed import CALLS, SIZES, NotMeasured, Speed, SpeedProbe
from inference.absent_metrics import absent_metrics
from inference.bundle import Bundle, Head, Member
from inference.cards import ModelCard
from inference.datasets.catalog import VIEWS
from inference.datasets.market_features import VOLATILITY
from inference.errors import ModelFailed
from inference.requests import Answers, Rows
from tests.integration.training.training_desk import TrainingDesk


async def test_a_training_ends_with_what_a_caller_waits_for(desk: TrainingDesk) -> None:
    _, card = await desk.train()
    assert card is not None
    speed = msgspec.convert(card.validation_metrics["speed"], Speed)
    assert card.status == "ready"
    assert card.performance.latency_ms == speed.latency_ms > 0.0
    assert speed.latency_p95_ms >= speed.latency_ms
    assert card.performance.throughput == speed.throughput
    # Many rows at once cost hardly more than one.
    assert speed.throughput > 1000.0 / speed.latency_ms
    assert speed.batch_rows in SIZES
    assert 0 < speed.calls <= CALLS
    assert "cores" in speed.machine
    assert speed.measured_at >= card.created_at
    assert not {"latencyMs", "throughput"} & absent_metrics(card).keys()
    # The numbers of the evaluation stay beside it.
    assert card.performance.mse == card.evaluation().loss  # type: ignore[union-attr]


@dataclass
class Recording:
    """An engine that keeps what it is asked."""

    asked: list[Rows] = field(default_factory=list)
    fails: bool = False

    async def predict(self, artifact: str, rows: Rows, **_: Any) -> Answers:
        self.asked.append(rows)
        if self.fails:
            raise ModelFailed("it gave nothing that is finite")
        return Answers(tuple("calm" for _ in range(len(rows))))


def bundle_of(**changes: Any) -> Bundle:
    bundle = Bundle(
        name="x",
        recipe="variance",
        task="variance",
        model_type="regression",
        framework="numpy",
        inputs=VOLATILITY.columns,
        members=(Member(name="x", runtime="numpy"),),
        head=Head(kind="log_variance"),
        feature_view=VOLATILITY.key,
        max_batch=128,
    )
    return msgspec.structs.replace(bundle, **changes)


async def probed(
    desk: TrainingDesk, engine: Recording, bundle: Bundle
) -> tuple[Speed | NotMeasured, ModelCard]:
    _, card = await desk.train()
    assert card is not None

    async def bundles(card: ModelCard) -> Bundle:
        return bundle

    recorded = await desk.datasets.record_bars(BarsWanted(as_of=desk.clock()), by=None)
    probe = SpeedProbe(engine, bundles, desk.datasets, VIEWS, clock=desk.clock)
    return await probe.measure(card, recorded), card


async def test_it_is_timed_on_rows_of_the_data_that_it_learned_from(desk: TrainingDesk) -> None:
    await desk.stock("AAA", "BBB", bars=500)
    engine = Recording()
    speed, _ = await probed(desk, engine, bundle_of())
    assert isinstance(speed, Speed)
    names = tuple(column.name for column in VOLATILITY.columns)
    assert {rows.names for rows in engine.asked} == {names}
    assert all(np.isfinite(rows.numbers).all() for rows in engine.asked)
    many = engine.asked[-1]
    assert len(np.unique(many.numbers, axis=0)) > 10
    assert max(map(len, engine.asked)) == 128, "no call is larger than the model takes at once"


async def test_a_model_without_a_view_is_timed_on_nothing_in_particular(
    desk: TrainingDesk,
) -> None:
    engine = Recording()
    speed, _ = await probed(desk, engine, bundle_of(feature_view=None))
    assert isinstance(speed, Speed)
    assert not engine.asked[0].numbers.any()


@pytest.mark.parametrize(
    ("engine", "bundle", "says"),
    [
        (Recording(fails=True), bundle_of(), "It did not answer: it gave nothing that is finite."),
        (
            Recording(),
            bundle_of(members=(Member(name="x", runtime="remote"),)),
            "It waits for another computer, which costs.",
        ),
    ],
)
async def test_what_cannot_be_timed_says_why(
    desk: TrainingDesk, engine: Recording, bundle: Bundle, says: str
) -> None:
    speed, card = await probed(desk, engine, bundle)
    assert isinstance(speed, NotMeasured)
    assert speed.reason == says
    bare = msgspec.structs.replace(card.performance, latency_ms=None, throughput=None)
    told = msgspec.structs.replace(
        card, performance=bare, validation_metrics={"speed": msgspec.to_builtins(speed)}
    )
    assert absent_metrics(told)["latencyMs"] == says
