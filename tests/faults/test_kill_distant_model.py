"""kill -9 of the server that a model runs on: the version here answers, and then that one again."""

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from inference.packing import pack
from tests.fakes.calm_models import AWAY, CALM
from tests.fakes.cards import evaluation, write_model
from tests.faults.server import ROOT, Server, free_port

PROGRAM = """
import sys
from aiohttp import web
from tests.contracts.remote.fake_http import Elsewhere

server = Elsewhere()
server.width = 1
web.run_app(server.app(), host="127.0.0.1", port=int(sys.argv[1]), print=None)
"""


@contextmanager
def distant(port: int) -> Iterator["subprocess.Popen[bytes]"]:
    """Run the other server until it is killed."""
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(port)], cwd=ROOT)
    try:
        wait_for(port)
        yield process
    finally:
        process.kill()
        process.wait()


def wait_for(port: int) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("the other server did not come up")


class Person:
    """Somebody with a key."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._key = server.api_key()

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        answer = self._server.request(
            method, f"/api/v1{path}", body, key=self._key, headers=headers, timeout_s=30
        )
        assert answer.status in (200, 201), answer
        return answer.body

    def deploy(self, folder: Path, **more: str) -> str:
        new = {"name": "calm", "type": "regression", "framework": "numpy", **more}
        made = self.send("POST", "/models", new)
        told = {k: v for k, v in new.items() if k != "deploymentUrl"}
        card = told | {"validationMetrics": {"evaluation": msgspec.to_builtins(evaluation())}}
        packed = b"".join(pack(folder, extra={"card.json": msgspec.json.encode(card)}))
        where = f"/models/{made['id']}"
        self.send("PUT", f"{where}/artifact", packed, **{"content-type": "application/zstd"})
        self.send("POST", f"{where}/transition", {"status": "ready"})
        self.send("POST", f"{where}/transition", {"status": "deployed", "alias": "champion"})
        return str(made["id"])

    def ask(self, request_id: str) -> Any:
        asked = {"modelId": "calm", "requestId": request_id, "input": {"symbol": "GOOG"}}
        return self.send("POST", "/predictions", asked)


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_version_here_answers_while_the_other_server_is_dead_and_only_then(
    tmp_path: Path,
) -> None:
    port = free_port()
    server = Server(
        tmp_path / "data",
        {"OUTCRY_OUTBOUND_ALLOW": f"127.0.0.1:{port}", "OUTCRY_DEFAULT_MODELS": "0"},
    )
    try:
        server.start()
        person = Person(server)
        here = person.deploy(write_model(tmp_path / "here", slope=1.1, **CALM))
        folder = write_model(tmp_path / "away", **CALM, members=AWAY)
        (folder / "ridge.safetensors").unlink()
        with distant(port) as other:
            away = person.deploy(folder, deploymentUrl=f"tfs+http://127.0.0.1:{port}/sum")
            first = person.ask("1")
            assert (first["modelId"], first["degraded"]) == (away, False)
            other.kill()
            other.wait()
            second = person.ask("2")
            assert (second["status"], second["modelId"]) == ("completed", here)
            assert (second["degraded"], second["askedModelId"]) == (True, away)
            assert second["askedModel"] == "calm@2"
            assert "cannot be reached" in second["degradedBecause"]
            assert second["output"]["value"] != first["output"]["value"]
        # The desk dies as well: what was asked and answered stands.
        server.kill()
        with distant(port):
            server.start()
            assert person.ask("2") == second
            third = person.ask("3")
            assert (third["modelId"], third["degraded"]) == (away, False)
            assert third["output"]["value"] == first["output"]["value"]
    finally:
        server.clean_up()
