"""Hit rates, base rates, edges and event studies count what they say, by hand-made cases."""

import numpy as np
import pytest

from tests.unit.tools.samples import as_prices, made_up
from tools.analytics import cases, event_study, outcomes, track_record
from tools.analytics.cases import Cases
from tools.analytics.event_study import Baseline
from tools.analytics.firings import Firing
from tools.analytics.outcomes import Outcome
from tools.analytics.prices import Floats
from tools.analytics.track_record import ENOUGH, wilson

DAY = 86_400
WEEK = Outcome("it rises", 5, np.empty(0), np.empty(0), "average true ranges")


def some(
    hits: list[float], *, base: float = 0.5, every_days: int = 7, symbol: str = "ONE"
) -> Cases:
    """Cases of one symbol, each resolved five days after it fired."""
    count = len(hits)
    fired = np.arange(count, dtype=np.int64) * every_days * DAY
    return Cases(
        symbols=np.full(count, symbol),
        fired=fired,
        resolved=fired + 5 * DAY,
        hits=np.array(hits),
        base_rates=np.full(count, base),
        values=np.zeros(count),
        paths=np.zeros((count, 5)),
    )


def record(hits: list[float], *, base: float = 0.5) -> track_record.TrackRecord:
    return track_record.of_cases(some(hits, base=base), WEEK, like="such")


def test_too_few_cases_show_no_rate() -> None:
    few = record([1.0] * (ENOUGH - 1))
    assert few.edge == "too few"
    assert few.hit_rate is few.wilson_low is few.wilson_high is None
    assert few.n == ENOUGH - 1
    assert few.base_rate == 0.5


def test_what_is_expected_lies_between_the_base_rate_and_the_record() -> None:
    one = record([1.0] * 40 + [0.0] * 10, base=0.55)
    assert one.expected == pytest.approx((40 + 100 * 0.55) / 150)
    assert one.hit_rate == 0.8
    assert (one.wilson_low, one.wilson_high) == wilson(40, 50)


def test_a_direction_without_edge_shows_its_base_rate_and_nothing_better() -> None:
    plain = record([1.0, 0.0] * 60, base=0.52)
    assert plain.edge == "no measured edge"
    assert plain.confidence(sided=True) == pytest.approx(0.52)
    assert plain.confidence(sided=False) == pytest.approx((60 + 52) / 220)
    proven = record([1.0, 1.0, 1.0, 0.0] * 60, base=0.5)
    assert proven.edge == "measured edge"
    assert proven.confidence(sided=True) == pytest.approx((180 + 50) / 340)


def test_an_edge_has_to_clear_the_base_rate_out_of_sample() -> None:
    # The first thirty were splendid; what fired once they were known was ordinary.
    assert record([1.0] * 30 + [1.0, 0.0] * 60).edge == "no measured edge"
    assert record([0.0] * 30 + [1.0, 1.0, 1.0, 0.0] * 40).edge == "measured edge"
    assert record([0.0] * 200).edge == "no measured edge"


def test_one_good_month_is_not_an_edge() -> None:
    spread = some([1.0, 1.0, 1.0, 0.0] * 60, every_days=7)
    assert track_record.of_cases(spread, WEEK, like="such").edge == "measured edge"
    # The same cases, an hour apart: all of one month, so they say little more than one.
    crowded = some([1.0, 1.0, 1.0, 0.0] * 60)
    fired = np.arange(240, dtype=np.int64) * 3_600
    crowded = Cases(**{**vars(crowded), "fired": fired, "resolved": fired + 1})
    assert track_record.of_cases(crowded, WEEK, like="such").edge == "no measured edge"


def test_no_case_leaves_the_base_rate_of_the_symbol() -> None:
    none = track_record.of_cases(cases.nothing(), WEEK, like="such")
    assert (none.n, none.base_rate, none.expected, none.edge) == (0, None, None, "too few")
    assert none.confidence(sided=True, base_rate=0.61) == 0.61
    assert none.confidence(sided=False) is None


def test_the_clustered_error_counts_months_not_days() -> None:
    values = np.tile([1.0, -1.0, 3.0, 1.0], 12)
    months = np.array(
        [np.datetime64(f"2001-{m:02}-05", "s").astype(np.int64) for m in range(1, 13)]
    )
    # Every month has the same sum: months do not differ, and there is no error to speak of.
    assert track_record.clustered(values, np.repeat(months, 4)) is None
    late = np.concatenate([values[:24], values[24:] + 2.0])
    found = track_record.clustered(late, np.repeat(months, 4))
    assert found is not None
    # By hand: mean 2; each month's sum of deviations is ±4; sqrt(12 * 16 * 12/11) / 48.
    assert found == pytest.approx((2.0, np.sqrt(12 * 16 * 12 / 11) / 48))
    assert track_record.clustered(values[:36], np.repeat(months[:9], 4)) is None


def test_a_case_counts_only_for_what_fired_after_it_was_settled() -> None:
    one = some([1.0, 0.0, 1.0])
    assert len(one.before(5 * DAY - 1)) == 0
    assert len(one.before(5 * DAY)) == 1
    assert one.before(12 * DAY).hits.tolist() == [1.0, 0.0]
    both = cases.pool([one, some([0.0], symbol="TWO")])
    assert both.resolved.tolist() == sorted(both.resolved.tolist())
    assert both.of_symbol("TWO").hits.tolist() == [0.0]


def test_overlapping_signals_of_a_kind_count_once() -> None:
    def at(bar: int, side: int = 1) -> Firing:
        return Firing("reversal", bar, 1 if side > 0 else -1, 10.0, "")

    horizons = {"reversal+": 5, "reversal-": 5}
    fired = [at(10), at(12, -1), at(14), at(18), at(23), at(40)]
    # 18 is within five bars of 14, which did not count itself: a cluster counts by its first.
    assert cases.counted(fired, horizons) == [True, True, False, False, True, True]


def test_outcomes_count_what_they_say() -> None:
    close = np.concatenate([np.full(30, 100.0), [110.0], np.full(30, 110.0)])
    prices = as_prices(made_up(close, spread=0.001))
    got = outcomes.judge(prices, np.full(len(close), 2.0))
    rises, falls = got["reversal+"], got["reversal-"]
    assert rises.hits[25:30].tolist() == [1.0] * 5
    assert falls.hits[25:30].tolist() == [0.0] * 5
    assert rises.values[25] == pytest.approx(np.log(1.1) * 100 / 2)
    assert rises.hits[24] == falls.hits[24] == 0.0  # nothing moved: a tie is a miss on both sides
    assert np.isnan(rises.hits[-5:]).all()
    assert got["exit+"].hits[22] == 1.0
    assert got["exit-"].hits[22] == 0.0
    assert got["exit+"].values[22] == pytest.approx((110.0 * 1.001 - 100) / 2)
    assert got["trend_change+"].hits[15] == 1.0
    assert np.isnan(got["entry+"].hits).all()  # a year of returns has to be known


def test_variance_that_ties_with_its_level_is_a_miss_for_storm_and_calm() -> None:
    prices = as_prices(made_up(np.full(400, 100.0), spread=0.01))
    got = outcomes.judge(prices, np.full(400, 1.0))
    for like in ("volatility:burst", "volatility:squeeze", "volume_spike"):
        known = got[like].hits[~np.isnan(got[like].hits)]
        assert len(known) > 100
        assert not known.any(), like


def test_a_base_rate_counts_the_bars_whose_outcome_was_known() -> None:
    hits: Floats = np.full(400, np.nan)
    hits[100:390] = np.tile([1.0, 0.0], 145)
    one = Outcome("it rises", 10, hits, hits, "")
    rates = one.base_rates()
    assert np.isnan(rates[:359]).all()  # bar 349 is the 250th judged, known ten bars later
    assert rates[359] == pytest.approx(0.5)
    assert rates[360] == pytest.approx(126 / 251)


def test_a_breakout_that_closes_back_inside_within_five_bars_has_failed() -> None:
    close = np.concatenate([np.full(60, 100.0), [105.0, 106.0, 100.5, 107.0, 108.0, 99.0]])
    prices = as_prices(made_up(close, spread=0.01))
    assert outcomes.failed_after(Firing("breakout", 60, 1, 50.0, ""), prices) == 2
    assert outcomes.failed_after(Firing("reversal", 60, 1, 50.0, ""), prices) is None
    assert outcomes.failed_after(Firing("breakout", 60, 1, 50.0, ""), prices.upto(61)) is None


def test_doing_nothing_clever_is_right_as_often_as_the_base_rate() -> None:
    """Firing on every day, thinned, measures the base rate and no edge."""
    rng = np.random.default_rng(21)
    prices = as_prices(made_up(100 * np.exp(np.cumsum(rng.normal(0.0003, 0.01, 4000)))))
    outcome = outcomes.judge(prices, np.full(4000, 1.0))["reversal+"]
    base = outcome.base_rates()
    bars = np.arange(300, 3_990, 5)
    opened = prices.days.astype("datetime64[s]").astype(np.int64)
    every = Cases(
        symbols=np.full(len(bars), "ANY"),
        fired=opened[bars],
        resolved=opened[bars + 5] + DAY,
        hits=outcome.hits[bars],
        base_rates=base[bars],
        values=outcome.values[bars],
        paths=np.zeros((len(bars), 5)),
    )
    one = track_record.of_cases(every, outcome, like="any day")
    assert one.n == len(bars)
    assert one.edge == "no measured edge"
    assert one.hit_rate == pytest.approx(one.base_rate, abs=0.05)


def test_the_event_study_compares_with_the_same_symbols_baseline() -> None:
    one, two = some([1.0] * 40, every_days=30), some([1.0] * 20, every_days=30, symbol="TWO")
    paths = np.tile([1.0, 2.0, 3.0, 4.0, 5.0], (40, 1))
    paths[::2] += 1.0
    both = cases.pool([
        Cases(**{**vars(one), "paths": paths}), Cases(**{**vars(two), "paths": paths[:20]})
    ])  # fmt: skip
    flat = {
        "ONE": Baseline(signed=np.full(20, 1.0), size=np.full(20, 9.0)),
        "TWO": Baseline(signed=np.full(20, 2.5), size=np.full(20, 9.0)),
    }
    found = event_study.measure(both, "reversal+", flat)
    assert [point.mean for point in found.curve] == pytest.approx([1.5, 2.5, 3.5, 4.5, 5.5])
    assert {round(point.baseline, 9) for point in found.curve} == {1.5}
    assert found.mean_excess_atr == pytest.approx(4.0)
    assert found.t_value is not None
    assert found.t_value > 3
    bearish = event_study.measure(both, "reversal-", flat)
    assert bearish.mean_excess_atr == pytest.approx(5.5 + 1.5)
    neutral = event_study.measure(both, "volume_spike", flat)
    assert neutral.mean_excess_atr == pytest.approx(5.5 - 9.0)
    assert event_study.measure(cases.nothing(), "reversal+", flat).curve == []


def test_a_path_is_followed_in_the_units_of_the_bar_it_starts_from() -> None:
    close = 100 * np.exp(0.01 * np.arange(40))
    prices = as_prices(made_up(close))
    paths = cases.followed(prices, np.full(40, 2.0))
    assert paths[0, 0] == pytest.approx(0.01 * 100 / 2)
    assert paths[0, 19] == pytest.approx(0.2 * 100 / 2)
    assert paths[10, 4] == pytest.approx(0.05 * close[10] / 2)
    assert np.isnan(paths[25, 14])
    np.testing.assert_array_equal(cases.sided(paths[:1], "exit-"), -paths[:1])
