"""Ratios from what had been published, exact money, and a reason for everything that is missing."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tools.analytics.fundamentals import DEFINITIONS, Price, Statement, analyse, known, vote
from tools.desk import market_tools
from tools.market.demo import vendored_market
from tools.market.fundamentals import InProcessStatements
from tools.registry import ToolBox
from tools.tool import ToolContext

AT = datetime(2024, 5, 10, tzinfo=UTC)
PRICE = Price(Decimal("50.25"), date(2024, 5, 9), "USD")


def statement(end: str, months: int = 12, published: str = "", **changed: Any) -> Statement:
    period_end = date.fromisoformat(end)
    at = datetime.fromisoformat(published) if published else None
    values: dict[str, Any] = {
        "symbol": "ACME",
        "period_end": period_end,
        "months": months,
        "published_at": at.replace(tzinfo=UTC)
        if at
        else datetime(period_end.year, period_end.month, 28, tzinfo=UTC) + timedelta(days=40),
        "currency": "USD",
        "revenue": Decimal(1000 * months) / 12,
        "net_income": Decimal(120 * months) / 12,
        "equity": Decimal(600),
        "total_debt": Decimal(150),
        "shares": Decimal(20),
        "dividends_per_share": Decimal("1.2") * months / 12,
        "source": "made up",
        **changed,
    }
    return Statement(**values)


def test_every_field_follows_its_definition_to_the_last_digit() -> None:
    found = analyse(
        [statement("2023-12-31"), statement("2022-12-31", equity=Decimal(400))], at=AT, price=PRICE
    )
    assert found.reasons == {}
    assert found.market_cap == Decimal("1005.00")
    assert found.pe_ratio == 1005 / 120
    assert found.pb_ratio == 1005 / 600
    assert found.div_yield == pytest.approx(1.2 / 50.25, rel=1e-15)
    assert (found.revenue, found.earnings) == (Decimal(1000), Decimal(120))
    assert found.debt_to_equity == 0.25
    assert found.roe == 120 / 500  # mean of 600 and 400
    assert set(DEFINITIONS) == {
        "marketCap", "peRatio", "pbRatio", "divYield", "revenue", "earnings", "debtToEquity", "roe"
    }  # fmt: skip


def test_a_year_is_unknown_until_it_is_published() -> None:
    told = [
        statement("2022-12-31", net_income=Decimal(100)),
        statement("2023-12-31", published="2024-02-20T21:00:00", net_income=Decimal(200)),
    ]
    before = analyse(told, at=datetime(2024, 2, 20, 20, 59, 59, tzinfo=UTC), price=PRICE)
    after = analyse(told, at=datetime(2024, 2, 20, 21, 0, tzinfo=UTC), price=PRICE)
    assert (before.earnings, before.period_end) == (Decimal(100), date(2022, 12, 31))
    assert (after.earnings, after.period_end) == (Decimal(200), date(2023, 12, 31))


def test_a_restatement_counts_from_its_own_day() -> None:
    first = statement("2023-12-31", published="2024-02-01")
    again = statement("2023-12-31", published="2024-04-01", net_income=Decimal(60))
    found = [
        analyse([again, first], at=datetime(2024, month, 15, tzinfo=UTC), price=PRICE).earnings
        for month in (2, 3, 4)
    ]
    assert found == [Decimal(120), Decimal(120), Decimal(60)]


def test_no_publication_after_the_moment_changes_anything() -> None:
    told = [statement(f"{year}-{m:02}-28", 3) for year in (2022, 2023) for m in (3, 6, 9, 12)]
    poison = [statement("2024-03-31", published="2024-05-10T00:00:01", net_income=Decimal(-9))]
    poison += [statement("2023-12-28", 3, published="2025-01-01", shares=Decimal(1))]
    for days in range(0, 700, 13):
        moment = AT - timedelta(days=days)
        cut = [one for one in told if one.published_at <= moment]
        assert analyse([*poison, *told], at=moment, price=PRICE) == analyse(
            cut, at=moment, price=PRICE
        )


@pytest.mark.parametrize(
    ("told", "earnings", "made_of"),
    [
        ([statement("2023-12-31")], 120, "the year to 2023-12-31"),
        (
            [statement(end, 3, net_income=Decimal(n)) for n, end in enumerate(
                ("2023-06-30", "2023-09-30", "2023-12-31", "2024-03-30"), 1)],
            10,
            "the four quarters to 2024-03-30",
        ),
        (
            [
                statement("2023-12-31", net_income=Decimal(100)),
                statement("2023-03-31", 3, net_income=Decimal(10)),
                statement("2024-03-31", 3, net_income=Decimal(40)),
            ],
            130,
            "the year to 2023-12-31 and the 3 months to 2024-03-31, less the 3 months to "
            "2023-03-31",
        ),
        (
            # Weeks: fiscal quarters that end on Saturdays.
            [statement(end, 3, net_income=Decimal(5)) for end in (
                "2023-07-01", "2023-09-30", "2023-12-30", "2024-03-30")],
            20,
            "the four quarters to 2024-03-30",
        ),
    ],
)  # fmt: skip
def test_twelve_months_are_put_together(told: list[Statement], earnings: int, made_of: str) -> None:
    found = analyse(told, at=AT, price=PRICE)
    assert (found.earnings, found.trailing_made_of) == (Decimal(earnings), made_of)


def test_a_missing_quarter_is_not_filled_in() -> None:
    told = [statement(end, 3) for end in ("2023-06-30", "2023-12-31", "2024-03-31")]
    found = analyse(told, at=AT, price=PRICE)
    assert found.earnings is None
    assert "cannot be put together" in found.reasons["earnings"]
    assert found.reasons["peRatio"] == found.reasons["earnings"]
    assert found.pb_ratio is not None


def test_a_loss_gives_no_pe_and_says_why() -> None:
    found = analyse([statement("2023-12-31", net_income=Decimal(-5))], at=AT, price=PRICE)
    assert found.pe_ratio is None
    assert found.reasons["peRatio"] == (
        "it lost money in the year to 2023-12-31, and a P/E needs earnings above 0"
    )
    assert found.roe == pytest.approx(-5 / 600)


@pytest.mark.parametrize(
    ("changed", "missing"),
    [
        ({"equity": Decimal(0)}, {"pbRatio", "debtToEquity", "roe"}),
        ({"equity": Decimal(-3)}, {"pbRatio", "debtToEquity", "roe"}),
        ({"equity": None}, {"pbRatio", "debtToEquity", "roe"}),
        ({"total_debt": None}, {"debtToEquity"}),
        ({"shares": None}, {"marketCap", "peRatio", "pbRatio"}),
        ({"dividends_per_share": None}, {"divYield"}),
        ({"revenue": None}, {"revenue"}),
        ({"net_income": None}, {"earnings", "peRatio", "roe"}),
        ({"currency": "EUR"}, {"marketCap", "peRatio", "pbRatio", "divYield"}),
    ],
)
def test_what_was_not_reported_is_missing_with_a_reason(
    changed: dict[str, Any], missing: set[str]
) -> None:
    found = analyse([statement("2023-12-31", **changed)], at=AT, price=PRICE)
    assert set(found.reasons) == missing
    assert all(found.reasons.values())


def test_without_a_price_only_the_reported_figures_are_given() -> None:
    found = analyse([statement("2023-12-31")], at=AT, price=None)
    assert set(found.reasons) == {"marketCap", "peRatio", "pbRatio", "divYield"}
    assert found.roe is not None


def test_old_reports_say_nothing_about_today() -> None:
    found = analyse([statement("2022-06-30")], at=AT, price=PRICE)
    assert set(found.reasons) == set(DEFINITIONS)
    assert "2022-06-30, too long ago" in found.reasons["peRatio"]
    assert analyse([], at=AT, price=PRICE).reasons["peRatio"] == (
        "nothing had been reported by 2024-05-10"
    )


def test_a_year_that_just_ended_may_be_put_together_from_older_figures() -> None:
    told = [
        statement("2022-12-31", published="2023-02-01", net_income=Decimal(100)),
        statement("2022-09-30", 9, published="2022-11-01", net_income=Decimal(70)),
        statement("2023-09-30", 9, published="2023-11-01", net_income=Decimal(90)),
    ]
    found = analyse(told, at=datetime(2024, 6, 16, tzinfo=UTC), price=PRICE)
    assert (found.earnings, found.trailing_end) == (Decimal(120), date(2023, 9, 30))
    assert found.roe == 120 / 600


def test_shares_and_dividends_are_restated_for_a_split_since() -> None:
    split = Price(Decimal("25.125"), date(2024, 5, 9), "USD", ((date(2024, 3, 1), Decimal(2)),))
    plain = analyse([statement("2023-12-31")], at=AT, price=PRICE)
    after = analyse([statement("2023-12-31")], at=AT, price=split)
    assert after.market_cap == plain.market_cap
    assert after.div_yield == plain.div_yield
    before = Price(Decimal("50.25"), date(2024, 5, 9), "USD", ((date(2023, 3, 1), Decimal(2)),))
    assert analyse([statement("2023-12-31")], at=AT, price=before) == plain


def test_money_is_exact() -> None:
    quarters = [
        statement(end, 3, revenue=Decimal("0.1")) for end in (
            "2023-06-30", "2023-09-30", "2023-12-31", "2024-03-31")
    ]  # fmt: skip
    assert analyse(quarters, at=AT, price=PRICE).revenue == Decimal("0.4")


def test_a_vote_is_bounded_and_absent_without_figures() -> None:
    assert vote(analyse([], at=AT, price=None)) is None
    good = vote(analyse([statement("2023-12-31")], at=AT, price=PRICE))
    bad = vote(
        analyse(
            [statement("2023-12-31", net_income=Decimal(-600), total_debt=Decimal(9000))],
            at=AT,
            price=PRICE,
        )
    )
    assert good is not None
    assert bad is not None
    assert -1 <= bad < 0 < good <= 1


def test_the_newest_word_on_each_period_is_known() -> None:
    first = statement("2023-12-31", published="2024-02-01")
    again = statement("2023-12-31", published="2024-04-01")
    assert known([first, again], at=AT) == [again]


async def test_the_tool_speaks_of_the_last_bar_and_not_of_later_reports() -> None:
    market = vendored_market()
    ibm: dict[str, Any] = {"symbol": "IBM"}
    store = InProcessStatements(
        [
            statement("2012-12-31", published="2013-02-20", **ibm),
            statement("2013-12-31", published="2014-02-20", net_income=Decimal(999), **ibm),
        ]
    )
    box = ToolBox(market_tools(market, market, statements=store))
    context = ToolContext(principal_id="somebody", now=datetime(2026, 11, 23, tzinfo=UTC))
    result = await box.call("fundamentals", {"symbol": "ibm"}, context)
    assert (result.data["earnings"], result.data["lastBar"]) == ("120", "2013-03-01")
    assert result.as_of == datetime(2013, 3, 1, tzinfo=UTC)
    assert result.data["definitions"] == DEFINITIONS
    early = await box.call("fundamentals", {"symbol": "IBM", "at": "2013-02-19"}, context)
    assert early.data["peRatio"] is None
    assert early.data["notes"] == ["At 2013-02-19: nothing had been reported by 2013-02-19."]


async def test_an_instrument_without_statements_is_said_to_have_none() -> None:
    market = vendored_market()
    box = ToolBox(market_tools(market, market, statements=InProcessStatements()))
    context = ToolContext(principal_id="somebody", now=datetime(2026, 11, 23, tzinfo=UTC))
    result = await box.call("fundamentals", {"symbol": "Apple"}, context)
    assert result.data["reported"] is False
    assert result.data["peRatio"] is None
    assert "no reported statements of AAPL here" in result.data["notes"][0]
    assert result.as_of is None


async def test_a_real_split_between_report_and_price_is_accounted_for() -> None:
    """AAPL split 2 for 1 on 28 February 2005; the shares were reported before."""
    market = vendored_market()
    store = InProcessStatements(
        [statement("2004-12-31", published="2005-01-20", symbol="AAPL", shares=Decimal(10))]
    )
    box = ToolBox(market_tools(market, market, statements=store))
    context = ToolContext(principal_id="somebody", now=datetime(2026, 11, 23, tzinfo=UTC))
    caps = [
        (await box.call("fundamentals", {"symbol": "AAPL", "at": day}, context)).data["marketCap"]
        for day in ("2005-02-25", "2005-02-28")
    ]
    assert float(caps[1]) == pytest.approx(float(caps[0]), rel=0.05)
