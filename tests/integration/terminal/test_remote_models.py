"""A model on another server comes in by the command and over REST, is asked, and is graded."""

import asyncio
import math
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.contracts.remote.fake_http import Elsewhere, serving_http
from tests.contracts.remote.whole_desk import (
    ALLOW,
    AS_OF,
    SYMBOL,
    import_by_command,
    import_over_rest,
    predict,
    see_it_graded,
    write_card,
)
from tests.faults.server import Server
from tests.integration.terminal.command import Command

pytestmark = [pytest.mark.slow, pytest.mark.timeout(240), pytest.mark.xdist_group("terminal")]


@pytest.fixture(scope="module")
async def desk(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A running desk that may go to servers on this machine."""
    server = Server(tmp_path_factory.mktemp("desk") / "data", ALLOW)
    try:
        await asyncio.to_thread(server.start)
        yield server
    finally:
        await asyncio.to_thread(server.clean_up)


@pytest.fixture
def outcry(desk: Server) -> Command:
    return Command(desk.data_dir, ALLOW)


@pytest.fixture
async def elsewhere() -> AsyncIterator[Elsewhere]:
    async with serving_http() as server:
        yield server


async def test_a_folder_with_an_address_is_imported_asked_and_graded(
    desk: Server, outcry: Command, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    write_card(tmp_path / "m", "far", f"oip+http://{elsewhere.url}/sum")
    await import_by_command(outcry, tmp_path / "m", "far")
    key = desk.api_key()

    given = {"features": {"log_variance_fast": -4.0, "log_variance_slow": -3.5}}
    row = await predict(desk, "far", "row", given, key=key)
    assert row["status"] == "completed", row
    assert row["output"]["value"] == pytest.approx(math.exp(-7.5), rel=1e-6)
    assert elsewhere.asked[-1]["inputs"][0]["data"] == [-4.0, -3.5]

    made = await predict(desk, "far", "then", {"symbol": SYMBOL, "asOf": AS_OF}, key=key)
    assert (made["status"], made["modelVersion"]) == ("completed", "far@1"), made
    sent = elsewhere.asked[-1]["inputs"][0]["data"]
    assert made["output"]["value"] == pytest.approx(math.exp(sum(sent)), rel=1e-6)
    assert made["grade"] is None
    graded = await see_it_graded(desk, outcry, made, key=key)
    assert graded["grade"] in ("hit", "miss"), graded
    assert graded["outcome"]["value"] > 0.0
    assert graded["output"] == made["output"]


async def test_an_address_and_a_packed_folder_are_imported_over_rest(
    desk: Server, elsewhere: Elsewhere, tmp_path: Path
) -> None:
    key = desk.api_key()
    card = write_card(tmp_path / "m", "farther", f"tfs+http://{elsewhere.url}/sum")
    await import_over_rest(desk, key, tmp_path / "m", card)
    given = {"features": {"log_variance_fast": -4.0, "log_variance_slow": -3.5}}
    row = await predict(desk, "farther", "row", given, key=key)
    assert row["output"]["value"] == pytest.approx(math.exp(-7.5), rel=1e-6)


async def test_an_address_that_is_not_listed_is_refused_by_the_command(
    desk: Server, tmp_path: Path
) -> None:
    write_card(tmp_path / "m", "closed", "oip+http://127.0.0.1:9/sum")
    done = await Command(desk.data_dir)("model", "import", str(tmp_path / "m"))
    assert done.rc == 1
    assert "OUTCRY_OUTBOUND_ALLOW" in done.err.replace("\n", " ")


async def test_a_folder_without_an_address_is_refused_by_the_command(
    outcry: Command, tmp_path: Path
) -> None:
    write_card(tmp_path / "m", "nowhere", None)
    done = await outcry("model", "import", str(tmp_path / "m"))
    assert done.rc == 1
    assert "needs the model's deploymentUrl" in done.err.replace("\n", " ")
