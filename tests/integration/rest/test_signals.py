"""Signals over REST: stored, computed, graded and scored."""

from tests.integration.rest.rest_desk import Clients, Desk

SEED = {
    "id", "modelId", "symbol", "signalType", "strength", "direction", "timeframe", "indicators",
    "technicalAnalysis", "sentimentAnalysis", "fundamentalAnalysis", "confidence", "validFrom",
    "validUntil", "metadata", "createdAt",
}  # fmt: skip
OURS = {
    "state", "outcome", "baseRate", "edge", "trackRecord", "reason", "variant", "knownAt",
    "validBars", "endedAt", "endReason",
}  # fmt: skip


async def test_signals_are_computed_stored_listed_and_graded(
    market_desk: Desk, people: Clients
) -> None:
    ann = people.client("ann")
    assert (await ann.get("/signals?symbol=GOOG")).json() == {"items": [], "nextCursor": None}
    computed = await ann.post("/signals/compute", json={"symbol": "goog"})
    assert computed.status_code == 200, computed.text
    held = computed.json()["items"]
    assert [one["signalType"] for one in held] == ["reversal", "breakout", "trend_change"]
    again = await ann.post("/signals/compute", json={"symbol": "GOOG", "timeframe": "1d"})
    assert again.json()["items"] == held
    for one in held:
        assert one.keys() == SEED | OURS
        assert one["state"] == "active"
        assert one["confidence"] == one["baseRate"]  # no direction has an edge here
        assert 0 < one["confidence"] < 1
        assert one["technicalAnalysis"]["rsi"] > 0
        assert {"name", "value", "signal", "weight", "vote"} == one["indicators"][0].keys()
    listed = (await ann.get("/signals?symbol=goog&state=active")).json()["items"]
    assert listed == held
    page = (await ann.get("/signals?signalType=breakout&limit=1")).json()
    later = (
        await ann.get(f"/signals?signalType=breakout&limit=1&cursor={page['nextCursor']}")
    ).json()
    assert later["items"][0]["validFrom"] < page["items"][0]["validFrom"]
    graded = later["items"][0]
    assert graded["state"] == "resolved"
    assert graded["outcome"]["result"] in ("hit", "miss")
    assert (await ann.get(f"/signals/{graded['id']}")).json() == graded


async def test_the_tool_and_the_store_tell_the_same(market_desk: Desk, people: Clients) -> None:
    ann = people.client("ann")
    held = (await ann.post("/signals/compute", json={"symbol": "GOOG"})).json()["items"]
    context = market_desk.context()
    told = await market_desk.toolbox.call("signals", {"symbol": "GOOG"}, context)
    for mine, stored in zip(told.data["signals"], held, strict=True):
        for name in ("id", "signalType", "strength", "confidence", "edge", "validFrom",
                     "validUntil", "reason"):  # fmt: skip
            assert mine[name] == stored[name], name
        assert mine["trackRecord"]["n"] == stored["trackRecord"]["n"]
        assert mine["trackRecord"]["hits"] == stored["trackRecord"]["hits"]


async def test_the_scorecard_says_how_good_signals_are(market_desk: Desk, people: Clients) -> None:
    ann = people.client("ann")
    empty = (await ann.get("/signals/scorecard")).json()
    assert empty["asOf"] is None
    await ann.post("/signals/compute", json={"symbol": "GOOG"})
    card = (await ann.get("/signals/scorecard?symbol=google-is-not-a-symbol")).json()
    assert card["code"] == "unknown_symbol"
    card = (await ann.get("/signals/scorecard?signalType=volatility&timeframe=1d")).json()
    assert [one["variant"] for one in card["items"]] == ["burst", "squeeze"]
    for item in card["items"]:
        assert {
            "signalType", "direction", "symbol", "timeframe", "n", "hits", "hitRate", "wilsonLow",
            "wilsonHigh", "baseRate", "edge", "meanExcessAtr", "tStatistic", "horizonBars",
            "event", "curve",
        } <= item.keys()  # fmt: skip
        assert item["hitRate"] == item["hits"] / item["n"]
        assert item["wilsonLow"] < item["hitRate"] < item["wilsonHigh"]
        assert item["lift"] == item["hitRate"] - item["baseRate"]
        assert [point["bar"] for point in item["curve"]] == [1, 2, 3, 4, 5]
    assert card["items"][0]["edge"] == "measured edge"
    both = (await ann.get("/signals/scorecard?symbol=goog&signalType=reversal")).json()["items"]
    assert [one["symbol"] for one in both] == [None, "GOOG", None, "GOOG"]


async def test_what_cannot_be_is_refused(market_desk: Desk, people: Clients) -> None:
    ann = people.client("ann")
    for path in ("/signals?symbol=NOPE", "/signals/scorecard?symbol=NOPE"):
        assert (await ann.get(path)).json()["code"] == "unknown_symbol"
    for query in ("signalType=hunch", "timeframe=2d", "state=open", "limit=0", "cursor=x"):
        answer = await ann.get(f"/signals?{query}")
        assert answer.status_code == 422, query
        assert answer.json()["code"] == "invalid"
    refused = await ann.get("/signals?state=open")
    assert "active, superseded, expired, resolved" in refused.json()["detail"]
    missing = await ann.get("/signals/01900000-0000-7000-8000-000000000000")
    assert missing.json()["code"] == "not_found"
    wrong = await ann.post("/signals/compute", json={"symbol": "GOOG", "timeframe": "2d"})
    assert wrong.status_code == 422
