"""Conditions in plain words: "MSFT crosses below its 200-day line".

Pure, and never a silent guess: each word has to be understood, each phrase has to fit one of the
shapes below as a whole, and what came of it is described back. Whatever does not fit is said, with
what was understood.
"""

import re
from collections.abc import Sequence

import msgspec

from tools.analytics.condition_clauses import Unfit, read_clause
from tools.analytics.condition_lexicon import Token, tokens
from tools.analytics.condition_parts import All, AnyOf, BadCondition, Condition, Not
from tools.analytics.conditions import describe, parse, to_json
from tools.market.bars import TIMEFRAMES
from tools.market.instruments import Instrument
from tools.market.symbols import mentions, nearest

LONGEST = 500
EXAMPLES = (
    "GOOG closes above 800",
    "RSI of AAPL under 30",
    "MSFT crosses below its 200-day line",
    "volume of NFLX is three times the usual",
    "bullish breakout on NVDA",
    "AMZN falls 5% in a day",
)

_TIMEFRAME = re.compile(
    r"\b(?:on|in|using|with)?\s*(?:the |its )?"
    r"(?P<count>1|5|15|4)?[\s-]*(?P<unit>minutes?|mins?|m|hours?|hourly|h|daily|days?|weekly|weeks?)"
    r"[\s-]+(?:bars?|charts?|candles?|timeframe)\b"
)
_UNITS = {"m": "m", "h": "h", "d": "d", "w": "w"}
_CAPITALS = re.compile(r"\b[A-Z][A-Z0-9.\-]{1,9}\b")


class Reading(msgspec.Struct, frozen=True):
    """What a phrase was understood to say."""

    symbol: str
    timeframe: str
    condition: Condition
    description: str
    """The condition in the desk's own words, for whoever said it to confirm."""


class NotUnderstood(ValueError):
    """A phrase that cannot be taken as it is; the message says which part, and what was clear."""

    def __init__(self, missed: str, understood: Sequence[str] = ()) -> None:
        clear = f" Understood: {'; '.join(understood)}." if understood else ""
        super().__init__(f"{missed}{clear}")
        self.missed = missed
        self.understood = tuple(understood)


def read_words(text: str, instruments: Sequence[Instrument]) -> Reading:
    """Return what `text` asks to be told about.

    Raises:
        NotUnderstood: with the part that was not, and what was.
    """
    text = text.strip()
    if not text:
        raise NotUnderstood(f"The phrase is empty. Write, for instance: {EXAMPLES[0]}.")
    if len(text) > LONGEST:
        raise NotUnderstood(f"A condition may have {LONGEST} characters; this has {len(text)}.")
    text = text.replace("\u2019", "'").replace("\u00a0", " ").replace("\u202f", " ")
    symbol, rest = _without_symbol(text, instruments)
    timeframe, rest = _without_timeframe(rest.lower())
    found = tokens(rest)
    currency = next((i.currency for i in instruments if i.symbol.upper() == symbol), "USD")
    condition = _condition(found, symbol, timeframe, currency)
    try:
        # The same limits as for conditions that come as JSON.
        parse(to_json(condition))
    except BadCondition as wrong:
        raise NotUnderstood(f"{wrong}.", [symbol]) from None
    return Reading(symbol, timeframe, condition, describe(condition))


def _without_symbol(text: str, instruments: Sequence[Instrument]) -> tuple[str, str]:
    """Return the one symbol the phrase is about, and the phrase without it."""
    named = mentions(text, instruments)
    symbols = list(dict.fromkeys(mention.symbol for mention in named))
    if len(symbols) > 1:
        raise NotUnderstood(
            f"An alert watches one symbol, and this names {' and '.join(symbols)}: make one for "
            "each."
        )
    if not symbols:
        unknown = [word for word in _CAPITALS.findall(text) if not _is_word_of_ours(word)]
        if unknown:
            near = nearest(unknown[0], instruments)
            hint = f" Did you mean {', '.join(near)}?" if near else ""
            raise NotUnderstood(f"There is no symbol {unknown[0]} on this desk.{hint}")
        raise NotUnderstood("It names no symbol of this desk: say which one, for instance GOOG.")
    for mention in reversed(named):
        text = f"{text[: mention.start]} {text[mention.end :]}"
    return symbols[0], text


def _is_word_of_ours(word: str) -> bool:
    return all(token.kind != "unknown" for token in tokens(word.lower()))


def _without_timeframe(text: str) -> tuple[str, str]:
    match = _TIMEFRAME.search(text)
    if match is None:
        return "1d", text
    timeframe = f"{match['count'] or 1}{_UNITS[match['unit'][0]]}"
    if timeframe not in TIMEFRAMES:
        known = ", ".join(TIMEFRAMES)
        raise NotUnderstood(f"There are no bars of {match.group().strip()}; there are {known}.")
    return timeframe, f"{text[: match.start()]} {text[match.end() :]}"


def _condition(found: list[Token], symbol: str, timeframe: str, currency: str) -> Condition:
    if not found:
        raise NotUnderstood(f"It gives no condition: what should {symbol} do?", [symbol])
    field: str | None = None
    alternatives: list[Condition] = []
    clear = [symbol]
    for alternative in _split(found, "or"):
        parts: list[Condition] = []
        for clause in _split(alternative, "and"):
            negated = any(token.kind == "not" for token in clause)
            plain = [token for token in clause if token.kind != "not"]
            try:
                condition, field = read_clause(
                    plain, before=field, timeframe=timeframe, currency=currency
                )
            except Unfit as wrong:
                raise NotUnderstood(wrong.reason, clear) from None
            parts.append(Not(condition) if negated else condition)
            clear.append(describe(parts[-1]))
        alternatives.append(parts[0] if len(parts) == 1 else All(tuple(parts)))
    return alternatives[0] if len(alternatives) == 1 else AnyOf(tuple(alternatives))


def _split(found: Sequence[Token], word: str) -> list[list[Token]]:
    """Cut at a joining word, but not at the "and" of "between 30 and 70"."""
    parts: list[list[Token]] = [[]]
    for index, token in enumerate(found):
        of_between = index >= 2 and found[index - 2].kind == "between"
        if token.kind == word and not of_between:
            parts.append([])
        else:
            parts[-1].append(token)
    return parts
