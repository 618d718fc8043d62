"""What a prediction costs: an LLM by its tokens, a model of this desk nothing."""

from decimal import Decimal

import msgspec
import pytest

from app.domain.principal import Principal
from app.services.predictions.predictions import PredictCommand
from inference.bundle import Bundle, Head, InputColumn, Member
from inference.runtimes.connections import Connection
from tests.fakes.llm_models import FakeModelServer, Reply
from tests.integration.predictions.small_models import VARIANCE, PredictionDesk

PRICED = "gpt-4o-mini"
OWN = "my-own-model"


def judge(name: str) -> Bundle:
    """Return a model that asks an LLM for the probability of a rise."""
    options = {
        "model": name,
        "prompt": "Headline: {headline}",
        "answer": {"up": {"type": "number", "minimum": 0, "maximum": 1}},
    }
    return Bundle(
        name="judge",
        recipe="by-hand",
        task="news",
        model_type="nlp",
        framework="openai",
        inputs=(InputColumn(name="headline", kind="text"),),
        members=(Member(name="judge", runtime="openai", options=options),),
        head=Head(kind="value"),
    )


def ask(model: str = "judge") -> PredictCommand:
    return PredictCommand(
        model=model, request_id="r", input={"features": {"headline": "profit up"}}, deadline_s=5.0
    )


async def entries(desk: PredictionDesk) -> list[tuple[object, ...]]:
    rows = await desk.database.fetch(
        "SELECT user_id, provider, model, outcome, input_tokens, output_tokens, cache_read_tokens,"
        " amount_usd FROM cost_entries"
    )
    return [tuple(row.values()) for row in rows]


@pytest.mark.parametrize(("name", "amount"), [(PRICED, "0.00002475"), (OWN, None)])
async def test_what_an_llm_used_is_priced_where_its_price_is_known_and_entered_once(
    desk: PredictionDesk, ann: Principal, name: str, amount: str | None
) -> None:
    async with FakeModelServer("openai", lambda _: Reply({"up": 0.6})).serving() as server:
        desk.connections["openai"] = Connection(server.url, api_key="k")
        await desk.models.add(judge(name))
        made = await desk.predictions.predict(ann, ask())
        again = await desk.predictions.predict(ann, ask())
    assert made.output is not None
    assert made.cost is not None
    assert again.cost == made.cost
    assert made.cost.priced == (amount is not None)
    assert made.cost.amount == (amount or "0")
    tokens = f"openai/{name}, 100 tokens in and 20 out"
    assert made.cost.words == (f"{amount} USD: {tokens}" if amount else f"unpriced: {tokens}")
    assert "cost" not in made.metadata
    price = None if amount is None else Decimal(amount)
    assert await entries(desk) == [(ann.user_id, "openai", name, "succeeded", 100, 20, 30, price)]


async def test_an_answer_that_breaks_the_form_was_paid_all_the_same(
    desk: PredictionDesk, ann: Principal
) -> None:
    async with FakeModelServer("openai", lambda _: Reply({"up": 7})).serving() as server:
        desk.connections["openai"] = Connection(server.url, api_key="k")
        await desk.models.add(judge(PRICED))
        made = await desk.predictions.predict(ann, ask())
    assert (made.status, made.error_code) == ("failed", "model_failed")
    assert made.cost is not None
    assert made.cost.priced
    ((_, _, _, outcome, *_, amount),) = await entries(desk)
    assert (outcome, amount) == ("failed", Decimal(made.cost.amount))


async def test_a_model_that_runs_here_costs_nothing_and_says_so(
    desk: PredictionDesk, ann: Principal
) -> None:
    await desk.load()
    await desk.models.add(VARIANCE)
    command = msgspec.structs.replace(ask("variance-small"), input={"symbol": "AAA"})
    made = await desk.predictions.predict(ann, command)
    assert made.cost is not None
    assert (made.cost.amount, made.cost.priced) == ("0", True)
    assert made.cost.words == "none: it runs on this desk"
    assert await entries(desk) == []
