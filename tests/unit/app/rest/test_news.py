"""News over REST."""

from datetime import timedelta
from typing import Any

from tests.unit.app.rest.in_process import NOW, Open


def posted(number: int = 0, **changed: Any) -> dict[str, Any]:
    at = NOW - timedelta(minutes=number)
    return {
        "sourceName": "Wire",
        "title": f"Google wins contract number {number}",
        "publishedAt": at.isoformat(),
        **changed,
    }


async def test_news_is_posted_listed_paged_and_summed_up(open_client: Open) -> None:
    admin, reader = open_client(key="admin"), open_client(key="read")
    items = [posted(n, title=title) for n, title in enumerate(
        ("Google wins a city contract", "Court fines Google", "Google opens an office")
    )]  # fmt: skip
    answer = await admin.post("/api/v1/news", json={"items": [*items, posted(title="")]})
    assert answer.status_code == 200
    assert answer.json() == {
        "accepted": 3,
        "refused": [{"index": 3, "reason": "title has no words"}],
        "alreadyKnown": 0,
        "repeats": 0,
        "unknownSymbols": [],
    }
    first = (await reader.get("/api/v1/news?symbol=goog&limit=2")).json()
    assert [one["title"] for one in first["items"]] == [one["title"] for one in items[:2]]
    assert first["items"][0]["symbols"] == ["GOOG"]
    assert sum(first["items"][0]["probabilities"].values()) == 1
    rest = (await reader.get(f"/api/v1/news?limit=2&cursor={first['nextCursor']}")).json()
    assert ([one["title"] for one in rest["items"]], rest["nextCursor"]) == (
        ["Google opens an office"], None
    )  # fmt: skip
    assert (await reader.get("/api/v1/news?type=social")).json()["items"] == []

    found = (await reader.get("/api/v1/news/sentiment?symbol=goog")).json()
    assert found["n"] == 3
    assert -1 <= found["score"] <= 1
    assert found["sources"][0] == {
        "type": "news", "name": "Wire", "score": found["sources"][0]["score"],
        "weight": 1.0, "timestamp": items[0]["publishedAt"].replace("+00:00", "Z"),
    }  # fmt: skip
    assert set(found) >= {"score", "sources", "keywords", "topics", "disagreement", "asOf"}
    earlier = (await reader.get("/api/v1/news/sentiment?symbol=GOOG&asOf=2013-02-01")).json()
    assert (earlier["n"], earlier["asOf"]) == (0, None)


async def test_bad_questions_are_answered_with_what_is_allowed(open_client: Open) -> None:
    reader = open_client(key="read")
    for path, status, code in (
        ("news/sentiment?symbol=GOOOG", 404, "unknown_symbol"),
        ("news/sentiment?symbol=GOOG&asOf=soon", 422, "invalid"),
        ("news/sentiment", 422, "invalid"),
        ("news?type=rumour", 422, "invalid"),
        ("news?cursor=x", 422, "invalid"),
        ("news?limit=201", 422, "invalid"),
        ("news?words=x", 422, "invalid"),
    ):
        answer = await reader.get(f"/api/v1/{path}")
        assert (answer.status_code, answer.json()["code"]) == (status, code), path


async def test_only_an_admin_adds_news(open_client: Open) -> None:
    for key in ("read", "chat", "user-with-admin-scope"):
        answer = await open_client(key=key).post("/api/v1/news", json={"items": [posted()]})
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), key
    empty = await open_client(key="admin").post("/api/v1/news", json={"items": []})
    assert (empty.status_code, empty.json()["detail"]) == (422, "`items` is empty.")
