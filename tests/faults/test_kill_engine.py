"""The engine's worker is killed, stopped and starved: calls fail in time, others do not notice."""

import asyncio
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import psutil  # type: ignore[import-untyped]
import pytest

from inference.engine import breaker
from inference.engine.admission import QueueBounds
from inference.engine.engine import Engine
from inference.engine.keeper import Patience
from inference.engine.process import WorkerCommand
from inference.engine.served import EngineOptions
from inference.errors import DeadlineExceeded, ModelFailed, Overloaded, WorkerLost
from inference.requests import Answers, Rows
from tests.fakes.models import Shelf, linear_bundle, misbehaving_bundle, numbers

pytestmark = pytest.mark.fault

DEADLINE_S = 30.0
CATALOG = "tests.fakes.models:runtime_for"
QUICK = EngineOptions(worker=WorkerCommand(catalog=CATALOG), patience=Patience(stall_s=1.5))
ROOT = Path(__file__).resolve().parents[2]


@asynccontextmanager
async def engine_on(shelf: Shelf, options: EngineOptions = QUICK) -> AsyncIterator[Engine]:
    async with Engine(shelf.open, options=options) as engine:
        yield engine


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    shelf = Shelf(tmp_path)
    shelf.add(linear_bundle([1.0], name="good"))
    return shelf


async def ask(engine: Engine, name: str, *row: float, deadline_s: float = DEADLINE_S) -> float:
    answers = await engine.predict(name, numbers(list(row)), deadline_s=deadline_s)
    return float(answers.values[0])


async def until(true: Callable[[], bool]) -> None:
    """Wait for what another process does; there is no event to wait for."""
    async with asyncio.timeout(DEADLINE_S):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def test_a_killed_worker_returns_by_itself(shelf: Shelf) -> None:
    async with engine_on(shelf) as engine:
        assert await ask(engine, "good", 1.0) == 1.0
        first = engine.worker_pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await until(lambda: engine.worker_pid != first)
        assert await ask(engine, "good", 2.0) == 2.0
        assert engine.worker_pid != first
        assert engine.stats().worker_starts == 2
        await engine.check()


@pytest.mark.parametrize("does", ["killed", "exit"])
async def test_a_call_that_kills_the_worker_fails_alone(shelf: Shelf, does: str) -> None:
    deadly = shelf.add(misbehaving_bundle(does))
    async with engine_on(shelf) as engine:
        await ask(engine, deadly, -1.0)
        # All in one batch with the deadly one, and some of another model behind them.
        found = await asyncio.gather(
            *(ask(engine, deadly, x) for x in (-1.0, -2.0, 1.0, -3.0)),
            *(ask(engine, "good", x) for x in (5.0, 6.0)),
            return_exceptions=True,
        )
    assert isinstance(found.pop(2), WorkerLost)
    assert found == [-1.0, -2.0, -3.0, 5.0, 6.0]


async def test_a_stopped_worker_fails_its_call_in_time_and_is_replaced(shelf: Shelf) -> None:
    stopping = shelf.add(misbehaving_bundle("stop"))
    async with engine_on(shelf) as engine:
        await ask(engine, stopping, -1.0)
        first, begun = engine.worker_pid, monotonic()
        stuck = asyncio.create_task(ask(engine, stopping, 1.0, deadline_s=1.0))
        behind = asyncio.create_task(ask(engine, "good", 3.0))
        with pytest.raises(DeadlineExceeded):
            await stuck
        assert await behind == 3.0  # the stopped process was not waited for
        assert engine.worker_pid != first
        assert monotonic() - begun < DEADLINE_S
        assert first is not None
        assert not psutil.pid_exists(first)


async def test_too_little_memory_is_said_and_harms_nobody(shelf: Shelf) -> None:
    hungry = shelf.add(misbehaving_bundle("memory"))
    command = WorkerCommand(catalog=CATALOG, memory_mib=1024)
    async with engine_on(shelf, replace(QUICK, worker=command)) as engine:
        await ask(engine, "good", 1.0)
        first = engine.worker_pid
        with pytest.raises(ModelFailed, match="OUTCRY_ENGINE_MEMORY_MIB"):
            await ask(engine, hungry, 1.0)
        assert await ask(engine, "good", 2.0) == 2.0
        assert engine.worker_pid == first


@pytest.mark.parametrize("does", ["nan", "short", "huge"])
async def test_nonsense_is_never_an_answer_and_opens_the_breaker(
    shelf: Shelf, does: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = shelf.add(misbehaving_bundle(does))
    async with engine_on(shelf) as engine:
        for _ in range(5):
            with pytest.raises(ModelFailed, match="the model gave"):
                await ask(engine, wrong, 1.0)
        with pytest.raises(ModelFailed, match=r"5 times in a row.*next try is in 30 s"):
            await ask(engine, wrong, -1.0)
        assert await ask(engine, "good", 1.0) == 1.0
        assert engine.stats().models[wrong].open_until_s is not None
        # Half a minute later one call may try, and closes it.
        later = monotonic() + breaker.RESTS_S
        monkeypatch.setattr("inference.engine.engine.monotonic", lambda: later)
        assert await ask(engine, wrong, -1.0) == -1.0
        assert await ask(engine, wrong, -2.0) == -2.0


async def test_five_crashes_open_the_breaker_for_that_model_alone(shelf: Shelf) -> None:
    deadly = shelf.add(misbehaving_bundle("exit"))
    async with engine_on(shelf) as engine:
        for _ in range(5):
            with pytest.raises(WorkerLost, match="exit code 3"):
                await ask(engine, deadly, 1.0)
        starts = engine.stats().worker_starts
        with pytest.raises(ModelFailed, match="5 times in a row"):
            await ask(engine, deadly, 1.0)
        assert await ask(engine, "good", 1.0) == 1.0
        assert engine.stats().worker_starts <= starts + 1


async def test_a_model_whose_loading_kills_the_worker_harms_no_other(shelf: Shelf) -> None:
    deadly = shelf.add(linear_bundle([1.0], name="deadly", options={"load": "exits"}))
    async with engine_on(shelf) as engine:
        await ask(engine, "good", 1.0)
        found = await asyncio.gather(
            ask(engine, deadly, 1.0), ask(engine, "good", 2.0), return_exceptions=True
        )
        assert isinstance(found[0], WorkerLost)
        assert found[1] == 2.0


async def test_a_worker_that_cannot_start_fails_calls_at_once_and_shows_in_health(
    shelf: Shelf,
) -> None:
    command = WorkerCommand(catalog="no_such_module:runtime_for")
    async with engine_on(shelf, replace(QUICK, worker=command)) as engine:
        with pytest.raises(WorkerLost, match="exit code 1"):
            await ask(engine, "good", 1.0)
        with pytest.raises(WorkerLost, match="did not start"):
            await engine.check()


async def test_an_engine_that_is_closed_while_it_starts_leaves_nothing_behind(
    shelf: Shelf,
) -> None:
    for pause_s in (0.0, 0.002, 0.05):
        async with engine_on(shelf) as engine:
            engine.warm_up()
            await asyncio.sleep(pause_s)
    assert [
        p for p in psutil.Process().children() if "inference.engine.worker" in p.cmdline()
    ] == []


async def test_a_cancelled_caller_is_dropped_before_it_runs(shelf: Shelf) -> None:
    slow = shelf.add(misbehaving_bundle("sleep", max_batch=1))
    async with engine_on(shelf) as engine:
        await ask(engine, slow, -1.0)
        running = asyncio.create_task(ask(engine, slow, 0.5))
        await until(lambda: engine.stats().running_batches > 0)
        gone = [asyncio.create_task(ask(engine, slow, 9.0)) for _ in range(3)]
        await asyncio.sleep(0)
        assert engine.stats().waiting_calls == 3
        for task in gone:
            task.cancel()
        await asyncio.wait(gone)
        assert engine.stats().waiting_calls == 0
        assert await running == 0.5
        # Had one of them run, this would come nine seconds later.
        assert await ask(engine, slow, -1.0, deadline_s=5.0) == -1.0


async def test_too_much_at_once_is_refused_with_a_time_to_come_back(shelf: Shelf) -> None:
    slow = shelf.add(misbehaving_bundle("sleep", max_batch=1))
    options = replace(QUICK, bounds=QueueBounds(rows=10, seconds=3.0))
    async with engine_on(shelf, options) as engine:
        await ask(engine, slow, 0.3)
        tasks = [asyncio.create_task(ask(engine, slow, 0.3)) for _ in range(30)]
        found = await asyncio.gather(*tasks, return_exceptions=True)
    refused = [one for one in found if isinstance(one, Overloaded)]
    assert refused
    assert all(one.retry_after_s >= 1.0 for one in refused)
    assert [one for one in found if not isinstance(one, Overloaded)] == [0.3] * (30 - len(refused))


async def test_people_overtake_a_job_of_many_calls(shelf: Shelf) -> None:
    slow = shelf.add(misbehaving_bundle("sleep", max_batch=1))
    async with engine_on(shelf) as engine:
        await ask(engine, slow, -1.0)
        order: list[str] = []

        async def one(kind: Any) -> None:
            await engine.predict(slow, numbers([0.05]), deadline_s=DEADLINE_S, priority=kind)
            order.append(kind)

        jobs = [asyncio.create_task(one("batch")) for _ in range(6)]
        await until(lambda: engine.stats().running_batches > 0)
        people = [asyncio.create_task(one("interactive")) for _ in range(3)]
        await asyncio.gather(*jobs, *people)
    assert order[1:4] == ["interactive"] * 3


async def test_a_large_job_passes_in_one_piece(shelf: Shelf) -> None:
    async with engine_on(shelf) as engine:
        rows = Rows(("a",), np.arange(200_000.0)[:, None])
        answers = await engine.predict("good", rows, deadline_s=DEADLINE_S, priority="batch")
    assert isinstance(answers, Answers)
    np.testing.assert_array_equal(answers.values, np.arange(200_000.0))


async def test_the_worker_knows_no_secrets_and_ends_with_its_desk(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OUTCRY_SECRET_KEY", "x" * 40)
    program = textwrap.dedent(
        f"""
        import asyncio
        from pathlib import Path
        import uvloop
        from inference.engine.engine import Engine
        from inference.engine.process import WorkerCommand
        from inference.engine.served import EngineOptions
        from tests.fakes.models import numbers

        async def main():
            options = EngineOptions(worker=WorkerCommand(catalog={CATALOG!r}))
            async with Engine(lambda name: Path({str(shelf.root)!r}) / name, options=options) as e:
                await e.predict("good", numbers([1.0]), deadline_s=30)
                print(e.worker_pid, flush=True)
                await asyncio.sleep(60)

        uvloop.run(main())  # as the desk does
        """
    )
    desk = subprocess.Popen(  # noqa: ASYNC220 - it returns at once
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, cwd=ROOT
    )
    try:
        assert desk.stdout is not None
        worker = psutil.Process(int(await asyncio.to_thread(desk.stdout.readline)))
        assert "OUTCRY_SECRET_KEY" not in worker.environ()
        desk.kill()
        await asyncio.to_thread(worker.wait, 20)
        assert not worker.is_running()
    finally:
        desk.kill()
        desk.wait()
        assert desk.stdout is not None
        desk.stdout.close()
