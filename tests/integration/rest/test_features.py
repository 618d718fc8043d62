"""`/features` over REST on a real Postgres: declared, materialised, served, looked back on."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from tests.integration.rest.rest_desk import Clients, Desk

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
DAYS = [TODAY - timedelta(days=back) for back in (60, 50, 40, 20, 9, 2)]
LINES = "time,symbol,score,mood\n" + "".join(
    f"{day:%Y-%m-%d},{symbol},{number},calm\n"
    for number, day in enumerate(DAYS)
    for symbol in ("AAA", "BBB")
)


@pytest.fixture
async def root(desk: Desk, people: Clients) -> httpx.AsyncClient:
    root = people.client("root")
    (desk.registry.incoming / "scores.csv").write_text(LINES)
    source = {"type": "file", "uri": "scores.csv"}
    made = (await root.post("/datasets", json={"name": "scores", "source": source})).json()
    job = (await root.post(f"/datasets/{made['id']}/collect")).json()
    await desk.jobs.work_on(job["id"])
    return root


async def filled(desk: Desk, root: httpx.AsyncClient) -> dict[str, Any]:
    body = {"name": "scores", "dataset": "scores", "ttlSeconds": 5 * 86_400}
    made = await root.post("/features", json=body)
    assert made.status_code == 201, made.text
    asked = await root.post("/features/scores/materialize")
    assert asked.status_code == 202
    await desk.jobs.work_on(asked.json()["id"])
    job: dict[str, Any] = (await root.get(f"/jobs/{asked.json()['id']}")).json()
    return job


async def test_views_are_listed_with_what_they_hold_and_how_fresh_it_is(
    desk: Desk, root: httpx.AsyncClient
) -> None:
    job = await filled(desk, root)

    items = {one["view"]: one for one in (await root.get("/features")).json()["items"]}

    assert (job["status"], job["percent"]) == ("completed", 100)
    assert job["result"] == {
        "view": "scores@1",
        "added": 12,
        "late": 0,
        "corrected": 0,
        "written": 2,
        "rows": 12,
    }
    assert items["market.volatility@1"]["status"] == "empty"
    assert items["market.volatility@1"]["offline"] is None
    mine = items["scores@1"]
    assert (mine["status"], mine["dataset"], mine["entity"]) == ("fresh", "scores", "symbol")
    assert mine["columns"] == [
        {"name": "score", "kind": "number"},
        {"name": "mood", "kind": "text"},
    ]
    assert (mine["offline"]["rows"], mine["offline"]["entities"]) == (12, 2)
    assert (mine["online"]["entities"], mine["online"]["stale"]) == (2, 0)


async def test_values_come_with_their_age_and_say_when_they_are_missing(
    desk: Desk, root: httpx.AsyncClient, people: Clients
) -> None:
    await filled(desk, root)
    ann = people.client("ann")

    some = (await ann.get("/features/scores@1?entities=BBB,ZZZ")).json()
    all_of_them = (await ann.get("/features/scores?limit=1&after=AAA")).json()

    known, missing = some["items"]
    assert some["view"] == "scores@1"
    assert (known["status"], known["values"]) == ("fresh", {"score": 5.0, "mood": "calm"})
    assert known["eventTime"] == known["knownAt"] == f"{DAYS[-1]:%Y-%m-%dT%H:%M:%SZ}"
    assert 2 * 86_400 <= known["ageSeconds"] < 3 * 86_400 + 60
    assert (missing["entity"], missing["status"], missing["values"]) == ("ZZZ", "missing", None)
    assert [one["entity"] for one in all_of_them["items"]] == ["BBB"]
    assert all_of_them["card"]["view"] == "scores@1"


async def test_history_gives_what_stood_at_each_moment_in_the_order_asked(
    desk: Desk, root: httpx.AsyncClient
) -> None:
    await filled(desk, root)
    second = DAYS[4] - timedelta(seconds=1)
    at = [
        f"AAA@{DAYS[4]:%Y-%m-%dT%H:%M:%SZ}",
        f"AAA@{second:%Y-%m-%dT%H:%M:%SZ}",
        f"BBB@{DAYS[3]:%Y-%m-%d}",
    ]

    found = (await root.get("/features/scores/history", params={"at": ",".join(at)})).json()

    # A second before its row the one before was 11 days old: beyond the ttl of five.
    assert [one["values"] and one["values"]["score"] for one in found["items"]] == [4.0, None, 3.0]
    assert [one["entity"] for one in found["items"]] == ["AAA", "AAA", "BBB"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/features/nothing", 404, "unknown_view"),
        ("GET", "/features/scores@7", 404, "unknown_view"),
        ("POST", "/features/nothing/materialize", 404, "unknown_view"),
        ("GET", "/features/scores/history?at=AAA", 422, "invalid"),
        ("GET", "/features/scores/history?at=AAA@soon", 422, "invalid"),
        ("GET", "/features/scores/history?at=AAA@2999-01-01", 422, "look_ahead"),
        ("GET", "/features/scores?limit=0", 422, None),
    ],
)
async def test_what_cannot_be_answered_says_why(
    desk: Desk, root: httpx.AsyncClient, method: str, path: str, status: int, code: str | None
) -> None:
    await filled(desk, root)

    answer = await root.request(method, path)

    assert answer.status_code == status, answer.text
    assert code is None or answer.json()["code"] == code
