"""Steps are in plain words."""

from typing import Any

import pytest

from agents.steps import asking, calling


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("quotes", {"symbol": "GOOG"}, "reading GOOG prices"),
        ("quotes", {"symbols": ["GOOG", "MSFT"]}, "reading GOOG and MSFT prices"),
        ("indicators", {"symbols": ["A", "B", "C"]}, "computing indicators of A, B and C"),
        ("signals", {"symbols": list("ABCDE")}, "checking signals of A, B, C and 2 more"),
        ("compare", {"symbols": ["GOOG", "MSFT"]}, "comparing GOOG and MSFT"),
        ("instruments", {"query": "goo"}, "looking up instruments"),
        ("quotes", {}, "reading market prices"),
        ("my_tool", {"symbol": "X"}, "using my tool for X"),
        ("my_tool", {"symbol": 7}, "using my tool"),
        ("", {}, "using a tool"),
    ],
)
def test_a_tool_call_is_said(tool: str, arguments: dict[str, Any], words: str) -> None:
    assert calling(tool, arguments) == words


def test_a_model_is_asked_by_its_name() -> None:
    assert asking("openai", "gpt-x") == "asking gpt-x"
    assert asking("builtin", "builtin") == "asking the built-in model"
