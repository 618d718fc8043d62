"""Every poison that a source may hold, and what becomes of it: refused, suspect or taken.

The table in `docs/market-data.md` says the same in words.
"""

import tracemalloc
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec
import numpy as np
import pytest

from tests.unit.tools.samples import made_up
from tools.desk import market_tools
from tools.errors import NoData, UnknownSymbol
from tools.market.actions import Action
from tools.market.bars import Bars
from tools.market.checks import Circumstances, Judgement, judge
from tools.market.freshness import doubts
from tools.market.instruments import Instrument
from tools.market.rows import Rows, read_rows
from tools.market.store import InProcessMarket
from tools.registry import ToolBox
from tools.tool import ToolContext

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
DAILY = Circumstances(timeframe="1d", now=NOW)


def raw(**changed: Any) -> dict[str, Any]:
    good = {"timestamp": "2025-01-02T00:00:00Z", "open": 10, "high": 12, "low": 9, "close": 11}
    return {**good, "volume": 100, **changed}


def judged(*rows: dict[str, Any], by: Circumstances = DAILY) -> Judgement:
    return judge(read_rows([msgspec.Raw(msgspec.json.encode(row)) for row in rows]), by)


def columns(closes: Any, *, start: str = "2024-01-01", step_s: int = 86_400) -> Rows:
    close = np.asarray(closes, dtype=np.float64)
    times = np.datetime64(start, "us") + np.timedelta64(step_s, "s") * np.arange(len(close))
    return Rows(times, close, close, close, close, np.ones(len(close)))


def outcome(verdict: Judgement) -> tuple[int, list[str], list[str]]:
    return (
        len(verdict.taken),
        [one.reason for one in verdict.refused],
        [one.reason for one in verdict.doubted],
    )


# --- F71: what is no number ---------------------------------------------------------------------


@pytest.mark.parametrize("field", ["open", "high", "low", "close", "volume"])
@pytest.mark.parametrize(
    "value", [None, "", "NaN", "N/A", "1,234.5", "１２", "12", "1E+1000000", True, [], {}]
)
def test_what_is_no_number_is_refused_and_never_turned_into_one(field: str, value: Any) -> None:
    taken, refused, doubted = outcome(judged(raw(**{field: value})))
    assert (taken, doubted) == (0, [])
    assert f"at `{field}`" in refused[0]


@pytest.mark.parametrize("number", ["1e308", "1e30", "-1e30", "1e400", "1E+1000000"])
@pytest.mark.parametrize("field", ["high", "volume"])
def test_numbers_of_impossible_size_are_refused(number: str, field: str) -> None:
    text = msgspec.json.encode(raw(**{field: 424242})).replace(b"424242", number.encode())
    taken, refused, doubted = outcome(judge(read_rows([msgspec.Raw(text)]), DAILY))
    assert (taken, len(refused), doubted) == (0, 1, [])


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e308, 1e13])
@pytest.mark.parametrize("field", ["open", "high", "low", "close"])
def test_columns_hold_no_number_that_is_not_finite(field: str, value: float) -> None:
    rows = columns([10.0, 10.0])
    changed = {**vars(rows), field: np.array([10.0, value])}
    rows = Rows(**changed)
    taken, refused, doubted = outcome(judge(rows, DAILY))
    assert (taken, doubted) == (1, [])
    assert f"{field} is not a price" in refused[0]


def test_minus_zero_is_no_volume_below_zero_and_no_price() -> None:
    taken, refused, doubted = outcome(judged(raw(volume=-0.0)))
    assert (taken, refused, doubted) == (1, [], [])
    _, _, doubted = outcome(judged(raw(low=-0.0)))
    assert "a price must be above 0" in doubted[0]


# --- F72: what cannot be believed ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "reason", "possible"),
    [
        ({"close": 0.0033, "open": 0.0033, "low": 0.003, "high": 0.004}, "-99.97 %", True),
        ({"close": 40_000, "open": 40_000, "low": 40_000, "high": 40_000}, "%", True),
        ({"low": 0}, "low is 0; a price must be above 0", False),
        ({"open": -1, "low": -1}, "open is -1; a price must be above 0", False),
        ({"high": 8}, "high 8 is below low 9", False),
        ({"close": 13}, "close 13 is outside low 9 to high 12", False),
        ({"open": 8.5}, "open 8.5 is outside low 9 to high 12", False),
        ({"volume": -5}, "volume is -5; it must be 0 or more", False),
        ({"volume": 10.5}, "volume is 10.5; shares are counted in whole", True),
        ({"high": 300}, "high 300 is over 25 times low 9", True),
    ],
)
def test_a_bar_that_parses_and_cannot_be_believed_is_suspect(
    changed: dict[str, Any], reason: str, possible: bool
) -> None:
    verdict = judged(
        raw(timestamp="2025-01-01T00:00:00Z"), raw(**changed), raw(timestamp="2025-01-03T00:00:00Z")
    )
    assert verdict.taken.tolist() == [0, 2], "its neighbours are taken"
    assert verdict.refused == []
    (doubted,) = verdict.doubted
    assert doubted.index == 1
    assert reason in doubted.reason
    assert doubted.possible is possible


def test_half_a_coin_is_a_volume() -> None:
    by = replace(DAILY, kind="crypto")
    assert outcome(judged(raw(volume=0.5), by=by)) == (1, [], [])
    adjusted = replace(DAILY, basis="split_adjusted")
    assert outcome(judged(raw(volume=0.5), by=adjusted)) == (1, [], [])


def test_bars_that_come_one_by_one_are_judged_like_a_file() -> None:
    closes = [10.0, 10.5, 0.003, 0.0031, 11.0, 500.0, 12.0, 12.5]
    together = judge(columns(closes), DAILY)
    assert together.taken.tolist() == [0, 1, 4, 6, 7]
    believed: Bars | None = None
    taken = []
    for at in range(len(closes)):
        one = columns(closes).part(at, at + 1)
        if len(judge(one, replace(DAILY, before=believed)).taken):
            taken.append(at)
            believed = made_up([closes[at]])
            believed = replace(believed, timestamps=one.timestamps.astype("datetime64[s]"))
    assert taken == together.taken.tolist()


def test_a_known_split_is_no_jump() -> None:
    closes = [5000.0, 5000.0, 50.0, 50.0]
    assert len(judge(columns(closes), DAILY).doubted) == 2
    split = Action(
        kind="split", ex_date=date(2024, 1, 3), new_shares=Decimal(100), old_shares=Decimal(1),
        source="x", known_at=NOW,
    )  # fmt: skip
    nothing = replace(made_up([]), actions=(split,))
    assert len(judge(columns(closes), replace(DAILY, before=nothing)).taken) == 4


@pytest.mark.parametrize(("close", "doubted"), [(104.9, 0), (105.0, 1), (95.0, 1), (95.1, 0)])
def test_two_sources_that_disagree_by_five_percent_are_a_conflict(
    close: float, doubted: int
) -> None:
    stored = replace(
        made_up([100.0]), timestamps=np.array(["2024-01-01"], "datetime64[s]"), source="the first"
    )
    verdict = judge(columns([close, 100.0]), replace(DAILY, elsewhere=stored))
    assert len(verdict.doubted) == doubted
    if doubted:
        assert verdict.doubted[0].reason == (
            f"conflict: close is {close:g} here and 100 from the first"
        )


# --- F73: prices below zero that are real -------------------------------------------------------


async def test_oil_below_zero_is_taken_and_its_log_returns_are_refused_with_a_reason() -> None:
    closes = np.concatenate([20 + np.sin(np.arange(300)), [18.27, -37.63, 10.01, 13.78]])
    oil = Circumstances(timeframe="1d", now=NOW, kind="future")
    assert len(judge(columns(closes), oil).taken) == len(closes)
    known = Instrument(symbol="CL=F", name="Crude oil", kind="future", source="x")
    market = InProcessMarket([known], [made_up(closes, symbol="CL=F", spread=0)])
    box = ToolBox(market_tools(market, market))
    context = ToolContext(principal_id="x", now=NOW)
    quotes = await box.call("quotes", {"symbol": "CL=F", "period": "1m"}, context)
    assert quotes.data["period"]["low"] == -37.63
    assert quotes.data["period"]["drawdownPercent"] is None
    assert any("zero or below" in note for note in quotes.data["notes"])
    for tool in ("indicators", "signals", "levels", "what_changed"):
        result = await box.call(tool, {"symbol": "CL=F"}, context)
        msgspec.json.encode(result.data)
        assert "nan" not in str(result.data).lower().replace("finance", "")


# --- F74: times ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("stamp", "reason"),
    [
        ("2025-01-02T00:00:00", "timestamp has no zone"),
        ("2025-01-02", "Invalid RFC3339"),
        ("2027-01-01T00:00:00Z", "in the future"),
        ("2026-01-05T00:00:00Z", "has not closed yet"),
        ("1700-01-01T00:00:00Z", "before 1800"),
        ("2025-01-02T00:00:01Z", "is not an opening"),
    ],
)
def test_a_time_that_is_no_opening_is_refused(stamp: str, reason: str) -> None:
    taken, refused, doubted = outcome(judged(raw(timestamp=stamp)))
    assert (taken, doubted) == (0, [])
    assert reason in refused[0]


def test_doubles_are_refused_and_disorder_is_sorted() -> None:
    days = ["03", "02", "03", "05", "04"]
    verdict = judged(*(raw(timestamp=f"2025-01-{day}T00:00:00Z") for day in days))
    assert verdict.taken.tolist() == [1, 0, 4, 3]
    assert [(one.index, one.reason) for one in verdict.refused] == [(2, "duplicate timestamp")]


def test_an_hour_that_was_there_twice_is_two_bars_with_an_offset() -> None:
    hourly = Circumstances(timeframe="1h", now=NOW)
    verdict = judged(
        raw(timestamp="2025-11-02T01:00:00-04:00"),
        raw(timestamp="2025-11-02T01:00:00-05:00"),
        by=hourly,
    )
    assert len(verdict.taken) == 2


def test_markets_that_never_close_have_bars_on_every_day() -> None:
    by = replace(DAILY, kind="crypto", calendar="24/7")
    assert len(judge(columns(np.full(14, 10.0)), by).taken) == 14


# --- F75: the life of an instrument (splits and symbols have files of their own) ------------------


def test_bars_outside_its_listing_belong_to_somebody_else() -> None:
    by = replace(DAILY, listed_on=date(2024, 1, 3), delisted_on=date(2024, 1, 5))
    verdict = judge(columns(np.full(7, 10.0)), by)
    assert verdict.taken.tolist() == [2, 3, 4]
    assert {one.reason for one in verdict.refused} == {
        "it was not listed before 2024-01-03",
        "it was delisted on 2024-01-05",
    }


# --- F76: feeds that are stuck or late ------------------------------------------------------------


def minutes_to(last: str, *, moving: bool, calendar: str | None = "XNYS") -> Bars:
    times = np.datetime64(last, "s") - 60 * np.arange(120)[::-1]
    close = 100 + (np.sin(np.arange(120)) if moving else np.zeros(120))
    return Bars("X", "1m", "x", times, close, close, close, close, np.ones(120), calendar=calendar)


@pytest.mark.parametrize(
    ("last", "now", "moving", "said"),
    [
        ("2024-07-02T15:00", "2024-07-02T15:10", True, None),
        ("2024-07-02T15:00", "2024-07-02T15:25", True, "stale"),
        ("2024-07-02T15:00", "2024-07-02T15:02", False, "stuck"),
        ("2024-07-02T19:59", "2024-07-02T23:00", True, None),  # it is closed
        ("2024-07-03T16:59", "2024-07-03T18:00", True, None),  # half day
        ("2024-07-03T16:59", "2024-07-04T15:00", True, None),  # holiday
        ("2024-07-02T19:59", "2024-07-03T13:40", True, None),  # it has just opened
    ],
)
def test_a_feed_that_is_late_or_stuck_is_told(
    last: str, now: str, moving: bool, said: str | None
) -> None:
    bars = minutes_to(last, moving=moving)
    found = doubts(bars, datetime.fromisoformat(now).replace(tzinfo=UTC))
    assert [one.split(":")[0] for one in found] == ([] if said is None else [said])


def test_bars_from_the_future_are_not_even_stored() -> None:
    soon = replace(DAILY, now=datetime(2024, 1, 2, 12, tzinfo=UTC))
    verdict = judge(columns([10.0, 10.0, 10.0]), soon)
    assert verdict.taken.tolist() == [0]
    assert [one.reason for one in verdict.refused] == [
        "the bar has not closed yet",
        "timestamp is in the future",
    ]


# --- F77: shapes that break arithmetic ------------------------------------------------------------


@pytest.mark.parametrize(
    ("closes", "volume"),
    [
        (np.full(400, 5.0), None),
        (np.full(400, 5.0), np.zeros(400)),
        (np.array([5.0]), None),
        (np.array([5.0, 5.0]), None),
        (np.linspace(1, 2, 400), np.zeros(400)),
    ],
    ids=["constant", "no volume", "one bar", "two bars", "line"],
)
async def test_every_tool_answers_or_refuses_on_any_shape(closes: Any, volume: Any) -> None:
    bars = made_up(closes, volume=volume, spread=0)
    market = InProcessMarket([Instrument(symbol="TEST", name="T", source="x")], [bars])
    box = ToolBox(market_tools(market, market))
    context = ToolContext(principal_id="x", now=NOW)
    asked = {"symbol": "TEST"}
    calls = (("quotes", asked), ("quotes", {**asked, "period": "1y"}), ("indicators", asked),
             ("signals", asked), ("levels", asked), ("what_changed", asked))  # fmt: skip
    for tool, arguments in calls:
        try:
            result = await box.call(tool, arguments, context)
        except NoData:
            continue
        text = msgspec.json.encode(result.data).decode()
        assert "NaN" not in text
        assert "Infinity" not in text


async def test_nothing_is_said_of_a_symbol_nobody_knows_or_without_bars() -> None:
    market = InProcessMarket([Instrument(symbol="TEST", name="T", source="x")])
    box = ToolBox(market_tools(market, market))
    context = ToolContext(principal_id="x", now=NOW)
    with pytest.raises(NoData, match="no bars"):
        await box.call("quotes", {"symbol": "TEST"}, context)
    with pytest.raises(UnknownSymbol):
        await box.call("quotes", {"symbol": "ABSENT"}, context)


def test_a_million_bars_are_judged_in_bounded_memory() -> None:
    count = 1_000_000
    rows = columns(100 + np.sin(np.arange(count)), start="2020-01-01", step_s=60)
    # One in a hundred is wrong, in one way or another.
    close = rows.close.copy()
    close[::200], close[100::200] = np.nan, -1.0
    by = Circumstances(timeframe="1m", now=NOW)
    tracemalloc.start()
    try:
        verdict = judge(replace(rows, close=close), by)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (len(verdict.refused), len(verdict.doubted)) == (5_000, 5_000)
    assert len(verdict.taken) == count - 10_000
    assert peak < 300 * 1024 * 1024
    assert timedelta(minutes=count) < NOW - datetime(2020, 1, 1, tzinfo=UTC)
