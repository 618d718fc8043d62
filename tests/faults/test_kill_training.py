"""kill -9 of the server while it trains its default models: taken up again, one version each."""

import time
from typing import Any

import pytest

from tests.faults.server import Server

NAMES = {"variance-1", "variance-5"}
PATIENCE_S = 240.0


def asked(server: Server, path: str, cookie: str) -> list[dict[str, Any]]:
    """Return what a list of the desk holds."""
    items: list[dict[str, Any]] = server.request(
        "GET", f"/api/v1{path}", headers={"cookie": cookie}
    ).body["items"]
    return items


def until(server: Server, cookie: str, wanted: str) -> list[dict[str, Any]]:
    """Return the jobs of training when they stand as `wanted` says: one runs, or all ended."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        jobs = asked(server, "/jobs?kind=train&limit=100", cookie)
        states = {job["status"] for job in jobs}
        begun = any(job["status"] == "running" and job["percent"] > 2 for job in jobs)
        if wanted == "running" and begun:
            return jobs
        if wanted == "ended" and jobs and not states & {"queued", "running"}:
            return jobs
        time.sleep(0.05)
    raise AssertionError(f"not {wanted} after {PATIENCE_S} s: {jobs}\n{server.output()}")


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_a_kill_while_the_default_models_are_trained_leaves_one_version_each(
    own_desk: Server,
) -> None:
    own_desk.environment["OUTCRY_DEFAULT_MODELS"] = "1"
    own_desk.start()
    cookie = own_desk.sign_in()
    until(own_desk, cookie, "running")
    own_desk.kill()
    own_desk.start()

    jobs = until(own_desk, own_desk.sign_in(), "ended")

    assert {job["status"] for job in jobs} == {"completed"}, own_desk.output()
    assert max(job["attempts"] for job in jobs) >= 2, "the kill hit nothing"
    models = [job["result"]["model"] for job in jobs]
    assert len(set(models)) == len(models)
    assert {model for model in models if model.partition("@")[0] in NAMES} == {
        f"{name}@1" for name in NAMES
    }
