"""Who may do what, generated from the route table, so that no new route is forgotten."""

import re
from collections.abc import Iterator, Mapping
from uuid import UUID

import pytest
from litestar import Litestar
from litestar.handlers import HTTPRouteHandler
from litestar.routes import HTTPRoute

from app.domain.ids import new_id
from app.rest.door import API
from app.rest.sign_in import anyone, may_administer
from tests.integration.rest.rest_desk import Clients, Desk

NAMES = {"symbol": "GOOG", "name": "quotes", "view": "market.volatility@1"}
BODIES: dict[str, object] = {
    "POST /news": {"items": [1]},
    "POST /fundamentals": {"statements": [1]},
    "POST /tools/{name}": {"arguments": {"symbol": "GOOG"}},
    "PATCH /conversations/{conversation_id}": {"title": "mine now"},
    "POST /conversations/{conversation_id}/read": {"seq": 1},
    "POST /signals/compute": {"symbol": "GOOG"},
    "PATCH /agents/{agent_id}": {"temperature": 1.0},
    "POST /alerts": {"symbol": "GOOG", "condition": {"field": "close", "op": ">", "value": 1}},
    "POST /experiments": {"model": "variance"},
    "POST /experiments/{experiment_id}/stop": {"reason": "a try"},
    "POST /experiments/{experiment_id}/promote": {},
    "POST /alerts/parse": {"text": "GOOG above 1"},
    "PATCH /alerts/{alert_id}": {"name": "mine now"},
    "POST /models": {"name": "m", "type": "regression", "framework": "numpy"},
    "POST /models/import": {"url": "https://models.example.org/outcry/m.tar.zst"},
    "POST /models/{model_id}/transition": {"status": "ready"},
    "POST /models/{model_id}/aliases": {"alias": "champion"},
    "POST /agents": {"name": "A", "type": "analyst", "systemPrompt": "p"},
    "POST /me/api-keys": {"name": "k", "scopes": ["read"]},
    "POST /instruments": {"symbol": "X", "name": "X", "source": "x"},
    "POST /instruments/{symbol}/actions": {
        "kind": "delisting",
        "exDate": "2020-01-02",
        "source": "x",
    },
    "PATCH /bars/suspects/{suspect_id}": {"status": "rejected"},
    "POST /predictions": {"modelId": "m", "requestId": "r", "input": {"symbol": "GOOG"}},
    "POST /predictions/batch": {"modelId": "m", "inputs": [{"symbol": "GOOG"}]},
    "POST /predictions/{prediction_id}/feedback": {"rating": 1},
    "POST /bars": {"symbol": "X", "timeframe": "1d", "bars": [1]},
    "POST /datasets": {"name": "d", "source": {"type": "file", "uri": "d.csv"}},
    "POST /features": {"name": "f", "dataset": "d"},
    "POST /models/train": {"recipe": "echo"},
}


def api_routes(app: Litestar) -> Iterator[tuple[str, str, HTTPRouteHandler]]:
    """Yield method, path template below /api/v1 and handler of every API route."""
    for route in app.routes:
        if isinstance(route, HTTPRoute) and route.path.startswith(API):
            path = re.sub(r":\w+}", "}", route.path.removeprefix(API))
            for method, (handler, _) in route.route_handler_map.items():
                if method not in {"OPTIONS", "HEAD"}:
                    yield method, path, handler


def guards(handler: HTTPRouteHandler) -> list[object]:
    return [guard for layer in handler.ownership_layers for guard in layer.guards or ()]


@pytest.fixture
async def owned(desk: Desk, people: Clients) -> dict[str, UUID]:
    """What is Ann's, by the name of the path parameter it stands for."""
    turn = await desk.converse(desk.people["ann"], "Ann's secret question")
    return {
        "conversation_id": turn.conversation_id,
        "message_id": turn.answer_id,
        "attachment_id": turn.attachment_id,
        "run_id": turn.run_id,
        "key_id": desk.key_ids["ann"],
        "alert_id": await desk.alert_of("ann"),
        "job_id": await desk.job_of("ann"),
        "prediction_id": await desk.prediction_of("ann"),
    }


SHARED = {
    "agent_id",
    "alarm_id",
    "dataset_id",
    "experiment_id",
    "model_id",
    "signal_id",
    "suspect_id",
}
"""Ids of what belongs to nobody in particular."""


def anywhere(path: str, owned: Mapping[str, UUID] | None = None) -> str:
    """Return a path with something in each of its places."""
    ids = {name: new_id() for name in SHARED}
    return path.format(**(owned or {}), **ids, **NAMES)


async def test_a_foreign_id_and_an_unknown_id_give_the_same_404_byte_for_byte(
    people: Clients, owned: dict[str, UUID]
) -> None:
    bob, checked = people.client("bob"), 0
    for method, path, _ in api_routes(people.app):
        parameters = re.findall(r"{(\w+)}", path)
        ids = [name for name in parameters if name.endswith("_id")]
        if not ids or SHARED & set(ids):
            continue
        assert set(ids) <= owned.keys(), f"{method} {path}: say whose this is"
        foreign = path.format(**owned)
        unknown = path.format(**{name: new_id() for name in owned})
        body = BODIES.get(f"{method} {path}")
        answers = [await bob.request(method, where, json=body) for where in (foreign, unknown)]
        assert [answer.status_code for answer in answers] == [404, 404], f"{method} {path}"
        assert answers[0].content == answers[1].content, f"{method} {path}"
        headers = [sorted(answer.headers.items()) for answer in answers]
        assert headers[0] == headers[1], f"{method} {path}"
        checked += 1
    assert checked >= 12


async def test_an_attachment_of_another_message_of_mine_is_not_there(
    desk: Desk, people: Clients, owned: dict[str, UUID]
) -> None:
    mine = await desk.converse(desk.people["bob"], "q")
    answer = await people.client("bob").get(
        f"/messages/{mine.answer_id}/attachments/{owned['attachment_id']}"
    )
    assert answer.status_code == 404


async def test_the_owner_still_reaches_everything_after_all_those_tries(
    people: Clients, owned: dict[str, UUID]
) -> None:
    ann = people.client("ann")
    for method, path, _ in api_routes(people.app):
        if method == "GET" and "_id}" in path and not any(f"{{{name}}}" in path for name in SHARED):
            answer = await ann.get(path.format(**owned))
            assert answer.status_code == 200, path


async def test_nobody_gets_anything_without_signing_in(
    people: Clients, owned: dict[str, UUID]
) -> None:
    stranger = people.client(None)
    for method, path, handler in api_routes(people.app):
        if guards(handler) == [anyone]:
            continue
        where = anywhere(path, owned)
        answer = await stranger.request(method, where, json=BODIES.get(f"{method} {path}"))
        assert answer.status_code == 401, f"{method} {path}"
        assert answer.json()["code"] == "unauthenticated"
        assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_what_everybody_uses_is_an_admins_to_change(people: Clients) -> None:
    user, checked = people.client("ann"), 0
    for method, path, handler in api_routes(people.app):
        if may_administer in guards(handler):
            where = anywhere(path)
            answer = await user.request(method, where, json=BODIES.get(f"{method} {path}"))
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), path
            checked += 1
    assert checked >= 4


async def test_lists_hold_only_what_is_the_callers(people: Clients, owned: dict[str, UUID]) -> None:
    bob = people.client("bob")
    for path in (
        "/conversations",
        "/conversations?query=secret",
        "/search?query=secret",
        "/search?query=ecre",
        "/costs",
        "/costs?groupBy=agent",
        "/costs?groupBy=day",
        "/alerts",
        "/jobs",
        "/predictions",
    ):
        answer = await bob.get(path)
        assert answer.json() == {"items": [], "nextCursor": None}, path
    keys = (await bob.get("/me/api-keys")).json()["items"]
    assert str(owned["key_id"]) not in [key["id"] for key in keys]


async def test_head_asks_for_the_same_rights_as_get(
    people: Clients, owned: dict[str, UUID]
) -> None:
    stranger, asked = people.client(None), 0
    for method, path, handler in api_routes(people.app):
        if method == "GET" and guards(handler) != [anyone]:
            answer = await stranger.head(anywhere(path, owned))
            assert (answer.status_code, answer.content) == (401, b""), path
            asked += 1
    assert asked > 15


async def test_unknown_query_parameters_are_refused_everywhere(
    people: Clients, owned: dict[str, UUID]
) -> None:
    root = people.client("root")
    for method, path, handler in api_routes(people.app):
        if guards(handler) == [anyone]:
            continue
        where = anywhere(path, owned)
        for query in ("userId=1", "principal=root", "limit=1&limit=2"):
            answer = await root.request(
                method, f"{where}?{query}", json=BODIES.get(f"{method} {path}")
            )
            assert answer.status_code == 422, f"{method} {path}?{query}"
            assert answer.json()["code"] == "invalid"


async def test_unknown_fields_are_refused_in_every_body(
    people: Clients, owned: dict[str, UUID]
) -> None:
    root = people.client("root")
    bodies = {
        **BODIES,
        "POST /auth/login": {"email": "a@example.org", "password": "x"},
        "POST /auth/link": {"token": "x"},
    }
    for method, path, handler in api_routes(people.app):
        if handler.parsed_data_field is None:
            continue
        body = bodies[f"{method} {path}"]
        assert isinstance(body, dict)
        where = anywhere(path, owned)
        answer = await root.request(method, where, json={**body, "userId": str(UUID(int=1))})
        assert answer.status_code == 422, f"{method} {path}"
        assert "userId" in answer.json()["detail"]
