"""The environment says how a cluster is reached, in the words its users know."""

import ssl
from pathlib import Path

import pytest

from app.services.feeds.kafka_config import KafkaConfig
from app.settings import SettingsError, read_settings

SERVERS = {"KAFKA_BOOTSTRAP_SERVERS": "a:9092, b:9092"}


def config(**environment: str) -> KafkaConfig:
    found = read_settings({**SERVERS, **environment}).kafka
    assert found is not None
    return found


def test_without_servers_there_is_no_cluster() -> None:
    assert read_settings({"KAFKA_GROUP_ID": "mine"}).kafka is None


def test_the_plain_case_needs_nothing_else() -> None:
    found = config()
    assert found.topics == {"bars": "bars", "ticks": "ticks", "news": "news"}
    assert found.client() == {
        "bootstrap_servers": ["a:9092", "b:9092"],
        "security_protocol": "PLAINTEXT",
    }


@pytest.mark.parametrize(
    ("user", "password", "mechanism"),
    [
        ("KAFKA_SASL_USERNAME", "KAFKA_SASL_PASSWORD", "KAFKA_SASL_MECHANISM"),
        ("KAFKA_SASL_PLAIN_USERNAME", "KAFKA_SASL_PLAIN_PASSWORD", "KAFKA_SASL_MECHANISMS"),
    ],
)
def test_sasl_is_told_in_the_words_of_either_client(
    tmp_path: Path, user: str, password: str, mechanism: str
) -> None:
    secret = tmp_path / "secret"
    secret.write_text("p4ss\n")
    found = config(
        **{
            user: "me",
            f"{password}_FILE": str(secret),
            mechanism: "scram-sha-512",
            "KAFKA_SECURITY_PROTOCOL": "sasl_plaintext",
        }
    )
    client = found.client()
    assert client["sasl_mechanism"] == "SCRAM-SHA-512"
    assert (client["sasl_plain_username"], client["sasl_plain_password"]) == ("me", "p4ss")
    assert "p4ss" not in repr(found)
    assert "p4ss" not in str(found)


def test_tls_verifies_the_broker_unless_told_not_to_look_at_its_name() -> None:
    context = config(KAFKA_SECURITY_PROTOCOL="SSL").client()["ssl_context"]
    assert isinstance(context, ssl.SSLContext)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    lenient = config(KAFKA_SECURITY_PROTOCOL="SSL", KAFKA_SSL_CHECK_HOSTNAME="0")
    context = lenient.client()["ssl_context"]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, False)


def test_a_certificate_that_is_not_there_is_named() -> None:
    found = config(KAFKA_SECURITY_PROTOCOL="SSL", KAFKA_SSL_CA_LOCATION="/no/such/ca.pem")
    with pytest.raises(OSError, match=r"/no/such/ca\.pem"):
        found.client()


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"KAFKA_SECURITY_PROTOCOL": "TLS"}, "PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"),
        ({"KAFKA_SASL_MECHANISM": "GSSAPI"}, "PLAIN, SCRAM-SHA-256, SCRAM-SHA-512"),
        ({"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}, "KAFKA_SASL_USERNAME"),
        ({"KAFKA_AUTO_OFFSET_RESET": "newest"}, "earliest, latest"),
        ({"KAFKA_TICKS_TIMEFRAME": "1d"}, "1m, 5m, 15m, 1h"),
        ({"KAFKA_BARS_TOPIC": "news"}, "one each"),
        ({"OUTCRY_INGEST": "no"}, "0 or 1"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(environment: dict[str, str], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        config(**environment)
