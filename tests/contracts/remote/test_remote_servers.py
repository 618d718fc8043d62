"""Every protocol of models elsewhere, over real sockets and the desk's own guard: alike."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from aiohttp import web

from app.security.outbound import Allowed
from app.wiring.remote import GuardedLine
from inference.bundle import BUNDLE_FILE, Bundle, Head, InputColumn, Member
from inference.engine.remote import RoutedEngine, check_place
from inference.errors import (
    BadInput,
    BadModel,
    DeadlineExceeded,
    ModelFailed,
    NotReady,
    Overloaded,
    WorkerLost,
)
from inference.requests import Answers, Rows

PROTOCOLS = ("oip", "tfs", "torchserve", "ray")
ROWS = Rows(("x", "y"), np.array([[1.0, 2.0], [3.0, 4.5]]))
Answer = Callable[["Elsewhere", int], web.Response | Awaitable[web.StreamResponse]]


class Elsewhere:
    """A server that adds up two columns and speaks all the protocols as the real ones do."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.ready = True
        self.width = 2
        self.answer: Answer | None = None
        self.url = ""

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_get("/-/healthz", self._said("success"))
        app.router.add_get("/ping", self._ping)
        app.router.add_get("/v2/models/sum/ready", self._ready)
        app.router.add_get("/v2/models/sum", self._metadata)
        app.router.add_post("/v2/models/sum/infer", self._infer)
        app.router.add_get("/v1/models/sum", self._status)
        app.router.add_get("/v1/models/sum/metadata", self._signatures)
        app.router.add_post("/v1/models/sum:predict", self._predict)
        app.router.add_post("/predictions/sum", self._predict)
        return app

    @staticmethod
    def _said(text: str) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def said(_: web.Request) -> web.Response:
            return web.Response(text=text)

        return said

    async def _ping(self, _: web.Request) -> web.Response:
        word = "Healthy" if self.ready else "Partial Healthy"
        return web.json_response({"status": word}, status=200 if self.ready else 500)

    async def _ready(self, _: web.Request) -> web.Response:
        return web.Response(status=200 if self.ready else 400)

    async def _metadata(self, _: web.Request) -> web.Response:
        return web.json_response(
            {
                "name": "sum", "versions": ["1"], "platform": "python",
                "inputs": [{"name": "INPUT", "datatype": "FP32", "shape": [-1, self.width]}],
                "outputs": [{"name": "OUTPUT", "datatype": "FP32", "shape": [-1, 1]}],
            }
        )  # fmt: skip

    async def _status(self, _: web.Request) -> web.Response:
        state = "AVAILABLE" if self.ready else "LOADING"
        status = {"error_code": "OK", "error_message": ""}
        return web.json_response(
            {"model_version_status": [{"version": "1", "state": state, "status": status}]}
        )

    async def _signatures(self, _: web.Request) -> web.Response:
        shape = {"dim": [{"size": "-1", "name": ""}, {"size": str(self.width), "name": ""}]}
        inputs = {"x": {"dtype": "DT_FLOAT", "tensor_shape": shape, "name": "serve_x:0"}}
        outputs = {"out": {"dtype": "DT_FLOAT", "tensor_shape": shape, "name": "call:0"}}
        one = {"inputs": inputs, "outputs": outputs, "method_name": "tensorflow/serving/predict"}
        return web.json_response(
            {
                "model_spec": {"name": "sum", "signature_name": "", "version": "1"},
                "metadata": {"signature_def": {"signature_def": {"serving_default": one}}},
            }
        )

    async def _infer(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body)
        if self.answer is not None:
            return await self._other(body["inputs"][0]["shape"][0])
        tensor = body["inputs"][0]
        given = np.array(tensor["data"]).reshape(tensor["shape"])
        return web.json_response(oip(given.sum(axis=1).tolist(), id=body["id"]))

    async def _predict(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.asked.append(body)
        if self.answer is not None:
            return await self._other(len(body["instances"]))
        return web.json_response({"predictions": [[sum(one)] for one in body["instances"]]})

    async def _other(self, rows: int) -> web.StreamResponse:
        assert self.answer is not None
        found = self.answer(self, rows)
        return found if isinstance(found, web.Response) else await found


def oip(values: list[Any], **more: Any) -> dict[str, Any]:
    output = {"name": "OUTPUT", "datatype": "FP32", "shape": [len(values), 1], "data": values}
    return {"model_name": "sum", "model_version": "1", "outputs": [output], **more}


def either(values: list[Any]) -> web.Response:
    """Answer in both forms at once: each adapter reads its own."""
    return web.Response(
        text=json.dumps({**oip(values), "predictions": values}), content_type="application/json"
    )


@asynccontextmanager
async def serving() -> AsyncIterator[Elsewhere]:
    server = Elsewhere()
    runner = web.AppRunner(server.app())
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server.url = f"127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield server
    finally:
        await runner.cleanup()


@pytest.fixture
async def server() -> AsyncIterator[Elsewhere]:
    async with serving() as opened:
        yield opened


def bundle(**options: Any) -> Bundle:
    return Bundle(
        name="sum", recipe="imported", task="sum", model_type="regression",
        framework="scikit_learn", inputs=(InputColumn(name="x"), InputColumn(name="y")),
        members=(
            Member(name="away", runtime="remote", columns=("x", "y"), options=options),
        ),
        head=Head(kind="value"),
    )  # fmt: skip


class Nobody:
    """An engine that must not be asked."""

    async def predict(self, *_: Any, **__: Any) -> Answers:
        raise AssertionError("it was asked here")


class Desk:
    """An engine whose models run elsewhere, and a clock for its breakers."""

    def __init__(self, folder: Path, *, allow: str = "127.0.0.1:*", **options: Any) -> None:
        (folder / BUNDLE_FILE).write_bytes(msgspec.json.encode(bundle(**options)))
        self.now = 0.0
        self.engine = RoutedEngine(
            Nobody(), lambda _: folder, GuardedLine(Allowed.read([allow])), clock=lambda: self.now
        )

    async def ask(self, protocol: str, url: str, *, deadline_s: float = 4.0) -> list[float]:
        answers = await self.engine.predict(
            f"d1@{protocol}+http://{url}/sum", ROWS, deadline_s=deadline_s
        )
        assert isinstance(answers.values, np.ndarray)
        return list(answers.values)


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_rows_go_out_together_and_come_back_in_order(
    protocol: str, server: Elsewhere, tmp_path: Path
) -> None:
    assert await Desk(tmp_path).ask(protocol, server.url) == [3.0, 7.5]
    assert len(server.asked) == 1


@pytest.mark.parametrize("protocol", ["oip", "tfs", "ray"])
async def test_a_server_that_takes_something_else_is_not_asked(
    protocol: str, server: Elsewhere, tmp_path: Path
) -> None:
    server.width = 3
    with pytest.raises(BadModel, match="has 3 columns; the bundle gives 2"):
        await Desk(tmp_path).ask(protocol, server.url)
    assert server.asked == []


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_server_that_is_not_ready_is_told_apart_from_one_that_is_gone(
    protocol: str, server: Elsewhere, tmp_path: Path
) -> None:
    server.ready = False
    with pytest.raises(NotReady):
        await Desk(tmp_path).ask(protocol, server.url)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with pytest.raises(WorkerLost, match="cannot be reached"):
            await Desk(tmp_path).ask(protocol, f"127.0.0.1:{taken.getsockname()[1]}")


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("values", "said"),
    [([1.0], "for 2 rows|gave 1"), ([1.0, float("nan")], "NaN"), ([1.0, "one"], "numbers|shape")],
)
async def test_nonsense_is_refused(
    protocol: str, values: list[Any], said: str, server: Elsewhere, tmp_path: Path
) -> None:
    server.answer = lambda _, rows: either(values)
    with pytest.raises(ModelFailed, match=said):
        await Desk(tmp_path).ask(protocol, server.url)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    ("status", "error"),
    [(429, Overloaded), (404, WorkerLost), (400, BadInput), (500, ModelFailed), (403, BadModel)],
)
async def test_refusals_are_typed(
    protocol: str, status: int, error: type[Exception], server: Elsewhere, tmp_path: Path
) -> None:
    server.answer = lambda _, rows: web.json_response({"error": "no"}, status=status)
    with pytest.raises(error):
        await Desk(tmp_path).ask(protocol, server.url)


@pytest.mark.parametrize(("idempotent", "times"), [(True, 2), (False, 1)])
@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_only_what_may_be_asked_twice_is_asked_once_more(
    protocol: str, idempotent: bool, times: int, server: Elsewhere, tmp_path: Path
) -> None:
    server.answer = lambda _, rows: web.Response(status=502)
    with pytest.raises(WorkerLost):
        await Desk(tmp_path, idempotent=idempotent).ask(protocol, server.url)
    assert len(server.asked) == times


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_a_server_that_hangs_costs_no_more_than_its_share(
    protocol: str, server: Elsewhere, tmp_path: Path
) -> None:
    let_go = asyncio.Event()

    async def hang() -> web.Response:
        await let_go.wait()
        return web.Response()

    server.answer = lambda _, rows: hang()
    with pytest.raises(DeadlineExceeded):
        await Desk(tmp_path).ask(protocol, server.url, deadline_s=0.5)
    let_go.set()


async def test_a_server_that_failed_five_times_is_left_alone_for_half_a_minute(
    server: Elsewhere, tmp_path: Path
) -> None:
    desk = Desk(tmp_path)
    server.answer = lambda _, rows: web.Response(status=500)
    for _ in range(5):
        with pytest.raises(ModelFailed):
            await desk.ask("oip", server.url)
    with pytest.raises(NotReady, match="left alone for 30 s"):
        await desk.ask("oip", server.url)
    assert len(server.asked) == 5
    desk.now, server.answer = 31.0, None
    assert await desk.ask("oip", server.url) == [3.0, 7.5]


async def test_a_private_address_is_reached_only_where_it_is_listed(
    server: Elsewhere, tmp_path: Path
) -> None:
    with pytest.raises(BadModel, match="OUTCRY_OUTBOUND_ALLOW"):
        await Desk(tmp_path, allow="127.0.0.1:1").ask("oip", server.url)
    assert server.asked == []


def test_address_and_bundle_must_say_the_same() -> None:
    check_place(bundle(), "oip+http://models.example.org/sum")
    with pytest.raises(BadModel, match="needs the model's deploymentUrl"):
        check_place(bundle(), None)
    for wrong in ("http://h/sum", "oip+http://h/", "oip+http://h/a/b", "oip+http://h/sum?x=1"):
        with pytest.raises(BadModel, match="deploymentUrl"):
            check_place(bundle(), wrong)
    with pytest.raises(BadModel, match="options of remote"):
        check_place(bundle(nothing=1), "oip+http://h/sum")
