"""Longer bars hold what the shorter ones in them held, in sessions, and are seen only when over."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from tests.unit.tools.samples import made_up
from tools.errors import NoData
from tools.history import Market
from tools.market.actions import Action
from tools.market.bars import TIMEFRAMES, Bars
from tools.market.calendars import named
from tools.market.gaps import openings
from tools.market.instruments import Instrument
from tools.market.resample import finer_than, resample
from tools.market.store import InProcessMarket
from tools.tool import ToolContext


def minutes(first: str, last: str, *, calendar: str = "XNYS", timeframe: str = "1m") -> Bars:
    start, end = (datetime.fromisoformat(t).replace(tzinfo=UTC) for t in (first, last))
    times = openings(named(calendar), timeframe, start, end)
    close = 100 + np.cumsum(np.random.default_rng(3).normal(0, 0.1, len(times)))
    opened = np.concatenate([close[:1], close[:-1]])
    return Bars(
        symbol="TEST",
        timeframe=timeframe,
        source="made up",
        timestamps=times,
        open=opened,
        high=np.maximum(opened, close) + 0.05,
        low=np.minimum(opened, close) - 0.05,
        close=close,
        volume=np.arange(1.0, len(times) + 1),
        calendar=calendar,
    )


def stamps(bars: Bars) -> list[str]:
    return [str(time)[5:16] for time in bars.timestamps]


def test_hours_begin_where_the_session_begins() -> None:
    hours = resample(minutes("2024-07-02", "2024-07-04"), "1h")
    assert stamps(hours) == [
        *(f"07-02T{hour}:30" for hour in range(13, 20)),
        *(f"07-03T{hour}:30" for hour in range(13, 17)),  # the half day before the holiday
    ]
    tokyo = resample(minutes("2023-06-01", "2023-06-02", calendar="XTKS"), "1h")
    assert stamps(tokyo)[:6] == [
        *("06-01T00:00", "06-01T01:00", "06-01T02:00"),
        *("06-01T03:30", "06-01T04:30", "06-01T05:30"),  # after lunch it begins anew
    ]


@pytest.mark.parametrize("timeframe", ["5m", "15m", "30m", "1h", "4h", "1d", "1w", "1mo"])
def test_each_bucket_is_what_was_in_it(timeframe: str) -> None:
    fine = minutes("2024-06-24", "2024-07-10")
    coarse = resample(fine, timeframe)
    assert coarse.timeframe == timeframe
    assert coarse.volume.sum() == fine.volume.sum()
    inside = np.searchsorted(coarse.timestamps, fine.timestamps, side="right") - 1
    for bucket in range(len(coarse)):
        here = inside == bucket
        assert coarse.open[bucket] == fine.open[here][0]
        assert coarse.close[bucket] == fine.close[here][-1]
        assert coarse.high[bucket] == fine.high[here].max()
        assert coarse.low[bucket] == fine.low[here].min()
        assert coarse.volume[bucket] == fine.volume[here].sum()


def test_in_two_steps_it_is_the_same_as_in_one() -> None:
    fine = minutes("2024-06-24", "2024-07-10")
    for way, timeframe in ((("5m", "1h"), "1h"), (("30m", "1d"), "1d"), (("1d", "1w"), "1w")):
        steps = fine
        for one in way:
            steps = resample(steps, one)
        direct = resample(fine, timeframe)
        for name in ("timestamps", "open", "high", "low", "close", "volume"):
            np.testing.assert_array_equal(getattr(steps, name), getattr(direct, name), name)


def test_bars_outside_the_session_are_in_no_bucket() -> None:
    regular = minutes("2024-07-02", "2024-07-03")
    early = replace(regular.slice(0, 1), timestamps=np.array(["2024-07-02T12:00"], "datetime64[s]"))
    both = Bars(
        **{
            **vars(regular),
            **{
                name: np.concatenate([getattr(early, name), getattr(regular, name)])
                for name in ("timestamps", "open", "high", "low", "close", "volume")
            },
        }
    )
    assert resample(both, "1d").volume[0] == regular.until(date(2024, 7, 2)).volume.sum()


def test_a_longer_bar_is_not_seen_before_it_is_over() -> None:
    fine = minutes("2024-07-01", "2024-07-12")
    for now in (
        datetime(2024, 7, 2, 14, 29, 59, tzinfo=UTC),
        datetime(2024, 7, 2, 14, 30, tzinfo=UTC),
        datetime(2024, 7, 5, 19, 59, tzinfo=UTC),
        datetime(2024, 7, 5, 20, 0, tzinfo=UTC),
        datetime(2024, 7, 9, 3, 0, tzinfo=UTC),
    ):
        for timeframe in ("5m", "1h", "4h", "1d", "1w"):
            then = resample(fine.closed_by(now), timeframe).closed_by(now)
            whole = resample(fine, timeframe)
            # What is seen is final: later bars change none of it.
            kept = whole.slice(0, len(then))
            for name in ("timestamps", "open", "high", "low", "close", "volume"):
                np.testing.assert_array_equal(getattr(then, name), getattr(kept, name), name)
            assert (then.ends() <= np.datetime64(int(now.timestamp()), "s")).all()
    weeks = resample(fine, "1w")
    assert len(weeks.closed_by(datetime(2024, 7, 5, 19, 59, tzinfo=UTC))) == 0
    assert len(weeks.closed_by(datetime(2024, 7, 5, 20, 0, tzinfo=UTC))) == 1


def test_a_split_inside_a_week_is_no_crash_of_it() -> None:
    bars = made_up(np.where(np.arange(20) < 12, 100.0, 10.0), spread=0)
    split = Action(
        kind="split",
        ex_date=bars.day(12),
        new_shares=Decimal(10),
        old_shares=Decimal(1),
        source="a test",
        known_at=datetime(2020, 1, 1, tzinfo=UTC),
    )
    weeks = resample(replace(bars, actions=(split,)), "1w")
    # The first bar after the split still opens at the close before it, as `made_up` does.
    assert weeks.close.tolist() == [10.0] * len(weeks)
    assert weeks.basis == "split_adjusted"


def test_what_can_be_made_of_what() -> None:
    assert finer_than("1mo") == ("1d", "4h", "1h", "30m", "15m", "5m", "1m")
    assert finer_than("1h") == ("30m", "15m", "5m", "1m")
    assert finer_than("1m") == ()
    with pytest.raises(ValueError, match="cannot be made of 1d"):
        resample(made_up([1.0, 2.0]), "1h")
    assert len(resample(made_up([]), "1w")) == 0


async def test_a_tool_gets_bars_that_are_not_stored_and_is_told_of_what_they_are_made() -> None:
    fine = minutes("2024-06-03", "2024-07-31", timeframe="15m")
    market = InProcessMarket(
        [Instrument(symbol="TEST", name="Test", source="x", exchange="NYSE")], [fine]
    )
    asking = Market(market, market)
    now = datetime(2024, 7, 10, 15, 10, tzinfo=UTC)
    context = ToolContext(principal_id="x", now=now)
    for timeframe in ("15m", "1h", "1d", "1w", "1mo"):
        history = await asking.history("TEST", context, timeframe=timeframe)
        assert history.resampled_from == (None if timeframe == "15m" else "15m")
        assert history.bars.timeframe == timeframe
        assert history.bars.ends()[-1] <= np.datetime64("2024-07-10T15:10", "s")
        assert history.span().get("resampledFrom") == history.resampled_from
        made = any("Made of 15m bars" in note for note in history.notes())
        assert made == (timeframe != "15m")
    # A week is not over on its Wednesday, also for who asks about the past.
    weekly = await asking.history("TEST", context, timeframe="1w", at=date(2024, 7, 3))
    assert weekly.day(-1) == "2024-06-24"
    with pytest.raises(NoData):
        await asking.history("TEST", context, timeframe="5m")


def test_ten_million_minutes_are_resampled_in_bounded_memory() -> None:
    count = 10_000_000
    times = np.datetime64("2000-01-01", "s") + 60 * np.arange(count)
    close = np.linspace(1.0, 2.0, count)
    bars = Bars("X", "1m", "made up", times, close, close, close, close, np.ones(count))
    days = resample(bars, "1d")
    assert len(days) == -(-count // 1440)
    assert days.volume.sum() == count
    assert timedelta(days=1) == TIMEFRAMES[days.timeframe]
