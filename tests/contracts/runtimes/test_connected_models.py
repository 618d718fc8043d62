"""A prompt in a bundle, asked through the engine's worker process at a server on this machine."""

import os
from pathlib import Path

import msgspec
import numpy as np
import pytest

from agents.llms.catalog import LLMEnvironment
from app.wiring.connections import model_connections
from inference.bundle import BUNDLE_FILE, Bundle, Head, InputColumn, Member
from inference.engine.engine import Engine
from inference.engine.process import WorkerCommand
from inference.engine.served import EngineOptions
from inference.errors import BadModel
from inference.requests import Rows
from inference.runtimes.connections import (
    VARIABLE,
    Connection,
    take_connections,
    write_connections,
)
from tests.fakes.llm_models import FakeModelServer, Reply

KEY = "sk-secret-0123456789"
LABELS = ("negative", "neutral", "positive")
BUNDLE = Bundle(
    name="judge",
    recipe="by-hand",
    task="sentiment",
    model_type="nlp",
    framework="openai",
    inputs=(InputColumn(name="headline", kind="text"),),
    members=(
        Member(
            name="judge",
            runtime="openai",
            options={
                "model": "thinker-1",
                "prompt": "How likely is each tone of: {headline}",
                "answer": {label: {"type": "number", "minimum": 0} for label in LABELS},
            },
        ),
    ),
    head=Head(kind="classes", classes=LABELS),
)
ROWS = Rows((), np.empty((2, 0)), {"headline": ("profit up", "profit down")})


def decide(prompt: str) -> Reply:
    likely = {"negative": 0.1, "neutral": 0.2, "positive": 0.7}
    unlikely = {"negative": 0.8, "neutral": 0.1, "positive": 0.1}
    return Reply(likely if prompt.endswith("up") else unlikely)


def engine(folder: Path, connections: dict[str, Connection]) -> Engine:
    (folder / BUNDLE_FILE).write_bytes(msgspec.json.encode(BUNDLE))
    command = WorkerCommand(device="cpu", connections=connections)
    return Engine(lambda _: folder, options=EngineOptions(worker=command))


async def test_a_prompt_answers_like_any_other_model(tmp_path: Path) -> None:
    async with FakeModelServer("openai", decide).serving() as server:
        async with engine(tmp_path, {"openai": Connection(server.url, KEY)}) as running:
            answers = await running.predict("a" * 64, ROWS, deadline_s=30)
    assert tuple(answers.values) == ("positive", "negative")
    assert answers.probabilities is not None
    np.testing.assert_allclose(answers.probabilities[0], [0.1, 0.2, 0.7])
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"


async def test_without_the_connection_the_model_says_what_is_missing(tmp_path: Path) -> None:
    async with engine(tmp_path, {"vllm": Connection("http://127.0.0.1:9/v1")}) as running:
        with pytest.raises(BadModel, match="no connection 'openai' is set up here; there are vllm"):
            await running.predict("a" * 64, ROWS, deadline_s=30)


def test_the_worker_gets_connections_and_no_other_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-desk")
    told = {"openai": Connection("http://127.0.0.1:9/v1", KEY)}
    environment = WorkerCommand(connections=told).environment()
    assert "sk-of-the-desk" not in str(environment)
    assert take_connections(environment) == told
    assert VARIABLE not in environment
    assert VARIABLE not in WorkerCommand().environment()
    assert take_connections(dict(os.environ)) == {}
    assert KEY not in repr(WorkerCommand(connections=told))


def test_connections_survive_the_way_to_the_worker() -> None:
    told = {"a": Connection("http://127.0.0.1:1/v1", "k"), "b": Connection("http://127.0.0.1:2")}
    assert take_connections({VARIABLE: write_connections(told)}) == told


def test_models_may_ask_whom_agents_think_with() -> None:
    assert model_connections(LLMEnvironment()) == {}
    given = LLMEnvironment(
        openai_api_key="o",
        anthropic_api_key="a",
        vllm_base_url="http://127.0.0.1:8001",
        vllm_api_key="v",
    )
    assert model_connections(given) == {
        "openai": Connection("https://api.openai.com/v1", "o"),
        "anthropic": Connection("https://api.anthropic.com", "a"),
        "vllm": Connection("http://127.0.0.1:8001/v1", "v"),
    }
