"""Instruments, bars and indicators over REST, on the prices that ship with the desk."""

from typing import Any

import msgspec
import numpy as np
import pytest
import talib

from tests.unit.app.rest.in_process import Open
from tools.market.demo import vendored_market

GOOD = {
    "timestamp": "2025-01-02T00:00:00Z",
    "open": 10,
    "high": 12.5,
    "low": 9.5,
    "close": 12,
    "volume": 1000,
}


def bar(**changed: Any) -> dict[str, Any]:
    return {**GOOD, **changed}


async def test_instruments_come_by_symbol_with_their_provenance(open_client: Open) -> None:
    client = open_client(key="read")
    page = (await client.get("/api/v1/instruments")).json()
    symbols = [one["symbol"] for one in page["items"]]
    assert symbols == sorted(symbols)
    assert "GOOG" in symbols
    google = (await client.get("/api/v1/instruments/goog")).json()
    assert google["barCount"] == 2148
    assert google["lastBar"] == "2013-03-01T00:00:00Z"
    assert google["provenance"]["licence"]


async def test_instruments_are_paged_and_searched(open_client: Open) -> None:
    client = open_client(key="read")
    first = (await client.get("/api/v1/instruments?limit=2")).json()
    second = (await client.get(f"/api/v1/instruments?limit=9&cursor={first['nextCursor']}")).json()
    both = [one["symbol"] for page in (first, second) for one in page["items"]]
    everything = (await client.get("/api/v1/instruments")).json()["items"]
    assert both == [one["symbol"] for one in everything]
    assert second["nextCursor"] is None
    found = (await client.get("/api/v1/instruments?query=micro")).json()["items"]
    assert [one["symbol"] for one in found] == ["MSFT"]


async def test_an_unknown_symbol_is_told_with_the_nearest(open_client: Open) -> None:
    client = open_client(key="read")
    for path in ("instruments/GOOOG", "bars?symbol=GOOOG", "indicators?symbol=GOOOG"):
        answer = await client.get(f"/api/v1/{path}")
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown_symbol")
        assert "GOOG?" in answer.json()["detail"]


async def test_bars_come_oldest_first_and_the_newest_are_kept(open_client: Open) -> None:
    client = open_client(key="read")
    answer = (await client.get("/api/v1/bars?symbol=GOOG&limit=3")).json()
    assert [one["timestamp"] for one in answer["items"]] == [
        "2013-02-27T00:00:00Z",
        "2013-02-28T00:00:00Z",
        "2013-03-01T00:00:00Z",
    ]
    assert answer["items"][-1]["close"] == 806.19
    span = await client.get("/api/v1/bars?symbol=GOOG&from=2012-12-31&to=2013-01-02")
    assert len(span.json()["items"]) == 2


async def test_a_split_is_no_crash_unless_prices_are_wanted_as_traded(open_client: Open) -> None:
    client = open_client(key="read")
    path = "/api/v1/bars?symbol=AAPL&from=2005-02-25&to=2005-03-01"
    adjusted = (await client.get(path)).json()["items"]
    traded = (await client.get(f"{path}&adjusted=false")).json()["items"]
    assert traded[0]["close"] / traded[1]["close"] > 1.8
    assert 0.9 < adjusted[0]["close"] / adjusted[1]["close"] < 1.1


async def test_indicators_are_ta_libs_and_do_not_depend_on_where_the_span_begins(
    open_client: Open,
) -> None:
    client = open_client(key="read")
    whole = (await client.get("/api/v1/indicators?symbol=GOOG&limit=10000")).json()
    short = (
        await client.get("/api/v1/indicators?symbol=GOOG&from=2013-02-01&to=2013-02-28")
    ).json()
    bars = await vendored_market().read("GOOG")
    expected = talib.RSI(np.ascontiguousarray(bars.close), 14)
    assert [point["value"] for point in whole["series"]["rsi"]] == expected[14:].tolist()
    assert whole["asOf"] == "2013-03-01T00:00:00Z"
    for name, points in short["series"].items():
        assert points, name
        assert points[0]["timestamp"] == "2013-02-01T00:00:00Z"
        known = {point["timestamp"]: point["value"] for point in whole["series"][name]}
        assert all(known[point["timestamp"]] == point["value"] for point in points)
    assert set(short["series"]) == {
        "rsi", "macd", "macdSignal", "macdHistogram", "sma20", "sma50", "sma200", "ema12",
        "ema26", "bollingerUpper", "bollingerMiddle", "bollingerLower", "atr", "adx",
    }  # fmt: skip


async def test_any_per_bar_number_can_be_asked_for_and_others_are_refused_by_name(
    open_client: Open,
) -> None:
    client = open_client(key="read")
    path = "/api/v1/indicators?symbol=GOOG&limit=5&fields="
    answer = (await client.get(f"{path}obv,stochasticK,changePercent")).json()
    assert set(answer["series"]) == {"obv", "stochasticK", "changePercent"}
    assert [len(points) for points in answer["series"].values()] == [5, 5, 5]
    bars = await vendored_market().read("GOOG")
    change = 100 * (bars.close[-1] / bars.close[-2] - 1)
    assert answer["series"]["changePercent"][-1]["value"] == pytest.approx(change)
    refused = await client.get(f"{path}rsi,magic")
    assert refused.status_code == 422
    assert "'magic'" in refused.json()["detail"]
    assert "stochasticK" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (bar(high=1e300), "high is not a price"),
        (bar(volume=1e30), "volume is 1e+30; not a volume"),
        (bar(volume=-1e30), "volume is -1e+30; not a volume"),
        (bar(open="10"), "Expected `float`, got `str` at `open`"),
        (bar(open=None), "Expected `float`, got `null` at `open`"),
        (bar(open=True), "Expected `float`, got `bool` at `open`"),
        (bar(vwap=1), "unknown field `vwap`"),
        ({key: GOOD[key] for key in GOOD if key != "volume"}, "missing required field `volume`"),
        (bar(timestamp="2025-01-02"), "Invalid RFC3339"),
        (bar(timestamp="2025-01-02T00:00:00"), "no zone"),
        (bar(timestamp="2025-01-02T09:30:00Z"), "a 1d bar opens at 00:00"),
        (bar(timestamp="2027-01-02T00:00:00Z"), "in the future"),
        (bar(timestamp="2026-01-05T00:00:00Z"), "has not closed yet"),
        (bar(timestamp="1500-01-01T00:00:00Z"), "before 1800"),
        (5, "Expected `object`"),
        ("bar", "Expected `object`"),
        (None, "Expected `object`"),
    ],
)
async def test_what_is_no_bar_is_refused_and_the_rest_is_stored(
    open_client: Open, row: Any, reason: str
) -> None:
    client = open_client(key="admin")
    later = bar(timestamp="2025-01-03T00:00:00Z")
    body = {"symbol": "FB", "timeframe": "1d", "bars": [GOOD, row, later]}
    answer = await client.post("/api/v1/bars", json=body)
    assert answer.status_code == 200, answer.text
    assert answer.json()["accepted"] == 2
    (refused,) = answer.json()["refused"]
    assert refused["index"] == 1
    assert reason in refused["reason"]
    stored = (await client.get("/api/v1/bars?symbol=FB&from=2025-01-01")).json()["items"]
    assert [one["timestamp"] for one in stored] == [GOOD["timestamp"], later["timestamp"]]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (bar(high=9), "high 9 is below low 9.5"),
        (bar(close=13), "close 13 is outside"),
        (bar(open=9), "open 9 is outside"),
        (bar(volume=-1), "volume is -1; it must be 0 or more"),
        (bar(close=0, low=0), "must be above 0"),
        (bar(open=-1, low=-1), "must be above 0"),
        (bar(volume=0.5), "volume is 0.5; shares are counted in whole"),
        (bar(open=0.004, high=0.005, low=0.003, close=0.004), "-99.97 % from the one before"),
        (bar(high=500), "high 500 is over 25 times low 9.5"),
    ],
)
async def test_a_bar_that_cannot_be_believed_waits_in_quarantine(
    open_client: Open, row: Any, reason: str
) -> None:
    client = open_client(key="admin")
    rows = [
        bar(timestamp="2025-01-01T00:00:00Z"), row, bar(timestamp="2025-01-03T00:00:00Z")
    ]  # fmt: skip
    body = {"symbol": "FB", "timeframe": "1d", "bars": rows}
    for _ in range(2):
        answer = (await client.post("/api/v1/bars", json=body)).json()
        assert (answer["accepted"], answer["refused"]) == (2, [])
        (suspect,) = answer["suspect"]
        assert suspect["index"] == 1
        assert reason in suspect["reason"]
    shown = (await client.get("/api/v1/bars?symbol=FB&from=2025-01-01")).json()
    assert [one["timestamp"][:10] for one in shown["items"]] == ["2025-01-01", "2025-01-03"]
    assert shown["suspectCount"] == 1
    assert (await client.get("/api/v1/instruments/FB")).json()["suspectCount"] == 1


async def test_numbers_too_big_for_a_float_are_refused_row_by_row(open_client: Open) -> None:
    rows = [msgspec.json.encode(GOOD), msgspec.json.encode(GOOD).replace(b"12.5", b"1e999")]
    content = b'{"symbol":"FB","timeframe":"1d","bars":[' + b",".join(rows) + b"]}"
    answer = await open_client(key="admin").post(
        "/api/v1/bars", content=content, headers={"content-type": "application/json"}
    )
    assert answer.json()["accepted"] == 1
    assert answer.json()["refused"][0]["index"] == 1


async def test_rows_are_put_in_order_and_of_doubles_the_first_is_taken(open_client: Open) -> None:
    days = ["03", "03", "02", "06", "05", "07"]
    bars = [
        bar(timestamp=f"2025-01-{day}T00:00:00Z", volume=volume) for volume, day in enumerate(days)
    ]
    client = open_client(key="admin")
    answer = await client.post(
        "/api/v1/bars", json={"symbol": "FB", "timeframe": "1d", "bars": bars}
    )
    assert answer.json()["accepted"] == 5
    assert answer.json()["refused"] == [{"index": 1, "reason": "duplicate timestamp"}]
    assert answer.json()["suspect"] == []
    stored = (await client.get("/api/v1/bars?symbol=FB&from=2025-01-01")).json()["items"]
    assert [one["timestamp"][8:10] for one in stored] == ["02", "03", "05", "06", "07"]
    assert [one["volume"] for one in stored] == [2, 0, 4, 3, 5]


async def test_a_known_bar_is_replaced(open_client: Open) -> None:
    client = open_client(key="admin")
    for close in (11, 12):
        body = {"symbol": "FB", "timeframe": "1d", "bars": [bar(close=close)]}
        await client.post("/api/v1/bars", json=body)
    stored = (await client.get("/api/v1/bars?symbol=FB&from=2025-01-01")).json()["items"]
    assert [one["close"] for one in stored] == [12]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"symbol": "FB", "timeframe": "1d", "bars": []}, 422, "invalid"),
        ({"symbol": "FB", "timeframe": "2d", "bars": [GOOD]}, 422, "invalid"),
        ({"symbol": "NOPE1", "timeframe": "1d", "bars": [GOOD]}, 404, "unknown_symbol"),
        ({"symbol": "FB", "timeframe": "1d", "bars": [GOOD] * 10_001}, 413, "too_large"),
        ({"symbol": "FB", "timeframe": "1d", "bars": [GOOD], "source": "me"}, 422, "invalid"),
    ],
    ids=["empty", "timeframe", "symbol", "many", "field"],
)
async def test_a_whole_request_can_be_refused(
    open_client: Open, body: dict[str, Any], status: int, code: str
) -> None:
    answer = await open_client(key="admin").post("/api/v1/bars", json=body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


async def test_a_new_instrument_takes_bars_of_any_timeframe(open_client: Open) -> None:
    client = open_client(key="admin")
    made = await client.post(
        "/api/v1/instruments",
        json={"symbol": "cl=f", "name": "Crude oil", "source": "our feed", "kind": "future"},
    )
    assert made.status_code == 201
    assert made.json()["symbol"] == "CL=F"
    bars = [
        bar(timestamp="2020-04-20T18:00:00Z", open=-10, high=1.5, low=-40.32, close=-37.63),
        bar(timestamp="2020-04-20T18:05:00Z"),
        bar(timestamp="2020-04-20T18:07:00Z"),
    ]
    answer = await client.post(
        "/api/v1/bars", json={"symbol": "CL=F", "timeframe": "5m", "bars": bars}
    )
    assert answer.json()["accepted"] == 2
    assert "opens at a multiple of 5 minutes" in answer.json()["refused"][0]["reason"]
