"""Each kind of signal fires when its rule says so and its record counts what it claims to count."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.tools.samples import as_prices, made_up
from tools.analytics import composite, indicators, signals
from tools.analytics.composite import WEIGHTS, Composite
from tools.analytics.prices import Floats, Prices
from tools.analytics.signals import VALID_BARS, Firing
from tools.analytics.track_record import apart, wilson
from tools.market.bars import Bars


def study(bars: Bars) -> tuple[Prices, Composite, list[Firing]]:
    prices = as_prices(bars)
    computed = indicators.compute(prices)
    strength = composite.combine(prices, computed)
    return prices, strength, signals.fire(prices, computed, strength)


def walk(seed: int, count: int = 500) -> Floats:
    return 100 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, 0.015, count)))


def test_every_vote_is_bounded_and_the_strength_is_their_weighted_mean(
    shipped: dict[str, Bars],
) -> None:
    for bars in shipped.values():
        prices, strength, _ = study(bars)
        for vote in strength.votes.values():
            assert np.nanmax(np.abs(vote), initial=0.0) <= 1.0
        for bar in (len(prices) - 1, len(prices) // 2, 60):
            votes = composite.votes_at(strength, bar)
            mean = sum(v.weight * v.vote for v in votes) / sum(v.weight for v in votes)
            assert strength.strength[bar] == pytest.approx(100 * mean)


def test_the_strength_says_what_the_eye_sees() -> None:
    up, down, flat = (
        study(made_up(close))[1].strength[-1]
        for close in (
            np.linspace(100, 200, 300),
            np.linspace(200, 100, 300),
            np.full(300, 100.0),
        )
    )
    assert up > 60
    assert down < -60
    assert flat == pytest.approx(0.0, abs=1e-9)


def test_indicators_that_are_not_ready_take_no_part() -> None:
    _, strength, _ = study(made_up(walk(1, 120)))
    names = [vote.name for vote in composite.votes_at(strength, -1)]
    assert "Close vs SMA 200" not in names
    assert "RSI (14)" in names
    assert set(names) < set(WEIGHTS)
    assert np.isnan(strength.strength[:49]).all()
    assert not np.isnan(strength.strength[49:]).any()


def test_one_volume_spike_is_one_signal() -> None:
    volume = 1e6 * np.exp(np.random.default_rng(5).normal(0, 0.1, 200))
    volume[150] = 5e6
    _, _, fired = study(made_up(walk(2, 200), volume=volume))
    spikes = [firing for firing in fired if firing.type == "volume_spike" and firing.bar >= 140]
    assert [firing.bar for firing in spikes] == [150]
    assert spikes[0].side == 0
    assert spikes[0].strength > 90


@pytest.mark.parametrize("volume", [np.zeros(200), np.full(200, 1e6)])
def test_volume_that_never_changes_spikes_never(volume: Floats) -> None:
    _, _, fired = study(made_up(walk(3, 200), volume=volume))
    assert [firing for firing in fired if firing.type == "volume_spike"] == []


@pytest.mark.parametrize("side", [1, -1])
def test_a_breakout_needs_new_ground_and_heavy_volume(side: int) -> None:
    rng = np.random.default_rng(9)
    close = 100 + np.concatenate([rng.uniform(-1, 1, 100), [side * 6.0], rng.uniform(-1, 1, 20)])
    quiet = np.full(121, 1e6)
    heavy = quiet.copy()
    heavy[100] = 2e6
    _, _, fired = study(made_up(close, volume=heavy))
    breakouts = [firing for firing in fired if firing.type == "breakout"]
    assert [(firing.bar, firing.side) for firing in breakouts] == [(100, side)]
    _, _, fired = study(made_up(close, volume=quiet))
    assert [firing for firing in fired if firing.type == "breakout"] == []


def test_a_golden_cross_is_a_change_of_trend() -> None:
    close = np.concatenate([np.linspace(200, 100, 260), np.linspace(100, 220, 150)])
    prices, _, fired = study(made_up(close))
    computed = indicators.compute(prices)
    gap = computed.sma50 - computed.sma200
    crossing = int(np.flatnonzero((gap[1:] > 0) & (gap[:-1] <= 0))[0]) + 1
    changes = [f for f in fired if f.type == "trend_change" and f.bar == crossing]
    assert [firing.side for firing in changes] == [1]
    assert "crossed above" in changes[0].reason


def test_a_burst_fires_when_calm_ends_and_again_while_the_storm_lasts() -> None:
    rng = np.random.default_rng(11)
    moves = np.concatenate([rng.normal(0, 0.005, 400), np.tile([0.06, -0.06], 6)])
    _, _, fired = study(made_up(100 * np.exp(np.cumsum(moves))))
    bursts = [f.bar for f in fired if f.like == "volatility:burst" and f.bar >= 400]
    assert bursts == [400, 405, 410]


def test_a_trend_line_only_turns_when_it_pointed_the_other_way_before() -> None:
    # Down, then up, then a pause that lets the t-value dip below 2, then up again.
    legs = [np.linspace(200, 150, 120), np.linspace(150, 250, 100), np.full(40, 250.0),
            np.linspace(250, 330, 80)]  # fmt: skip
    close = np.concatenate(legs) + np.random.default_rng(4).normal(0, 0.3, 340)
    prices, _, fired = study(made_up(close))
    computed = indicators.compute(prices)
    gap = computed.sma50 - computed.sma200
    turned = [f for f in fired if f.type == "trend_change" and "trend line" in f.reason]
    assert [f.side for f in turned] == [1]
    crossed = [f for f in fired if f.type == "trend_change" and f not in turned]
    assert all(gap[f.bar] * f.side > 0 >= gap[f.bar - 1] * f.side for f in crossed)


def test_a_close_through_the_chandelier_ends_an_entry_while_the_strength_still_holds() -> None:
    calm = 100 + np.random.default_rng(3).normal(0, 0.2, 80)
    close = np.concatenate([calm, np.linspace(102, 130, 12), [124.0, 125.0]])
    _, strength, fired = study(made_up(close, spread=0.002))
    leave = [f for f in fired if f.type == "exit" and f.bar >= 80]
    assert [(f.bar, f.side) for f in leave] == [(92, -1)]
    assert strength.strength[92] > 0
    assert leave[0].strength < 0
    assert "fell through its stop" in leave[0].reason


def test_opinions_are_shown_and_move_nothing() -> None:
    prices, strength, _ = study(made_up(walk(6, 300)))
    computed = indicators.compute(prices)
    opinion = np.linspace(-1, 1, 300)
    with_news = composite.combine(prices, computed, opinions={"News sentiment": opinion})
    np.testing.assert_array_equal(with_news.strength, strength.strength)
    shown = {vote.name: vote for vote in composite.votes_at(with_news, -1)}
    assert (shown["News sentiment"].signal, shown["News sentiment"].weight) == ("buy", 0.0)
    with pytest.raises(ValueError, match="Tea leaves"):
        composite.combine(prices, computed, opinions={"Tea leaves": opinion})


def test_rsi_that_leaves_thirty_is_a_reversal_upwards() -> None:
    close = np.concatenate([np.linspace(150, 100, 60), np.linspace(101, 115, 10)])
    prices, _, fired = study(made_up(close))
    rsi = indicators.compute(prices).rsi
    left = int(np.flatnonzero((rsi[1:] >= 30) & (rsi[:-1] < 30))[0]) + 1
    assert [f.side for f in fired if f.type == "reversal" and f.bar == left] == [1]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_every_exit_closes_the_entry_that_was_open(seed: int) -> None:
    _, strength, fired = study(made_up(walk(seed)))
    opened: Firing | None = None
    for bar in range(len(strength.strength)):
        for firing in (f for f in fired if f.bar == bar and f.type == "exit"):
            assert opened is not None
            assert firing.side == -opened.side
            assert bar - opened.bar <= VALID_BARS["entry"]
            opened = None
        for firing in (f for f in fired if f.bar == bar and f.type == "entry"):
            assert abs(strength.strength[bar]) >= composite.CALL
            assert firing.strength == strength.strength[bar]
            assert np.sign(firing.strength) == firing.side
            assert strength.strength[bar - 1] * firing.side < composite.CALL
            opened = firing


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_every_strength_lies_between_minus_and_plus_a_hundred(seed: int) -> None:
    prices, strength, fired = study(made_up(walk(seed)))
    assert all(-100 <= firing.strength <= 100 for firing in fired)
    assert all(np.sign(f.strength) in (f.side, 0) for f in fired if f.side)
    last = len(prices) - 1
    valid = signals.active(fired, strength, last)
    assert all(0 <= last - firing.bar < VALID_BARS[firing.type] for firing in valid)
    newest = {firing.line: firing.bar for firing in fired}
    assert all(firing.bar == newest[firing.line] for firing in valid)


def test_a_signal_expires_and_is_superseded() -> None:
    quiet = Composite(strength=np.full(100, 10.0), votes={}, values={})

    def firing(kind: signals.SignalType, bar: int, side: int) -> Firing:
        return Firing(kind, bar, 1 if side > 0 else -1, 1, "")

    up, down = firing("reversal", 80, 1), firing("reversal", 85, -1)
    assert signals.active([up], quiet, 89) == [up]
    assert signals.active([up], quiet, 90) == []
    assert signals.active([up, down], quiet, 89) == [down]
    entry, leave = firing("entry", 80, 1), firing("exit", 86, -1)
    assert signals.active([entry], quiet, 88) == [entry]
    assert signals.active([entry, leave], quiet, 88) == [leave]
    through = Composite(strength=np.where(np.arange(100) == 84, -1.0, 10.0), votes={}, values={})
    assert signals.active([entry], through, 88) == []


def test_wilson_agrees_with_published_values() -> None:
    # Newcombe (1998), Statistics in Medicine 17, table I: the score method without correction.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)
    assert wilson(29, 29) == pytest.approx((0.8830, 1.0), abs=5e-5)
    assert wilson(0, 0) == (0.0, 1.0)


def test_cases_that_share_days_are_counted_once() -> None:
    assert apart(np.array([1, 5, 20, 21, 40, 41, 61]), 20).tolist() == [1, 21, 41, 61]
    assert apart(np.array([], dtype=np.int64), 20).tolist() == []
