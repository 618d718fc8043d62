"""The Open Inference Protocol v2 over HTTP: clients of Triton, KServe and MLServer may call us.

`/v2`, its health, the metadata of a model and `/infer`, as JSON or with binary tensors. Nothing is
stored but what a model used of a language model. Who asks is told by the middleware and guards that
are passed in, the same as everywhere.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from litestar import Controller, Request, Response, Router, get, post
from litestar.di import NamedDependency, Provide
from litestar.exceptions import HTTPException
from litestar.params import FromPath
from litestar.types import Middleware

from app.domain.errors import Refusal
from app.domain.principal import Principal
from app.doors.infer import (
    JSON_LENGTH,
    Reply,
    answer,
    of_crash,
    of_inference,
    of_refusal,
    refused,
)
from app.doors.tensors import metadata_of
from app.services.models.model_calls import ModelCalls
from inference.errors import InferenceError

PATH = "/v2"
MAX_BODY = 16 * 1024 * 1024
_EXTENSIONS = ["binary_tensor_data"]

AnyRequest = Request[Any, Any, Any]


def _answer(body: object, status: int = 200) -> Response[bytes]:
    return _response(Reply(msgspec.json.encode(body), status))


def _response(reply: Reply) -> Response[bytes]:
    return Response(
        reply.body,
        status_code=reply.status,
        media_type=reply.media_type,
        headers={"Cache-Control": "no-store", **dict(reply.headers)},
    )


def _of_refusal(_: AnyRequest, refusal: Refusal) -> Response[bytes]:
    return _response(of_refusal(refusal))


def _of_inference(_: AnyRequest, error: InferenceError) -> Response[bytes]:
    return _response(of_inference(error))


def _of_framework(_: AnyRequest, error: HTTPException) -> Response[bytes]:
    return _response(refused(error.status_code, error.detail))


def _of_crash(request: AnyRequest, error: Exception) -> Response[bytes]:
    return _response(of_crash(request.scope["path"], error))


def open_inference(
    calls: ModelCalls,
    *,
    version: str,
    middleware: Sequence[Middleware],
    may_ask: Callable[..., Any],
    anyone: Callable[..., Any],
) -> Router:
    """Return the door: `may_ask` guards models, `anyone` what says nothing about them."""

    class ServerController(Controller):
        """What says nothing about models."""

        guards = (anyone,)
        tags = ("Open Inference Protocol",)

        @get("/", summary="Which server this is")
        async def server(self) -> Response[bytes]:
            """Return name, version and extensions."""
            return _answer({"name": "outcry", "version": version, "extensions": _EXTENSIONS})

        @get("/health/live", summary="Is the server alive?")
        async def live(self) -> Response[bytes]:
            """Return 200 as long as the server can answer at all."""
            return _answer({"live": True})

        @get("/health/ready", summary="Can models be asked?")
        async def ready(self, calls: NamedDependency[ModelCalls]) -> Response[bytes]:
            """Return 200 when the engine can answer, else 503."""
            fine = await calls.is_ready()
            return _answer({"ready": fine}, 200 if fine else 503)

    class ModelController(Controller):
        """Models by name, in the version that serves."""

        path = "/models/{name:str}"
        guards = (may_ask,)
        tags = ("Open Inference Protocol",)

        @get(["/", "/versions/{version:str}"], summary="What a model takes and gives")
        async def metadata(
            self, request: AnyRequest, name: FromPath[str], calls: NamedDependency[ModelCalls]
        ) -> Response[bytes]:
            """Return inputs and outputs."""
            served = await calls.find(name, _version(request))
            return _answer(metadata_of(served.bundle, name=name, version=served.card.version))

        @get(["/ready", "/versions/{version:str}/ready"], summary="Can this model be asked?")
        async def model_ready(
            self, request: AnyRequest, name: FromPath[str], calls: NamedDependency[ModelCalls]
        ) -> Response[bytes]:
            """Return 200 when it serves and the engine can answer, else 503."""
            served = await calls.find(name, _version(request))
            fine = await calls.is_ready()
            return _answer(
                {"name": name, "version": served.card.version, "ready": fine}, 200 if fine else 503
            )

        @post(
            ["/infer", "/versions/{version:str}/infer"],
            status_code=200,
            request_max_body_size=MAX_BODY,
            summary="Ask a model",
        )
        async def infer(
            self, request: AnyRequest, name: FromPath[str], calls: NamedDependency[ModelCalls]
        ) -> Response[bytes]:
            """Return the model's outputs for some rows."""
            served = await calls.find(name, _version(request))
            length = request.headers.get(JSON_LENGTH)
            who: Principal | None = request.scope.get("user")
            return _response(
                await answer(
                    calls,
                    served,
                    await request.body(),
                    json_length=length,
                    user_id=None if who is None else who.user_id,
                )
            )

    return Router(
        PATH,
        route_handlers=[ServerController, ModelController],
        middleware=list(middleware),
        dependencies={"calls": Provide(lambda: calls, sync_to_thread=False)},
        exception_handlers={
            Refusal: _of_refusal,
            InferenceError: _of_inference,
            HTTPException: _of_framework,
            Exception: _of_crash,
        },
        security=[{"session": []}, {"apiKey": []}],
    )


def _version(request: AnyRequest) -> str | None:
    version: str | None = request.path_params.get("version")
    return version
