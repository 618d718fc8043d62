"""Answer one `/infer` of the Open Inference Protocol: bytes in, bytes out.

Knows no framework: `open_inference` and `direct_infer` bring the bytes and take the reply.
"""

from typing import Any, NamedTuple

import msgspec
import structlog

from app.domain.errors import Refusal
from app.domain.ids import UserId
from app.doors.tensors import read_request, response_of, rows_of
from app.services.models.model_calls import DEADLINE_S, LONGEST_S, ModelCalls, ServedModel
from inference.errors import (
    BadInput,
    DeadlineExceeded,
    InferenceError,
    MissingFramework,
    NotAnswered,
    Overloaded,
)

log = structlog.get_logger(__name__)

JSON_LENGTH = "inference-header-content-length"
_JSON = "application/json"


class Reply(NamedTuple):
    """What goes back."""

    body: bytes
    status: int = 200
    media_type: str = _JSON
    headers: tuple[tuple[str, str], ...] = ()
    """Besides content type and length; nothing of it is ever to be kept in a cache."""


async def answer(
    calls: ModelCalls,
    served: ServedModel,
    body: bytes,
    *,
    json_length: str | None,
    user_id: UserId | None,
) -> Reply:
    """Ask a model.

    Args:
        json_length: the header that says where binary tensors begin.
        user_id: who pays for what the model uses of language models.

    Raises:
        Refusal: the caller may not.
        InferenceError: the request does not fit, or the model could not answer.
    """
    whole = memoryview(body)
    length = len(body) if json_length is None else _length(json_length, len(body))
    try:
        asked = read_request(whole[:length])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as wrong:
        raise BadInput(f"the request is not understood: {wrong}") from None
    rows = rows_of(asked, served, whole[length:])
    answers = await calls.ask(served, rows, user_id=user_id, **_wishes(asked.parameters))
    data, tail = response_of(asked, answers, name=served.card.name, version=served.card.version)
    if not tail:
        return Reply(data)
    headers = (("Inference-Header-Content-Length", str(len(data))),)
    return Reply(data + tail, media_type="application/octet-stream", headers=headers)


def _length(given: str, body: int) -> int:
    if not given.isdecimal() or int(given) > body:
        raise BadInput(f"Inference-Header-Content-Length is {given[:20]!r} for {body:,} bytes")
    return int(given)


def _wishes(parameters: dict[str, Any]) -> dict[str, Any]:
    """Return deadline, priority and explanation, as far as they are given."""
    if not parameters:
        return {}
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


def refused(status: int, words: str, **headers: str) -> Reply:
    """Return a refusal in the protocol's shape."""
    return Reply(msgspec.json.encode({"error": words}), status, headers=tuple(headers.items()))


def of_refusal(refusal: Refusal) -> Reply:
    """Answer a refusal of the desk."""
    headers = _again(refusal.retry_after_s)
    if refusal.status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="outcry"'
    return refused(refusal.status, refusal.message, **headers)


def of_inference(error: InferenceError) -> Reply:
    """Answer what the engine says."""
    match error:
        case BadInput():
            return refused(400, f"{error}.")
        case Overloaded():
            return refused(503, f"{error}.", **_again(error.retry_after_s))
        case DeadlineExceeded():
            return refused(504, f"{error}.")
        case NotAnswered():
            return refused(503, f"{error}.", **_again(1.0))
        case MissingFramework():
            return refused(501, str(error))
    return refused(409, f"{error}.")


def of_crash(path: str, error: Exception) -> Reply:
    """Answer what nobody foresaw: the log gets the traceback, the client a sentence."""
    log.error("infer.crashed", path=path, exc_info=error)
    return refused(500, "Something went wrong here; it was logged.")


def _again(seconds: float | None) -> dict[str, str]:
    return {} if seconds is None else {"Retry-After": str(max(1, round(seconds)))}
