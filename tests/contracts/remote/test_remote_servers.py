"""Every protocol of models elsewhere, over real sockets and the desk's own guard: alike."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import pytest

from inference.engine.remote import check_place
from inference.errors import (
    BadInput,
    BadModel,
    DeadlineExceeded,
    ModelFailed,
    NotReady,
    Overloaded,
    WorkerLost,
)
from tests.contracts.remote.desk import Desk, bundle
from tests.contracts.remote.fake_http import Elsewhere, serving_http

PROTOCOLS = ("oip+http", "tfs+http", "torchserve+http", "ray+http", "oip+grpc", "tfs+grpc")
TELLING = tuple(protocol for protocol in PROTOCOLS if not protocol.startswith("torchserve"))
"""Those that tell what a model takes."""
alike = pytest.mark.parametrize("protocol", PROTOCOLS)


def serving(protocol: str) -> AbstractAsyncContextManager[Elsewhere]:
    if protocol.endswith("http"):
        return serving_http()
    from tests.contracts.remote.fake_rpc import serving_rpc  # noqa: PLC0415 - of an extra

    return serving_rpc()


@pytest.fixture
async def server(protocol: str) -> AsyncIterator[Elsewhere]:
    async with serving(protocol) as opened:
        yield opened


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with Desk(tmp_path) as opened:
        yield opened


@alike
async def test_rows_go_out_together_and_come_back_in_order(
    protocol: str, server: Elsewhere, desk: Desk
) -> None:
    assert await desk.ask(protocol, server.url) == [3.0, 7.5]
    assert len(server.asked) == 1


@pytest.mark.parametrize("protocol", TELLING)
async def test_a_server_that_takes_something_else_is_not_asked(
    protocol: str, server: Elsewhere, desk: Desk
) -> None:
    server.width = 3
    with pytest.raises(BadModel, match="has 3 columns; the bundle gives 2"):
        await desk.ask(protocol, server.url)
    assert server.asked == []


@alike
async def test_a_server_that_is_not_ready_is_told_apart_from_one_that_is_gone(
    protocol: str, server: Elsewhere, desk: Desk
) -> None:
    server.ready = False
    with pytest.raises(NotReady):
        await desk.ask(protocol, server.url)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(WorkerLost, match="cannot be reached"):
            await desk.ask(protocol, f"127.0.0.1:{taken.getsockname()[1]}")


@alike
@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1.0], "for 2 rows|gave 1"),
        ([1.0, float("nan")], "NaN|not finite"),
        ([1.0, "one"], "numbers|shape"),
    ],
)
async def test_nonsense_is_refused(
    protocol: str, values: list[Any], said: str, server: Elsewhere, desk: Desk
) -> None:
    server.values = values
    with pytest.raises(ModelFailed, match=said):
        await desk.ask(protocol, server.url)


@alike
@pytest.mark.parametrize(
    ("status", "error"),
    [(429, Overloaded), (404, WorkerLost), (400, BadInput), (500, ModelFailed), (403, BadModel)],
)
async def test_refusals_are_typed(
    protocol: str, status: int, error: type[Exception], server: Elsewhere, desk: Desk
) -> None:
    server.status = status
    with pytest.raises(error):
        await desk.ask(protocol, server.url)


@pytest.mark.parametrize("protocol", ["oip+http"])
@pytest.mark.parametrize(
    ("status", "words", "error", "said"),
    [
        (400, {"error": "Model sum is not ready yet."}, NotReady, "not ready yet"),
        (503, {"error": "Exceeds maximum queue size"}, Overloaded, "maximum queue size"),
        (503, "Request dropped due to backpressure (max_queued_requests=1).", Overloaded,
         "due to backpressure"),
        (503, {"error": "it is loading"}, NotReady, "it is loading"),
        (500, "Traceback:\n  /srv/model.py", ModelFailed, r"failed \(500\)$"),
        (501, {"error": "no versions here"}, BadModel, "no versions here"),
        (422, {"detail": [{"loc": ["body", "inputs"], "msg": "Field required"}]}, BadInput,
         "body.inputs: Field required"),
        (500, {"error": "it broke\n\nAt:\n  /srv/model.py"}, ModelFailed, "it broke$"),
    ],
)  # fmt: skip
async def test_the_words_of_a_refusal_tell_what_its_status_does_not(
    protocol: str,
    status: int,
    words: Any,
    error: type[Exception],
    said: str,
    server: Elsewhere,
    desk: Desk,
) -> None:
    server.status, server.words = status, words
    with pytest.raises(error, match=said):
        await desk.ask(protocol, server.url)


@alike
@pytest.mark.parametrize(("idempotent", "times"), [(True, 2), (False, 1)])
async def test_only_what_may_be_asked_twice_is_asked_once_more(
    protocol: str, idempotent: bool, times: int, server: Elsewhere, tmp_path: Path
) -> None:
    server.status = 502
    async with Desk(tmp_path, idempotent=idempotent) as desk:
        with pytest.raises(WorkerLost):
            await desk.ask(protocol, server.url)
    assert len(server.asked) == times


@alike
async def test_a_server_that_hangs_costs_no_more_than_its_share(
    protocol: str, server: Elsewhere, desk: Desk
) -> None:
    server.waits = asyncio.Event()
    with pytest.raises(DeadlineExceeded):
        await desk.ask(protocol, server.url, deadline_s=0.5)
    server.waits.set()


@alike
async def test_a_server_that_failed_five_times_is_left_alone_for_half_a_minute(
    protocol: str, server: Elsewhere, desk: Desk
) -> None:
    server.status = 500
    for _ in range(5):
        with pytest.raises(ModelFailed):
            await desk.ask(protocol, server.url)
    with pytest.raises(NotReady, match="left alone for 30 s"):
        await desk.ask(protocol, server.url)
    assert len(server.asked) == 5
    desk.now, server.status = 31.0, None
    assert await desk.ask(protocol, server.url) == [3.0, 7.5]


@alike
async def test_a_private_address_is_reached_only_where_it_is_listed(
    protocol: str, server: Elsewhere, tmp_path: Path
) -> None:
    async with Desk(tmp_path, allow="127.0.0.1:1") as desk:
        with pytest.raises(BadModel, match="OUTCRY_OUTBOUND_ALLOW"):
            await desk.ask(protocol, server.url)
    assert server.asked == []


def test_address_and_bundle_must_say_the_same() -> None:
    check_place(bundle(), "oip+http://models.example.org/sum")
    check_place(bundle(), "oip+grpc://models.example.org:8080/sum/versions/2")
    with pytest.raises(BadModel, match="needs the model's deploymentUrl"):
        check_place(bundle(), None)
    for wrong in (
        "http://h/sum", "oip+http://h/", "oip+http://h/a/b", "oip+http://h/sum?x=1",
        "ray+grpc://h/sum", "oip+grpc://h/v2/models/sum", "tfs+grpcs://h/",
    ):  # fmt: skip
        with pytest.raises(BadModel, match="deploymentUrl"):
            check_place(bundle(), wrong)
    with pytest.raises(BadModel, match="options of remote"):
        check_place(bundle(nothing=1), "oip+http://h/sum")
