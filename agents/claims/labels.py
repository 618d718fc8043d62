"""Say in words what a value of a tool result is, for a person who points at the number."""

from agents.claims.facts import Fact
from agents.claims.words import name_parts, word_set

_UPPER = word_set("rsi macd sma ema atr adx obv mfi cci r2 n usd")
_QUIET = word_set("data value values items rows result results")


def label_of(fact: Fact) -> str:
    """Return for instance "GOOG RSI 14", "entry hit rate", "asked: limit"."""
    if fact.path == ("asOf",):
        return "data as of"
    if not fact.path:
        return "a setting"
    keys = [part for part in fact.path if not part.isdigit() and part not in _QUIET]
    if not fact.path:
        return "a setting"
    keys = [key for key in keys if key != fact.symbol][-2:]
    words: list[str] = []
    for key in keys:
        for part in name_parts(key):
            if not words or words[-1].lower() != part:
                words.append(part.upper() if part in _UPPER else part)
    label = " ".join(words) or "value"
    if fact.path and fact.path[0] not in {"data", "asOf"}:
        return f"asked: {label}"
    named = fact.named if fact.named.isascii() and fact.named != fact.symbol else ""
    if named and len(named) <= 32 and named.lower() not in label.lower():
        label = f"{named} {label}"
    if fact.symbol:
        label = f"{fact.symbol} {label}"
    if fact.bulk and fact.row_day is not None and fact.day is None:
        label = f"{label} on {fact.row_day.isoformat()}"
    return label
