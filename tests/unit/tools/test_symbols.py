"""People write names in their own way; only an unmistakable one decides."""

import pytest

from tools.errors import UnknownSymbol
from tools.market.instruments import Instrument
from tools.market.symbols import edit_distance, mentions, resolve

NAMES = {
    "AAPL": "Apple Inc.",
    "AMZN": "Amazon.com, Inc.",
    "GOOG": "Alphabet Inc. Class C",
    "IBM": "International Business Machines Corporation",
    "META": "Meta Platforms, Inc.",
    "MSFT": "Microsoft Corporation",
    "NFLX": "Netflix, Inc.",
    "NVDA": "NVIDIA Corporation",
}
KNOWN = [Instrument(symbol=symbol, name=name, source="x") for symbol, name in NAMES.items()]


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("GOOG", "GOOG"),
        ("goog", "GOOG"),
        ("$goog", "GOOG"),
        ("GOOG.", "GOOG"),
        (" google ", "GOOG"),
        ("Google's", "GOOG"),
        ("Alphabet", "GOOG"),
        ("Apple", "AAPL"),
        ("APPLE INC", "AAPL"),
        ("apple, inc.", "AAPL"),
        ("meta platforms", "META"),
        ("Facebook", "META"),
        ("amazon.com", "AMZN"),
        ("Microsoft Corp.", "MSFT"),
        ("IBM Corp.", "IBM"),
        ("International Business Machines", "IBM"),
        ("nVidia", "NVDA"),
        ("(NFLX)", "NFLX"),
    ],
)
def test_a_known_way_to_say_it_is_understood(said: str, meant: str) -> None:
    assert resolve(said, KNOWN).symbol == meant


@pytest.mark.parametrize(
    ("said", "first"),
    [("appel", "AAPL"), ("microsft", "MSFT"), ("netflx", "NFLX"), ("GOGO", "GOOG"), ("IBN", "IBM")],
)
def test_a_slip_is_a_suggestion_never_an_answer(said: str, first: str) -> None:
    with pytest.raises(UnknownSymbol) as refused:
        resolve(said, KNOWN)
    assert refused.value.nearest[0] == first


@pytest.mark.parametrize("said", ["", "   ", "$", "TSLA", "the", "a" * 500, "\u202egoog", "日本"])
def test_what_is_not_known_is_said_to_be_unknown(said: str) -> None:
    with pytest.raises(UnknownSymbol) as refused:
        resolve(said, KNOWN)
    assert len(refused.value.symbol) <= 80


def test_a_former_name_means_the_symbol_that_is_there() -> None:
    before = [Instrument(symbol="FB", name="Facebook, Inc.", source="x")]
    assert resolve("meta", before).symbol == "FB"
    assert resolve("facebook", [*before, *KNOWN]).symbol == "META"
    assert resolve("FB", [*before, *KNOWN]).symbol == "FB"


def test_a_sentence_is_searched_for_names_and_symbols() -> None:
    text = "How do Apple's shares, google and $msft compare with IBM and Meta Platforms?"
    found = mentions(text, KNOWN)
    assert [m.symbol for m in found] == ["AAPL", "GOOG", "MSFT", "IBM", "META"]
    assert [text[m.start : m.end] for m in found] == [
        "Apple's",
        "google",
        "$msft",
        "IBM",
        "Meta Platforms",
    ]


def test_everyday_words_are_not_taken_for_companies() -> None:
    assert mentions("an apple a day, some meta data, the alphabet", KNOWN) == []
    assert mentions("goog is written small without a sign", KNOWN) == []


@pytest.mark.parametrize(
    ("one", "other", "distance"),
    [
        ("", "", 0),
        ("abc", "abc", 0),
        ("appel", "apple", 1),
        ("goog", "", 4),
        ("kitten", "sitting", 3),
    ],
)
def test_edit_distance_counts_letters(one: str, other: str, distance: int) -> None:
    assert edit_distance(one, other) == edit_distance(other, one) == distance
