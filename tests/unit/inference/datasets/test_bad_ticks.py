"""Wrong ticks are found as often as the documentation says, and without looking ahead."""

import csv
import gzip
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from inference.datasets.bad_ticks import bad_ticks
from inference.requests import Floats

STOCKS = Path(__file__).parents[4] / "tools" / "market" / "demo_data" / "stocks.csv.gz"
MEASURED = [(0.05, 0.321, 0.810), (0.10, 0.726, 0.917), (0.20, 0.981, 0.945)]
"""Size of the wrong tick, recall, precision: on the shipped prices, one price in a hundred wrong;
`docs/datasets.md` repeats them."""


@pytest.fixture(scope="module")
def closes() -> dict[str, Floats]:
    found: dict[str, list[float]] = defaultdict(list)
    with gzip.open(STOCKS, "rt") as file:
        for row in csv.DictReader(file):
            found[row["Ticker"]].append(float(row["Close"]))
    return {symbol: np.array(prices) for symbol, prices in sorted(found.items())}


def injected(closes: dict[str, Floats], size: float) -> tuple[float, float]:
    """Return recall and precision with one price in a hundred moved by `size`."""
    rng = np.random.default_rng(7)
    hits = found_in_all = there_are = 0
    for prices in closes.values():
        at = np.flatnonzero(rng.random(len(prices)) < 0.01)
        at = at[(at > 62) & (at < len(prices) - 1)]
        wrong = prices.copy()
        wrong[at] *= 1.0 + size * rng.choice([-1.0, 1.0], len(at))
        found = bad_ticks(wrong)
        hits += int(found[at].sum())
        found_in_all += int(found.sum())
        there_are += len(at)
    return hits / there_are, hits / found_in_all


@pytest.mark.parametrize(("size", "recall", "precision"), MEASURED)
def test_recall_and_precision_are_what_the_documentation_says(
    closes: dict[str, Floats], size: float, recall: float, precision: float
) -> None:
    assert injected(closes, size) == pytest.approx((recall, precision), abs=0.005)


def test_what_is_said_of_a_bar_reads_one_bar_further_and_no_more(
    closes: dict[str, Floats],
) -> None:
    prices = next(iter(closes.values())).copy()
    prices[[100, 200, 300]] *= 1.2
    whole = bad_ticks(prices)

    for stop in range(63, len(prices), 41):
        assert (bad_ticks(prices[:stop])[: stop - 1] == whole[: stop - 1]).all()
        poisoned = np.concatenate([prices[:stop], np.full(50, 1e9)])
        assert (bad_ticks(poisoned)[: stop - 1] == whole[: stop - 1]).all()


def test_a_jump_that_stays_is_news_and_not_a_tick() -> None:
    prices = np.full(100, 100.0) * np.exp(np.sin(np.arange(100)) * 0.01)
    prices[80:] *= 1.3

    assert not bad_ticks(prices).any()


def test_prices_that_are_missing_or_short_are_not_suspected() -> None:
    assert not bad_ticks(np.full(70, np.nan)).any()
    assert not bad_ticks(np.array([1.0, 9.0, 1.0])).any()
