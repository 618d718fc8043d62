"""Does a question look ahead, at what, and how far? Pure: words in, a few words out."""

import re

_AHEAD = re.compile(
    r"\b(?:will|going to|gonna|tomorrow|next|coming|ahead|expect(?:ed|ation|ations)?|forecasts?|"
    r"predict\w*|likely|likelihood|probabl[ey]|probability|probabilities|odds|chances?)\b",
    re.IGNORECASE,
)
_VOLATILE = re.compile(
    r"\bvolatil\w+|\bturbulen\w+|\bcalm\w*|\bstorm\w*|\bwild\w*|\bswing\w*|\brisky|\briskier"
    r"|\bhow (?:much|far) (?:will|could|might|can|does|do|is|are)\b.*\b(?:move|swing|vary|moving)",
    re.IGNORECASE,
)
_SUBJECTS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (what, re.compile(pattern, re.IGNORECASE))
    for what, pattern in (
        (
            "regime",
            r"\bturbulen\w+|\b(?:likely|likelihood|probabl[ey]|probability|probabilities|odds|chances?)\b.*"
            r"\b(?:volatile|calm|wild|storm\w*|quiet)\b",
        ),
        ("returns", r"\brange\b|\bexpected return|\bquantiles?\b|\bhow far\b|\bvalue at risk\b"),
        ("volatility", _VOLATILE.pattern),
        (
            "direction",
            r"\b(?:up|down|rise|rises|rising|fall|falls|falling|drop|drops|gain|gains|climb\w*|"
            r"recover\w*|crash\w*|higher|lower|direction|rally|bounce|sink|target)\b",
        ),
    )
)
_HORIZON: tuple[tuple[int, str], ...] = (
    (20, r"(?:20|twenty|2[0-3]) (?:trading )?(?:days?|sessions?|bars?)|(?:four|4) weeks|months?"),
    (5, r"(?:5|five) (?:trading )?(?:days?|sessions?|bars?)|weeks?"),
    (1, r"(?:one |1 )?(?:trading )?(?:day|session|bar)|tomorrow"),
)
_STRETCH = re.compile(
    r"\b(?:over |in |within |during |for |across )?(?:the |a |one )?(?:next|coming|following)?"
    rf"(?: |^)?(?:{'|'.join(pattern for _, pattern in _HORIZON)})\b|\btomorrow\b",
    re.IGNORECASE,
)
_NEXT = re.compile(
    r"\b(?:next|coming|following|in an?|in one|in [1-9][0-9]?|tomorrow|over the|within)\b",
    re.IGNORECASE,
)
_PAST = re.compile(
    r"\b(?:your|the|my|our|last|earlier|previous|past|old|these|those)\b[\w ,']{0,30}"
    r"\b(?:forecasts?|predictions?)\b.*"
    r"\b(?:do|did|done|right|wrong|turn|turned|come|came|hold|held|far|fare|fared|go|went|gone|"
    r"good|accurate|correct|true)\b"
    r"|\b(?:how|did|were|was|are)\b[\w ,']{0,40}\b(?:forecasts?|predictions?)\b.*"
    r"\b(?:do|did|right|wrong|turn(?:ed)?|come|came|hold|held|fare|fared|go|went|good|accurate|"
    r"correct|true)\b"
    r"|\bhow (?:good|accurate|right|reliable) (?:are|were|have been)\b.*"
    r"\b(?:forecast|prediction)s?\b"
    r"|\bwere you right\b|\bhow (?:did|have) your\b.*\b(?:forecast|prediction)",
    re.IGNORECASE,
)
MAY_LOOK_AHEAD = frozenset(("volatility", "outlook", "unclear", "trend", "performance", "other"))
"""Intents that a question about the future may be taken for."""


def looks_ahead(text: str) -> bool:
    """Tell whether a question is about what will be."""
    return _AHEAD.search(text) is not None


def asks_for_moves(text: str) -> bool:
    """Tell whether it is about how much a price moves."""
    return _VOLATILE.search(text) is not None


def asks_past(text: str) -> bool:
    """Tell whether it asks how earlier forecasts turned out."""
    return _PAST.search(text) is not None


def find_subjects(text: str) -> tuple[str, ...]:
    """Return what is to be forecast; how much it moves and which way, where nothing is named."""
    found = tuple(what for what, pattern in _SUBJECTS if pattern.search(text))
    if "regime" in found:
        found = tuple(what for what in found if what != "volatility")
    return found or ("volatility", "direction")


def find_horizon(text: str) -> int:
    """Return how many bars ahead are meant; 0 where nothing is said."""
    if _NEXT.search(text) is None and "tomorrow" not in text.lower():
        return 0
    for bars, pattern in _HORIZON:
        if re.search(rf"\b(?:{pattern})\b", text, re.IGNORECASE):
            return bars
    return 0


def only_a_horizon(text: str, fillers: frozenset[str]) -> int:
    """Return the horizon where a question says nothing else: "and over the next 20 days?"."""
    horizon = find_horizon(text)
    if not horizon:
        return 0
    rest = re.findall(r"[a-z]+", _STRETCH.sub(" ", text.lower()))
    return 0 if [word for word in rest if word not in fillers] else horizon
