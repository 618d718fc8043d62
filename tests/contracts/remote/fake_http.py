"""A server that adds up columns and speaks every HTTP protocol as the real ones do."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
from aiohttp import web


class Elsewhere:
    """How it behaves is set from outside; so it is with the gRPC server of `fake_rpc.py`."""

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.ready = True
        self.width = 2
        self.values: list[Any] | None = None
        """It answers with these instead of the sums."""
        self.status: int | None = None
        """It refuses with this; a gRPC server with what stands for it, and hangs up for 502."""
        self.words: Any = {"error": "no"}
        """The body of a refusal over HTTP."""
        self.waits: asyncio.Event | None = None
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

    async def _infer(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.asked.append(body)
        if (other := await self._other()) is not None:
            return other
        tensor = body["inputs"][0]
        given = np.array(tensor["data"]).reshape(tensor["shape"])
        return web.json_response(oip(given.sum(axis=1).tolist(), id=body["id"]))

    async def _predict(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.asked.append(body)
        if (other := await self._other()) is not None:
            return other
        return web.json_response({"predictions": [[sum(one)] for one in body["instances"]]})

    async def _other(self) -> web.Response | None:
        if self.waits is not None:
            await self.waits.wait()
        if self.status is not None:
            if isinstance(self.words, str):
                return web.Response(text=self.words, status=self.status)
            return web.json_response(self.words, status=self.status)
        if self.values is not None:
            # In both forms at once: each adapter reads its own.
            both = {**oip(self.values), "predictions": self.values}
            return web.Response(text=json.dumps(both), content_type="application/json")
        return None


def oip(values: list[Any], **more: Any) -> dict[str, Any]:
    output = {"name": "OUTPUT", "datatype": "FP32", "shape": [len(values), 1], "data": values}
    return {"model_name": "sum", "model_version": "1", "outputs": [output], **more}


@asynccontextmanager
async def serving_http() -> AsyncIterator[Elsewhere]:
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
