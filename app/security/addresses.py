"""Which addresses outside requests may go to. Pure: judges text and numbers, asks nobody.

An address is permitted if it is an ordinary public one, written in the ordinary way, on a port
where the web lives; or if the operator listed its host and port.
"""

import ipaddress
import re
import unicodedata
from collections.abc import Iterable
from urllib.parse import urlsplit

import msgspec

PORTS = frozenset({80, 443, 8080, 8443})
"""Where a request may go without being listed."""
LONGEST = 2048
_DEFAULT_PORTS = {"http": 80, "https": 443}
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.ASCII)
_NUMBER_LIKE = re.compile(r"(?:0x[0-9a-f]*|[0-9]+)", re.ASCII)
_HIDDEN_NAMES = ("localhost", "local", "internal", "intranet", "home.arpa", "lan", "corp", "onion")
"""Names that mean this machine or a network behind it, whatever they resolve to."""

_NOT_PUBLIC_4 = tuple(
    ipaddress.IPv4Network(network)
    for network in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",
        "127.0.0.0/8",
        "168.63.129.16/32",  # a cloud's own host, at a public number
        "169.254.0.0/16",
        "172.16.0.0/12",
        "192.0.0.0/24",
        "192.0.2.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",
        "192.168.0.0/16",
        "192.175.48.0/24",
        "198.18.0.0/15",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "224.0.0.0/4",
        "240.0.0.0/4",
    )
)
_PUBLIC_6 = ipaddress.IPv6Network("2000::/3")
"""Everything else is unassigned, local, mapped (::ffff:0:0/96) or translated (64:ff9b::/96)."""
_NOT_PUBLIC_6 = tuple(
    ipaddress.IPv6Network(network)
    for network in (
        "2001::/23",  # Teredo, benchmarks, ORCHID
        "2001:db8::/32",
        "2002::/16",  # 6to4: an IPv4 address inside
        "2620:4f:8000::/48",
        "3fff::/20",
    )
)


class OutboundRefused(Exception):
    """An address that will not be sent to; the reason says what is allowed."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class Allowed(msgspec.Struct, frozen=True):
    """Hosts and ports that are reachable on purpose."""

    places: frozenset[tuple[str, int | None]] = frozenset()
    """Host (small letters, no brackets) and port; None means every port."""

    @classmethod
    def read(cls, listed: Iterable[str]) -> "Allowed":
        """Return what `host:port` entries stand for; `host:*` means every port of it.

        Raises:
            ValueError: one of them is neither.
        """
        places: set[tuple[str, int | None]] = set()
        for entry in listed:
            host, colon, port = entry.strip().lower().rpartition(":")
            host = host.removeprefix("[").removesuffix("]")
            if not colon or not host or "/" in host or "@" in host:
                raise ValueError(f"{entry!r} is not host:port")
            if port == "*":
                places.add((_plain_host(host), None))
            elif port.isascii() and port.isdecimal() and 0 < int(port) <= 65_535:
                places.add((_plain_host(host), int(port)))
            else:
                raise ValueError(f"{entry!r}: give a port from 1 to 65535, or *")
        return cls(frozenset(places))

    def permits(self, host: str, port: int) -> bool:
        """Tell whether this place was listed."""
        return (host, port) in self.places or (host, None) in self.places


class Target(msgspec.Struct, frozen=True):
    """Where a request is to go, once its form is right."""

    url: str
    """In its plain form, without a fragment."""
    host: str
    port: int
    address: str | None
    """The host, if it is an IP address already; judged."""
    listed: bool
    """The operator permits it, wherever its name leads."""


def parse_target(url: str, allowed: Allowed) -> Target:
    """Read an address strictly: what two readers could take for two hosts is refused.

    Raises:
        OutboundRefused: saying what is wrong with it and what is allowed.
    """
    if len(url) > LONGEST:
        raise OutboundRefused(f"An address may have {LONGEST:,} characters; this has {len(url):,}.")
    if not url.isascii() or any(ch <= " " or ch in '\\\x7f"<>^`{|}' for ch in url):
        raise OutboundRefused(
            "An address may have no spaces, control characters, backslashes or letters beyond "
            "ASCII; write an international name in its xn-- form."
        )
    scheme, separator, rest = url.partition("://")
    scheme = scheme.lower()
    if not separator or scheme not in _DEFAULT_PORTS:
        raise OutboundRefused("An address begins with https:// or http://.")
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    if "@" in authority:
        raise OutboundRefused("An address may carry no user name or password.")
    if "%" in authority:
        raise OutboundRefused("A host name may have no % in it.")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise OutboundRefused("Its host or port cannot be read.") from None
    if not host or authority.endswith(":"):
        raise OutboundRefused("It names no host, or a colon without a port.")
    if port is None:
        port = _DEFAULT_PORTS[scheme]
    host = _plain_host(host)
    literal = _literal(host, bracketed="[" in authority)
    listed = allowed.permits(host if literal is None else str(literal), port)
    if port == 0 or (port not in PORTS and not listed):
        ports = ", ".join(map(str, sorted(PORTS)))
        raise OutboundRefused(
            f"Port {port} is not allowed; allowed are {ports} and what OUTCRY_OUTBOUND_ALLOW lists."
        )
    shown = f"[{literal}]" if isinstance(literal, ipaddress.IPv6Address) else host
    where = shown if port == _DEFAULT_PORTS[scheme] else f"{shown}:{port}"
    path = parts.path or "/"
    plain = f"{scheme}://{where}{path}" + (f"?{parts.query}" if parts.query else "")
    target = Target(plain, host, port, None, listed)
    if literal is not None:
        return msgspec.structs.replace(target, address=judge_address(str(literal), target))
    if not listed:
        _check_name(host)
    return target


def parse_place(host: str, port: int, allowed: Allowed, *, ports: frozenset[int]) -> Target:
    """Read a place that is no web address: a public one on one of `ports`, or a listed one.

    Raises:
        OutboundRefused: saying what is wrong with it and what is allowed.
    """
    if not host or not host.isascii() or any(ch <= " " or ch in "\\\x7f/@%" for ch in host):
        raise OutboundRefused("Its host name is not one.")
    plain = _plain_host(host)
    literal = _literal(plain, bracketed=":" in plain)
    listed = allowed.permits(plain if literal is None else str(literal), port)
    if port == 0 or (port not in ports and not listed):
        usual = " and ".join(map(str, sorted(ports)))
        raise OutboundRefused(
            f"Port {port} is not allowed; allowed are {usual + ' and ' if usual else ''}what "
            f"OUTCRY_OUTBOUND_ALLOW lists: {plain}:{port}"
        )
    target = Target("", plain, port, None, listed)
    if literal is not None:
        return msgspec.structs.replace(target, address=judge_address(str(literal), target))
    if not listed:
        _check_name(plain)
    return target


def judge_address(address: str, target: Target) -> str:
    """Return the address in its plain form if requests may go there.

    Raises:
        OutboundRefused: it is not public and its place was not listed.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        raise OutboundRefused(f"{target.host} leads to what is no IP address.") from None
    if target.listed and "%" not in address:
        return str(ip)
    if not is_public(ip):
        raise OutboundRefused(
            f"{target.host} leads to {ip}, which is not a public address. An operator can permit "
            f"it: OUTCRY_OUTBOUND_ALLOW={target.host}:{target.port}"
        )
    return str(ip)


def is_public(ip: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """Tell whether an address belongs to the public internet, and to nothing special in it."""
    if isinstance(ip, ipaddress.IPv4Address):
        return not any(ip in network for network in _NOT_PUBLIC_4)
    if ip.scope_id is not None or ip not in _PUBLIC_6:
        return False
    return not any(ip in network for network in _NOT_PUBLIC_6)


def _plain_host(host: str) -> str:
    host = unicodedata.normalize("NFKC", host).lower().removesuffix(".")
    try:
        return str(ipaddress.ip_address(host))
    except ValueError:
        return host


def _literal(host: str, *, bracketed: bool) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """Return the IP address that a host is, None for a name.

    Raises:
        OutboundRefused: it is one in a disguise (0x7f.1, 2130706433, 0177.0.0.1).
    """
    try:
        return ipaddress.IPv6Address(host) if bracketed else ipaddress.IPv4Address(host)
    except ValueError:
        pass
    if bracketed or _NUMBER_LIKE.fullmatch(host.rpartition(".")[2]):
        raise OutboundRefused(
            "Write an IP address in its ordinary form, such as 203.0.113.7 or [2001:db8::7]."
        )
    return None


def _check_name(host: str) -> None:
    labels = host.split(".")
    if len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise OutboundRefused("Its host name is not one.")
    if len(labels) == 1 or any(
        host == hidden or host.endswith(f".{hidden}") for hidden in _HIDDEN_NAMES
    ):
        raise OutboundRefused(
            f"{host} means this machine or a network behind it. An operator can permit it in "
            "OUTCRY_OUTBOUND_ALLOW."
        )
