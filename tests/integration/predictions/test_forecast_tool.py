"""From a question to its grade a month later: tool, prediction, message, settlement."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import pytest

from app.domain.principal import Principal
from app.services.conversations.conversations import Conversations
from app.services.predictions.forecasts import Forecasts
from app.storage.conversation_reads import ConversationReads
from app.storage.journal_store import PostgresJournal
from inference.cards import BaselineScore
from tests.integration.predictions.small_models import (
    BARS,
    DIRECTION,
    EVALUATION,
    VARIANCE,
    PredictionDesk,
    expected_variance,
)
from tests.integration.rest.rest_desk import Desk as TalkingDesk
from tools.desk import market_tools
from tools.errors import ToolError
from tools.registry import ToolBox
from tools.tool import ToolContext, ToolResult


@pytest.fixture
def toolbox(desk: PredictionDesk) -> ToolBox:
    forecasts = Forecasts(desk.predictions, desk.models, clock=desk.clock)
    return ToolBox(market_tools(desk.instruments, desk.bars, forecasts=forecasts))


def context(desk: PredictionDesk, who: Principal) -> ToolContext:
    return ToolContext(principal_id=str(who.user_id), now=desk.now)


async def call(
    toolbox: ToolBox, desk: PredictionDesk, who: Principal, tool: str = "forecast", **given: Any
) -> ToolResult:
    return await toolbox.call(tool, {"symbol": "AAA", **given}, context(desk, who))


async def test_the_tool_tells_value_interval_baseline_skill_confidence_and_model(
    desk: PredictionDesk, ann: Principal, toolbox: ToolBox
) -> None:
    await desk.load()
    await desk.models.add(VARIANCE)
    result = await call(toolbox, desk, ann)
    data = result.data
    move = 100 * expected_variance("AAA", BARS) ** 0.5
    assert data["available"] is True
    assert data["expectedPercent"] == pytest.approx(move)
    assert data["interval"]["coveragePercent"] == pytest.approx(80)
    assert data["interval"]["lowPercent"] == pytest.approx(move * 2.718281828**-0.35)
    assert data["baseline"]["name"] == "log-HAR"
    assert data["confidence"] == {
        "confidencePercent": 79.0,
        "cases": 10_140,
        "measuredOn": "walk-forward evaluation",
        "cameTruePercent": 79.0,
    }
    assert (data["skill"]["skillPercent"], data["edge"]) == (20.0, "measured edge")
    assert data["model"] == "variance-small@1"
    assert data["cost"] == "none: it runs on this desk"
    assert data["contributions"][0]["name"] == "log variance 5"
    (card,) = result.cards
    assert card.activity_type == "forecast"
    assert len(card.content["history"]) == 60
    assert {len(line["points"]) for line in card.content["fan"]} == {6}
    assert card.content["baselineFan"]
    stored = await desk.predictions.get(ann, UUID(data["predictionId"]))
    assert stored.output is not None
    assert 100 * stored.output.value**0.5 == pytest.approx(data["expectedPercent"])


async def test_asked_again_about_the_same_bars_it_is_the_same_prediction(
    desk: PredictionDesk, ann: Principal, toolbox: ToolBox
) -> None:
    await desk.load()
    await desk.models.add(VARIANCE)
    first = await call(toolbox, desk, ann)
    assert (await call(toolbox, desk, ann)).data == first.data
    await desk.append(BARS + 1)
    later = await call(toolbox, desk, ann)
    assert later.data["predictionId"] != first.data["predictionId"]


async def test_without_a_model_it_says_how_to_train_one(
    desk: PredictionDesk, ann: Principal, toolbox: ToolBox
) -> None:
    await desk.load()
    await desk.models.add(VARIANCE)
    result = await call(toolbox, desk, ann, what="regime")
    assert result.data["available"] is False
    assert "outcry train volatility_regime" in result.data["howToGetOne"]
    assert (await call(toolbox, desk, ann, horizon=20)).data["available"] is False


async def test_a_model_that_was_judged_and_found_no_better_is_told_with_its_skill(
    desk: PredictionDesk, ann: Principal, toolbox: ToolBox
) -> None:
    await desk.load()
    no_better = BaselineScore(
        name="climatology", loss=0.25, skill=-0.002, skill_low=-0.008, skill_high=0.003
    )
    judged = msgspec.structs.replace(EVALUATION, metric="Brier score", baselines=(no_better,))
    await desk.models.add(
        DIRECTION, evaluation=judged, status="ready", timeframe="1d", horizon_bars=5
    )
    data = (await call(toolbox, desk, ann, what="direction")).data
    assert (data["available"], data["edge"]) == (False, "no measured edge")
    assert data["judgedModel"] == "direction-small@1"
    assert data["skill"]["skillPercent"] == pytest.approx(-0.2)
    assert (await call(toolbox, desk, ann, what="direction", horizon=1)).data.get("skill") is None


async def test_a_model_that_fails_is_a_failure_with_its_reason(
    desk: PredictionDesk, ann: Principal, toolbox: ToolBox
) -> None:
    await desk.load()
    card = await desk.models.add(VARIANCE)
    (desk.models.folders[card.artifact or ""] / "linear.safetensors").write_bytes(b"no weights")
    with pytest.raises(ToolError, match="gave no forecast"):
        await call(toolbox, desk, ann)
    stranger = ToolContext(principal_id="somebody", now=desk.now)
    with pytest.raises(ToolError, match="nobody is signed in"):
        await toolbox.call("forecast", {"symbol": "AAA"}, stranger)


async def test_earlier_forecasts_are_told_with_their_grades(
    desk: PredictionDesk, ann: Principal, bob: Principal, toolbox: ToolBox
) -> None:
    await desk.load()
    await desk.models.add(VARIANCE)
    await desk.models.add(DIRECTION, weight=0.05)
    await call(toolbox, desk, ann)
    await call(toolbox, desk, ann, what="direction")
    await desk.append(BARS + 22)
    await desk.settlement.sweep()
    await call(toolbox, desk, ann)
    told = (await call(toolbox, desk, ann, "past_forecasts")).data
    assert (told["forecastCount"], told["settledCount"], told["openCount"]) == (3, 2, 1)
    grades = [one["grade"] for one in told["forecasts"]]
    assert grades[0] == "open"
    assert told["rightCount"] == grades.count("right")
    only = (await call(toolbox, desk, ann, "past_forecasts", what="volatility")).data
    assert only["forecastCount"] == 2
    assert "lossAgainstBaselinePercent" in only
    with pytest.raises(ToolError, match="No forecast of AAA has been made for you"):
        await call(toolbox, desk, bob, "past_forecasts")


@pytest.fixture
async def talking(desk: PredictionDesk) -> AsyncIterator[TalkingDesk]:
    async with PostgresJournal(desk.database) as journal:
        talking = TalkingDesk(desk.database, journal)
        await talking.agents.ensure_defaults()
        yield talking
        talking.passwords.close()


async def test_an_old_message_shows_how_its_forecast_turned_out(
    desk: PredictionDesk, talking: TalkingDesk, toolbox: ToolBox
) -> None:
    await desk.load()
    await desk.models.add(VARIANCE)
    ann = await talking.join("annie")
    made = await call(toolbox, desk, ann)
    turn = await talking.converse(ann, "How volatile will AAA be?")
    await desk.database.execute(
        "UPDATE tool_calls SET tool_name = 'forecast', output = $2 WHERE message_id = $1",
        turn.answer_id,
        made.evidence(),
    )
    conversations = Conversations(ConversationReads(desk.database))

    async def answer() -> Any:
        page = await conversations.messages(
            ann, turn.conversation_id, superseded=False, cursor=None, limit=10
        )
        return next(one for one in page.items if one.id == turn.answer_id)

    (waiting,) = (await answer()).grades
    assert (waiting.grade, waiting.outcome) == (None, None)
    assert waiting.words == f"open until {desk.close_of(BARS + 4).date().isoformat()}"
    await desk.append(BARS + 22)
    assert await desk.settlement.sweep() == 1
    (settled,) = (await answer()).grades
    assert str(settled.prediction_id) == made.data["predictionId"]
    assert settled.grade in ("hit", "miss")
    verdict = "was right: " if settled.grade == "hit" else "was wrong: "
    assert settled.words.startswith(verdict)
    assert settled.words.endswith("expected")
    assert settled.resolved_at == desk.now
    assert settled.resolved_at > datetime(2026, 1, 1, tzinfo=UTC)
