"""Several worker processes: the model of one, whoever of them dies, hangs or finds a bug."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from inference.errors import WorkerLost
from inference.training.parallel.crew import Crew
from inference.training.parallel.lesson import Diverged, Lesson, Weights
from inference.training.parallel.place import Place
from inference.training.parallel.team import local_team
from tests.fakes.studies import line

pytest.importorskip("torch")
pytestmark = [pytest.mark.slow, pytest.mark.timeout(240)]


@contextmanager
def crew(workers: int, *, peer_timeout_s: float = 60.0) -> Iterator[Crew]:
    with Crew(
        Place(workers, "cpu"), peer_timeout_s=peer_timeout_s, checkpoint_every_s=0.0
    ) as found:
        yield found


def quiet(step: int, steps: int) -> None:
    """Nobody listens."""


def alone(lesson: Lesson) -> Weights:
    with local_team(1, "cpu") as team:
        return team.fit(lesson, checkpoint=None, tell=quiet)


def gone(pid: int) -> bool:
    """Tell whether a process has ended; one whose parent was killed may stay as a zombie."""
    try:
        return f"{pid} (" in (said := Path(f"/proc/{pid}/stat").read_text()) and ") Z " in said
    except FileNotFoundError:
        return True


def test_two_workers_learn_what_one_learns() -> None:
    # 50 cases in batches of 8: the last batch of an epoch has 2, one a worker.
    with crew(2) as team:
        for lesson in (line(), line(rows=17, batch=5)):
            found = team.fit(lesson, checkpoint=None, tell=quiet)
            for name, one in alone(lesson).items():
                np.testing.assert_allclose(found[name], one, atol=1e-5)


def test_a_batch_with_fewer_cases_than_workers_is_not_biased() -> None:
    # 9 cases in batches of 4: the last batch has one case, and two workers have none of it.
    lesson = line(rows=9, batch=4, epochs=20)
    with crew(3) as team:
        found = team.fit(lesson, checkpoint=None, tell=quiet)
    for name, one in alone(lesson).items():
        np.testing.assert_allclose(found[name], one, atol=1e-5)


def test_a_training_goes_on_with_another_number_of_workers(tmp_path: Path) -> None:
    class Enough(Exception):
        pass

    def stop(step: int, steps: int) -> None:
        if step >= 30:
            raise Enough

    lesson = line(step_s=0.02)
    with crew(2) as team:
        with pytest.raises(Enough):
            team.fit(lesson, checkpoint=tmp_path, tell=stop)
        assert team.pids == []
    steps: list[int] = []
    with local_team(1, "cpu") as one:
        found = one.fit(lesson, checkpoint=tmp_path, tell=lambda step, _: steps.append(step))
    assert steps[0] > 20
    for name, weights in alone(line()).items():
        np.testing.assert_allclose(found[name], weights, atol=1e-5)
    with crew(2) as team:
        again = team.fit(lesson, checkpoint=tmp_path, tell=quiet)
        assert team.pids == []
    assert all(np.array_equal(again[name], found[name]) for name in found)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_worker_that_is_killed_ends_the_training_in_time_and_is_named(rank: int) -> None:
    with (
        crew(2) as team,
        pytest.raises(
            WorkerLost, match=rf"worker {rank + 1} of 2 .* was killed \(signal 9, SIGKILL\)"
        ),
    ):
        team.fit(line(behaviour="dies", of=rank), checkpoint=None, tell=quiet)


def test_nobody_waits_for_a_worker_that_hangs() -> None:
    with (
        crew(2, peer_timeout_s=2.0) as team,
        pytest.raises(WorkerLost, match="went away or did not come in time"),
    ):
        team.fit(line(behaviour="hangs", of=1), checkpoint=None, tell=quiet)


def test_a_bug_in_a_worker_is_told_as_one() -> None:
    with crew(2) as team, pytest.raises(RuntimeError, match="ZeroDivisionError: a bug"):
        team.fit(line(behaviour="broken", of=1), checkpoint=None, tell=quiet)


def test_numbers_that_are_not_finite_end_all_workers() -> None:
    with crew(2) as team:
        with pytest.raises(Diverged, match="not finite at step"):
            team.fit(line(hole=True), checkpoint=None, tell=quiet)
        assert team.pids == []
        # Another lesson starts others.
        assert set(team.fit(line(epochs=2), checkpoint=None, tell=quiet)) == {"weight", "bias"}


def test_a_worker_that_is_full_says_what_is_short() -> None:
    with crew(2) as team, pytest.raises(MemoryError, match="too little memory"):
        team.fit(line(behaviour="full", room=0), checkpoint=None, tell=quiet)


def test_workers_end_with_whoever_started_them(tmp_path: Path) -> None:
    script = """
import sys, threading
from inference.training.parallel.crew import Crew
from inference.training.parallel.place import Place
from tests.fakes.studies import line
with Crew(Place(2, "cpu")) as crew:
    def tell(step, steps):
        print(*crew.pids, flush=True)
    crew.fit(line(epochs=100_000, step_s=0.02), checkpoint=None, tell=tell)
"""
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        pids = [int(pid) for pid in process.stdout.readline().split()]
        assert len(pids) == 2
        assert not any(gone(pid) for pid in pids)
        process.kill()
    ended = threading.Event()
    for _ in range(500):
        if all(gone(pid) for pid in pids):
            break
        ended.wait(0.02)
    assert all(gone(pid) for pid in pids)
