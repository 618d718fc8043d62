"""Every refusal and every failure as an RFC 9457 problem, and nothing of how we are built.

`code` is stable and for programs, `type` is the same as a URN, `detail` is one sentence for a
person.
"""

from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from litestar import Request, Response
from litestar.exceptions import ClientException, HTTPException, ValidationException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.types import ExceptionHandlersMap

from app.domain.errors import Refusal
from app.rest.requests import parameter_names
from inference.errors import InferenceError, Overloaded

log = structlog.get_logger(__name__)

MEDIA_TYPE = "application/problem+json"

_CODES = {
    400: "invalid",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid",
    429: "too_fast",
    503: "unavailable",
}


class Problem(msgspec.Struct, frozen=True):
    """What stands in the body of every answer from 400 on."""

    type: str
    title: str
    status: int
    detail: str
    code: str


def problem(status: int, code: str, detail: str, **headers: str) -> Response[bytes]:
    """Return an answer that says what is wrong."""
    body = Problem(
        type=f"urn:outcry:problem:{code}",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        code=code,
    )
    return Response(
        content=msgspec.json.encode(body),
        status_code=status,
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", **headers},
    )


def of_refusal(_: Request[Any, Any, Any], refusal: Refusal) -> Response[bytes]:
    """Answer a refusal of ours."""
    headers = {}
    if refusal.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, round(refusal.retry_after_s)))
    if refusal.status == HTTPStatus.UNAUTHORIZED:
        headers["WWW-Authenticate"] = 'Bearer realm="outcry"'
    return problem(refusal.status, refusal.code, refusal.message, **headers)


_INFERENCE = {
    "bad_model": 422,
    "unsafe_artifact": 422,
    "bad_input": 422,
    "not_allowed": 409,
    "missing_framework": 501,
    "damaged_artifact": 503,
    "overloaded": 503,
    "deadline_exceeded": 504,
    "worker_lost": 503,
    "model_failed": 502,
}


def of_inference(_: Request[Any, Any, Any], error: InferenceError) -> Response[bytes]:
    """Answer what the prediction engine reports."""
    headers = {}
    if isinstance(error, Overloaded):
        headers["Retry-After"] = str(max(1, round(error.retry_after_s)))
    told = str(error)
    return problem(
        _INFERENCE.get(error.code, 503), error.code, f"{told[:1].upper()}{told[1:]}.", **headers
    )


def of_framework(request: Request[Any, Any, Any], error: HTTPException) -> Response[bytes]:
    """Answer what the framework itself refused."""
    status = error.status_code
    if isinstance(error, ValidationException) or (
        type(error) is ClientException and status == HTTPStatus.BAD_REQUEST
    ):
        return problem(422, "invalid", _validation_detail(request, error))
    if isinstance(error, RequestEntityTooLarge):
        return problem(413, "too_large", _size_detail(request))
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return of_crash(request, error)
    detail = {
        404: "There is nothing here.",
        405: f"{request.method} is not possible here.",
    }.get(status, error.detail)
    allowed = (error.headers or {}).get("allow")
    headers = {} if allowed is None else {"Allow": allowed}
    return problem(status, _CODES.get(status, "refused"), detail, **headers)


def of_crash(request: Request[Any, Any, Any], error: Exception) -> Response[bytes]:
    """Answer what nobody foresaw: the log gets the traceback, the client a sentence."""
    log.error("rest.crashed", method=request.method, path=request.scope["path"], exc_info=error)
    return problem(500, "internal_error", "Something went wrong here; it was logged.")


def _validation_detail(request: Request[Any, Any, Any], error: HTTPException) -> str:
    """Say which parameters are wrong, by the names that clients know."""
    if not isinstance(error.extra, list):
        return f"{error.detail.partition(' for path')[0]}."
    named = parameter_names(request.route_handler)
    said = []
    for one in error.extra:
        key, message = str(one.get("key", "")), str(one.get("message", ""))
        if key == "data":
            return "This needs a JSON body."
        name = named.get(key, key)
        wanted = _whole_number(request, key)
        said.append(f"`{name}` must be {wanted}" if wanted else f"`{name}`: {message}")
    return "; ".join(said) + "."


def _whole_number(request: Request[Any, Any, Any], key: str) -> str:
    """Return which whole numbers a parameter takes; empty when it takes something else."""
    parameter = request.route_handler.parsed_fn_signature.parameters.get(key)
    if parameter is None or parameter.annotation is not int:
        return ""
    limits = parameter.kwarg_definition
    least, most = getattr(limits, "ge", None), getattr(limits, "le", None)
    if least is None:
        return "a whole number"
    return f"a whole number from {least:g}" + (f" to {most:,g}" if most is not None else "")


def _size_detail(request: Request[Any, Any, Any]) -> str:
    limit = request.route_handler.resolve_request_max_body_size()
    sent = request.headers.get("content-length", "")
    has = f"; this one has {int(sent):,}" if sent.isascii() and sent.isdecimal() else ""
    return f"A request body may have {limit:,} bytes{has}."


EXCEPTION_HANDLERS: ExceptionHandlersMap = {
    Refusal: of_refusal,
    InferenceError: of_inference,
    HTTPException: of_framework,
    Exception: of_crash,
}
