"""The environment is read once, and a value that cannot be used is named."""

from pathlib import Path

import pytest

from app.security.addresses import Allowed
from app.settings import Settings, SettingsError, read_settings
from app.verbs.shared import settings_with
from app.wiring.alerts import allowed_places


def test_an_empty_value_counts_as_absent() -> None:
    assert read_settings({"PORT": "", "OPENAI_API_KEY": ""}) == Settings()


def test_a_value_may_be_kept_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("sk-1\n")
    read = read_settings({"OPENAI_API_KEY_FILE": str(tmp_path / "key"), "OPENAI_API_KEY": "sk-2"})
    assert read.openai_api_key == "sk-1"


def test_the_data_directory_is_absolute_however_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert Settings().data_dir == read_settings({}).data_dir == tmp_path / ".outcry"
    assert read_settings({"DATA_DIR": "here"}).data_dir == tmp_path / "here"
    assert settings_with(data_dir=Path("there")).data_dir == tmp_path / "there"
    assert read_settings({"DATA_DIR": "~/there"}).data_dir == Path.home() / "there"


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"PORT": "http"}, "PORT=http"),
        ({"PORT": "65536"}, "between 0 and 65535"),
        ({"LOG_LEVEL": "loud"}, "DEBUG, INFO, WARNING or ERROR"),
        ({"OUTCRY_ENGINE_DEVICE": "gpu"}, "auto, cpu, cuda or cuda:N"),
        ({"OUTCRY_ENGINE_MEMORY_MIB": "2G"}, "whole number from 0"),
        ({"OUTCRY_ENGINE_QUEUE_ROWS": "0"}, "whole number from 1"),
        ({"OUTCRY_DEMO_FETCH": "yes"}, "give 0 or 1"),
        ({"DATABASE_URL_FILE": "/nowhere/at-all"}, "DATABASE_URL_FILE=/nowhere/at-all"),
    ],
)
def test_a_value_that_cannot_be_used_is_named(environment: dict[str, str], told: str) -> None:
    with pytest.raises(SettingsError, match=told):
        read_settings(environment)


def test_the_address_is_the_configured_one_then_the_running_servers_then_the_default(
    tmp_path: Path,
) -> None:
    settings = Settings(data_dir=tmp_path, host="::1", port=9)
    assert settings.address() == "http://[::1]:9"
    settings.address_file.write_text("http://127.0.0.1:4711\n")
    assert settings.address() == "http://127.0.0.1:4711"
    public = Settings(data_dir=tmp_path, public_url="https://desk.example/")
    assert public.address() == "https://desk.example"


def test_places_that_webhooks_may_reach_are_host_and_port() -> None:
    given = read_settings({"OUTCRY_OUTBOUND_ALLOW": "127.0.0.1:9000, hooks.internal:*"})
    allowed = allowed_places(given)
    assert allowed.permits("127.0.0.1", 9000)
    assert allowed.permits("hooks.internal", 5000)
    assert not allowed.permits("127.0.0.1", 9001)
    assert allowed_places(read_settings({})) == Allowed()
    with pytest.raises(SettingsError, match=r"OUTCRY_OUTBOUND_ALLOW: .* is not host:port"):
        allowed_places(read_settings({"OUTCRY_OUTBOUND_ALLOW": "10.0.0.1"}))
