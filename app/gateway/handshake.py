"""Who may open a socket: decided from the request's headers, before the upgrade.

CORS does not cover websockets, so the Origin is checked here: a foreign page that carries a
person's cookie along is refused before the session is even looked up.
"""

from collections.abc import Iterable
from http.cookies import CookieError, SimpleCookie
from typing import Literal
from urllib.parse import parse_qsl

import msgspec

from app.gateway.ports import Origins

SESSION_COOKIE = "outcry_session"

_SECRET_PARAMETERS = frozenset(
    {
        "access_token",
        "api-key",
        "api_key",
        "apikey",
        "auth",
        "authorization",
        "bearer",
        "cookie",
        "key",
        "password",
        "secret",
        "session",
        "token",
        SESSION_COOKIE,
    }
)


class Credential(msgspec.Struct, frozen=True):
    """What the client showed, not yet believed."""

    kind: Literal["session", "api_key"]
    secret: str

    def __repr__(self) -> str:
        return f"Credential({self.kind})"


class RefusedHandshake(msgspec.Struct, frozen=True):
    """An HTTP answer instead of an upgrade."""

    status: int
    code: str
    message: str
    retry_after_s: int | None = None


def read_handshake(
    headers: Iterable[tuple[bytes, bytes]], query_string: bytes, origins: Origins
) -> Credential | RefusedHandshake:
    """Return the credential the request carries, or why it goes no further."""
    wanted: dict[bytes, list[str]] = {
        b"origin": [],
        b"host": [],
        b"authorization": [],
        b"cookie": [],
    }
    for name, value in headers:
        if (values := wanted.get(name.lower())) is not None:
            values.append(value.decode("latin-1"))
    if _has_secret(query_string):
        return RefusedHandshake(
            401, "unauthenticated", "Credentials belong in a header, never in the address."
        )
    origin_values = wanted[b"origin"]
    host = wanted[b"host"][0] if wanted[b"host"] else ""
    if origin_values and not (
        len(origin_values) == 1
        and origin_values[0] not in ("", "null")
        and origins.allows(origin_values[0], host=host)
    ):
        return RefusedHandshake(403, "forbidden_origin", "This page may not connect here.")
    if wanted[b"authorization"]:
        return _bearer(wanted[b"authorization"])
    session = _session(wanted[b"cookie"])
    if session is None:
        return RefusedHandshake(401, "unauthenticated", "Sign in first.")
    if not origin_values:
        return RefusedHandshake(
            403, "forbidden_origin", "A socket with a session cookie needs an Origin."
        )
    return Credential("session", session)


def _bearer(values: list[str]) -> Credential | RefusedHandshake:
    scheme, _, key = values[0].partition(" ")
    key = key.strip()
    if len(values) != 1 or scheme.lower() != "bearer" or not key:
        return RefusedHandshake(401, "unauthenticated", "Send 'Authorization: Bearer KEY'.")
    return Credential("api_key", key)


def _session(values: list[str]) -> str | None:
    cookie: SimpleCookie = SimpleCookie()
    for value in values:
        try:
            cookie.load(value)
        except CookieError:
            return None
    morsel = cookie.get(SESSION_COOKIE)
    return morsel.value if morsel is not None and morsel.value else None


def _has_secret(query_string: bytes) -> bool:
    if not query_string:
        return False
    query = query_string.decode("latin-1")
    return any(name.lower() in _SECRET_PARAMETERS for name, _ in parse_qsl(query, True))
