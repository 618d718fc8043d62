"""Predictions, joined: models, engine, features and bars to what tools and doors ask."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import msgspec

from app.security.people import utc_now
from app.services.conversations.pricing import PriceBook
from app.services.jobs import Jobs
from app.services.models.models import Models
from app.services.predictions.answering import Answering
from app.services.predictions.features import FeatureReader
from app.services.predictions.forecasts import Forecasts
from app.services.predictions.prediction_batches import PredictionBatches
from app.services.predictions.prediction_costs import PredictionCosts
from app.services.predictions.prediction_ports import BundleReader, PredictionEngine, Router
from app.services.predictions.predictions import Predictions
from app.services.predictions.settlement import Settlement
from app.services.predictions.stand_ins import StandIns
from app.services.predictions.stored_inputs import StoredInputs
from app.storage.bars import PostgresBars
from app.storage.engine import Database
from app.storage.instruments import PostgresInstruments
from app.storage.predictions import PostgresPredictions
from inference.cards import ModelCard
from inference.datasets.catalog import VIEWS


class PredictionDesk(msgspec.Struct, kw_only=True):
    """What predictions are made, settled and shown with."""

    predictions: Predictions
    batches: PredictionBatches
    settlement: Settlement
    forecasts: Forecasts
    features: FeatureReader


@asynccontextmanager
async def open_predictions(
    database: Database,
    models: Models,
    bundles: BundleReader,
    engine: PredictionEngine,
    jobs: Jobs,
    router: Router,
    prices: PriceBook,
    stored: StoredInputs,
) -> AsyncIterator[PredictionDesk]:
    """Open what makes predictions; what was begun is waited for at the end."""
    instruments, bars = PostgresInstruments(database), PostgresBars(database)
    store = PostgresPredictions(database)
    features = FeatureReader(instruments, bars, VIEWS, clock=utc_now)

    async def on_damage(card: ModelCard, why: str) -> None:
        if card.artifact is not None:
            await models.quarantine(card.artifact, why)

    answering = Answering(
        store,
        bundles,
        engine,
        features,
        clock=utc_now,
        costs=PredictionCosts(prices, clock=utc_now),
        on_damage=on_damage,
        stored=stored,
    )
    stand_ins = StandIns(models, answering)
    predictions = Predictions(
        store, models, answering, clock=utc_now, router=router, stand_ins=stand_ins
    )
    async with AsyncExitStack() as stack:
        stack.push_async_callback(predictions.close)
        yield PredictionDesk(
            predictions=predictions,
            batches=PredictionBatches(
                store, models, answering, jobs, clock=utc_now, stand_ins=stand_ins
            ),
            settlement=Settlement(store, instruments, bars, clock=utc_now),
            forecasts=Forecasts(predictions, models, clock=utc_now),
            features=features,
        )
