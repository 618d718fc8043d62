"""Who sends an HTTP request, and may they do what the route does?

`SignIn` looks at each request once and puts the principal into the scope; the guards below are
pure checks on it. Every route names its guard: a test refuses one without.
"""

from typing import Any, Protocol

from litestar import Request
from litestar.connection import ASGIConnection
from litestar.enums import ScopeType
from litestar.handlers import BaseRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.types import ASGIApp, Receive, Scope, Send

from app.domain.errors import Forbidden, Unauthenticated
from app.domain.principal import Principal
from app.domain.principal import Scope as Right
from app.rest.requests import address_of
from app.services.accounts import SignedIn

COOKIE = "outcry_session"
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Authenticator(Protocol):
    """What the door needs to know about credentials; `app.security` implements it."""

    async def authenticate(
        self, *, cookie: str | None, bearer: str | None, address: str
    ) -> Principal | None:
        """Return who a credential speaks for; None when it is wrong, revoked or too old."""
        ...

    async def login(
        self, email: str, password: str, address: str, *, user_agent: str | None = None
    ) -> SignedIn:
        """Open a session.

        Raises:
            Unauthenticated: wrong e-mail or password; which of them is not said.
            TooManyAttempts: carries `retry_after_s`.
        """
        ...

    async def redeem_link(
        self, token: str, address: str, *, user_agent: str | None = None
    ) -> SignedIn:
        """Open a session by a one-time link.

        Raises:
            Unauthenticated: the link is unknown, used or too old.
            TooManyAttempts: carries `retry_after_s`.
        """
        ...

    async def logout(self, principal: Principal) -> None:
        """End the session."""
        ...


class Origins(Protocol):
    """Tells which web pages may act with a person's cookie; `app.security.origins`."""

    def allows(self, origin: str, *, host: str) -> bool:
        """Tell whether a page of `origin` may; `host` is the request's own Host header."""
        ...


class SignIn(ASGIMiddleware):
    """Puts the principal (or None) into `scope["user"]` and stops forged requests."""

    scopes = (ScopeType.HTTP,)

    def __init__(self, authenticator: Authenticator, origins: Origins) -> None:
        self._authenticator = authenticator
        self._origins = origins

    def __deepcopy__(self, memo: object) -> "SignIn":
        """Return itself: Litestar copies routers, and what this holds cannot be copied."""
        return self

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        request: Request[Any, Any, Any] = Request(scope)
        bearer = bearer_of(request)
        # A key that was sent on purpose decides alone; the cookie is then not looked at.
        cookie = request.cookies.get(COOKIE) if bearer is None else None
        if (
            request.method not in _SAFE_METHODS
            and bearer is None
            and not self._made_on_purpose(request, has_cookie=cookie is not None)
        ):
            raise Forbidden("This request was made by another site.", code="forbidden_origin")
        principal = None
        if bearer is not None or cookie is not None:
            principal = await self._authenticator.authenticate(
                cookie=cookie, bearer=bearer, address=address_of(request)
            )
        scope["user"] = principal
        await next_app(scope, receive, send)

    def _made_on_purpose(self, request: Request[Any, Any, Any], *, has_cookie: bool) -> bool:
        """Tell whether an unsafe request comes from a page of ours or from a program.

        A page cannot make a browser lie in `Origin` and `Sec-Fetch-Site`. A request with neither
        comes from a program; those carry no cookie.
        """
        origin = request.headers.get("origin")
        if origin is not None:
            return self._origins.allows(origin, host=request.headers.get("host", ""))
        site = request.headers.get("sec-fetch-site")
        if site is not None:
            return site in ("same-origin", "none")
        return not has_cookie


def bearer_of(request: Request[Any, Any, Any]) -> str | None:
    """Return the bearer credential, "" when an `Authorization` header holds none we know."""
    header = request.headers.get("authorization")
    if header is None:
        return None
    scheme, _, value = header.partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


# Guards are coroutines: a plain function would be called in a thread, at every request.


async def anyone(_: ASGIConnection[Any, Any, Any, Any], __: BaseRouteHandler) -> None:
    """Guard of the few routes that are open on purpose: it is written down, not forgotten."""


async def may_read(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Guard: looks at what is the caller's own, or the desk's."""
    _require(connection, "read")


async def may_write(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Guard: changes what is the caller's own."""
    _require(connection, "write")


async def may_chat(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Guard: starts and stops runs."""
    _require(connection, "chat")


async def may_administer(
    connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler
) -> None:
    """Guard: changes what everybody uses."""
    _require(connection, "admin")


async def signed_in(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    """Guard: any credential will do, whatever its scopes."""
    principal_of(connection)


def principal_of(connection: ASGIConnection[Any, Any, Any, Any]) -> Principal:
    """Return who asks.

    Raises:
        Unauthenticated: nobody is signed in.
    """
    user = connection.scope.get("user")
    if not isinstance(user, Principal):
        raise Unauthenticated("Sign in, or send an API key as Authorization: Bearer KEY.")
    return user


def _require(connection: ASGIConnection[Any, Any, Any, Any], right: Right) -> None:
    if not principal_of(connection).may(right):
        raise Forbidden(f"This credential does not have the scope {right!r}.")


GUARDS = frozenset({anyone, signed_in, may_read, may_write, may_chat, may_administer})
