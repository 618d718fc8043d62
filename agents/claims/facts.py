"""Turn tool results into single values that a number of an answer can be compared with."""

import math
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import msgspec

from agents.claims.mentions import NumberMention, find_mentions
from agents.claims.values import Evidence
from agents.claims.words import ideas_of, name_parts, word_set

MAX_FACTS = 20_000
MAX_DEPTH = 24
MOST_NAMES = 6
MAX_SENTENCE = 300
"""A longer string is a document, and what it says is not a value of the result."""
BULK = 12
"""A list longer than this is a table of rows, not a handful of named values."""

_DIGIT = re.compile(r"[0-9]")
_NUMERIC = re.compile(r"[+-]?[0-9]{1,30}(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,3})?")
_UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
"""The digits of an id count nothing."""
_ISO_DATE = re.compile(r"([12][0-9]{3})-([01][0-9])-([0-3][0-9])(?:[T ].{0,40})?")
_SETTINGS = word_set(
    """
    period periods length lengths window windows lookback limit k warmup fast slow smoothing
    multiplier horizon coverage closes valid
    """
)
_NAMES = ("label", "name", "type", "signalType", "kind", "indicator")
_QUIET = frozenset(("data", "value", "values", "items", "rows", "result"))


class Fact(msgspec.Struct, frozen=True):
    """One number or date of a tool result, or of what the tool was asked."""

    evidence: int
    """Index of the tool result."""
    order: int
    path: tuple[str, ...]
    original: float | int | str
    number: Decimal | None
    day: date | None
    unit: str
    symbol: str
    ideas: dict[str, float]
    """Idea -> how much it tells about this value."""
    own: frozenset[str]
    """The ideas of its own name, without those of what stands around it."""
    asked: bool
    """An argument or a setting: it was asked for, not found out."""
    bulk: bool
    """Stands in a long list; only its date or row name can single it out."""
    row_day: date | None
    """The date that the same row carries."""
    row_symbol: bool
    """The row of a long list names the symbol itself."""
    named: str
    """What the object around it is called: "entry" for a signal."""
    as_of: str
    """The moment that the object around it, or the whole result, speaks of."""
    lengths: frozenset[int]
    """Whole numbers inside its name: the 50 of sma50."""
    measured: frozenset[str]
    """The ideas of the name that carries those numbers: averages, for sma50."""
    quoted: bool
    """Read out of a sentence of the result."""


class _Place(msgspec.Struct, frozen=True):
    """What is known at a place of the result from everything around it."""

    path: tuple[str, ...] = ()
    symbol: str = ""
    ideas: dict[str, float] = {}
    own: frozenset[str] = frozenset()
    bulk: bool = False
    row_day: date | None = None
    row_symbol: bool = False
    named: str = ""
    as_of: str = ""
    lengths: frozenset[int] = frozenset()
    measured: frozenset[str] = frozenset()


def collect_facts(evidence: Iterable[Evidence]) -> list[Fact]:
    """Return every number and date that the tool results and their arguments hold."""
    facts: list[Fact] = []
    for index, one in enumerate(evidence):
        units = one.result.get("units")
        units = units if isinstance(units, dict) else {}
        symbols = sorted(_symbols(one.arguments) or _symbols(one.result.get("data")))
        symbol = symbols[0] if len(symbols) == 1 else ""
        ideas = _weigh(name_parts(one.tool), 0.5)
        as_of = one.result.get("asOf")
        start = _Place(symbol=symbol, ideas=ideas, as_of=as_of if isinstance(as_of, str) else "")
        for key in ("data", "asOf"):
            place = msgspec.structs.replace(start, path=(key,))
            facts.extend(
                _facts_in(
                    one.result.get(key),
                    place,
                    index=index,
                    units=units,
                    asked=False,
                    order=len(facts),
                )
            )
        facts.extend(
            _facts_in(one.arguments, start, index=index, units={}, asked=True, order=len(facts))
        )
        if len(facts) >= MAX_FACTS:
            break
    return facts[:MAX_FACTS]


def parse_day(value: object) -> date | None:
    """Return the day an ISO date or timestamp names."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).date()
    if not isinstance(value, str) or not 10 <= len(value) <= 60:
        return None
    found = _ISO_DATE.fullmatch(value)
    if found is None:
        return None
    try:
        return date(int(found[1]), int(found[2]), int(found[3]))
    except ValueError:
        return None


def parse_number(value: object) -> Decimal | None:
    """Return the number a JSON value is, also when it is a decimal written as a string."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return Decimal(value) if abs(value) < 10**30 else None
    if isinstance(value, float):
        return Decimal(repr(value)) if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return value if value.is_finite() else None
    if isinstance(value, str) and len(value) <= 60 and _NUMERIC.fullmatch(value):
        return Decimal(value)
    return None


def _facts_in(
    tree: object,
    place: _Place,
    *,
    index: int,
    units: dict[str, Any],
    asked: bool,
    order: int,
) -> Iterator[Fact]:
    stack: list[tuple[object, _Place]] = [(tree, place)]
    given = order
    while stack and given < MAX_FACTS:
        node, here = stack.pop()
        if len(here.path) > MAX_DEPTH:
            continue
        if isinstance(node, dict):
            inside = _enter(node, here)
            children = [(value, _step(inside, str(key), bulk=False)) for key, value in node.items()]
            stack.extend(reversed(children))
            continue
        if isinstance(node, (list, tuple)):
            bulk = here.bulk or len(node) > BULK
            stack.extend(
                (value, _step(here, str(position), bulk=bulk))
                for position, value in reversed(list(enumerate(node)))
            )
            continue
        fact = _fact(node, here, index=index, units=units, asked=asked, order=given)
        found = [fact] if fact is not None else []
        if fact is None and not asked and isinstance(node, str) and not _UUID.fullmatch(node):
            found = _quoted(node, here, index=index, order=given)
        given += len(found)
        yield from found


def _enter(node: dict[str, Any], here: _Place) -> _Place:
    """Return the place with what the object itself says: its symbol, date, names, settings."""
    symbol, row_day, row_symbol, as_of = here.symbol, here.row_day, here.row_symbol, here.as_of
    ideas = dict(here.ideas)
    for key, value in node.items():
        name = str(key).lower()
        if isinstance(value, str) and value and len(value) <= 48:
            if name in {"symbol", "ticker"}:
                symbol, row_symbol = value.upper(), row_symbol or here.bulk
            elif name in {"date", "timestamp", "time", "on", "at"}:
                row_day = parse_day(value) or row_day
            elif name == "asof":
                as_of = value
            elif parse_number(value) is None and parse_day(value) is None:
                _merge(ideas, _weigh(_words(value), 2.0))
        elif isinstance(value, list) and len(value) <= MOST_NAMES:
            # A row about several: {"between": ["GOOG", "MSFT"], "correlation": 0.37}
            named_here = [one for one in value if isinstance(one, str) and len(one) <= 24]
            _merge(ideas, _weigh((one.lower() for one in named_here), 2.0))
    # A company's name says no more than its symbol.
    labels = [key for key in _NAMES if not (key == "name" and "symbol" in node)]
    named = next((node[key] for key in labels if isinstance(node.get(key), str)), here.named)
    return msgspec.structs.replace(
        here,
        symbol=symbol,
        ideas=ideas,
        row_day=row_day,
        row_symbol=row_symbol,
        named=named[:48],
        as_of=as_of,
    )


def _step(here: _Place, key: str, *, bulk: bool) -> _Place:
    """Return the place one key deeper."""
    path = (*here.path, key)
    if key.isdigit():
        return msgspec.structs.replace(here, path=path, bulk=here.bulk or bulk)
    parts = name_parts(key)
    # What stands nearer to the value tells more about it.
    ideas = {idea: weight * 0.6 for idea, weight in here.ideas.items()}
    own = here.own
    if key.lower() not in _QUIET:
        named = _weigh((*parts, key.lower()), 3.0)
        _merge(ideas, named)
        own = frozenset(named)
    lengths = {int(part) for part in parts if part.isdigit() and len(part) <= 4}
    return msgspec.structs.replace(
        here,
        path=path,
        symbol=key if _looks_like_symbol(key) else here.symbol,
        ideas=ideas,
        own=own,
        bulk=here.bulk or bulk,
        lengths=here.lengths | lengths,
        measured=here.own | _weigh(parts, 1.0).keys() if lengths else here.measured,
    )


def _is_setting(name: str) -> bool:
    return re.sub(r"[_-]?(?:days|bars)$", "", name.lower()) in _SETTINGS


def _fact(
    value: object, here: _Place, *, index: int, units: dict[str, Any], asked: bool, order: int
) -> Fact | None:
    number, day = parse_number(value), parse_day(value)
    if number is None and day is None:
        return None
    key = next((part for part in reversed(here.path) if not part.isdigit()), "")
    unit = units.get(key, "")
    unit = unit if isinstance(unit, str) else ""
    ideas, own = here.ideas, here.own
    if unit:
        counted = _weigh(_words(unit), 1.2)
        ideas, own = dict(ideas), own | counted.keys()
        _merge(ideas, counted)
    original: float | int | str = value if isinstance(value, (str, int, float)) else str(value)
    return Fact(
        evidence=index,
        order=order,
        path=here.path,
        original=original,
        number=number,
        day=day,
        unit=unit,
        symbol=here.symbol,
        ideas=ideas,
        own=own,
        asked=asked or (number is not None and _is_setting(key)),
        bulk=here.bulk,
        row_day=here.row_day,
        row_symbol=here.row_symbol,
        named=here.named,
        as_of=here.as_of,
        lengths=here.lengths,
        measured=here.measured,
        quoted=False,
    )


def _quoted(said: str, here: _Place, *, index: int, order: int) -> list[Fact]:
    """Return the numbers and dates inside a sentence of the result, such as a signal's reason."""
    if len(said) > MAX_SENTENCE or not _DIGIT.search(said):
        return []
    ideas = dict(here.ideas)
    _merge(ideas, _weigh(_words(said), 1.0))
    facts: list[Fact] = []
    for mention in find_mentions(said):
        number = day = None
        lengths: frozenset[int] = frozenset()
        if isinstance(mention, NumberMention):
            if mention.shown.is_nan():
                continue
            number = -mention.shown if mention.sign < 0 else mention.shown
            if mention.window and number == number.to_integral_value():
                lengths = frozenset((int(number),))
        elif mention.year and mention.month and mention.day:
            try:
                day = date(mention.year, mention.month, mention.day)
            except ValueError:
                continue
        else:
            continue
        facts.append(
            Fact(
                evidence=index,
                order=order + len(facts),
                path=here.path,
                original=mention.text if number is None else float(number),
                number=number,
                day=day,
                unit="%" if isinstance(mention, NumberMention) and mention.unit == "%" else "",
                symbol=here.symbol,
                ideas=ideas,
                own=frozenset(ideas),
                asked=False,
                bulk=here.bulk,
                row_day=here.row_day,
                row_symbol=here.row_symbol,
                named=here.named,
                as_of=here.as_of,
                lengths=here.lengths | lengths,
                measured=frozenset(ideas),
                quoted=True,
            )
        )
    return facts


def _symbols(tree: object) -> set[str]:
    """Return the symbols named at the top of arguments or data."""
    if not isinstance(tree, dict):
        return set()
    found: set[str] = set()
    for key in ("symbol", "ticker", "symbols", "tickers"):
        value = tree.get(key)
        names = value if isinstance(value, (list, tuple)) else [value]
        found.update(name.upper() for name in names if isinstance(name, str) and len(name) <= 12)
    return found


def _looks_like_symbol(key: str) -> bool:
    return 1 < len(key) <= 6 and key.isupper() and key.isalpha()


def _words(text: str) -> tuple[str, ...]:
    return tuple(part for word in text.split()[:8] for part in name_parts(word))


def _weigh(words: Iterable[str], weight: float) -> dict[str, float]:
    ideas: dict[str, float] = {}
    for word in words:
        for idea in ideas_of(word):
            ideas[idea] = max(weight, ideas.get(idea, 0.0))
    return ideas


def _merge(into: dict[str, float], more: dict[str, float]) -> None:
    for idea, weight in more.items():
        into[idea] = max(weight, into.get(idea, 0.0))
