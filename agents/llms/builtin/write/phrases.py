"""Numbers, dates and lists as people read them."""

from collections.abc import Iterable, Sequence
from datetime import date

GAP = "\u00a0"
"""Between a number and its unit, so that no line breaks there."""
_MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September",
           "October", "November", "December")  # fmt: skip


def on_day(day: date) -> str:
    """Return "1 March 2013"."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def price(value: float) -> str:
    """Return a price with the digits that matter: 806.19, 0.0123."""
    if value and abs(value) < 1:
        return f"{value:.4f}".rstrip("0").rstrip(".")
    return _tidy(f"{value:,.2f}")


def slope(value: float) -> str:
    """Return a change a day with two digits that matter: 2.1, 0.020."""
    return small(value, 1) if abs(value) >= 1 else small(value, 2 if abs(value) >= 0.1 else 3)


def percent(value: float, *, digits: int | None = None) -> str:
    """Return "29.5 %" or "-3.2 %" (with a real minus sign)."""
    places = digits if digits is not None else (0 if abs(value) >= 200 else 1)
    if digits is None and value and abs(value) < 0.05:
        places = 2
    return f"{_tidy(f'{value:,.{places}f}')}{GAP}%"


def signed(value: float) -> str:
    """Return "+29.5 %" or "−3.2 %"."""
    shown = percent(value)
    return (
        shown if shown.startswith("−") or not any(c in "123456789" for c in shown) else f"+{shown}"
    )


def rank(value: float) -> str:
    """Return a percentile without pretending to more than it says, and never a false 100."""
    places = 1 if value > 99 or value < 1 else 0
    return f"{value:.{places}f}{GAP}%"


def rates(one: float, other: float) -> tuple[str, str]:
    """Return two rates with the digits it takes to tell them apart."""
    places = 0 if round(one) != round(other) else 1
    return f"{one:.{places}f}{GAP}%", f"{other:.{places}f}{GAP}%"


def index(value: float) -> str:
    """Return a value of an index from 0 to 100, with a decimal where rounding would mislead."""
    for border in (30.0, 70.0):
        if round(value) == border and value != border:
            return f"{value:.1f}"
    return f"{value:.0f}"


def small(value: float, digits: int = 2) -> str:
    """Return a plain number with a real minus sign."""
    return _tidy(f"{value:,.{digits}f}")


def count(value: float) -> str:
    """Return a whole number with separators."""
    return f"{value:,.0f}"


def amount(value: float) -> str:
    """Return a large count in words: "4.35 million"."""
    for size, word in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if abs(value) >= size:
            return (
                f"{value / size:.3g} {word}"
                if abs(value) / size < 100
                else f"{value / size:.0f} {word}"
            )
    return count(value)


def times(value: float) -> str:
    """Return "0.91 times"."""
    return f"{value:.2f} times" if value < 10 else f"{value:.0f} times"


def listed(items: Iterable[str], *, word: str = "and") -> str:
    """Return "a", "a and b", "a, b and c"."""
    parts = [item for item in items if item]
    if len(parts) < 2:
        return "".join(parts)
    return f"{', '.join(parts[:-1])} {word} {parts[-1]}"


def table(head: Sequence[str], body: Iterable[Sequence[str]], *, words: int = 1) -> str:
    """Return a markdown table; after so many columns of words, numbers stand to the right."""
    lines = [
        "| " + " | ".join(head) + " |",
        "|" + "|".join([" :-- "] * words + [" --: "] * (len(head) - words)) + "|",
    ]
    lines += ["| " + " | ".join(row) + " |" for row in body]
    return "\n".join(lines)


def paragraphs(*parts: str) -> str:
    """Join what there is to say, leaving out what there is not."""
    return "\n\n".join(part.strip() for part in parts if part.strip())


def sentences(*parts: str) -> str:
    """Join sentences of one paragraph."""
    return " ".join(part.strip() for part in parts if part.strip())


def _tidy(shown: str) -> str:
    """Use a real minus sign, and none before a zero."""
    if shown.startswith("-"):
        return (
            f"−{shown[1:]}" if any(character in "123456789" for character in shown) else shown[1:]
        )
    return shown
