"""How a Kafka cluster is reached: settings in the words that librdkafka and aiokafka use."""

import errno
import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from app.domain.feed_kinds import TICK_TIMEFRAMES, FeedKind

VARIABLES = {
    "bootstrap_servers": ("KAFKA_BOOTSTRAP_SERVERS",),
    "group_id": ("KAFKA_GROUP_ID",),
    "bars_topic": ("KAFKA_BARS_TOPIC",),
    "ticks_topic": ("KAFKA_TICKS_TOPIC",),
    "news_topic": ("KAFKA_NEWS_TOPIC",),
    "ticks_timeframe": ("KAFKA_TICKS_TIMEFRAME",),
    "auto_offset_reset": ("KAFKA_AUTO_OFFSET_RESET",),
    "security_protocol": ("KAFKA_SECURITY_PROTOCOL",),
    "sasl_mechanism": ("KAFKA_SASL_MECHANISM", "KAFKA_SASL_MECHANISMS"),
    "sasl_username": ("KAFKA_SASL_USERNAME", "KAFKA_SASL_PLAIN_USERNAME"),
    "sasl_password": ("KAFKA_SASL_PASSWORD", "KAFKA_SASL_PLAIN_PASSWORD"),
    "ssl_cafile": ("KAFKA_SSL_CAFILE", "KAFKA_SSL_CA_LOCATION"),
    "ssl_certfile": ("KAFKA_SSL_CERTFILE", "KAFKA_SSL_CERTIFICATE_LOCATION"),
    "ssl_keyfile": ("KAFKA_SSL_KEYFILE", "KAFKA_SSL_KEY_LOCATION"),
    "ssl_password": ("KAFKA_SSL_PASSWORD", "KAFKA_SSL_KEY_PASSWORD"),
    "ssl_check_hostname": ("KAFKA_SSL_CHECK_HOSTNAME",),
}
"""Field -> the variables it is read from, the first that is set: aiokafka's words, then those of
librdkafka where they differ."""
SECURITY_PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")
SASL_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_ALLOWED = {
    "ticks_timeframe": TICK_TIMEFRAMES,
    "auto_offset_reset": ("earliest", "latest"),
    "security_protocol": SECURITY_PROTOCOLS,
    "sasl_mechanism": SASL_MECHANISMS,
    "ssl_check_hostname": ("0", "1"),
}
_UPPER = ("security_protocol", "sasl_mechanism")


class KafkaConfig(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the consumer is told."""

    bootstrap_servers: str
    """`host:port`, several with commas between."""
    group_id: str = "outcry"
    bars_topic: str = "bars"
    ticks_topic: str = "ticks"
    news_topic: str = "news"
    ticks_timeframe: str = "1m"
    """Of the bars that trades are made into."""
    auto_offset_reset: str = "earliest"
    """Where to begin in a partition that was never read, or that lost what was not read yet."""
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str | None = None
    sasl_username: str | None = None
    sasl_password: str | None = None
    ssl_cafile: str | None = None
    ssl_certfile: str | None = None
    ssl_keyfile: str | None = None
    ssl_password: str | None = None
    ssl_check_hostname: bool = True

    def __repr__(self) -> str:
        return f"KafkaConfig({self.bootstrap_servers}, group {self.group_id})"

    @property
    def topics(self) -> dict[str, FeedKind]:
        """Return each topic with what it carries."""
        return {self.bars_topic: "bars", self.ticks_topic: "ticks", self.news_topic: "news"}

    @classmethod
    def read(cls, found: Mapping[str, tuple[str, str]]) -> "KafkaConfig":
        """Return what the environment describes; `found`: field -> the variable and its value.

        Raises:
            ValueError: a value is not allowed; says which are.
        """
        values: dict[str, object] = {}
        for field, (name, value) in found.items():
            allowed = _ALLOWED.get(field)
            given = value.upper() if field in _UPPER else value
            if allowed and given not in allowed:
                raise ValueError(f"{name}={value}: give one of {', '.join(allowed)}.")
            values[field] = given == "1" if field == "ssl_check_hostname" else given
        config = cls(**values)  # type: ignore[arg-type]
        if len(config.topics) < 3:
            raise ValueError("KAFKA_BARS_TOPIC, KAFKA_TICKS_TOPIC, KAFKA_NEWS_TOPIC: one each.")
        if config.security_protocol.startswith("SASL_") and not (
            config.sasl_username and config.sasl_password
        ):
            raise ValueError(
                f"KAFKA_SECURITY_PROTOCOL={config.security_protocol} needs KAFKA_SASL_USERNAME and "
                "KAFKA_SASL_PASSWORD."
            )
        return config

    def client(self) -> dict[str, Any]:
        """Return the arguments by which an aiokafka client reaches the cluster.

        Raises:
            OSError: a certificate cannot be read (`ssl.SSLError` is one).
        """
        found: dict[str, Any] = {
            "bootstrap_servers": [part.strip() for part in self.bootstrap_servers.split(",")],
            "security_protocol": self.security_protocol,
        }
        if self.security_protocol.startswith("SASL_"):
            found |= {
                "sasl_mechanism": self.sasl_mechanism or "PLAIN",
                "sasl_plain_username": self.sasl_username,
                "sasl_plain_password": self.sasl_password,
            }
        if self.security_protocol.endswith("SSL"):
            found["ssl_context"] = self._ssl()
        return found

    def _ssl(self) -> ssl.SSLContext:
        for path in (self.ssl_cafile, self.ssl_certfile, self.ssl_keyfile):
            if path and not Path(path).exists():
                raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        context = ssl.create_default_context(cafile=self.ssl_cafile)
        context.check_hostname = self.ssl_check_hostname
        if self.ssl_certfile:
            context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile, self.ssl_password)
        return context
