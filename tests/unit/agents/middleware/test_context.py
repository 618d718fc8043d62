"""What of the past is read: whole turns, and earlier tool results in short."""

import msgspec

from agents.messages import Message
from agents.middleware.context import window
from tests.fakes.runs import ask

LONG = msgspec.json.encode(
    {"data": {"x": list(range(2000))}, "asOf": "2013-03-01T00:00:00Z", "summary": "read 2,000 bars"}
).decode()


def turn(n: int, result: str = "{}") -> list[Message]:
    return [
        Message("user", f"question {n}"),
        Message("assistant", "", tool_requests=(ask(f"c{n}", symbol="GOOG"),)),
        Message("tool", result, tool_request_id=f"c{n}"),
        Message("assistant", f"answer {n}"),
    ]


def test_turns_are_kept_whole() -> None:
    history = [message for n in range(20) for message in turn(n)]
    for budget in range(0, 400, 7):
        kept = window(history, budget=budget)
        assert len(kept) % 4 == 0
        assert list(kept) == history[len(history) - len(kept) :]


def test_a_long_result_is_read_as_its_summary() -> None:
    (_, _, result, _) = window(turn(1, LONG), budget=1_000)
    short = msgspec.json.decode(result.content)
    assert short["summary"] == "read 2,000 bars"
    assert short["asOf"] == "2013-03-01T00:00:00Z"
    assert "Call the tool again" in short["note"]
    assert result.tool_request_id == "c1"


def test_a_short_result_is_read_as_it_is() -> None:
    assert list(window(turn(1), budget=1_000)) == turn(1)


def test_a_long_text_that_is_no_result_is_cut() -> None:
    for text in ("x" * 5_000, "[" + "1," * 3_000 + "1]"):
        (_, _, result, _) = window(turn(1, text), budget=3_000)
        assert len(result.content) < 2_000


def test_the_same_past_is_always_told_the_same() -> None:
    history = [message for n in range(5) for message in turn(n, LONG)]
    assert window(history, budget=2_000) == window(history, budget=2_000)


def test_a_past_that_begins_in_the_middle_of_a_turn_is_taken_as_it_is() -> None:
    assert window([Message("assistant", "Good day.")], budget=100) == (
        Message("assistant", "Good day."),
    )
    assert window([], budget=100) == ()
