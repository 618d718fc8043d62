"""Models elsewhere against the real servers: MLServer, KServe, Triton, TorchServe and Ray Serve.

Build, start and test them: python -m tests.environments.remote_servers test
"""

import asyncio
import math
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from app.security.outbound import Allowed
from app.wiring.remote import GuardedLine
from inference.bundle import Member
from inference.errors import DeadlineExceeded, Overloaded, WorkerLost
from inference.requests import Rows
from inference.runtimes.remote.line import Reply, Wire
from inference.runtimes.remote.runtime import Deployment
from tests.contracts.remote import wire
from tests.contracts.remote.desk import Desk
from tests.contracts.remote.scenarios import EACH, IDS, Scenario
from tests.contracts.remote.whole_desk import (
    ALLOW,
    AS_OF,
    SYMBOL,
    import_by_command,
    predict,
    see_it_graded,
    write_card,
)
from tests.environments.products import end
from tests.environments.remote_servers import FOLDER, PRODUCTS, Serving, serving
from tests.environments.servers import arithmetic
from tests.faults.server import Server
from tests.frameworks.conftest import Shelf
from tests.integration.terminal.command import Command

pytestmark = [
    pytest.mark.framework,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        not os.environ.get(FOLDER),
        reason="run it by: python -m tests.environments.remote_servers test",
    ),
]
LINE = GuardedLine(Allowed.read(["127.0.0.1:*"]))
PATIENCE_S = 60.0
"""TorchServe starts a worker for every model, and what is asked is queued until it has one."""
each = pytest.mark.parametrize("product", [one.name for one in PRODUCTS.values() if one.protocols])
"""Those that are asked over HTTP."""
MATRIX = Member(name="away", runtime="remote", columns=arithmetic.COLUMNS)


def deployment(shelf: Shelf, product: str, model: str = "sum", **options: Any) -> Deployment:
    server = shelf.server(product)
    member = msgspec.structs.replace(MATRIX, options=options)
    return Deployment(server.url(PRODUCTS[product].protocols[0], model), member, LINE)


def rows(values: Any) -> Rows:
    return Rows(arithmetic.COLUMNS, np.asarray(values, dtype=np.float64))


@pytest.mark.parametrize(("product", "scenario"), EACH, ids=IDS)
async def test_it_answers_as_the_records_say(
    product: str, scenario: Scenario, shelf: Shelf
) -> None:
    server = shelf.server(product)
    recorder = wire.Recorder(LINE)
    asked = Deployment(server.url(scenario.protocol, scenario.model), scenario.member, recorder)
    if scenario.raises is None:
        given = await asked.ask(scenario.rows, timeout_s=PATIENCE_S)
        np.testing.assert_allclose(given, scenario.gives, rtol=1e-12)
    else:
        error, words = scenario.raises
        with pytest.raises(error, match=words) as caught:
            await asked.ask(scenario.rows, timeout_s=PATIENCE_S)
        assert type(caught.value) is error
    shelf.heard[scenario.name] = recorder.heard


@each
async def test_thousands_of_rows_come_back_in_order(product: str, shelf: Shelf) -> None:
    many = np.random.default_rng(1).normal(scale=1e6, size=(4_000, 2))
    given = await deployment(shelf, product).ask(rows(many), timeout_s=PATIENCE_S)
    # Triton reads a number in JSON to within its last digit.
    assert (
        np.abs(given[:, 0] - arithmetic.total(many)) <= 2 * np.spacing(np.abs(many).sum(1))
    ).all()


@each
async def test_calls_at_once_get_each_its_own_answer(product: str, shelf: Shelf) -> None:
    asked = deployment(shelf, product)
    await asked.ask(rows([[0.0, 0.0]]), timeout_s=PATIENCE_S)
    found = await asyncio.gather(
        *(asked.ask(rows([[one, 0.25]]), timeout_s=PATIENCE_S) for one in range(32))
    )
    assert [float(one[0, 0]) for one in found] == [one + 0.25 for one in range(32)]


@each
async def test_a_model_that_is_too_slow_costs_no_more_than_its_share(
    product: str, shelf: Shelf, tmp_path: Path
) -> None:
    server = shelf.server(product)
    url = server.url(PRODUCTS[product].protocols[0], "slow")
    async with Desk(tmp_path, timeout_s=PATIENCE_S) as desk:
        quick = await desk.ask_at(url, rows=rows([[0.001, 1.0]]), deadline_s=2 * PATIENCE_S)
        assert quick == pytest.approx([1.001])
        with pytest.raises(DeadlineExceeded, match=r"within 0\.7 s"):
            await desk.ask_at(url, rows=rows([[4.0, 1.0]]), deadline_s=1.0)


@pytest.mark.parametrize(
    ("product", "model", "words"),
    [
        ("triton", "queued", "maximum queue size"),
        ("rayserve", "few/v2/models/slow", "dropped due to backpressure"),
    ],
)
async def test_a_full_queue_is_overload(product: str, model: str, words: str, shelf: Shelf) -> None:
    asked = deployment(shelf, product, model)
    await asked.ask(rows([[0.0, 0.0]]), timeout_s=PATIENCE_S)
    found = await asyncio.gather(
        *(asked.ask(rows([[0.5, one]]), timeout_s=PATIENCE_S) for one in range(8)),
        return_exceptions=True,
    )
    refused = [one for one in found if isinstance(one, Overloaded)]
    answered = [one for one in found if isinstance(one, np.ndarray)]
    assert len(refused) + len(answered) == 8, found
    assert refused
    assert answered
    assert words in str(refused[0])


@pytest.fixture(scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A running desk that may go to servers on this machine."""
    server = Server(tmp_path_factory.mktemp("desk") / "data", ALLOW)
    try:
        await asyncio.to_thread(server.start)
        yield server
    finally:
        await asyncio.to_thread(server.clean_up)


@each
async def test_a_whole_desk_imports_it_asks_it_and_grades_what_it_said(
    product: str, shelf: Shelf, desk: Server, tmp_path: Path
) -> None:
    url = shelf.server(product).url(PRODUCTS[product].protocols[0], "range")
    outcry = Command(desk.data_dir, ALLOW)
    write_card(tmp_path / "m", product, url, outputs=("high",), timeout_s=PATIENCE_S)
    await import_by_command(outcry, tmp_path / "m", product)
    key = desk.api_key()

    given = {"features": {"log_variance_fast": -9.0, "log_variance_slow": -8.5}}
    row = await predict(desk, product, "row", given, key=key)
    assert row["status"] == "completed", row
    assert row["output"]["value"] == pytest.approx(math.exp(-8.5), rel=1e-9)

    made = await predict(desk, product, "then", {"symbol": SYMBOL, "asOf": AS_OF}, key=key)
    assert (made["status"], made["modelVersion"]) == ("completed", f"{product}@1"), made
    graded = await see_it_graded(desk, outcry, made, key=key)
    assert graded["grade"] in ("hit", "miss"), graded
    assert graded["output"] == made["output"]


class Begun:
    """A line that tells when rows are on their way."""

    def __init__(self) -> None:
        self.rows = asyncio.Event()

    def wire(self, server: str) -> Wire:
        return LINE.wire(server)

    async def send(
        self, method: str, url: str, *, body: bytes, headers: Mapping[str, str], timeout_s: float
    ) -> Reply:
        if method == "POST":
            self.rows.set()
        return await LINE.send(method, url, body=body, headers=headers, timeout_s=timeout_s)


@asynccontextmanager
async def running(product: str, work: Path, *, port: int | None = None) -> AsyncIterator[Serving]:
    """A server of this test's own, started and ended without holding up the loop."""
    await asyncio.to_thread(work.mkdir)
    block = serving(PRODUCTS[product], work, port=port)
    server = await asyncio.to_thread(block.__enter__)
    try:
        yield server
    finally:
        await asyncio.to_thread(block.__exit__, None, None, None)


@each
async def test_a_server_that_dies_over_a_call_fails_it_and_answers_when_it_is_back(
    product: str, shelf: Shelf, tmp_path: Path
) -> None:
    shelf.server(product)  # skips where it is not built
    begun = Begun()
    async with running(product, tmp_path / "first") as server:
        slow, quick = (
            Deployment(server.url(PRODUCTS[product].protocols[0], model), MATRIX, begun)
            for model in ("slow", "sum")
        )
        assert await quick.ask(rows([[1.0, 2.0]]), timeout_s=PATIENCE_S) == [[3.0]]
        begun.rows.clear()
        asking = asyncio.create_task(slow.ask(rows([[50.0, 2.0]]), timeout_s=PATIENCE_S))
        await begun.rows.wait()
        await asyncio.to_thread(end, server.pid)
        with pytest.raises(WorkerLost):
            await asking
        with pytest.raises(WorkerLost, match="cannot be reached"):
            await quick.ask(rows([[1.0, 2.0]]), timeout_s=PATIENCE_S)
    async with running(product, tmp_path / "second", port=server.port):
        assert await quick.ask(rows([[1.0, 2.5]]), timeout_s=PATIENCE_S) == [[3.5]]
