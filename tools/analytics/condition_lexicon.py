"""The words in which people put conditions, as tokens. Pure.

Every word of a phrase becomes a token, is known to carry no meaning, or is `unknown`: nothing is
skipped silently.
"""

import re
from typing import Any, Literal

import msgspec

Kind = Literal[
    "field", "number", "op", "cross", "move", "signal", "direction", "usual", "not", "between",
    "within", "touch", "reach", "off", "turn", "outside", "span", "or_more", "or_less", "loss",
    "and", "or", "bad", "unknown",
]  # fmt: skip


class Number(msgspec.Struct, frozen=True):
    """A number as it was said."""

    value: float
    unit: str = ""
    """`%`, `x` (times), `shares`, a currency, or nothing."""


class Token(msgspec.Struct, frozen=True):
    """A word or a few, and what they mean."""

    kind: Kind
    value: Any
    text: str


_NOISE = re.compile(
    r"(?:alert|tell|notify|ping|warn|message|remind|let|know|want|would|like|to|me|us|i|please|"
    r"when(?:ever)?|if|once|should|as soon as|the moment|the|a|an|its|it|it's|is|are|be|been|being|"
    r"was|gets?|got|"
    r"goes|going|go|becomes?|of|for|on|in|at|has|have|with|there(?:'s)?|that|this|stock|shares? of|"
    r"trades?|trading|traded|gives?|shows?|signals?|level|value|back|by|both|either|then|again|"
    r"line|bars?|mark|composite|index|prices? of|now|ever|currently|alerts?|'s|s')(?![\w%])"
)
_COUNTED = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen",
    "nineteen", "twenty",
)  # fmt: skip
_TENS = {"thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80,
         "ninety": 90, "hundred": 100}  # fmt: skip
_WORDS = {name: float(value) for value, name in enumerate(_COUNTED)} | _TENS
_SIZES = {"k": 1e3, "thousand": 1e3, "m": 1e6, "mn": 1e6, "million": 1e6, "bn": 1e9, "b": 1e9,
          "billion": 1e9}  # fmt: skip
_CURRENCIES = {"$": "USD", "usd": "USD", "dollar": "USD", "dollars": "USD", "€": "EUR",
               "eur": "EUR", "euro": "EUR", "euros": "EUR", "£": "GBP", "gbp": "GBP",
               "pounds": "GBP", "php": "PHP", "pesos": "PHP", "cny": "CNY", "yuan": "CNY",
               }  # fmt: skip
_NUMBER = re.compile(
    r"(?P<sign>[-+\u2212]\s*|minus )?(?P<money>[$€£])?(?P<digits>\d[\d.,]*)"
    r"\s*(?P<size>(?:k|thousand|mn?|million|bn?|billion)(?![a-z]))?"
    rf"|(?P<word>{'|'.join(_WORDS)})\b"
)
_PLAIN = re.compile(r"(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?")
_UNIT = re.compile(
    r"\s*(?P<unit>%|per ?cent\b|[x×](?![a-z])|times\b|-?fold\b|shares\b|usd\b|dollars?\b|"
    r"eur(?:os?)?\b|gbp\b|pounds\b|php\b|pesos\b|cny\b|yuan\b)"
)

_AVERAGES = {20: "sma20", 50: "sma50", 200: "sma200"}
_EXPONENTIAL = {12: "ema12", 26: "ema26"}
_AVERAGE = re.compile(
    r"(?P<first>sma|ema)[\s(-]*(?P<after>\d{1,4})\)?(?![\d%])"
    r"|(?P<before>\d{1,4})[\s-]*(?:days?|bars?|d|dma)?[\s-]*"
    r"(?P<kind>simple |exponential )?"
    r"(?P<name>sma|ema|dma|ma|moving averages?|averages?|(?<=day )line|(?<=day-)line|mean)\b"
)
_52 = r"(?:52[\s-]*weeks?|(?:one|1)[\s-]*years?|yearly)"

_LEXICON: tuple[tuple[str, Kind, Any], ...] = (
    # whole words that are signals or states
    (r"(?:makes? a? ?)?golden cross(?:es)?", "turn", "golden"),
    (r"(?:makes? a? ?)?death cross(?:es)?", "turn", "death"),
    (r"overbought", "turn", "overbought"),
    (r"oversold", "turn", "oversold"),
    (r"(?:all[\s-]time|record) (?:high|low)s?", "bad",
     "all-time highs and lows are not kept; there are those of 52 weeks"),
    (r"volume spikes?|spikes? in volume|unusual(?:ly high|ly large)? volume", "signal",
     ("volume_spike", None)),
    (r"break(?:s|ing)? ?out|breakouts?", "signal", ("breakout", None)),
    (r"break(?:s|ing)? ?down|breakdowns?", "signal", ("breakout", "bearish")),
    (r"reversals?|reverses", "signal", ("reversal", None)),
    (r"trend[\s_-]changes?|trend +changes|trend of +changes|changes? (?:of|in) (?:the )?trend",
     "signal", ("trend_change", None)),
    (r"volatility signals?", "signal", ("volatility", None)),
    (r"(?:an? )?entry(?: signals?)?", "signal", ("entry", None)),
    (r"(?:an? )?exit(?: signals?)?", "signal", ("exit", None)),
    (r"buy signals?", "signal", ("entry", "bullish")),
    (r"sell signals?", "signal", ("entry", "bearish")),
    (r"bullish|to the upside|upwards?", "direction", "bullish"),
    (r"bearish|to the downside|downwards?", "direction", "bearish"),
    # what is measured
    (r"relative strength(?: index)?|rsi(?:[\s(]*14\)?)?", "field", "rsi"),
    (r"macd histogram|histogram", "field", "macdHistogram"),
    (r"macd signal(?: line)?|signal line", "field", "macdSignal"),
    (r"macd(?: line)?", "field", "macd"),
    (r"(?:(?:is|are) )?outside (?:of )?(?:its |the )?(?:bollinger )?bands?", "outside", None),
    (r"(?:upper|top) (?:bollinger )?band", "field", "bollingerUpper"),
    (r"(?:lower|bottom) (?:bollinger )?band", "field", "bollingerLower"),
    (r"middle (?:bollinger )?band", "field", "bollingerMiddle"),
    (r"(?:bollinger )?band ?width", "field", "bandwidth"),
    (r"(?:bollinger )?(?:%b|percent b)", "field", "percentB"),
    (r"(?:average true range|atr) percent", "field", "atrPercent"),
    (r"average true range|atr(?:[\s(]*14\)?)?", "field", "atr"),
    (r"adx(?:[\s(]*14\)?)?", "field", "adx"),
    (r"(?:\+|plus )di", "field", "plusDi"),
    (r"(?:-|minus )di", "field", "minusDi"),
    (r"obv|on[\s-]balance volume", "field", "obv"),
    (r"(?:stochastics? )?(?:%|percent )k|stochastics?", "field", "stochasticK"),
    (r"(?:stochastics? )?(?:%|percent )d", "field", "stochasticD"),
    (r"20[\s-]*(?:days?|bars?)[\s-]*volatility|volatility +(?:of +)?over 20 (?:days|bars)", "field",
     "volatility20"),
    (r"60[\s-]*(?:days?|bars?)[\s-]*volatility|volatility +(?:of +)?over 60 (?:days|bars)", "field",
     "volatility60"),
    (r"trend slope", "field", "trendSlope"),
    (r"(?:composite )?strength", "field", "strength"),
    (rf"{_52}[\s-]*highs?", "field", "high52w"),
    (rf"{_52}[\s-]*lows?", "field", "low52w"),
    (r"(?:daily )?loss", "loss", None),
    (r"(?:daily )?gain(?= (?:is|of|over|above|exceeds|more|at))", "field", "changePercent"),
    (r"(?:daily )?(?:change|return|move)(?: (?:on|of) the day)?", "field", "changePercent"),
    (r"volume ratio|relative volume", "field", "volumeRatio"),
    (r"volumes?", "field", "volume"),
    (r"usual|normal|average|typical|its mean|the mean|ordinary", "usual", None),
    (r"(?:close[sd]?|closing)(?: price)?|price|quote", "field", "close"),
    (r"opens?(?: price)?|opening price|opened", "field", "open"),
    (r"(?:daily )?high(?! ?er)", "field", "high"),
    (r"(?:daily )?low(?! ?er)", "field", "low"),
    # how it is compared
    (r"(?:or|and) (?:higher|more|above|over|greater|upwards?)(?=\s*(?:$|,))", "or_more",
     None),
    (r"(?:or|and) (?:lower|less|below|under|fewer|downwards?)(?=\s*(?:$|,))", "or_less",
     None),
    (r">=|≥|at or (?:above|over)|at least|no less than|not less than|(?:above|over) or at|"
     r"(?:more|greater|higher|larger) than or equal(?: to)?", "op", ">="),
    (r"<=|≤|at or (?:below|under)|at most|no more than|not more than|"
     r"(?:less|lower|smaller) than or equal(?: to)?", "op", "<="),
    (r">|above|over|exceed(?:s|ing)?|(?:more|greater|higher|larger|bigger|dearer) than|tops",
     "op", ">"),
    (r"<|below|under|beneath|underneath|(?:less|lower|smaller|fewer|cheaper) than", "op", "<"),
    (r"cross(?:es|ed|ing)?(?: (?:up|back))? (?:above|over|upwards? through)", "cross", "up"),
    (r"cross(?:es|ed|ing)?(?: (?:down|back))? (?:below|under|downwards? through)", "cross",
     "down"),
    (r"(?:breaks?|moves?|pushes|climbs|rises) (?:up )?(?:through|past)|breaks? (?:above|over)",
     "cross", "up"),
    (r"(?:falls?|drops?|sinks?) through|breaks? (?:below|under)", "cross", "down"),
    (r"from below", "direction", "up"),
    (r"from above", "direction", "down"),
    (r"cross(?:es|ed|ing)?|cross-?overs?", "cross", "any"),
    (r"in a row|in succession|straight days", "unknown", None),
    (r"between", "between", None),
    (r"within", "within", None),
    (r"off", "off", None),
    (r"touch(?:es|ed|ing)?|pull(?:s|ed)? back to|returns to|comes back to|falls back to", "touch",
     None),
    (r"reach(?:es|ed|ing)?|hits?|makes?|sets?|new|fresh", "reach", None),
    (r"(?:turns? |is )?positive", "turn", "positive"),
    (r"(?:turns? |is )?negative", "turn", "negative"),
    (r"no longer|not any ?more|stops being|not|isn't|doesn't|does not", "not", None),
    # how it moves
    (r"ris(?:es?|ing)|rose|gain(?:s|ed|ing)?|up|jump(?:s|ed)?|climb(?:s|ed|ing)?|rall(?:y|ies)|"
     r"surges?|adds|soars?|advances?|increases?", "move", 1),
    (r"fall(?:s|ing)?|fell|drop(?:s|ped|ping)?|down|los(?:es?|ing)|lost|declin(?:es?|ing)|"
     r"sinks?|plunges?|tumbles?|slides?|dips?|crash(?:es)?|decreases?|slips?|sheds|retreats?",
     "move", -1),
    (r"moves?|changes|swings?", "move", 0),
    # how long
    (r"(?:in|on|within|over|during) (?:a|one|the|1|any|a single) (?:single |trading )?day|"
     r"to-?day|daily|in one session|intraday", "span", "1d"),
    (r"(?:in|within|over|during) (?:a|one|the|1) week|weekly|this week", "span", "1w"),
    (r"(?:in|within|over|during) (?:an|one|the|1) hour|hourly", "span", "1h"),
    # how it is joined
    (r"and also|and|as well as|while|&", "and", None),
    (r"or else|or", "or", None),
)  # fmt: skip
_COMPILED = tuple(
    # A word ends where it ends; a sign such as > needs no end.
    (re.compile(rf"(?:{pattern})" + ("" if pattern[0] in "<>" else r"(?!\w)")), kind, value)
    for pattern, kind, value in _LEXICON
)
_DOUBLES = re.compile(r"(?P<two>doubles?|twice)|(?P<three>triples?)|(?P<half>half)\b")
_GAP = re.compile(r"[\s,;.:!?\"“”()]+")
_WORD = re.compile(r"\S+?(?=[\s,;:!?]|\.(?:\s|$)|$)")


def tokens(text: str) -> list[Token]:
    """Return the tokens of a phrase in small letters, without those that carry no meaning."""
    found: list[Token] = []
    position = 0
    while position < len(text):
        if gap := _GAP.match(text, position):
            position = gap.end()
            continue
        token, position = _next(text, position)
        if token is not None:
            found.append(token)
    return found


def _next(text: str, position: int) -> tuple[Token | None, int]:
    if average := _AVERAGE.match(text, position):
        return _average(average), average.end()
    for pattern, kind, value in _COMPILED:
        if match := pattern.match(text, position):
            return Token(kind, value, match.group()), match.end()
    if match := _DOUBLES.match(text, position):
        times = {"two": 2.0, "three": 3.0, "half": 0.5}[str(match.lastgroup)]
        return Token("number", Number(times, "x"), match.group()), match.end()
    if match := _NUMBER.match(text, position):
        return _number(text, match)
    if match := _NOISE.match(text, position):
        return None, match.end()
    word = _WORD.match(text, position)
    end = position + 1 if word is None else word.end()
    return Token("unknown", None, text[position:end]), end


def _number(text: str, match: re.Match[str]) -> tuple[Token, int]:
    end = match.end()
    unit = _UNIT.match(text, end)
    if match["word"]:
        value = _WORDS[match["word"]]
    else:
        digits = match["digits"].rstrip(".,")
        end -= len(match["digits"]) - len(digits) if not match["size"] else 0
        if not _PLAIN.fullmatch(digits):
            reason = f"{digits} is not a number as it is written here: 1,234.56"
            return Token("bad", reason, match.group()), match.end()
        value = float(digits.replace(",", "")) * _SIZES.get(match["size"] or "", 1.0)
        if (match["sign"] or "").strip() in ("-", "\u2212", "minus"):
            value = -value
        unit = _UNIT.match(text, end)
    said = _CURRENCIES.get(match["money"] or "", "")
    if unit is not None:
        end = unit.end()
        said = _unit(unit["unit"])
    return Token("number", Number(value, said), text[match.start() : end]), end


def _unit(word: str) -> str:
    if word == "%" or word.startswith("per"):
        return "%"
    if word in {"x", "×", "times"} or word.endswith("fold"):
        return "x"
    return _CURRENCIES.get(word, word)


def _average(match: re.Match[str]) -> Token:
    length = int(match["after"] or match["before"])
    named = match["first"] or match["name"] or ""
    exponential = named == "ema" or (match["kind"] or "").startswith("exponential")
    field = (_EXPONENTIAL if exponential else _AVERAGES).get(length)
    if field is None:
        reason = (
            f"there is no {'exponential ' if exponential else ''}average over {length} bars; there "
            "are simple ones over 20, 50 and 200 and exponential ones over 12 and 26"
        )
        return Token("bad", reason, match.group())
    return Token("field", field, match.group())
