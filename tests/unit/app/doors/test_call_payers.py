"""Whoever's key it is pays for what a model uses of LLMs, by either way to `/v2`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from litestar import Litestar

from app.doors.direct_infer import DirectInfer
from app.doors.open_inference import MAX_BODY, open_inference
from app.rest.sign_in import SignIn, anyone, may_read
from app.security.origins import AllowedOrigins
from app.services.models.call_costs import Meter
from app.services.models.model_calls import ModelCalls
from inference.bundle import Bundle, Head, InputColumn, Member
from inference.requests import Answers, Rows
from tests.fakes.models import Shelf, linear_bundle
from tests.unit.app.doors.test_open_inference import Book, client_of, infer, tensor
from tests.unit.app.rest.in_process import Ring, principal

LLM = Bundle(
    name="judge",
    recipe="by-hand",
    task="news",
    model_type="nlp",
    framework="openai",
    inputs=(InputColumn(name="a"),),
    members=(
        Member(
            name="judge",
            runtime="openai",
            options={
                "model": "m",
                "prompt": "{a}",
                "answer": {"up": {"type": "number", "minimum": 0, "maximum": 1}},
            },
        ),
    ),
    head=Head(kind="value"),
)


class Half:
    """An engine that says 0.5."""

    async def predict(self, artifact: str, rows: Rows, **_: Any) -> Answers:
        return Answers(np.full(len(rows), 0.5))


class Entered:
    """What would be entered for whom."""

    def __init__(self) -> None:
        self.told: list[tuple[str, int, object]] = []

    @asynccontextmanager
    async def entered(self, bundle: Bundle, rows: Rows, *, user_id: object) -> AsyncIterator[Meter]:
        meter = Meter()
        yield meter
        assert meter.answers is not None
        self.told.append((bundle.name, len(rows), user_id))


@pytest.mark.parametrize("direct", [False, True])
async def test_the_caller_pays_for_an_llm_and_nobody_for_what_runs_here(
    tmp_path: Path, direct: bool
) -> None:
    book, entered, who = Book(Shelf(tmp_path)), Entered(), principal()
    book.add(LLM)
    book.add(linear_bundle([1.0], name="here"))
    ring = Ring(cookies={}, keys={"read": who})
    calls = ModelCalls(book, book.bundle, Half(), costs=entered)  # type: ignore[arg-type]
    door = open_inference(
        calls,
        version="1",
        middleware=[SignIn(ring, AllowedOrigins(listed=()))],
        may_ask=may_read,
        anyone=anyone,
    )
    app: Any = Litestar([door], logging_config=None)
    if direct:
        app = DirectInfer(app, calls, by_key=ring.by_api_key, headers=(), max_body=MAX_BODY)
    async with client_of(app) as client:
        for model in ("judge", "here"):
            answer = await infer(client, model, inputs=[tensor("a", [2], [1.0, 2.0])])
            assert answer.status_code == 200, answer.text
    assert entered.told == [("judge", 2, who.user_id)]
