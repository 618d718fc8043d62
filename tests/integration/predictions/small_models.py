"""A market of four, a view of one column, and models small enough to check by hand."""

import math
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import numpy as np
from safetensors.numpy import save_file

from app.domain.errors import NotFound
from app.domain.ids import new_id
from app.domain.models import ModelFilter
from app.services.conversations.pricing import PriceBook
from app.services.paging import Page
from app.services.predictions.answering import Answering
from app.services.predictions.features import FeatureReader
from app.services.predictions.panels import series_of
from app.services.predictions.prediction_costs import PredictionCosts
from app.services.predictions.predictions import Predictions
from app.services.predictions.settlement import Settlement
from app.storage.bars import PostgresBars
from app.storage.engine import Database
from app.storage.instruments import PostgresInstruments
from app.storage.predictions import PostgresPredictions
from inference.bundle import BUNDLE_FILE, Bundle, Head, InputColumn, Member
from inference.cards import (
    BaselineScore,
    Evaluation,
    ModelCard,
    ModelParameters,
    ModelPerformance,
)
from inference.datasets.market_targets import variances
from inference.datasets.views import FeatureView, Table
from inference.engine.in_process import InProcessEngine
from inference.panel import Panel
from inference.runtimes.catalog import runtime_for
from inference.runtimes.connections import Connection, connections_among
from tools.market.bars import Bars
from tools.market.instruments import Instrument

FIRST = datetime(2025, 6, 2, tzinfo=UTC)
"""A Monday."""
BARS = 300
SYMBOLS = ("AAA", "BBB", "CCC", "DDD")
COLUMNS = (InputColumn(name="log_variance_5"),)


def prices(symbol: str, count: int = BARS, *, scale: float = 1.0) -> Bars:
    """Return weekday bars of an instrument: the same for the same name, however many are asked."""
    rng = np.random.default_rng(sum(map(ord, symbol)))
    moves = scale * 0.01 * rng.normal(size=(4_000, 3))
    days: list[datetime] = []
    at = FIRST
    while len(days) < count:
        if at.weekday() < 5:
            days.append(at)
        at += timedelta(days=1)
    close = 100 * np.exp(np.cumsum(moves[:count, 0]))
    open_ = np.concatenate([[100.0], close[:-1]]) * np.exp(0.2 * moves[:count, 1])
    half = np.exp(np.abs(moves[:count, 2]))
    return Bars(
        symbol=symbol,
        timeframe="1d",
        source="made for a test",
        timestamps=np.array([np.datetime64(int(day.timestamp()), "s") for day in days]),
        open=open_,
        high=np.maximum(open_, close) * half,
        low=np.minimum(open_, close) / half,
        close=close,
        volume=np.full(count, 1_000.0),
    )


def last_week(panel: Panel) -> Mapping[str, Table]:
    """Compute the view: the logarithm of the mean variance of the last five bars."""
    tables = {}
    for series in panel.series:
        every = variances(series)
        means = np.full(len(series), np.nan)
        for bar in range(5, len(series)):
            means[bar] = every[bar - 4 : bar + 1].mean()
        tables[series.symbol] = Table(series.times, {"log_variance_5": np.log(means)})
    return tables


VIEW = FeatureView("test.market", 1, COLUMNS, 25, last_week, "the variance of the last week")

VARIANCE = Bundle(
    name="variance-small",
    recipe="by-hand",
    task="variance",
    model_type="regression",
    framework="numpy",
    inputs=COLUMNS,
    members=(
        Member(
            name="linear",
            runtime="numpy",
            file="linear.safetensors",
            architecture="linear",
            options={"inputs": 1},
        ),
    ),
    head=Head(
        kind="log_variance",
        interval_level=0.8,
        residual_quantiles=((0.1, -0.7), (0.5, 0.0), (0.9, 0.7)),
    ),
    feature_view=VIEW.key,
    horizon_bars=5,
    timeframe="1d",
    event="the mean variance of the next 5 daily bars",
    unit="squared log return a bar",
)
DIRECTION = msgspec.structs.replace(
    VARIANCE,
    name="direction-small",
    task="direction",
    model_type="classification",
    head=Head(kind="classes", classes=("down", "up"), logits=True),
    event="the price is higher 5 daily bars on, dividends included",
    unit="",
)

EVALUATION = Evaluation(
    metric="QLIKE",
    loss=0.40,
    n=10_140,
    n_refits=14,
    first=FIRST,
    last=FIRST,
    purge_bars=5,
    baselines=(
        BaselineScore(name="log-HAR", loss=0.5, skill=0.2, skill_low=0.15, skill_high=0.25),
    ),
    coverage={"0.80": 0.79},
    calibration_error=0.02,
    reliability=((0.5, 0.52, 4_000),),
)


class SmallModels:
    """The registry of these tests."""

    def __init__(self, database: Database, root: Path) -> None:
        self._database = database
        self._root = root
        self.cards: dict[str, ModelCard] = {}
        self.folders: dict[str, Path] = {}
        self.bundles: dict[UUID, Bundle] = {}

    async def add(
        self,
        bundle: Bundle,
        *,
        weight: float = 1.0,
        version: str = "1",
        evaluation: Evaluation | None = EVALUATION,
        **changed: Any,
    ) -> ModelCard:
        """Write a model's files and its row, deployed as champion."""
        digest = f"{bundle.name}-{version}"
        folder = self._root / digest
        folder.mkdir(parents=True)
        weights = {"weight": np.array([[weight]]), "bias": np.zeros(1)}
        save_file(weights, folder / "linear.safetensors")
        (folder / BUNDLE_FILE).write_bytes(msgspec.json.encode(bundle))
        metrics = {} if evaluation is None else {"evaluation": msgspec.to_builtins(evaluation)}
        card = ModelCard(
            id=new_id(),
            name=bundle.name,
            version=version,
            type=bundle.model_type,  # type: ignore[arg-type]
            framework="numpy",
            architecture="linear",
            parameters=ModelParameters(),
            performance=ModelPerformance(),
            status="deployed",
            training_dataset_id=None,
            validation_metrics=metrics,
            created_by=None,
            trained_at=FIRST,
            created_at=FIRST,
            updated_at=FIRST,
            artifact=digest,
            task=bundle.task,
        )
        card = msgspec.structs.replace(card, **changed)
        await self._database.execute(
            "INSERT INTO models (id, name, version, type, framework, architecture, status, task,"
            " artifact) VALUES ($1, $2, $3, $4, 'numpy', 'linear', $5, $6, $7)",
            card.id,
            card.name,
            card.version,
            card.type,
            card.status,
            card.task,
            card.artifact,
        )
        self.cards[card.name] = self.cards[f"{card.name}@{version}"] = card
        self.cards[f"{card.name}@champion"] = self.cards[str(card.id)] = card
        self.folders[digest] = folder
        self.bundles[card.id] = bundle
        return card

    async def find(self, ref: str) -> ModelCard:
        if ref not in self.cards:
            raise NotFound(f"There is no model {ref!r}.")
        return self.cards[ref]

    async def champion(
        self, task: str, *, timeframe: str | None = None, horizon: int | None = None
    ) -> ModelCard | None:
        for card in self.cards.values():
            bundle = self.bundles[card.id]
            serves = card.status == "deployed"
            if serves and card.task == task and horizon in (None, bundle.horizon_bars):
                return card
        return None

    async def withdrawn_champion(
        self, task: str, *, timeframe: str | None = None, horizon: int | None = None
    ) -> ModelCard | None:
        return None

    async def page(self, asked: ModelFilter, *, cursor: str | None, limit: int) -> Page[ModelCard]:
        every = {card.id: card for card in self.cards.values()}.values()
        return Page([one for one in every if (one.task, one.status) == (asked.task, asked.status)])

    async def bundle(self, card: ModelCard) -> Bundle:
        return self.bundles[card.id]

    def open(self, digest: str) -> Path:
        return self.folders[digest]


class PredictionDesk:
    """Bars in Postgres, the engine in this process, and a clock that is moved by hand."""

    def __init__(self, database: Database, root: Path) -> None:
        self.database = database
        self.now = datetime(2026, 7, 1, 12, tzinfo=UTC)
        clock: Callable[[], datetime] = lambda: self.now  # noqa: E731
        self.clock = clock
        self.instruments = PostgresInstruments(database)
        self.bars = PostgresBars(database, clock=clock)
        self.store = PostgresPredictions(database)
        self.models = SmallModels(database, root)
        self.connections: dict[str, Connection] = {}
        finds = partial(runtime_for, connections=connections_among(self.connections))
        self.engine = InProcessEngine(self.models.open, runtime_for=finds)
        self.features = FeatureReader(self.instruments, self.bars, {VIEW.key: VIEW}, clock=clock)
        self.answering = Answering(
            self.store,
            self.models.bundle,
            self.engine,
            self.features,
            clock=clock,
            costs=PredictionCosts(PriceBook(), clock=clock),
        )
        self.predictions = Predictions(self.store, self.models, self.answering, clock=clock)
        self.settlement = Settlement(self.store, self.instruments, self.bars, clock=clock)

    async def load(self, count: int = BARS) -> None:
        """Store the first `count` bars of every instrument; the clock stands after the last."""
        for symbol in SYMBOLS:
            await self.instruments.put(Instrument(symbol=symbol, name=symbol, source="a test"))
            await self.bars.replace(prices(symbol, count))
        self.now = self.close_of(count - 1) + timedelta(hours=1)

    async def append(self, count: int) -> None:
        """Store up to `count` bars of every instrument, a month later by the clock."""
        for symbol in SYMBOLS:
            await self.bars.add(prices(symbol, count))
        self.now = self.close_of(count - 1) + timedelta(days=30)

    def close_of(self, bar: int) -> datetime:
        """Return when a bar closes: no calendar is known, so with its UTC day."""
        opened = prices("AAA", bar + 1).time(-1)
        return opened + timedelta(days=1)


def expected_variance(symbol: str, through: int) -> float:
    """Return what the small variance model with weight 1 says after so many bars."""
    return float(np.mean(variances(series_of(prices(symbol, through)))[-5:]))


def expected_interval(value: float) -> tuple[float, float]:
    """Return its interval."""
    return value * math.exp(-0.7), value * math.exp(0.7)
