"""The pure parts of the read side: cursors, snippets, footnotes."""

import base64
from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.claims import Claim
from app.domain.errors import Invalid
from app.services.conversations.exports import with_footnotes
from app.services.conversations.snippets import CLOSE, OPEN, highlight, needles, prefix_query
from app.services.paging import cut, decode_cursor, encode_cursor

MOMENTS = st.datetimes(
    min_value=datetime(1800, 1, 1),  # noqa: DTZ001  # hypothesis adds the zone
    max_value=datetime(9000, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@given(MOMENTS, st.uuids())
def test_a_cursor_stands_for_exactly_one_position(moment: datetime, item: UUID) -> None:
    assert decode_cursor(encode_cursor((moment, item))) == (moment, item)


@given(st.text())
def test_a_cursor_we_did_not_make_is_refused_and_nothing_worse(text: str) -> None:
    with pytest.raises(Invalid):
        decode_cursor(text + "!")


@pytest.mark.parametrize(
    "raw", ['["2026-01-01T00:00:00", "{id}"]', '["2026-01-01T00:00:00Z"]', "{}", "1"]
)
def test_a_cursor_of_another_shape_is_refused(raw: str) -> None:
    forged = base64.urlsafe_b64encode(raw.replace("{id}", str(UUID(int=1))).encode()).decode()
    with pytest.raises(Invalid):
        decode_cursor(forged)


def test_the_last_page_has_no_cursor() -> None:
    items = [(datetime(2026, 1, day, tzinfo=UTC), UUID(int=day)) for day in (3, 2, 1)]
    assert cut(items, 3, lambda item: item).next_cursor is None
    page = cut(items, 2, lambda item: item)
    assert page.items == items[:2]
    assert decode_cursor(page.next_cursor) == items[1]


@given(st.text(max_size=2_000), st.text(min_size=1, max_size=50))
def test_a_snippet_is_a_piece_of_the_text_with_balanced_marks(text: str, query: str) -> None:
    snippet = highlight(text, needles(query))
    assert snippet.count(OPEN) == snippet.count(CLOSE)
    depth = 0
    for char in snippet:
        depth += (char == OPEN) - (char == CLOSE)
        assert depth in (0, 1)
    bare = snippet.replace(OPEN, "").replace(CLOSE, "").strip("…").strip()
    plain = text.replace(OPEN, "").replace(CLOSE, "")
    assert " ".join(bare.split()) in " ".join(plain.split())


@given(st.text(max_size=300), st.text(alphabet="abcxyz", min_size=1, max_size=8), st.text())
def test_a_word_that_is_in_the_text_is_marked(before: str, word: str, after: str) -> None:
    assert f"{OPEN}{word}{CLOSE}" in highlight(f"{before} {word} {after}", [word])


@given(st.text())
def test_nothing_in_a_query_is_an_operator(query: str) -> None:
    built = prefix_query(query)
    if built is None:
        assert not any(char.isalnum() for char in query)
        return
    for word in built.split(" & "):
        assert word.startswith("'")
        assert word.endswith("':*")
        inside = word[1:-3].replace("''", "").replace("\\\\", "")
        assert "'" not in inside
        assert "\\" not in inside


@given(st.text(alphabet="ab [^]1:\n", max_size=60), st.data())
def test_footnotes_change_nothing_but_add_their_marks(text: str, data: st.DataObject) -> None:
    ends = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    claims = [
        Claim(index=number, start=max(0, end - 1), end=end, text="x", status="unverified")
        for number, end in enumerate(ends, start=1)
    ]
    marked = with_footnotes(text, claims, 7)
    for claim in claims:
        assert marked.count(f"[^7-{claim.index}]") == 1
        marked = marked.replace(f"[^7-{claim.index}]", "")
    assert marked.replace("\\[^", "[^") == text.replace("\\[^", "[^")
