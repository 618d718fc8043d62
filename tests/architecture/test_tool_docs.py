"""`docs/tools.md` names every tool and argument; its examples are true on shipped prices."""

import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.forecasts import MadeUpForecasts
from tests.unit.tools.shipped_news import demo_news
from tools.analytics.fundamentals import Statement
from tools.desk import market_tools
from tools.market.demo import vendored_market
from tools.market.fundamentals import InProcessStatements
from tools.registry import ToolBox
from tools.tool import ToolContext

PAGE = (Path(__file__).resolve().parents[2] / "docs/tools.md").read_text()
REPORT = Statement(
    symbol="IBM",
    period_end=date(2012, 12, 31),
    months=12,
    published_at=datetime(2013, 2, 20, tzinfo=UTC),
    currency="USD",
    revenue=Decimal(1000),
    net_income=Decimal(100),
    equity=Decimal(400),
    total_debt=Decimal(200),
    shares=Decimal(10),
    dividends_per_share=Decimal(2),
    source="a made-up report, for the example only",
)
EXAMPLES = [json.loads(block) for block in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]


async def box() -> ToolBox:
    market = vendored_market()
    news, statements = await demo_news(market), InProcessStatements([REPORT])
    return ToolBox(
        market_tools(market, market, news=news, statements=statements, forecasts=MadeUpForecasts())
    )


def at(document: Any, pointer: str) -> Any:
    for part in pointer.split("/")[1:]:
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


async def test_every_tool_and_argument_is_documented() -> None:
    for spec in (await box()).specs():
        heading = f"## `{spec.name}`\n"
        assert heading in PAGE
        section = PAGE.split(heading, 1)[1].split("\n## ", 1)[0]
        missing = [name for name in spec.parameters["properties"] if f"| `{name}` |" not in section]
        assert missing == [], spec.name


async def test_every_tool_has_an_example() -> None:
    assert {example["tool"] for example in EXAMPLES} == set((await box()).names)


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example["tool"])
async def test_the_example_is_true(example: dict[str, Any]) -> None:
    context = ToolContext(principal_id="docs", now=datetime(2026, 1, 1, tzinfo=UTC))
    result = await (await box()).call(example["tool"], example["arguments"], context)
    evidence = result.evidence()
    for pointer, expected in example["expect"].items():
        found = at(evidence, pointer)
        if isinstance(expected, float):
            assert found == pytest.approx(expected, rel=1e-12), pointer
        else:
            assert found == expected, pointer
