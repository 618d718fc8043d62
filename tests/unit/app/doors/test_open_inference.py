"""The `/v2` door over a real engine in threads, with keys instead of a database."""

import re
import struct
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import msgspec
import numpy as np
import pytest
from litestar import Litestar
from litestar.routes import HTTPRoute

from app.domain.errors import NotFound
from app.doors.direct_infer import DirectInfer
from app.doors.open_inference import MAX_BODY, PATH, open_inference
from app.rest.sign_in import SignIn, anyone, may_read
from app.security.origins import AllowedOrigins
from app.services.models.model_calls import ModelCalls
from inference.bundle import Bundle, Head
from inference.cards import ModelCard, ModelParameters, ModelPerformance
from inference.engine.in_process import InProcessEngine
from inference.engine.pipeline import open_bundle
from inference.errors import DeadlineExceeded, Overloaded, WorkerLost
from inference.requests import Answers, Rows
from tests.fakes.models import Shelf, linear_bundle, misbehaving_bundle, runtime_for
from tests.unit.app.rest.in_process import Ring, principal

WHEN = datetime(2026, 11, 26, tzinfo=UTC)
DOCS = Path(__file__).parents[4] / "docs" / "rest.md"


def card(name: str, number: int, **changes: Any) -> ModelCard:
    whole: dict[str, Any] = {
        "id": UUID(int=number),
        "name": name,
        "version": "3",
        "type": "regression",
        "framework": "numpy",
        "architecture": "linear",
        "parameters": ModelParameters(),
        "performance": ModelPerformance(),
        "status": "deployed",
        "training_dataset_id": None,
        "validation_metrics": {},
        "created_by": None,
        "trained_at": WHEN,
        "created_at": WHEN,
        "updated_at": WHEN,
        "artifact": name,
    }
    return ModelCard(**{**whole, **changes})


@dataclass
class Book:
    """Models by name, and bundles out of their folders."""

    shelf: Shelf
    cards: dict[str, ModelCard] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)

    def add(self, bundle: Bundle, **changes: Any) -> None:
        self.shelf.add(bundle)
        self.cards[bundle.name] = card(bundle.name, len(self.cards) + 1, **changes)

    async def find(self, ref: str) -> ModelCard:
        self.asked.append(ref)
        name, _, version = ref.partition("@")
        found = self.cards.get(name)
        if found is None or version not in {"", found.version}:
            raise NotFound(f"There is no model {ref}.")
        return found

    async def champion(
        self, task: str, *, timeframe: str | None = None, horizon: int | None = None
    ) -> ModelCard | None:
        return None

    async def bundle(self, card: ModelCard) -> Bundle:
        return open_bundle(self.shelf.root / card.name)

    async def damage(self, card: ModelCard, why: str) -> None:
        self.damaged.append(card.name)


@dataclass
class Refusing:
    """An engine that answers nothing."""

    error: Exception

    async def predict(self, artifact: str, rows: Rows, **_: Any) -> Answers:
        raise self.error

    async def check(self) -> None:
        raise self.error


@pytest.fixture
def book(tmp_path: Path) -> Book:
    book = Book(Shelf(tmp_path))
    head = Head(kind="value", interval_level=0.8, residual_quantiles=((0.1, -1.0), (0.9, 2.0)))
    book.add(linear_bundle([1.0, 10.0], name="sum", head=head))
    book.add(
        linear_bundle(
            [1.0], name="side", head=Head(kind="classes", classes=("up", "down"), logits=True)
        )
    )
    book.add(misbehaving_bundle("nan"))
    book.add(linear_bundle([1.0], name="old"), status="deprecated")
    return book


def app_over(book: Book, engine: Any, *, direct: bool = False) -> Any:
    ring = Ring(
        cookies={}, keys={"read": principal(), "chat": principal(scopes=frozenset({"chat"}))}
    )
    calls = ModelCalls(book, book.bundle, engine, on_damage=book.damage, check=engine.check)
    middleware = [SignIn(ring, AllowedOrigins(listed=()))]
    door = open_inference(
        calls, version="1.2", middleware=middleware, may_ask=may_read, anyone=anyone
    )
    app = Litestar([door], logging_config=None)
    if not direct:
        return app
    return DirectInfer(app, calls, by_key=ring.by_api_key, headers=(), max_body=MAX_BODY)


def client_of(app: Any, key: str | None = "read") -> httpx.AsyncClient:
    headers = {} if key is None else {"Authorization": f"Bearer {key}"}
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app),
        base_url="http://desk",
        headers=headers,
    )


@pytest.fixture(params=[False, True], ids=["framework", "direct"])
def direct(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
async def client(book: Book, direct: bool) -> AsyncIterator[httpx.AsyncClient]:
    engine = InProcessEngine(book.shelf.open, runtime_for=runtime_for)
    async with engine, client_of(app_over(book, engine, direct=direct)) as client:
        yield client


def tensor(name: str, shape: list[int], data: Any, datatype: str = "FP64") -> dict[str, Any]:
    return {"name": name, "shape": shape, "datatype": datatype, "data": data}


async def infer(client: httpx.AsyncClient, model: str, **body: Any) -> httpx.Response:
    return await client.post(f"/v2/models/{model}/infer", json=body)


async def test_columns_may_come_one_by_one(client: httpx.AsyncClient) -> None:
    inputs = [tensor("b", [2, 1], [1, 2], "INT64"), tensor("a", [2], [0.5, 0.25], "FP32")]
    answer = await infer(client, "sum", id="7", inputs=inputs)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["id"], body["model_name"], body["model_version"]) == ("7", "sum", "3")
    outputs = {output["name"]: output for output in body["outputs"]}
    assert outputs["value"]["data"] == [10.5, 20.25]
    assert outputs["value"]["shape"] == [2, 1]
    assert outputs["low"]["data"] == [9.5, 19.25]
    assert outputs["quantiles"]["parameters"] == {"levels": "[0.1,0.9]"}
    assert outputs["quantiles"]["shape"] == [2, 2]


async def test_columns_may_come_packed_flat_or_nested(client: httpx.AsyncClient) -> None:
    for data in ([1, 2, 3, 4], [[1, 2], [3, 4]]):
        answer = await infer(
            client, "sum", inputs=[tensor("rows", [2, 2], data)], outputs=[{"name": "value"}]
        )
        assert [output["data"] for output in answer.json()["outputs"]] == [[21.0, 43.0]]


async def test_classes_are_texts_with_their_probabilities(client: httpx.AsyncClient) -> None:
    answer = await infer(client, "side", inputs=[tensor("a", [1], [0.0])])
    outputs = {output["name"]: output for output in answer.json()["outputs"]}
    assert (outputs["value"]["datatype"], outputs["value"]["data"]) == ("BYTES", ["up"])
    assert outputs["probabilities"]["data"] == [0.5, 0.5]
    assert msgspec.json.decode(outputs["probabilities"]["parameters"]["classes"]) == ["up", "down"]


async def test_tensors_may_be_binary_both_ways(client: httpx.AsyncClient) -> None:
    raw = np.array([[1.0, 2.0]], dtype="<f4").tobytes()
    header = msgspec.json.encode(
        {
            "inputs": [
                {
                    "name": "rows",
                    "shape": [1, 2],
                    "datatype": "FP32",
                    "parameters": {"binary_data_size": len(raw)},
                }
            ],
            "outputs": [{"name": "value", "parameters": {"binary_data": True}}, {"name": "high"}],
        }
    )
    answer = await client.post(
        "/v2/models/sum/versions/3/infer",
        content=header + raw,
        headers={
            "Inference-Header-Content-Length": str(len(header)),
            "Content-Type": "application/octet-stream",
        },
    )
    assert answer.status_code == 200
    length = int(answer.headers["inference-header-content-length"])
    outputs = {o["name"]: o for o in msgspec.json.decode(answer.content[:length])["outputs"]}
    assert outputs["value"]["parameters"] == {"binary_data_size": 8}
    assert struct.unpack("<d", answer.content[length:]) == (21.0,)
    assert outputs["high"]["data"] == [23.0]


async def test_explanations_and_priorities_are_asked_for_by_parameters(
    client: httpx.AsyncClient,
) -> None:
    answer = await infer(
        client,
        "sum",
        inputs=[tensor("rows", [1, 2], [1, 2])],
        parameters={"explain": True, "priority": "batch", "deadline_s": 20},
        outputs=[{"name": "contributions"}],
    )
    (output,) = answer.json()["outputs"]
    assert output["data"] == [1.0, 20.0]
    assert output["parameters"] == {"columns": '["a","b"]'}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "inputs"),
        ({"inputs": []}, "rows"),
        ({"inputs": [tensor("rows", [1, 3], [1, 2, 3])]}, "3 columns; the model has 2"),
        ({"inputs": [tensor("a", [2], [1.0])]}, "1 numbers for shape"),
        ({"inputs": [tensor("a", [1], ["x"])]}, "must be numbers"),
        ({"inputs": [tensor("a", [1], [1], "FP8")]}, "FP8"),
        ({"inputs": [tensor("a", [1, 1, 1], [1])]}, "must be \\[n\\]"),
        ({"inputs": [tensor("a", [1], [1]), tensor("b", [2], [1, 2])]}, "different numbers"),
        ({"inputs": [tensor("a", [1], [1]), tensor("z", [1], [1])]}, "no column 'z'"),
        ({"inputs": [tensor("a", [1], [None]), tensor("b", [1], [1])]}, "'a' is missing"),
        ({"inputs": [tensor("rows", [1, 2], [1, 2])], "outputs": [{"name": "x"}]}, "output 'x'"),
        ({"inputs": [tensor("rows", [1, 2], [1, 2])], "parameters": {"priority": 1}}, "priority"),
        (
            {"inputs": [tensor("rows", [1, 2], [1, 2])], "parameters": {"deadline_s": 0}},
            "above 0",
        ),
    ],
)
async def test_a_request_that_does_not_fit_is_told_why(
    client: httpx.AsyncClient, body: dict[str, Any], said: str
) -> None:
    answer = await client.post("/v2/models/sum/infer", json=body)
    assert answer.status_code == 400, answer.text
    assert re.search(said, answer.json()["error"]), answer.text


async def test_lengths_that_do_not_add_up_are_refused(client: httpx.AsyncClient) -> None:
    for length, content in (("9999", b"{}"), ("-1", b"{}"), ("2", b"{}rest")):
        answer = await client.post(
            "/v2/models/sum/infer",
            content=content,
            headers={"Inference-Header-Content-Length": length},
        )
        assert answer.status_code == 400


async def test_metadata_tells_what_goes_in_and_what_comes_out(client: httpx.AsyncClient) -> None:
    body = (await client.get("/v2/models/sum")).json()
    assert body["inputs"][0] == {"name": "a", "datatype": "FP64", "shape": [-1, 1]}
    assert [output["name"] for output in body["outputs"]] == ["value", "low", "high"]
    assert (body["name"], body["versions"]) == ("sum", ["3"])
    assert (await client.get("/v2/models/sum/versions/3")).json() == body
    assert (await client.get("/v2/models/sum/ready")).json()["ready"] is True


async def test_what_is_unknown_or_does_not_serve_is_refused(client: httpx.AsyncClient) -> None:
    for path in ("/v2/models/none", "/v2/models/sum/versions/9", "/v2/models/sum@3"):
        answer = await client.get(path)
        assert answer.status_code == 404
        assert "error" in answer.json()
    answer = await client.get("/v2/models/old/ready")
    assert (answer.status_code, "deprecated" in answer.json()["error"]) == (409, True)


async def test_nonsense_of_a_model_is_an_error_and_not_a_number(client: httpx.AsyncClient) -> None:
    answer = await infer(client, "nan", inputs=[tensor("a", [1], [1.0])])
    assert answer.status_code == 503
    assert "not finite" in answer.json()["error"]


@pytest.mark.parametrize(
    ("error", "status", "wait"),
    [
        (Overloaded("much waits", retry_after_s=4.2), 503, "4"),
        (DeadlineExceeded("no answer within 10 s"), 504, None),
        (WorkerLost("it ended"), 503, "1"),
    ],
)
async def test_what_the_engine_refuses_has_its_status(
    book: Book, error: Exception, status: int, wait: str | None, direct: bool
) -> None:
    async with client_of(app_over(book, Refusing(error), direct=direct)) as client:
        answer = await infer(client, "sum", inputs=[tensor("rows", [1, 2], [1, 2])])
        assert (answer.status_code, answer.headers.get("retry-after")) == (status, wait)
        assert (await client.get("/v2/health/ready")).status_code == 503
        assert (await client.get("/v2/health/live")).status_code == 200


async def test_a_damaged_artifact_is_reported_and_refused(book: Book, direct: bool) -> None:
    book.cards["sum"] = msgspec.structs.replace(book.cards["sum"], artifact="damaged")
    engine = InProcessEngine(book.shelf.open, runtime_for=runtime_for)
    async with engine, client_of(app_over(book, engine, direct=direct)) as client:
        answer = await infer(client, "sum", inputs=[tensor("rows", [1, 2], [1, 2])])
    assert answer.status_code == 409
    assert book.damaged == ["sum"]


async def test_nobody_asks_a_model_without_signing_in(book: Book, direct: bool) -> None:
    engine = InProcessEngine(book.shelf.open, runtime_for=runtime_for)
    app = app_over(book, engine, direct=direct)
    async with client_of(app, None) as stranger, client_of(app, "chat") as narrow:
        assert (await stranger.get("/v2")).json()["name"] == "outcry"
        for client, status in ((stranger, 401), (narrow, 403)):
            assert (await client.get("/v2/models/sum")).status_code == status
            assert (await infer(client, "sum", inputs=[])).status_code == status


async def test_a_name_is_looked_up_once_for_many_calls(
    client: httpx.AsyncClient, book: Book
) -> None:
    for _ in range(5):
        await infer(client, "sum", inputs=[tensor("rows", [1, 2], [1, 2])])
    assert book.asked == ["sum"]


def test_every_route_has_one_guard_and_is_documented(book: Book) -> None:
    app = app_over(book, Refusing(WorkerLost("it ended")))
    text = DOCS.read_text(encoding="utf-8")
    documented = set()
    for line in text.splitlines():
        if match := re.match(r"\| `(GET|POST) (/v2[^`?]*)` \|", line):
            documented.add(f"{match[1]} {match[2]}")
    existing = set()
    for route in app.routes:
        if isinstance(route, HTTPRoute) and route.path.startswith(PATH):
            path = re.sub(r":\w+}", "}", route.path)
            for method, (handler, _) in route.route_handler_map.items():
                if method == "OPTIONS":
                    continue
                guards = [g for layer in handler.ownership_layers for g in layer.guards or ()]
                assert guards in ([anyone], [may_read]), path
                existing.add(f"{method} {path}")
    assert existing == documented


class Gone:
    """An application that is not to be asked."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError(f"{scope['path']} went on to the application")


async def test_the_plain_case_passes_the_framework_by(book: Book) -> None:
    engine = InProcessEngine(book.shelf.open, runtime_for=runtime_for)
    calls = ModelCalls(book, book.bundle, engine)
    ring = Ring(cookies={}, keys={"read": principal()})
    headers = [(b"x-content-type-options", b"nosniff")]
    front = DirectInfer(Gone(), calls, by_key=ring.by_api_key, headers=headers, max_body=200)
    body = {"inputs": [tensor("rows", [1, 2], [1, 2])], "outputs": [{"name": "value"}]}
    async with engine, client_of(front) as client:
        for path in ("/v2/models/sum/infer", "/v2/models/sum/versions/3/infer"):
            answer = await client.post(path, json=body)
            assert answer.json()["outputs"][0]["data"] == [21.0]
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["cache-control"] == "no-store"
        assert (await client.post("/v2/models/none/infer", json=body)).status_code == 404
        long = {**body, "id": "x" * 200}
        for path, key, sent in [
            ("/v2/models/sum", "read", body),
            ("/v2/models/infer", "read", body),
            ("/v2/models/a/b/infer", "read", body),
            ("/v2/models/sum/versions//infer", "read", body),
            ("/v2/models/sum/infer/", "read", body),
            ("/v2/models/sum/infer", "read", long),
            ("/v2/models/sum/infer", "wrong", body),
        ]:
            with pytest.raises(AssertionError, match="went on"):
                await client.post(path, json=sent, headers={"Authorization": f"Bearer {key}"})
        with pytest.raises(AssertionError, match="went on"):
            await client.get("/v2/models/sum/infer")


async def test_whoever_cannot_be_told_apart_now_goes_on_to_the_application(book: Book) -> None:
    async def unable(key: str) -> None:
        raise ConnectionError("the database is away")

    calls = ModelCalls(book, book.bundle, Refusing(WorkerLost("it ended")))
    front = DirectInfer(Gone(), calls, by_key=unable, headers=(), max_body=MAX_BODY)
    async with client_of(front) as client:
        with pytest.raises(AssertionError, match="went on"):
            await infer(client, "sum", inputs=[tensor("rows", [1, 2], [1, 2])])


async def test_what_nobody_foresaw_is_told_without_its_inside(book: Book, direct: bool) -> None:
    app = app_over(book, Refusing(ZeroDivisionError("inside")), direct=direct)
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    headers = {"Authorization": "Bearer read"}
    async with httpx.AsyncClient(
        transport=transport, base_url="http://desk", headers=headers
    ) as client:
        answer = await infer(client, "sum", inputs=[tensor("rows", [1, 2], [1, 2])])
    assert answer.status_code == 500
    assert answer.json() == {"error": "Something went wrong here; it was logged."}
