"""Every tool request has its result, right after it."""

from hypothesis import given
from hypothesis import strategies as st

from agents.messages import Message
from agents.middleware.repair import with_answers
from tests.fakes.runs import ask


def test_a_whole_history_stays_as_it_is() -> None:
    history = (
        Message("user", "q"),
        Message("assistant", "", tool_requests=(ask("a"), ask("b"))),
        Message("tool", "1", tool_request_id="a"),
        Message("tool", "2", tool_request_id="b"),
        Message("assistant", "done"),
    )
    assert with_answers(history) == history


def test_results_are_put_in_order_and_strays_left_out() -> None:
    repaired = with_answers(
        [
            Message("tool", "stray", tool_request_id="x"),
            Message("assistant", "", tool_requests=(ask("a"), ask("b"), ask("c"))),
            Message("user", "and?"),
            Message("tool", "2", tool_request_id="b"),
            Message("tool", "1", tool_request_id="a"),
        ]
    )
    assert [(m.role, m.tool_request_id) for m in repaired] == [
        ("assistant", None),
        ("tool", "a"),
        ("tool", "b"),
        ("tool", "c"),
        ("user", None),
    ]
    assert [m.failed for m in repaired] == [False, False, False, True, False]


_MESSAGES = st.one_of(
    st.builds(Message, st.just("user"), st.text(max_size=3)),
    st.builds(
        lambda ids: Message("assistant", "", tool_requests=tuple(map(ask, ids))),
        st.lists(st.sampled_from("abcdef"), max_size=3, unique=True),
    ),
    st.builds(
        lambda id: Message("tool", "r", tool_request_id=id), st.sampled_from([*"abcdef", None])
    ),
)


@given(st.lists(_MESSAGES, max_size=12))
def test_any_history_comes_out_valid(history: list[Message]) -> None:
    repaired = with_answers(history)
    expected: list[str] = []
    for message in repaired:
        if message.role == "tool":
            assert expected
            assert message.tool_request_id == expected.pop(0)
        else:
            assert not expected
            expected = [call.id for call in message.tool_requests]
    assert not expected
    said = [message for message in history if message.role != "tool"]
    assert [message for message in repaired if message.role != "tool"] == said
    assert with_answers(repaired) == repaired
