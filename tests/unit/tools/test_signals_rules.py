"""Each kind of signal fires when its rule says so and its record counts what it claims to count."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.tools.samples import as_prices, made_up
from tools.analytics import composite, indicators, signals, track_record
from tools.analytics.composite import WEIGHTS, Composite
from tools.analytics.prices import Floats, Prices
from tools.analytics.signals import VALID_BARS, Firing
from tools.analytics.track_record import ENOUGH, Outcome, apart, wilson
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


def test_a_burst_fires_once_when_calm_ends() -> None:
    rng = np.random.default_rng(11)
    moves = np.concatenate([rng.normal(0, 0.005, 400), [0.06, -0.06, 0.06, -0.06]])
    _, _, fired = study(made_up(100 * np.exp(np.cumsum(moves))))
    bursts = [f.bar for f in fired if f.like == "volatility:burst" and f.bar >= 395]
    assert bursts == [400]


def test_rsi_that_leaves_thirty_is_a_reversal_upwards() -> None:
    close = np.concatenate([np.linspace(150, 100, 60), np.linspace(101, 115, 10)])
    prices, _, fired = study(made_up(close))
    rsi = indicators.compute(prices).rsi
    left = int(np.flatnonzero((rsi[1:] >= 30) & (rsi[:-1] < 30))[0]) + 1
    assert [f.side for f in fired if f.type == "reversal" and f.bar == left] == [1]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_entries_never_overlap_and_every_exit_has_its_entry(seed: int) -> None:
    _, strength, fired = study(made_up(walk(seed)))
    open_since: Firing | None = None
    for firing in (f for f in fired if f.type in ("entry", "exit")):
        if firing.type == "entry":
            assert open_since is None or firing.bar - open_since.bar >= VALID_BARS["entry"]
            assert abs(strength.strength[firing.bar]) >= composite.CALL
            assert np.sign(strength.strength[firing.bar]) == firing.side
            open_since = firing
        else:
            assert open_since is not None
            assert firing.side == -open_since.side
            assert firing.bar - open_since.bar <= VALID_BARS["entry"]
            open_since = None


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_every_strength_lies_between_minus_and_plus_a_hundred(seed: int) -> None:
    prices, strength, fired = study(made_up(walk(seed)))
    assert all(-100 <= firing.strength <= 100 for firing in fired)
    assert all(np.sign(f.strength) in (f.side, 0) for f in fired if f.side)
    last = len(prices) - 1
    valid = signals.active(fired, strength, last)
    assert all(0 <= last - firing.bar < VALID_BARS[firing.type] for firing in valid)
    kinds = [(f.type, f.like if f.side == 0 else "") for f in valid]
    assert len(kinds) == len(set(kinds))


def test_a_signal_expires_and_is_superseded() -> None:
    quiet = Composite(strength=np.full(100, 10.0), votes={}, values={})

    def firing(kind: signals.SignalType, bar: int, side: int) -> Firing:
        return Firing(kind, f"{kind}{'+' if side > 0 else '-'}", bar, 1 if side > 0 else -1, 1, "")

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


def record(hits: list[float], base: list[float]) -> track_record.TrackRecord:
    """The record of firings five bars apart with these outcomes, amid days with these."""
    every = np.array([*hits, *base])
    spaced = np.full(5 * len(every), np.nan)
    spaced[::5] = every
    bars = [5 * i for i in range(len(hits))]
    fired = [Firing("reversal", "reversal+", bar, 1, 50.0, "") for bar in bars]
    outcome = Outcome("it rises", 5, spaced)
    return track_record.of_firing(fired[-1], fired, {"reversal+": outcome})


def test_too_few_cases_show_no_rate() -> None:
    few = record([1.0] * (ENOUGH - 1), [0.0] * 100)
    assert few.edge == "too few"
    assert few.hit_rate is None
    assert few.wilson_low is None
    assert few.n == ENOUGH - 1
    assert few.base_rate == pytest.approx(29 / 129)


def test_an_edge_is_only_called_one_when_the_whole_interval_clears_the_base_rate() -> None:
    clear = record([1.0] * 40 + [0.0] * 10, [1.0, 0.0] * 200)
    assert clear.edge == "measured edge"
    assert clear.hit_rate == 0.8
    assert clear.wilson_low is not None
    assert clear.base_rate is not None
    assert clear.wilson_low > clear.base_rate
    close_call = record([1.0] * 28 + [0.0] * 22, [1.0, 0.0] * 200)
    assert close_call.hit_rate == 0.56
    assert close_call.edge == "no measured edge"
    worse = record([0.0] * 50, [1.0, 0.0] * 200)
    assert worse.edge == "no measured edge"


def test_what_is_expected_lies_between_the_base_rate_and_the_record() -> None:
    one = record([1.0] * 40 + [0.0] * 10, [1.0, 0.0] * 200)
    assert one.base_rate is not None
    assert one.expected == pytest.approx((40 + 100 * one.base_rate) / 150)


def test_outcomes_count_what_they_say() -> None:
    close = np.concatenate([np.full(30, 100.0), [110.0], np.full(30, 110.0)])
    prices = as_prices(made_up(close, spread=0.001))
    got = track_record.outcomes(prices, np.full(len(close), 1.0))
    rises, falls = got["reversal+"].hits, got["reversal-"].hits
    assert rises[25:30].tolist() == [1.0] * 5
    assert falls[25:30].tolist() == [0.0] * 5
    assert rises[24] == falls[24] == 0.0  # nothing moved: a tie is a miss on both sides
    assert np.isnan(rises[-5:]).all()
    assert got["exit+"].hits[22] == 1.0
    assert got["exit-"].hits[22] == 0.0
    assert got["trend_change+"].hits[15] == 1.0


def test_doing_nothing_clever_is_right_as_often_as_the_base_rate() -> None:
    """Firing on every day, thinned, measures the base rate and no edge."""
    rng = np.random.default_rng(21)
    prices = as_prices(made_up(100 * np.exp(np.cumsum(rng.normal(0.0003, 0.01, 4000)))))
    outcome = track_record.outcomes(prices, np.full(4000, 1.0))
    fired = [Firing("reversal", "reversal+", bar, 1, 50.0, "") for bar in range(300, 4000)]
    one = track_record.of_firing(fired[-1], fired, outcome)
    assert one.n > 700
    assert one.edge == "no measured edge"
    assert one.hit_rate == pytest.approx(one.base_rate, abs=0.05)
