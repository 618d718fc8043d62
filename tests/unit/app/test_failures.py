"""Whatever an operator can mend is told in a line; a bug keeps its traceback."""

import errno

import pytest

from agents.errors import LLMUnavailable
from app.domain.errors import NotFound
from app.failures import explain
from app.security.errors import SealBroken
from app.settings import SettingsError
from app.storage.errors import DatabaseRefused


@pytest.mark.parametrize(
    ("failure", "told"),
    [
        (NotFound("There is no such agent."), "There is no such agent."),
        (SettingsError("PORT=x: give a port."), "PORT=x: give a port."),
        (DatabaseRefused("It cannot be reached."), "It cannot be reached."),
        (SealBroken("It was sealed by another key."), "It was sealed by another key."),
        (LLMUnavailable("vLLM cannot be reached"), "vLLM cannot be reached"),
        (PermissionError(errno.EACCES, "Permission denied", "/data"), "Permission denied: /data"),
        (OSError(errno.ENOSPC, "full", "/data"), "No space left on device: /data"),
        (ExceptionGroup("", [SettingsError("a"), SettingsError("a")]), "a"),
        (ValueError("a bug"), None),
        (ExceptionGroup("", [SettingsError("a"), ValueError("a bug")]), None),
    ],
)
def test_a_failure_is_told(failure: Exception, told: str | None) -> None:
    assert explain(failure) == told
