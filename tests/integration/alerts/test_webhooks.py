"""What fired is delivered: signed, once, through restarts, and only where that is permitted."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID

import msgspec
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from app.domain.errors import Conflict, Invalid
from app.domain.principal import Principal
from app.services.alerts.alert_views import EpisodeView
from app.services.alerts.alert_wishes import AlertWishes
from app.services.alerts.webhooks import PAUSES_S
from app.storage.engine import Database
from tests.integration.alerts.alert_desk import AlertsAt, bar
from tests.integration.alerts.conftest import Server
from tests.unit.app.services.alerts.test_webhooks import verify


class Receiver:
    """An HTTP server on this machine that answers as it is told and keeps what came."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.headers: dict[str, str] = {}
        self.came: list[tuple[dict[str, str], bytes]] = []
        self.came_in = asyncio.Event()

    async def take(self, request: web.Request) -> web.Response:
        self.came.append(
            ({name.lower(): value for name, value in request.headers.items()}, await request.read())
        )
        self.came_in.set()
        status = self.answers.pop(0) if self.answers else 204
        return web.Response(status=status, headers=self.headers)


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
async def url(receiver: Receiver) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    async with TestServer(app, host="127.0.0.1") as server:
        yield f"http://127.0.0.1:{server.port}/hook"


async def made(server: Server, ann: Principal, url: str) -> tuple[UUID, str]:
    """Make an alert with a webhook; return its id and the secret."""
    wishes = AlertWishes(
        symbol="GOOG", condition={"field": "close", "op": ">", "value": 800}, webhook_url=url
    )
    alert = await server.at.alerts.create(ann, wishes)
    assert alert.webhook_secret is not None
    return alert.id, alert.webhook_secret


async def fire(at: AlertsAt, day: int = 5) -> None:
    await at.alerts.evaluate(bar(790, day - 1))
    await at.alerts.evaluate(bar(801, day))
    assert await at.openings.open_all() == 1


async def episode(server: Server, ann: Principal, alert_id: UUID) -> EpisodeView:
    return (await server.at.alerts.episodes(ann, alert_id, cursor=None, limit=1)).items[0]


async def test_a_receiver_gets_what_fired_and_can_verify_it(
    server: Server, ann: Principal, receiver: Receiver, url: str
) -> None:
    alert_id, secret = await made(server, ann, url)
    await fire(server.at)
    assert await server.at.webhooks.send_due() == 1
    assert await server.at.webhooks.send_due() == 0

    ((headers, body),) = receiver.came
    assert verify(secret, headers, body, now=int(server.at.now.timestamp()))
    assert headers["content-type"] == "application/json"
    told = msgspec.json.decode(body)
    seen = await episode(server, ann, alert_id)
    assert told["type"] == "alert.fired"
    data = told["data"]
    assert data["alertId"] == str(alert_id)
    assert data["description"] == "close above 800"
    assert data["threadId"] == str(seen.thread_id)
    assert data["url"] == f"https://desk.example.com/c/{seen.thread_id}"
    assert data["text"].startswith("**GOOG: close above 800.**")
    assert data["evidence"]["values"] == {"close": 801.0}
    (delivery,) = seen.deliveries
    assert headers["webhook-id"] == f"msg_{delivery.id.hex}"
    assert delivery.status == "delivered"
    assert [attempt.status for attempt in delivery.attempts] == [204]


async def test_what_fails_is_tried_again_later_under_the_same_id_also_by_another_process(
    start: Callable[[], Awaitable[Server]],
    ann: Principal,
    receiver: Receiver,
    url: str,
) -> None:
    first = await start()
    alert_id, secret = await made(first, ann, url)
    receiver.answers = [503, 500]
    await fire(first.at)
    assert await first.at.webhooks.send_due() == 1
    first.at.later(PAUSES_S[0] - 1)
    assert await first.at.webhooks.send_due() == 0
    first.at.later(2)
    assert await first.at.webhooks.send_due() == 1

    # The process ends; what is due stands in the database.
    second = await start()
    second.at.now = first.at.now
    assert await second.at.webhooks.send_due() == 0
    second.at.later(PAUSES_S[1] + 1)
    assert await second.at.webhooks.send_due() == 1
    assert len({headers["webhook-id"] for headers, _ in receiver.came}) == 1
    assert len({body for _, body in receiver.came}) == 1
    now = int(second.at.now.timestamp())
    assert verify(secret, receiver.came[-1][0], receiver.came[-1][1], now=now)
    (delivery,) = (await episode(second, ann, alert_id)).deliveries
    assert [attempt.status for attempt in delivery.attempts] == [503, 500, 204]
    assert (delivery.status, delivery.next_attempt_at) == ("delivered", None)


async def test_two_processes_send_what_is_due_once(
    start: Callable[[], Awaitable[Server]], ann: Principal, receiver: Receiver, url: str
) -> None:
    one, other = await start(), await start()
    for _ in range(4):
        await made(one, ann, url)
    await one.at.alerts.evaluate(bar(790, 4))
    await one.at.alerts.evaluate(bar(801, 5))
    assert await one.at.openings.open_all() == 4
    await asyncio.gather(*(server.at.webhooks.send_due() for server in (one, other, one, other)))
    assert len(receiver.came) == 4
    assert len({headers["webhook-id"] for headers, _ in receiver.came}) == 4


async def test_a_delivery_whose_process_died_is_found_again(
    server: Server, ann: Principal, receiver: Receiver, url: str
) -> None:
    await made(server, ann, url)
    await fire(server.at)
    claimed = await server.at.deliveries.claim(now=server.at.now, lease_s=60, limit=5)
    assert len(claimed) == 1
    assert await server.at.webhooks.send_due() == 0
    server.at.later(61)
    assert await server.at.webhooks.send_due() == 1
    assert len(receiver.came) == 1


async def test_a_receiver_that_is_gone_is_left_alone(
    server: Server, ann: Principal, receiver: Receiver, url: str
) -> None:
    alert_id, _ = await made(server, ann, url)
    receiver.answers = [410]
    await fire(server.at)
    await server.at.webhooks.send_due()
    assert "410" in ((await server.at.alerts.get(ann, alert_id)).webhook_off or "")
    await fire(server.at, day=9)
    assert await server.at.webhooks.send_due() == 0
    assert len(receiver.came) == 1
    again = await server.at.alerts.change(ann, alert_id, AlertWishes(webhook_url=url))
    assert again.webhook_off is None
    await fire(server.at, day=13)
    assert await server.at.webhooks.send_due() == 1
    assert len(receiver.came) == 2


async def test_a_redirect_is_a_failure(
    server: Server, ann: Principal, receiver: Receiver, url: str
) -> None:
    alert_id, _ = await made(server, ann, url)
    receiver.answers, receiver.headers = [302], {"Location": url}
    await fire(server.at)
    await server.at.webhooks.send_due()
    (delivery,) = (await episode(server, ann, alert_id)).deliveries
    assert delivery.status == "failed"
    assert len(receiver.came) == 1


async def test_without_permission_nothing_on_this_machine_is_reached(
    server: Server, ann: Principal, receiver: Receiver, url: str, database: Database
) -> None:
    strict = server.strict
    with pytest.raises(Invalid) as refused:
        await strict.make(ann, webhook_url=url)
    assert refused.value.code == "address_refused"
    # An address that was permitted when it was stored is judged again when it is sent to.
    alert_id, _ = await made(server, ann, url)
    await fire(server.at)
    assert await strict.webhooks.send_due() == 1
    (delivery,) = (await episode(server, ann, alert_id)).deliveries
    assert delivery.status == "failed"
    assert receiver.came == []


async def test_a_new_secret_signs_from_then_on(
    server: Server, ann: Principal, receiver: Receiver, url: str, database: Database
) -> None:
    alert_id, old = await made(server, ann, url)
    new = (await server.at.alerts.new_secret(ann, alert_id)).webhook_secret
    await fire(server.at)
    await server.at.webhooks.send_due()
    ((headers, body),) = receiver.came
    now = int(server.at.now.timestamp())
    assert verify(new, headers, body, now=now)
    assert not verify(old, headers, body, now=now)
    sealed = await database.fetchval("SELECT secret_sealed FROM alerts")
    assert new.encode() not in sealed
    await server.at.deliveries.rotate()
    plain = await server.at.make(ann)
    with pytest.raises(Conflict, match="no webhook"):
        await server.at.alerts.new_secret(ann, plain)


async def test_the_worker_sends_by_itself_and_stops_when_it_is_left(
    server: Server, ann: Principal, receiver: Receiver, url: str
) -> None:
    alert_id, _ = await made(server, ann, url)
    async with server.at.webhooks, server.at.openings:
        await server.at.alerts.evaluate(bar(790, 4))
        await server.at.alerts.evaluate(bar(801, 5))
        async with asyncio.timeout(20):
            await receiver.came_in.wait()
    assert len(receiver.came) == 1
    assert (await episode(server, ann, alert_id)).thread_id is not None
