"""Bring one follower from where its client stopped to the newest event, through the journal."""

import asyncio

import structlog

from app.domain.errors import Unavailable
from app.domain.runs import StoredEvent
from app.gateway.hub import Follower
from app.gateway.outbox import Outbox
from app.protocol.codec import encode
from app.protocol.frames import CaughtUpFrame, GapFrame
from app.services.ports import EventStore

log = structlog.get_logger(__name__)

PAGE = 500
_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 2.0


async def catch_up(follower: Follower, events: EventStore, outbox: Outbox) -> bool:
    """Replay what `follower` lacks, then make it live and say so; False if there is a gap.

    The follower must be in the hub already: what is published meanwhile waits with it, so nothing
    falls between the last page and the first live event.
    """
    while follower.active and not outbox.closed:
        await outbox.wait_for_room()
        page = await _read(follower, events)
        if not follower.active:
            break
        if await _is_gap(follower, page, events):
            oldest, newest = await events.bounds(follower.conversation_id)
            outbox.offer(encode(GapFrame(follower.conversation_id, oldest, newest)))
            return False
        for event in page:
            if not follower.active:
                break
            follower.replay(event)
            if outbox.crowded:
                await outbox.wait_for_room()
        if len(page) == PAGE or not follower.go_live():
            continue
        if not follower.announced:
            follower.announced = True
            outbox.offer(encode(CaughtUpFrame(follower.conversation_id, follower.position)))
        break
    return True


async def _is_gap(follower: Follower, page: list[StoredEvent], events: EventStore) -> bool:
    """Tell whether events after the client's position are gone, or it claims ones to come."""
    if page:
        return any(
            event.seq != expected for expected, event in enumerate(page, follower.position + 1)
        )
    if follower.announced or follower.position == 0:
        return False
    _, newest = await events.bounds(follower.conversation_id)
    return newest < follower.position


async def _read(follower: Follower, events: EventStore) -> list[StoredEvent]:
    """Read the next page, waiting out a database that is away."""
    pause_s = _FIRST_PAUSE_S
    while True:
        try:
            return await events.read(follower.conversation_id, after=follower.position, limit=PAGE)
        except Unavailable:
            log.warning("gateway.replay_waits", conversation_id=str(follower.conversation_id))
            await asyncio.sleep(pause_s)
            pause_s = min(pause_s * 2, _LONGEST_PAUSE_S)
