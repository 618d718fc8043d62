"""What is being asked, given what was said before. Pure: messages in, one `Ask` out."""

import re

import msgspec

from agents.llms.builtin import ahead
from agents.llms.builtin.grammar import Parts, parse
from agents.llms.builtin.intents import Scores, score
from agents.llms.builtin.periods import Period
from agents.llms.builtin.text import clean, is_foreign, is_other_script, words
from agents.llms.builtin.vocabulary import word_set
from agents.llms.builtin.wishes import Wish, alert, search

REMEMBERED = 10
"""How many earlier questions a pronoun may reach back."""

ABOUT_ONE = frozenset(
    ("outlook", "indicator", "trend", "levels", "changed", "volatility", "price", "performance",
     "extremes", "volume", "signals", "news", "fundamentals")
)  # fmt: skip
"""Intents that speak of one instrument and so need one."""
APART = frozenset(("news", "fundamentals"))
"""Intents that take several instruments one after the other, and are not a comparison of prices."""
WITH_SYMBOL = ABOUT_ONE | {"compare", "advice", "forecast", "record", "why"}
TALK = frozenset(("help", "hello", "thanks", "bye", "who", "other", "define", "missing"))
UNCLEAR = 0.30
"""Below this score nothing is understood."""


class Ask(msgspec.Struct, frozen=True):
    """A question as understood."""

    intent: str
    symbols: tuple[str, ...] = ()
    period: Period | None = None
    indicators: tuple[str, ...] = ()
    lengths: tuple[int, ...] = ()
    unsupported: str = ""
    unknown: str = ""
    """A word that was perhaps meant as an instrument."""
    unusual: bool = False
    """Whether it is unusual was asked as well."""
    wish: Wish | None = None
    """The condition that is searched for, or that an alert is wanted on."""
    subjects: tuple[str, ...] = ()
    """What is to be forecast."""
    horizon: int = 0
    """How many bars ahead; 0: nothing was said."""
    about: "Ask | None" = None
    """The earlier question that "why?" asks about."""
    text: str = ""
    cut: bool = False
    """The question was longer than is read."""


def understand(questions: list[str]) -> Ask:
    """Return what the last of these user messages asks."""
    ask: Ask | None = None
    for question in questions[-REMEMBERED:]:
        read = _read(question, ask)
        # Small talk does not make anybody forget what was spoken of.
        ask = read if ask is None or read.intent not in TALK or read.symbols else _keep(read, ask)
    return ask if ask is not None else Ask("empty")


def _keep(now: Ask, before: Ask) -> Ask:
    return msgspec.structs.replace(now, about=subject_of(before))


def subject_of(ask: Ask | None) -> Ask | None:
    """Return the newest question about the market that `ask` follows, or itself."""
    if ask is None:
        return None
    if ask.intent in TALK or ask.intent in {"unclear", "empty", "foreign", "why"}:
        return ask.about
    return ask


def _read(question: str, earlier: Ask | None) -> Ask:
    text = clean(question)
    cut = len(question) > len(text) + 2_000
    before = subject_of(earlier)
    if not re.search(r"\w", text):
        return Ask("empty", about=before, text=text)
    parts = parse(text)
    scores = score(parts.masked)
    wished = _wished(parts, scores, before)
    if wished is not None:
        return msgspec.structs.replace(wished, text=text, cut=cut)
    if ahead.asks_past(text):
        return Ask("graded", symbols=parts.symbols[:1], text=text, cut=cut)
    if is_other_script(text) or (is_foreign(text) and scores.likeness < 0.75):
        return Ask("foreign", about=before, text=text)
    ask = _with_horizon(_resolve(parts, scores, before), text)
    return msgspec.structs.replace(ask, text=text, cut=cut)


def _with_horizon(ask: Ask, text: str) -> Ask:
    """Return a question about the future with what it asks for, unless an earlier one said it."""
    if ask.intent != "forecast" or ask.subjects:
        return ask
    return msgspec.structs.replace(
        ask, subjects=ahead.find_subjects(text), horizon=ahead.find_horizon(text)
    )


def _resolve(parts: Parts, scores: Scores, before: Ask | None) -> Ask:
    said = words(parts.text)
    intent = _intent(parts, scores, said)
    if intent in ahead.MAY_LOOK_AHEAD and ahead.looks_ahead(parts.text):
        named = bool(parts.symbols or parts.pronoun or (before is not None and before.symbols))
        moves = ahead.asks_for_moves(parts.text)
        if named and (moves or intent != "volatility") and not _looks_back(parts):
            intent = "forecast"
    ellipsis = _ellipsis(parts, scores, said, before, intent)
    if ellipsis is not None:
        return ellipsis
    if intent == "why":
        return Ask("why", symbols=parts.symbols, period=parts.period, about=before)
    symbols = parts.symbols
    unknown = ""
    if intent == "compare" and before is not None and before.symbols and len(symbols) == 1:
        symbols = tuple(dict.fromkeys((*before.symbols[:1], *symbols)))
    elif intent == "compare" and not symbols and before is not None:
        symbols = before.symbols
    if intent == "rank" and parts.plural and before is not None and len(before.symbols) > 1:
        intent, symbols = "compare", before.symbols
    if intent == "unclear" and parts.guesses and len(said) == 1:
        intent = "outlook"  # a single strange word: perhaps a name
    if not symbols and (intent in WITH_SYMBOL or (intent == "missing" and parts.pronoun)):
        if parts.guesses and not (parts.pronoun and before is not None and before.symbols):
            unknown = parts.guesses[0]
        elif before is not None and before.symbols:
            symbols = before.symbols if parts.plural else before.symbols[:1]
            if len(before.symbols) > 1 and not parts.plural and intent in ABOUT_ONE:
                symbols = before.symbols[:1]
    if intent in {"symbols", "data"} and not symbols and parts.guesses:
        unknown = parts.guesses[0]
    if intent in ABOUT_ONE - APART and len(symbols) > 1:
        intent = "compare"
    period = parts.period
    if period is None and intent == "compare" and before is not None and not parts.symbols:
        period = before.period if before.intent == "compare" else None
    if intent == "compare" and len(symbols) < 2:
        intent = "rank" if not symbols and not unknown else "outlook" if symbols else intent
    return Ask(
        intent=intent,
        symbols=symbols,
        period=period,
        indicators=parts.indicators,
        lengths=parts.lengths,
        unsupported=parts.unsupported,
        unknown=unknown,
        unusual=_unusual(said),
        about=before if intent in TALK or intent in {"unclear"} else None,
    )


def _looks_back(parts: Parts) -> bool:
    return parts.period is not None and not parts.period.is_day


def _wished(parts: Parts, scores: Scores, before: Ask | None) -> Ask | None:
    """Return the question as a search or an alert, where it is one."""
    wanted = alert(parts.text)
    if wanted is not None:
        symbols = parts.symbols or (() if before is None else before.symbols[:1])
        return Ask("alert", symbols=symbols[:1], wish=wanted)
    if parts.symbols:
        return None
    found = search(parts.text)
    if found is None and scores.best == "screen" and scores.score > 2 * UNCLEAR:
        found = Wish(None)
    if found is None:
        return None
    return Ask("screen", period=parts.period if found.dated else None, wish=found)


def _intent(parts: Parts, scores: Scores, said: list[str]) -> str:
    """Return the intent, where the grammar knows better than likeness."""
    best = scores.best if scores.best not in _WISHES else _next_best(scores)
    named = bool(parts.symbols or parts.pronoun or parts.plural)
    if parts.unsupported and not _asks_meaning(said):
        return "indicator"
    if scores.score < UNCLEAR or scores.likeness < 0.28:
        known = best if scores.score > UNCLEAR / 2 and best in ABOUT_ONE and named else ""
        from_parts = _from_parts(parts, said)
        if from_parts == "outlook":
            from_parts = known or from_parts
        return _keyword(parts) or from_parts or known or "unclear"
    if parts.symbols and (
        best in {"hello", "thanks", "bye", "help"}
        or (best == "other" and scores.score < 2 * UNCLEAR)
    ):
        return "outlook"
    if best in {"advice", "help"} and parts.indicators and not named and said[:1] in _QUESTIONS:
        return "define"
    if named and best in {"outlook", "define", "trend"} and _STRETCHED.search(parts.text):
        return "indicator"
    if (parts.symbols or "its" in said) and best in {"outlook", "define", "symbols", "price"}:
        best = _keyword(parts) or best
    if best == "performance" and _keyword(parts) == "extremes":
        return "extremes"
    if best in {"define", "outlook"} and named and parts.indicators:
        return "indicator"
    if best == "indicator" and not parts.indicators and not parts.unsupported:
        others = {k: v for k, v in scores.every.items() if k != "indicator"}
        second = max(others, key=lambda name: others[name])
        if _WANTS_ALL.search(parts.text):
            return "indicator"
        return second if others[second] > UNCLEAR / 2 else "indicator"
    if best == "indicator" and not parts.symbols and not named and _asks_meaning(said):
        return "define"
    if best == "performance" and parts.period is not None and parts.period.is_day:
        return "price"
    if best == "outlook" and parts.period is not None and not parts.period.is_day:
        return "performance"
    if best == "price" and parts.period is not None and not parts.period.is_day:
        return "performance"
    if best == "compare" and len(parts.symbols) < 2 and not parts.continues and parts.indicators:
        return "indicator"
    if best == "rank" and len(parts.symbols) == 1:
        return "outlook"
    if best == "symbols" and len(parts.symbols) == 1 and len(said) <= 2:
        return "outlook"
    return best


_WISHES = frozenset(("screen", "alert"))
"""Intents that need a condition; their own rules say when they are meant."""


def _next_best(scores: Scores) -> str:
    return max((name for name in scores.every if name not in _WISHES), key=scores.every.__getitem__)


_STRETCHED = re.compile(r"\bover(?:bought|sold)\b", re.IGNORECASE)
_KEYWORDS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (name, re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE))
    for name, pattern in (
        ("missing", r"bitcoin|btc|ethereum|crypto\w*|cash|earnings (?:date|call)|next earnings"),
        ("news", r"news|headlines?|sentiment"),
        (
            "fundamentals",
            r"dividends?|earnings|market cap\w*|p/?[eb](?: ratio)?|fundamentals?|revenues?|"
            r"net income|valuation",
        ),
        ("forecast", r"predict\w*|forecasts?|price target|tomorrow|next (?:week|month|year)"),
        ("volatility", r"volatil\w+|riskier|risky"),
        ("levels", r"support|resistance"),
        ("volume", r"volume"),
        ("trend", r"trend|trending|uptrend|downtrend"),
        ("signals", r"signals?|breakout"),
        (
            "extremes",
            r"drawdown|(?:52[ -]weeks?|all[ -]time|year(?:ly)?|record)[ -](?:high|low)s?|"
            r"highest|lowest",
        ),
    )
)


def _keyword(parts: Parts) -> str:
    """Return the intent that one telling word names."""
    return next((name for name, pattern in _KEYWORDS if pattern.search(parts.text)), "")


_QUESTIONS = (["how"], ["what"])
_WANTS_ALL = re.compile(r"\bindicators\b|\bstretched\b", re.IGNORECASE)


def _from_parts(parts: Parts, said: list[str]) -> str:
    """Return an intent from what is named alone, where the sentence is not known."""
    if len(parts.symbols) > 1:
        return "compare"
    if parts.indicators:
        return "indicator" if parts.symbols or not _asks_meaning(said) else "define"
    if parts.symbols and parts.period is not None:
        return "price" if parts.period.is_day else "performance"
    if parts.symbols:
        return "outlook"
    return ""


def _ellipsis(
    parts: Parts, scores: Scores, said: list[str], before: Ask | None, intent: str
) -> Ask | None:
    """Return the earlier question with what was said anew in its place: "and MSFT?"."""
    if before is None or before.intent not in WITH_SYMBOL | {"rank"}:
        return None
    further = ahead.only_a_horizon(parts.text, frozenset(_FILLERS)) if before.symbols else 0
    if further and before.intent in {"forecast", "outlook", "volatility"}:
        subjects = before.subjects or ahead.find_subjects(before.text)
        return msgspec.structs.replace(
            before,
            intent="forecast",
            subjects=subjects,
            horizon=further,
            period=None,
            text=parts.text,
        )
    rest = [word for word in words(_bare(parts.masked)) if word not in _FILLERS]
    rest = [word for word in rest if word not in {guess.lower() for guess in parts.guesses}]
    if rest:
        return None
    anew = dict(text=parts.text)
    if parts.indicators or parts.unsupported:
        return Ask(
            "indicator",
            symbols=parts.symbols or before.symbols[:1],
            period=parts.period,
            indicators=parts.indicators,
            lengths=parts.lengths,
            unsupported=parts.unsupported,
        )
    if not parts.symbols and parts.guesses and parts.continues:
        return msgspec.structs.replace(before, symbols=(), unknown=parts.guesses[0], **anew)
    if parts.symbols:
        symbols = parts.symbols
        if before.intent == "compare" and len(symbols) == 1:
            symbols = (before.symbols[0], symbols[0]) if before.symbols else symbols
        if re.match(r"^(?:versus|vs|against|compared|with)\b", parts.text.lower()):
            symbols = tuple(dict.fromkeys((*before.symbols[:1], *symbols)))
        kind = before.intent
        if len(symbols) > 1 and kind in ABOUT_ONE - APART:
            kind = "compare"
        return msgspec.structs.replace(
            before,
            intent=kind,
            symbols=symbols,
            unknown="",
            period=parts.period or before.period,
            **anew,
        )
    if parts.period is not None:
        kind = before.intent
        if kind in {"outlook", "price", "trend", "signals", "volume", "advice", "forecast"}:
            kind = "price" if parts.period.is_day and kind == "price" else kind
            if not parts.period.is_day:
                kind = "performance"
        return msgspec.structs.replace(before, intent=kind, period=parts.period, **anew)
    return None


_FILLERS = word_set(
    """
    and or also plus then but what about how same for with now versus vs compared to over since in
    on during against ok okay so yes no hmm thanks great the please it its is are do does did me
    show of at again a instead only just tell give was were this that as too well
    """
)


def _bare(masked: str) -> str:
    return re.sub(r"\b(?:SYM|IND|PERIOD)\b", " ", masked)


_MEANING = re.compile(
    r"\b(?:what (?:is|are|does)|what's|define|meaning|means?|explain|calculated|how does|teach)\b"
)


def _asks_meaning(said: list[str]) -> bool:
    return bool(_MEANING.search(" ".join(said)))


def _unusual(said: list[str]) -> bool:
    return bool(
        set(said)
        & {"unusual", "unusually", "normal", "usual", "rare", "extreme", "strange", "abnormal"}
    )
