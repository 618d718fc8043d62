"""What all tools together cost a model to know, and that they speak one language."""

import json

import pytest

from tools.desk import market_tools
from tools.market.fundamentals import InProcessStatements
from tools.market.news import InProcessNews
from tools.market.store import InProcessMarket
from tools.registry import ToolBox

MOST_TOKENS = 4_500
"""For all specs together; about four characters are one token."""


@pytest.fixture
def box(market: InProcessMarket) -> ToolBox:
    """Everything a desk offers."""
    return ToolBox(
        market_tools(market, market, news=InProcessNews(), statements=InProcessStatements())
    )


def test_all_tools_together_are_small_enough_to_be_told_every_time(box: ToolBox) -> None:
    told = [
        {"name": one.name, "description": one.description, "parameters": one.parameters}
        for one in box.specs()
    ]
    assert len(json.dumps(told)) / 4 < MOST_TOKENS


def test_an_argument_of_one_name_is_the_same_everywhere(box: ToolBox) -> None:
    seen: dict[str, str] = {}
    for spec in box.specs():
        for name, schema in spec.parameters["properties"].items():
            kinds = json.dumps(
                sorted(one.get("type", "") for one in schema.get("anyOf", [schema])),
            )
            assert seen.setdefault(name, kinds) == kinds, (spec.name, name)


def test_every_description_says_something_of_its_own(box: ToolBox) -> None:
    openings = [spec.description[:40] for spec in box.specs()]
    assert len(set(openings)) == len(openings)
    assert all(60 < len(spec.description) < 600 for spec in box.specs())
