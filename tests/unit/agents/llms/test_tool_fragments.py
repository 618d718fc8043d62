"""Tool calls come together from every kind of fragment that servers send."""

from typing import Any

import pytest

from agents.llms.tool_fragments import ToolFragments


def built(*fragments: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    calls = ToolFragments()
    for fragment in fragments:
        calls.add(**fragment)
    return [(call.name, call.arguments) for call in calls.requests()]


A, B = ("quotes", {"symbol": "GOOG"}), ("signals", {"symbol": "MSFT"})


@pytest.mark.parametrize(
    "fragments",
    [
        pytest.param(
            [
                dict(index=0, id="a", name="quotes"),
                dict(index=0, arguments='{"symb'),
                dict(index=0, arguments='ol":"GOOG"}'),
                dict(index=1, id="b", name="signals", arguments='{"symbol":"MSFT"}'),
            ],
            id="as OpenAI sends them",
        ),
        pytest.param(
            [
                dict(index=0, id="a", name="quotes", arguments=""),
                dict(index=1, id="b", name="signals", arguments=""),
                dict(index=0, arguments='{"symbol":"GOOG"}'),
                dict(index=1, arguments='{"symbol":"MSFT"}'),
            ],
            id="interleaved",
        ),
        pytest.param(
            [
                dict(id="a", name="quotes", arguments='{"symbol":"GOOG"}'),
                dict(id="b", name="signals", arguments='{"symbol":"MSFT"}'),
            ],
            id="whole, without index",
        ),
        pytest.param(
            [
                dict(index=0, id="a", name="quotes", arguments='{"symbol":"GOOG"}'),
                dict(index=0, id="b", name="signals", arguments='{"symbol":"MSFT"}'),
            ],
            id="whole, all under index 0",
        ),
        pytest.param(
            [
                dict(name="quotes", arguments='{"symbol":"GOOG"}'),
                dict(name="signals", arguments='{"symbol":"MSFT"}'),
            ],
            id="neither id nor index",
        ),
        pytest.param(
            [
                dict(id="a", name="quotes"),
                dict(id="a", arguments='{"symbol":'),
                dict(id="a", arguments='"GOOG"}'),
                dict(id="b", name="signals"),
                dict(arguments='{"symbol":"MSFT"}'),
            ],
            id="by id, then by order",
        ),
        pytest.param(
            [
                dict(index=0, id="a", name="quotes", arguments='{"symbol":"GOOG"}'),
                dict(index=0, id="a", name="quotes"),
                dict(index=1, id="b", name="sign"),
                dict(index=1, name="als", arguments='"{\\"symbol\\":\\"MSFT\\"}"'),
            ],
            id="name repeated, name in pieces, arguments encoded twice",
        ),
    ],
)
def test_two_calls_come_together(fragments: list[dict[str, Any]]) -> None:
    assert built(*fragments) == [A, B]


def test_calls_without_or_with_the_same_id_get_their_own() -> None:
    calls = ToolFragments()
    for index in range(3):
        calls.add(index=index, name="quotes", arguments="{}")
    calls.add(index=3, id="x", name="quotes")
    calls.add(index=4, id="x", name="quotes")
    ids = [call.id for call in calls.requests()]
    assert len(set(ids)) == 5
    assert all(ids)


@pytest.mark.parametrize(
    "text",
    [
        '{"symbol": "GO',
        "[1]",
        "7",
        '"just text"',
        "{'symbol': 1}",
        '{"x": NaN}',
        '{"x": 1e999}',
        '{"x": [-1e400]}',
        "[" * 9999,
    ],
)
def test_arguments_that_are_no_object_are_kept_as_written(text: str) -> None:
    calls = ToolFragments()
    calls.add(index=0, id="a", name="quotes", arguments=text)
    (call,) = calls.requests()
    assert call.malformed == text
    assert call.arguments == {}


def test_no_arguments_are_an_empty_object() -> None:
    assert built(dict(index=0, id="a", name="help", arguments=" ")) == [("help", {})]


def test_arguments_never_carry_text_that_cannot_be_stored() -> None:
    text = '{"symbol": "\\ud800\\u0000", "s\\udfff": ["\\ud83d\\ude00"]}'
    ((_, arguments),) = built(dict(index=0, id="a", name="q", arguments=text))
    assert arguments == {"symbol": "\ufffd\ufffd", "s\ufffd": ["😀"]}
