"""Ctrl-C is heeded also where a library lost it."""

import asyncio
from contextlib import suppress

import pytest

from app.terminal.session import _heed_ctrl_c


async def test_a_cancellation_that_was_swallowed_is_raised_again() -> None:
    reached = asyncio.Event()

    async def open_and_lose_it() -> None:
        with suppress(asyncio.CancelledError):
            reached.set()
            await asyncio.Event().wait()
        _heed_ctrl_c()

    opening = asyncio.create_task(open_and_lose_it())
    await reached.wait()
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening


async def test_nobody_leaves_who_was_not_asked_to() -> None:
    _heed_ctrl_c()
