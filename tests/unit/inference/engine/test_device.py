from pathlib import Path

import pytest

from inference.bundle import Member
from inference.engine import device
from inference.engine.device import pick_device
from tests.fakes.models import linear_bundle

NUMPY = linear_bundle([1.0])
ONNX = linear_bundle([1.0], members=(Member(name="m", runtime="onnx"),))
TORCH = linear_bundle([1.0], members=(Member(name="m", runtime="pytorch"),))


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine with a card, as far as its driver says."""
    driver = tmp_path / "nvidiactl"
    driver.write_text("")
    monkeypatch.setattr(device, "_DRIVER", driver)
    return driver


def test_without_a_card_everything_runs_on_the_cpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "_DRIVER", Path("/nowhere/nvidiactl"))
    assert {pick_device(wanted, ONNX) for wanted in ("auto", "cuda", "cuda:1", "cpu")} == {"cpu"}


@pytest.mark.usefixtures("card")
def test_a_card_is_used_by_models_that_can() -> None:
    assert pick_device("auto", ONNX) == "cuda"
    assert pick_device("cuda:1", ONNX) == "cuda:1"
    assert pick_device("cpu", ONNX) == "cpu"
    assert pick_device("auto", NUMPY) == "cpu"


@pytest.mark.usefixtures("card")
def test_a_card_that_pytorch_does_not_see_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "_torch_has_cuda", lambda: False)
    assert pick_device("auto", TORCH) == "cpu"
    monkeypatch.setattr(device, "_torch_has_cuda", lambda: True)
    assert pick_device("auto", TORCH) == "cuda"
