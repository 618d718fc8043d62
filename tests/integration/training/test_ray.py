"""The same training on a real Ray as on this machine, to the last bit.

Skipped unless `OUTCRY_RAY_PYTHON` names a Python made by `ray_env.sh` beside this file.
"""

import os
import subprocess
from pathlib import Path

import pytest

from inference.training.backends.backend import TrainingFailed, model_folder
from inference.training.backends.local import LocalBackend
from inference.training.backends.ray import RayBackend
from tests.unit.inference.training.backends.test_local import Heard, task_in

PYTHON = os.environ.get("OUTCRY_RAY_PYTHON", "")
ROOT = Path(__file__).parents[3]


def _missing() -> str:
    if not PYTHON:
        return "OUTCRY_RAY_PYTHON is not set"
    check = "import importlib.util as u; assert u.find_spec('ray') and u.find_spec('msgspec')"
    found = subprocess.run([PYTHON, "-c", check], capture_output=True, check=False)
    return "" if found.returncode == 0 else f"{PYTHON} lacks Ray or msgspec"


MISSING = _missing()
pytestmark = [
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
