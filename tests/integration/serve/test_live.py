"""One bar, from whoever brings it to everybody who waits for it, through the whole server."""

import asyncio
from collections.abc import AsyncIterator
from datetime import date, timedelta
from typing import Any

import pytest

from tests.faults.client import Wire
from tests.faults.server import Server

pytestmark = pytest.mark.slow

SYMBOL = "LIVE"
FIRST_DAY = date(2024, 1, 1)
API = "/api/v1"


@pytest.fixture(scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    server = Server(tmp_path_factory.mktemp("desk") / "data")
    try:
        await asyncio.to_thread(server.start)
        yield server
    finally:
        await asyncio.to_thread(server.clean_up)


def bar(number: int, close: float, *, volume: float = 1_000.0) -> dict[str, Any]:
    day = FIRST_DAY + timedelta(days=number)
    return {
        "timestamp": f"{day}T00:00:00Z",
        "open": close,
        "high": close + 1,
        "low": close - 1,
        "close": close,
        "volume": volume,
    }


async def ask(server: Server, method: str, path: str, body: Any = None, *, key: str) -> Any:
    response = await asyncio.to_thread(server.request, method, f"{API}{path}", body, key=key)
    assert response.status < 300, (path, response.status, response.body)
    return response.body


async def test_a_posted_bar_reaches_the_open_chart_the_signals_and_the_alert(
    server: Server,
) -> None:
    key = await asyncio.to_thread(server.api_key)
    instrument = {"symbol": SYMBOL, "name": "Live", "source": "the test"}
    await ask(server, "POST", "/instruments", instrument, key=key)
    # A year of calm, then one bar far above it with ten times the volume.
    calm = [bar(number, 100 + number % 3) for number in range(300)]
    posted = {"symbol": SYMBOL, "timeframe": "1d", "bars": calm}
    assert (await ask(server, "POST", "/bars", posted, key=key))["accepted"] == 300
    condition = {"field": "close", "op": "crosses_above", "value": 110}
    alert = await ask(
        server, "POST", "/alerts", {"symbol": SYMBOL, "condition": condition}, key=key
    )
    async with Wire.open(server.port, key=key) as wire:
        await wire.hello()
        await wire.command("watch", symbols=[SYMBOL], timeframe="1d")
        first = await market_frame(wire, lambda frame: True)
        assert first["bar"]["timestamp"].startswith(calm[-1]["timestamp"][:10])
        assert first["indicators"]["sma200"] == pytest.approx(101, abs=0.1)
        assert not first["provisional"]
        rise = bar(300, 120, volume=10_000)
        await ask(
            server, "POST", "/bars", {"symbol": SYMBOL, "timeframe": "1d", "bars": [rise]}, key=key
        )
        # The chart, the signals and the alert: in whichever order they are ready.
        wanted = {"notice", "bar", "signal"}

        def all_there(frame: dict[str, Any]) -> bool:
            if frame["type"] == "notice":
                wanted.discard("notice")
            elif frame["type"] == "market" and frame["bar"]["close"] == 120:
                wanted.discard("bar")
                if any(one["signalType"] == "breakout" for one in frame["signals"]):
                    wanted.discard("signal")
            return not wanted

        _, frames = await wire.until(all_there)
        seen = next(f for f in frames if f["type"] == "market" and f["bar"]["close"] == 120)
        assert seen["indicators"]["volumeRatio"] == pytest.approx(10)
        assert "replay" not in seen
        notice = next(frame for frame in frames if frame["type"] == "notice")
        assert (notice["kind"], notice["alertId"]) == ("alert", alert["id"])
        # The conversation that it opened is there to be followed.
        await wire.command("subscribe", threadId=notice["threadId"], since=0)
        await frame_of(wire, "caughtUp")
    signals = await ask(server, "GET", f"/signals?symbol={SYMBOL}", key=key)
    fired = [one for one in signals["items"] if one["validFrom"][:10] >= rise["timestamp"][:10]]
    assert "breakout" in {one["signalType"] for one in fired}
    episodes = await ask(server, "GET", f"/alerts/{alert['id']}/episodes", key=key)
    assert [one["barTime"][:10] for one in episodes["items"]] == [rise["timestamp"][:10]]
    assert episodes["items"][0]["threadId"] == notice["threadId"]


async def test_a_bar_that_another_process_stored_reaches_the_open_chart_too(
    server: Server,
) -> None:
    key = await asyncio.to_thread(server.api_key)
    async with Wire.open(server.port, key=key) as wire:
        await wire.hello()
        await wire.command("watch", symbols=["IBM"], timeframe="1d")
        await market_frame(wire, lambda frame: True)
        replaying = asyncio.create_task(
            asyncio.to_thread(
                server.command,
                *("replay", "IBM", "--from", "2013-02-20", "--to", "2013-03-01"),
                *("--speed", "20d/s", "--no-alert"),
            )
        )
        watching = 0
        while watching == 0:
            # Until the other process has made it known.
            command = await wire.command("watch", symbols=["IBM@REPLAY"], timeframe="1d")
            watching = int((await wire.reply_to(command))["ok"])
            await asyncio.sleep(0.1)
        last = await market_frame(
            wire, lambda frame: frame["bar"]["timestamp"].startswith("2013-03-01")
        )
        assert (last["symbol"], last["replay"]) == ("IBM@REPLAY", True)
        assert "Showed 8 of 8" in await replaying
    original = await ask(server, "GET", "/bars?symbol=IBM&limit=1", key=key)
    again = await ask(server, "GET", "/bars?symbol=IBM@REPLAY&limit=1", key=key)
    assert again["items"] == original["items"]
    assert again["source"] == f"replay of {original['source']}"


async def market_frame(wire: Wire, wanted: Any) -> dict[str, Any]:
    frame, _ = await wire.until(lambda frame: frame["type"] == "market" and wanted(frame))
    return frame


async def frame_of(wire: Wire, kind: str) -> dict[str, Any]:
    frame, _ = await wire.until(lambda frame: frame["type"] == kind)
    return frame
