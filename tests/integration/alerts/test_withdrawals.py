"""What a correction takes away is marked, told and judged again, and never deleted."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from uuid import UUID

import msgspec
import numpy as np
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from app.domain.principal import Principal
from app.services.alerts.alert_views import EpisodeView
from app.services.alerts.moments import moments_at
from app.services.live.live_alerts import LiveAlerts
from app.services.live.live_numbers import LiveNumbers
from app.storage.engine import Database
from tests.integration.alerts.conftest import Server
from tests.integration.alerts.test_webhooks import Receiver
from tools.market.bars import Bars

OVER_790 = {"field": "close", "op": ">", "value": 790}
FIRST = datetime(2013, 2, 19, tzinfo=UTC)
"""The day on which GOOG first closed above 790: at 806.85, after 792.89 on the 15th."""


async def goog(server: Server) -> Bars:
    return (await server.market.read("GOOG")).closed_by(server.at.now)


def corrected(bars: Bars, closes: dict[int, float]) -> Bars:
    close = bars.close.copy()
    for bar, price in closes.items():
        close[bar] = price
    return replace(bars, close=close, low=np.minimum(bars.low, close))


async def judged(server: Server, bars: Bars, wanted: range) -> list[datetime]:
    fired = []
    for moment in moments_at(bars, list(wanted)):
        fired += [one.bar_time for one in await server.at.alerts.evaluate(moment)]
    return fired


async def episodes(server: Server, ann: Principal, alert: UUID) -> list[EpisodeView]:
    page = await server.at.alerts.episodes(ann, alert, cursor=None, limit=10)
    return sorted(page.items, key=lambda one: one.bar_time)


@pytest.fixture
async def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
async def url(receiver: Receiver) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    async with TestServer(app, host="127.0.0.1") as server:
        yield f"http://127.0.0.1:{server.port}/hook"


async def test_what_was_taken_away_is_marked_and_told_once(
    server: Server, ann: Principal, database: Database, receiver: Receiver, url: str
) -> None:
    at, bars = server.at, await goog(server)
    alert = await at.make(ann, condition=OVER_790, webhook_url=url)
    last = len(bars) - 1
    first = next(bar for bar in range(last, 0, -1) if bars.close[bar] <= 790) + 1
    assert await judged(server, bars, range(first - 3, last + 1)) == [bars.time(first)]
    assert await at.openings.open_all() == 1
    await at.webhooks.send_due()

    # All of them were wrong: the price never closed above 790.
    wrong = corrected(bars, {bar: 789.0 for bar in range(first, last + 1)})
    assert await at.withdrawals.review(wrong, bars.time(first)) == 1
    assert await at.withdrawals.review(wrong, bars.time(first)) == 0, "once"
    (episode,) = await episodes(server, ann, alert)
    assert episode.withdrawn_at == at.now
    assert episode.ended_at is not None
    assert "corrected" in (episode.withdrawn_because or "")
    assert (await at.alerts.get(ann, alert)).state == "armed"

    assert await at.withdrawals.tell_all() == 1
    assert await at.withdrawals.tell_all() == 0, "told once"
    said = await database.fetch(
        "SELECT content FROM messages WHERE conversation_id = $1 ORDER BY timestamp, id",
        episode.thread_id,
    )
    assert len(said) == 2
    assert said[0]["content"].startswith("**GOOG: close above 790.**")
    assert said[1]["content"].startswith("**Withdrawn: what your alert on GOOG fired at on")
    assert [one.title for _, one in at.notices.notices][-1].startswith("Withdrawn: GOOG")
    await at.webhooks.send_due()
    told = [msgspec.json.decode(body) for _, body in receiver.came]
    assert [one["type"] for one in told] == ["alert.fired", "alert.withdrawn"]
    assert told[1]["data"]["episodeId"] == str(episode.id)
    assert told[1]["data"]["threadId"] == str(episode.thread_id)
    (episode,) = await episodes(server, ann, alert)
    assert [(one.event, one.status) for one in episode.deliveries] == [
        ("fired", "delivered"),
        ("withdrawn", "delivered"),
    ]


async def test_bars_after_a_withdrawn_one_are_judged_again(server: Server, ann: Principal) -> None:
    bars = await goog(server)
    alert = await server.at.make(ann, condition=OVER_790)
    last = len(bars) - 1
    first = next(bar for bar in range(last, 0, -1) if bars.close[bar] <= 790) + 1
    await judged(server, bars, range(first - 3, last + 1))
    later = corrected(bars, {first: 789.0})
    assert await server.at.withdrawals.review(later, bars.time(first)) == 1
    old, new = await episodes(server, ann, alert)
    assert (old.bar_time, old.withdrawn_at is not None) == (bars.time(first), True)
    assert (new.bar_time, new.withdrawn_at) == (bars.time(first + 1), None)
    assert (await server.at.alerts.get(ann, alert)).state == "open"


async def test_what_still_holds_and_what_nobody_can_say_stays(
    server: Server, ann: Principal
) -> None:
    bars = await goog(server)
    alert = await server.at.make(ann, condition=OVER_790)
    last = len(bars) - 1
    first = next(bar for bar in range(last, 0, -1) if bars.close[bar] <= 790) + 1
    await judged(server, bars, range(first - 3, last + 1))
    assert (
        await server.at.withdrawals.review(corrected(bars, {first: 791.0}), bars.time(first)) == 0
    )
    assert await server.at.withdrawals.review(bars, bars.time(last)) == 0, "it fired before"
    gone = np.arange(len(bars)) != first
    assert await server.at.withdrawals.review(bars.pick(gone), bars.time(first)) == 1
    (old, *_) = await episodes(server, ann, alert)
    assert old.withdrawn_because == "There is no such bar any more."


async def test_a_conversation_that_was_deleted_gets_no_note(
    server: Server, ann: Principal, database: Database
) -> None:
    at, bars = server.at, await goog(server)
    alert = await at.make(ann, condition=OVER_790)
    last = len(bars) - 1
    first = next(bar for bar in range(last, 0, -1) if bars.close[bar] <= 790) + 1
    await judged(server, bars, range(first - 3, last + 1))
    await at.openings.open_all()
    await database.execute("DELETE FROM conversations")
    wrong = corrected(bars, {bar: 789.0 for bar in range(first, last + 1)})
    await at.withdrawals.review(wrong, bars.time(first))
    assert await at.withdrawals.tell_all() == 1
    assert await database.fetchval("SELECT count(*) FROM conversations") == 0
    assert len(await episodes(server, ann, alert)) == 1


async def test_a_late_or_stuck_bar_fires_nothing(server: Server, ann: Principal) -> None:
    """Trading goes on, and the newest bar is that of an hour ago."""
    at = server.at
    at.now = datetime(2026, 11, 24, 16, 30, tzinfo=UTC)
    alert = await at.make(ann, timeframe="5m", condition=OVER_790)
    opened = np.arange("2026-11-24T14:30", "2026-11-24T15:30", 5, dtype="datetime64[m]")
    close = np.where(np.arange(len(opened)) < len(opened) - 1, 780.0, 800.0)
    close[:-1] += np.arange(len(opened) - 1) / 10
    hourly = Bars(
        "GOOG", "5m", "a test", opened.astype("datetime64[s]"), close, close, close, close,
        np.ones(len(close)), calendar="XNYS",
    )  # fmt: skip

    def steps(bars: Bars) -> list[object]:
        return list(LiveNumbers().seed(("GOOG", "5m"), bars, new=1))

    live = LiveAlerts(at.alerts, at.store, at.withdrawals, clock=at.clock)
    await live.judge(hourly, steps(hourly))  # type: ignore[arg-type]  # bar steps
    assert (await at.alerts.get(ann, alert)).last_result == "unreliable"
    at.now = datetime(2026, 11, 24, 15, 31, tzinfo=UTC)
    await live.judge(hourly, steps(hourly))  # type: ignore[arg-type]  # bar steps
    assert (await at.alerts.get(ann, alert)).last_result == "true"
