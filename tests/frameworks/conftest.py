"""Real inference servers, one at a time: see `tests/environments/remote_servers.py`."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contracts.remote import wire
from tests.contracts.remote.scenarios import SCENARIOS
from tests.environments.remote_servers import (
    PRODUCTS,
    ROOT,
    Serving,
    is_here,
    place,
    serving,
    version,
)

RECORD = bool(os.environ.get("OUTCRY_RECORD_REMOTE_SERVERS"))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Bring the tests of one product together: each server is started once."""
    order = list(PRODUCTS)
    at = [index for index, item in enumerate(items) if _product(item) in order]
    together = sorted((items[index] for index in at), key=lambda one: order.index(_product(one)))
    for index, item in zip(at, together, strict=True):
        items[index] = item


def _product(item: pytest.Item) -> str:
    called = getattr(item, "callspec", None)
    return str(called.params.get("product", "")) if called is not None else ""


class Shelf:
    """The running server of one product; another product's takes its place."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory
        self._running: Any = None
        self._name = ""
        self._server: Serving | None = None
        self._work = Path()
        self.heard: dict[str, list[dict[str, Any]]] = {}
        """Scenario -> what went over the line; written down when the server ends."""

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
        """End what runs, and keep what was recorded, if it is all that is asked of the product."""
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


@pytest.fixture(scope="session")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shelf]:
    """One server at a time, each started once for the tests of it that follow each other."""
    opened = Shelf(tmp_path_factory)
    yield opened
    opened.close()
