"""What a card can do at most, and which share of it was reached."""

import importlib.util
import os
import platform
from typing import Any

from tests.benchmarks.results import Figures, significant

LIMITS: dict[str, tuple[float, float, float]] = {
    # Vendors' figures: float32 without tensor cores and bfloat16 with them, dense (TFLOP/s);
    # memory bandwidth (GB/s). The first name that is part of the card's holds.
    "H200": (67.0, 989.0, 4800.0),
    "H100 PCIe": (51.0, 756.0, 2000.0),
    "H100 NVL": (60.0, 835.0, 3900.0),
    "H100": (67.0, 989.0, 3350.0),
    "A100": (19.5, 312.0, 2039.0),
    "L40S": (91.6, 362.0, 864.0),
    "L4": (30.3, 121.0, 300.0),
    "T4": (8.1, 65.0, 320.0),
}


def device() -> Figures:
    """Return what is computed on: the card and its versions, or the processor."""
    if importlib.util.find_spec("torch") is None:
        return {"device": "cpu", "machine": platform.machine(), "cores": os.cpu_count()}
    import torch  # noqa: PLC0415 - an extra

    found: Figures = {
        "device": "cpu",
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        "torch": torch.__version__,
    }
    if torch.cuda.is_available():
        properties = torch.cuda.get_device_properties(0)
        found |= {
            "device": "cuda",
            "card": properties.name,
            "cards": torch.cuda.device_count(),
            "memory_gib": significant(properties.total_memory / 2**30, 3),
            "capability": f"{properties.major}.{properties.minor}",
            "cuda": torch.version.cuda,
        }
    return found


def shares(card: str | None, *, tflops: float, gb_per_s: float, precision: str) -> Figures:
    """Return which shares of a card's arithmetic and bandwidth were reached; of none, nothing."""
    for name, (single, half, bandwidth) in LIMITS.items():
        if card is not None and name in card:
            peak = half if precision == "bfloat16" else single
            return {
                "percent_of_peak_flops": significant(100.0 * tflops / peak, 3),
                "percent_of_peak_bandwidth": significant(100.0 * gb_per_s / bandwidth, 3),
                "peak": {"precision": precision, "tflops": peak, "gb_per_s": bandwidth},
            }
    return {}


def card_name(where: str) -> str | None:
    """Return what the card calls itself; None for the processor."""
    if where == "cpu":
        return None
    torch: Any = importlib.import_module("torch")
    name: str = torch.cuda.get_device_name(where)
    return name
