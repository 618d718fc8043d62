"""Somebody else's id reads exactly like one that does not exist, through every route and frame."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any
from uuid import uuid4

import msgspec
import pytest

from inference.packing import MEDIA_TYPE, pack
from tests.fakes.cards import evaluation, write_model
from tests.faults.client import Answer, Frame, Wire, run_command
from tests.faults.server import Response, Server

PUBLIC = {
    # What every signed-in user may read by id.
    "/api/v1/agents/{}",
    "/api/v1/agents/{}/versions",
    "/api/v1/agents/{}/metrics",
    "/api/v1/instruments/{}",
    "/api/v1/instruments/{}/actions",
    "/api/v1/bars/suspects/{}",
    "/api/v1/charts/{}",
    "/api/v1/signals/{}",
    "/api/v1/tools/{}",
    "/api/v1/models/{}",
    "/api/v1/models/{}/versions",
    "/api/v1/models/{}/events",
    "/api/v1/models/{}/lineage",
    "/api/v1/models/{}/performance",
    "/api/v1/models/{}/files",
    "/api/v1/models/{}/artifact",
    "/api/v1/models/{}/transition",
    "/api/v1/models/{}/aliases",
    "/api/v1/models/{}/drift",
    "/api/v1/models/alarms/{}/acknowledge",
    "/api/v1/models/{}/reports",
    "/api/v1/datasets/{}",
    "/api/v1/datasets/{}/versions",
    "/api/v1/datasets/{}/collect",
    "/api/v1/datasets/{}/profile",
    "/api/v1/datasets/{}/archive",
    "/api/v1/features/{}",
    "/api/v1/features/{}/materialize",
    "/api/v1/features/{}/history",
    "/api/v1/experiments/{}",
    "/api/v1/experiments/{}/reading",
    "/api/v1/experiments/{}/stop",
    "/api/v1/experiments/{}/promote",
    # The Open Inference Protocol: models by name.
    "/v2/models/{}",
    "/v2/models/{}/ready",
    "/v2/models/{}/infer",
    "/v2/models/{}/versions/{}",
    "/v2/models/{}/versions/{}/ready",
    "/v2/models/{}/versions/{}/infer",
    # The OpenAPI document.
    "/schema/{}",
}
"""Routes with a parameter that is nobody's. A new route must be put here or among the owned."""

OWNED = {
    "conversations": "conversation",
    "runs": "run",
    "messages": "message",
    "me/api-keys": "api_key",
    "alerts": "alert",
    "predictions": "prediction",
    "jobs": "job",
}
"""First words of a route to what its first parameter names."""

BODIES: dict[str, Any] = {
    "PATCH": {"title": "mine now"},
    "PATCH /api/v1/alerts/{}": {"name": "mine now"},
    "POST": None,
    "POST /api/v1/conversations/{}/read": {"seq": 1},
    "POST /api/v1/predictions/{}/feedback": {"rating": 1, "comment": "mine now"},
    "PUT": {},
}


def predict(desk: Server, key: str, folder: Path) -> tuple[str, str]:
    """Let a small model serve and ask it by the batch; return the job and a prediction of it."""

    def call(method: str, path: str, body: Any = None, **headers: str) -> Any:
        answer = desk.request(method, f"/api/v1{path}", body, key=key, headers=headers or None)
        assert answer.status < 300, (path, answer.body)
        return answer.body

    new = {"name": "calm", "type": "regression", "framework": "numpy", "architecture": "linear"}
    card = new | {"validationMetrics": {"evaluation": evaluation()}}
    packed = b"".join(pack(write_model(folder), extra={"card.json": msgspec.json.encode(card)}))
    model = call("POST", "/models", new)["id"]
    call("PUT", f"/models/{model}/artifact", packed, **{"Content-Type": MEDIA_TYPE})
    call("POST", f"/models/{model}/transition", {"status": "ready"})
    asked = {"modelId": model, "inputs": [{"features": {"x": 1.0}}]}
    job = call("POST", "/predictions/batch", asked)["id"]
    (prediction,) = call("GET", f"/predictions?jobId={job}")["items"]
    return job, prediction["id"]


@pytest.fixture(scope="module")
async def owned(desk: Server, key: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Ids of the first user: a conversation, its run, its messages, a key, a forecast, a job."""
    async with Wire.open(desk.port, key=key) as wire:
        await wire.hello()
        answer: Answer = await wire.ask("secret plan: script=steady tokens=3 ms=1")
    made = await asyncio.to_thread(
        desk.request, "POST", "/api/v1/me/api-keys", {"name": "k", "scopes": ["chat"]}, key=key
    )
    condition = {"field": "close", "op": ">", "value": 800}
    alert = await asyncio.to_thread(
        desk.request, "POST", "/api/v1/alerts", {"symbol": "GOOG", "condition": condition}, key=key
    )
    job, prediction = await asyncio.to_thread(
        predict, desk, key, tmp_path_factory.mktemp("model") / "calm"
    )
    return {
        "alert": alert.body["id"],
        "job": job,
        "prediction": prediction,
        "conversation": answer.thread_id,
        "run": answer.run_id,
        "message": answer.end["metadata"]["outcry"]["messageId"],
        "question": answer.command["input"]["messages"][0]["id"],
        "api_key": made.body["id"],
    }


async def ask(desk: Server, method: str, path: str, key: str) -> Response:
    shape = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}", "{}", path)
    body = BODIES.get(f"{method} {shape}", BODIES.get(method))
    return await asyncio.to_thread(desk.request, method, path, body, key=key)


async def parametrised_routes(desk: Server, key: str) -> list[tuple[str, str, str]]:
    """Return (method, path, path with bare braces) of every REST route with a parameter."""
    schema = None
    for path in ("/schema/openapi.json", "/schema"):
        response = await asyncio.to_thread(
            desk.request, "GET", path, key=key, headers={"Accept": "application/json"}
        )
        if response.status == 200 and response.raw[:1] == b"{":
            schema = json.loads(response.raw)
            break
    assert schema is not None, "the OpenAPI document is not served"
    return [
        (method.upper(), path, re.sub(r"\{[^}]+\}", "{}", path))
        for path, operations in schema["paths"].items()
        for method in operations
        if "{" in path and method in ("get", "post", "put", "patch", "delete")
    ]


def comparable(response: Response, given: str) -> tuple[int, str]:
    """Return what an observer can tell, with the id they asked for taken out."""
    body = response.raw.decode(errors="replace").replace(given, "ID")
    return response.status, body


async def test_every_route_answers_a_foreign_id_like_an_unknown_one(
    desk: Server, key: str, other_key: str, owned: dict[str, str]
) -> None:
    checked = 0
    for method, path, shape in await parametrised_routes(desk, key):
        if shape in PUBLIC:
            continue
        words = path.removeprefix("/api/v1/").split("/{", 1)[0]
        assert words in OWNED, f"{method} {path} is neither public nor owned: say which"
        rest = [str(uuid4()) for _ in range(shape.count("{}") - 1)]
        foreign_id, unknown_id = owned[OWNED[words]], str(uuid4())
        foreign = await ask(desk, method, shape.format(foreign_id, *rest), other_key)
        unknown = await ask(desk, method, shape.format(unknown_id, *rest), other_key)

        assert comparable(foreign, foreign_id) == comparable(unknown, unknown_id), (method, path)
        assert foreign.status == 404, (method, path, foreign.body)
        assert foreign.body["code"] == "not_found"
        checked += 1
    assert checked >= 12


async def test_nothing_of_it_was_changed_or_ended_by_trying(
    desk: Server, key: str, owned: dict[str, str]
) -> None:
    conversation = await ask(desk, "GET", f"/api/v1/conversations/{owned['conversation']}", key)
    keys = await ask(desk, "GET", "/api/v1/me/api-keys", key)
    prediction = await ask(desk, "GET", f"/api/v1/predictions/{owned['prediction']}", key)
    job = await ask(desk, "GET", f"/api/v1/jobs/{owned['job']}", key)

    assert conversation.status == 200
    assert conversation.body["title"] != "mine now"
    assert owned["api_key"] in {item["id"] for item in keys.body["items"]}
    assert prediction.body["feedback"] is None
    assert job.status == 200
    assert job.body["status"] != "cancelled"


async def test_the_table_of_a_foreign_batch_reads_like_that_of_an_unknown_one(
    desk: Server, key: str, other_key: str, owned: dict[str, str]
) -> None:
    path = "/api/v1/predictions/export?jobId="
    mine = await ask(desk, "GET", path + owned["job"], key)
    foreign = await ask(desk, "GET", path + owned["job"], other_key)
    unknown_id = str(uuid4())
    unknown = await ask(desk, "GET", path + unknown_id, other_key)

    assert owned["prediction"] in mine.raw.decode()
    assert comparable(foreign, owned["job"]) == comparable(unknown, unknown_id)


async def test_lists_and_search_show_nothing_foreign(
    desk: Server, other_key: str, owned: dict[str, str]
) -> None:
    for path in (
        "/api/v1/conversations",
        "/api/v1/conversations?query=secret",
        "/api/v1/search?query=secret",
        "/api/v1/costs?groupBy=conversation",
        "/api/v1/me/api-keys",
        "/api/v1/alerts",
        "/api/v1/predictions",
        "/api/v1/jobs",
    ):
        response = await ask(desk, "GET", path, other_key)
        assert response.status == 200, (path, response.body)
        for name, identity in owned.items():
            assert identity not in response.raw.decode(), (path, name)


async def test_a_user_may_not_ask_for_the_costs_of_all(desk: Server, other_key: str) -> None:
    response = await ask(desk, "GET", "/api/v1/costs?groupBy=day&all=true", other_key)

    assert response.status == 403


def frames(owned: dict[str, str], *, foreign: bool) -> dict[str, Frame]:
    """Return every frame that names something, naming foreign or unknown things."""

    def named(kind: str) -> str:
        return owned[kind] if foreign else str(uuid4())

    regenerate = run_command("x", outcry={"mode": "regenerate", "fromMessageId": named("question")})
    edit = run_command("x", outcry={"mode": "edit", "fromMessageId": named("question")})
    answer = run_command("x", outcry={"mode": "regenerate", "fromMessageId": named("message")})
    return {
        "subscribe": {"type": "subscribe", "threadId": named("conversation"), "since": 0},
        "subscribe from the future": {
            "type": "subscribe",
            "threadId": named("conversation"),
            "since": 99,
        },
        "stop": {"type": "stop", "runId": named("run")},
        "ack": {"type": "ack", "threadId": named("conversation"), "seq": 1},
        "regenerate a question": regenerate,
        "regenerate an answer": answer,
        "edit": edit,
    }


def observable(frame: Frame, command: Frame) -> str:
    """Return an answer with every id of the command taken out."""
    text = json.dumps(frame, sort_keys=True)
    for found in re.findall(r"[0-9a-f]{8}-[0-9a-f-]{27}", json.dumps(command)):
        text = text.replace(found, "ID")
    return text


async def test_every_frame_answers_a_foreign_id_like_an_unknown_one(
    desk: Server, other_key: str, owned: dict[str, str]
) -> None:
    foreign, unknown = frames(owned, foreign=True), frames(owned, foreign=False)
    async with Wire.open(desk.port, key=other_key) as wire:
        await wire.hello()
        for name in foreign:
            answers = []
            for command in (foreign[name], unknown[name]):
                command = {"v": 1, "id": str(uuid4()), **command}
                await wire.send(command)
                reply = await wire.reply_to(command["id"])
                assert reply["ok"] is False, (name, reply)
                answers.append(observable(reply, command))
            assert answers[0] == answers[1], name
            assert '"not_found"' in answers[0], (name, answers[0])


async def test_a_run_in_a_foreign_conversation_is_refused_and_leaves_nothing(
    desk: Server, key: str, other_key: str, owned: dict[str, str]
) -> None:
    # An unknown id creates a conversation, so a run cannot be told apart from "not yours" by id.
    async with Wire.open(desk.port, key=other_key) as wire:
        await wire.hello()
        command = await wire.run("let me in", thread_id=owned["conversation"])
        reply = await wire.reply_to(command["id"])
    messages = await asyncio.to_thread(
        desk.pages, f"/api/v1/conversations/{owned['conversation']}/messages", key=key
    )

    assert (reply["ok"], reply["error"]["code"]) == (False, "not_found")
    assert len(messages) == 2


async def test_hello_with_a_foreign_thread_reads_like_one_with_an_unknown_thread(
    desk: Server, other_key: str, owned: dict[str, str]
) -> None:
    told = []
    for thread_id in (owned["conversation"], str(uuid4())):
        async with Wire.open(desk.port, key=other_key) as wire:
            await wire.hello(threads=[{"threadId": thread_id, "since": 0}])
            await wire.command("ping", id="after")
            _, seen = await wire.until(lambda f: f["type"] == "pong")
            told.append(json.dumps(seen).replace(thread_id, "ID"))

    assert told[0] == told[1]
    assert '"event"' not in told[0]
    assert '"not_found"' in told[0]


async def test_a_key_with_the_scope_chat_alone_reads_no_rest(desk: Server) -> None:
    narrow = await asyncio.to_thread(desk.api_key, "chat")
    response = await ask(desk, "GET", "/api/v1/conversations", narrow)

    assert (response.status, response.body["code"]) == (403, "forbidden")


async def test_a_key_without_the_scope_chat_opens_no_socket(desk: Server) -> None:
    narrow = await asyncio.to_thread(desk.api_key, "read")

    with pytest.raises(Exception, match=r"HTTP 40[13]"):
        async with Wire.open(desk.port, key=narrow):
            pass
