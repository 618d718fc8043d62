"""Trades become the same bars however the stream is cut, and a late one changes no closed bar."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.market.feed_messages import Unreadable, read_bar, read_tick
from tools.market.ticks import OpenBar, TickBars

SECOND = 1_000_000
MINUTE = 60 * SECOND
Trade = tuple[str, int, float, float]


def bars_of(trades: Sequence[Trade], cuts: Sequence[int] = ()) -> tuple[list[OpenBar], list[int]]:
    """Return the closed bars and the late trades, resuming from stored state at every cut."""
    bars, closed, late = TickBars(), [], []
    kept: dict[tuple[str, int], OpenBar] = {}
    for number, trade in enumerate(trades):
        if not bars.add(*trade):
            late.append(number)
        if number in cuts:
            done = bars.take_closed()
            closed += done
            for bar in done:
                kept.pop((bar.symbol, bar.opened_us), None)
            kept |= {(bar.symbol, bar.opened_us): bar for bar in bars.take_touched()}
            bars = TickBars(watermark_us=bars.watermark_us, open_bars=kept.values())
    return closed + bars.take_closed(), late


def test_a_minute_of_trades_is_one_bar_once_a_later_trade_shows_that_it_is_over() -> None:
    trades = [
        ("A", 10 * SECOND, 5.0, 1.0),
        ("A", 20 * SECOND, 9.0, 2.0),
        ("A", 30 * SECOND, 4.0, 3.0),
        ("A", 59 * SECOND, 6.0, 0.0),
    ]
    assert bars_of(trades) == ([], [])
    closed, _ = bars_of([*trades, ("B", MINUTE + 5 * SECOND, 1.0, 1.0)])
    assert closed == [
        OpenBar("A", 0, 5.0, 9.0, 4.0, 6.0, 6.0, 4, 10 * SECOND, 59 * SECOND),
    ]


def test_trades_out_of_order_within_the_lateness_count_where_they_belong() -> None:
    closed, late = bars_of(
        [
            ("A", 30 * SECOND, 5.0, 1.0),
            ("A", MINUTE + SECOND, 7.0, 1.0),
            ("A", 10 * SECOND, 3.0, 1.0),
            ("A", 59 * SECOND, 4.0, 1.0),
            ("A", MINUTE + 6 * SECOND, 8.0, 1.0),
            ("A", 58 * SECOND, 99.0, 1.0),
        ]
    )
    assert late == [5]
    assert [(bar.open, bar.close, bar.high, bar.ticks) for bar in closed] == [(3.0, 4.0, 5.0, 3)]


trades_strategy = st.lists(
    st.tuples(
        st.sampled_from("AB"),
        st.integers(0, 10 * MINUTE),
        st.sampled_from([1.0, 2.0, 3.5]),
        st.sampled_from([0.0, 1.0, 10.0]),
    ),
    max_size=60,
)


@given(trades_strategy, st.sets(st.integers(0, 60)))
def test_the_cuts_of_the_stream_change_no_bar_and_no_late_trade(
    trades: list[Trade], cuts: set[int]
) -> None:
    def keyed(bars: list[OpenBar]) -> dict[tuple[str, int], OpenBar]:
        found = {(bar.symbol, bar.opened_us): bar for bar in bars}
        assert len(found) == len(bars), "a bar closes once"
        return found

    whole, late = bars_of(trades)
    pieces, late_in_pieces = bars_of(trades, sorted(cuts))
    assert keyed(pieces) == keyed(whole)
    assert late_in_pieces == late


@given(trades_strategy)
def test_every_trade_is_in_one_bar_or_late(trades: list[Trade]) -> None:
    bars = TickBars()
    late = sum(not bars.add(*trade) for trade in trades)
    bars.pass_time(100 * MINUTE)
    closed = bars.take_closed()
    assert sum(bar.ticks for bar in closed) + late == len(trades)
    assert len(bars) == 0
    for bar in closed:
        assert bar.low <= min(bar.open, bar.close) <= max(bar.open, bar.close) <= bar.high
        assert bar.opened_us <= bar.first_us <= bar.last_us < bar.opened_us + MINUTE


@pytest.mark.parametrize(
    ("value", "microseconds"),
    [
        ('"2024-01-02T15:30:00Z"', 1_704_209_400_000_000),
        ('"2024-01-02T10:30:00.25-05:00"', 1_704_209_400_250_000),
        ("1704209400123", 1_704_209_400_123_000),
    ],
)
def test_a_time_is_read_with_its_zone_or_as_milliseconds(value: str, microseconds: int) -> None:
    tick, at_us = read_tick(f'{{"symbol":"A","timestamp":{value},"price":2,"x":[1]}}'.encode())
    assert (tick.symbol, tick.price, tick.size, at_us) == ("A", 2.0, 0.0, microseconds)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "empty"),
        (b"", "empty"),
        (b"\xff", "malformed"),
        (b"{}", "symbol"),
        (b'{"symbol":"","timestamp":1,"price":1}', "symbol"),
        (b'{"symbol":"A","timestamp":"2024-01-02T15:30:00","price":1}', "no zone"),
        (b'{"symbol":"A","timestamp":-1,"price":1}', "milliseconds"),
        (b'{"symbol":"A","timestamp":99999999999999999,"price":1}', "milliseconds"),
        (b'{"symbol":"A","timestamp":1,"price":"1,234.5"}', "price"),
        (b'{"symbol":"A","timestamp":1,"price":NaN}', "malformed"),
        (b'{"symbol":"A","timestamp":1,"price":1e999}', "range"),
        (b"[" * 50_000, ""),
    ],
)
def test_what_is_no_trade_becomes_a_reason(value: bytes | None, words: str) -> None:
    with pytest.raises(Unreadable) as why:
        read_tick(value)
    assert words in str(why.value)
    assert len(str(why.value)) <= 300


@given(st.binary(max_size=200))
def test_any_bytes_at_all_become_a_value_or_a_reason(value: bytes) -> None:
    for read in (read_bar, read_tick):
        with pytest.raises(Unreadable):
            read(value)
