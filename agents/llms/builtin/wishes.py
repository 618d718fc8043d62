"""Conditions inside questions: "which stocks are oversold?", "tell me when GOOG closes above 800".

The condition itself is read by `tools.analytics.condition_words`, which refuses what it does not
understand whole; here only the words around it are taken off.
"""

import re
from functools import lru_cache
from typing import Any

import msgspec

from agents.llms.builtin.names import find_symbols
from agents.llms.builtin.periods import find_period
from agents.llms.builtin.vocabulary import word_set
from tools.analytics.condition_parts import All, AnyOf, Condition, Not, Signalled
from tools.analytics.condition_words import NotUnderstood, read_words
from tools.analytics.conditions import describe, to_json
from tools.market.instruments import Instrument

_OPENERS = word_set(
    """
    which who whose find list search screen scan any anything everything stocks stock shares share
    names symbols companies company ones tickers instruments everybody anybody
    """
)
"""Words that ask for instruments; without one of them nothing is searched."""
_LEADS = _OPENERS | word_set(
    """
    please can could you now ok and show me give are is there does do what all every something of
    the these those your my for with that have has having was were trade trades traded trading on
    currently a an at had stood stand stands sit sits i want to see would like get us let
    look up over in
    """
)
_REWRITTEN = (
    (r"\b(?:right now|at the moment|currently|these days|lately)\b", " "),
    (r"\b(?:their|its|his|her)\b", "the"),
    (r"\b(?:that |who )?(?:gained|rose|climbed|jumped|went up)\b(?=[^.]{0,20}[0-9])", "up"),
    (r"\b(?:that |who )?(?:fell|lost|dropped|declined|went down)\b(?=[^.]{0,20}[0-9])", "down"),
    (r"\b(?:broke|breaking|breaks) out\b", "bullish breakout"),
    (r"\bon ((?:twice|double|three times|[0-9.]+ times)) the (?:usual|normal|average) volume",
     r"volume \1 the usual"),
    (r"\bof (more|less) than\b", r"\1 than"),
    (r"\b(and|or)\s+(?:is|are|trade|trades) (above|below|over|under)\b", r"\1 close \2"),
    (r"\b(and|or)\s+(?:that |which |who )?(?:is|are|was|were|have|has|trade|trades)\b", r"\1"),
)  # fmt: skip
_WISH = re.compile(
    r"\b(?:tell|let|notify|alert|warn|ping|remind|inform|message)\s+(?:me|us)\b(?:\s+know)?"
    r".{0,20}?\b(?:when(?:ever)?|if(?! (?:the )?\w+(?: \w+)? (?:is|are|was|has|looks)\b)"
    r"|as soon as|once|every time|the moment|should)\b"
    r"|\b(?:alert|alarm|notification)s?\b.{0,24}?"
    r"\b(?:when(?:ever)?|if|as soon as|once|for|on|about)\b",
    re.IGNORECASE,
)
_STAND_IN = "GOOG"
_FIRES = re.compile(r"\b(?:fired?|fires|firing|triggered|new)\b", re.IGNORECASE)
_MOST_LEADS = 12


class Wish(msgspec.Struct, frozen=True):
    """What is looked for, or waited for."""

    condition: dict[str, Any] | None
    """As the tools take it; None when the words were not understood."""
    description: str = ""
    dated: bool = False
    """A time was named beside the condition."""


def search(text: str) -> Wish | None:
    """Return the condition of a question for instruments, None when it is no such question."""
    # "At a 52-week high" is a condition and no period: whole first.
    found = _search(text)
    if found is None and (bare := _without_period(text)) != text:
        found = _search(bare)
        return None if found is None else msgspec.structs.replace(found, dated=True)
    return found


@lru_cache(maxsize=256)
def _search(text: str) -> Wish | None:
    plain = _rewritten(text)
    words = plain.split()
    for start in range(min(len(words), _MOST_LEADS) + 1):
        leads = words[:start]
        if leads and leads[-1].strip(",") not in _LEADS:
            return None
        rest = " ".join(words[start:])
        if not rest or not _OPENERS & {word.strip(",") for word in leads}:
            continue
        condition = _read(_STAND_IN, rest)
        if condition is not None:
            if not _FIRES.search(text):
                condition = _standing(condition)
            return Wish(to_json(condition), describe(condition))
    return None


def alert(text: str) -> Wish | None:
    """Return the condition that somebody wants to be told of, None when nobody does."""
    wished = _WISH.search(text)
    if wished is None:
        return None
    symbols, masked = find_symbols(text[wished.end() :])
    before, _ = find_symbols(text[: wished.start()])
    symbol = next(iter((*symbols, *before)), _STAND_IN)
    plain = re.sub(r"\bSYM\b(?:'s)?", " ", masked)
    plain = re.sub(r"\b(?:on|of|for|in|it|the stock)\b\s*(?=$|[?.!])", " ", plain.strip())
    plain = re.sub(r"^\s*(?:it|the stock|the price|the)\b(?! (?:volume|rsi|macd))", " ", plain)
    plain = re.sub(r"\b(?:on|of|for|by)\s+(?=$|[a-z]* ?(?:is|are|goes|crosses|closes))", " ", plain)
    condition = _read(symbol, _rewritten(plain))
    if condition is None:
        return Wish(None)
    return Wish(to_json(condition), describe(condition))


def _rewritten(text: str) -> str:
    plain = re.sub(r"[?!]+|[.;](?=\s|$)", " ", text.lower())
    for pattern, instead in _REWRITTEN:
        plain = re.sub(pattern, instead, plain)
    return " ".join(plain.split())


def _read(symbol: str, said: str) -> Condition | None:
    known = [Instrument(symbol=symbol, name=symbol, source="the question")]
    try:
        return read_words(f"{symbol} {said}", known).condition
    except NotUnderstood:
        return None


def _standing(condition: Condition) -> Condition:
    """Return the condition with signals that are valid, not only those that fire just now."""
    match condition:
        case All(parts):
            return All(tuple(_standing(part) for part in parts))
        case AnyOf(parts):
            return AnyOf(tuple(_standing(part) for part in parts))
        case Not(part):
            return Not(_standing(part))
        case Signalled(signal, direction, _):
            return Signalled(signal, direction)
        case _:
            return condition


def _without_period(text: str) -> str:
    _, rest = find_period(text)
    return re.sub(r"\b(?:on|in|during|as of|at|over|for)?\s*PERIOD\b", " ", rest)
