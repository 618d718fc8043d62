"""The same training on a real Ray as on this machine, to the last bit.

Skipped unless `OUTCRY_RAY_PYTHON` names a Python with Ray, Ray Train and torch:
`python -m tests.environments.run ray` makes one and runs this.
"""

import os
import subprocess
from pathlib import Path

import msgspec
import numpy as np
import pytest

from inference.training.backends.backend import TrainingFailed, TrainingLost, model_folder
from inference.training.backends.local import LocalBackend
from inference.training.backends.ray import RayBackend
from tests.unit.inference.training.backends.test_local import Heard, task_in
from tests.unit.inference.training.backends.test_teams import line_of, team_in

PYTHON = os.environ.get("OUTCRY_RAY_PYTHON", "")
ROOT = Path(__file__).parents[3]


def _missing() -> str:
    if not PYTHON:
        return "OUTCRY_RAY_PYTHON is not set"
    check = "import importlib.util as u; assert all(map(u.find_spec, ('ray', 'msgspec', 'torch')))"
    found = subprocess.run([PYTHON, "-c", check], capture_output=True, check=False)
    return "" if found.returncode == 0 else f"{PYTHON} lacks Ray, msgspec or torch"


MISSING = _missing()
pytestmark = [
    pytest.mark.framework,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(MISSING != "", reason=MISSING),
]


@pytest.fixture
def on_ray() -> RayBackend:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return RayBackend("local", environment=environment, python=PYTHON)


async def test_a_model_from_ray_is_that_from_here(tmp_path: Path, on_ray: RayBackend) -> None:
    heard = Heard()
    there = await on_ray.run(task_in(tmp_path, seed=7, step_s=0.1), tmp_path / "ray", heard)
    here = await LocalBackend().run(task_in(tmp_path, seed=7), tmp_path / "here", Heard())

    def files(name: str) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in model_folder(tmp_path / name).iterdir()}

    assert files("ray") == files("here")
    assert there.evaluation == here.evaluation
    assert heard[-1][0] > 0.5


async def test_a_failure_on_ray_says_why(tmp_path: Path, on_ray: RayBackend) -> None:
    with pytest.raises(TrainingFailed, match="was told to refuse"):
        await on_ray.run(task_in(tmp_path, behaviour="bad_input"), tmp_path / "ray", Heard())


async def test_a_training_that_was_ended_on_ray_goes_on_from_its_checkpoint(
    tmp_path: Path, on_ray: RayBackend
) -> None:
    task = task_in(tmp_path, step_s=0.4)
    with pytest.raises(KeyError, match="enough"):
        await on_ray.run(task, tmp_path / "ray", Heard(until=30))

    outcome = await on_ray.run(task, tmp_path / "ray", Heard())

    assert outcome.notes != ("went on from step 0",)


async def test_two_workers_on_ray_leave_the_model_of_one_here(
    tmp_path: Path, on_ray: RayBackend
) -> None:
    heard = Heard()
    there = await on_ray.run(team_in(tmp_path, workers=2, step_s=0.02), tmp_path / "ray", heard)
    here = await LocalBackend().run(team_in(tmp_path, workers=1), tmp_path / "here", Heard())

    np.testing.assert_allclose(line_of(there), line_of(here), atol=1e-5)
    assert there.metrics["computedWith"] == {"workers": 2, "device": "cpu", "card": None}
    said = [words for _, words in heard]
    assert "waiting for 2 workers of the cluster" in said
    assert any(words.endswith("of 70, 2 workers on the CPU") for words in said)
    assert list((tmp_path / "ray" / "model").iterdir())


async def test_a_worker_that_dies_on_ray_is_told_and_one_here_goes_on(
    tmp_path: Path, on_ray: RayBackend
) -> None:
    task = team_in(tmp_path, workers=2, behaviour="dies", of=1, at=30)
    with pytest.raises(TrainingLost, match="Worker 2 of 2 of the training on the cluster"):
        await on_ray.run(task, tmp_path / "ray", Heard())

    outcome = await LocalBackend().run(team_in(tmp_path, workers=1), tmp_path / "ray", Heard())

    assert outcome.metrics["computedWith"]["workers"] == 1


async def test_numbers_that_are_not_finite_end_the_workers_on_ray(
    tmp_path: Path, on_ray: RayBackend
) -> None:
    with pytest.raises(TrainingFailed, match="Gradients were not finite at step"):
        await on_ray.run(team_in(tmp_path, workers=2, hole=True), tmp_path / "ray", Heard())


async def test_a_worker_without_memory_on_ray_ends_all(tmp_path: Path, on_ray: RayBackend) -> None:
    task = team_in(tmp_path, workers=2, behaviour="full", room=0)
    with pytest.raises(TrainingFailed, match="too little memory"):
        await on_ray.run(task, tmp_path / "ray", Heard())


async def test_a_cluster_without_cards_says_so(tmp_path: Path, on_ray: RayBackend) -> None:
    task = team_in(tmp_path, workers=2)
    task = msgspec.structs.replace(task, options={**task.options, "device": "cuda"})
    with pytest.raises(TrainingFailed, match=r"the cluster has 0\. 'auto' falls back"):
        await on_ray.run(task, tmp_path / "ray", Heard())
