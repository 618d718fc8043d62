"""Market data over REST from real rows: the shipped prices, and one's own."""

from datetime import UTC, datetime, timedelta

from tests.integration.rest.rest_desk import Clients, Desk


async def test_bars_and_indicators_come_from_rows(market_desk: Desk, people: Clients) -> None:
    ann = people.client("ann")
    bars = (await ann.get("/bars?symbol=GOOG&limit=2")).json()["items"]
    assert [bar["close"] for bar in bars] == [801.2, 806.19]
    series = (await ann.get("/indicators?symbol=GOOG&limit=1")).json()["series"]
    assert {len(points) for points in series.values()} == {1}
    named = await ann.get(
        "/indicators?symbol=GOOG&limit=2&fields=stochasticK, obv,trendR2,strength"
    )
    assert list(named.json()["series"]) == ["stochasticK", "obv", "trendR2", "strength"]
    assert {len(points) for points in named.json()["series"].values()} == {2}
    instrument = (await ann.get("/instruments/GOOG")).json()
    assert instrument["barCount"] == 2148


async def test_posted_bars_are_stored_once_and_seen_by_everybody(
    market_desk: Desk, people: Clients
) -> None:
    root = people.client("root")
    body = {"symbol": "MINE", "name": "My own thing", "source": "my notes", "kind": "crypto"}
    assert (await root.post("/instruments", json=body)).status_code == 201
    began = datetime(2024, 1, 1, tzinfo=UTC)
    rows = [
        {
            "timestamp": (began + timedelta(days=day)).isoformat().replace("+00:00", "Z"),
            "open": 1 + day / 1000,
            "high": 2 + day / 1000,
            "low": 0.5 + day / 1000,
            "close": 1.5 + day / 1000,
            "volume": day,
        }
        for day in range(400)
    ]
    posted = {"symbol": "MINE", "timeframe": "1d", "bars": rows}
    for _ in range(2):
        answer = await root.post("/bars", json=posted)
        assert answer.json() == {"accepted": 400, "refused": [], "suspect": []}
    ann = people.client("ann")
    assert (await ann.get("/bars?symbol=MINE&limit=1000")).json()["items"] == rows
    assert (await ann.get("/instruments/MINE")).json()["barCount"] == 400
    refused = await ann.post("/bars", json=posted)
    assert refused.status_code == 403


async def test_ten_thousand_rows_fit_one_request(market_desk: Desk, people: Clients) -> None:
    began = datetime(2024, 1, 1, tzinfo=UTC)
    rows = [
        {
            "timestamp": (began + timedelta(minutes=minute)).isoformat(),
            "open": 1234.567891,
            "high": 1234.567899,
            "low": 1234.567881,
            "close": 1234.567895,
            "volume": 123456789.0,
        }
        for minute in range(10_000)
    ]
    answer = await people.client("root").post(
        "/bars", json={"symbol": "GOOG", "timeframe": "1m", "bars": rows}
    )
    assert answer.json() == {"accepted": 10_000, "refused": [], "suspect": []}


async def test_ready_says_whether_the_database_answers(desk: Desk, people: Clients) -> None:
    answer = await people.client(None).get("http://127.0.0.1:8000/health/ready")
    assert answer.json()["checks"]["database"]["status"] == "ok"


async def test_longer_bars_than_are_stored_are_made_and_said_to_be(
    market_desk: Desk, people: Clients
) -> None:
    ann = people.client("ann")
    daily = (await ann.get("/bars?symbol=GOOG&limit=500")).json()
    assert daily["resampledFrom"] is None
    weekly = (await ann.get("/bars?symbol=GOOG&timeframe=1w&limit=3&adjusted=false")).json()
    assert (weekly["resampledFrom"], weekly["adjusted"], len(weekly["items"])) == ("1d", True, 3)
    last = weekly["items"][-1]
    days = [one for one in daily["items"] if one["timestamp"] >= last["timestamp"]]
    assert last["close"] == days[-1]["close"]
    assert last["volume"] == sum(one["volume"] for one in days)
    shown = (await ann.get("/indicators?symbol=GOOG&timeframe=1mo&limit=2&fields=rsi")).json()
    assert (shown["resampledFrom"], len(shown["series"]["rsi"])) == ("1d", 2)
    early = "/bars?symbol=GOOG&timeframe=1w&from=2010-01-01&to=2010-01-31"
    assert len((await ann.get(early)).json()["items"]) == 4
    nothing = (await ann.get("/bars?symbol=GOOG&timeframe=1h")).json()
    assert (nothing["items"], nothing["resampledFrom"]) == ([], None)
