"""`/auth`: open and close a session. The cookie is the browser's; programs use API keys."""

from datetime import UTC, datetime
from typing import Any

import msgspec
from litestar import Controller, Request, Response, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import JSONBody, SkipValidation

from app.domain.principal import Principal
from app.rest.requests import Body, address_of
from app.rest.sign_in import COOKIE, Authenticator, anyone, principal_of, signed_in
from app.services.accounts import SignedIn


class Login(Body, frozen=True):
    """E-mail and password."""

    email: str
    password: str


class Link(Body, frozen=True):
    """The fragment of a sign-in link."""

    token: str


class PrincipalView(msgspec.Struct, frozen=True, rename="camel"):
    """Who is signed in."""

    user_id: str
    email: str
    name: str
    role: str
    scopes: list[str]


class CookiePolicy(msgspec.Struct, frozen=True):
    """How the session cookie is set."""

    always_secure: bool = False
    """The public address is https, whatever scheme a proxy speaks to us."""

    def cookie(
        self, request: Request[Any, Any, Any], value: str, *, expires_at: datetime | None
    ) -> Cookie:
        """Return the session cookie; no `expires_at` deletes it."""
        seconds = 0
        if expires_at is not None:
            seconds = max(0, int((expires_at - datetime.now(UTC)).total_seconds()))
        return Cookie(
            key=COOKIE,
            value=value,
            max_age=seconds,
            path="/",
            httponly=True,
            samesite="lax",
            secure=self.always_secure or request.url.scheme == "https",
        )


class Auth(Controller):
    """Sessions."""

    path = "/auth"
    tags = ("Signing in",)

    @post("/login", status_code=200, guards=[anyone], summary="Sign in by e-mail and password")
    async def login(
        self,
        request: Request[Any, Any, Any],
        data: JSONBody[Login],
        authenticator: SkipValidation[NamedDependency[Authenticator]],
        cookies_policy: NamedDependency[CookiePolicy],
    ) -> Response[PrincipalView]:
        """Set the session cookie and return who is signed in."""
        opened = await authenticator.login(
            data.email,
            data.password,
            address_of(request),
            user_agent=request.headers.get("user-agent"),
        )
        return _welcome(request, opened, cookies_policy)

    @post("/link", status_code=200, guards=[anyone], summary="Sign in by a one-time link")
    async def link(
        self,
        request: Request[Any, Any, Any],
        data: JSONBody[Link],
        authenticator: SkipValidation[NamedDependency[Authenticator]],
        cookies_policy: NamedDependency[CookiePolicy],
    ) -> Response[PrincipalView]:
        """Set the session cookie and return who is signed in; the link is used up."""
        opened = await authenticator.redeem_link(
            data.token, address_of(request), user_agent=request.headers.get("user-agent")
        )
        return _welcome(request, opened, cookies_policy)

    @post("/logout", status_code=204, guards=[signed_in], summary="Sign out")
    async def logout(
        self,
        request: Request[Any, Any, Any],
        authenticator: SkipValidation[NamedDependency[Authenticator]],
        cookies_policy: NamedDependency[CookiePolicy],
    ) -> Response[None]:
        """Revoke the session; its sockets are closed as well."""
        await authenticator.logout(principal_of(request))
        gone = cookies_policy.cookie(request, "", expires_at=None)
        return Response(content=None, status_code=204, cookies=[gone])


def view_of(principal: Principal) -> PrincipalView:
    """Return a principal as clients see it."""
    return PrincipalView(
        user_id=str(principal.user_id),
        email=principal.email,
        name=principal.name,
        role=principal.role,
        scopes=sorted(principal.scopes),
    )


def _welcome(
    request: Request[Any, Any, Any], opened: SignedIn, policy: CookiePolicy
) -> Response[PrincipalView]:
    cookie = policy.cookie(request, opened.token, expires_at=opened.expires_at)
    return Response(content=view_of(opened.principal), cookies=[cookie])
