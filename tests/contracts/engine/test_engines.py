"""What every engine does alike, whether models run in threads of ours or in another process."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import fields
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.bundle import Head, Member
from inference.engine.engine import Engine
from inference.engine.in_process import InProcessEngine
from inference.engine.pipeline import LoadedModel
from inference.engine.process import WorkerCommand
from inference.engine.served import EngineOptions
from inference.errors import (
    BadInput,
    BadModel,
    DamagedArtifact,
    DeadlineExceeded,
    MissingFramework,
    ModelFailed,
)
from inference.requests import Answers
from tests.fakes.models import (
    Shelf,
    linear_bundle,
    misbehaving_bundle,
    numbers,
    runtime_for,
)

DEADLINE_S = 20.0
"""Of calls that are to succeed, on a machine that is busy."""

AnyEngine = Any


@asynccontextmanager
async def in_process(shelf: Shelf, **options: Any) -> AsyncIterator[AnyEngine]:
    async with InProcessEngine(shelf.open, runtime_for=runtime_for, **options) as engine:
        yield engine


@asynccontextmanager
async def worker(
    shelf: Shelf, *, cache_bytes: int = 2**30, **options: Any
) -> AsyncIterator[AnyEngine]:
    command = WorkerCommand(catalog="tests.fakes.models:runtime_for", **options)
    async with Engine(
        shelf.open, options=EngineOptions(worker=command, cache_bytes=cache_bytes)
    ) as engine:
        yield engine


ENGINES: dict[str, Callable[..., Any]] = {"in_process": in_process, "worker": worker}


@pytest.fixture(params=list(ENGINES))
def start(request: pytest.FixtureRequest) -> Any:
    return ENGINES[request.param]


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def same(one: Answers, other: Answers) -> bool:
    """Tell whether two answers are equal to the bit."""
    for field in fields(Answers):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if isinstance(a, np.ndarray):
            if not isinstance(b, np.ndarray) or a.tobytes() != b.tobytes() or a.shape != b.shape:
                return False
        elif a != b:
            return False
    return True


async def test_it_answers_what_the_bare_model_answers_to_the_bit(start: Any, shelf: Shelf) -> None:
    head = Head(
        kind="log_variance",
        interval_level=0.8,
        residual_quantiles=((0.1, -0.5), (0.5, 0.0), (0.9, 0.7)),
    )
    name = shelf.add(linear_bundle([0.3, -0.7, 1.1], head=head))
    bare = LoadedModel.load(shelf.open(name), runtime_for=runtime_for)
    rows = [numbers([i * 0.1, i * 0.01, 1.0 / (i + 1)]) for i in range(40)]
    async with start(shelf) as engine:
        together = await asyncio.gather(
            *(engine.predict(name, row, deadline_s=DEADLINE_S, explain=True) for row in rows)
        )
    for row, answers in zip(rows, together, strict=True):
        assert same(answers, bare.answer(row, explain=True))


async def test_calls_of_different_sizes_and_models_get_their_own_rows(
    start: Any, shelf: Shelf
) -> None:
    first = shelf.add(linear_bundle([1.0], name="first"))
    second = shelf.add(linear_bundle([-1.0], name="second"))
    calls = [
        (first if i % 2 else second, numbers(*[[i * 10.0 + k] for k in range(i + 1)]))
        for i in range(12)
    ]
    async with start(shelf) as engine:
        found = await asyncio.gather(
            *(
                engine.predict(name, rows, deadline_s=DEADLINE_S, priority=priority)
                for (name, rows), priority in zip(calls, ["interactive", "batch"] * 6, strict=True)
            )
        )
    for (name, rows), answers in zip(calls, found, strict=True):
        sign = 1.0 if name == "first" else -1.0
        np.testing.assert_array_equal(answers.values, sign * rows.numbers[:, 0])


async def test_texts_and_classes_come_through(start: Any, shelf: Shelf) -> None:
    bundle = linear_bundle([1.0], head=Head(kind="classes", classes=("low", "high"), logits=True))
    name = shelf.add(bundle)
    async with start(shelf) as engine:
        answers = await engine.predict(name, numbers([3.0], [-3.0]), deadline_s=DEADLINE_S)
    assert answers.values == ("high", "low")
    assert answers.classes == ("low", "high")


async def test_a_bad_row_is_its_own_callers_alone(start: Any, shelf: Shelf) -> None:
    name = shelf.add(linear_bundle([1.0, 1.0]))
    rows = [numbers([1.0, float("nan")]) if i == 3 else numbers([i, 1.0]) for i in range(8)]
    async with start(shelf) as engine:
        found = await asyncio.gather(
            *(engine.predict(name, row, deadline_s=DEADLINE_S) for row in rows),
            return_exceptions=True,
        )
    assert isinstance(found.pop(3), BadInput)
    assert [float(one.values[0]) for one in found if isinstance(one, Answers)] == [
        1.0,
        2.0,
        3.0,
        5.0,
        6.0,
        7.0,
        8.0,
    ]


@pytest.mark.parametrize("does", ["nan", "huge", "short", "raise"])
async def test_nonsense_fails_its_own_call_alone(start: Any, shelf: Shelf, does: str) -> None:
    name = shelf.add(misbehaving_bundle(does))
    async with start(shelf) as engine:
        found = await asyncio.gather(
            *(engine.predict(name, numbers([x]), deadline_s=DEADLINE_S) for x in (-1.0, 1.0, -2.0)),
            return_exceptions=True,
        )
    assert isinstance(found.pop(1), ModelFailed)
    assert [one.values[0] for one in found if isinstance(one, Answers)] == [-1.0, -2.0]


async def test_what_is_wrong_with_an_artifact_is_said(start: Any, shelf: Shelf) -> None:
    absent = shelf.add(
        linear_bundle([1.0], name="absent", members=(Member(name="m", runtime="tensorflow"),))
    )
    broken = shelf.add(linear_bundle([1.0], name="broken", options={"load": "fails"}))
    row = numbers([1.0])
    async with start(shelf) as engine:
        with pytest.raises(DamagedArtifact, match="not what was approved"):
            await engine.predict("damaged", row, deadline_s=DEADLINE_S)
        with pytest.raises(MissingFramework, match=r"outcry\[tensorflow\]") as missing:
            await engine.predict(absent, row, deadline_s=DEADLINE_S)
        assert missing.value.extra == "tensorflow"
        with pytest.raises(BadModel, match="cannot be loaded"):
            await engine.predict(broken, row, deadline_s=DEADLINE_S)


async def test_a_call_ends_at_its_deadline(start: Any, shelf: Shelf) -> None:
    name = shelf.add(misbehaving_bundle("sleep"))
    async with start(shelf) as engine:
        await engine.predict(name, numbers([-1.0]), deadline_s=DEADLINE_S)
        with pytest.raises(DeadlineExceeded):
            await engine.predict(name, numbers([0.6]), deadline_s=0.1)


async def test_a_model_is_opened_once_and_again_when_it_had_to_go(start: Any, shelf: Shelf) -> None:
    large = [
        shelf.add(linear_bundle([1.0], name=name, options={"size": 600_000}))
        for name in ("one", "two")
    ]
    async with start(shelf, cache_bytes=1_000_000) as engine:
        for name in (large[0], large[0], large[1], large[0]):
            await engine.predict(name, numbers([1.0]), deadline_s=DEADLINE_S)
        assert engine.stats().loaded_models == 1
    assert shelf.opened == ["one", "two", "one"]


async def test_it_counts_what_it_does(start: Any, shelf: Shelf) -> None:
    name = shelf.add(linear_bundle([1.0]))
    async with start(shelf) as engine:
        await engine.predict(name, numbers([1.0], [2.0]), deadline_s=DEADLINE_S)
        with pytest.raises(BadInput):
            await engine.predict(name, numbers([1.0, 2.0]), deadline_s=DEADLINE_S)
        await engine.check()
        stats = engine.stats()
    assert (stats.models[name].answered, stats.models[name].failed) == (1, 1)
    assert stats.models[name].p50_ms is not None
    assert (stats.waiting_calls, stats.running_batches) == (0, 0)
