"""The Open Inference Protocol v2 over HTTP: clients of Triton, KServe and MLServer may call us.

`/v2`, its health, the metadata of a model and `/infer`, as JSON or with binary tensors. Nothing is
stored. Who asks is told by the middleware and guards that are passed in, the same as everywhere.
"""

from collections.abc import Callable, Sequence
from http import HTTPStatus
from typing import Any

import msgspec
from litestar import Controller, Request, Response, Router, get, post
from litestar.di import NamedDependency, Provide
from litestar.exceptions import HTTPException
from litestar.params import FromPath
from litestar.types import Middleware

from app.domain.errors import Refusal
from app.doors.tensors import metadata_of, read_request, response_of, rows_of
from app.services.model_calls import DEADLINE_S, LONGEST_S, ModelCalls, ServedModel
from inference.errors import (
    BadInput,
    DeadlineExceeded,
    InferenceError,
    MissingFramework,
    NotAnswered,
    Overloaded,
)

PATH = "/v2"
MAX_BODY = 16 * 1024 * 1024
_JSON_LENGTH = "inference-header-content-length"
_EXTENSIONS = ["binary_tensor_data"]

AnyRequest = Request[Any, Any, Any]


def _answer(body: object, status: int = 200, **headers: str) -> Response[bytes]:
    return Response(
        msgspec.json.encode(body),
        status_code=status,
        media_type="application/json",
        headers={"Cache-Control": "no-store", **headers},
    )


def _refused(status: int, words: str, *, retry_after_s: float | None = None) -> Response[bytes]:
    if retry_after_s is None:
        return _answer({"error": words}, status)
    return _answer({"error": words}, status, **{"Retry-After": str(max(1, round(retry_after_s)))})


def of_refusal(_: AnyRequest, refusal: Refusal) -> Response[bytes]:
    """Answer a refusal of the desk in the protocol's shape."""
    response = _refused(refusal.status, refusal.message, retry_after_s=refusal.retry_after_s)
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = 'Bearer realm="outcry"'
    return response


def of_inference(_: AnyRequest, error: InferenceError) -> Response[bytes]:
    """Answer what the engine says in the protocol's shape."""
    match error:
        case BadInput():
            return _refused(400, f"{error}.")
        case Overloaded():
            return _refused(503, f"{error}.", retry_after_s=error.retry_after_s)
        case DeadlineExceeded():
            return _refused(504, f"{error}.")
        case NotAnswered():
            return _refused(503, f"{error}.", retry_after_s=1.0)
        case MissingFramework():
            return _refused(501, str(error))
    return _refused(409, f"{error}.")


def of_framework(_: AnyRequest, error: HTTPException) -> Response[bytes]:
    """Answer what the web framework refused."""
    return _refused(error.status_code, error.detail)


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
            return await _infer(request, calls, served)

    return Router(
        PATH,
        route_handlers=[ServerController, ModelController],
        middleware=list(middleware),
        dependencies={"calls": Provide(lambda: calls, sync_to_thread=False)},
        exception_handlers={
            Refusal: of_refusal,
            InferenceError: of_inference,
            HTTPException: of_framework,
        },
        security=[{"session": []}, {"apiKey": []}],
    )


def _version(request: AnyRequest) -> str | None:
    version: str | None = request.path_params.get("version")
    return version


async def _infer(request: AnyRequest, calls: ModelCalls, served: ServedModel) -> Response[bytes]:
    body = memoryview(await request.body())
    length = _json_length(request, len(body))
    try:
        asked = read_request(body[:length])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
        raise BadInput(f"the request is not understood: {wrong}") from None
    rows = rows_of(asked, served.bundle, body[length:])
    answers = await calls.ask(served, rows, **_wishes(asked.parameters))
    data, tail = response_of(asked, answers, name=served.card.name, version=served.card.version)
    if not tail:
        return Response(data, media_type="application/json", headers={"Cache-Control": "no-store"})
    headers = {"Cache-Control": "no-store", "Inference-Header-Content-Length": str(len(data))}
    return Response(data + tail, media_type="application/octet-stream", headers=headers)


def _json_length(request: AnyRequest, body: int) -> int:
    given = request.headers.get(_JSON_LENGTH)
    if given is None:
        return body
    if not given.isdecimal() or int(given) > body:
        raise BadInput(f"Inference-Header-Content-Length is {given[:20]!r} for {body:,} bytes")
    return int(given)


def _wishes(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return deadline, priority and explanation, as far as they are given."""
    deadline_s = parameters.get("deadline_s", DEADLINE_S)
    if isinstance(deadline_s, bool) or not isinstance(deadline_s, int | float):
        raise BadInput("the parameter deadline_s must be a number of seconds")
    if not 0.0 < deadline_s <= LONGEST_S:
        raise BadInput(f"the parameter deadline_s must be above 0 and at most {LONGEST_S:g}")
    priority = parameters.get("priority", "interactive")
    if priority not in ("interactive", "batch"):
        raise BadInput("the parameter priority must be 'interactive' or 'batch'")
    explain = parameters.get("explain", False)
    if not isinstance(explain, bool):
        raise BadInput("the parameter explain must be true or false")
    return {"deadline_s": float(deadline_s), "priority": priority, "explain": explain}
