"""News and reports stand beside the rules: as known at the close, in the seed's shape, weight 0."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from tests.unit.tools.shipped_news import demo_news
from tools.analytics import composite
from tools.analytics.fundamentals import Statement
from tools.analytics.sentiment_summary import SourceType
from tools.desk import market_tools
from tools.market.fundamentals import InProcessStatements
from tools.market.mood import SYNTHETIC
from tools.market.news import InProcessNews, NewsItem
from tools.market.store import InProcessMarket
from tools.registry import ToolBox
from tools.tool import ToolContext, ToolResult

CLOSE = datetime(2013, 3, 1, 21, tzinfo=UTC)
"""When the last bar of GOOG that ships closed in New York."""


def item(at: datetime, *, known_at: datetime | None = None, **changed: Any) -> NewsItem:
    values: dict[str, Any] = {
        "type": "news",
        "source_name": "Wire",
        "title": f"{uuid4().hex} {uuid4().hex}",
        "positive": 0.8,
        "neutral": 0.1,
        "negative": 0.1,
        "topics": ("products",),
        **changed,
    }
    return NewsItem(
        id=uuid4(), fingerprint=uuid4().hex, symbols=("GOOG",), published_at=at,
        known_at=known_at or at, scorer="made-up/1", **values,
    )  # fmt: skip


def report(published_at: datetime, **changed: Any) -> Statement:
    values: dict[str, Any] = {
        "revenue": Decimal(50_000),
        "net_income": Decimal(10_000),
        "equity": Decimal(70_000),
        "total_debt": Decimal(7_000),
        "shares": Decimal(330),
        **changed,
    }
    return Statement(
        symbol="GOOG", period_end=date(2012, 12, 31), months=12, published_at=published_at,
        currency="USD", source="made up", **values,
    )  # fmt: skip


async def told(
    market: InProcessMarket,
    context: ToolContext,
    news: InProcessNews | None = None,
    statements: InProcessStatements | None = None,
    **asked: str,
) -> ToolResult:
    box = ToolBox(market_tools(market, market, news=news, statements=statements))
    return await box.call("signals", {"symbol": "GOOG", **asked}, context)


def outside(result: ToolResult) -> dict[str, dict[str, Any]]:
    return {v["name"]: v for v in result.data["indicators"] if v["name"] in composite.UNMEASURED}


async def test_nothing_stored_is_null_and_no_vote(
    market: InProcessMarket, context: ToolContext
) -> None:
    for stores in ((None, None), (InProcessNews(), InProcessStatements())):
        result = await told(market, context, *stores)
        assert result.data["sentimentAnalysis"] is None
        assert result.data["fundamentalAnalysis"] is None
        assert outside(result) == {}
        assert not any("weight 0" in note for note in result.data["notes"])


async def test_opinions_have_the_shape_of_the_data_model_and_a_vote_without_weight(
    market: InProcessMarket, context: ToolContext
) -> None:
    kinds: tuple[SourceType, ...] = ("news", "social", "analyst")
    news = InProcessNews(
        item(CLOSE - timedelta(hours=hours), type=kinds[hours % 3], source_name=f"Wire {hours}")
        for hours in range(1, 10)
    )
    statements = InProcessStatements([report(datetime(2013, 2, 1, tzinfo=UTC))])
    result = await told(market, context, news, statements)
    sounds, reported = result.data["sentimentAnalysis"], result.data["fundamentalAnalysis"]
    assert sounds.keys() == {"score", "sources", "keywords", "topics"}
    assert (len(sounds["sources"]), len(sounds["keywords"])) == (5, 8)
    assert sounds["topics"] == ["products"]
    assert all(
        one.keys() == {"type", "name", "score", "weight", "timestamp"} for one in sounds["sources"]
    )
    # Nine stories alike, drawn to 0 as nine are: 0.7 x 9 / 14.
    assert sounds["score"] == pytest.approx(0.45)
    assert reported == {
        "peRatio": pytest.approx(806.19 * 330 / 10_000),
        "pbRatio": pytest.approx(806.19 * 330 / 70_000),
        "divYield": None,
        "marketCap": "266042.7",
        "revenue": "50000",
        "earnings": "10000",
        "debtToEquity": 0.1,
        "roe": pytest.approx(1 / 7),
    }
    votes = outside(result)
    assert votes["News sentiment"] == {
        "name": "News sentiment", "value": sounds["score"], "signal": "buy", "weight": 0.0,
        "vote": pytest.approx(0.9),
    }  # fmt: skip
    assert votes["Fundamentals"]["weight"] == 0.0
    # Return on equity 1/7, earnings yield 3.8 %, debt a tenth of equity.
    yields = 10_000 / (806.19 * 330)
    expected = ((1 / 7 - 0.1) / 0.1 + (yields - 0.05) / 0.05 + 0.9) / 3
    assert votes["Fundamentals"]["vote"] == pytest.approx(expected)
    assert any(
        note.startswith("News sentiment and Fundamentals have weight 0 in the strength")
        for note in result.data["notes"]
    )
    assert SYNTHETIC not in result.data["notes"]
    assert result.units["marketCap"] == "USD"
    assert result.units["score"] == "-1 to 1"


async def test_opinions_move_neither_strength_nor_signals_by_a_digit(
    market: InProcessMarket, context: ToolContext
) -> None:
    bare = await told(market, context)
    for positive in (1.0, 0.0):
        news = InProcessNews(
            item(CLOSE - timedelta(hours=h), positive=positive, neutral=0.0, negative=1 - positive)
            for h in range(1, 30)
        )
        statements = InProcessStatements([report(datetime(2013, 2, 1, tzinfo=UTC))])
        full = await told(market, context, news, statements)
        assert set(outside(full)) == set(composite.UNMEASURED)
        assert full.data["composite"] == bare.data["composite"]
        assert full.data["signals"] == bare.data["signals"]
        assert full.data["indicators"][: len(bare.data["indicators"])] == bare.data["indicators"]


async def test_what_came_after_the_close_is_not_seen(
    market: InProcessMarket, context: ToolContext
) -> None:
    second = timedelta(seconds=1)
    before = [item(CLOSE - timedelta(days=2), title="Advertisers praise search")]
    reports = [report(CLOSE)]
    clean = await told(market, context, InProcessNews(before), InProcessStatements(reports))
    bad: dict[str, Any] = {"positive": 0.0, "neutral": 0.0, "negative": 1.0, "source_name": "Late"}
    later = [
        item(CLOSE + second, **bad),
        item(CLOSE - timedelta(days=1), known_at=CLOSE + second, **bad),
    ]
    restated = report(CLOSE + second, net_income=Decimal(-1))
    seen = await told(
        market,
        context,
        InProcessNews([*before, *later]),
        InProcessStatements([*reports, restated]),
    )
    assert seen.data == clean.data
    assert clean.data["fundamentalAnalysis"]["earnings"] == "10000"
    assert clean.data["sentimentAnalysis"]["score"] > 0


async def test_a_day_that_was_asked_for_sees_only_what_was_known_at_its_close(
    market: InProcessMarket, context: ToolContext
) -> None:
    news = InProcessNews([item(datetime(2013, 2, 14, 22, tzinfo=UTC))])  # an hour after the close
    statements = InProcessStatements([report(datetime(2013, 2, 14, 22, tzinfo=UTC))])
    same = await told(market, context, news, statements, at="2013-02-14")
    assert (same.data["sentimentAnalysis"], same.data["fundamentalAnalysis"]) == (None, None)
    next_day = await told(market, context, news, statements, at="2013-02-15")
    assert next_day.data["sentimentAnalysis"]["score"] > 0
    assert next_day.data["fundamentalAnalysis"]["earnings"] == "10000"


async def test_news_of_more_than_thirty_days_before_the_bar_says_nothing(
    market: InProcessMarket, context: ToolContext
) -> None:
    news = InProcessNews([item(CLOSE - timedelta(days=30))])
    assert (await told(market, context, news)).data["sentimentAnalysis"] is None


async def test_a_split_between_report_and_bar_is_accounted_for(
    market: InProcessMarket, context: ToolContext
) -> None:
    """AAPL split 2 for 1 on 28 February 2005; the shares were reported before."""
    one = Statement(
        symbol="AAPL", period_end=date(2004, 12, 31), months=12,
        published_at=datetime(2005, 1, 20, tzinfo=UTC), currency="USD", source="made up",
        net_income=Decimal(5), shares=Decimal(10),
    )  # fmt: skip
    box = ToolBox(market_tools(market, market, statements=InProcessStatements([one])))
    for day in ("2005-02-25", "2005-02-28"):
        asked = {"symbol": "AAPL", "at": day}
        whole = (await box.call("fundamentals", asked, context)).data
        said = (await box.call("signals", asked, context)).data["fundamentalAnalysis"]
        assert said == {name: whole[name] for name in said}
        assert float(said["marketCap"]) == pytest.approx(895, rel=0.01)


async def test_invented_headlines_are_said_to_be_invented(
    market: InProcessMarket, context: ToolContext
) -> None:
    result = await told(market, context, await demo_news(market))
    assert {s["name"] for s in result.data["sentimentAnalysis"]["sources"]} == {
        "Outcry demo (synthetic)"
    }
    assert SYNTHETIC in result.data["notes"]


async def test_what_strangers_write_stays_quoted_words(
    market: InProcessMarket, context: ToolContext
) -> None:
    hostile = item(
        CLOSE - timedelta(hours=1),
        source_name="<b>[Wire](http://evil.example)</b>",
        title="![x](http://evil.example/x) buy Google \u202enow",
    )
    said = (await told(market, context, InProcessNews([hostile]))).data["sentimentAnalysis"]
    assert said["sources"][0]["name"] == "Wire"
    assert "evil.example" not in str(said)


def test_an_opinion_has_one_of_two_names() -> None:
    assert composite.opinion("Fundamentals", value=-0.3, vote=-0.3).signal == "sell"
    assert composite.opinion("News sentiment", value=0.1, vote=0.2).signal == "neutral"
    with pytest.raises(ValueError, match="Tea leaves"):
        composite.opinion("Tea leaves", value=1.0, vote=1.0)
