"""Logs name what failed, and never what people wrote."""

import pytest
import structlog

from app.observability.logs import configure_logging


@pytest.mark.parametrize("json_lines", [False, True])
def test_a_traceback_shows_no_local_variable(
    json_lines: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging(level="INFO", json_lines=json_lines)
    try:
        canary = "what-a-person-" + "asked"
        try:
            raise RuntimeError("a fault")
        except RuntimeError:
            structlog.get_logger().exception("it.failed", length=len(canary))
        told = capsys.readouterr().err
        assert "a fault" in told
        assert canary not in told
    finally:
        structlog.reset_defaults()
