"""Read what a question names: instruments, indicators, lengths, a time; and its pronouns."""

import re

import msgspec

from agents.llms.builtin.names import find_guesses, find_symbols
from agents.llms.builtin.periods import Period, find_period


class Parts(msgspec.Struct, frozen=True):
    """What one question names, and what is left of it."""

    text: str
    masked: str
    """The question with SYM, IND and PERIOD in the place of what they stand for."""
    symbols: tuple[str, ...] = ()
    guesses: tuple[str, ...] = ()
    """Words that may be instruments nobody has heard of."""
    indicators: tuple[str, ...] = ()
    lengths: tuple[int, ...] = ()
    unsupported: str = ""
    """An indicator that is asked for and not computed here."""
    period: Period | None = None
    pronoun: bool = False
    plural: bool = False
    """ "them", "both": all that was spoken of."""
    continues: bool = False
    """Opens like the rest of an earlier question: "and ...", "what about ..."."""


def _pattern(words: str) -> re.Pattern[str]:
    return re.compile(words, re.IGNORECASE)


_AVERAGE = r"(?:simple )?(?:moving averages?|averages?|sma|dma|ma|line)s?"
_INDICATORS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("ema", _pattern(r"\b(?:ema|exponential(?: moving)? averages?)s?\b")),
    ("macd", _pattern(r"\b(?:macd|moving average convergence(?:[ /-]divergence)?)\b")),
    ("rsi", _pattern(r"\b(?:rsi|relative strength(?: index)?)\b")),
    ("bollinger", _pattern(r"\b(?:bollinger(?:'s)?(?: bands?)?|bbands?|percent ?b)\b|%b\b")),
    ("sma", _pattern(r"\b(?:golden|death) cross(?:es)?\b")),
    (
        "sma",
        _pattern(
            rf"\b(?:(?:[0-9]{{1,3}}[ -]?(?:d|day|days|bar)?(?:,| and| or|/| ,)? ?){{1,3}}[ -]?"
            rf"{_AVERAGE}|(?:simple )?moving averages?|smas?(?: ?[0-9]{{2,3}})?|dma)\b"
        ),
    ),
    (
        "sma",
        _pattern(
            r"\b(?:20|50|100|150|200)[ -]days?\b(?! (?:ago|return|high|low|change|volatility))"
        ),
    ),
    ("atr", _pattern(r"\b(?:atr|average true range)\b")),
    ("adx", _pattern(r"\b(?:adx|directional (?:index|movement))\b")),
)
_UNSUPPORTED = _pattern(
    r"\b(stochastics?|obv|on[ -]balance volume|mfi|money flow(?: index)?|cci|vwap|"
    r"ichimoku(?: cloud)?|fibonacci(?: retracements?| levels?)?|parabolic sar|williams %?r|"
    r"keltner(?: channels?)?|donchian(?: channels?)?|heikin[ -]ashi|pivot points?|"
    r"elliott waves?|supertrend|aroon|trix)\b"
)
_MASKED_RUN = _pattern(r"IND(?:\W+(?:[0-9]{1,3}|day|,|and|or|IND)\b)*")
_STRETCHED = _pattern(r"\bover(?:bought|sold)\b")
_PRONOUN = _pattern(
    r"\b(?:it|its|it's|this one|that one|this stock|that stock|the stock|the share|the shares|"
    r"the same|this company|the company|this|that)\b"
)
_PLURAL = _pattern(r"\b(?:they|them|their|both|these|those|the two|either|each|the others?)\b")
_CONTINUES = _pattern(
    r"^(?:(?:ok|okay|so|yes|no|hmm|thanks|great|cool)[,.! ]+)?(?:and|or|also|plus|then|but|"
    r"what about|how about|what of|same for|same with|now|versus|vs\.?|compared (?:to|with)|over|"
    r"since|in|on|during|for|with|against|ok and)\b"
)


def parse(text: str) -> Parts:
    """Read one cleaned question."""
    period, rest = find_period(text)
    unsupported = _UNSUPPORTED.search(rest)
    symbols, rest = find_symbols(rest)
    indicators, lengths, rest = _indicators(rest)
    if unsupported is not None:
        rest = _UNSUPPORTED.sub("IND", rest)
    bare = re.sub(r"SYM|IND|PERIOD", " ", rest)
    return Parts(
        text=text,
        masked=rest,
        symbols=symbols,
        guesses=() if symbols else find_guesses(bare),
        indicators=indicators,
        lengths=lengths,
        unsupported=unsupported.group(1).lower() if unsupported else "",
        period=period,
        pronoun=bool(_PRONOUN.search(bare)),
        plural=bool(_PLURAL.search(bare)),
        continues=bool(_CONTINUES.match(text)),
    )


def _indicators(text: str) -> tuple[tuple[str, ...], tuple[int, ...], str]:
    """Return the indicators named, the lengths said with them, and the text with IND instead."""
    names: list[str] = []
    lengths: list[int] = []
    masked = text
    for name, pattern in _INDICATORS:
        for found in pattern.finditer(masked):
            names.append(name)
            after = re.match(r"[ (-]{0,2}([0-9]{1,3})\b(?![%.,]?[0-9])", masked[found.end() :])
            lengths += [int(number) for number in re.findall(r"[0-9]{1,3}", found.group())]
            lengths += [int(after[1])] if after else []
        masked = pattern.sub(" IND ", masked)
    masked = _MASKED_RUN.sub("IND", masked) if names else masked
    if _STRETCHED.search(text) and not names:
        names.append("rsi")
    return (
        tuple(dict.fromkeys(names)),
        tuple(dict.fromkeys(length for length in lengths if length > 1)),
        masked,
    )
