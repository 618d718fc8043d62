"""A model that is away, as people see it: who answered instead, the alarm, what the engine did."""

import asyncio
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from playwright.async_api import APIRequestContext, Browser, expect

from inference.packing import pack
from tests.e2e.accessibility import AXE, violations
from tests.e2e.conftest import NewTab
from tests.fakes.calm_models import AWAY, CALM
from tests.fakes.cards import evaluation, write_model
from tests.faults.server import Server
from tests.integration.predictions.away_desk import Server as Elsewhere


@pytest.fixture
async def elsewhere() -> AsyncIterator[Elsewhere]:
    server = Elsewhere()
    await server.start()
    yield server
    await server.die()


@pytest.fixture
async def remote_desk(browser: Browser, place: Path, elsewhere: Elsewhere) -> AsyncIterator[Server]:
    """A desk that may reach that server."""
    environment = {"OUTCRY_OUTBOUND_ALLOW": f"127.0.0.1:{elsewhere.port}"}
    server = Server(place / "remote", environment)
    try:
        await asyncio.to_thread(server.start)
        yield server
    finally:
        await asyncio.to_thread(server.clean_up)


class Registry:
    """The desk's models, as an administrator's script has them."""

    def __init__(self, request: APIRequestContext, base: str) -> None:
        self._request = request
        self._base = base

    async def post(self, path: str, data: Any) -> Any:
        answer = await self._request.post(
            f"{self._base}/api/v1{path}", data=data, headers={"origin": self._base}
        )
        assert answer.ok, await answer.text()
        return await answer.json()

    async def get(self, path: str) -> Any:
        answer = await self._request.get(f"{self._base}/api/v1{path}")
        assert answer.ok, await answer.text()
        return await answer.json()

    async def deploy(self, folder: Path, **more: Any) -> str:
        """Make a version of packed files, and let it serve as champion."""
        new = {"name": "calm", "type": "regression", "framework": "numpy", **more}
        made = await self.post("/models", new)
        told = {k: v for k, v in new.items() if k != "deploymentUrl"}
        card = told | {"validationMetrics": {"evaluation": msgspec.to_builtins(evaluation())}}
        packed = b"".join(pack(folder, extra={"card.json": msgspec.json.encode(card)}))
        put = await self._request.put(
            f"{self._base}/api/v1/models/{made['id']}/artifact",
            data=packed,
            headers={"origin": self._base, "content-type": "application/zstd"},
        )
        assert put.ok, await put.text()
        path = f"/models/{made['id']}/transition"
        await self.post(path, {"status": "ready"})
        await self.post(path, {"status": "deployed", "alias": "champion"})
        return str(made["id"])


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_who_answers_for_a_model_that_is_away_and_the_alarm_about_it(
    remote_desk: Server, elsewhere: Elsewhere, open_tab: NewTab, tmp_path: Path
) -> None:
    tab = await open_tab(remote_desk, reduced_motion="reduce")
    await tab.page.context.add_init_script(path=AXE)
    await tab.open()
    registry = Registry(tab.page.request, tab.base)
    here = write_model(tmp_path / "here", slope=1.0, **CALM)
    away = write_model(tmp_path / "away", **CALM, members=AWAY)
    (away / "ridge.safetensors").unlink()
    await registry.deploy(here)
    url = f"tfs+http://127.0.0.1:{elsewhere.port}/sum"
    champion = await registry.deploy(away, deploymentUrl=url)

    await elsewhere.die()
    await tab.ask_and_wait("How volatile will GOOG be over the next week?")
    said = (await tab.said())[-1]
    assert "Degraded: calm@2 could not answer, so calm@1 did" in said.replace("\xa0", " ")
    card = tab.evidence.locator(".card").filter(has_text="how much it may move")
    await expect(card.locator(".degraded")).to_have_text("degraded")
    await expect(card.locator(".why")).to_contain_text(
        "calm@1 answered, the last good version here: calm@2 could not (the server cannot be"
    )
    await expect(card).to_contain_text("Expected")
    assert await violations(tab) == []
    await tab.page.screenshot(path=tmp_path / "degraded.png")

    # Asked by its version again and again, it fails: an alarm, told to whoever looks after it.
    items = [
        {"modelId": champion, "requestId": f"r{at}", "input": {"symbol": "GOOG"}}
        for at in range(25)
    ]
    made = await registry.post("/predictions", {"items": items})
    assert {one["status"] for one in made["items"]} == {"failed"}
    report = await registry.get(f"/models/{champion}/drift")
    assert any("requests were not answered" in words for words in report["alarms"])
    notices = tab.page.get_by_role("status", name="Alerts and alarms")
    await expect(notices).to_contain_text(re.compile(r"calm@2: .* requests were not answered"))
    models = tab.page.get_by_role("link", name=re.compile("^Models"))
    await expect(models.locator(".mark")).to_contain_text("1")
    await notices.get_by_role("link", name="Open").click()

    page = tab.page.get_by_role("region", name="Models")
    alarm = page.locator("[data-alarm=unanswered]")
    await expect(alarm).to_contain_text("requests were not answered")
    await expect(alarm).to_contain_text(re.compile(r"threshold 0.05, over 2\d requests since"))
    await expect(page.locator("[data-engine]")).to_contain_text("no restart")
    await expect(page.locator("li", has_text="calm@2").locator("[data-speed]")).to_contain_text(
        "left alone for"
    )
    assert await violations(tab) == []
    await tab.page.screenshot(path=tmp_path / "alarm.png")
    await alarm.get_by_role("button", name=re.compile("^Seen")).click()
    await expect(alarm).to_contain_text("seen")
    await expect(models.locator(".mark")).to_have_count(0)
    await expect(notices).to_be_empty()
