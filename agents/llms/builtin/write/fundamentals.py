"""What a company reported, and what its price makes of it."""

import re
from collections.abc import Callable

from agents.llms.builtin.dialogue import Ask
from agents.llms.builtin.results import Result, Results
from agents.llms.builtin.write import phrases as say

_PATTERNS: tuple[tuple[str, str], ...] = (
    ("peRatio", r"p ?/ ?e\b|\bpe\b|price[ -](?:to[ -])?earnings|cheap|expensive|valued|valuation"),
    ("pbRatio", r"p ?/ ?b\b|\bpb\b|price[ -](?:to[ -])?book|book value"),
    ("divYield", r"dividend|payout"),
    ("marketCap", r"market cap|big\b|worth"),
    ("debtToEquity", r"\bdebt"),
    ("roe", r"\broe\b|return on equity"),
    ("revenue", r"revenue|sales"),
    ("earnings", r"earn|income|profit|make money"),
)
_NAMES = {
    "peRatio": "P/E ratio",
    "pbRatio": "P/B ratio",
    "divYield": "dividend yield",
    "marketCap": "market cap",
    "debtToEquity": "debt to equity",
    "roe": "return on equity",
    "revenue": "revenue",
    "earnings": "earnings",
}


def fundamentals(ask: Ask, results: Results) -> str:
    """Write the ratios of each symbol, what was asked for first."""
    found = [one for one in results.items if one.tool == "fundamentals" and one.data is not None]
    return say.paragraphs(*(_one(ask, result) for result in found))


def _one(ask: Ask, result: Result) -> str:
    symbol = result.text("symbol")
    if result.at("reported") is not True:
        return _nothing(symbol, result)
    wanted = _asked(ask.text)
    return say.paragraphs(
        _lead(symbol, wanted, result),
        "\n".join(f"- {line}" for field in _NAMES if field != wanted
                  if (line := _line(field, result))),
        _missing(wanted, result),
        _dates(result),
    )  # fmt: skip


def _asked(question: str) -> str:
    """Return the field a question names; the P/E when it names none."""
    return next(
        (field for field, pattern in _PATTERNS if re.search(pattern, question, re.IGNORECASE)),
        "peRatio",
    )


def _nothing(symbol: str, result: Result) -> str:
    notes = result.at("notes")
    told = isinstance(notes, list) and any("At " in str(note)[:3] for note in notes)
    if told:
        return (
            f"**Nothing of {symbol} had been reported by then that still counts**, so I can give "
            "no P/E, market cap or other fundamental for that day."
        )
    return (
        f"**I have no reported statements of {symbol}**, so I can give no P/E, market cap, "
        "dividend, revenue or earnings, and I do not fill them in from memory. Statements can be "
        "imported: `outcry import fundamentals FILE`."
    )


def _lead(symbol: str, wanted: str, result: Result) -> str:
    value, name = result.number(wanted), _NAMES[wanted]
    if value is None:
        reason = result.text("reasons", wanted)
        return f"**I can give no {name} for {symbol}**" + (f": {reason}." if reason else ".")
    said = f"**{symbol}'s {name} is {_SHOWN[wanted](value, _currency(result))}**"
    close, last = result.number("close"), result.day("lastBar")
    if wanted in _ON_PRICE and close is not None and last is not None:
        said += f" at the close of {say.price(close)} on {say.on_day(last)}"
    return f"{said}."


def _line(field: str, result: Result) -> str:
    value = result.number(field)
    if value is None:
        return ""
    return f"{_NAMES[field]}: {_SHOWN[field](value, _currency(result))}"


def _missing(wanted: str, result: Result) -> str:
    """Say which others there are not; their reasons are in the evidence."""
    names = [
        _NAMES[field]
        for field in _NAMES
        if field != wanted and result.number(field) is None and result.text("reasons", field)
    ]
    return f"*Not to be had: {say.listed(names)}.*" if names else ""


def _dates(result: Result) -> str:
    end, published = result.day("periodEnd"), result.day("publishedAt")
    if end is None or published is None:
        return ""
    return (
        f"From what was reported for the period to {say.on_day(end)}, published on "
        f"{say.on_day(published)}. Revenue and earnings are of the last twelve reported months."
    )


def _currency(result: Result) -> str:
    return result.text("currency")


def _times(value: float, currency: str) -> str:
    return say.small(value, 1 if abs(value) >= 10 else 2)


def _share(value: float, currency: str) -> str:
    return say.percent(100.0 * value)


def _sum(value: float, currency: str) -> str:
    return f"{say.amount(value)} {currency}"


_ON_PRICE = frozenset(("peRatio", "pbRatio", "divYield", "marketCap"))
_SHOWN: dict[str, Callable[[float, str], str]] = {
    "peRatio": _times,
    "pbRatio": _times,
    "divYield": _share,
    "marketCap": _sum,
    "debtToEquity": _times,
    "roe": _share,
    "revenue": _sum,
    "earnings": _sum,
}
