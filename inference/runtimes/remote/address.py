"""Read `deploymentUrl`: which protocol, which server, which model. Pure: asks nobody.

`oip+http://host:8000/NAME`, `tfs+https://host/v1/models/NAME`, `oip+grpc://host:8001/NAME`, and so
on. Whether the desk may go there is judged elsewhere, on the plain address that this gives.
"""

import re
from dataclasses import dataclass
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from inference.errors import BadModel

Protocol: TypeAlias = Literal["oip", "tfs", "torchserve", "ray"]
_SPOKEN: dict[str, tuple[Protocol, ...]] = {
    "http": ("oip", "tfs", "torchserve", "ray"),
    "https": ("oip", "tfs", "torchserve", "ray"),
    "grpc": ("oip", "tfs"),
    "grpcs": ("oip", "tfs"),
}
SCHEMES: dict[str, tuple[Protocol, str]] = {
    f"{protocol}+{web}": (protocol, web)
    for web, protocols in _SPOKEN.items()
    for protocol in protocols
}
_BEFORE_NAME: dict[Protocol, str] = {
    "oip": "v2/models",
    "ray": "v2/models",
    "tfs": "v1/models",
    "torchserve": "predictions",
}
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,199}")


@dataclass(frozen=True)
class Address:
    """Where a model is."""

    protocol: Protocol
    server: str
    """With the path before the protocol's own, without a slash at the end: "http://host:8000".

    Of gRPC "grpc://host:8001", or "grpcs://" with TLS.
    """
    model: str
    version: str | None = None

    @property
    def is_rpc(self) -> bool:
        """It is called over gRPC."""
        return self.server.startswith("grpc")

    @property
    def web(self) -> str:
        """The server as the outbound guard knows addresses: with http for gRPC, https for TLS."""
        return plain_web(self.server)

    @property
    def model_url(self) -> str:
        """Where the protocol has the model."""
        base = f"{self.server}/{_BEFORE_NAME[self.protocol]}/{self.model}"
        if self.version is None:
            return base
        between = "" if self.protocol == "torchserve" else "versions/"
        return f"{base}/{between}{self.version}"


def read_address(url: str) -> Address:
    """Return what a `deploymentUrl` says.

    The model is the last part of the path, after what the protocol puts before it or after nothing;
    `/versions/V` may follow (`/V` with TorchServe).

    Raises:
        BadModel: it says something else; tells what is allowed.
    """
    scheme, _, rest = url.partition("://")
    known = SCHEMES.get(scheme.lower())
    if known is None:
        raise BadModel(
            f"deploymentUrl begins with {scheme[:40]!r}; it may begin with {', '.join(SCHEMES)}"
        )
    protocol, web = known
    try:
        parts = urlsplit(f"{web}://{rest}")
    except ValueError:
        raise BadModel("the host or port of deploymentUrl cannot be read") from None
    if parts.query or parts.fragment or not parts.netloc:
        raise BadModel("deploymentUrl has a host and a path, and nothing after it")
    words = [word for word in parts.path.split("/") if word]
    # A gRPC server has no paths: only the model is named.
    before = "" if web.startswith("grpc") else _BEFORE_NAME[protocol]
    prefix, own = _split(words, before.split("/") if before else [])
    named = _named(own, protocol)
    if named is None or not all(_WORD.fullmatch(word) for word in (*words,)):
        raise BadModel(
            f"deploymentUrl must end in the model's name: {scheme}://HOST:PORT/NAME"
            + (f" or {scheme}://HOST:PORT/{before}/NAME" if before else "")
            + ("[/VERSION]" if protocol == "torchserve" else "[/versions/VERSION]")
            + "; letters, digits, '.', '_' and '-'"
        )
    server = "/".join([f"{web}://{parts.netloc}", *prefix])
    return Address(protocol, server, *named)


def plain_web(server: str) -> str:
    """Return a server's address with http for grpc and https for grpcs."""
    return f"http{server.removeprefix('grpc')}" if server.startswith("grpc") else server


def _split(words: list[str], before: list[str]) -> tuple[list[str], list[str]]:
    """Return what stands before the protocol's own path, and what after it."""
    size = len(before)
    for start in range(len(words) - size + 1):
        if words[start : start + size] == before:
            return words[:start], words[start + size :]
    return [], words


def _named(words: list[str], protocol: Protocol) -> tuple[str, str | None] | None:
    match words:
        case [name]:
            return name, None
        case [name, version] if protocol == "torchserve":
            return name, version
        case [name, "versions", version] if protocol != "torchserve":
            return name, version
    return None
