"""Tools and charts over HTTP: the agents' own door, with clear refusals."""

import asyncio
from typing import Any

import jsonschema
import pytest

from app.services.market.charts import Charts
from app.services.tool_calls import ToolCalls
from tests.fakes.tools import FailingTool, WaitingTool
from tests.unit.app.rest.in_process import NOW, Open
from tools.errors import TimedOut
from tools.registry import ToolBox

TOOLS = "/api/v1/tools"


async def test_every_tool_is_listed_with_a_schema_of_its_own(open_client: Open) -> None:
    client = open_client(key="read")
    items = (await client.get(TOOLS)).json()["items"]
    assert [one["name"] for one in items][:3] == ["quotes", "indicators", "signals"]
    for one in items:
        jsonschema.Draft202012Validator.check_schema(one["parameters"])
        assert (await client.get(f"{TOOLS}/{one['name']}")).json() == one


async def test_a_tool_answers_as_it_answers_an_agent(open_client: Open) -> None:
    answer = await open_client(key="read").post(
        f"{TOOLS}/quotes", json={"arguments": {"symbol": "google"}}
    )
    assert answer.status_code == 200
    body = answer.json()
    assert body.keys() == {"data", "asOf", "source", "units", "summary", "cards"}
    assert body["data"]["close"] == 806.19
    assert body["asOf"] == "2013-03-01T00:00:00Z"
    assert body["cards"][0]["activityType"] == "chart.candles"


@pytest.mark.parametrize(
    ("name", "arguments", "status", "code", "said"),
    [
        ("nothing", {}, 404, "unknown_tool", "There is no tool called 'nothing'. Tools: quotes"),
        ("quotes", {"symbol": "GOGG"}, 404, "unknown_symbol", "Did you mean GOOG?"),
        ("quotes", {"symbol": 7}, 422, "invalid_arguments", "Arguments: symbol (required)"),
        ("quotes", {}, 422, "invalid_arguments", "symbol"),
        ("indicators", {"symbol": "GOOG", "at": "2001-01-01"}, 404, "no_data", "2004-08-19"),
        ("screen", {"where": {"field": "x"}}, 422, "invalid_arguments", "Allowed: close, open"),
    ],
)
async def test_a_refusal_has_a_stable_code_and_says_what_is_allowed(
    name: str, arguments: dict[str, Any], status: int, code: str, said: str, open_client: Open
) -> None:
    client = open_client(key="read")
    answer = await client.post(f"{TOOLS}/{name}", json={"arguments": arguments})
    assert answer.headers["content-type"] == "application/problem+json"
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert said in answer.json()["detail"]


@pytest.mark.parametrize(
    "body", [[], {"args": {}}, {"arguments": []}, {"arguments": {"a": 1}, "b": 2}]
)
async def test_a_wrong_body_is_refused(body: Any, open_client: Open) -> None:
    answer = await open_client(key="read").post(f"{TOOLS}/quotes", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


async def test_only_who_may_read_may_call(open_client: Open) -> None:
    body = {"arguments": {"symbol": "GOOG"}}
    assert (await open_client().post(f"{TOOLS}/quotes", json=body)).status_code == 401
    chat = await open_client(key="chat").post(f"{TOOLS}/quotes", json=body)
    assert chat.status_code == 403


async def test_a_tool_that_fails_or_hangs_is_unavailable(open_client: Open) -> None:
    hanging = WaitingTool()
    late, crashed = TimedOut("waits did not answer within 30 seconds."), RuntimeError("secret")
    box = ToolBox([FailingTool("late", late), FailingTool("crashed", crashed), hanging])
    client = open_client(key="read", tools=ToolCalls(box, clock=lambda: NOW))
    for name, code in (("late", "timed_out"), ("crashed", "tool_failed")):
        answer = await client.post(f"{TOOLS}/{name}", json={})
        assert (answer.status_code, answer.json()["code"]) == (503, code)
        assert "secret" not in answer.text
    call = asyncio.create_task(client.post(f"{TOOLS}/indicators", json={}))
    await hanging.entered.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert hanging.cancelled


@pytest.mark.parametrize("theme", ["dark", "light"])
async def test_a_chart_is_a_picture(theme: str, open_client: Open) -> None:
    client = open_client(key="read")
    path = f"/api/v1/charts/GOOG?theme={theme}&width=480&bars=40"
    svg = await client.get(f"{path}&format=svg")
    assert svg.headers["content-type"].startswith("image/svg+xml")
    assert svg.text.startswith("<svg ")
    assert "806.19" in svg.text
    png = await client.get(f"{path}&scale=1&height=300")
    assert png.headers["content-type"] == "image/png"
    assert png.content[16:24] == (480).to_bytes(4) + (300).to_bytes(4)
    assert "no-store" in png.headers["cache-control"]
    assert (await client.get(f"{path}&scale=1&height=300")).content == png.content


async def test_a_chart_speaks_of_the_day_and_shows_the_layers(open_client: Open) -> None:
    client = open_client(key="read")
    path = "/api/v1/charts/goog?format=svg&bars=60"
    then = (await client.get(f"{path}&at=2012-05-18")).text
    assert "18 May 2012" in then
    assert "806.19" not in then
    bare = (await client.get(f"{path}&layers=")).text
    assert "SMA 20" not in bare
    assert "RSI" not in bare
    full = (await client.get(f"{path}&layers=averages,bands,macd")).text
    assert "Upper band" in full
    assert "MACD" in full


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("timeframe=2d", "`timeframe` must be one of 1m, 5m"),
        ("bars=1", "`bars` must be from 2 to 2,000"),
        ("layers=averages,ufo", "'ufo'; there are averages, bands"),
        ("format=gif", "`format` must be one of png, svg"),
        ("theme=pink", "`theme` must be one of dark, light"),
        ("width=100", "`width` must be from 360 to 2,400"),
        ("height=9999", "`height` must be from 180"),
        ("scale=9", "`scale` must be from 0.5 to 3"),
        ("width=2400&height=2400&scale=3", "too large"),
        ("at=yesterday", "`at` must be a day such as 2013-03-01"),
        ("colour=red", "no query parameter 'colour'"),
    ],
)
async def test_a_chart_that_cannot_be_is_explained(
    query: str, said: str, open_client: Open
) -> None:
    answer = await open_client(key="read").get(f"/api/v1/charts/GOOG?{query}")
    assert answer.status_code == 422
    assert said in answer.json()["detail"]


async def test_a_chart_of_nothing_is_not_found(open_client: Open, services: Any) -> None:
    client = open_client(key="read")
    unknown = await client.get("/api/v1/charts/GOGG")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_symbol")
    weekly = await client.get("/api/v1/charts/GOOG?timeframe=5m")
    assert (weekly.status_code, weekly.json()["code"]) == (404, "no_data")
    assert isinstance(services.charts, Charts)
