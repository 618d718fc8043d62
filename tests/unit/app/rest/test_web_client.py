"""Serving the built web client."""

import gzip
import os
from pathlib import Path

import pytest

from tests.unit.app.rest.in_process import Open

PAGE = b"<!doctype html><title>Outcry</title>"
SCRIPT = b"console.log('desk')" * 20


@pytest.fixture
def build(tmp_path: Path) -> Path:
    folder = tmp_path / "dist"
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_bytes(PAGE)
    (folder / "assets" / "main-abc123.js").write_bytes(SCRIPT)
    (folder / "assets" / "main-abc123.js.gz").write_bytes(gzip.compress(SCRIPT))
    (folder / "favicon.svg").write_bytes(b"<svg/>")
    (tmp_path / "secret.txt").write_bytes(b"secret")
    (folder / "assets" / "link.txt").symlink_to(tmp_path / "secret.txt")
    return folder


async def test_every_address_of_the_client_is_the_page(open_client: Open, build: Path) -> None:
    client = open_client(web_folder=build)
    for path in (
        "/",
        "/sign-in",
        "/c/01890000-0000-7000-8000-000000000000",
        "/c/anything",
        "/m/GOOG",
    ):
        answer = await client.get(path)
        assert answer.status_code == 200
        assert answer.content == PAGE
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["cache-control"] == "no-cache"
        assert "script-src 'self'" in answer.headers["content-security-policy"]


async def test_hashed_assets_are_kept_for_ever_and_sent_compressed(
    open_client: Open, build: Path
) -> None:
    client = open_client(web_folder=build)
    answer = await client.get("/assets/main-abc123.js", headers={"accept-encoding": "br, gzip"})
    assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["content-type"].startswith("text/javascript")
    assert answer.headers["vary"] == "Accept-Encoding"
    assert answer.content == SCRIPT
    assert int(answer.headers["content-length"]) < len(SCRIPT)


@pytest.mark.parametrize("coding", ["identity", "gzip;q=0", "br", ""])
async def test_a_client_that_takes_no_gzip_gets_none(
    open_client: Open, build: Path, coding: str
) -> None:
    client = open_client(web_folder=build)
    answer = await client.get("/assets/main-abc123.js", headers={"accept-encoding": coding})
    assert "content-encoding" not in answer.headers
    assert answer.content == SCRIPT


async def test_a_page_that_has_not_changed_is_not_sent_again(
    open_client: Open, build: Path
) -> None:
    client = open_client(web_folder=build)
    etag = (await client.get("/")).headers["etag"]
    again = await client.get("/", headers={"if-none-match": etag})
    assert again.status_code == 304
    assert again.content == b""


async def test_a_new_build_is_noticed(open_client: Open, build: Path) -> None:
    client = open_client(web_folder=build)
    old = await client.get("/")
    (build / "index.html").write_bytes(b"<!doctype html><title>New</title>")
    (build / "assets" / "main-def456.js").write_bytes(b"new")
    os.utime(build / "index.html", ns=(1, 1))
    assert (await client.get("/")).content != old.content
    assert (await client.get("/assets/main-def456.js")).content == b"new"


async def test_files_beside_the_page_are_served(open_client: Open, build: Path) -> None:
    answer = await open_client(web_folder=build).get("/favicon.svg")
    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../secret.txt",
        "/assets/%2e%2e/%2e%2e/secret.txt",
        "/assets/..%2f..%2fsecret.txt",
        "/assets//etc/passwd",
        "/assets/link.txt",
        "/assets/main-abc123.js.gz",
        "/assets/%00",
        "/..%2fsecret.txt",
        "/secret.txt",
        "/assets",
        "/nothing.js",
        "/sign-in/x",
    ],
)
async def test_nothing_outside_the_build_can_be_reached(
    open_client: Open, build: Path, path: str
) -> None:
    answer = await open_client(web_folder=build).get(path)
    assert answer.status_code == 404
    assert b"secret" not in answer.content


async def test_a_missing_build_says_how_to_make_one(open_client: Open, tmp_path: Path) -> None:
    client = open_client(web_folder=tmp_path / "dist")
    answer = await client.get("/")
    assert answer.status_code == 503
    assert "make web" in answer.text
    assert "<script" not in answer.text
    assert (await client.get("/assets/x.js")).status_code == 404
