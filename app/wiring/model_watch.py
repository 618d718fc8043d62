"""Who looks after models: reports, alarms, and the watch that makes both."""

import msgspec

from app.security.people import utc_now
from app.services.experiments.experiments import Experiments
from app.services.live.live_ports import Notifier
from app.services.models.model_alarms import ModelAlarms, ModelWatch
from app.services.models.model_health import ModelHealth
from app.storage.engine import Database
from app.storage.model_alarms import StoredModelAlarms
from app.storage.model_reports import StoredModelReports
from app.wiring.engine import EngineDesk
from inference.datasets.catalog import VIEWS
from tools.market.ports import BarStore


class ModelWatchDesk(msgspec.Struct, kw_only=True):
    """What is open of it."""

    health: ModelHealth
    alarms: ModelAlarms
    watch: ModelWatch
    """Whoever serves lets it keep up."""


def open_model_watch(
    database: Database,
    engine: EngineDesk,
    bars: BarStore,
    experiments: Experiments,
    notices: Notifier,
) -> ModelWatchDesk:
    """Join it."""
    store = StoredModelAlarms(database)
    alarms = ModelAlarms(store, notices, clock=utc_now)
    health = ModelHealth(
        StoredModelReports(database),
        engine.models,
        engine.bundles,
        bars,
        VIEWS,
        clock=utc_now,
        reported=alarms.reported,
    )
    watch = ModelWatch(alarms, store, health, experiments, clock=utc_now)
    engine.models.quarantine_listeners.append(lambda _: watch.wake())
    return ModelWatchDesk(health=health, alarms=alarms, watch=watch)
