"""The shapes one clause of a spoken condition may have: "RSI under 30", "falls 5 %". Pure."""

from collections.abc import Sequence
from typing import Any, NoReturn

from tools.analytics.condition_lexicon import Number, Token
from tools.analytics.condition_parts import (
    LABELS,
    All,
    AnyOf,
    Comparison,
    Condition,
    Operator,
    Signalled,
    Times,
)

_PRICES = frozenset(
    {"close", "open", "high", "low", "sma20", "sma50", "sma200", "ema12", "ema26",
     "bollingerUpper", "bollingerMiddle", "bollingerLower", "atr", "high52w", "low52w",
     "macd", "macdSignal", "macdHistogram"}
)  # fmt: skip
_PERCENTS = frozenset(
    {"changePercent", "atrPercent", "volatility20", "volatility60", "fromHigh52wPercent"}
)
_INDEXES = frozenset({"rsi", "adx", "plusDi", "minusDi", "stochasticK", "stochasticD"})
"""Between 0 and 100."""
_OPPOSITE: dict[Operator, Operator] = {">": "<", ">=": "<=", "<": ">", "<=": ">="}
_STATES: dict[str, Condition] = {
    "overbought": Comparison("rsi", ">", 70.0),
    "oversold": Comparison("rsi", "<", 30.0),
    "golden": Comparison("sma50", "crosses_above", Times("sma200")),
    "death": Comparison("sma50", "crosses_below", Times("sma200")),
}

Read = tuple[Condition, str | None]


class Unfit(Exception):
    """A clause that fits none of the shapes."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def read_clause(
    found: Sequence[Token], *, before: str | None, timeframe: str, currency: str
) -> Read:
    """Return the condition of one clause and the field it speaks of, for a clause that goes on.

    `before` is the field of the clause before: "RSI above 70 or below 30".

    Raises:
        Unfit: it fits no shape as a whole.
    """
    if not found:
        raise Unfit("Something is missing beside an “and” or an “or”.")
    said = " ".join(token.text.strip() for token in found)
    for token in found:
        if token.kind == "bad":
            raise Unfit(f"{token.value[:1].upper()}{token.value[1:]}.")
    unknown = [token.text for token in found if token.kind == "unknown"]
    if unknown:
        raise Unfit(f"I do not understand “{' '.join(unknown)}”.")
    clause = _Clause(_spans_checked(found, timeframe, said), said, currency)
    return clause.read(before)


def _rewritten(found: Sequence[Token]) -> list[Token]:
    """Put what is said afterwards where it belongs: "500 or lower", "crosses 500 from below"."""
    kinds = [token.kind for token in found]
    tail = found[-1]
    rest = list(found[:-1])
    if tail.kind in ("or_more", "or_less") and kinds[-2:-1] == ["number"]:
        falls = kinds[0] == "move" and found[0].value < 0
        # "falls 4 % or more" is about the size of the fall.
        percent = isinstance(rest[-1].value, Number) and rest[-1].value.unit == "%"
        op: Operator = ">=" if tail.kind == "or_more" else "<="
        if percent and "move" in kinds:
            if op == "<=":
                return list(found)
        elif falls or "move" in kinds:
            rest = [token for token in rest if token.kind != "move"]
        return [*rest[:-1], Token("op", op, tail.text), rest[-1]]
    if tail.kind == "direction" and tail.value in ("up", "down") and "cross" in kinds:
        return [
            Token("cross", tail.value, token.text)
            if token.kind == "cross" and token.value == "any"
            else token
            for token in rest
        ]
    if kinds[:1] == ["loss"]:
        # "daily loss exceeds 5 %"
        return [Token("move", -1, found[0].text), *found[1:]]
    if sorted(kinds) == ["cross", "direction", "field"] and "macd" in [t.value for t in found]:
        way = next(token.value for token in found if token.kind == "direction")
        if way in ("bullish", "bearish"):
            turned = "up" if way == "bullish" else "down"
            field = Token("field", "macd", "macd")
            other = Token("field", "macdSignal", "signal")
            return [field, Token("cross", turned, "crosses"), other]
    return list(found)


def _spans_checked(found: Sequence[Token], timeframe: str, said: str) -> list[Token]:
    """Drop "in a day" where bars are of a day and a move is spoken of; refuse it elsewhere."""
    rest = [token for token in found if token.kind != "span"]
    for token in found:
        if token.kind == "span":
            moves = any(t.kind == "move" or t.value == "changePercent" for t in rest)
            if not moves:
                raise Unfit(f"I do not understand “{token.text}” in “{said}”.")
            if token.value != timeframe:
                raise Unfit(
                    f"I compare each bar with the one before, and these are {timeframe} bars: "
                    f"“{token.text}” needs bars of that length, say “on weekly bars”."
                )
    return rest


class _Clause:
    def __init__(self, found: list[Token], said: str, currency: str) -> None:
        self._found = found
        self._said = said
        self._currency = currency

    def read(self, before: str | None) -> Read:
        found = self._merged()
        kinds = tuple(token.kind for token in found)
        values = [token.value for token in found]
        if "signal" in kinds:
            return self._signal(found), None
        if kinds[0] != "field" or kinds == ("field",):
            special = self._whole(kinds, values)
            if special is not None:
                return special
        field = before or "close"
        if kinds[0] == "field":
            # "close" before another field only says whose: "price of ... RSI".
            field, kinds, values = values[0], kinds[1:], values[1:]
        return self._about(field, kinds, values), field

    def _merged(self) -> list[Token]:
        """Return the tokens without repetitions ("hits a new"), volume first."""
        found: list[Token] = []
        for token in _rewritten(self._found):
            if token.kind == "reach" and found and found[-1].kind == "reach":
                continue
            found.append(token)
        # "more than 2.5x normal volume"
        if found[-1].value == "volume" and found[0].kind != "field":
            found = [found[-1], *found[:-1]]
        # "closes up 3 %": the move says it all.
        if len(found) > 1 and found[0].value == "close" and found[1].kind in ("reach", "outside"):
            found = found[1:]
        return found

    def _signal(self, found: list[Token]) -> Condition:
        (kind, direction), *more = (t.value for t in found if t.kind == "signal")
        rest = [t for t in found if t.kind not in ("signal", "direction")]
        said = {t.value for t in found if t.kind == "direction"}
        if rest or more or len(said | ({direction} - {None})) > 1:
            self._refuse()
        return Signalled(kind, direction or next(iter(said), None), fired=True)

    def _whole(self, kinds: tuple[str, ...], values: list[Any]) -> Read | None:
        """Read a clause that names no field, or nothing but one."""
        match kinds:
            case ("turn",) if values[0] in _STATES:
                return _STATES[values[0]], None
            case ("reach", "field") if values[1] in ("high52w", "low52w"):
                return self._extreme(values[1]), None
            case ("field",) if values[0] in ("high52w", "low52w"):
                return self._extreme(values[0]), None
            case ("reach", "number"):
                return Comparison("close", ">=", self._number("close", values[1])), "close"
            case ("reach" | "touch", "field"):
                return self._touch(values[1]), "close"
            case ("touch", "number"):
                price = self._number("close", values[1])
                return All((Comparison("low", "<=", price), Comparison("high", ">=", price))), None
            case ("outside",):
                above = Comparison("close", ">", Times("bollingerUpper"))
                below = Comparison("close", "<", Times("bollingerLower"))
                return AnyOf((above, below)), None
            case ("move", *_) if any(isinstance(v, Number) and v.unit == "%" for v in values):
                if "field" not in kinds:
                    return self._change(kinds, values), None
            case ("within", "number", "field"):
                return self._within(values[1], values[2]), None
        return None

    def _about(self, field: str, kinds: tuple[str, ...], values: list[Any]) -> Condition:
        """Read what is said of a field."""
        match kinds:
            case ("move", "op", "number" | "field"):
                # "drops below 25": the way it got there has to agree with where it is.
                if (values[0] > 0) != (values[1] in (">", ">=")) or values[0] == 0:
                    self._refuse()
                return self._about(field, kinds[1:], values[1:])
            case ("move", *_) if field == "close" and "field" not in kinds:
                return self._change(kinds, values)
            case ("move", "number", "usual") if values[0] > 0:
                return self._usual(field, ">=", values[1])
            case ("op", "number"):
                return self._compare(field, values[0], values[1])
            case ("op", "field"):
                return self._against(field, values[0], values[1])
            case ("op", "usual"):
                return self._usual(field, values[0], Number(1.0, "x"))
            case ("op", "number", "usual"):
                return self._usual(field, values[0], values[1])
            case ("number", "usual") | ("number",) if values[0].unit == "x":
                return self._usual(field, ">=", values[0])
            case ("op", "number", "field") if field == "volume":
                return self._usual(field, values[0], values[1], mean=values[2])
            case ("number", "field") if field == "volume" and values[0].unit == "x":
                return self._usual(field, ">=", values[0], mean=values[1])
            case ("op", "number", "field") if field == "atr" and values[2] == "close":
                return self._compare("atrPercent", values[0], values[1])
            case ("number", "op", "field"):
                return self._beyond(field, values[0], values[1], values[2])
            case ("op", "number", "op", "field") if values[0] in (">", ">="):
                return self._beyond(field, values[1], values[2], values[3])
            case ("number", "off", "field") | ("op", "number", "off", "field"):
                return self._off(values)
            case ("cross", "number" | "field"):
                return self._cross(field, values[0], values[1])
            case ("between", "number", "and", "number"):
                low, high = self._number(field, values[1]), self._number(field, values[3])
                if low >= high:
                    self._refuse()
                return All((Comparison(field, ">=", low), Comparison(field, "<=", high)))
            case ("reach", "number"):
                return Comparison(field, ">=", self._number(field, values[1]))
            case ("touch" | "reach", "field") if field == "close":
                return self._touch(values[1])
            case ("within", "number", "field") if field == "close":
                return self._within(values[1], values[2])
            case ("turn",) if values[0] in ("overbought", "oversold") and field in ("rsi", "close"):
                return _STATES[values[0]]
            case ("turn",) if values[0] in ("positive", "negative") and field not in _PRICES - {
                "macd", "macdSignal", "macdHistogram"
            }:  # fmt: skip
                return self._turn(field, values[0])
        self._refuse()

    # --- shapes -------------------------------------------------------------------------------

    def _compare(self, field: str, op: Operator, number: Number) -> Condition:
        if field == "volume" and number.unit == "x":
            return self._usual(field, op, number)
        return Comparison(field, op, self._number(field, number))

    def _against(self, field: str, op: Operator, other: str) -> Condition:
        if field == "volume":
            return self._usual(field, op, Number(1.0, "x"), mean=other)
        self._comparable(field, other)
        return Comparison(field, op, Times(other))

    def _beyond(self, field: str, share: Number, op: Operator, other: str) -> Condition:
        """Read "5 % above its 200-day average"."""
        self._comparable(field, other)
        if share.unit != "%" or not 0 < share.value < 1000 or op not in _OPPOSITE:
            self._refuse()
        sign = 1 if op in (">", ">=") else -1
        times = round(1 + sign * share.value / 100, 10)
        if times <= 0:
            self._refuse()
        return Comparison(field, op, Times(other, times))

    def _cross(self, field: str, way: str, other: Any) -> Condition:
        value: float | Times
        if isinstance(other, Number):
            value = self._number(field, other)
        else:
            self._comparable(field, other)
            value = Times(other)
        above, below = (
            Comparison(field, "crosses_above", value),
            Comparison(field, "crosses_below", value),
        )
        return {"up": above, "down": below}.get(way) or AnyOf((above, below))

    def _usual(self, field: str, op: Operator, number: Number, mean: str = "sma50") -> Condition:
        """Read "three times the usual" of the volume."""
        if field != "volume" or number.unit != "x":
            self._refuse(" “Usual” is known of the volume only, as its average over 50 bars.")
        if mean != "sma50":
            raise Unfit("The volume is compared with its average over 50 bars and no other.")
        return Comparison("volumeRatio", op, number.value)

    def _change(self, kinds: tuple[str, ...], values: list[Any]) -> Condition:
        """Read "falls 5 %", "is up at least 3 %", "moves 5 %"."""
        match kinds:
            case ("move", "number"):
                way, op, number = values[0], ">=", values[1]
            case ("move", "op", "number") if values[1] in (">", ">="):
                way, op, number = values
            case _:
                self._refuse()
        if number.unit != "%":
            raise Unfit(f"How much is “{self._said}”? Write it in %, such as “falls 5 %”.")
        size = abs(number.value)
        up: Operator = ">=" if op == ">=" else ">"
        rises = Comparison("changePercent", up, size)
        falls = Comparison("changePercent", _OPPOSITE[up], -size)
        if way == 0:
            return AnyOf((rises, falls))
        return rises if way > 0 else falls

    def _within(self, share: Number, other: str) -> Condition:
        if share.unit != "%" or other not in _PRICES or not 0 < share.value < 100:
            self._refuse()
        if other == "high52w":
            return Comparison("fromHigh52wPercent", ">=", -share.value)
        low = Times(other, round(1 - share.value / 100, 10))
        high = Times(other, round(1 + share.value / 100, 10))
        return All((Comparison("close", ">=", low), Comparison("close", "<=", high)))

    def _off(self, values: list[Any]) -> Condition:
        number, other = values[-3], values[-1]
        if number.unit != "%" or other != "high52w":
            self._refuse()
        op: Operator = "<" if values[0] == ">" else "<="
        return Comparison("fromHigh52wPercent", op, -number.value)

    def _extreme(self, field: str) -> Condition:
        if field == "high52w":
            return Comparison("high", ">=", Times("high52w"))
        return Comparison("low", "<=", Times("low52w"))

    def _touch(self, other: str) -> Condition:
        if other not in _PRICES or other in ("close", "open", "high", "low", "atr"):
            self._refuse()
        under, over = (
            Comparison("low", "<=", Times(other)),
            Comparison("high", ">=", Times(other)),
        )
        if other in ("bollingerUpper", "high52w"):
            return over
        return under if other in ("bollingerLower", "low52w") else All((under, over))

    def _turn(self, field: str, way: str) -> Condition:
        turns = "turn" in self._said
        if way == "positive":
            return Comparison(field, "crosses_above" if turns else ">", 0.0)
        return Comparison(field, "crosses_below" if turns else "<", 0.0)

    # --- what may be compared -----------------------------------------------------------------

    def _number(self, field: str, number: Number) -> float:
        """Return the number if its unit and size can be those of the field."""
        unit = number.unit
        label = LABELS[field]
        if unit == "%" and field not in _PERCENTS | _INDEXES:
            raise Unfit(f"{label} is not measured in %: “{self._said}”.")
        if unit == "x" or (unit == "shares" and field not in ("volume", "obv")):
            self._refuse()
        if unit not in ("", "%", "shares"):
            if field not in _PRICES:
                raise Unfit(f"{label} is not measured in {unit}.")
            if unit != self._currency:
                raise Unfit(f"Its prices are in {self._currency}, not in {unit}.")
        if field in _INDEXES and not 0 <= number.value <= 100:
            raise Unfit(f"{label} lies between 0 and 100; {number.value:g} is never reached.")
        return number.value

    def _comparable(self, field: str, other: str) -> None:
        momentum = {"macd", "macdSignal", "macdHistogram"}
        pairs = (_PRICES - momentum - {"atr"}, momentum, {"plusDi", "minusDi", "adx"},
                 {"stochasticK", "stochasticD"}, {"volatility20", "volatility60"})  # fmt: skip
        if field == other or not any({field, other} <= group for group in pairs):
            raise Unfit(f"{LABELS[field]} cannot be compared with {LABELS[other]}.")

    def _refuse(self, hint: str = "") -> NoReturn:
        raise Unfit(f"I do not understand “{self._said}” as a condition.{hint}")
