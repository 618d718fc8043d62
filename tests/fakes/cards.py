"""Small models in every format, and cards, for the tests of the prediction engine."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import numpy as np
from safetensors.numpy import save

from inference.bundle import BUNDLE_FILE, Bundle, Head, InputColumn, Member
from inference.cards import (
    BaselineScore,
    Evaluation,
    ModelCard,
    ModelParameters,
    ModelPerformance,
)

MOMENT = datetime(2026, 1, 5, 12, tzinfo=UTC)


def bundle(**changes: Any) -> Bundle:
    """Return the bundle of a linear model of one column."""
    linear = Bundle(
        name="calm",
        recipe="variance",
        task="variance",
        model_type="regression",
        framework="numpy",
        inputs=(InputColumn(name="x"),),
        members=(
            Member(
                name="ridge",
                runtime="numpy",
                file="ridge.safetensors",
                architecture="linear",
                options={"inputs": 1},
            ),
        ),
        head=Head(kind="value"),
        timeframe="1d",
        horizon_bars=1,
    )
    return msgspec.structs.replace(linear, **changes)


def write_model(folder: Path, *, slope: float = 2.0, **changes: Any) -> Path:
    """Write a model's folder and return it."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {"weight": np.array([[slope]], np.float64), "bias": np.zeros(1, np.float64)}
    (folder / "ridge.safetensors").write_bytes(save(weights))
    (folder / BUNDLE_FILE).write_bytes(msgspec.json.encode(bundle(**changes)))
    return folder


def evaluation(*, skill: float = 0.2, low: float = 0.1) -> Evaluation:
    """Return an evaluation beside one baseline."""
    baseline = BaselineScore(
        name="log-HAR", loss=0.5, skill=skill, skill_low=low, skill_high=skill + 0.1, dm_t=-5.0
    )
    return Evaluation(
        metric="QLIKE",
        loss=0.4,
        n=1000,
        n_refits=14,
        first=datetime(2017, 1, 3, tzinfo=UTC),
        last=datetime(2023, 9, 21, tzinfo=UTC),
        purge_bars=1,
        baselines=(baseline,),
    )


def card(**changes: Any) -> ModelCard:
    """Return the card of a version that is ready."""
    ready = ModelCard(
        id=UUID(int=1),
        name="calm",
        version="1",
        type="regression",
        framework="numpy",
        architecture="linear",
        parameters=ModelParameters(),
        performance=ModelPerformance(),
        status="ready",
        training_dataset_id=None,
        validation_metrics={"evaluation": msgspec.to_builtins(evaluation())},
        created_by=None,
        trained_at=MOMENT,
        created_at=MOMENT,
        updated_at=MOMENT,
        artifact="a" * 64,
    )
    return msgspec.structs.replace(ready, **changes)
