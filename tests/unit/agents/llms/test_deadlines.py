"""One timer keeps three deadlines."""

import asyncio

import pytest

from agents.llms.deadlines import StreamTimeouts, Watchdog

FAR = 3600.0


async def silence(watchdog: Watchdog) -> None:
    async with watchdog:
        await asyncio.Event().wait()


@pytest.mark.parametrize(
    ("timeouts", "expired"),
    [
        (StreamTimeouts(0.01, FAR, FAR), "first_byte"),
        (StreamTimeouts(FAR, FAR, 0.01), "total"),
        (StreamTimeouts(FAR, 0.01, FAR), None),
    ],
)
async def test_silence_from_the_start(timeouts: StreamTimeouts, expired: str | None) -> None:
    watchdog = Watchdog(timeouts)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(silence(watchdog), 0.3 if expired is None else 5)
    assert watchdog.expired == expired


@pytest.mark.parametrize(
    ("timeouts", "expired"),
    [
        (StreamTimeouts(FAR, 0.01, FAR), "idle"),
        (StreamTimeouts(0.01, FAR, 0.02), "total"),
        (StreamTimeouts(0.01, FAR, FAR), None),
    ],
)
async def test_silence_after_the_first_byte(timeouts: StreamTimeouts, expired: str | None) -> None:
    watchdog = Watchdog(timeouts)

    async def once() -> None:
        async with watchdog:
            watchdog.fed()
            await asyncio.Event().wait()

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(once(), 0.3 if expired is None else 5)
    assert watchdog.expired == expired


async def test_a_stream_that_is_fed_lives() -> None:
    watchdog = Watchdog(StreamTimeouts(0.2, 0.2, FAR))
    async with watchdog:
        for _ in range(60):
            watchdog.fed()
            await asyncio.sleep(0.01)
    assert watchdog.expired is None


async def test_cancelling_is_no_timeout() -> None:
    watchdog = Watchdog(StreamTimeouts())
    task = asyncio.create_task(silence(watchdog))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert watchdog.expired is None
