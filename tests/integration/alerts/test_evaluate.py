"""When alerts fire: once per episode, at closed bars that can be believed, whoever notices."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import numpy as np
import pytest

from app.domain.errors import NotFound
from app.domain.principal import Principal
from app.services.alerts.alert_wishes import AlertWishes
from app.storage.engine import Database
from tests.integration.alerts.alert_desk import OVER_800, bar
from tests.integration.alerts.conftest import Server
from tools.analytics.condition_parts import Standing
from tools.market.bars import Bars


async def test_an_alert_fires_once_per_episode_and_again_in_the_next(
    server: Server, ann: Principal
) -> None:
    alert_id = await server.at.make(ann)
    alerts = server.at.alerts
    fired = []
    for day, close in enumerate((790, 801, 805, 802, 799, 790, 810, 811), start=4):
        fired += [one.bar_time.day for one in await alerts.evaluate(bar(close, day))]
    assert fired == [5, 10]

    page = await alerts.episodes(ann, alert_id, cursor=None, limit=10)
    # The clock of this desk stands still, so that both fired in the same moment.
    episodes = sorted(page.items, key=lambda one: one.bar_time, reverse=True)
    assert [one.bar_time.day for one in episodes] == [10, 5]
    assert episodes[0].ended_at is None
    assert episodes[1].ended_at is not None
    assert episodes[1].evidence["parts"] == [
        {"what": "close above 800", "value": 801.0, "threshold": 800.0}
    ]
    seen = await alerts.get(ann, alert_id)
    assert (seen.state, seen.episode_open, seen.last_result) == ("open", True, "true")
    assert seen.last_bar_time is not None
    assert seen.last_bar_time.day == 11


async def test_a_bar_is_judged_once_however_often_it_comes_and_older_ones_never(
    server: Server, ann: Principal
) -> None:
    await server.at.make(ann)
    alerts = server.at.alerts
    assert await alerts.evaluate(bar(790, 4)) == []
    assert len(await alerts.evaluate(bar(801, 5))) == 1
    assert await alerts.evaluate(bar(801, 5)) == []
    assert await alerts.evaluate(bar(790, 5)) == []
    assert await alerts.evaluate(bar(790, 4)) == []
    assert await alerts.evaluate(bar(801, 6)) == []


async def test_two_processes_that_see_the_same_bars_fire_once(
    start: Callable[[], Awaitable[Server]], ann: Principal, database: Database
) -> None:
    one, other = await start(), await start()
    for number in range(5):
        await one.at.make(ann, name=f"alert {number}")
    fired = 0
    for day, close in ((4, 790), (5, 801), (6, 790), (7, 802)):
        moment = bar(close, day)
        results = await asyncio.gather(
            *(server.at.alerts.evaluate(moment) for server in (one, other, one, other))
        )
        fired += sum(map(len, results))
    assert fired == 10
    assert await database.fetchval("SELECT count(*) FROM alert_episodes") == 10


async def test_what_is_not_ready_neither_fires_nor_ends_an_episode(
    server: Server, ann: Principal
) -> None:
    alert_id = await server.at.make(ann)
    alerts = server.at.alerts
    for day, close in ((4, None), (5, None), (6, 790)):
        assert await alerts.evaluate(bar(close, day)) == []
    assert "not ready" not in (await alerts.get(ann, alert_id)).note
    assert len(await alerts.evaluate(bar(801, 7))) == 1
    assert await alerts.evaluate(bar(None, 8)) == []
    assert "not ready" in (await alerts.get(ann, alert_id)).note
    # Unknown is not false: it is still the same episode.
    assert await alerts.evaluate(bar(802, 11)) == []


async def test_a_suspect_bar_fires_nothing_and_counts_once_it_is_believed(
    server: Server, ann: Principal
) -> None:
    alert_id = await server.at.make(ann)
    alerts = server.at.alerts
    await alerts.evaluate(bar(790, 4))
    assert await alerts.evaluate(bar(8010, 5, reliable=False)) == []
    seen = await alerts.get(ann, alert_id)
    assert (seen.last_result, seen.state) == ("unreliable", "armed")
    assert "suspect" in seen.note
    assert len(await alerts.evaluate(bar(801, 5))) == 1


async def test_an_alert_that_holds_already_says_so_and_waits_for_the_next_time(
    server: Server, ann: Principal
) -> None:
    server.given.moments = [bar(801, 4)]
    alert_id = await server.at.make(ann)
    alerts = server.at.alerts
    made = await alerts.get(ann, alert_id)
    assert (made.state, made.last_fired_at) == ("held", None)
    assert "held already" in made.note
    assert await alerts.evaluate(bar(805, 5)) == []
    assert await alerts.evaluate(bar(790, 6)) == []
    assert len(await alerts.evaluate(bar(801, 7))) == 1


async def test_it_fires_at_once_where_that_was_asked_for(server: Server, ann: Principal) -> None:
    server.given.moments = [bar(801, 4)]
    alert_id = await server.at.make(ann, fire_if_already_true=True)
    made = await server.at.alerts.get(ann, alert_id)
    assert made.episode_open
    assert made.last_fired_at == server.at.now


async def test_an_episode_ends_and_the_next_begins_as_slowly_as_was_asked(
    server: Server, ann: Principal
) -> None:
    await server.at.make(ann, ends_after_bars=2, cooldown_bars=3)
    fired = []
    closes = (790, 801, 790, 801, 790, 790, 801, 801, 801, 801, 801)
    for day, close in enumerate(closes, start=1):
        fired += [one.bar_time.day for one in await server.at.alerts.evaluate(bar(close, day))]
    # One bar below does not end the first; it ends on the 6th, and three bars later, on the 10th,
    # the condition still holds.
    assert fired == [2, 10]


async def test_signals_count_whether_they_are_valid_or_fired(
    server: Server, ann: Principal
) -> None:
    condition = {"signal": "breakout", "direction": "bullish", "fired": True}
    await server.at.make(ann, condition=condition)
    alerts = server.at.alerts
    up, down = Standing("breakout", "bullish"), Standing("breakout", "bearish", fired=True)
    assert await alerts.evaluate(bar(790, 4, signals=(up,), fired=(down,))) == []
    fired = (Standing("breakout", "bullish", fired=True),)
    assert len(await alerts.evaluate(bar(790, 5, signals=(up,), fired=fired))) == 1


async def test_a_paused_alert_sleeps_and_begins_anew(server: Server, ann: Principal) -> None:
    alert_id = await server.at.make(ann)
    alerts = server.at.alerts
    await alerts.evaluate(bar(790, 4))
    await alerts.evaluate(bar(801, 5))
    paused = await alerts.change(ann, alert_id, AlertWishes(status="paused"))
    assert (paused.status, paused.state, paused.note) == ("paused", "new", "It is paused.")
    episodes = (await alerts.episodes(ann, alert_id, cursor=None, limit=10)).items
    assert episodes[0].ended_at is not None
    assert await alerts.evaluate(bar(790, 6)) == []
    server.given.moments = [bar(805, 7)]
    resumed = await alerts.change(ann, alert_id, AlertWishes(status="active"))
    assert resumed.state == "held"


async def test_a_disabled_persons_alerts_do_not_fire(
    server: Server, ann: Principal, database: Database
) -> None:
    await server.at.make(ann)
    await server.at.alerts.evaluate(bar(790, 4))
    await database.execute("UPDATE users SET disabled = true WHERE id = $1", ann.user_id)
    assert await server.at.alerts.evaluate(bar(801, 5)) == []


async def test_other_series_do_not_concern_an_alert(server: Server, ann: Principal) -> None:
    await server.at.make(ann, symbol="MSFT")
    await server.at.make(ann, timeframe="1w")
    await server.at.alerts.evaluate(bar(790, 4))
    assert await server.at.alerts.evaluate(bar(801, 5)) == []
    assert not await server.at.alerts.watches("GOOG", "1d")
    assert await server.at.alerts.watches("GOOG", "1w")


async def test_a_trial_judges_and_tells_without_keeping_anything(
    server: Server, ann: Principal, bob: Principal, database: Database
) -> None:
    at = server.on_prices
    alert_id = await at.make(ann)
    before = await at.alerts.get(ann, alert_id)
    trial = await at.alerts.test(ann, alert_id)
    assert (trial.holds, trial.would_fire, trial.not_ready) == (True, False, [])
    assert trial.text is not None
    assert trial.text.startswith("**GOOG: close above 800.** Your alert “close above 800” fired")
    assert await at.alerts.get(ann, alert_id) == before
    assert await database.fetchval("SELECT count(*) FROM conversations") == 0
    with pytest.raises(NotFound):
        await at.alerts.test(bob, alert_id)
    assert before.condition == OVER_800


async def test_alerts_on_hourly_bars_speak_of_hours(server: Server, ann: Principal) -> None:
    opened = np.datetime64("2013-03-04T09:00:00", "s") + np.arange(300) * np.timedelta64(1, "h")
    close = 100.0 + 5.0 * np.sin(np.arange(300) / 7.0)
    await server.market.add(
        Bars(symbol="GOOG", timeframe="1h", source="a test", timestamps=opened, open=close,
             high=close + 1, low=close - 1, close=close, volume=np.full(300, 1000.0))
    )  # fmt: skip
    at = server.on_prices
    alert_id = await at.make(
        ann, timeframe="1h", condition={"field": "close", "op": ">", "value": 104}
    )
    trial = await at.alerts.test(ann, alert_id)
    assert trial.bar_time == datetime(2013, 3, 16, 20, tzinfo=UTC)
    assert trial.text is not None
    assert "on the 1h bar of 16 March 2013, 20:00 UTC" in trial.text
    assert "**Before:** it came to hold on 7 occasions" in trial.text
    seen = await at.alerts.get(ann, alert_id)
    assert seen.last_bar_time == trial.bar_time
