"""The run for cards does all its checks on the processor too, and writes what it found."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.environments.gpu import NO_CARD
from tests.environments.gpu_checks import CHECKS

torch = pytest.importorskip("torch")


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a card: run it itself")
def test_without_a_card_it_checks_and_measures_the_processor(tmp_path: Path) -> None:
    out = tmp_path / "gpu.json"
    command = [sys.executable, "-m", "tests.environments.gpu", "--out", str(out), "--skip-tests"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == NO_CARD, done.stdout + done.stderr
    found = json.loads(out.read_text())
    assert found["device"] == "cpu"
    assert found["commit"]
    assert list(found["checks"]) == list(CHECKS)
    assert not [one for one in found["checks"].values() if "failed" in one]
    assert found["figures"]["training 32x32 with 1"]["cases_per_s"] > 0
    assert found["figures"]["forecast 256x256 float32"]["series_per_s"] > 0
