"""Actions, versions, suspects and gaps over REST, on the prices that ship with the desk."""

from typing import Any

import httpx
import pytest

from tests.unit.app.rest.in_process import Open

FB = "/api/v1/instruments/FB/actions"


def bar(day: int, close: float = 27.0, **changed: Any) -> dict[str, Any]:
    return {
        "timestamp": f"2025-01-{day:02}T00:00:00Z",
        "open": close, "high": close, "low": close, "close": close, "volume": 10, **changed,
    }  # fmt: skip


async def post(client: httpx.AsyncClient, *rows: dict[str, Any], symbol: str = "FB") -> Any:
    body = {"symbol": symbol, "timeframe": "1d", "bars": list(rows)}
    return (await client.post("/api/v1/bars", json=body)).json()


async def closes(client: httpx.AsyncClient, **asked: str) -> list[float]:
    query = {"symbol": "FB", "from": "2025-01-01", **asked}
    answer = await client.get("/api/v1/bars", params=query)
    assert answer.status_code == 200, answer.text
    return [one["close"] for one in answer.json()["items"]]


async def test_a_split_is_added_corrected_and_withdrawn(open_client: Open) -> None:
    client = open_client(key="admin")
    await post(client, bar(1, 30.0), bar(2, 30.0), bar(3, 3.0))
    split = {"kind": "split", "exDate": "2025-01-03", "source": "the company", "oldShares": "1"}
    wrong = await client.post(FB, json={**split, "newShares": "5"})
    assert wrong.status_code == 201, wrong.text
    assert (wrong.json()["newShares"], wrong.json()["withdrawnAt"]) == ("5", None)
    assert await closes(client) == [6.0, 6.0, 3.0]
    await client.post(FB, json={**split, "newShares": 10})
    assert await closes(client) == [3.0, 3.0, 3.0]
    assert await closes(client, adjusted="false") == [30.0, 30.0, 3.0]
    items = (await client.get(FB)).json()["items"]
    assert [(one["newShares"], one["withdrawnAt"] is None) for one in items] == [
        ("5", False),
        ("10", True),
    ]
    gone = await client.delete(f"{FB}?exDate=2025-01-03&kind=split")
    assert gone.status_code == 204
    assert await closes(client) == [30.0, 30.0, 3.0]
    again = await client.delete(f"{FB}?exDate=2025-01-03&kind=split")
    assert (again.status_code, again.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("changed", "detail"),
    [
        ({"kind": "split"}, "A split needs newShares, oldShares, and nothing else."),
        ({"kind": "split", "newShares": "2", "oldShares": "0"}, "`oldShares` must be above 0"),
        ({"kind": "split", "newShares": "NaN", "oldShares": "1"}, "`newShares` must be above 0"),
        ({"kind": "dividend"}, "A dividend needs amount"),
        ({"kind": "dividend", "amount": "-1"}, "`amount` must be above 0"),
        ({"kind": "dividend", "amount": "1E+1000"}, "`amount` must be above 0"),
        ({"kind": "dividend", "amount": "1", "currency": "EUR"}, "rate of exchange"),
        ({"kind": "dividend", "amount": "1", "newSymbol": "X"}, "and nothing else"),
        ({"kind": "symbol_change", "newSymbol": "NO SPACES"}, "`newSymbol` must have"),
        ({"kind": "delisting", "exDate": "2030-01-01"}, "on its day, not before"),
        ({"kind": "delisting", "source": " "}, "`source` must have"),
        ({"kind": "merger"}, "kind"),
        ({"kind": "delisting", "why": "x"}, "unknown field"),
    ],
)
async def test_an_action_that_does_not_fit_its_kind_is_refused(
    open_client: Open, changed: dict[str, Any], detail: str
) -> None:
    body = {"exDate": "2025-01-03", "source": "a test", **changed}
    answer = await open_client(key="admin").post(FB, json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert detail in answer.json()["detail"]


async def test_a_symbol_that_changes_is_still_understood(open_client: Open) -> None:
    client = open_client(key="admin")
    change = {"kind": "symbol_change", "exDate": "2022-06-09", "source": "x", "newSymbol": "meta"}
    assert (await client.post(FB, json=change)).status_code == 201
    found = (await client.get("/api/v1/instruments/FB")).json()
    assert found["symbol"] == "META"
    assert [one["symbol"] for one in found["formerSymbols"]] == ["FB"]
    assert len((await client.get("/api/v1/bars?symbol=FB&limit=5")).json()["items"]) == 5
    taken = await client.post(
        "/api/v1/instruments/GOOG/actions", json={**change, "newSymbol": "META"}
    )
    assert (taken.status_code, taken.json()["code"]) == (409, "symbol_taken")
    undone = await client.delete(
        "/api/v1/instruments/META/actions?exDate=2022-06-09&kind=symbol_change"
    )
    assert undone.status_code == 422


async def test_a_symbol_of_a_delisted_one_is_listed_anew(open_client: Open) -> None:
    client = open_client(key="admin")
    gone = {"kind": "delisting", "exDate": "2013-03-01", "source": "x"}
    await client.post(FB, json=gone)
    late = await post(client, bar(1))
    assert late["refused"][0]["reason"] == "it was delisted on 2013-03-01"
    listed = {"symbol": "FB", "name": "Another", "source": "x", "listedOn": "2024-12-02"}
    assert (await client.post("/api/v1/instruments", json=listed)).status_code == 201
    assert (await post(client, bar(1)))["accepted"] == 1
    assert (await client.get("/api/v1/instruments/FB")).json()["name"] == "Another"
    then = (await client.get("/api/v1/instruments/FB?on=2013-01-02")).json()
    assert (then["symbol"], then["barCount"]) == ("FB@2013-03-01", 196)


async def test_a_correction_leaves_what_was_believed_to_be_asked_for(open_client: Open) -> None:
    client = open_client(key="admin")
    await post(client, bar(1), bar(2))
    await post(client, bar(2, 28.0))
    path = "/api/v1/bars/versions?symbol=FB&timestamp=2025-01-02T00:00:00Z"
    items = (await client.get(path)).json()["items"]
    assert [one["close"] for one in items] == [27.0, 28.0]
    assert items[0]["supersededAt"] == items[1]["knownAt"]
    assert items[1]["supersededAt"] is None
    assert await closes(client, knownAt=items[0]["knownAt"]) == [27.0, 27.0]
    assert await closes(client, knownAt=items[1]["knownAt"]) == [27.0, 28.0]
    assert await closes(client, knownAt="2020-01-01") == []
    bad = await client.get("/api/v1/bars/versions?symbol=FB&timestamp=soon")
    assert bad.status_code == 422


async def test_an_admin_accepts_what_may_be_true_and_rejects_the_rest(open_client: Open) -> None:
    client = open_client(key="admin")
    answer = await post(
        client, bar(1), bar(2, 0.005), bar(3, high=20.0), bar(6, volume=0.5), bar(7)
    )
    assert (answer["accepted"], len(answer["suspect"])) == (2, 3)
    page = (await client.get("/api/v1/bars/suspects?symbol=FB&limit=2")).json()
    rest = (await client.get(f"/api/v1/bars/suspects?limit=2&cursor={page['nextCursor']}")).json()
    suspects = {one["timestamp"][8:10]: one for one in page["items"] + rest["items"]}
    assert sorted(suspects) == ["02", "03", "06"]
    assert [suspects[day]["possible"] for day in ("02", "03", "06")] == [True, False, True]

    def path(day: str) -> str:
        return f"/api/v1/bars/suspects/{suspects[day]['id']}"

    impossible = await client.patch(path("03"), json={"status": "accepted"})
    assert (impossible.status_code, impossible.json()["code"]) == (422, "invalid")
    assert "high 20 is below low 27" in impossible.json()["detail"]
    assert (await client.patch(path("03"), json={"status": "rejected"})).status_code == 200
    for _ in range(2):
        accepted = await client.patch(path("06"), json={"status": "accepted"})
        assert accepted.json()["status"] == "accepted"
        assert accepted.json()["decidedBy"] == "admin2@example.org"
    decided = await client.patch(path("06"), json={"status": "rejected"})
    assert (decided.status_code, decided.json()["code"]) == (409, "already_decided")
    assert await closes(client) == [27.0, 27.0, 27.0]
    assert (await client.get("/api/v1/instruments/FB")).json()["suspectCount"] == 1
    again = await post(client, bar(6, volume=0.5))
    assert (again["accepted"], again["suspect"]) == (1, []), "who was believed once is believed"
    every = (await client.get("/api/v1/bars/suspects?status=all")).json()["items"]
    assert len(every) == 3
    user = open_client(key="read")
    refused = await user.patch(path("02"), json={"status": "rejected"})
    assert refused.status_code == 403


async def test_gaps_are_told_and_not_filled(open_client: Open) -> None:
    client = open_client(key="admin")
    await post(client, bar(2), bar(3), bar(10))
    found = (await client.get("/api/v1/bars/gaps?symbol=FB&from=2025-01-01")).json()
    # The 9th was a day of mourning: no session, no gap.
    assert found["calendar"] == "XNAS"
    assert [(one["first"][:10], one["last"][:10], one["bars"]) for one in found["gaps"]] == [
        ("2025-01-06", "2025-01-08", 3)
    ]
    assert len(await closes(client)) == 3
