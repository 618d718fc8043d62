"""Text from outside becomes storable, and equals what a whole decode would give."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.llms.text import TextCleaner, clean_json, clean_text

ANY = st.text(st.characters(codec=None))  # lone surrogates and NUL included


@pytest.mark.parametrize(
    ("dirty", "clean"),
    [
        ("plain", "plain"),
        ("a\x00b", "a\ufffdb"),
        ("\ud83d\ude00", "😀"),
        ("x\ud83dy", "x\ufffdy"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        ("", ""),
    ],
)
def test_what_cannot_be_stored_is_replaced(dirty: str, clean: str) -> None:
    assert clean_text(dirty) == clean


@given(st.lists(ANY))
def test_a_stream_is_cleaned_like_its_whole_text(deltas: list[str]) -> None:
    cleaner = TextCleaner()
    streamed = "".join([*(cleaner.feed(delta) for delta in deltas), cleaner.finish()])
    assert streamed == clean_text("".join(deltas))
    streamed.encode()
    assert "\x00" not in streamed


def test_half_a_character_waits_for_the_other_half() -> None:
    cleaner = TextCleaner()
    assert cleaner.feed("up \ud83d") == "up "
    assert cleaner.feed("\udcc8!") == "📈!"


@given(
    st.recursive(
        ANY | st.integers() | st.none(), lambda inner: st.lists(inner) | st.dictionaries(ANY, inner)
    )
)
def test_json_is_cleaned_to_the_bottom(value: Any) -> None:
    json.dumps(clean_json(value), ensure_ascii=False).encode()
