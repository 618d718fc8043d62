"""Put the doors in front of the desk and serve them. Nothing runs at import time."""

import asyncio
import gc
import importlib.util
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack, contextmanager
from importlib.metadata import version
from pathlib import Path

import structlog
import uvicorn
from litestar import Litestar, asgi
from litestar.config.compression import CompressionConfig
from litestar.types import Receive, Scope, Send
from rich.console import Console

from agents.llms.catalog import Selection
from app.doors.direct_infer import DirectInfer
from app.doors.open_inference import MAX_BODY, open_inference
from app.gateway.direct_wire import DirectWire
from app.gateway.hub import Hub
from app.gateway.market_hub import MarketHub, Notices
from app.gateway.session import Services as GatewayServices
from app.gateway.socket import Gateway
from app.rest.door import RestDoor, RestServices
from app.rest.headers import SECURITY_HEADERS
from app.rest.me import LLMName
from app.rest.sign_in import SignIn, anyone, may_read
from app.security.origins import AllowedOrigins
from app.services.accounts import ApiKeys
from app.settings import Settings, SettingsError
from app.wiring.database import OpenDatabase
from app.wiring.desk import Desk, open_desk
from app.wiring.live import Sockets

log = structlog.get_logger(__name__)

WEB_FOLDER = Path(__file__).resolve().parent / "web" / "dist"
_AS_IT_IS = (
    *(r"^/$", r"^/sign-in$", r"^/c/", r"^/models", r"^/assets/", r"^/[^/]*\."),  # packed already
    r"^/ws$",
    r"^/v2/",  # numbers for programs: packing them costs more than they do
)
"""Not compressed."""
_MAX_FRAME_BYTES = 256 * 1024
_PING_S = 20.0
_PONG_S = 8.0
"""A line that is dead without saying so is given up after both."""
_GRACE_S = 5
_QUIET_S = 3.0
"""What can wait begins so long after the start, when the first page has been served."""
_MODELS_AFTER_S = 10.0
"""The first models wait until the first signals have been read as well."""

_COLLECT_AFTER = 10_000
"""So many more objects than before may be there until the youngest are looked at."""


def create_app(desk: Desk, gateway: Gateway, origins: AllowedOrigins) -> Litestar:
    """Return the ASGI application over an open desk."""

    @asgi("/ws", copy_scope=True)
    async def websocket_door(scope: Scope, receive: Receive, send: Send) -> None:
        await gateway(scope, receive, send)  # type: ignore[arg-type]  # plain ASGI messages

    settings = desk.settings
    rest = RestServices(
        authenticator=desk.authenticator,
        api_keys=ApiKeys(desk.people),
        agents=desk.agents,
        conversations=desk.conversations,
        runs=desk.run_reads,
        costs=desk.costs,
        market=desk.market.data,
        alerts=desk.alerts.alerts,
        signals=desk.market.signals,
        news=desk.market.news.service,
        fundamentals=desk.market.fundamentals.service,
        tools=desk.market.tools,
        charts=desk.market.charts,
        records=desk.market.records,
        jobs=desk.jobs,
        predictions=desk.predictions.predictions,
        batches=desk.predictions.batches,
        training=desk.training.service,
        models=desk.engine.models,
        model_files=desk.registry.files,
        model_imports=desk.registry.imports,
        experiments=desk.experiments,
        model_health=desk.model_watch.health,
        engine_views=desk.engine.views,
        model_alarms=desk.model_watch.alarms,
        datasets=desk.datasets.catalog,
        collecting=desk.datasets.collecting,
        features=desk.features.store,
        materializing=desk.features.materializing,
        llm=lambda: _llm_name(desk.llm()),
        checks={
            "database": desk.database.check,
            "journal": desk.check_journal,
            "engine": desk.engine.engine.check,
        },
        origins=origins,
        secure_cookie=(settings.public_url or "").startswith("https://"),
        web_folder=WEB_FOLDER,
    )
    programs = open_inference(
        desk.engine.calls,
        version=version("outcry"),
        middleware=[SignIn(desk.authenticator, origins)],
        may_ask=may_read,
        anyone=anyone,
    )
    return Litestar(
        [websocket_door, programs],
        plugins=[RestDoor(rest, version=version("outcry"))],
        compression_config=_compression(),
        logging_config=None,
    )


def _compression() -> CompressionConfig:
    """Return what compresses large answers; the web client's files come packed already."""
    return CompressionConfig(backend="gzip", minimum_size=4096, exclude=list(_AS_IT_IS))


def _llm_name(chosen: Selection) -> LLMName:
    return LLMName(chosen.provider, chosen.model, chosen.label, chosen.free)


def _llm_in_use(chosen: Selection) -> dict[str, str]:
    return {"provider": chosen.provider, "model": chosen.model}


async def serve(
    settings: Settings, opened: OpenDatabase, listener: socket.socket, console: Console
) -> None:
    """Open the desk, serve it until the process is told to stop, and close it again."""
    say: Callable[[str], None] = lambda text: console.print(f"  {text}", style="dim")  # noqa: E731
    origins = _origins(settings, port=listener.getsockname()[1])
    async with AsyncExitStack() as stack:
        hub, market, notices = Hub(), MarketHub(), Notices()
        sockets = Sockets(market, notices)
        desk = await stack.enter_async_context(
            open_desk(settings, hub, on_progress=say, sockets=sockets, opened=opened)
        )
        gateway = Gateway(
            GatewayServices(
                hub=hub,
                market=market,
                notices=notices,
                quotes=desk.market.live.live,
                runs=desk.runs,
                events=desk.events,
                owners=desk.owners,
                authenticator=desk.authenticator,
                llm=lambda: _llm_in_use(desk.llm()),
            ),
            origins,
        )
        await stack.enter_async_context(gateway)
        await stack.enter_async_context(desk.jobs)
        server = _Server(_config(create_app(desk, gateway, origins), desk))
        desk.spawn(lambda: _warm_up(desk), "warm-up")
        desk.spawn(lambda: _prices_then_models(desk, say), "demo prices and models")
        desk.spawn(lambda: desk.market.signals.keep_up(say, after_s=_QUIET_S), "signals")
        desk.spawn(lambda: _start_worker(desk), "engine")
        desk.spawn(desk.predictions.settlement.keep_up, "settlement")
        desk.spawn(desk.experiments.keep_up, "experiments")
        desk.spawn(desk.model_watch.watch.keep_up, "model watch")
        _read_topics(desk, say)
        stack.callback(settings.address_file.unlink, missing_ok=True)
        await _announce(desk, console, listener)
        _keep_what_is_there()
        await server.serve(sockets=[listener])


def _keep_what_is_there() -> None:
    """Look for garbage from now on, but never in what was imported and opened by now.

    There is none in it, and a look at all of it takes a fifth of a second in which nobody is
    answered.
    """
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)
    gc.enable()


async def _warm_up(desk: Desk) -> None:
    """Import what the first answer needs."""
    await desk.runner.warm_up()
    _keep_what_is_there()


async def _start_worker(desk: Desk) -> None:
    """Start the process that runs models when the first page has been served."""
    await asyncio.sleep(_QUIET_S)
    desk.engine.engine.warm_up()


async def _prices_then_models(desk: Desk, say: Callable[[str], None]) -> None:
    """Bring the demo prices up to date, and have models learn from them when all is quiet."""
    await desk.load_demo_prices(say)
    if desk.settings.default_models:
        await desk.training.defaults.keep_up(say, after_s=_MODELS_AFTER_S)


def _read_topics(desk: Desk, say: Callable[[str], None]) -> None:
    """Read the Kafka topics beside serving, if there are any."""
    config, market = desk.settings.kafka, desk.market
    if config is None or not desk.settings.ingest:
        return
    # Only who has a cluster pays for its client.
    from app.wiring.feeds import kafka_feed  # noqa: PLC0415

    feed = kafka_feed(
        config,
        desk.database,
        market.instruments,
        market.bars,
        market.intake,
        market.news.intake,
        bar_open=market.live.bar_open,
        say=say,
    )
    desk.spawn(feed.run, "kafka")


def _origins(settings: Settings, *, port: int) -> AllowedOrigins:
    """Return which pages may act here, the same for every door.

    Raises:
        SettingsError: what was listed is not an origin.
    """
    try:
        return AllowedOrigins(
            host=settings.host,
            port=port,
            public_url=settings.public_url,
            listed=settings.allowed_origins,
        )
    except ValueError as wrong:
        raise SettingsError(f"OUTCRY_PUBLIC_URL or OUTCRY_ALLOWED_ORIGINS: {wrong}") from None


class _Server(uvicorn.Server):
    """Stops at a signal without raising it again: the desk has to be closed after the doors."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Take SIGINT and SIGTERM while serving."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)


def _config(app: Litestar, desk: Desk) -> uvicorn.Config:
    config = uvicorn.Config(
        app,
        http=_http_wire(),
        ws=DirectWire,
        ws_max_size=_MAX_FRAME_BYTES,
        ws_ping_interval=_PING_S,
        ws_ping_timeout=_PONG_S,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_GRACE_S,
    )
    config.load()
    # In front of what uvicorn adds for the sake of proxies, which this route does not ask about.
    config.loaded_app = DirectInfer(
        config.loaded_app,
        desk.engine.calls,
        by_key=desk.authenticator.by_api_key,
        headers=SECURITY_HEADERS,
        max_body=MAX_BODY,
    )
    return config


def _http_wire() -> type[asyncio.Protocol]:
    """Return what reads requests: compiled where there is a wheel of it, else in Python."""
    if importlib.util.find_spec("httptools") is None:
        from uvicorn.protocols.http.h11_impl import H11Protocol  # noqa: PLC0415

        return H11Protocol
    from app.doors.http_wire import HttpWire  # noqa: PLC0415

    return HttpWire


async def _announce(desk: Desk, console: Console, listener: socket.socket) -> None:
    """Say what was chosen and how to come in."""
    settings = desk.settings
    host, port = listener.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    base = (settings.public_url or f"http://{shown}:{port}").rstrip("/")
    settings.address_file.write_text(base + "\n")
    token = await desk.people.new_sign_in_link(desk.owner.id)
    console.print(f"  rows    {desk.database_label}", style="dim")
    console.print(f"  LLM     {desk.llm().label}", style="dim")
    if not (WEB_FOLDER / "index.html").exists():
        console.print("  The web client is not built: run 'make web'.", style="yellow")
    console.print(f"\nServing on {base}\nSign in, once, with:", soft_wrap=True)
    console.print(f"  [bold]{base}/sign-in#{token}[/bold]\n", soft_wrap=True)
