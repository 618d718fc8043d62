"""Where a model runs: on the card if there is one and the model can use it, else here."""

import importlib
import importlib.util
from pathlib import Path

from inference.bundle import Bundle

_ON_CARDS = frozenset({"pytorch", "huggingface", "onnx", "xgboost"})
_DRIVER = Path("/dev/nvidiactl")


def pick_device(wanted: str, bundle: Bundle) -> str:
    """Return "cpu", "cuda" or "cuda:N" for a model; `wanted` may also be "auto".

    A card that was asked for and is not there is no failure: the model runs on the CPU. PyTorch is
    only imported for models that need it anyway.
    """
    if wanted == "cpu" or not any(member.runtime in _ON_CARDS for member in bundle.members):
        return "cpu"
    if not _DRIVER.exists():
        return "cpu"
    on_torch = any(member.runtime in {"pytorch", "huggingface"} for member in bundle.members)
    if on_torch and not _torch_has_cuda():
        return "cpu"
    return "cuda" if wanted == "auto" else wanted


def _torch_has_cuda() -> bool:
    if importlib.util.find_spec("torch") is None:
        return False  # the runtime says what is missing
    return bool(importlib.import_module("torch").cuda.is_available())
