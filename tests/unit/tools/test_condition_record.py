"""The record of a condition: the same judgement as bar by bar, and nothing of what came later."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.unit.tools.samples import as_prices
from tools.analytics import snapshot
from tools.analytics.condition_record import beginnings, record, truths
from tools.analytics.conditions import holds, parse
from tools.analytics.prices import Prices
from tools.analytics.standing import standing
from tools.analytics.track_record import ENOUGH, wilson
from tools.errors import InvalidArguments
from tools.market.bars import Bars
from tools.registry import ToolBox
from tools.tool import ToolContext

CONDITIONS: list[dict[str, Any]] = [
    {"field": "rsi", "op": "<", "value": 30},
    {"field": "close", "op": ">=", "value": {"field": "sma200", "times": 1.02}},
    {"field": "close", "op": "crosses_above", "value": {"field": "sma50"}},
    {"field": "rsi", "op": "crosses_below", "value": 50},
    {"field": "macd", "op": "<=", "value": {"field": "macdSignal"}},
    {"signal": "breakout", "direction": "bullish"},
    {"signal": "volume_spike", "fired": True},
    {"all": [{"field": "close", "op": ">", "value": {"field": "sma200"}},
             {"field": "rsi", "op": ">", "value": 60}]},
    {"any": [{"field": "adx", "op": ">", "value": 40}, {"signal": "reversal"}]},
    {"not": {"any": [{"field": "volumeRatio", "op": ">", "value": 1},
                     {"not": {"field": "close", "op": ">", "value": {"field": "high52w"}}}]}},
]  # fmt: skip


@pytest.fixture(scope="module")
def prices(shipped: dict[str, Bars]) -> Prices:
    return as_prices(shipped["GOOG"].slice(0, 700))


@pytest.mark.parametrize("document", CONDITIONS)
def test_over_a_history_a_condition_means_what_it_means_bar_by_bar(
    document: dict[str, Any], prices: Prices
) -> None:
    condition, table = parse(document), snapshot.table(prices)
    valid = standing(prices)
    whole = truths(condition, table, valid)
    for bar in range(len(prices)):
        before = snapshot.at(table, bar - 1) if bar else None
        one = holds(condition, snapshot.at(table, bar), before, valid[bar])
        assert whole[bar] == (-1 if one is None else int(one)), bar


def test_signals_valid_at_a_bar_are_those_known_at_its_close(prices: Prices) -> None:
    whole = standing(prices)
    for bar in (60, 150, 333, 500, 650):
        cut = prices.upto(bar)
        assert standing(cut, [bar])[bar] == whole[bar], bar


@pytest.mark.parametrize("document", CONDITIONS)
def test_the_record_at_a_bar_reads_nothing_after_it(
    document: dict[str, Any], prices: Prices
) -> None:
    condition, at = parse(document), 500
    poisoned = replace(
        prices,
        close=np.concatenate([prices.close[: at + 1], prices.close[at + 1 :] * 7]),
        total=np.concatenate([prices.total[: at + 1], prices.total[at + 1 :] * 7]),
        high=np.concatenate([prices.high[: at + 1], prices.high[at + 1 :] * 9]),
        volume=np.concatenate([prices.volume[: at + 1], prices.volume[at + 1 :] * 5]),
    )
    told = []
    for known in (prices, prices.upto(at), poisoned):
        table = snapshot.table(known)
        found = record(truths(condition, table, standing(known)), known.total, at=at)
        told.append((found.began.tolist(), found.known, found.held, found.after))
    assert told[0] == told[1] == told[2]


def test_an_occasion_is_a_bar_at_which_it_came_to_hold() -> None:
    holds_at = np.array([1, 1, 0, 1, 1, -1, 1, 0, -1, 1, 0, 0, 1], dtype=np.int8)
    assert beginnings(holds_at).tolist() == [3, 9, 12]
    assert beginnings(np.array([], dtype=np.int8)).tolist() == []
    assert beginnings(np.full(5, -1, dtype=np.int8)).tolist() == []


def test_what_followed_is_counted_once_per_stretch_of_bars_and_against_all_bars() -> None:
    total = np.array([100.0 + (bar % 2) for bar in range(401)])
    holds_at = np.zeros(401, dtype=np.int8)
    holds_at[4:400:8] = 1
    holds_at[6] = 1  # shares bars with the one before
    found = record(holds_at, total, at=400)
    five = found.after[0]
    assert len(found.began) == 51
    assert (five.n, five.rises) == (49, 49)
    assert five.rise_rate == 1.0
    assert (five.wilson_low, five.wilson_high) == wilson(49, 49)
    assert five.base_rate == pytest.approx(198 / 396)
    assert five.edge == "measured edge"


def test_few_occasions_give_no_rate_and_no_edge() -> None:
    total = np.linspace(1.0, 2.0, 200)
    holds_at = np.zeros(200, dtype=np.int8)
    holds_at[10:190:20] = 1
    after = record(holds_at, total, at=199).after[1]
    assert after.n < ENOUGH
    assert (after.rise_rate, after.wilson_low, after.edge) == (None, None, "too few")
    assert after.base_rate == 1.0


async def test_the_tool_speaks_as_of_the_bar_it_is_asked_about(
    box: ToolBox, context: ToolContext
) -> None:
    asked = {"symbol": "google", "condition": CONDITIONS[0]}
    by_day = await box.call("condition_record", {**asked, "at": "2012-11-15"}, context)
    by_time = await box.call("condition_record", {**asked, "at": "2012-11-15T00:00:00Z"}, context)
    assert by_day.data["lastBar"] == by_time.data["lastBar"] == "2012-11-15"
    assert by_day.data["holds"] is True
    assert by_day.data["now"]["rsi"] < 30
    assert by_day.data["past"]["latest"][0] == "2012-11-08"
    marks = [mark["text"] for mark in by_day.cards[0].content["markers"]]
    assert set(marks) == {"alert"}


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"condition": {"field": "rsy", "op": "<", "value": 1}}, "rsy"),
        ({"condition": CONDITIONS[0], "at": "2012-13-15"}, "2012-13-15"),
        ({"condition": CONDITIONS[0], "at": "yesterday"}, "at"),
        ({"condition": CONDITIONS[0], "timeframe": "3d"}, "3d"),
    ],
)
async def test_the_tool_says_what_is_wrong_with_its_arguments(
    wrong: dict[str, Any], named: str, box: ToolBox, context: ToolContext
) -> None:
    with pytest.raises(InvalidArguments, match=named):
        await box.call("condition_record", {"symbol": "GOOG", **wrong}, context)
