"""Numbers an answer repeats from earlier turns, and what they may not be mistaken for."""

from typing import Any

import pytest

from agents.citing import cite, earlier_evidence
from agents.claims import Evidence
from agents.history import PastCall, tool_text, turn
from agents.llms.scripted import ScriptedLLM, ScriptedReply
from agents.messages import Message
from agents.runner import Runner
from tests.fakes.run_sink import RecordingSink
from tests.fakes.runs import run_request
from tools.registry import ToolBox


def quote(close: float, symbol: str = "GOOG") -> dict[str, Any]:
    return {
        "data": {"symbol": symbol, "last": {"date": "2013-03-01", "close": close}},
        "asOf": "2013-03-01T00:00:00Z",
        "source": "the shipped prices",
        "units": {"close": "USD"},
        "summary": f"read the last price of {symbol}",
    }


def past(call_id: str, output: dict[str, Any], *, failed: bool = False) -> list[Message]:
    status = "failure" if failed else "success"
    call = PastCall(call_id, "quotes", {"symbol": "GOOG"}, output, status)  # type: ignore[arg-type]
    return turn("price of GOOG?", [call], "It closed at 806.19.")


def test_a_number_of_an_earlier_turn_is_tied_to_the_call_that_found_it() -> None:
    [claim] = cite("As said, GOOG closed at 806.19.", [], past("call-1", quote(806.19)))
    assert (claim.status, claim.tool_call_id, claim.value) == ("supported", "call-1", 806.19)
    assert claim.path == "/data/last/close"


def test_a_number_nobody_found_out_stays_unverified() -> None:
    [claim] = cite("GOOG closed at 912.34.", [], past("call-1", quote(806.19)))
    assert claim.status == "unverified"


def test_what_this_run_found_out_is_cited_before_what_others_did() -> None:
    own = Evidence("call-2", "quotes", {"symbol": "GOOG"}, quote(806.19))
    first, second = cite(
        "GOOG closed at 806.19, after a close of 777.77 when you asked before.",
        [own],
        past("call-1", quote(777.77)),
    )
    assert (first.tool_call_id, second.tool_call_id) == ("call-2", "call-1")


def test_supported_numbers_do_not_change_because_others_are_looked_for() -> None:
    own = Evidence("call-2", "quotes", {"symbol": "GOOG"}, quote(806.19))
    text = "GOOG closed at 806.19 and 912.34 is invented."
    alone = cite(text, [own], [])
    assert cite(text, [own], past("call-1", quote(806.19)))[0] == alone[0]


def test_failed_and_unreadable_results_of_earlier_turns_are_no_evidence() -> None:
    history = [
        *past("call-1", {"error": "806.19 could not be read"}, failed=True),
        *past("call-2", {"error": "806.19"}),
        Message(role="tool", content=tool_text(quote(806.19)), tool_request_id="of nobody"),
    ]
    assert earlier_evidence(history) == []
    [claim] = cite("GOOG closed at 806.19.", [], history)
    assert claim.status == "unverified"


def test_only_the_newest_results_are_looked_through() -> None:
    history = [message for n in range(40) for message in past(f"call-{n}", quote(100.0 + n))]
    assert [one.tool_call_id for one in earlier_evidence(history)] == [
        f"call-{n}" for n in range(39, 27, -1)
    ]
    large = {**quote(1.0), "data": {"rows": ["x" * 1_000] * 40}}
    history = [message for n in range(4) for message in past(f"call-{n}", large)]
    assert len(earlier_evidence(history)) == 1


@pytest.mark.parametrize("earlier", [True, False])
async def test_a_run_cites_the_history_it_was_given(earlier: bool) -> None:
    llm = ScriptedLLM([ScriptedReply(text="As I said: GOOG closed at 806.19.")])
    history = tuple(past("call-1", quote(806.19))) if earlier else ()
    sink = RecordingSink()
    outcome = await Runner(ToolBox([])).run(run_request(llm, history=history, tool_names=()), sink)
    [claim] = outcome.claims
    assert claim.tool_call_id == ("call-1" if earlier else None)
    [told] = sink.of("CUSTOM")
    assert told["value"]["claims"][0]["status"] == ("supported" if earlier else "unverified")
