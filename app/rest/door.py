"""The REST door as one Litestar plugin: `Litestar(plugins=[RestDoor(services)], ...)`.

It brings the routes, their dependencies, the error shape, the security headers and the OpenAPI
document. Nothing here lives outside the application it is plugged into.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from litestar import Request, Router
from litestar.config.app import AppConfig
from litestar.di import Provide
from litestar.plugins import InitPlugin, ReceiveRoutePlugin
from litestar.routes import BaseRoute, HTTPRoute

from app.domain.principal import Principal
from app.rest.agents import AgentsController
from app.rest.alerts import AlertsController
from app.rest.auth import Auth, CookiePolicy
from app.rest.charts import ChartsController
from app.rest.conversations import ConversationsController
from app.rest.costs import CostsController
from app.rest.datasets import DatasetsController
from app.rest.experiments import ExperimentsController
from app.rest.features import FeaturesController
from app.rest.fundamentals import FundamentalsController
from app.rest.headers import add_security_headers, leave_out_body
from app.rest.health import Check, HealthChecks, HealthController
from app.rest.jobs import JobsController
from app.rest.market import (
    BarsController,
    IndicatorsController,
    InstrumentsController,
)
from app.rest.market_records import ActionsController, BarRecordsController
from app.rest.me import LLMName, MeController
from app.rest.messages import MessagesController
from app.rest.model_alarms import ModelAlarmsController
from app.rest.model_reports import ModelReportsController
from app.rest.models import ModelsController
from app.rest.news import NewsController
from app.rest.openapi import openapi
from app.rest.predictions import PredictionsController
from app.rest.problems import EXCEPTION_HANDLERS
from app.rest.requests import StrictRequest, refuse_unknown_parameters
from app.rest.runs import RunsController
from app.rest.search import SearchController
from app.rest.sign_in import Authenticator, Origins, SignIn, principal_of
from app.rest.signals import SignalsController
from app.rest.tools import ToolsController
from app.rest.training import TrainingController
from app.rest.web_client import WebClient, WebClientController
from app.security.origins import AllowedOrigins
from app.services.accounts import ApiKeys
from app.services.agents import Agents
from app.services.alerts.alerts import Alerts
from app.services.conversations.conversations import Conversations
from app.services.conversations.costs_report import CostsReport
from app.services.conversations.run_reads import RunReads
from app.services.datasets.dataset_catalog import DatasetCatalog
from app.services.datasets.dataset_collecting import DatasetCollecting
from app.services.datasets.feature_materializing import FeatureMaterializing
from app.services.datasets.feature_store import FeatureStore
from app.services.experiments.experiments import Experiments
from app.services.jobs import Jobs
from app.services.market.charts import Charts
from app.services.market.fundamentals import FundamentalsService
from app.services.market.market import MarketData
from app.services.market.market_records import MarketRecords
from app.services.models.engine_view import EngineViews
from app.services.models.model_alarms import ModelAlarms
from app.services.models.model_files import ModelFiles
from app.services.models.model_health import ModelHealth
from app.services.models.model_imports import ModelImports
from app.services.models.models import Models
from app.services.news.news import News
from app.services.predictions.prediction_batches import PredictionBatches
from app.services.predictions.predictions import Predictions
from app.services.signals.signals import SignalBook
from app.services.tool_calls import ToolCalls
from app.services.training.training import Training

API = "/api/v1"
MAX_BODY = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class RestServices:
    """What the door opens onto."""

    authenticator: Authenticator
    api_keys: ApiKeys
    agents: Agents
    conversations: Conversations
    runs: RunReads
    costs: CostsReport
    market: MarketData
    alerts: Alerts
    signals: SignalBook
    news: News
    fundamentals: FundamentalsService
    tools: ToolCalls
    charts: Charts
    records: MarketRecords
    jobs: Jobs
    predictions: Predictions
    experiments: Experiments
    model_health: ModelHealth
    engine_views: EngineViews
    model_alarms: ModelAlarms
    datasets: DatasetCatalog
    collecting: DatasetCollecting
    features: FeatureStore
    materializing: FeatureMaterializing
    batches: PredictionBatches
    training: Training
    models: Models
    model_files: ModelFiles
    model_imports: ModelImports
    llm: Callable[[], LLMName]
    """What agents think with today."""
    checks: Mapping[str, Check] = field(default_factory=dict)
    origins: Origins | None = None
    """Whose pages may act with the cookie."""
    allowed_origins: Sequence[str] = ()
    """Listed origins; only read when `origins` is None."""
    secure_cookie: bool = False
    """The public address is https."""
    web_folder: Path | None = None
    """The built web client; None serves none."""


class RestDoor(InitPlugin, ReceiveRoutePlugin):
    """Everything HTTP except the other doors."""

    def __init__(self, services: RestServices, *, version: str = "0") -> None:
        self._services = services
        self._version = version

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Add the door to an application that is being made."""
        app_config.route_handlers.extend(build_routes(self._services))
        for kind, handler in EXCEPTION_HANDLERS.items():
            app_config.exception_handlers.setdefault(kind, handler)
        app_config.before_send += [add_security_headers, leave_out_body]
        app_config.openapi_config = openapi(self._version)
        return app_config

    def receive_route(self, route: BaseRoute) -> None:
        """Let monitors and proxies ask with HEAD for whatever can be had with GET."""
        if isinstance(route, HTTPRoute) and "GET" in route.route_handler_map:
            route.route_handler_map.setdefault("HEAD", route.route_handler_map["GET"])


def build_routes(services: RestServices) -> list[Router]:
    """Return the API, the health checks and the web client."""
    origins = services.origins or AllowedOrigins(listed=services.allowed_origins)
    api = Router(
        API,
        route_handlers=[
            Auth,
            MeController,
            AgentsController,
            ConversationsController,
            MessagesController,
            SearchController,
            RunsController,
            CostsController,
            InstrumentsController,
            BarsController,
            ActionsController,
            BarRecordsController,
            IndicatorsController,
            SignalsController,
            AlertsController,
            NewsController,
            FundamentalsController,
            ToolsController,
            ChartsController,
            ModelsController,
            JobsController,
            PredictionsController,
            TrainingController,
            ExperimentsController,
            ModelReportsController,
            ModelAlarmsController,
            DatasetsController,
            FeaturesController,
        ],
        middleware=[SignIn(services.authenticator, origins)],
        dependencies={
            "principal": Provide(_principal, sync_to_thread=False),
            "authenticator": _given(services.authenticator),
            "cookies_policy": _given(CookiePolicy(always_secure=services.secure_cookie)),
            "llm": _given(services.llm),
            "api_keys": _given(services.api_keys),
            "agents": _given(services.agents),
            "conversations": _given(services.conversations),
            "runs": _given(services.runs),
            "costs": _given(services.costs),
            "market": _given(services.market),
            "alerts": _given(services.alerts),
            "signals": _given(services.signals),
            "news": _given(services.news),
            "fundamentals": _given(services.fundamentals),
            "tools": _given(services.tools),
            "charts": _given(services.charts),
            "records": _given(services.records),
            "jobs": _given(services.jobs),
            "predictions": _given(services.predictions),
            "experiments": _given(services.experiments),
            "model_health": _given(services.model_health),
            "engine_views": _given(services.engine_views),
            "model_alarms": _given(services.model_alarms),
            "datasets": _given(services.datasets),
            "collecting": _given(services.collecting),
            "features": _given(services.features),
            "materializing": _given(services.materializing),
            "batches": _given(services.batches),
            "training": _given(services.training),
            "models": _given(services.models),
            "model_files": _given(services.model_files),
            "model_imports": _given(services.model_imports),
        },
        request_class=StrictRequest,
        before_request=refuse_unknown_parameters,
        request_max_body_size=MAX_BODY,
        security=[{"session": []}, {"apiKey": []}],
    )
    health = Router(
        "/",
        route_handlers=[HealthController],
        dependencies={"health_checks": _given(HealthChecks(services.checks))},
        request_class=StrictRequest,
        before_request=refuse_unknown_parameters,
    )
    routers = [api, health]
    if services.web_folder is not None:
        routers.append(
            Router(
                "/",
                route_handlers=[WebClientController],
                dependencies={"web_client": _given(WebClient(services.web_folder))},
            )
        )
    return routers


def _principal(request: Request[Any, Any, Any]) -> Principal:
    return principal_of(request)


def _given(value: object) -> Provide:
    """Provide a value that already exists."""
    return Provide(lambda: value, sync_to_thread=False)
