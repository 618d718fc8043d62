"""What the built-in model says of the future: what models say, beside what is plain, and proven."""

import pytest

from tests.fakes.forecasts import MadeUpForecasts
from tests.unit.agents.builtin.conftest import Desk
from tools.desk import market_tools
from tools.market.demo import vendored_market
from tools.registry import ToolBox


def forecasting(*, trained: bool = True, away: bool = False) -> tuple[Desk, MadeUpForecasts]:
    """Return a desk with a model for most things."""
    book, market = MadeUpForecasts(trained=trained, away=away), vendored_market()
    return Desk(ToolBox(market_tools(market, market, forecasts=book))), book


@pytest.mark.parametrize(
    ("question", "subjects", "horizon"),
    [
        ("What do you expect of GOOG?", ["volatility", "direction"], 5),
        ("How volatile will GOOG be?", ["volatility"], 5),
        ("How volatile will GOOG be tomorrow?", ["volatility"], 1),
        ("Give me a forecast for GOOG", ["volatility", "direction"], 5),
        ("Forecast the volatility of GOOG over the next month", ["volatility"], 20),
        ("How likely is a volatile week for GOOG?", ["regime"], 5),
        ("How likely is a turbulent week for GOOG?", ["regime"], 5),
        ("Will GOOG rise?", ["direction"], 5),
        ("Will GOOG go up tomorrow?", ["direction"], 1),
        ("In what range will GOOG be over the next 20 days?", ["returns"], 20),
        ("How much will GOOG move next week?", ["volatility"], 5),
    ],
)
async def test_a_question_about_the_future_asks_the_models_that_answer_it(
    question: str, subjects: list[str], horizon: int
) -> None:
    desk, book = forecasting()
    answer = await desk.ask(question)
    assert [(one.symbol, one.what) for one in book.wanted] == [("GOOG", what) for what in subjects]
    assert {one.horizon_bars for one in book.wanted} == {horizon}
    assert answer.unverified() == []
    assert "expect" in answer.text or "probability" in answer.text or "edge" in answer.text


async def test_an_expectation_leads_and_says_interval_baseline_confidence_skill_and_model() -> None:
    desk, _ = forecasting()
    answer = await desk.ask("How volatile will GOOG be?")
    said = answer.text.replace("\u00a0", " ")
    assert said.startswith("I expect ")
    assert "moves for the next five days: **1.3 % a day** (80 % interval 0.9 % to 1.9 %)" in said
    assert "against 1.5 % from the plain log-HAR baseline" in said
    assert "held 78.7 % of the time (n 10,140)" in said
    assert "its QLIKE was 19.7 % below that of log-HAR" in said
    assert "volatility-model@3" in said
    assert "1 March 2013" in said
    assert answer.unverified() == []


async def test_it_says_who_was_away_and_who_answered_instead() -> None:
    desk, _ = forecasting(away=True)
    answer = await desk.ask("How volatile will GOOG be?")
    assert (
        "**Degraded:** `volatility-model@4` could not answer, so `volatility-model@3` did"
        in answer.text
    )
    assert answer.unverified() == []
    whole, _ = forecasting()
    assert "Degraded" not in (await whole.ask("How volatile will GOOG be?")).text


async def test_no_skill_is_said_as_no_measured_edge() -> None:
    desk, _ = forecasting()
    answer = await desk.ask("Will GOOG rise?")
    said = answer.text.replace("\u00a0", " ")
    assert "On direction I have **no measured edge**" in said
    assert "the model gives a rise over the next five days 53.1 %" in said
    assert "climatology alone 53.0 %" in said


async def test_follow_ups_keep_what_was_asked() -> None:
    desk, book = forecasting()
    first = await desk.ask("How volatile will GOOG be?")
    second = await desk.ask("and MSFT?", first.history)
    assert (book.wanted[-1].symbol, book.wanted[-1].what) == ("MSFT", "volatility")
    third = await desk.ask("over the next 20 days?", second.history)
    assert (book.wanted[-1].symbol, book.wanted[-1].horizon_bars) == ("MSFT", 20)
    assert book.wanted[-1].what == "volatility"
    assert third.unverified() == []
    await desk.ask("and for tomorrow?", third.history)
    assert (book.wanted[-1].symbol, book.wanted[-1].horizon_bars) == ("MSFT", 1)


async def test_an_outlook_has_one_sentence_on_what_to_expect_where_there_is_a_model() -> None:
    desk, _ = forecasting()
    with_model = (await desk.ask("How does GOOG look?")).text
    assert with_model.count("I expect ") == 1
    untrained, _ = forecasting(trained=False)
    without = await untrained.ask("How does GOOG look?")
    assert "I expect" not in without.text
    assert "train" not in without.text
    assert without.unverified() == []


async def test_without_a_model_it_says_how_to_get_one_and_what_is_known() -> None:
    desk, _ = forecasting(trained=False)
    answer = await desk.ask("How volatile will GOOG be?")
    assert "`outcry train`" in answer.text or "outcry train" in answer.text
    assert "I expect" not in answer.text
    assert answer.unverified() == []


@pytest.mark.parametrize(
    "question",
    [
        "How did your last forecast do?",
        "How did your forecasts for GOOG turn out?",
        "Was your forecast right?",
        "Were you right about GOOG?",
        "how good were your predictions",
    ],
)
async def test_asked_how_forecasts_went_it_counts_and_lists_them(question: str) -> None:
    desk, _ = forecasting()
    answer = await desk.ask(question)
    said = answer.text.replace("\u00a0", " ")
    assert [tool for tool, _ in answer.calls] == ["past_forecasts"]
    assert "1 of 2 settled forecasts" in said
    assert "0.9 % to 1.9 % expected, 1.1 % happened: **right**" in said
    assert "1 is still open" in said
    assert answer.unverified() == []


async def test_a_model_that_is_no_better_is_no_edge_and_is_told_with_what_it_was_worth() -> None:
    desk, _ = forecasting(trained=False)
    answer = await desk.ask("Will GOOG rise?")
    said = answer.text.replace("\u00a0", " ")
    assert "On direction the model has **no measured edge**: it was trained and judged" in said
    assert "against climatology its skill by Brier score was −0.2 % (95 % interval" in said
    # The rules of signals are something else, and are named where their record is told.
    assert "On direction I have **no measured edge**: by the signal rules, days with" in said
    assert said.index("the model has") < said.index("by the signal rules")
    assert "outcry train" not in said
    assert answer.unverified() == []


async def test_a_forecast_of_the_past_says_that_it_was_not_made_then() -> None:
    desk, book = forecasting()
    answer = await desk.ask("How volatile did you expect GOOG to be on 3 May 2010?")
    said = answer.text.replace("\u00a0", " ")
    assert [one.past for one in book.wanted] == [True]
    assert "how it turned out was known on 10 May 2010" in said
    assert (
        "It was not made then but now, by a model that learned from data up to 1 March 2013" in said
    )
    assert answer.unverified() == []
    assert "not made then" not in (await desk.ask("How volatile will GOOG be?")).text


async def test_an_outlook_names_the_rules_that_its_word_on_direction_rests_on() -> None:
    desk, _ = forecasting()
    said = (await desk.ask("How does GOOG look?")).text
    assert "On direction I have **no measured edge**: by the signal rules, days with" in said


async def test_a_value_that_reads_like_its_baseline_is_proven_all_the_same() -> None:
    desk, _ = forecasting()
    answer = await desk.ask("How volatile will MSFT be?")
    assert answer.text.count("1.3\u00a0%") == 2
    assert answer.unverified() == []
    assert (await desk.ask("How does MSFT look?")).unverified() == []


async def test_nobody_asked_for_a_forecast_yet_is_said() -> None:
    desk, _ = forecasting(trained=False)
    answer = await desk.ask("How did your last forecast do?")
    assert "no forecast for you here yet" in answer.text
