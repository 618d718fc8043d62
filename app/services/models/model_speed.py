"""How fast a version answers on this machine, through the engine that serves it.

Measured once, when a version has been validated: warm, one row at a time, then more rows at once
until that stops paying. It says what a caller waits for, the way to the worker included.
"""

import asyncio
import os
import platform
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from statistics import median
from time import perf_counter

import msgspec
import numpy as np
import structlog

from app.services.datasets.datasets import Datasets, Recorded
from app.services.predictions.prediction_ports import BundleReader, PredictionEngine
from inference.bundle import Bundle
from inference.cards import ModelCard
from inference.datasets.texts import read_texts
from inference.datasets.views import FeatureView
from inference.engine.pipeline import is_distant
from inference.errors import InferenceError
from inference.panel import Panel
from inference.requests import Rows

log = structlog.get_logger(__name__)

WARM_CALLS = 5
CALLS = 200
"""Of one row; fewer where they take longer than `_ENOUGH_S` together."""
SIZES = (8, 32, 128, 512, 1024)
ROUNDS = 5
_ENOUGH_S = 1.0
_DEADLINE_S = 20.0
_SAMPLE = 64
_WARM_UP_BARS = 300


class Speed(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """What was measured, where and when."""

    latency_ms: float
    """Median of calls with one row."""
    latency_p95_ms: float
    throughput: float
    """Rows a second, with `batchRows` rows a call and one call at a time."""
    batch_rows: int
    calls: int
    machine: str
    measured_at: datetime


class NotMeasured(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Why nothing was measured."""

    reason: str
    measured_at: datetime


class SpeedProbe:
    """Measures versions."""

    def __init__(
        self,
        engine: PredictionEngine,
        bundles: BundleReader,
        datasets: Datasets,
        views: Mapping[str, FeatureView],
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._engine = engine
        self._bundles = bundles
        self._datasets = datasets
        self._views = views
        self._clock = clock

    async def measure(self, card: ModelCard, recorded: Recorded) -> Speed | NotMeasured:
        """Return how fast a version answers rows of the data that it learned from."""
        try:
            bundle = await self._bundles(card)
            if is_distant(bundle) or card.artifact is None:
                return self._not("It waits for another computer, which costs.")
            panel = None if recorded.bars is None else await self._datasets.read(recorded)
            rows = await asyncio.to_thread(self._rows, bundle, recorded, panel)
            return await self._measure(card.artifact, rows, most=bundle.max_batch)
        except InferenceError as error:
            log.warning("model.not_measured", model=card.name, reason=str(error))
            return self._not(f"It did not answer: {error}.")

    async def _measure(self, artifact: str, rows: Rows, *, most: int) -> Speed:
        one = _of(rows, 1)
        for _ in range(WARM_CALLS):
            await self._seconds(artifact, one)
        single: list[float] = []
        while len(single) < CALLS and (len(single) < ROUNDS or sum(single) < _ENOUGH_S):
            single.append(await self._seconds(artifact, one))
        best, size = 1.0 / median(single), 1
        for more in (size for size in SIZES if size <= most):
            many = _of(rows, more)
            found = [await self._seconds(artifact, many) for _ in range(ROUNDS)]
            rate = more / median(found)
            if rate > best:
                best, size = rate, more
            if sum(found) > _ENOUGH_S:
                break
        return Speed(
            latency_ms=1000.0 * median(single),
            latency_p95_ms=1000.0 * float(np.quantile(single, 0.95)),
            throughput=best,
            batch_rows=size,
            calls=len(single),
            machine=machine(),
            measured_at=self._clock(),
        )

    async def _seconds(self, artifact: str, rows: Rows) -> float:
        begun = perf_counter()
        # People who wait go first: a measurement is nobody's question.
        await self._engine.predict(artifact, rows, deadline_s=_DEADLINE_S, priority="batch")
        return perf_counter() - begun

    def _rows(self, bundle: Bundle, recorded: Recorded, panel: Panel | None) -> Rows:
        """Return rows like those it is asked about: of its data, or of nothing in particular."""
        if recorded.texts is not None:
            return _text_rows(bundle, recorded)
        view = self._views.get(bundle.feature_view or "")
        if panel is None or view is None:
            return _blank_rows(bundle)
        longest = max(panel.series, key=len)
        kept = min(len(longest), view.history_bars + _WARM_UP_BARS)
        start = Panel(
            panel.timeframe, (longest.part(len(longest) - kept, len(longest)),), panel.bars_a_year
        )
        columns = view.compute(start)[longest.symbol].columns
        names = tuple(column.name for column in bundle.inputs if column.name in columns)
        numbers = np.stack([columns[name] for name in names], axis=1)
        whole = numbers[np.isfinite(numbers).all(axis=1)][-_SAMPLE:]
        return Rows(names, whole) if len(whole) else _blank_rows(bundle)

    def _not(self, reason: str) -> NotMeasured:
        return NotMeasured(reason=reason, measured_at=self._clock())


def machine() -> str:
    """Return what this machine is: processor, cores that may be used."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{named[0] if named else platform.machine()}, {cores} cores"


def _of(rows: Rows, count: int) -> Rows:
    """Return `count` rows, repeated as often as needed."""
    at = np.arange(count) % len(rows)
    texts = {name: tuple(column[place] for place in at) for name, column in rows.texts.items()}
    return Rows(rows.names, rows.numbers[at], texts)


def _blank_rows(bundle: Bundle) -> Rows:
    texts: dict[str, tuple[str, ...]] = {
        one.name: ("",) for one in bundle.inputs if one.kind in ("text", "categorical")
    }
    names = tuple(one.name for one in bundle.inputs if one.name not in texts)
    return Rows(names, np.zeros((1, len(names))), texts)


def _text_rows(bundle: Bundle, recorded: Recorded) -> Rows:
    if recorded.texts is None:
        raise ValueError("the dataset holds no texts")
    read = read_texts(recorded.path, recorded.texts)
    given = {one.name: tuple(read.texts[:_SAMPLE]) for one in bundle.inputs if one.kind == "text"}
    names = tuple(one.name for one in bundle.inputs if one.name in read.numbers)
    count = min(_SAMPLE, len(read.texts))
    numbers = np.array([read.numbers[name][:count] for name in names], dtype=np.float64)
    return Rows(names, numbers.reshape(len(names), count).T, given)
