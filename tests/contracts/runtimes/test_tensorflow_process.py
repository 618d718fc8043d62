"""What is special about TensorFlow: a process that may be lost, and programs posing as models."""

import os
import signal
from pathlib import Path

import msgspec
import numpy as np
import pytest

from inference.errors import BadModel, WorkerLost
from inference.runtimes.tensorflow_ import SavedModel, TensorFlowRuntime
from tests.contracts.runtimes.cases import market_rows, member
from tests.contracts.runtimes.framework_cases import tensorflow_python, train_tensorflow

pytestmark = pytest.mark.framework


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the SavedModels `net` and `sneaky`."""
    tensorflow_python()
    folder = tmp_path_factory.mktemp("artifact")
    train_tensorflow(folder)
    return folder


def load(folder: Path, name: str) -> SavedModel:
    runtime = TensorFlowRuntime(python=tensorflow_python())
    loaded = runtime.load(folder, member("tensorflow", name), device="cpu")
    assert isinstance(loaded, SavedModel)
    return loaded


def test_a_tensorflow_process_that_is_killed_fails_its_call_and_the_next_call_has_another(
    trained: Path,
) -> None:
    loaded = load(trained, "net")
    rows = market_rows(40)
    before = loaded.run(rows).columns
    first = loaded.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    # Depending on when the end is noticed, this call fails or already has a new process.
    try:
        after = loaded.run(rows).columns
    except WorkerLost:
        after = loaded.run(rows).columns
    assert before is not None
    assert after is not None
    assert np.array_equal(before, after)
    assert loaded.pid != first
    loaded.close()
    assert loaded.pid is None


def test_a_tensorflow_model_that_reads_files_is_refused_before_it_runs(trained: Path) -> None:
    with pytest.raises(BadModel, match="ReadFile"):
        load(trained, "sneaky")


def test_a_tensorflow_signature_that_is_not_there_is_named(trained: Path) -> None:
    what = member("tensorflow", "net", options={"signature": "other"})
    with pytest.raises(BadModel, match=r"no signature 'other'.*serving_default"):
        TensorFlowRuntime(python=tensorflow_python()).load(trained, what, device="cpu")


def test_a_tensorflow_output_that_is_not_there_is_named(trained: Path) -> None:
    what = member("tensorflow", "net", options={"output": "other"})
    with pytest.raises(BadModel, match="quantiles"):
        TensorFlowRuntime(python=tensorflow_python()).load(trained, what, device="cpu")


def test_tensorflow_sees_no_keys_of_ours(trained: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUTCRY_SECRET_KEY", "very secret")
    loaded = load(trained, "net")
    told = Path(f"/proc/{loaded.pid}/environ")
    if not told.exists():
        pytest.skip("this system does not tell a process's environment")
    assert b"very secret" not in told.read_bytes()
    loaded.close()


def test_tensorflow_that_takes_too_long_is_ended(trained: Path) -> None:
    loaded = load(trained, "net")
    assert loaded.pid is not None
    os.kill(loaded.pid, signal.SIGSTOP)
    loaded._options = msgspec.structs.replace(loaded._options, timeout_s=0.5)
    with pytest.raises(Exception, match=r"did not answer in 0\.5 s"):
        loaded.run(market_rows(3))
    loaded._options = msgspec.structs.replace(loaded._options, timeout_s=30.0)
    assert loaded.run(market_rows(3)).columns is not None
    loaded.close()
