"""A whole prediction by a model on a gRPC server: written, stood in for while it is away."""

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.domain.principal import Principal
from app.storage.engine import Database
from inference.cards import ModelCard
from tests.contracts.remote.fake_rpc import RpcElsewhere, serving_rpc
from tests.integration.predictions.away_desk import BIAS, AwayDesk
from tests.integration.predictions.small_models import BARS

each = pytest.mark.parametrize("protocol", ["oip+grpc", "tfs+grpc"])


@pytest.fixture
async def server() -> AsyncIterator[RpcElsewhere]:
    async with serving_rpc() as opened:
        opened.width = 1
        yield opened


@pytest.fixture
async def desk(database: Database, tmp_path: Path) -> AsyncIterator[AwayDesk]:
    desk = AwayDesk(database, tmp_path)
    await desk.load(BARS - 20)
    async with desk.engine:
        yield desk
        await desk.predictions.close()
        await desk.routed.aclose()


async def both(desk: AwayDesk, server: RpcElsewhere, protocol: str) -> tuple[ModelCard, ModelCard]:
    """Return an old champion that runs here, and the one on the server that replaced it."""
    here = await desk.deploy("1", "champion", bias=BIAS)
    url = f"{protocol}://{server.url}/sum"
    return here, await desk.deploy_elsewhere("2", deployment_url=url)


@each
async def test_its_answer_is_a_prediction_and_while_it_is_away_another_answers(
    protocol: str, desk: AwayDesk, server: RpcElsewhere, ann: Principal
) -> None:
    here, away = await both(desk, server, protocol)
    first = await desk.put(ann, "1")
    assert (first.status, first.model_id, first.degraded) == ("completed", away.id, False)
    assert len(server.asked) == 1

    server.status = 502  # it hangs up
    second = await desk.put(ann, "2")
    assert (second.status, second.model_id, second.degraded) == ("completed", here.id, True)
    assert second.asked_model_id == away.id
    assert second.degraded_because is not None
    assert second.degraded_because.startswith("the server cannot be reached")

    server.status = None
    third = await desk.put(ann, "3")
    assert (third.model_id, third.degraded) == (away.id, False)
    assert third.output == first.output


async def test_where_grpc_is_not_installed_the_answer_says_so(
    desk: AwayDesk, server: RpcElsewhere, ann: Principal, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, away = await both(desk, server, "oip+grpc")
    monkeypatch.setitem(sys.modules, "grpc", None)
    monkeypatch.setitem(sys.modules, "grpc.aio", None)
    named = await desk.put(ann, "1", model=str(away.id))
    assert (named.status, named.error_code) == ("failed", "missing_framework")
    assert named.error is not None
    assert "pip install 'outcry[grpc]'" in named.error
    by_name = await desk.put(ann, "2")
    assert (by_name.model_id, by_name.degraded) == (here.id, True)
    assert server.relay.accepted == 0
