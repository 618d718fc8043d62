"""Every value that a tool can give has a name that a person understands.

`labels.tsv` lists them all: where the value stands, what its object is called, its unit, its label.
"""

import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from agents.claims.facts import Fact, collect_facts
from agents.claims.labels import label_of, words_of
from agents.claims.values import Evidence
from tests.fakes.forecasts import MadeUpForecasts
from tests.unit.tools.shipped_news import demo_news
from tools.analytics.fundamentals import Statement
from tools.desk import market_tools
from tools.forecast_book import TASK_OF
from tools.market.demo import vendored_market
from tools.market.fundamentals import InProcessStatements
from tools.registry import ToolBox
from tools.tool import ToolContext

TABLE = Path(__file__).parent / "labels.tsv"
CALLS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("quotes", {"symbol": "GOOG", "period": "1y"}),
    ("indicators", {"symbol": "GOOG"}),
    ("signals", {"symbol": "GOOG"}),
    ("scorecard", {"symbol": "GOOG", "signalType": "volume_spike"}),
    ("levels", {"symbol": "GOOG"}),
    ("what_changed", {"symbol": "GOOG", "period": "1y"}),
    ("compare", {"symbols": ["GOOG", "AAPL"], "period": "1y", "baseline": "MSFT"}),
    (
        "screen",
        {
            "where": {
                "all": [
                    {"field": "rsi", "op": ">", "value": 50},
                    {"field": "close", "op": ">", "value": {"field": "sma200", "times": 1.02}},
                ]
            }
        },
    ),
    ("instruments", {"query": "google"}),
    ("news", {"symbol": "GOOG"}),
    ("fundamentals", {"symbol": "GOOG"}),
    *(("forecast", {"symbol": "GOOG", "what": what}) for what in TASK_OF),
    ("forecast", {"symbol": "GOOG", "what": "regime", "horizon": 20}),
    ("past_forecasts", {"symbol": "GOOG"}),
)
_REPORT = Statement(
    symbol="GOOG",
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
    source="made up",
)


@pytest.fixture(scope="module")
async def facts() -> list[Fact]:
    market = vendored_market()
    news, statements = await demo_news(market), InProcessStatements([_REPORT])
    box = ToolBox(
        market_tools(market, market, news=news, statements=statements, forecasts=MadeUpForecasts())
    )
    context = ToolContext(principal_id="somebody", now=datetime(2026, 11, 23, tzinfo=UTC))
    evidence = []
    for tool, arguments in CALLS:
        result = (await box.call(tool, arguments, context)).evidence()
        evidence.append(Evidence("call", tool, arguments, result))
    return collect_facts(evidence)


def rows(facts: list[Fact]) -> set[tuple[str, str, str, str]]:
    """Return where the values stand, without positions in lists, and what they are called."""
    return {
        (
            re.sub(r"/[0-9]+", "/#", "/" + "/".join(fact.path)),
            fact.named,
            fact.unit,
            label_of(fact).replace("AAPL ", "GOOG "),
        )
        for fact in facts
    }


async def test_all_values_of_all_tools_are_called_what_the_table_says(facts: list[Fact]) -> None:
    written = [line.split("\t") for line in TABLE.read_text(encoding="utf-8").splitlines()]
    assert rows(facts) == {(path, named, unit, label) for path, named, unit, label in written}


async def test_no_label_speaks_as_programs_do(facts: list[Fact]) -> None:
    for path, _, unit, label in rows(facts):
        assert not re.search(r"[a-z][A-Z]|_|\br 2\b|\bN\b", label), (path, label)
        words = re.findall(r"[^\W\d_]+", label)
        assert words, path
        assert len(set(words)) >= len(words) - 1, (path, label)
        if path == "/asOf":
            continue
        assert not {"data", "instruments", "signals", "technical"} & set(words[:-2]), (path, label)
        assert "percent" not in words or "%" not in unit, (path, label)


@pytest.mark.parametrize(
    ("path", "named", "unit", "words"),
    [
        ("data/technicalAnalysis/trendLine/r2", "", "0-1", "trend line R²"),
        ("data/trackRecord/n", "", "past cases", "past cases"),
        ("data/instruments/0/changePercent", "Apple Inc.", "%", "change"),
        ("data/instruments/0/changePercent", "", "", "change percent"),
        ("data/technicalAnalysis/rsi", "", "", "RSI"),
        ("data/signals/0/trackRecord/hitRate", "trend_change", "%", "trend change hit rate"),
        ("data/indicators/3/value", "RSI (14)", "", "RSI (14)"),
        ("data/somebodyElses/keyName", "", "", "somebody elses key name"),
        ("data/0/1", "", "", "value"),
        ("data/percentileRank", "", "%", "percentile"),
        ("data", "", "", "value"),
    ],
)
def test_a_path_is_put_in_words(path: str, named: str, unit: str, words: str) -> None:
    said = words_of(tuple(path.split("/")), named=named, unit=unit)
    assert said == words
