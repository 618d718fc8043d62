import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.text import clean_json, clean_text, storable_json, title_of


@pytest.mark.parametrize(
    ("given_text", "kept"),
    [
        ("plain", "plain"),
        ("a\0b", "a\ufffdb"),
        ("price \ud800 up", "price \ufffd up"),
        ("\udc00\ud800", "\ufffd\ufffd"),
        ("half an emoji and its other half: \ud83d\ude00", "half an emoji and its other half: 😀"),
        ("é\0\ud83d", "é\ufffd\ufffd"),
        ("‮right to left, ﷽ and é stay", "‮right to left, ﷽ and é stay"),
    ],
)
def test_only_what_cannot_be_stored_is_replaced(given_text: str, kept: str) -> None:
    assert clean_text(given_text) == kept


@given(st.text(st.characters(codec=None)))
def test_any_text_comes_out_storable_and_clean_text_stays_as_it_is(text: str) -> None:
    cleaned = clean_text(text)
    assert "\0" not in cleaned
    assert clean_text(cleaned) == cleaned
    assert cleaned.encode("utf-8").decode("utf-8") == cleaned


def test_json_is_cleaned_in_keys_lists_and_depths() -> None:
    assert clean_json({"a\0": ["\ud800", {"b": ("x\0",)}], "n": 1, "d": Decimal("1.5")}) == {
        "a\ufffd": ["\ufffd", {"b": ["x\ufffd"]}],
        "n": 1,
        "d": Decimal("1.5"),
    }


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf, Decimal("NaN"), Decimal("Inf")])
def test_numbers_that_json_cannot_hold_are_refused(number: object) -> None:
    with pytest.raises(ValueError, match="JSON"):
        clean_json({"rows": [{"close": number}]})


def test_bottomless_json_is_refused() -> None:
    nested: list[object] = []
    for _ in range(1_000):
        nested = [nested]
    with pytest.raises(ValueError, match="deep"):
        clean_json(nested)


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("How does GOOG look?", "How does GOOG look?"),
        ("  two\n lines ", "two lines"),
        (
            "How does GOOG look right now, and is that unusual for the season it is in?",
            "How does GOOG look right now, and is that unusual for the…",
        ),
        ("x" * 100, "x" * 60 + "…"),
        ("", ""),
    ],
)
def test_a_title_is_the_first_words_cut_between_words(question: str, title: str) -> None:
    assert title_of(question) == title


def test_what_json_cannot_hold_is_mended_and_the_rest_kept() -> None:
    deep: object = 1
    for _ in range(100):
        deep = [deep]
    mended = storable_json({"a\0": [math.nan, 1.5, Decimal("Inf")], "deep": deep, "t": "\ud800"})
    assert mended["a\ufffd"] == [None, 1.5, None]
    assert mended["t"] == "\ufffd"
    assert clean_json(mended) == mended
    assert storable_json({"a": [1, "b"]}) == {"a": [1, "b"]}
