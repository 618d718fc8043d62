"""What a browser unpacks once is what was meant, through the whole server."""

import asyncio
import gzip
import urllib.request
from collections.abc import AsyncIterator

import pytest

from tests.faults.server import ROOT, Server

pytestmark = pytest.mark.slow

BUILD = ROOT / "app/web/dist"


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    server = Server(tmp_path_factory.mktemp("desk") / "data")
    try:
        await asyncio.to_thread(server.start)
        yield server
    finally:
        await asyncio.to_thread(server.clean_up)


def unpacked(server: Server, path: str, **headers: str) -> bytes:
    """Return the body as a browser reads it: unpacked once, when it says that it is packed."""
    asked = urllib.request.Request(server.origin + path, headers={"Accept-Encoding": "gzip"})
    for name, value in headers.items():
        asked.add_header(name, value)
    with urllib.request.urlopen(asked, timeout=15) as answer:
        assert answer.headers["Content-Encoding"] == "gzip", f"{path} could be smaller"
        return gzip.decompress(answer.read())


@pytest.mark.skipif(not (BUILD / "index.html").exists(), reason="the web client is not built")
async def test_every_file_of_the_web_client_arrives_as_it_was_built(server: Server) -> None:
    packed = [path.with_suffix("") for path in BUILD.rglob("*.gz")]
    assert packed
    for path in packed:
        name = path.relative_to(BUILD).as_posix()
        address = "/" if name == "index.html" else f"/{name}"
        body = await asyncio.to_thread(unpacked, server, address)
        assert body == path.read_bytes(), name
    page = (BUILD / "index.html").read_bytes()
    for address in ("/sign-in", "/c/01a206a8-212a-73ab-8d74-c710dd2776be"):
        assert await asyncio.to_thread(unpacked, server, address) == page


@pytest.mark.skipif(not (BUILD / "index.html").exists(), reason="the web client is not built")
async def test_a_browser_gets_the_page_where_there_is_nothing_and_a_program_a_problem(
    server: Server,
) -> None:
    person = await asyncio.to_thread(
        server.request, "GET", "/nowhere", headers={"Accept": "text/html,*/*;q=0.8"}
    )
    assert (person.status, person.raw) == (404, (BUILD / "index.html").read_bytes())
    assert person.headers["cache-control"] == "no-store"
    program = await asyncio.to_thread(server.request, "GET", "/nowhere")
    assert program.status == 404
    assert b"urn:outcry:problem:not_found" in program.raw


async def test_large_answers_are_compressed_and_small_ones_are_not(server: Server) -> None:
    plain = await asyncio.to_thread(server.request, "GET", "/schema/openapi.json")
    assert await asyncio.to_thread(unpacked, server, "/schema/openapi.json") == plain.raw
    key = await asyncio.to_thread(server.api_key)
    bars = "/api/v1/bars?symbol=GOOG&limit=500"
    assert b'"GOOG"' in await asyncio.to_thread(
        unpacked, server, bars, Authorization=f"Bearer {key}"
    )
    health = await asyncio.to_thread(
        server.request, "GET", "/health", headers={"Accept-Encoding": "gzip"}
    )
    assert "content-encoding" not in health.headers


async def test_the_server_starts_without_a_warning(server: Server) -> None:
    assert "Warning" not in server.output()
