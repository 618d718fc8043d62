"""Conditions: what is read, what is refused and in which words, and when one holds."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.analytics import snapshot
from tools.analytics.conditions import (
    LABELS,
    OPERATORS,
    SIGNALS,
    All,
    AnyOf,
    BadCondition,
    Comparison,
    Condition,
    Not,
    Signalled,
    Standing,
    Times,
    describe,
    fields,
    holds,
    leaves,
    looks_back,
    parse,
    signals,
    to_json,
)

FIELDS = ("close", "rsi", "sma200", "ema12", "volumeRatio")
PRICES = ("sma200", "ema12")
numbers = st.floats(-1e6, 1e6).map(lambda value: round(value, 2))
comparisons = st.builds(
    Comparison,
    field=st.just("close"),
    op=st.sampled_from(OPERATORS),
    value=numbers | st.builds(Times, field=st.sampled_from(PRICES), times=st.just(1.02)),
)
signalled = st.builds(
    Signalled,
    signal=st.sampled_from(SIGNALS),
    direction=st.sampled_from(["bullish", "bearish", None]),
    fired=st.booleans(),
)
some_leaves = comparisons | signalled


def groups(inner: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    several = st.lists(inner, min_size=1, max_size=2).map(tuple)
    return several.map(All) | several.map(AnyOf) | inner.map(Not)


# Two steps of nesting at most three groups deep: every one is within the limits.
conditions = some_leaves | groups(some_leaves) | groups(groups(some_leaves))
snapshots = st.dictionaries(st.sampled_from(FIELDS), st.none() | numbers)
standings = st.lists(
    st.builds(
        Standing,
        type=st.sampled_from(SIGNALS),
        direction=st.sampled_from(["bullish", "bearish", "neutral"]),
        fired=st.booleans(),
    ),
    max_size=3,
)


@given(conditions)
def test_what_is_written_is_read_again(condition: Condition) -> None:
    assert parse(json.loads(json.dumps(to_json(condition)))) == condition


@given(conditions, snapshots, snapshots, standings)
def test_a_condition_and_its_negation_never_agree(
    condition: Condition,
    now: dict[str, float | None],
    before: dict[str, float | None],
    valid: list[Standing],
) -> None:
    straight, turned = (holds(one, now, before, valid) for one in (condition, Not(condition)))
    assert (straight is None) == (turned is None)
    assert straight is None or straight is not turned


@given(conditions, snapshots, snapshots, standings)
def test_learning_a_missing_value_never_overturns_an_answer(
    condition: Condition,
    now: dict[str, float | None],
    before: dict[str, float | None],
    valid: list[Standing],
) -> None:
    first = holds(condition, now, before, valid)
    if first is None:
        return
    filled = {field: 1.0 if now.get(field) is None else now[field] for field in FIELDS}
    filled_before = {field: 1.0 if before.get(field) is None else before[field] for field in FIELDS}
    assert holds(condition, filled, filled_before, valid) is first


@given(conditions, snapshots, snapshots, standings)
def test_only_the_named_fields_are_read(
    condition: Condition,
    now: dict[str, float | None],
    before: dict[str, float | None],
    valid: list[Standing],
) -> None:
    kept = fields(condition)
    cut, cut_before = (
        {name: value for name, value in at.items() if name in kept} for at in (now, before)
    )
    assert holds(condition, cut, cut_before, valid) is holds(condition, now, before, valid)
    if not looks_back(condition):
        assert holds(condition, now, None, valid) is holds(condition, now, before, valid)
    if not signals(condition):
        assert holds(condition, now, before, None) is holds(condition, now, before, valid)


@given(conditions)
def test_every_condition_is_told_in_words(condition: Condition) -> None:
    words = describe(condition)
    for leaf in leaves(condition):
        named = leaf.signal.replace("_", " ") if isinstance(leaf, Signalled) else LABELS[leaf.field]
        assert named in words


@pytest.mark.parametrize(
    ("op", "before", "now", "expected"),
    [
        (">", None, 71.0, True),
        (">", None, 70.0, False),
        (">=", None, 70.0, True),
        ("<", None, 70.0, False),
        ("<=", None, 70.0, True),
        ("crosses_above", 69.0, 71.0, True),
        ("crosses_above", 70.0, 71.0, True),
        ("crosses_above", 71.0, 72.0, False),
        ("crosses_above", 69.0, 70.0, False),
        ("crosses_above", None, 71.0, None),
        ("crosses_above", None, 69.0, False),
        ("crosses_below", 70.0, 69.0, True),
        ("crosses_below", 69.0, 68.0, False),
        (">", 71.0, None, None),
        (">", 71.0, float("nan"), None),
    ],
)
def test_an_operator_means_what_it_says(
    op: str, before: float | None, now: float | None, expected: bool | None
) -> None:
    condition = parse({"field": "rsi", "op": op, "value": 70})
    assert holds(condition, {"rsi": now}, {"rsi": before}) is expected


def test_a_line_is_crossed_where_it_stood_on_each_day() -> None:
    condition = parse(
        {"field": "close", "op": "crosses_above", "value": {"field": "sma200", "times": 1.02}}
    )
    before = {"close": 101.0, "sma200": 100.0}
    assert holds(condition, {"close": 103.0, "sma200": 100.0}, before) is True
    assert holds(condition, {"close": 103.0, "sma200": 102.0}, before) is False
    assert holds(condition, {"close": 103.0, "sma200": None}, before) is None


def test_one_known_part_decides_a_group() -> None:
    unknown = {"field": "sma200", "op": ">", "value": 1}
    high, low = ({"field": "rsi", "op": op, "value": 50} for op in (">", "<"))
    now = {"rsi": 60.0}
    assert holds(parse({"all": [unknown, low]}), now) is False
    assert holds(parse({"all": [unknown, high]}), now) is None
    assert holds(parse({"any": [unknown, high]}), now) is True
    assert holds(parse({"any": [unknown, low]}), now) is None


def test_a_signal_is_valid_or_has_just_fired() -> None:
    standing = [Standing(type="breakout", direction="bullish")]
    fresh = [Standing(type="breakout", direction="bullish", fired=True)]
    asked: dict[str, Any] = {"signal": "breakout", "direction": "bullish"}
    assert holds(parse(asked), {}, None, standing) is True
    assert holds(parse(asked | {"fired": True}), {}, None, standing) is False
    assert holds(parse(asked | {"fired": True}), {}, None, fresh) is True
    assert holds(parse(asked | {"direction": "bearish"}), {}, None, fresh) is False
    assert holds(parse({"signal": "breakout"}), {}, None, None) is None


def test_words_read_like_a_sentence() -> None:
    condition = parse(
        {
            "all": [
                {"field": "close", "op": "crosses_above", "value": {"field": "sma200"}},
                {
                    "any": [
                        {"field": "volume", "op": ">=", "value": 1500000},
                        {"signal": "entry", "direction": "bullish", "fired": True},
                    ]
                },
                {"not": {"field": "rsi", "op": ">", "value": 70.5}},
            ]
        }
    )
    assert describe(condition) == (
        "close crosses above SMA 200 and (volume at or above 1,500,000 or a bullish entry signal "
        "fires) and not (RSI above 70.5)"
    )
    assert fields(condition) == {"close", "sma200", "volume", "rsi"}
    assert signals(condition) == {"entry"}


def test_a_condition_may_name_just_the_fields_of_a_snapshot() -> None:
    assert list(LABELS) == list(snapshot.FIELDS)


LEAF = {"field": "rsi", "op": ">", "value": 70}


@pytest.mark.parametrize(
    ("document", "said"),
    [
        (None, "at `condition`: null is no condition; a condition is {field, op, value}"),
        ("rsi > 70", "text is no condition"),
        ({}, "it has nothing; a condition is"),
        ({"rsi": 70}, "it has 'rsi'; a condition is"),
        ({"field": "rsi14", "op": ">", "value": 70}, "Did you mean 'rsi'? Allowed: close, open"),
        ({"field": 3, "op": ">", "value": 70}, "at `condition.field`: it must be the name of a"),
        ({"field": "rsi", "op": "=", "value": 70}, "'=' is no operator. Allowed: >, >=, <, <=, cr"),
        ({"field": "rsi", "value": 70}, "a comparison needs `field`, `op` and `value`"),
        ({"field": "rsi", "op": ">", "value": "70"}, "at `condition.value`: it must be a number"),
        ({"field": "rsi", "op": ">", "value": True}, "not true or false"),
        ({"field": "rsi", "op": ">", "value": float("nan")}, "it must be a finite number"),
        ({"field": "rsi", "op": ">", "value": 10**400}, "it must be a finite number"),
        ({"field": "rsi", "op": ">", "value": {"times": 2}}, "it must be a number, or {field"),
        ({"field": "rsi", "op": ">", "value": {"field": "rsi"}}, "cannot be compared with itself"),
        ({"field": "close", "op": ">", "value": {"field": "sma50", "times": 0}}, "above 0, not 0"),
        ({"field": "rsi", "op": ">", "value": {"field": "close"}}, "do not compare"),
        (LEAF | {"at": "2013"}, "'at' does not belong here; allowed: field, op, value"),
        ({"signal": "golden"}, "'golden' is no signal. Allowed: entry, exit, trend_change"),
        ({"signal": "exit", "direction": "up"}, "'up' is no direction. Allowed: bullish, bearish"),
        ({"signal": "exit", "fired": 1}, "it must be true or false, not a number"),
        ({"all": []}, "at `condition.all`: it must be a list of at least one condition"),
        ({"all": LEAF}, "it must be a list of at least one condition"),
        ({"all": [LEAF], "any": [LEAF]}, "'any' does not belong here"),
        ({"any": [LEAF, {"not": 5}]}, "at `condition.any[1].not`: a number is no condition"),
        ({"all": [LEAF] * 21}, "it has 21 parts; at most 20 may be"),
        ({"all": [{"any": [LEAF] * 11}] * 2}, "the condition has 22 comparisons; at most 20"),
        ({"not": {"not": {"not": {"not": LEAF}}}}, "nested 4 deep and no deeper"),
    ],
)
def test_what_is_wrong_is_said_with_what_is_allowed(document: Any, said: str) -> None:
    with pytest.raises(BadCondition) as error:
        parse(document)
    assert said in str(error.value)


def test_nesting_a_thousand_deep_is_refused_like_any_other() -> None:
    document: Any = LEAF
    for _ in range(1000):
        document = {"not": document}
    with pytest.raises(BadCondition, match="no deeper"):
        parse(document)


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=5) | st.sampled_from(FIELDS),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["all", "any", "not", "field", "op", "value", "signal", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json_values)
def test_any_json_is_either_a_condition_or_refused(document: Any) -> None:
    try:
        condition = parse(document)
    except BadCondition:
        return
    assert parse(to_json(condition)) == condition
