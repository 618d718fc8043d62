"""What is understood of conditions in plain words, and what is refused with a reason."""

import pytest

from tests.unit.tools.condition_phrases import (
    HELD_OUT,
    LAST,
    LATER,
    NOT_UNDERSTOOD,
    UNDERSTOOD,
    J,
    Row,
)
from tools.analytics.condition_words import EXAMPLES, LONGEST, NotUnderstood, read_words
from tools.analytics.conditions import describe, parse, to_json
from tools.market.instruments import Instrument

_NAMES = {
    "AAPL": "Apple Inc.", "AMZN": "Amazon.com, Inc.", "GOOG": "Alphabet Inc.",
    "IBM": "International Business Machines", "META": "Meta Platforms, Inc.",
    "MSFT": "Microsoft Corporation", "NFLX": "Netflix, Inc.", "NVDA": "NVIDIA Corporation",
}  # fmt: skip
INSTRUMENTS = [
    Instrument(symbol=symbol, name=name, source="a test") for symbol, name in _NAMES.items()
]


@pytest.mark.parametrize(("text", "symbol", "condition"), [*UNDERSTOOD, *LATER])
def test_a_phrase_means_what_it_says(text: str, symbol: str, condition: J) -> None:
    found = read_words(text, INSTRUMENTS)
    assert (found.symbol, to_json(found.condition)) == (symbol, condition)
    assert found.timeframe == "1d"
    assert found.description == describe(parse(condition))


@pytest.mark.parametrize(
    ("phrases", "least"), [(HELD_OUT, 0.9), (LAST, 0.5)], ids=["held out", "last"]
)
def test_phrases_the_rules_were_not_written_for_are_mostly_understood_and_never_wrongly(
    phrases: tuple[Row, ...], least: float
) -> None:
    right: list[str] = []
    refused: list[str] = []
    wrong: list[str] = []
    for text, symbol, condition in phrases:
        try:
            found = read_words(text, INSTRUMENTS)
        except NotUnderstood as missed:
            refused.append(f"{text}: {missed}")
            continue
        same = (found.symbol, to_json(found.condition)) == (symbol, condition)
        (right if same else wrong).append(text)
    assert wrong == []
    assert len(right) >= least * len(phrases), refused
    assert len(phrases) >= 20


@pytest.mark.parametrize(("text", "named"), NOT_UNDERSTOOD)
def test_what_is_not_understood_is_refused_and_named(text: str, named: str) -> None:
    with pytest.raises(NotUnderstood) as refused:
        read_words(text, INSTRUMENTS)
    assert named in str(refused.value)


def test_a_refusal_says_what_was_understood() -> None:
    with pytest.raises(NotUnderstood) as refused:
        read_words("GOOG above 800 and feels heavy", INSTRUMENTS)
    assert str(refused.value) == (
        "I do not understand “feels heavy”. Understood: GOOG; close above 800."
    )


@pytest.mark.parametrize(
    ("text", "timeframe"),
    [
        ("GOOG above 800 on the weekly chart", "1w"),
        ("RSI of GOOG above 70 on 15-minute bars", "15m"),
        ("GOOG crosses above its 50-day line on hourly candles", "1h"),
        ("GOOG falls 5% in a week on weekly bars", "1w"),
    ],
)
def test_bars_of_another_length_can_be_named(text: str, timeframe: str) -> None:
    assert read_words(text, INSTRUMENTS).timeframe == timeframe


def test_bars_that_are_not_kept_are_refused() -> None:
    with pytest.raises(NotUnderstood, match=r"There are no bars of on 4 minute|5m"):
        read_words("GOOG above 800 on 4 minute bars", INSTRUMENTS)


def test_the_examples_are_understood() -> None:
    for example in EXAMPLES:
        read_words(example, INSTRUMENTS)


def test_any_text_is_understood_or_refused_and_nothing_else() -> None:
    pieces = [text for text, *_ in (*UNDERSTOOD, *HELD_OUT)]
    for first, second in zip(pieces, reversed(pieces), strict=True):
        for text in (first[: len(first) // 2] + second, f"{first} {second}", first[::-1]):
            try:
                found = read_words(text[:LONGEST], INSTRUMENTS)
            except NotUnderstood as refused:
                assert str(refused)  # noqa: PT017 - either is right
            else:
                assert parse(to_json(found.condition)) == found.condition
    with pytest.raises(NotUnderstood, match="characters"):
        read_words("GOOG above 800 " * 100, INSTRUMENTS)
