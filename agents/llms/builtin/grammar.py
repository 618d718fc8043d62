"""Read the things a question names: instruments, indicators, lengths; and whom its pronouns mean.

Nothing here knows which instruments exist. A name is passed on as it was said, and the tools say
what it means or that they do not know it.
"""

import re
from functools import lru_cache

import msgspec

from agents.llms.builtin.intents import vocabulary
from agents.llms.builtin.periods import Period, find_period
from tools.market.instruments import Instrument
from tools.market.symbols import ALIASES, mentions


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


_INDICATORS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(pattern, re.IGNORECASE))
    for name, pattern in (
        ("ema", r"\b(?:ema|exponential(?: moving)? averages?)s?\b"),
        ("macd", r"\b(?:macd|moving average convergence(?:[ /-]divergence)?)\b"),
        ("rsi", r"\b(?:rsi|relative strength(?: index)?)\b"),
        ("bollinger", r"\b(?:bollinger(?:'s)?(?: bands?)?|bbands?|percent ?b)\b|%b\b"),
        ("sma", r"\b(?:golden cross(?:es)?|death cross(?:es)?)\b"),
        ("sma", r"\b(?:(?:[0-9]{1,3}[ -]?(?:d|day|days|bar)?(?:,| and| or|/| ,)? ?){1,3}[ -]?"
                r"(?:simple )?(?:moving averages?|averages?|sma|dma|ma|line)s?"
                r"|(?:simple )?moving averages?|smas?(?: ?[0-9]{2,3})?|dma)\b"),
        ("sma", r"\b(?:20|50|100|150|200)[ -]days?\b(?! (?:ago|return|high|low|change|volatility))"),
        ("atr", r"\b(?:atr|average true range)\b"),
        ("adx", r"\b(?:adx|directional (?:index|movement))\b"),
    )
)  # fmt: skip
_UNSUPPORTED = re.compile(
    r"\b(stochastics?|obv|on[ -]balance volume|mfi|money flow(?: index)?|cci|vwap|ichimoku(?: cloud)?|"
    r"fibonacci(?: retracements?| levels?)?|parabolic sar|williams %?r|keltner(?: channels?)?|"
    r"donchian(?: channels?)?|heikin[ -]ashi|pivot points?|elliott waves?|supertrend|aroon|trix)\b",
    re.IGNORECASE,
)
_LENGTH = re.compile(
    r"\b(?:sma|ema|ma|rsi|atr|adx|bollinger)?[ (-]?([0-9]{1,3})(?=[ -]?(?:d|day|bar|sma|ema|ma|dma|\)|\b))",
    re.IGNORECASE,
)
_DOLLAR = re.compile(r"\$([A-Za-z][A-Za-z]{0,5}(?:\.[A-Za-z])?)\b")
_CAPITALS = re.compile(r"(?<![A-Za-z0-9$])([A-Z]{2,5}(?:\.[A-Z])?)(?![A-Za-z0-9])")
_NAME = re.compile(r"\b([A-Z][a-z]{2,}(?: (?:& )?[A-Z][a-z]{2,}){0,2})\b")
_LOWER = re.compile(r"\b([a-z]{2,6})\b")
_NOT_SYMBOLS = frozenset(
    """
    RSI MACD SMA EMA MA DMA ATR ADX OBV MFI CCI VWAP BB ETF USD EUR GBP JPY CEO CFO IPO AI LLM GPT API OK YTD
    MTD ATH UTC AM PM PE EPS GDP CPI FED NYSE NASDAQ SEC FAQ FYI ASAP BTW IMO US UK EU OHLC OHLCV CSV JSON
    TL DR TLDR PS BTC ETH VS IND SYM PERIOD DROP TABLE SELECT NULL NAN TRUE FALSE
    """.split()
)
_TICKERS = {"goog": "GOOG", "googl": "GOOG", "aapl": "AAPL", "msft": "MSFT", "ibm": "IBM",
            "nvda": "NVDA", "nflx": "NFLX", "amzn": "AMZN", "fb": "FB"}  # fmt: skip
_EVERYDAY_AS_NAME = re.compile(
    r"\b(?:apple|meta|alphabet)(?='s\b| (?:stock|shares?|inc|corp|rsi|price|closed?|trend|volatility|vs|versus|volume|look|do(?:ing)?\b))"
    r"|(?<=\bof )(?:apple|meta|alphabet)\b|(?<=\bfor )(?:apple|meta|alphabet)\b|(?<=\bis )(?:apple|meta)\b"
    r"|(?<=\bdoes )(?:apple|meta)\b|(?<=\band )(?:apple|meta)\b|(?<=\bwith )(?:apple|meta)\b"
    r"|(?<=\babout )(?:apple|meta)\b|(?<=\bbuy )(?:apple|meta)\b|(?<=\bdid )(?:apple|meta)\b"
    r"|(?<=\bhas )(?:apple|meta)\b|(?<=\bvs )(?:apple|meta)\b|(?<=\bto )(?:apple|meta)\b|^(?:apple|meta)(?=\W*$)",
)
_PRONOUN = re.compile(
    r"\b(?:it|its|it's|this one|that one|this stock|that stock|the stock|the share|the shares|the same|"
    r"this company|the company|this|that)\b",
    re.IGNORECASE,
)
_PLURAL = re.compile(
    r"\b(?:they|them|their|both|these|those|the two|either|each|the others?)\b", re.IGNORECASE
)
_CONTINUES = re.compile(
    r"^(?:(?:ok|okay|so|yes|no|hmm|thanks|great|cool)[,.! ]+)?(?:and|or|also|plus|then|but|what about|how about|what of|same for|"
    r"same with|now|versus|vs\.?|compared (?:to|with)|over|since|in|on|during|for|with|against|ok and)\b",
    re.IGNORECASE,
)
_COMMON = frozenset(
    """
    a about above actually after again against ago all almost alone along already also although always am an
    and another any anybody anyone anything are around as ask at away back bad be became because become been
    before begin behind being below best better between big both bought bring but buy by call came can cannot
    case check chart charts clear close closed come coming company could current currently data date day days
    did different difficult do does doing done down during each early either else end enough even ever every
    everybody everyone everything exactly face fact far fast feel few figure fine find first for form found
    four from full further gave general get getting give given go goes going gone good got great had half
    happen happened happening hard has have having he head heard held hello help her here high higher him his
    hold home hope how however i idea if important in indeed inside instead interested into is it item its itself just keep
    kind knew know known large last late lately later latest learn least leave left less let level like line
    list little long longer look looked looking lot low lower made main make makes making many market
    markets matter may maybe me mean means might mind mine moment money month months more most move moved much must my name
    near nearly need never new next nice no nobody none nor not nothing now number numbers of off often oh
    ok okay old on once one only open opinion or order other others our out over own part past people per perhaps
    person picture place plan please point possible present pretty previous price prices probably problem put
    question questions quick quickly quite rather read ready real really reason recent recently right rise risen
    run safe said same saw say says second see seem seemed seems seen sell sense set several shall share shares she
    short should show shown side since small so sold some somebody someone something sometimes soon sorry sort speak
    stand start state still stock stocks stop strong such suppose sure take taken talk tell term than
    thank thanks that the their them then there these they thing things think third this those though thought
    three through time times to today together told tomorrow tonight too took top toward traded trader trading
    trend tried true try trying turn two type under understand until up upon us use used useful using usual usually
    value very view want wanted was watch way we week weeks well went were what whatever when where whether which
    while who whole whom whose why will wish with within without wonder word words work worked world worse worst
    worth would write wrong year years yes yesterday yet you young your yours monday tuesday wednesday thursday
    friday saturday sunday january february march april may june july august september october november
    december google sir madam dear folks guys man dude mate buddy bro hmm uh um er ah wow
    lately nowadays presently overall average averages line lines signal band bands index bot model desk agent
    weak weaker weakness strength hot cold boring exciting crazy insane huge tiny massive sudden suddenly
    poem joke weather recipe song movie football python code program essay email pizza dinner lunch
    """.split()
)


def parse(text: str) -> Parts:
    """Read one cleaned question."""
    period, rest = find_period(text)
    unsupported = _UNSUPPORTED.search(rest)
    symbols, rest = _symbols(rest)
    indicators, lengths, rest = _indicators(rest)
    bare = rest.replace("SYM", " ").replace("IND", " ").replace("PERIOD", " ")
    return Parts(
        text=text,
        masked=rest if unsupported is None else _UNSUPPORTED.sub("IND", rest),
        symbols=symbols,
        guesses=_guesses(bare) if not symbols else (),
        indicators=indicators,
        lengths=lengths,
        unsupported=unsupported.group(1).lower() if unsupported else "",
        period=period,
        pronoun=bool(_PRONOUN.search(bare)),
        plural=bool(_PLURAL.search(bare)),
        continues=bool(_CONTINUES.match(text.strip())),
    )


def _symbols(text: str) -> tuple[tuple[str, ...], str]:
    """Return the instruments named, in order, and the text with SYM in their place."""
    spans: list[tuple[int, int, str]] = []
    for found in _DOLLAR.finditer(text):
        spans.append((found.start(), found.end(), found.group(1).upper()))
    for mention in mentions(text, _catalogue()):
        spans.append((mention.start, mention.end, _passed_on(text, mention.symbol, mention.start)))
    for found in _EVERYDAY_AS_NAME.finditer(text):
        name = found.group()
        spans.append(
            (found.start(), found.end(), {"apple": "AAPL", "alphabet": "GOOG"}.get(name, "META"))
        )
    for found in _LOWER.finditer(text):
        if found.group() in _TICKERS:
            spans.append((found.start(), found.end(), _TICKERS[found.group()]))
    shouted = sum(character.isupper() for character in text) > 0.6 * max(
        1, sum(character.isalpha() for character in text)
    )
    for found in _CAPITALS.finditer(text):
        word = found.group(1)
        if word in _NOT_SYMBOLS or _is_word(word.lower()) or (shouted and len(text.split()) > 3):
            continue
        spans.append((found.start(), found.end(), word))
    return _take(text, spans)


def _take(text: str, spans: list[tuple[int, int, str]]) -> tuple[tuple[str, ...], str]:
    """Keep the earliest and longest of overlapping spans and mask them."""
    symbols: list[str] = []
    pieces: list[str] = []
    position = 0
    for start, end, symbol in sorted(spans, key=lambda span: (span[0], -span[1])):
        if start < position:
            continue
        pieces += [text[position:start], "SYM"]
        position = end
        if symbol not in symbols:
            symbols.append(symbol)
    return tuple(symbols[:8]), "".join(pieces) + text[position:]


def _passed_on(text: str, symbol: str, start: int) -> str:
    """Two symbols belong to one company over time; the tools know which one is there."""
    if symbol == "META" and text[start:].lower().lstrip("$").startswith(("facebook", "fb")):
        return "FB"
    return symbol


def _indicators(text: str) -> tuple[tuple[str, ...], tuple[int, ...], str]:
    names: list[str] = []
    lengths: list[int] = []
    masked = text
    for name, pattern in _INDICATORS:
        for found in pattern.finditer(masked):
            if name not in names:
                names.append(name)
            lengths += [
                int(number)
                for number in re.findall(r"[0-9]{1,3}", found.group())
                if name in {"sma", "ema"}
            ]
        if name in {"ema", "sma"}:
            lengths += [
                int(n)
                for n in re.findall(
                    rf"\b{name}s?[ (-]{{0,2}}([0-9]{{1,3}})\b", masked, re.IGNORECASE
                )
            ]
        masked = pattern.sub(" IND ", masked)
    masked = (
        re.sub(r"IND(?:\W+(?:[0-9]{1,3}|day|,|and|or|IND)\b)*", "IND", masked) if names else masked
    )
    if re.search(r"\bover(?:bought|sold)\b", text, re.IGNORECASE) and not names:
        names.append("rsi")
    ordered = tuple(dict.fromkeys(names))
    return ordered, tuple(dict.fromkeys(length for length in lengths if length > 1)), masked


def _guesses(text: str) -> tuple[str, ...]:
    """Return words that no English question about markets holds: perhaps an unknown instrument."""
    found: list[str] = []
    for match in _NAME.finditer(text):
        name = match.group(1)
        parts = [part for part in name.split() if not _is_word(part.lower())]
        if parts and not (match.start() == 0 and len(parts) < len(name.split())):
            found.append(name if len(parts) == len(name.split()) else " ".join(parts))
    if not found:
        found = [word for word in _LOWER.findall(text) if not _is_word(word)]
    return tuple(dict.fromkeys(found))[:2]


def _is_word(word: str) -> bool:
    if word in _COMMON or word in vocabulary():
        return True
    for ending in ("s", "ed", "ing", "er", "est", "ly", "d", "es"):
        stem = word.removesuffix(ending)
        if stem != word and len(stem) > 2 and (stem in _COMMON or stem in vocabulary()):
            return True
    return False


@lru_cache(maxsize=1)
def _catalogue() -> tuple[Instrument, ...]:
    """Return the names people commonly use, so that "google" is found in a sentence."""
    return tuple(
        Instrument(symbol=symbol, name=symbol, source="common names") for symbol in ALIASES
    )
