"""Fundamentals over REST."""

from tests.unit.app.rest.in_process import Open

REPORT = {
    "symbol": "IBM",
    "periodEnd": "2012-12-31",
    "months": 12,
    "publishedAt": "2013-02-20T21:00:00Z",
    "currency": "USD",
    "source": "made up",
    "revenue": "1000.50",
    "netIncome": 100,
    "equity": 400,
    "totalDebt": 200,
    "shares": 10,
}


async def test_statements_are_posted_and_become_fundamentals(open_client: Open) -> None:
    admin, reader = open_client(key="admin"), open_client(key="read")
    bad = {**REPORT, "shares": 0}
    answer = await admin.post("/api/v1/fundamentals", json={"statements": [REPORT, bad]})
    assert answer.json() == {
        "accepted": 1,
        "refused": [{"index": 1, "reason": "shares is 0; it must be above 0"}],
        "alreadyKnown": 0,
        "unknownSymbols": [],
    }
    found = (await reader.get("/api/v1/fundamentals?symbol=ibm&asOf=2013-02-22")).json()
    assert (found["close"], found["marketCap"], found["revenue"]) == (
        "201.09",
        "2010.90",
        "1000.50",
    )
    assert found["peRatio"] == 20.109
    assert found["divYield"] is None
    assert "dividends" in found["reasons"]["divYield"]
    assert (found["periodEnd"], found["publishedAt"]) == ("2012-12-31", "2013-02-20T21:00:00Z")
    assert set(found["definitions"]) == {
        "marketCap", "peRatio", "pbRatio", "divYield", "revenue", "earnings", "debtToEquity", "roe"
    }  # fmt: skip
    before = (await reader.get("/api/v1/fundamentals?symbol=IBM&asOf=2013-02-19")).json()
    assert (before["peRatio"], before["periodEnd"]) == (None, None)


async def test_a_symbol_without_statements_says_so(open_client: Open) -> None:
    found = (await open_client(key="read").get("/api/v1/fundamentals?symbol=AAPL")).json()
    assert found["peRatio"] is None
    assert "no reported statements of AAPL" in found["notes"][0]


async def test_refusals_are_clear(open_client: Open) -> None:
    reader = open_client(key="read")
    answer = await reader.get("/api/v1/fundamentals?symbol=GOOOG")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_symbol")
    answer = await reader.get("/api/v1/fundamentals?symbol=GOOG&asOf=x")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    answer = await reader.post("/api/v1/fundamentals", json={"statements": [REPORT]})
    assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")
