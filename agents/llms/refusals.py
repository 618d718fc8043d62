"""Read a provider's refusal, or a connection's failure: which error of ours it is, what to tell.

Pure. Providers word their errors alike enough for one reader: an HTTP status, a body with
`error.message`, `error.type` and `error.code`, and sometimes a time to wait.
"""

import errno
import socket
import ssl
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import msgspec

from agents.errors import (
    LLMError,
    LLMNotFound,
    LLMRateLimited,
    LLMRejected,
    LLMUnauthorized,
    LLMUnavailable,
)
from agents.llms.text import clean_text

_MAX_MESSAGE = 500
_OUT_OF_CREDIT = ("insufficient_quota", "billing", "credit balance")
_BY_WORD: tuple[tuple[str, type[LLMError]], ...] = (
    ("rate_limit", LLMRateLimited),
    ("authentication", LLMUnauthorized),
    ("permission", LLMUnauthorized),
    ("invalid_api_key", LLMUnauthorized),
    ("not_found", LLMNotFound),
    ("invalid_request", LLMRejected),
    ("badrequest", LLMRejected),
    ("content_filter", LLMRejected),
    ("context_length", LLMRejected),
)
"""What an error inside a stream calls itself; anything else may pass and counts as unavailable."""

_CONNECTION = {
    errno.ECONNREFUSED: "connection refused",
    errno.ECONNRESET: "it closed the connection",
    errno.ECONNABORTED: "it closed the connection",
    errno.EPIPE: "it closed the connection",
    errno.ENETUNREACH: "there is no way to its network",
    errno.EHOSTUNREACH: "there is no way to it",
    errno.ENETDOWN: "this machine has no network",
    errno.ETIMEDOUT: "it did not answer in time",
    errno.EMFILE: "this machine has too many files open",
}
"""What the system's error numbers mean to a person."""


class Refusal(msgspec.Struct, frozen=True):
    """What a provider said about a failure."""

    message: str = ""
    kind: str = ""
    """Its `type` and `code`, lower case, joined."""
    status: int | None = None


def read_refusal(body: bytes) -> Refusal:
    """Return what an error body says, however much of it can be read."""
    try:
        return refusal_of(msgspec.json.decode(body))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return Refusal(message=body[:_MAX_MESSAGE].decode("utf-8", "replace"))


def refusal_of(value: Any) -> Refusal:
    """Return what a decoded error value says: `{"error": {...}}`, the inside of it, or a text."""
    inner = value.get("error", value) if isinstance(value, dict) else value
    if not isinstance(inner, dict):
        return Refusal(message=str(inner))
    kind = " ".join(str(inner[key]) for key in ("type", "code") if inner.get(key)).lower()
    code = inner.get("code", inner.get("status"))
    message = inner.get("message") or inner.get("detail") or ""
    status = code if isinstance(code, int) and 400 <= code < 600 else None
    return Refusal(message=str(message), kind=kind, status=status)


def refused(
    label: str,
    refusal: Refusal,
    *,
    status: int | None = None,
    headers: Mapping[str, str] | None = None,
    secret: str = "",
    started: bool = False,
    streamed_characters: int = 0,
) -> LLMError:
    """Return the error for a refusal by `label`; `secret` never appears in it."""
    status = status if status is not None else refusal.status
    kind = _kind(status, refusal)
    said = clean_text(refusal.message).strip()
    if secret:
        said = said.replace(secret, "(key)")
    said = said[:_MAX_MESSAGE]
    if kind is LLMUnauthorized:
        # Providers quote parts of the key in these.
        said = "the key is missing, wrong or not allowed to use this model"
    where = f" (HTTP {status})" if status is not None else ""
    return kind(
        f"{label} refused{where}: {said or 'no reason given'}",
        started=started,
        status=status,
        retry_after_s=retry_after(headers) if headers else None,
        streamed_characters=streamed_characters,
    )


def _kind(status: int | None, refusal: Refusal) -> type[LLMError]:
    words = f"{refusal.kind} {refusal.message.lower()}" if status == 429 else refusal.kind
    if any(word in words for word in _OUT_OF_CREDIT):
        return LLMRejected
    match status:
        case 401 | 403:
            return LLMUnauthorized
        case 404:
            return LLMNotFound
        case 429:
            return LLMRateLimited
        case 408 | 409 | 425:
            return LLMUnavailable
        case int() if 300 <= status < 500:
            return LLMRejected
        case int():
            return LLMUnavailable
    for word, kind in _BY_WORD:
        if word in refusal.kind:
            return kind
    return LLMUnavailable


def unreachable(error: BaseException) -> str:
    """Return in a few words why no connection came about, without a name of code."""
    cause: BaseException | None = getattr(error, "certificate_error", None) or error
    if isinstance(cause, aiohttp.ClientConnectorError):
        cause = cause.os_error
    if isinstance(cause, (ssl.SSLCertVerificationError, ssl.CertificateError)):
        return "its certificate cannot be trusted"
    if isinstance(cause, ssl.SSLError):
        return "no encrypted connection could be agreed on"
    if isinstance(cause, socket.gaierror):
        return "its address cannot be found"
    if isinstance(cause, aiohttp.ServerDisconnectedError):
        return _CONNECTION[errno.ECONNRESET]
    number = cause.errno if isinstance(cause, OSError) else None
    return _CONNECTION.get(number or 0, "the connection failed")


def retry_after(headers: Mapping[str, str], *, now: datetime | None = None) -> float | None:
    """Return the seconds a provider asked us to wait: a number or an HTTP date, None if unsaid."""
    if milliseconds := headers.get("retry-after-ms"):
        seconds = _number(milliseconds)
        if seconds is not None:
            return seconds / 1000
    value = headers.get("retry-after")
    if not value:
        return None
    seconds = _number(value)
    if seconds is not None:
        return seconds
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 <= number < float("inf") else None
