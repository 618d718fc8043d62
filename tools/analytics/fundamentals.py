"""What a company's reports and its price say at a moment: the data model's fundamentals. Pure.

Statements are found by the day they were published, never by the period they speak of. A restated
period counts as restated from the day of the restatement on. Money is Decimal. A ratio without a
sound denominator is None with a reason; nothing is ever filled in.
"""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal

import msgspec

STALE_AFTER = timedelta(days=548)
"""Figures of a period that ended longer ago say nothing about today's price: a year, and the half
year in which the next year's report comes out."""
_SAME_END = timedelta(days=12)
"""Fiscal periods end on the last Saturday as well as on the last day."""
_MONTH = 30.4375

DEFINITIONS = {
    "marketCap": "close x shares outstanding as last reported, restated for splits since",
    "peRatio": "market cap / earnings of the last twelve reported months; none when those are not "
    "above 0",
    "pbRatio": "market cap / shareholders' equity as last reported; none when that is not above 0",
    "divYield": "dividends per share of the last twelve reported months, restated for splits "
    "since, / close; a fraction",
    "revenue": "revenue of the last twelve reported months",
    "earnings": "net income of the last twelve reported months",
    "debtToEquity": "interest-bearing debt / shareholders' equity, both as last reported; none "
    "when equity is not above 0",
    "roe": "earnings of the last twelve reported months / mean of shareholders' equity at their "
    "end and a year before, or at their end alone when the year before is not known; a fraction",
}
"""How each field is computed."""


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """What a company reported about one period, as published once."""

    symbol: str
    period_end: date
    months: int
    """Length of the period: 3, 6, 9 or 12. A nine-month figure is the sum since the year began."""
    published_at: datetime
    """UTC; nobody could know it before."""
    currency: str
    revenue: Decimal | None = None
    net_income: Decimal | None = None
    """Attributable to the shareholders."""
    equity: Decimal | None = None
    """Attributable to the shareholders, at the end of the period."""
    total_debt: Decimal | None = None
    """Interest-bearing, at the end of the period."""
    shares: Decimal | None = None
    """Outstanding at the end of the period."""
    dividends_per_share: Decimal | None = None
    """Paid or declared for the period."""
    source: str
    """As a person would cite it."""


class Price(msgspec.Struct, frozen=True):
    """A close, and how many of its shares one share of an earlier day was."""

    close: Decimal
    day: date
    currency: str
    splits: tuple[tuple[date, Decimal], ...] = ()
    """Day of a split inside the history -> new shares per old one."""

    def shares_since(self, day: date) -> Decimal:
        """Return how many shares at the close one share of `day` has become."""
        factor = Decimal(1)
        for at, ratio in self.splits:
            if at > day:
                factor *= ratio
        return factor


class Fundamentals(msgspec.Struct, frozen=True, kw_only=True):
    """The data model's FundamentalAnalysis, with where it comes from."""

    pe_ratio: float | None = None
    pb_ratio: float | None = None
    div_yield: float | None = None
    market_cap: Decimal | None = None
    revenue: Decimal | None = None
    earnings: Decimal | None = None
    debt_to_equity: float | None = None
    roe: float | None = None
    reasons: dict[str, str]
    """Field of the data model -> why it is missing."""
    period_end: date | None = None
    """End of the newest period known."""
    published_at: datetime | None = None
    """When that was published."""
    trailing_end: date | None = None
    """End of the twelve months that revenue and earnings cover."""
    trailing_made_of: str = ""
    """How those twelve months were put together."""
    currency: str | None = None
    source: str = ""


def known(statements: Iterable[Statement], *, at: datetime) -> list[Statement]:
    """Return what had been published by a moment, each period as last stated, newest first."""
    newest: dict[tuple[date, int], Statement] = {}
    for one in statements:
        if one.published_at > at:
            continue
        before = newest.get((one.period_end, one.months))
        if before is None or one.published_at > before.published_at:
            newest[one.period_end, one.months] = one
    return sorted(newest.values(), key=lambda s: (s.period_end, s.published_at), reverse=True)


def analyse(statements: Iterable[Statement], *, at: datetime, price: Price | None) -> Fundamentals:
    """Return the fundamentals at a moment from what was published by then and the price then."""
    seen = known(statements, at=at)
    oldest = at.date() - STALE_AFTER
    if not seen or seen[0].period_end < oldest:
        return Fundamentals(reasons=dict.fromkeys(DEFINITIONS, _nothing(seen, at)))
    currency = seen[0].currency
    seen = [one for one in seen if one.currency == currency]
    # Only where a year, or a balance, ends must be recent; what it is put together from may be old.
    fresh = [one for one in seen if one.period_end >= oldest]
    reasons: dict[str, str] = {}
    revenue, earnings, dividends = (
        _trailing(seen, name, since=oldest)
        for name in ("revenue", "net_income", "dividends_per_share")
    )
    equity, debt, shares = (_last(fresh, name) for name in ("equity", "total_debt", "shares"))
    for field, flow, said in (
        ("revenue", revenue, "revenue"),
        ("earnings", earnings, "net income"),
    ):
        if flow is None:
            reasons[field] = _no_year(fresh, said)
    cap = _market_cap(price, shares, currency, reasons)
    return Fundamentals(
        pe_ratio=_pe(cap, earnings, reasons),
        pb_ratio=_over("pbRatio", cap, equity, reasons),
        div_yield=_yield(price, dividends, currency, reasons),
        market_cap=cap,
        revenue=None if revenue is None else revenue.value,
        earnings=None if earnings is None else earnings.value,
        debt_to_equity=_debt_to_equity(debt, equity, reasons),
        roe=_roe(seen, earnings, reasons),
        reasons=reasons,
        period_end=fresh[0].period_end,
        published_at=fresh[0].published_at,
        trailing_end=None if earnings is None else earnings.end,
        trailing_made_of="" if earnings is None else earnings.made_of,
        currency=currency,
        source="; ".join(dict.fromkeys(one.source for one in fresh[:8])),
    )


def vote(found: Fundamentals) -> float | None:
    """Return a vote of the fundamentals in a composite, −1 to 1; None when nothing can be said.

    The mean of: return on equity around 10 %, earnings yield around 5 %, debt around equity. Its
    weight there is 0 until it is measured that it adds anything.
    """
    parts = []
    if found.roe is not None:
        parts.append((found.roe - 0.10) / 0.10)
    if found.pe_ratio is not None:
        parts.append((1.0 / found.pe_ratio - 0.05) / 0.05)
    if found.debt_to_equity is not None:
        parts.append(1.0 - found.debt_to_equity)
    if not parts:
        return None
    return sum(max(-1.0, min(1.0, part)) for part in parts) / len(parts)


class _Flow(msgspec.Struct, frozen=True):
    """A sum over twelve months."""

    value: Decimal
    end: date
    made_of: str


class _Stock(msgspec.Struct, frozen=True):
    """A value at the end of a period."""

    value: Decimal
    end: date


def _trailing(seen: Sequence[Statement], name: str, *, since: date) -> _Flow | None:
    """Return the newest sum over twelve reported months that can be put together.

    They end at `since` or later.
    """
    told = [one for one in seen if getattr(one, name) is not None]
    for end in dict.fromkeys(one.period_end for one in told if one.period_end >= since):
        for make in (_whole_year, _four_quarters, _year_rolled_on):
            flow = make(told, name, end)
            if flow is not None:
                return flow
    return None


def _whole_year(told: Sequence[Statement], name: str, end: date) -> _Flow | None:
    year = _ending(told, end, 12)
    if year is None:
        return None
    return _Flow(getattr(year, name), year.period_end, f"the year to {year.period_end}")


def _four_quarters(told: Sequence[Statement], name: str, end: date) -> _Flow | None:
    quarters = [_ending(told, _months_before(end, months), 3) for months in (0, 3, 6, 9)]
    values = [getattr(one, name) for one in quarters if one is not None]
    if len(values) < 4:
        return None
    return _Flow(sum(values, Decimal(0)), end, f"the four quarters to {end}")


def _year_rolled_on(told: Sequence[Statement], name: str, end: date) -> _Flow | None:
    """Return the year before and the months since, less the same months of that year."""
    for months in (9, 6, 3):
        since = _ending(told, end, months)
        if since is None:
            continue
        year = _ending(told, _months_before(end, months), 12)
        before = _ending(told, _months_before(end, 12), months)
        if year is not None and before is not None:
            value = getattr(since, name) + getattr(year, name) - getattr(before, name)
            made_of = (
                f"the year to {year.period_end} and the {months} months to {end}, less the "
                f"{months} months to {before.period_end}"
            )
            return _Flow(value, end, made_of)
    return None


def _ending(told: Sequence[Statement], end: date, months: int) -> Statement | None:
    """Return the statement over so many months that ends on about that day."""
    near = [one for one in told if one.months == months and abs(one.period_end - end) <= _SAME_END]
    return min(near, key=lambda one: abs(one.period_end - end), default=None)


def _months_before(end: date, months: int) -> date:
    return end - timedelta(days=round(months * _MONTH))


def _last(seen: Sequence[Statement], name: str) -> _Stock | None:
    for one in seen:
        value = getattr(one, name)
        if value is not None:
            return _Stock(value, one.period_end)
    return None


def _market_cap(
    price: Price | None, shares: _Stock | None, currency: str, reasons: dict[str, str]
) -> Decimal | None:
    why = _no_price(price, currency)
    if why is None and (shares is None or shares.value <= 0):
        why = "the number of shares was not reported"
    if why is not None or price is None or shares is None:
        reasons["marketCap"] = why or ""
        return None
    return price.close * shares.value * price.shares_since(shares.end)


def _no_price(price: Price | None, currency: str) -> str | None:
    if price is None:
        return "there is no price at that moment"
    if price.currency != currency:
        return f"the price is in {price.currency} and the statements are in {currency}"
    return None


def _pe(cap: Decimal | None, earnings: _Flow | None, reasons: dict[str, str]) -> float | None:
    if cap is None or earnings is None:
        reasons["peRatio"] = reasons.get("earnings") or reasons["marketCap"]
        return None
    if earnings.value <= 0:
        said = "lost money" if earnings.value < 0 else "earned nothing"
        reasons["peRatio"] = f"it {said} in {earnings.made_of}, and a P/E needs earnings above 0"
        return None
    return float(cap / earnings.value)


def _over(
    field: str, value: Decimal | None, equity: _Stock | None, reasons: dict[str, str]
) -> float | None:
    if value is None:
        reasons[field] = reasons["marketCap"]
        return None
    if equity is None:
        reasons[field] = "shareholders' equity was not reported"
        return None
    if equity.value <= 0:
        reasons[field] = "shareholders' equity is not above 0"
        return None
    return float(value / equity.value)


def _debt_to_equity(
    debt: _Stock | None, equity: _Stock | None, reasons: dict[str, str]
) -> float | None:
    if debt is None:
        reasons["debtToEquity"] = "debt was not reported"
        return None
    return _over("debtToEquity", debt.value, equity, reasons)


def _yield(
    price: Price | None, dividends: _Flow | None, currency: str, reasons: dict[str, str]
) -> float | None:
    why = _no_price(price, currency)
    if why is None and dividends is None:
        why = "dividends of the last twelve months were not reported"
    if why is not None or price is None or dividends is None:
        reasons["divYield"] = why or ""
        return None
    per_share = dividends.value / price.shares_since(dividends.end)
    return float(per_share / price.close)


def _roe(
    seen: Sequence[Statement],
    earnings: _Flow | None,
    reasons: dict[str, str],
) -> float | None:
    if earnings is None:
        reasons["roe"] = reasons["earnings"]
        return None
    told = [one for one in seen if one.equity is not None]
    at_end = [one.equity for one in told if abs(one.period_end - earnings.end) <= _SAME_END]
    year_ago = _months_before(earnings.end, 12)
    before = [one.equity for one in told if abs(one.period_end - year_ago) <= _SAME_END]
    values = [value for value in (*at_end[:1], *before[:1]) if value is not None]
    if not at_end:
        reasons["roe"] = "shareholders' equity was not reported for the end of those months"
        return None
    if min(values) <= 0:
        reasons["roe"] = "shareholders' equity is not above 0"
        return None
    return float(earnings.value / (sum(values, Decimal(0)) / len(values)))


def _nothing(seen: Sequence[Statement], at: datetime) -> str:
    if not seen:
        return f"nothing had been reported by {at.date()}"
    return f"the newest report is of the period to {seen[0].period_end}, too long ago"


def _no_year(seen: Sequence[Statement], said: str) -> str:
    return (
        f"twelve months of {said} cannot be put together from the periods reported up to "
        f"{seen[0].period_end}"
    )
