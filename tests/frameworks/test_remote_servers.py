"""Models elsewhere against the real servers: MLServer, KServe, Triton, TorchServe and Ray Serve.

Build, start and test them: python -m tests.environments.remote_servers test
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from app.security.outbound import Allowed
from app.wiring.remote import GuardedLine
from inference.runtimes.remote.runtime import Deployment
from tests.contracts.remote import wire
from tests.contracts.remote.scenarios import EACH, IDS, SCENARIOS, Scenario
from tests.environments.remote_servers import (
    FOLDER,
    PRODUCTS,
    ROOT,
    Serving,
    is_here,
    place,
    serving,
    version,
)

pytestmark = [
    pytest.mark.framework,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        not os.environ.get(FOLDER),
        reason="run it by: python -m tests.environments.remote_servers test",
    ),
]
RECORD = bool(os.environ.get("OUTCRY_RECORD_REMOTE_SERVERS"))
LINE = GuardedLine(Allowed.read(["127.0.0.1:*"]))
PATIENCE_S = 60.0
"""TorchServe starts a worker with PyTorch for every model, and asks are queued until then."""


class Shelf:
    """The running server of one product; another product's takes its place."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory
        self._running: Any = None
        self._name = ""
        self._server: Serving | None = None
        self._work = Path()
        self.heard: dict[str, list[dict[str, Any]]] = {}

    def server(self, name: str) -> Serving:
        """Return the product's server, running."""
        if not is_here(PRODUCTS[name]):
            pytest.skip(f"not built: python -m tests.environments.remote_servers build {name}")
        if self._name != name:
            self.close()
            self._work = self._factory.mktemp(name)
            self._running = serving(PRODUCTS[name], self._work)
            self._server, self._name = self._running.__enter__(), name
        assert self._server is not None
        return self._server

    def close(self) -> None:
        """End what runs, and keep what was recorded."""
        if not self._name:
            return
        self._running.__exit__(None, None, None)
        if RECORD and set(self.heard) == {one.name for one in SCENARIOS[self._name]}:
            product = PRODUCTS[self._name]
            hide = {
                str(self._work): "/srv/work",
                str(place(product).resolve()): "/srv/environment",
                str(place(product)): "/srv/environment",
                str(ROOT): "/srv/outcry",
            }
            wire.write(self._name, version(product), self.heard, hide=hide)
        self._name, self.heard = "", {}


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """One server at a time, each started once."""
    opened = Shelf(tmp_path_factory)
    yield opened
    opened.close()


@pytest.mark.parametrize(("product", "scenario"), EACH, ids=IDS)
async def test_it_answers_as_the_records_say(
    product: str, scenario: Scenario, shelf: Shelf
) -> None:
    server = shelf.server(product)
    recorder = wire.Recorder(LINE)
    deployment = Deployment(
        server.url(scenario.protocol, scenario.model), scenario.member, recorder
    )
    if scenario.raises is None:
        given = await deployment.ask(scenario.rows, timeout_s=PATIENCE_S)
        np.testing.assert_allclose(given, scenario.gives, rtol=1e-12)
    else:
        error, words = scenario.raises
        with pytest.raises(error, match=words) as caught:
            await deployment.ask(scenario.rows, timeout_s=PATIENCE_S)
        assert type(caught.value) is error
    shelf.heard[scenario.name] = recorder.heard
