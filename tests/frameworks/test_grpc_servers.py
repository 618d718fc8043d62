"""gRPC against the real servers, beyond their answers: definitions, deadlines, ends and returns.

Build, start and test them: python -m tests.environments.remote_servers test
"""

import asyncio
import json
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pytest

from app.security.outbound import Allowed
from app.wiring.remote import GuardedLine
from inference.bundle import Member
from inference.errors import DeadlineExceeded, Overloaded, WorkerLost
from inference.requests import Rows
from inference.runtimes.remote import open_inference_rpc, tf_serving_rpc
from inference.runtimes.remote.runtime import Deployment
from tests.environments.products import end
from tests.environments.remote_servers import FOLDER, PRODUCTS, Serving, is_here, place, serving
from tests.environments.servers import arithmetic
from tests.environments.servers.fields import fields

pytestmark = [
    pytest.mark.framework,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(
        not os.environ.get(FOLDER),
        reason="run it by: python -m tests.environments.remote_servers test",
    ),
]
LINE = GuardedLine(Allowed.read(["127.0.0.1:*"]))
OPEN_INFERENCE = (
    "ModelReadyRequest", "ModelReadyResponse", "ModelMetadataRequest", "ModelMetadataResponse",
    "ModelInferRequest", "ModelInferResponse",
)  # fmt: skip
TENSORFLOW = "pythie_serving.tensorflow_proto.tensorflow_serving.apis"
DEFINITIONS = [
    ("triton", "tritonclient.grpc.service_pb2", OPEN_INFERENCE),
    ("mlserver", "mlserver.grpc.dataplane_pb2", OPEN_INFERENCE),
    ("kserve", "kserve.protocol.grpc.grpc_predict_v2_pb2", OPEN_INFERENCE),
    ("pythie", f"{TENSORFLOW}.predict_pb2", ("PredictRequest", "PredictResponse")),
    (
        "pythie", f"{TENSORFLOW}.get_model_metadata_pb2",
        ("GetModelMetadataRequest", "GetModelMetadataResponse", "SignatureDefMap"),
    ),
    (
        "pythie", f"{TENSORFLOW}.get_model_status_pb2",
        ("GetModelStatusRequest", "GetModelStatusResponse", "ModelVersionStatus"),
    ),
]  # fmt: skip
BUILD = "python -m tests.environments.remote_servers build"
both_ways = pytest.mark.parametrize("product", ["triton", "mlserver", "kserve"])


def member(columns: tuple[str, ...] = arithmetic.COLUMNS) -> Member:
    return Member(name="away", runtime="remote", columns=columns)


def rows(count: int, *, width: int = 2, first: float | None = None) -> Rows:
    numbers = np.random.default_rng(count).normal(size=(count, width))
    if first is not None:
        numbers[0, 0] = first
    names = arithmetic.COLUMNS if width == 2 else tuple(f"c{index}" for index in range(width))
    return Rows(names, numbers)


@pytest.fixture
async def run(tmp_path: Path) -> AsyncIterator[Any]:
    with ExitStack() as stack:

        async def start(product: str) -> Serving:
            if not is_here(PRODUCTS[product]):
                pytest.skip(f"not built: {BUILD} {product}")
            starting = serving(PRODUCTS[product], tmp_path)
            return await asyncio.to_thread(stack.enter_context, starting)

        yield start


@pytest.mark.parametrize(("product", "module", "messages"), DEFINITIONS)
def test_the_field_numbers_are_those_of_the_servers_own_definitions(
    product: str, module: str, messages: tuple[str, ...]
) -> None:
    if not is_here(PRODUCTS[product]):
        pytest.skip(f"not built: {BUILD} {product}")
    python = place(PRODUCTS[product]) / "bin" / "python"
    script = Path("tests/environments/servers/fields.py").resolve()
    done = subprocess.run(
        [python, script, module, *messages], check=True, capture_output=True, text=True
    )
    theirs = json.loads(done.stdout)
    declared = tf_serving_rpc if product == "pythie" else open_inference_rpc
    for name in messages:
        ours = fields(declared.messages()[name].DESCRIPTOR)
        assert ours
        same(ours, theirs[name], name)


def same(ours: dict[str, Any], theirs: dict[str, Any], where: str) -> None:
    """Hold every field that we declare to the server's: it may have more."""
    for number, (name, kind, many, within) in ours.items():
        assert number in theirs, f"{where}: there is no field {number} ({name})"
        their_name, their_kind, their_many, their_within = theirs[number]
        assert (name, kind, many) == (their_name, their_kind, their_many), f"{where}.{name}"
        if within is not None and their_within is not None:
            same(within, their_within, f"{where}.{name}")


@both_ways
async def test_grpc_and_http_give_the_same_numbers(product: str, run: Any) -> None:
    server = await run(product)
    wide = rows(1000, width=arithmetic.WIDE)
    given = []
    for protocol in ("oip", "oip+grpc"):
        deployment = Deployment(server.url(protocol, "wide"), member(wide.names), LINE)
        given.append(await deployment.ask(wide, timeout_s=30.0))
        await deployment.aclose()
    for answer in given:  # in which order a server adds is its own affair
        np.testing.assert_allclose(answer[:, 0], wide.numbers.sum(axis=1), rtol=0, atol=1e-12)


@both_ways
async def test_calls_at_once_each_get_their_own_answer(product: str, run: Any) -> None:
    server = await run(product)
    deployment = Deployment(server.url("oip+grpc", "sum"), member(), LINE)
    asked = [rows(count) for count in range(1, 33)]
    given = await asyncio.gather(*(deployment.ask(one, timeout_s=30.0) for one in asked))
    for one, answer in zip(asked, given, strict=True):
        np.testing.assert_allclose(answer[:, 0], one.numbers.sum(axis=1), rtol=1e-12)
    await deployment.aclose()


@pytest.mark.parametrize(
    ("product", "protocol", "model", "options"),
    [
        ("pythie", "tfs+grpc", "slow", {"layout": "columns"}),  # RESOURCE_EXHAUSTED
        ("triton", "oip+grpc", "queued", {}),  # UNAVAILABLE, and words
    ],
)
async def test_a_server_that_is_full_says_so(
    product: str, protocol: str, model: str, options: dict[str, Any], run: Any
) -> None:
    server = await run(product)
    asking = Member(name="away", runtime="remote", columns=arithmetic.COLUMNS, options=options)
    deployment = Deployment(server.url(protocol, model), asking, LINE)
    await deployment.look(timeout_s=30.0)
    asked = rows(3, first=0.2)
    given = await asyncio.gather(
        *(deployment.ask(asked, timeout_s=30.0) for _ in range(12)), return_exceptions=True
    )
    refused = [one for one in given if isinstance(one, BaseException)]
    answered = [one for one in given if isinstance(one, np.ndarray)]
    assert {type(one) for one in refused} == {Overloaded}, refused
    assert len(refused) + len(answered) == 12
    assert answered
    for answer in answered:
        np.testing.assert_allclose(answer[:, 0], asked.numbers.sum(axis=1), rtol=1e-5)
    await deployment.aclose()


@both_ways
async def test_a_slow_model_costs_no_more_than_the_deadline(product: str, run: Any) -> None:
    server = await run(product)
    deployment = Deployment(server.url("oip+grpc", "slow"), member(), LINE)
    await deployment.look(timeout_s=30.0)
    began = monotonic()
    with pytest.raises(DeadlineExceeded):
        await deployment.ask(rows(3, first=5.0), timeout_s=0.5)
    assert monotonic() - began < 4.0, "it did not wait for the model"
    await deployment.aclose()


@both_ways
async def test_a_server_that_died_is_told_at_once(product: str, run: Any) -> None:
    server = await run(product)
    deployment = Deployment(server.url("oip+grpc", "slow"), member(), LINE)
    await deployment.ask(rows(3, first=0.0), timeout_s=30.0)
    asking = asyncio.create_task(deployment.ask(rows(3, first=20.0), timeout_s=30.0))
    await asyncio.sleep(0.5)  # nothing tells that the model has begun
    await asyncio.to_thread(end, server.pid)
    with pytest.raises(WorkerLost, match="cannot be reached"):
        await asking
    with pytest.raises(WorkerLost, match="cannot be reached"):
        await deployment.ask(rows(3), timeout_s=5.0)
    await deployment.aclose()
