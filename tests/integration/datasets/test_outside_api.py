"""Datasets over HTTP from a real socket: pages, retries with bounds, and nothing said too much."""

from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from app.domain.datasets import DataSource
from app.doors.outside_api import ApiPolicy, OutsideApi
from app.security.outbound import Allowed, Outbound
from app.storage.engine import Database
from tests.integration.datasets.collecting_desk import CollectingDesk

SECRET = "Bearer s3cret-word-of-a-test"
PAGES = 4
QUICK = ApiPolicy(
    tries=3,
    first_wait_s=0.01,
    longest_wait_s=2.0,
    most_pages=6,
    page_bytes=50_000,
    most_bytes=90_000,
)


def rows(page: int) -> list[dict[str, Any]]:
    return [
        {"time": f"2026-01-{10 * page + day + 1:02d}", "n": 10 * page + day, "of": {"a": day}}
        for day in range(7)
    ]


class Api:
    """A server that gives rows, as it is asked for."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.heard: set[str] = set()

    async def take(self, request: web.Request) -> web.StreamResponse:
        self.asked[request.path] += 1
        self.heard.add(request.headers.get("Authorization", ""))
        page = int(request.query.get("page", "0"))
        more = page + 1 < PAGES
        match request.path:
            case "/linked":
                link = {"Link": f'</linked?page={page + 1}>; rel="next"'} if more else {}
                return web.json_response(rows(page), headers=link)
            case "/nested":
                following = f"/nested?page={page + 1}" if more else None
                return web.json_response({"data": {"rows": rows(page)}, "next": following})
            case "/cursor":
                meta = {"after": page + 1} if more else {}
                return web.json_response({"items": rows(page), "meta": meta})
            case "/busy" if self.asked["/busy"] < 3:
                return web.Response(status=429, headers={"Retry-After": "0"}, text=SECRET)
            case "/gone" if self.asked["/gone"] < 3:
                assert request.transport is not None
                request.transport.abort()
            case "/away":
                return web.Response(status=503, text=f"you sent {SECRET}")
            case "/patient":
                return web.Response(status=429, headers={"Retry-After": "3600"})
            case "/locked":
                return web.Response(status=401, text=f"not with {SECRET}")
            case "/page":
                return web.Response(text=f"<html>{SECRET}</html>", content_type="text/html")
            case "/wrong.json":
                return web.Response(text='{"items": [1, 2')
            case "/elsewhere":
                return web.json_response({"rows": rows(0), "next": "http://127.0.0.1:9/x"})
            case "/round":
                return web.json_response({"rows": rows(0), "next": "/round"})
            case "/endless":
                return web.json_response({"rows": rows(0), "next": f"/endless?page={page + 1}"})
            case "/huge.json":
                return web.json_response([{"x": "y" * 60_000}])
            case "/huge.csv":
                return web.Response(text="n\n" + "1\n" * 60_000)
            case "/many":
                long = [row | {"x": "y" * 6_000} for row in rows(page)]
                return web.json_response({"rows": long, "next": f"/many?page={page + 1}"})
            case "/half.csv":
                answer = web.StreamResponse(headers={"Content-Length": "1000"})
                await answer.prepare(request)
                await answer.write(b"n\n1\n")
                assert request.transport is not None
                request.transport.abort()
                return answer
            case "/paged.csv":
                return web.Response(text="n\n1\n", headers={"Link": '<?page=2>; rel="next"'})
        return web.json_response(rows(0))


class Outside:
    """A desk, and the server that it asks."""

    def __init__(self, database: Database, root: Path, port: int, api: Api) -> None:
        self.address = f"http://127.0.0.1:{port}"
        self.api = api
        outbound = Outbound(Allowed.read([f"127.0.0.1:{port}"]))
        self.desk = CollectingDesk(database, root, {"api": OutsideApi(outbound, policy=QUICK)})

    async def collect(self, path: str, query: str | None = None, **more: Any) -> Any:
        source = DataSource(type="api", uri=f"{self.address}{path}", query=query, **more)
        dataset = await self.desk.enter(source, {"authorization": SECRET}, name=path + str(query))
        job = await self.desk.collect(dataset)
        assert "s3cret" not in str(job)
        return dataset, job


@pytest.fixture
async def outside(database: Database, tmp_path: Path) -> AsyncIterator[Outside]:
    api = Api()
    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", api.take)
    async with TestServer(app, host="127.0.0.1") as server:
        assert server.port is not None
        yield Outside(database, tmp_path, server.port, api)


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("/linked", None),
        ("/nested", "rows=data.rows&next=next"),
        ("/cursor", "cursor=meta.after:page"),
    ],
)
async def test_all_pages_are_one_table(outside: Outside, path: str, query: str | None) -> None:
    dataset, job = await outside.collect(path, query)

    assert job.status == "completed", job.error
    assert outside.api.asked[path] == PAGES
    assert outside.api.heard == {SECRET}
    found = await outside.desk.rows(dataset)
    assert [row[1] for row in found] == [row["n"] for page in range(PAGES) for row in rows(page)]
    assert [name for name, _ in await outside.desk.columns(dataset)] == ["time", "n", "of"]


@pytest.mark.parametrize("path", ["/busy", "/gone"])
async def test_what_passes_is_asked_again(outside: Outside, path: str) -> None:
    _, job = await outside.collect(path)

    assert job.status == "completed", job.error
    assert outside.api.asked[path] == 3


@pytest.mark.parametrize(
    ("path", "query", "tries", "says"),
    [
        ("/away", None, 3, "answered 503 instead of 200. It was asked 3 times."),
        ("/half.csv", None, 3, "It was asked 3 times."),
        ("/patient", None, 1, "asks to wait 3,600 s; 2 are waited"),
        ("/locked", None, 1, "answered 401 instead of 200."),
        ("/page", None, 1, "`source.format` must say"),
        ("/wrong.json", None, 1, "What came is no JSON:"),
        ("/elsewhere", "next=next", 1, "credentials go nowhere else"),
        ("/round", "next=next", 1, "no end to it"),
        ("/endless", "next=next", 6, "more than 6 pages"),
        ("/huge.json", None, 1, "50,000 can be read"),
        ("/huge.csv", None, 1, "more bytes than the 90,000"),
        ("/many", "next=next", 3, "more than 90,000 bytes"),
        ("/paged.csv", None, 1, "followed where they are JSON"),
    ],
)
async def test_what_cannot_be_had_says_why_and_is_not_asked_for_ever(
    outside: Outside, path: str, query: str | None, tries: int, says: str
) -> None:
    dataset, job = await outside.collect(path, query)

    assert job.status == "failed"
    assert says in job.error
    assert outside.api.asked[path] == tries
    assert (await outside.desk.find(dataset.id)).status == "collecting"


async def test_a_page_of_html_that_is_called_json_is_told(outside: Outside) -> None:
    _, job = await outside.collect("/page", format="json")

    assert "What came is no JSON" in job.error
