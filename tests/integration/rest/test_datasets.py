"""`/datasets` over REST on a real Postgres: entered, collected, described, damaged, archived."""

from typing import Any

import httpx
import pytest

from tests.integration.rest.rest_desk import Clients, Desk

LINES = "time,symbol,close\n" + "".join(f"2024-01-{d:02d},AAA,{100 + d}.5\n" for d in range(1, 29))
NEW = {
    "name": "closes",
    "source": {"type": "file", "uri": "closes.csv"},
    "preprocessingSteps": [{"type": "standardize", "parameters": {}, "order": 1}],
}


@pytest.fixture
def root(people: Clients) -> httpx.AsyncClient:
    return people.client("root")


async def collected(desk: Desk, root: httpx.AsyncClient, dataset: str) -> dict[str, Any]:
    job = (await root.post(f"/datasets/{dataset}/collect")).json()
    await desk.jobs.work_on(job["id"])
    found: dict[str, Any] = (await root.get(f"/jobs/{job['id']}")).json()
    return found


async def test_a_file_becomes_a_version_with_profile_and_quality(
    desk: Desk, root: httpx.AsyncClient
) -> None:
    source = desk.registry.incoming / "closes.csv"
    source.write_text(LINES)
    made = (await root.post("/datasets", json=NEW)).json()
    assert (made["status"], made["quality"], made["size"]) == ("collecting", None, 0)
    early = await root.get(f"/datasets/{made['id']}/profile")
    assert (early.status_code, early.json()["code"]) == (409, "not_collected")

    first = await collected(desk, root, made["id"])
    again = await collected(desk, root, made["id"])

    assert (first["status"], first["result"]["version"]) == ("completed", 1), first
    assert again["result"] == first["result"]
    found = (await root.get(f"/datasets/{made['id']}")).json()
    assert (found["status"], found["size"]) == ("ready", 28)
    assert found["source"] == NEW["source"]
    assert found["quality"]["completeness"] == 1.0
    assert found["preprocessingSteps"][0]["parameters"]["means"].keys() == {"close"}
    assert sum(found["splits"].values()) == pytest.approx(1.0)
    profile = (await root.get(f"/datasets/{made['id']}/profile")).json()
    assert [one["type"] for one in profile["features"]] == ["datetime", "categorical", "numeric"]
    assert profile["counts"]["uniqueness"] == {"checked": 28, "wrong": 0}

    source.write_text(LINES + "2024-01-29,AAA,99\n")
    assert (await collected(desk, root, made["id"]))["result"]["version"] == 2
    versions = (await root.get(f"/datasets/{made['id']}/versions")).json()["items"]
    assert [one["version"] for one in versions] == [2, 1]


async def test_a_changed_file_makes_the_dataset_corrupted_until_it_is_collected_again(
    desk: Desk, root: httpx.AsyncClient
) -> None:
    (desk.registry.incoming / "closes.csv").write_text(LINES)
    made = (await root.post("/datasets", json=NEW)).json()
    await collected(desk, root, made["id"])
    (kept,) = (desk.registry.root / "datasets").iterdir()
    kept.write_bytes(kept.read_bytes()[:200])

    answer = await root.get(f"/datasets/{made['id']}/profile")

    assert (answer.status_code, answer.json()["code"]) == (409, "damaged_artifact")
    assert (await root.get(f"/datasets/{made['id']}")).json()["status"] == "corrupted"
    await collected(desk, root, made["id"])
    assert (await root.get(f"/datasets/{made['id']}/profile")).status_code == 200
    assert (await root.get(f"/datasets/{made['id']}")).json()["status"] == "ready"


async def test_credentials_are_sealed_and_never_come_back(
    desk: Desk, root: httpx.AsyncClient
) -> None:
    source = {"type": "api", "uri": "https://data.example.org/a.csv"}
    body = {"name": "a", "source": source | {"credentials": {"authorization": "s3cret-word"}}}

    made = await root.post("/datasets", json=body)

    assert made.json()["source"] == source
    row = await desk.database.fetchrow("SELECT d::text AS whole FROM datasets d")
    assert row is not None
    assert "s3cret-word" not in row["whole"]


async def test_what_fails_leaves_the_dataset_as_it_was(desk: Desk, root: httpx.AsyncClient) -> None:
    body = NEW | {"source": {"type": "file", "uri": "../outside.csv"}}
    made = (await root.post("/datasets", json=body)).json()

    job = await collected(desk, root, made["id"])

    assert job["status"] == "failed"
    assert "below incoming" in job["error"]
    assert (await root.get(f"/datasets/{made['id']}")).json()["status"] == "collecting"


async def test_what_is_archived_is_not_collected(root: httpx.AsyncClient) -> None:
    made = (await root.post("/datasets", json=NEW)).json()
    assert (await root.post("/datasets", json=NEW)).json()["code"] == "name_taken"

    put_away = (await root.post(f"/datasets/{made['id']}/archive")).json()

    assert put_away["status"] == "archived"
    assert (await root.post(f"/datasets/{made['id']}/collect")).json()["code"] == "archived"
    assert (await root.get("/datasets?status=archived")).json()["items"][0]["id"] == made["id"]


@pytest.mark.parametrize(
    ("source", "why"),
    [
        ({"type": "stream", "uri": "kafka://ann:word@a/b"}, "credentials"),
        ({"type": "stream", "uri": "kafka://a/b", "query": "rows=0"}, "from 1 to"),
        ({"type": "stream", "uri": "kafka://a/b", "query": "since=1"}, "may say from"),
        ({"type": "stream", "uri": "kafka://a/b", "format": "csv"}, "no `source.format`"),
        ({"type": "database", "uri": "postgresql://a.example.org/b"}, "one SELECT"),
        ({"type": "api", "uri": "ftp://a/b"}, "begins with"),
        ({"type": "api", "uri": "https://u:p@a/b"}, "credentials"),
        ({"type": "file", "uri": "a", "format": "xls"}, "one of"),
        ({"type": "file", "uri": "a", "credentials": {"x": "y"}}, "may hold nothing"),
    ],
)
async def test_a_source_that_cannot_be_asked_is_refused(
    root: httpx.AsyncClient, source: dict[str, Any], why: str
) -> None:
    answer = await root.post("/datasets", json={"name": "x", "source": source})

    assert answer.status_code == 422
    assert why in answer.json()["detail"]
