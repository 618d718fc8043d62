"""Vendors over HTTP, on a server of ours that answers in their shape."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date
from typing import Any

import msgspec
import numpy as np
import pytest
from aiohttp import web

from tools.market.sources.http_json import HttpSource, VendorRequest
from tools.market.sources.source import Chunk, SourceError
from tools.market.sources.vendors import find_vendor, vendors

Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def served(answer: Answer) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_get("/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


async def ask(vendor: str, base_url: str, **more: Any) -> list[Chunk]:
    request = VendorRequest(
        symbols=("goog",),
        timeframe="1d",
        start=date(2020, 1, 1),
        end=date(2020, 1, 31),
        key="the-key",
        secret="the-secret",
        base_url=base_url,
    )
    request = msgspec.structs.replace(request, **more)
    source = HttpSource(find_vendor(vendor), request, wait_s=0.001)
    return [chunk async for chunk in source.chunks()]


def bar(time: object, close: float = 1.5) -> dict[str, object]:
    return {"t": time, "o": 1, "h": 2, "l": 0.5, "c": close, "v": 100, "n": 7, "vw": 1.2}


async def test_alpaca_is_followed_page_by_page_with_its_two_keys() -> None:
    asked: list[tuple[str, dict[str, str], str, str]] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        heads = request.headers
        asked.append(
            (
                request.path,
                dict(request.query),
                heads["APCA-API-KEY-ID"],
                heads["APCA-API-SECRET-KEY"],
            )
        )
        if "page_token" in request.query:
            return web.json_response(
                {"bars": [bar("2020-01-03T05:00:00Z")], "next_page_token": None}
            )
        return web.json_response(
            {"bars": [bar("2020-01-02T05:00:00Z", 806.19)], "next_page_token": "more"}
        )

    async with served(answer) as base_url:
        (chunk,) = await ask("alpaca", base_url)
    assert chunk.symbol == "GOOG"
    assert chunk.rows.timestamps.astype("datetime64[D]").astype(str).tolist() == [
        "2020-01-02",
        "2020-01-03",
    ]
    assert chunk.rows.close.tolist() == [806.19, 1.5]
    path, query, key, secret = asked[0]
    assert (path, query["timeframe"], query["start"]) == (
        "/v2/stocks/GOOG/bars",
        "1Day",
        "2020-01-01",
    )
    assert (key, secret, asked[1][1]["page_token"]) == ("the-key", "the-secret", "more")


async def test_massive_is_followed_by_its_next_address() -> None:
    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.headers["Authorization"] == "Bearer the-key"
        if request.path == "/more":
            return web.json_response({"results": [bar(1578027600000)]})
        assert request.path == "/v2/aggs/ticker/GOOG/range/1/day/2020-01-01/2020-01-31"
        following = str(request.url.with_path("/more").with_query(cursor="x"))
        return web.json_response({"results": [bar(1577941200000)], "next_url": following})

    async with served(answer) as base_url:
        (chunk,) = await ask("massive", base_url)
    assert chunk.rows.timestamps.astype("datetime64[D]").astype(str).tolist() == [
        "2020-01-02",
        "2020-01-03",
    ]


async def test_tiingo_brings_the_adjusted_close() -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        row = {"date": "2020-01-02T00:00:00.000Z", "open": 1, "high": 2, "low": 0.5, "close": 1.5}
        return web.json_response([{**row, "volume": 10, "adjClose": 0.75, "splitFactor": 1.0}])

    async with served(answer) as base_url:
        (chunk,) = await ask("tiingo", base_url)
    assert chunk.rows.adjusted_close is not None
    assert chunk.rows.adjusted_close.tolist() == [0.75]
    assert chunk.rows.timestamps[0] == np.datetime64("2020-01-02")


async def test_rows_that_cannot_be_read_are_left_with_their_reason() -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response({"bars": [bar("yesterday"), {**bar("2020-01-02"), "c": None}]})

    async with served(answer) as base_url:
        (chunk,) = await ask("alpaca", base_url)
    assert dict(chunk.rows.unread) == {
        0: "timestamp 'yesterday' is not ISO 8601; say its format",
        1: "close is missing",
    }


async def test_a_busy_vendor_is_asked_again() -> None:
    statuses = [429, 503, 200]

    async def answer(_: web.Request) -> web.StreamResponse:
        status = statuses.pop(0)
        if status != 200:
            return web.Response(status=status, headers={"Retry-After": "0"})
        return web.json_response({"bars": [bar("2020-01-02")]})

    async with served(answer) as base_url:
        (chunk,) = await ask("alpaca", base_url)
    assert (len(chunk.rows), statuses) == (1, [])


@pytest.mark.parametrize(
    ("response", "said"),
    [
        (lambda: web.Response(status=401, text="no such key"), "refused the key"),
        (lambda: web.Response(status=404, text="unknown"), "answered HTTP 404: unknown"),
        (lambda: web.Response(status=302, headers={"Location": "http://192.0.2.1/"}), "sends on"),
        (lambda: web.Response(text="<html>"), "did not answer with JSON"),
        (lambda: web.Response(text="[" * 100_000), "did not answer with JSON"),
        (lambda: web.json_response({"bars": "none"}), "did not answer with a list of bars"),
    ],
)
async def test_an_answer_that_is_no_use_is_told_in_a_line(
    response: Callable[[], web.Response], said: str
) -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return response()

    async with served(answer) as base_url:
        with pytest.raises(SourceError, match=said) as refused:
            await ask("alpaca", base_url)
    assert "the-key" not in str(refused.value)


async def test_the_key_is_not_sent_on_to_another_server() -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response(
            {"results": [bar(1577941200000)], "next_url": "http://192.0.2.1/more"}
        )

    async with served(answer) as base_url:
        with pytest.raises(SourceError, match="to another server"):
            await ask("massive", base_url)


async def test_a_symbol_without_bars_brings_none() -> None:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response({"bars": None})

    async with served(answer) as base_url:
        assert await ask("alpaca", base_url) == []


async def test_a_vendor_that_is_away_is_named() -> None:
    with pytest.raises(SourceError, match="Alpaca Market Data cannot be reached"):
        await ask("alpaca", "http://127.0.0.1:9")


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"timeframe": "1w"}, "has no 1w bars; timeframes: 1m"),
        ({"symbols": ()}, "at least one symbol"),
        ({"end": date(2019, 1, 1)}, "is before"),
    ],
)
async def test_what_a_vendor_cannot_be_asked_is_said(more: dict[str, Any], said: str) -> None:
    with pytest.raises(SourceError, match=said):
        await ask("alpaca", "http://127.0.0.1:9", **more)


def test_an_unknown_vendor_is_told_which_there_are() -> None:
    with pytest.raises(SourceError, match="Vendors: alpaca, massive, tiingo"):
        find_vendor("acme")


def test_every_vendor_says_how_its_prices_are_adjusted() -> None:
    assert all(vendor.prices and vendor.title for vendor in vendors().values())
