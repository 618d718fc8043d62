"""Contracts, the series made of them and its rolls, over REST and in rows."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.integration.rest.rest_desk import Clients, Desk

BEGAN = datetime(2024, 1, 1, tzinfo=UTC)
RULE = {"root": "CL", "rule": "date", "adjustment": "difference"}


def rows(closes: list[float], *, volume: float = 100.0) -> list[dict[str, Any]]:
    return [
        {
            "timestamp": (BEGAN + timedelta(days=day)).isoformat(),
            "open": close,
            "high": close + 1,
            "low": close - 1,
            "close": close,
            "volume": volume,
        }
        for day, close in enumerate(closes)
    ]


def body(symbol: str, **fields: Any) -> dict[str, Any]:
    told = {"symbol": symbol, "name": symbol, "source": "a test", "kind": "future"}
    return {**told, "exchange": "24/7", **fields}


async def bring(root: Any, symbol: str, closes: list[float]) -> None:
    asked = {"symbol": symbol, "timeframe": "1d", "bars": rows(closes)}
    answer = await root.post("/bars", json=asked)
    assert answer.json() == {"accepted": len(closes), "refused": [], "suspect": []}


async def two_contracts(root: Any) -> None:
    for symbol, expires, rolls in (
        ("CLF24", "2024-01-08", "2024-01-06"),
        ("CLG24", "2024-02-08", None),
    ):
        contract = {"root": "CL", "expiresOn": expires, "rollsOn": rolls}
        made = await root.post("/instruments", json=body(symbol, contract=contract))
        assert made.status_code == 201, made.text
        assert made.json()["contract"] == contract
    await bring(root, "CLF24", [10.0, 11.0, 12.0, -3.0, 2.0, 9.0])
    await bring(root, "CLG24", [20.0, 21.0, 22.0, 7.0, 12.0, 13.0, 14.0])


async def test_a_series_is_made_of_its_contracts(market_desk: Desk, people: Clients) -> None:
    root = people.client("root")
    await two_contracts(root)
    made = await root.post("/instruments", json=body("CL.C", continuous=RULE))
    assert made.json()["continuous"] == RULE
    assert made.json()["provenance"]["held"] == "CLG24"
    assert made.json()["barCount"] == 7

    async def closes(**asked: Any) -> list[float]:
        answer = await root.get("/bars", params={"symbol": "CL.C", **asked})
        return [bar["close"] for bar in answer.json()["items"]]

    assert await closes(adjusted="false") == [10.0, 11.0, 12.0, -3.0, 2.0, 13.0, 14.0]
    assert await closes() == [20.0, 21.0, 22.0, 7.0, 12.0, 13.0, 14.0]
    (roll,) = (await root.get("/instruments/CL.C/actions")).json()["items"]
    assert (roll["kind"], roll["exDate"]) == ("roll", "2024-01-06")
    assert (roll["fromContract"], roll["fromPrice"]) == ("CLF24", "2")
    assert (roll["toContract"], roll["toPrice"]) == ("CLG24", "12")

    levels = await root.post("/tools/levels", json={"arguments": {"symbol": "CL.C"}})
    notes = levels.json()["data"]["notes"]
    assert any("the price is that of CLG24, held since 2024-01-06" in note for note in notes)

    # A correction of the price at the roll: what was known before stays known.
    await market_desk.market.futures.make()
    assert len((await root.get("/instruments/CL.C/actions")).json()["items"]) == 1, "once"
    before = datetime.now(UTC).isoformat()
    await bring(root, "CLG24", [20.0, 21.0, 22.0, 7.0, 13.0, 13.0, 14.0])
    await market_desk.market.futures.make(["CLG24"])
    assert await closes() == [21.0, 22.0, 23.0, 8.0, 13.0, 13.0, 14.0]
    assert await closes(knownAt=before) == [20.0, 21.0, 22.0, 7.0, 12.0, 13.0, 14.0]
    old, new = sorted(
        (await root.get("/instruments/CL.C/actions")).json()["items"],
        key=lambda one: one["knownAt"],
    )
    assert (old["toPrice"], old["withdrawnAt"] is not None) == ("12", True)
    assert (new["toPrice"], new["withdrawnAt"]) == ("13", None)


async def test_a_running_desk_rolls_by_itself(market_desk: Desk, people: Clients) -> None:
    root = people.client("root")
    await two_contracts(root)
    await root.post("/instruments", json=body("CL.C", continuous=RULE))
    futures = market_desk.market.futures
    market_desk.intake.listeners.append(futures.bars_stored)
    heard: list[str] = []
    market_desk.intake.listeners.append(lambda stored: heard.append(stored.symbol))
    async with futures:
        await bring(root, "CLG24", [20.0, 21.0, 22.0, 7.0, 12.0, 13.0, 14.0, 15.0])
        await futures.idle()
    assert heard == ["CLG24", "CL.C"]
    assert (await root.get("/instruments/CL.C")).json()["barCount"] == 8


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"contract": {"root": "CL", "expiresOn": "2024-01-08"}}, "CLF24 is the contract of CL"),
        (
            {"contract": {"root": "CL", "expiresOn": "2024-03-01", "rollsOn": "2024-03-02"}},
            "is after `expiresOn`",
        ),
        (
            {"contract": {"root": "CL", "expiresOn": "2024-03-01"}, "kind": "equity"},
            "`kind` of a contract",
        ),
        (
            {"contract": {"root": "CL", "expiresOn": "2024-03-01"}, "currency": "EUR"},
            "quoted in USD",
        ),
        (
            {"contract": {"root": "CL", "expiresOn": "2024-02-09", "rollsOn": "2024-01-02"}},
            "not after",
        ),
        ({"contract": {"root": "CL", "expiresOn": "2024-03-01"}, "continuous": RULE}, "not both"),
        ({"continuous": {**RULE, "rule": "whim"}}, "rule"),
        ({"continuous": {**RULE, "root": "cl"}}, "in capitals"),
    ],
)
async def test_what_does_not_fit_is_refused(
    market_desk: Desk, people: Clients, fields: dict[str, Any], said: str
) -> None:
    root = people.client("root")
    await two_contracts(root)
    await root.post("/instruments", json=body("CL.C", continuous=RULE))
    refused = await root.post("/instruments", json=body("CLX", **fields))
    assert refused.status_code in (400, 409, 422), refused.text
    assert said in refused.text


async def test_rolls_of_a_vendors_series_are_told_and_checked(
    market_desk: Desk, people: Clients
) -> None:
    root = people.client("root")
    await root.post("/instruments", json=body("NG"))
    await bring(root, "NG", [2.0, 2.0, 3.0, 3.0])
    roll = {
        "kind": "roll", "exDate": "2024-01-03", "source": "a test", "fromContract": "ngf24",
        "toContract": "NGG24", "fromPrice": "2", "toPrice": "3", "adjustment": "ratio",
    }  # fmt: skip
    made = await root.post("/instruments/NG/actions", json=roll)
    assert (made.status_code, made.json()["fromContract"]) == (201, "NGF24")
    bars = (await root.get("/bars?symbol=NG")).json()["items"]
    assert [bar["close"] for bar in bars] == [3.0, 3.0, 3.0, 3.0]
    for change, said in (
        ({"fromPrice": "-1"}, "a ratio of it means nothing"),
        ({"adjustment": "difference", "exDate": "2024-01-04"}, "a series has one way"),
        ({"toContract": "NGF24"}, "are the same"),
        ({"newShares": "2"}, "and nothing else"),
        ({"toPrice": None}, "needs adjustment"),
    ):
        refused = await root.post("/instruments/NG/actions", json={**roll, **change})
        assert (refused.status_code, said in refused.text) == (422, True), refused.text
    other = await root.post("/instruments/GOOG/actions", json=roll)
    assert "is no future" in other.text


async def test_a_series_takes_no_bars_and_no_rolls_of_its_own(
    market_desk: Desk, people: Clients
) -> None:
    root = people.client("root")
    await two_contracts(root)
    await root.post("/instruments", json=body("CL.C", continuous=RULE))
    asked = {"symbol": "CL.C", "timeframe": "1d", "bars": rows([1.0])}
    assert "is made of the contracts of CL" in (await root.post("/bars", json=asked)).text
    gone = await root.delete("/instruments/CL.C/actions?exDate=2024-01-06&kind=roll")
    assert (gone.status_code, "follow from its contracts" in gone.text) == (422, True)
