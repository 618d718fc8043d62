"""Serves the built web client: one page for every address of it, assets that never change.

Files are read once and kept; a new build is noticed by its index.html. Nothing outside the build
can be reached, because only what a listing of the build named can be asked for.
"""

import hashlib
import mimetypes
from pathlib import Path
from typing import Any

import msgspec
from litestar import Controller, Request, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from app.domain.errors import NotFound
from app.rest.sign_in import anyone

_IMMUTABLE = "public, max-age=31536000, immutable"
_REVALIDATE = "no-cache"
_TYPES = {
    ".js": "text/javascript",
    ".css": "text/css",
    ".html": "text/html",
    ".svg": "image/svg+xml",
    ".json": "application/json",
    ".webmanifest": "application/manifest+json",
    ".woff2": "font/woff2",
    ".txt": "text/plain",
}
_MISSING = b"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Outcry</title></head>
<body><h1>The web client has not been built</h1>
<p>Run <code>make web</code> (or <code>make run</code>, which does it for you) and load this page
again. The server itself works: the API is at <a href="/schema">/schema</a>, and
<code>outcry ask</code> answers in a terminal.</p></body></html>
"""


class WebFile(msgspec.Struct, frozen=True):
    """One file of the build, in memory."""

    content: bytes
    gzipped: bytes | None
    media_type: str
    etag: str
    immutable: bool


class WebClient:
    """The build in a folder, as it is now."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stamp: tuple[int, int] | None = None
        self._files: dict[str, WebFile] = {}

    def find(self, name: str) -> WebFile | None:
        """Return the file of that path inside the build."""
        try:
            status = (self._folder / "index.html").stat()
        except OSError:
            self._stamp, self._files = None, {}
            return None
        stamp = (status.st_mtime_ns, status.st_size)
        if stamp != self._stamp:
            self._files, self._stamp = _read_build(self._folder), stamp
        return self._files.get(name)


def _read_build(folder: Path) -> dict[str, WebFile]:
    files: dict[str, WebFile] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.suffix == ".gz" or path.is_symlink() or not path.is_file():
            continue
        content = path.read_bytes()
        packed = path.with_name(path.name + ".gz")
        guessed = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        files[name] = WebFile(
            content=content,
            gzipped=packed.read_bytes() if packed.is_file() else None,
            media_type=_TYPES.get(path.suffix, guessed),
            etag=f'"{hashlib.sha256(content).hexdigest()[:32]}"',
            # Vite puts a hash of the content into the names below assets/.
            immutable=name.startswith("assets/"),
        )
    return files


class WebClientController(Controller):
    """Everything a browser loads."""

    path = "/"
    include_in_schema = False
    guards = (anyone,)

    @get(
        ["/", "/sign-in", "/screen", "/scorecard", "/alerts", "/models"],
        name="web_page",
    )
    async def page(
        self, request: Request[Any, Any, Any], web_client: NamedDependency[WebClient]
    ) -> Response[bytes]:
        """Return the page; what it shows is its own business."""
        return _page(request, web_client)

    @get("/c/{conversation_id:str}")
    async def conversation(
        self,
        request: Request[Any, Any, Any],
        conversation_id: FromPath[str],
        web_client: NamedDependency[WebClient],
    ) -> Response[bytes]:
        """Return the page for a conversation's address."""
        return _page(request, web_client)

    @get("/models/{model_id:str}")
    async def model(
        self,
        request: Request[Any, Any, Any],
        model_id: FromPath[str],
        web_client: NamedDependency[WebClient],
    ) -> Response[bytes]:
        """Return the page for a model's address."""
        return _page(request, web_client)

    @get("/m/{symbol:path}")
    async def market(
        self,
        request: Request[Any, Any, Any],
        symbol: FromPath[str],
        web_client: NamedDependency[WebClient],
    ) -> Response[bytes]:
        """Return the page for a symbol's address."""
        return _page(request, web_client)

    @get("/assets/{name:path}")
    async def asset(
        self,
        request: Request[Any, Any, Any],
        name: FromPath[str],
        web_client: NamedDependency[WebClient],
    ) -> Response[bytes]:
        """Return a hashed asset."""
        return _file(request, web_client, f"assets/{name.lstrip('/')}")

    @get("/{name:str}")
    async def root_file(
        self,
        request: Request[Any, Any, Any],
        name: FromPath[str],
        web_client: NamedDependency[WebClient],
    ) -> Response[bytes]:
        """Return a file beside the page, such as its icon; to a person's browser, the page.

        The page says itself that there is nothing at an address.
        """
        index = web_client.find("index.html")
        for_person = "text/html" in request.headers.get("accept", "")
        if index is not None and for_person and web_client.find(name) is None:
            return Response(
                index.content,
                status_code=404,
                media_type=index.media_type,
                headers={"Cache-Control": "no-store"},
            )
        return _file(request, web_client, name)


def _page(request: Request[Any, Any, Any], client: WebClient) -> Response[bytes]:
    found = client.find("index.html")
    if found is None:
        return Response(
            _MISSING, status_code=503, media_type=_TYPES[".html"], headers={"Retry-After": "30"}
        )
    return _answer(request, found)


def _file(request: Request[Any, Any, Any], client: WebClient, name: str) -> Response[bytes]:
    found = client.find(name)
    if found is None:
        raise NotFound("There is nothing here.")
    return _answer(request, found)


def _answer(request: Request[Any, Any, Any], file: WebFile) -> Response[bytes]:
    headers = {
        "ETag": file.etag,
        "Cache-Control": _IMMUTABLE if file.immutable else _REVALIDATE,
        "Vary": "Accept-Encoding",
    }
    if request.headers.get("if-none-match") == file.etag:
        return Response(b"", status_code=304, media_type=file.media_type, headers=headers)
    if file.gzipped is not None and _accepts_gzip(request.headers.get("accept-encoding", "")):
        headers["Content-Encoding"] = "gzip"
        return Response(file.gzipped, media_type=file.media_type, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)


def _accepts_gzip(header: str) -> bool:
    for part in header.split(","):
        coding, _, weight = part.strip().partition(";")
        if coding.strip().lower() in ("gzip", "*"):
            return weight.replace(" ", "") not in ("q=0", "q=0.0")
    return False
