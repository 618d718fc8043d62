"""The stream says after each bar what the whole history says at that bar."""

import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.tools.histories import histories, prices_of, walk
from tests.unit.tools.samples import as_prices
from tools.analytics import snapshot, streaming
from tools.analytics import stream_step as step
from tools.analytics.compiling import Kernel
from tools.analytics.prices import Floats, Prices
from tools.analytics.snapshot import FIELDS
from tools.analytics.stream_state import COLUMNS
from tools.analytics.streaming import IndicatorMatrix
from tools.market.bars import Bars

UNCOMPILED = Kernel(step.advance, example=list)
"""Never prepared: plain loops for a few rows, numpy's columns for many."""


class _Unasked(Kernel):
    def prepare_soon(self) -> None:
        """Stay as it is however many rows come."""


UNASKED = _Unasked(step.advance, example=list)
PRICED = {name for name, field in FIELDS.items() if field.unit.startswith("price")}
SHARES = {"volume", "obv"}


def take(matrix: IndicatorMatrix, row: int, prices: Prices, bar: int) -> None:
    cut = np.s_[bar : bar + 1]
    matrix.update(
        [row], prices.open[cut], prices.high[cut], prices.low[cut], prices.close[cut],
        prices.volume[cut],
    )  # fmt: skip


def streamed(matrix: IndicatorMatrix, prices: Prices, *, first: int = 0) -> dict[str, Floats]:
    """Return every field after each bar from `first` on."""
    said = []
    for bar in range(first, len(prices)):
        take(matrix, 0, prices, bar)
        said.append(matrix.table([0]))
    return {name: np.array([one[name][0] for one in said]) for name in FIELDS}


def assert_same(got: dict[str, Floats], wanted: dict[str, Floats], *, rtol: float = 1e-8) -> None:
    """Hold every field to a relative 1e-8, and to rounding of the price where it crosses zero."""
    for name in FIELDS:
        size = np.abs(wanted["close"]) + 1e-3
        unit = size if name in PRICED else np.ones(len(size))
        floor = {"obv": 1e-3, "percentB": 1e-6}.get(name, 1e-10)
        one, other = got[name], wanted[name]
        assert (np.isnan(one) == np.isnan(other)).all(), name
        ready = ~np.isnan(other)
        error = np.abs(one - other)[ready]
        allowed = rtol * np.abs(other[ready]) + floor * unit[ready]
        worst = int(np.argmax(error / allowed)) if ready.any() else 0
        assert (error <= allowed).all(), (name, worst, one[ready][worst], other[ready][worst])


def test_the_matrix_serves_every_field_of_the_catalogue() -> None:
    assert COLUMNS.keys() | {"strength"} == FIELDS.keys()
    assert sorted(COLUMNS.values()) == list(range(len(COLUMNS)))
    matrix = IndicatorMatrix(steps=UNCOMPILED)
    matrix.seed(0, prices_of(walk(300)))
    assert list(matrix.snapshot(0)) == list(FIELDS)


@pytest.mark.parametrize("symbol", ["AAPL", "FB", "GOOG", "IBM", "MSFT"])
def test_at_every_bar_of_real_prices_the_stream_says_what_the_history_says(
    symbol: str, shipped: dict[str, Bars]
) -> None:
    prices = as_prices(shipped[symbol])
    prices = replace(prices, total=prices.close)
    assert_same(streamed(IndicatorMatrix(), prices), snapshot.table(prices))


@settings(max_examples=60, deadline=None)
@given(prices=histories())
def test_at_every_bar_of_any_history_the_stream_says_what_the_history_says(prices: Prices) -> None:
    assert_same(streamed(IndicatorMatrix(steps=UNCOMPILED), prices), snapshot.table(prices))


@settings(max_examples=25, deadline=None)
@given(prices=histories(), share=st.floats(0, 1), timeframe=st.sampled_from(["1m", "1d", "1w"]))
def test_a_seeded_row_goes_on_as_if_it_had_seen_every_bar(
    prices: Prices, share: float, timeframe: str
) -> None:
    cut = int(share * (len(prices) - 1))
    matrix = IndicatorMatrix(timeframe=timeframe, steps=UNCOMPILED)
    matrix.seed(0, prices.upto(cut - 1))
    assert matrix.count(0) == cut
    wanted = {
        name: values[cut:] for name, values in snapshot.table(prices, timeframe=timeframe).items()
    }
    assert_same(streamed(matrix, prices, first=cut), wanted)


def test_dividends_of_the_seed_are_in_its_returns_and_closes_carry_on(
    shipped: dict[str, Bars],
) -> None:
    prices = as_prices(shipped["IBM"])
    cut = len(prices) - 40
    assert not np.allclose(prices.total[:cut] / prices.close[:cut], prices.total[0] / 100)
    matrix = IndicatorMatrix(steps=UNCOMPILED)
    matrix.seed(0, prices.upto(cut - 1))
    # Nobody has adjusted the bars after the seed: they continue the last known factor.
    factor = prices.total[cut - 1] / prices.close[cut - 1]
    total = np.concatenate([prices.total[:cut], prices.close[cut:] * factor])
    table = snapshot.table(replace(prices, total=total))
    assert_same(
        streamed(matrix, prices, first=cut), {name: values[cut:] for name, values in table.items()}
    )


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_loops_and_columns_say_the_same_of_rows_at_different_bars(data: st.DataObject) -> None:
    many = data.draw(st.lists(histories(most=2), min_size=14, max_size=16))
    matrix, one_by_one = IndicatorMatrix(steps=UNCOMPILED), IndicatorMatrix(steps=UNCOMPILED)
    matrix.seed_many(dict(enumerate(many)))
    for row, prices in enumerate(many):
        one_by_one.seed(row, prices)
    rows = list(range(len(many)))
    for back in (0, 1):
        some = [row for row in rows if matrix.count(row) > back]
        columns, loops = matrix.table(some, back=back), one_by_one.table(some, back=back)
        for name in FIELDS:
            np.testing.assert_allclose(columns[name], loops[name], rtol=1e-12, err_msg=name)


def test_one_by_one_and_all_at_once_agree_on_the_following_bars() -> None:
    at_once, alone = IndicatorMatrix(steps=UNCOMPILED), IndicatorMatrix(steps=UNCOMPILED)
    many = [prices_of(walk(40 + 23 * row, seed=row)) for row in range(20)]
    at_once.seed_many(dict(enumerate(many)))
    for row, prices in enumerate(many):
        alone.seed(row, prices)
    coming = [prices_of(walk(120, seed=100 + row)) for row in range(20)]
    for bar in range(120):
        columns = [np.array([getattr(one, name)[bar] for one in coming])
                   for name in ("open", "high", "low", "close", "volume")]  # fmt: skip
        at_once.update(range(20), *columns)
        for row, one in enumerate(coming):
            take(alone, row, one, bar)
    for name, values in at_once.table(range(20)).items():
        np.testing.assert_allclose(values, alone.table(range(20))[name], rtol=1e-12, err_msg=name)


def test_compiled_steps_say_what_plain_ones_say() -> None:
    pytest.importorskip("numba")
    assert streaming.STEPS.prepare()
    assert streaming.STEPS.fast is not None
    fast, plain = IndicatorMatrix(), IndicatorMatrix(steps=UNCOMPILED)
    many = {row: prices_of(walk(30 + 31 * row, seed=row)) for row in range(25)}
    many[7] = prices_of(np.full(300, 50.1), spread=0.0, volume=np.zeros(300))
    fast.seed_many(many)
    plain.seed_many(many)
    for back in (0, 1):
        for name, values in fast.table(range(25), back=back).items():
            np.testing.assert_allclose(
                values, plain.table(range(25), back=back)[name], rtol=1e-12, err_msg=name
            )


def test_without_numba_nothing_is_compiled_and_everything_works(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert not Kernel(step.advance, example=list).prepare()


def test_many_rows_begin_to_compile_in_the_background_and_wait_for_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(streaming, "MANY", 3)
    asked: list[str] = []
    begun = threading.Event()

    class Slow(Kernel):
        def prepare(self) -> bool:
            asked.append(threading.current_thread().name)
            begun.set()
            return False

    steps = Slow(step.advance, example=list)
    matrix = IndicatorMatrix(steps=steps)
    matrix.update([0, 1], *(np.ones(2),) * 5)
    assert not asked
    for _ in range(2):
        matrix.update([0, 1, 2], *(np.ones(3),) * 5)
    assert begun.wait(5)
    assert asked == ["compile"]
    assert matrix.count(2) == 2


def test_more_rows_than_a_lot_are_seeded_as_few_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming, "MANY", 15)
    many = {3 * row: prices_of(walk(20 + row, seed=row)) for row in range(40)}
    matrix, alone = IndicatorMatrix(steps=UNASKED), IndicatorMatrix(steps=UNCOMPILED)
    matrix.seed_many(many)
    for row, prices in many.items():
        alone.seed(row, prices)
    for name, values in matrix.table(list(many)).items():
        wanted = alone.table(list(many))[name]
        np.testing.assert_allclose(values, wanted, rtol=1e-12, err_msg=name)


def test_running_sums_are_added_up_anew_and_do_not_drift(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step, "RESYNC", 250)
    prices = prices_of(walk(700, sigma=0.03))
    table = snapshot.table(prices)
    matrix = IndicatorMatrix(steps=UNCOMPILED)
    matrix.seed(0, prices)
    rows = {row: prices for row in range(20)}
    columns = IndicatorMatrix(steps=UNCOMPILED)
    columns.seed_many(rows)
    for one in (matrix, columns):
        assert_same(one.table([0]), {name: values[-1:] for name, values in table.items()})
    # Spoil a sum: the next time it is added up anew, the error is gone.
    for one in (matrix, columns):
        one._state.scalars[:, step.SUM200] += 1.0
    more = prices_of(walk(350, seed=2, start=float(prices.close[-1])))
    both = {
        name: np.concatenate([getattr(prices, name), getattr(more, name)])
        for name in ("open", "high", "low", "close", "volume", "total")
    }
    days = np.arange(1_050).astype("datetime64[s]")
    wanted = snapshot.table(Prices(days=days, **both))["sma200"][-1]
    for bar in range(350):
        take(matrix, 0, more, bar)
        columns.update(range(20), *(np.full(20, both[name][700 + bar]) for name in (
            "open", "high", "low", "close", "volume")))  # fmt: skip
    for one in (matrix, columns):
        assert one.snapshot(0)["sma200"] == pytest.approx(wanted, rel=1e-9)


def test_prices_may_fall_below_zero_and_come_back() -> None:
    """Oil did, on 2020-04-20; what is a share of the price does not exist there."""
    close = 30.0 + 45.0 * np.cos(np.arange(420) / 40.0)
    close[200] = 0.0
    prices = prices_of(close, spread=0.0)
    table = snapshot.table(prices)
    assert np.isnan(table["changePercent"][close <= 0]).all()
    assert np.isnan(table["volatility20"][close <= 0]).all()
    assert np.isfinite(table["rsi"][14:]).all()
    assert np.isfinite(table["volatility20"][300:340]).all()
    assert_same(streamed(IndicatorMatrix(steps=UNCOMPILED), prices), table)
    columns = IndicatorMatrix(steps=UNCOMPILED)
    for last in (60, 120, 210, 300, 419):
        columns.seed_many({row: prices.upto(last) for row in range(14)})
        told = {name: values[last : last + 1] for name, values in table.items()}
        assert_same(columns.table([3]), told)


def test_a_hush_after_a_crash_is_measured_as_exactly_as_any() -> None:
    quiet = 0.37 + 1e-5 * np.random.default_rng(5).normal(size=150)
    prices = prices_of(np.concatenate([walk(200, start=5_000.0), quiet]))
    assert_same(streamed(IndicatorMatrix(steps=UNCOMPILED), prices), snapshot.table(prices))


@settings(max_examples=20, deadline=None)
@given(prices=histories(), power=st.integers(-20, 20))
def test_another_currency_changes_prices_and_nothing_else(prices: Prices, power: int) -> None:
    scale = 2.0**power
    scaled = replace(prices, **{
        name: getattr(prices, name) * scale for name in ("open", "high", "low", "close", "total")
    })  # fmt: skip
    one, other = IndicatorMatrix(steps=UNCOMPILED), IndicatorMatrix(steps=UNCOMPILED)
    one.seed(0, prices)
    other.seed(0, scaled)
    for name, values in one.table([0]).items():
        factor = scale if name in PRICED else 1.0
        np.testing.assert_array_equal(other.table([0])[name], values * factor, name)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), shift=st.floats(1, 1000))
def test_a_constant_added_to_the_price_shifts_averages_only(seed: int, shift: float) -> None:
    prices = prices_of(walk(300, seed=seed))
    moved = replace(prices, **{
        name: getattr(prices, name) + shift for name in ("open", "high", "low", "close", "total")
    })  # fmt: skip
    one, other = IndicatorMatrix(steps=UNCOMPILED), IndicatorMatrix(steps=UNCOMPILED)
    one.seed(0, prices)
    other.seed(0, moved)
    before, after = one.table([0]), other.table([0])
    for name in ("close", "sma20", "sma50", "sma200", "ema12", "ema26", "bollingerUpper",
                 "bollingerMiddle", "bollingerLower", "high52w", "low52w"):  # fmt: skip
        assert after[name][0] == pytest.approx(before[name][0] + shift, rel=1e-9), name
    for name in ("rsi", "macd", "macdSignal", "atr", "adx", "plusDi", "minusDi", "obv", "percentB",
                 "stochasticK", "stochasticD", "trendSlope", "trendR2"):  # fmt: skip
        assert after[name][0] == pytest.approx(before[name][0], rel=1e-6, abs=1e-8), name


def test_the_snapshot_before_is_what_was_said_a_bar_ago() -> None:
    prices = prices_of(walk(90))
    matrix = IndicatorMatrix(steps=UNCOMPILED)
    take(matrix, 0, prices, 0)
    assert matrix.before(0) is None
    said = matrix.snapshot(0)
    for bar in range(1, 90):
        take(matrix, 0, prices, bar)
        assert matrix.before(0) == said
        said = matrix.snapshot(0)
    seeded = IndicatorMatrix(steps=UNCOMPILED)
    seeded.seed(0, prices)
    assert seeded.before(0) == matrix.before(0)
    assert seeded.snapshot(0) == said


def test_looking_at_an_open_bar_changes_nothing() -> None:
    prices = prices_of(walk(300))
    matrix = IndicatorMatrix(steps=UNCOMPILED)
    matrix.seed(4, prices.upto(270))
    kept = matrix.save()
    seen = matrix.preview(4, open=99.0, high=101.0, low=98.0, close=100.5, volume=7e5)
    assert matrix.save() == kept
    matrix.update([4], [99.0], [101.0], [98.0], [100.5], [7e5])
    assert matrix.snapshot(4) == seen
    assert (
        IndicatorMatrix().preview(0, open=1.0, high=2.0, low=1.0, close=2.0, volume=3.0)["close"]
        == 2.0
    )


def test_a_corrected_bar_is_taken_in_by_seeding_the_row_again() -> None:
    prices = prices_of(walk(300))
    wrong = replace(prices, close=np.where(np.arange(300) == 250, 1.0, prices.close))
    matrix = IndicatorMatrix(steps=UNCOMPILED)
    matrix.seed_many({0: wrong, 1: prices})
    other = matrix.snapshot(1)
    matrix.seed(0, prices)
    assert matrix.snapshot(0) == other
    assert matrix.before(0) == matrix.before(1)
    matrix.seed(0, prices.upto(-1))
    assert matrix.count(0) == 0
    assert matrix.snapshot(1) == other


def test_the_matrix_grows_and_keeps_what_it_knew() -> None:
    prices = prices_of(walk(280))
    matrix = IndicatorMatrix(2, steps=UNCOMPILED)
    matrix.seed(1, prices)
    known = matrix.snapshot(1)
    take(matrix, 500, prices, 0)
    assert matrix.capacity > 500
    assert matrix.snapshot(1) == known
    assert matrix.count(500) == 1
    assert matrix.snapshot(500)["close"] == prices.close[0]


def test_a_saved_matrix_goes_on_where_it_was() -> None:
    prices = prices_of(walk(320))
    matrix = IndicatorMatrix(timeframe="1w", steps=UNCOMPILED)
    matrix.seed_many({0: prices.upto(299), 3: prices.upto(100)})
    again = IndicatorMatrix.restore(matrix.save())
    assert again.timeframe == "1w"
    for bar in range(300, 320):
        for one in (matrix, again):
            take(one, 0, prices, bar)
            take(one, 3, prices, bar)
    assert again.snapshots([0, 3]) == matrix.snapshots([0, 3])
    with pytest.raises(ValueError, match="no saved state"):
        IndicatorMatrix.restore(b"something else")


def test_bad_input_is_refused_and_leaves_the_row_alone() -> None:
    matrix = IndicatorMatrix(steps=UNCOMPILED)
    matrix.seed(0, prices_of(walk(60)))
    kept = matrix.save()
    with pytest.raises(ValueError, match="come once"):
        matrix.update([0, 0], [1, 1], [1, 1], [1, 1], [1, 1], [1, 1])
    with pytest.raises(ValueError, match="as many"):
        matrix.update([0], [1, 1], [1, 1], [1, 1], [1, 1], [1, 1])
    with pytest.raises(ValueError, match="not finite"):
        matrix.update([0], [1.0], [1.0], [1.0], [float("nan")], [1.0])
    with pytest.raises(ValueError, match="from 0"):
        matrix.update([-1], [1.0], [1.0], [1.0], [1.0], [1.0])
    assert matrix.save() == kept
    with pytest.raises(LookupError, match="row 9"):
        matrix.snapshot(9)


def test_a_price_that_stands_still_reads_as_everywhere_else() -> None:
    still = prices_of(np.full(300, 50.1), spread=0.0, volume=np.zeros(300))
    matrix = IndicatorMatrix(steps=UNCOMPILED)
    matrix.seed(0, still)
    now = matrix.snapshot(0)
    assert now == snapshot.at(snapshot.table(still), -1)
    assert (now["rsi"], now["percentB"], now["volumeRatio"]) == (50.0, None, None)
    assert (now["trendSlope"], now["trendR2"], now["volatility20"]) == (0.0, 0.0, 0.0)
