"""A model of calm on small files: as it runs here, and as it runs on another server."""

from typing import Any

from inference.bundle import Head, InputColumn, Member

INPUTS = (InputColumn(name="variance_5"),)
CALM: dict[str, Any] = {
    "name": "calm",
    "task": "variance",
    "inputs": INPUTS,
    "feature_view": "market.volatility@1",
    "horizon_bars": 5,
    "event": "the mean variance of the next 5 daily bars",
    "head": Head(
        kind="log_variance",
        interval_level=0.8,
        residual_quantiles=((0.1, -0.7), (0.5, 0.0), (0.9, 0.7)),
    ),
}
AWAY = (Member(name="away", runtime="remote", columns=("variance_5",)),)
