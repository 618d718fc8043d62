"""The environment, read once into one frozen value. Only main, cli and wiring look at it.

What the environment says is always stronger than anything stored. Each variable `X` may also be
given as `X_FILE`, the path of a file that holds the value.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from app.services.feeds.kafka_config import VARIABLES as KAFKA_VARIABLES
from app.services.feeds.kafka_config import KafkaConfig


class SettingsError(Exception):
    """A variable has a value that cannot be used; the message names it and what is allowed."""


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Everything an operator can set. Secrets have no default."""

    host: str = "127.0.0.1"
    """`HOST`: address to listen on."""
    port: int = 8000
    """`PORT`: TCP port to listen on; 0 takes a free one."""
    data_dir: Path = Path(".outcry")
    """`DATA_DIR`: embedded database, demo data and generated keys live here. Absolute."""
    database_url: str | None = None
    """`DATABASE_URL`: a Postgres server to use instead of the embedded one."""
    allowed_origins: tuple[str, ...] = ()
    """`OUTCRY_ALLOWED_ORIGINS`: further origins browsers may connect from, comma-separated."""
    public_url: str | None = None
    """`OUTCRY_PUBLIC_URL`: the address people open, when it is not http://HOST:PORT."""
    openai_api_key: str | None = None
    """`OPENAI_API_KEY`: makes OpenAI (or whatever `OPENAI_BASE_URL` names) the provider."""
    openai_base_url: str | None = None
    """`OPENAI_BASE_URL` (or `OPENAI_API_BASE_URL`): any server that speaks OpenAI's format."""
    anthropic_api_key: str | None = None
    """`ANTHROPIC_API_KEY`: makes Anthropic the provider."""
    anthropic_base_url: str | None = None
    """`ANTHROPIC_BASE_URL`: another server that speaks Anthropic's format."""
    vllm_base_url: str | None = None
    """`VLLM_BASE_URL`: your own vLLM server; the first choice when set."""
    vllm_api_key: str | None = None
    """`VLLM_API_KEY`: what that server asks for; it reads the same variable."""
    llm_model: str | None = None
    """`OUTCRY_MODEL`: model name to ask for instead of the provider's default."""
    admin_email: str | None = None
    """`OUTCRY_ADMIN_EMAIL`: with a password, creates this admin at first start."""
    admin_password: str | None = None
    """`OUTCRY_ADMIN_PASSWORD`."""
    secret_key: str | None = None
    """`OUTCRY_SECRET_KEY`: seals stored secrets; generated into DATA_DIR when absent."""
    demo_fetch: bool = True
    """`OUTCRY_DEMO_FETCH`: 0 keeps the desk to the five stocks that ship with it."""
    outbound_allow: tuple[str, ...] = ()
    """`OUTCRY_OUTBOUND_ALLOW`: host:port pairs, comma-separated, that webhooks may reach although
    they are not public; host:* is every port of a host."""
    kafka: KafkaConfig | None = None
    """`KAFKA_BOOTSTRAP_SERVERS` and its siblings: the topics to read; None without them."""
    ingest: bool = True
    """`OUTCRY_INGEST`: 0 leaves the topics to processes of `outcry ingest`."""
    sentiment_model: Path | None = None
    """`OUTCRY_SENTIMENT_MODEL`: what scores news instead of rules: `nlp`, the desk's own deployed
    model of the task "sentiment", or the folder of a text classifier."""
    sentiment_abstain: float = 0.0
    """`OUTCRY_SENTIMENT_ABSTAIN`: below this confidence `nlp` gives a headline no label."""
    demo_news: bool = True
    """`OUTCRY_DEMO_NEWS`: 0 keeps out, and removes, the invented headlines of the demonstration."""
    engine_device: str = "auto"
    """`OUTCRY_ENGINE_DEVICE`: where models run: auto, cpu, cuda, or cuda:N for one card."""
    engine_memory_mib: int = 4096
    """`OUTCRY_ENGINE_MEMORY_MIB`: what the process that runs models may allocate; 0 is no limit."""
    engine_cache_mib: int = 1024
    """`OUTCRY_ENGINE_CACHE_MIB`: of loaded models, the least recently used make room."""
    engine_threads: int = 0
    """`OUTCRY_ENGINE_THREADS`: threads of one computation; 0 leaves it to each framework."""
    engine_queue_rows: int = 20_000
    """`OUTCRY_ENGINE_QUEUE_ROWS`: rows that may wait before calls are refused."""
    engine_queue_s: int = 30
    """`OUTCRY_ENGINE_QUEUE_S`: seconds of expected work that may wait before calls are refused."""
    default_models: bool = True
    """`OUTCRY_DEFAULT_MODELS`: 0 keeps the desk from training models by itself."""
    retrain_days: int = 0
    """`OUTCRY_RETRAIN_DAYS`: champions older than so many days are trained anew; 0: never."""
    train_memory_mib: int = 4096
    """`OUTCRY_TRAIN_MEMORY_MIB`: what a training's process may allocate; 0 is no limit."""
    ray_address: str | None = None
    """`RAY_ADDRESS`: a Ray cluster to train on: host:port, auto, or local for one of its own."""
    model_sources: tuple[str, ...] = ()
    """`OUTCRY_MODEL_SOURCES`: https addresses, comma-separated, below which models are fetched."""
    model_max_bytes: int = 2 * 1024**3
    """`OUTCRY_MODEL_MAX_BYTES`: how large a model may be, packed for the way and unpacked."""
    log_level: str = "INFO"
    """`LOG_LEVEL`: DEBUG, INFO, WARNING or ERROR."""
    log_json: bool = False
    """`OUTCRY_LOG_JSON`: 1 writes logs as JSON lines."""

    def __post_init__(self) -> None:
        msgspec.structs.force_setattr(self, "data_dir", self.data_dir.expanduser().absolute())

    @property
    def address_file(self) -> Path:
        """Where a running server says at which address people reach it."""
        return self.data_dir / "address"

    def address(self) -> str:
        """Return the address to open: as configured, of the running server, or the default."""
        if self.public_url:
            return self.public_url.rstrip("/")
        try:
            return self.address_file.read_text().strip()
        except OSError:
            host = f"[{self.host}]" if ":" in self.host else self.host
            return f"http://{host}:{self.port}"


_VARIABLES = {
    "host": ("HOST",),
    "port": ("PORT",),
    "data_dir": ("DATA_DIR",),
    "database_url": ("DATABASE_URL",),
    "allowed_origins": ("OUTCRY_ALLOWED_ORIGINS",),
    "public_url": ("OUTCRY_PUBLIC_URL",),
    "openai_api_key": ("OPENAI_API_KEY",),
    "openai_base_url": ("OPENAI_BASE_URL", "OPENAI_API_BASE_URL"),
    "anthropic_api_key": ("ANTHROPIC_API_KEY",),
    "anthropic_base_url": ("ANTHROPIC_BASE_URL",),
    "vllm_base_url": ("VLLM_BASE_URL",),
    "vllm_api_key": ("VLLM_API_KEY",),
    "llm_model": ("OUTCRY_MODEL",),
    "admin_email": ("OUTCRY_ADMIN_EMAIL",),
    "admin_password": ("OUTCRY_ADMIN_PASSWORD",),
    "secret_key": ("OUTCRY_SECRET_KEY",),
    "demo_fetch": ("OUTCRY_DEMO_FETCH",),
    "outbound_allow": ("OUTCRY_OUTBOUND_ALLOW",),
    "ingest": ("OUTCRY_INGEST",),
    "sentiment_model": ("OUTCRY_SENTIMENT_MODEL",),
    "sentiment_abstain": ("OUTCRY_SENTIMENT_ABSTAIN",),
    "demo_news": ("OUTCRY_DEMO_NEWS",),
    "engine_device": ("OUTCRY_ENGINE_DEVICE",),
    "engine_memory_mib": ("OUTCRY_ENGINE_MEMORY_MIB",),
    "engine_cache_mib": ("OUTCRY_ENGINE_CACHE_MIB",),
    "engine_threads": ("OUTCRY_ENGINE_THREADS",),
    "engine_queue_rows": ("OUTCRY_ENGINE_QUEUE_ROWS",),
    "engine_queue_s": ("OUTCRY_ENGINE_QUEUE_S",),
    "default_models": ("OUTCRY_DEFAULT_MODELS",),
    "retrain_days": ("OUTCRY_RETRAIN_DAYS",),
    "train_memory_mib": ("OUTCRY_TRAIN_MEMORY_MIB",),
    "ray_address": ("RAY_ADDRESS",),
    "model_sources": ("OUTCRY_MODEL_SOURCES",),
    "model_max_bytes": ("OUTCRY_MODEL_MAX_BYTES",),
    "log_level": ("LOG_LEVEL",),
    "log_json": ("OUTCRY_LOG_JSON",),
}
VARIABLE_NAMES = tuple(
    name for table in (_VARIABLES, KAFKA_VARIABLES) for names in table.values() for name in names
)
"""Every variable that is read, for the docs test."""


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Return the settings the environment describes; empty values count as absent.

    Raises:
        SettingsError: a value is not allowed, or an `X_FILE` cannot be read.
    """
    environment = os.environ if environment is None else environment
    found: dict[str, object] = {}
    for field, names in _VARIABLES.items():
        for name in names:
            value = _look_up(environment, name)
            if value:
                found[field] = _parse(name, field, value)
                break
    if kafka := _read_kafka(environment):
        found["kafka"] = kafka
    return Settings(**found)  # type: ignore[arg-type]


def _read_kafka(environment: Mapping[str, str]) -> KafkaConfig | None:
    found: dict[str, tuple[str, str]] = {}
    for field, names in KAFKA_VARIABLES.items():
        for name in names:
            if value := _look_up(environment, name):
                found[field] = (name, value)
                break
    if "bootstrap_servers" not in found:
        return None
    try:
        return KafkaConfig.read(found)
    except ValueError as wrong:
        raise SettingsError(str(wrong)) from None


def read_variable(name: str) -> str | None:
    """Return a variable that belongs to a plug-in, such as a data vendor's key; None if absent.

    Raises:
        SettingsError: its `X_FILE` cannot be read.
    """
    return _look_up(os.environ, name) or None


def _look_up(environment: Mapping[str, str], name: str) -> str | None:
    if path := environment.get(f"{name}_FILE"):
        try:
            return Path(path).read_text().strip()
        except OSError as error:
            raise SettingsError(f"{name}_FILE={path}: {error.strerror}.") from None
    return environment.get(name)


def _parse(name: str, field: str, value: str) -> object:
    match field:
        case "port":
            if not value.isdecimal() or int(value) > 65_535:
                raise SettingsError(f"{name}={value}: give a port between 0 and 65535.")
            return int(value)
        case "data_dir" | "sentiment_model":
            return Path(value).expanduser()
        case "model_max_bytes":
            if not value.isdecimal() or not 1024 <= int(value) <= 2**50:
                raise SettingsError(f"{name}={value}: give a number of bytes from 1024.")
            return int(value)
        case "allowed_origins" | "outbound_allow" | "model_sources":
            return tuple(part.strip() for part in value.split(",") if part.strip())
        case "default_models" | "demo_fetch" | "demo_news" | "ingest" | "log_json":
            if value not in {"0", "1"}:
                raise SettingsError(f"{name}={value}: give 0 or 1.")
            return value == "1"
        case "engine_device":
            if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", value):
                raise SettingsError(f"{name}={value}: give auto, cpu, cuda or cuda:N.")
            return value
        case "sentiment_abstain":
            if not re.fullmatch(r"0(\.\d+)?|1(\.0+)?", value):
                raise SettingsError(f"{name}={value}: give a probability, 0 to 1.")
            return float(value)
        case "engine_memory_mib" | "engine_threads" | "train_memory_mib":
            return _whole(name, value, least=0)
        case "engine_cache_mib" | "engine_queue_rows" | "engine_queue_s":
            return _whole(name, value, least=1)
        case "retrain_days":
            if not value.isdecimal() or int(value) > 3_650:
                raise SettingsError(f"{name}={value}: give days, 0 (never) to 3650.")
            return int(value)
        case "log_level":
            if value.upper() not in {"DEBUG", "INFO", "WARNING", "ERROR"}:
                raise SettingsError(f"{name}={value}: give DEBUG, INFO, WARNING or ERROR.")
            return value.upper()
    return value


def _whole(name: str, value: str, *, least: int) -> int:
    if not value.isascii() or not value.isdecimal() or not least <= int(value) <= 10**9:
        raise SettingsError(f"{name}={value}: give a whole number from {least} on.")
    return int(value)
