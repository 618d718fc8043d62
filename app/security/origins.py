"""Which web pages may send a person's cookie along: ours, and those an operator listed.

Comparing `Origin` with `Host` is not enough: a foreign name that was made to resolve to this
machine (DNS rebinding) has both equal. So a name must be known; only an address, which cannot be
rebound, is believed when both agree.
"""

from collections.abc import Iterable
from ipaddress import ip_address
from urllib.parse import urlsplit

import msgspec

_DEFAULT_PORTS = {"http": 80, "https": 443}


class Origin(msgspec.Struct, frozen=True):
    """A web origin, in one spelling."""

    scheme: str
    host: str
    port: int


class AllowedOrigins:
    """Decides once per handshake or unsafe request; pure."""

    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 8000,
        public_url: str | None = None,
        listed: Iterable[str] = (),
    ) -> None:
        """Args:
        host: the address that is listened on.
        public_url: where people open the desk, if that is another address.
        listed: `OUTCRY_ALLOWED_ORIGINS`.

        Raises:
            ValueError: one of them is not an origin.
        """
        self._port = port
        self._listed = {_required(origin) for origin in listed}
        if public_url is not None:
            self._listed.add(_required(public_url, path_allowed=True))
        self._names = {host.strip("[]").lower()} | {origin.host for origin in self._listed}

    def allows(self, origin: str, *, host: str) -> bool:
        """Tell whether a page of `origin` may act here; `host` is the request's Host header."""
        given = parse_origin(origin)
        if given is None:
            return False
        if given in self._listed:
            return True
        if _is_loopback(given.host) and given.port == self._port:
            return True
        asked = parse_origin(f"{given.scheme}://{host}") if host else None
        return asked == given and (
            _is_address(given.host) or _is_loopback(given.host) or given.host in self._names
        )


def parse_origin(text: str, *, path_allowed: bool = False) -> Origin | None:
    """Return the origin that `text` spells, None unless it is exactly one."""
    if not text.isascii() or any(c.isspace() or c in "\\@,%" for c in text):
        return None
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    host = (parts.hostname or "").lower()
    if parts.scheme not in _DEFAULT_PORTS or not host or host.startswith("."):
        return None
    if parts.query or parts.fragment or (parts.path not in ("", "/") and not path_allowed):
        return None
    if parts.path == "/" and not path_allowed:
        return None
    return Origin(parts.scheme, host, _DEFAULT_PORTS[parts.scheme] if port is None else port)


def _required(text: str, *, path_allowed: bool = False) -> Origin:
    origin = parse_origin(text.rstrip("/"), path_allowed=path_allowed)
    if origin is None:
        raise ValueError(f"{text!r} is not an origin: write it as https://desk.example.com")
    return origin


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    return _is_address(host) and ip_address(host).is_loopback
