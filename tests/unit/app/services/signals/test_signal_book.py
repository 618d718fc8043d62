"""Signals are stored once, ended and graded when due, and never forgotten; replay equals batch."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import msgspec
import numpy as np
import pytest

from app.domain.errors import Invalid, NotFound
from app.services.signals.signal_memory import InProcessSignals
from app.services.signals.signals import SignalBook
from tests.unit.tools.samples import assert_alike
from tools.analytics.firings import KINDS
from tools.errors import UnknownSymbol
from tools.market.bars import Bars
from tools.market.demo import VENDORED, read_vendored
from tools.market.intake import BarsStored
from tools.market.signals import MarketSignal
from tools.market.store import InProcessMarket

NOW = datetime(2026, 11, 26, tzinfo=UTC)
SHIPPED = read_vendored()


class Stage:
    """A book over markets in memory, whose bars a test brings itself."""

    def __init__(self, *bars: Bars) -> None:
        symbols = [one.symbol for one in bars]
        self.market = InProcessMarket([VENDORED.instrument(s, bars=1) for s in symbols], bars)
        self.store = InProcessSignals(self.market, self.market)
        self.book = self.another()

    def another(self) -> SignalBook:
        return SignalBook(self.store, self.market, self.market, clock=lambda: NOW)

    async def signals(self, **asked: Any) -> list[MarketSignal]:
        found: list[MarketSignal] = []
        cursor = None
        while True:
            page = await self.book.page(
                **{"symbol": None, "signal_type": None, "timeframe": None, "state": None, **asked},
                cursor=cursor,
                limit=200,
            )
            found += page.items
            cursor = page.next_cursor
            if cursor is None:
                return found


def plain(signals: list[MarketSignal]) -> dict[str, Any]:
    """Signals by id, as JSON, without when they were written down."""
    built = {str(one.id): msgspec.to_builtins(one) for one in signals}
    for one in built.values():
        del one["createdAt"]
    return built


@pytest.mark.slow
async def test_a_replay_bar_by_bar_gives_exactly_the_signals_of_batch() -> None:
    """Two symbols day by day, over Apple's split of 2005, against both at once.

    Everything is compared: strength, votes and prices as of the day, confidence, how it ended and
    was graded.
    """
    series = [SHIPPED["AAPL"].slice(1_000, 1_600), SHIPPED["MSFT"].slice(1_000, 1_600)]
    replay, batch = Stage(*(one.slice(0, 240) for one in series)), Stage(*series)
    fired: list[MarketSignal] = []
    for length in range(240, 601):
        for one in series:
            await replay.market.replace(one.slice(0, length))
            anew = await replay.book.refresh(one.symbol, "1d")
            assert all(signal.valid_from == one.time(length - 1) for signal in anew)
            fired += anew
    await batch.book.catch_up(lambda _: None)
    expected = plain(await batch.signals())
    assert_alike(plain(await replay.signals()), expected)
    assert len(expected) > 200
    graded = [one for one in await batch.signals() if one.outcome is not None]
    # "None": an entry in the first year, when the symbol's own drift is not known.
    assert {one.outcome.result for one in graded if one.outcome} == {"hit", "miss", "none"}
    assert any(one.track_record.n > 0 for one in graded)
    since = series[0].time(240)
    told = {one.id for one in fired if one.valid_from >= since}
    assert told == {one.id for one in await batch.signals() if one.valid_from >= since}


async def test_reading_again_changes_nothing() -> None:
    stage = Stage(SHIPPED["GOOG"].slice(0, 700))
    first = await stage.book.refresh("GOOG", "1d")
    assert {one.valid_from for one in first} <= {SHIPPED["GOOG"].time(699)}
    kept = plain(await stage.signals())
    assert len(kept) > 100
    assert await stage.book.refresh("GOOG", "1d") == []
    assert await stage.another().refresh("GOOG", "1d") == []
    assert await stage.book.catch_up(lambda _: None) == 0
    assert plain(await stage.signals()) == kept


async def test_a_signal_keeps_the_confidence_it_was_shown_with() -> None:
    google = SHIPPED["GOOG"]
    stage = Stage(google.slice(0, 700))
    await stage.book.refresh("GOOG", "1d")
    before = {one.id: one for one in await stage.signals()}
    await stage.market.replace(google.slice(0, 760))
    await stage.book.refresh("GOOG", "1d")
    after = {one.id: one for one in await stage.signals()}
    assert before.keys() < after.keys()
    for key, one in before.items():
        assert after[key].confidence == one.confidence
        assert after[key].track_record == one.track_record


async def test_what_is_due_is_settled_and_what_ended_says_why() -> None:
    google = SHIPPED["GOOG"]
    stage = Stage(google.slice(0, 700))
    await stage.book.refresh("GOOG", "1d")
    open_ones = [one for one in await stage.signals() if one.outcome is None]
    assert open_ones
    assert {one.state for one in open_ones} <= {"active", "expired", "superseded"}
    await stage.market.replace(google.slice(0, 780))
    await stage.book.refresh("GOOG", "1d")
    for one in open_ones:
        later = await stage.book.signal(one.id)
        assert later.state == "resolved"
        assert later.outcome is not None
        assert later.outcome.result in ("hit", "miss")
        assert later.outcome.resolved_at is not None
        assert later.outcome.resolved_at > one.valid_from
        assert later.end_reason


async def test_a_correction_withdraws_what_no_longer_fires_and_deletes_nothing() -> None:
    google = SHIPPED["GOOG"].slice(0, 700)
    volume = google.volume.copy()
    volume[650] *= 50
    spiked = Bars(**{**vars(google), "volume": volume})
    stage = Stage(spiked)
    await stage.book.refresh("GOOG", "1d")
    wrong = [one for one in await stage.signals(signal_type="volume_spike")
             if one.valid_from == google.time(650)]  # fmt: skip
    assert len(wrong) == 1
    await stage.market.replace(google)
    # The same last bar: only a changed one within what is watched tells.
    await stage.book.compute("GOOG", "1d")
    found = await stage.book.signal(wrong[0].id)
    assert (found.state, found.end_reason) == ("superseded", "the bars it stood on were corrected")
    assert found.outcome is not None
    assert found.outcome.result == "none"
    assert wrong[0].id not in {one.id for one in await stage.signals()}
    assert wrong[0].id in {one.id for one in await stage.signals(state="superseded")}
    # The correction is taken back: it stands again.
    await stage.market.replace(spiked)
    await stage.book.compute("GOOG", "1d")
    assert (await stage.book.signal(wrong[0].id)).state == "resolved"


async def test_an_old_correction_is_noticed_when_it_is_told() -> None:
    apple = SHIPPED["AAPL"]
    stage = Stage(apple)
    await stage.book.refresh("AAPL", "1d")
    kept = {one.id for one in await stage.signals()}
    volume = apple.volume.copy()
    volume[200] *= 50
    await stage.market.replace(Bars(**{**vars(apple), "volume": volume}))
    assert await stage.book.refresh("AAPL", "1d") == []
    assert {one.id for one in await stage.signals()} == kept
    moment = apple.time(200)
    stage.book.bars_stored(
        BarsStored(symbol="AAPL", timeframe="1d", first=moment, last=moment, count=1,
                   corrected=True)
    )  # fmt: skip
    await stage.book.read_unread()
    assert moment in {one.valid_from for one in await stage.signals(signal_type="volume_spike")}


async def test_what_was_found_in_the_background_is_told_to_who_asks_next() -> None:
    google = SHIPPED["GOOG"]
    whole = Stage(google.slice(0, 700))
    await whole.book.refresh("GOOG", "1d")
    spike = (await whole.signals(signal_type="volume_spike"))[0].valid_from
    bar = google.position(spike.date())
    stage = Stage(google.slice(0, bar))
    await stage.book.catch_up(lambda _: None)
    assert await stage.book.refresh("GOOG", "1d") == []
    await stage.market.replace(google.slice(0, bar + 1))
    assert await stage.book.catch_up(lambda _: None) == 1
    told = await stage.book.refresh("GOOG", "1d")
    assert "volume_spike" in {one.signal_type for one in told}
    assert await stage.book.refresh("GOOG", "1d") == []


async def test_the_scorecard_counts_the_stored_grades() -> None:
    stage = Stage(*SHIPPED.values())
    said: list[str] = []
    await stage.book.catch_up(said.append)
    assert said[0] == "Reading signals out of 5 price histories ..."
    card = await stage.book.scorecard(None, signal_type=None, timeframe="1d")
    assert len(card.items) == len(KINDS)
    stored = await stage.signals()
    for item in card.items:
        same = [one for one in stored if (one.signal_type, one.direction, one.variant)
                == (item.signal_type, item.direction, item.variant)]  # fmt: skip
        assert 0 < item.n <= len(same)
        assert item.lift == pytest.approx((item.hit_rate or 0) - (item.base_rate or 0))
        assert [point.bar for point in item.curve] == list(range(1, item.horizon_bars + 1))
    edges = {(i.signal_type, i.variant) for i in card.items if i.edge == "measured edge"}
    assert edges == {("volatility", "burst"), ("volatility", "squeeze"), ("volume_spike", None)}
    apple = await stage.market.find("AAPL")
    own = await stage.book.scorecard(apple, signal_type="breakout", timeframe="1d")
    assert [one.symbol for one in own.items] == [None, "AAPL"] * 2
    assert own.items[1].n < own.items[0].n
    empty = await stage.book.scorecard(None, signal_type=None, timeframe="1h")
    assert empty.as_of is None
    assert {item.n for item in empty.items} == {0}


async def test_what_cannot_be_is_refused() -> None:
    stage = Stage(SHIPPED["FB"])
    with pytest.raises(UnknownSymbol):
        await stage.book.refresh("NOPE", "1d")
    with pytest.raises(Invalid, match="1m, 5m"):
        await stage.book.compute("FB", "2d")
    with pytest.raises(Invalid, match="`state` must be one of active"):
        await stage.signals(state="open")
    with pytest.raises(NotFound):
        await stage.book.signal(uuid4())


async def test_a_history_without_closed_bars_has_no_signals() -> None:
    stage = Stage(SHIPPED["FB"].slice(0, 0))
    assert await stage.book.refresh("FB", "1d") == []
    assert await stage.book.compute("FB", "1d") == []
    early = SignalBook(
        stage.store, stage.market, stage.market, clock=lambda: SHIPPED["FB"].time(0)
        + timedelta(hours=1),
    )  # fmt: skip
    await stage.market.replace(SHIPPED["FB"])
    assert await early.refresh("FB", "1d") == []


@pytest.mark.slow
@pytest.mark.parametrize("symbol", ["AAPL", "IBM"])
async def test_a_long_history_read_bar_by_bar_is_the_same_as_read_whole(symbol: str) -> None:
    """Beyond what one refresh reads: the newest bars are enough."""
    bars = SHIPPED[symbol]
    rng = np.random.default_rng(8)
    replay, batch = Stage(bars.slice(0, 3_225)), Stage(bars)
    await replay.book.refresh(symbol, "1d")
    length = 3_225
    while length < len(bars):
        length = min(len(bars), length + int(rng.integers(1, 4)))
        await replay.market.replace(bars.slice(0, length))
        await replay.book.refresh(symbol, "1d")
    await batch.book.refresh(symbol, "1d")
    assert_alike(plain(await replay.signals()), plain(await batch.signals()))
