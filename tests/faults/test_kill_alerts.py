"""kill -9 of the server while alerts fire: each episode opens one conversation, and is sent."""

import asyncio
import json
import random
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.faults.client import Wire
from tests.faults.server import Server
from tests.unit.app.services.alerts.test_webhooks import verify

KILLS = 8
ALERTS = 5
SEED = 20261126


class Receiver:
    """A webhook on this machine; it outlives the desk's deaths."""

    def __init__(self) -> None:
        self.came: list[tuple[dict[str, str], bytes]] = []

    async def take(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.came.append((headers, await request.read()))
        return web.Response(status=204)


@pytest.fixture
async def hook() -> AsyncIterator[tuple[Receiver, int]]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/{tail:.*}", receiver.take)
    async with TestServer(app, host="127.0.0.1") as server:
        assert server.port is not None
        yield receiver, server.port


def weekdays() -> Iterator[datetime]:
    """Yield the weekdays after the shipped prices end."""
    day = datetime(2013, 3, 4, tzinfo=UTC)
    while True:
        if day.weekday() < 5:
            yield day
        day += timedelta(days=1)


def bar_of(day: datetime, close: float) -> dict[str, Any]:
    return {
        "symbol": "GOOG",
        "timeframe": "1d",
        "bars": [
            {"timestamp": day.isoformat().replace("+00:00", "Z"), "open": close,
             "high": close + 1, "low": close - 1, "close": close, "volume": 1_000_000}
        ],
    }  # fmt: skip


async def until_settled(desk: Server, key: str, alerts: list[str], expected: int) -> list[Any]:
    """Return every episode once there are as many as there should be, all open and delivered."""
    found: list[Any] = []
    async with asyncio.timeout(120):
        while True:
            found = []
            for alert in alerts:
                path = f"/api/v1/alerts/{alert}/episodes"
                found += await asyncio.to_thread(desk.pages, path, key=key)
            done = [
                one
                for one in found
                if one["threadId"] and [d["status"] for d in one["deliveries"]] == ["delivered"]
            ]
            if len(done) >= expected:
                return found
            await asyncio.sleep(0.5)


@pytest.mark.fault
@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_kills_while_alerts_fire_lose_nothing_and_double_nothing(
    tmp_path: Path, hook: tuple[Receiver, int]
) -> None:
    receiver, port = hook
    desk = Server(tmp_path / "data", {"OUTCRY_OUTBOUND_ALLOW": f"127.0.0.1:{port}"})
    chance = random.Random(SEED)
    try:
        await asyncio.to_thread(desk.start)
        key = await asyncio.to_thread(desk.api_key)
        secrets: dict[str, str] = {}
        for number in range(ALERTS):
            wishes = {
                "symbol": "GOOG",
                "condition": {"field": "close", "op": ">", "value": 850 + number},
                "webhookUrl": f"http://127.0.0.1:{port}/{number}",
            }
            made = await asyncio.to_thread(desk.request, "POST", "/api/v1/alerts", wishes, key=key)
            assert made.status == 201, made.body
            secrets[made.body["id"]] = made.body["webhookSecret"]

        days = weekdays()
        for kill in range(KILLS):
            for close in (830.0, 870.0):
                posted = await asyncio.to_thread(
                    desk.request, "POST", "/api/v1/bars", bar_of(next(days), close), key=key
                )
                assert posted.body["accepted"] == 1, posted.body
            # Somewhere between the bar's commit and the last delivery.
            await asyncio.sleep(chance.uniform(0.0, 1.5) if kill else 0.0)
            desk.kill()
            await asyncio.to_thread(desk.start)

        episodes = await until_settled(desk, key, list(secrets), ALERTS * KILLS)
        assert len(episodes) == ALERTS * KILLS
        assert len({one["id"] for one in episodes}) == len(episodes)
        threads = {one["threadId"] for one in episodes}
        assert len(threads) == len(episodes)
        listed = await asyncio.to_thread(desk.pages, "/api/v1/conversations", key=key)
        assert {one["id"] for one in listed} == threads
        for thread in threads:
            path = f"/api/v1/conversations/{thread}/messages"
            (message,) = await asyncio.to_thread(desk.pages, path, key=key)
            assert message["content"].startswith("**GOOG: close above 85")
            assert message["receipt"]["amount"] == "0"

        per_episode = Counter(json.loads(body)["data"]["episodeId"] for _, body in receiver.came)
        assert set(per_episode) == {one["id"] for one in episodes}
        ids = {headers["webhook-id"] for headers, _ in receiver.came}
        assert len(ids) == len(episodes)
        for headers, body in receiver.came:
            secret = secrets[json.loads(body)["data"]["alertId"]]
            assert verify(secret, headers, body, now=int(headers["webhook-timestamp"]))

        async with Wire.open(desk.port, key=key) as wire:
            await wire.hello()
            for close in (830.0, 870.0):
                await asyncio.to_thread(
                    desk.request, "POST", "/api/v1/bars", bar_of(next(days), close), key=key
                )
            notice, _ = await wire.until(lambda frame: frame["type"] == "notice")
        assert (notice["kind"], notice["alertId"] in secrets) == ("alert", True)
        assert notice["threadId"] not in threads
    finally:
        await asyncio.to_thread(desk.clean_up)
