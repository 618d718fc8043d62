"""The event splitter gives the same events however the bytes are cut."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.llms.sse import EventTooLong, SseSplitter

STREAM = (
    b": hello\r\n\r\n"
    b'event: x\r\ndata: {"a": "\xc3\xa9\xf0\x9f\x98\x80"}\r\n\r\n'
    b"data:no space\n\n"
    b"data: two\ndata: lines\nid: 7\nretry: 10\n\n"
    b": comment only\n\n"
    b"data: old mac\r\rdata: [DONE]\n\n"
)
EVENTS = [
    '{"a": "é😀"}'.encode(),
    b"no space",
    b"two\nlines",
    b"old mac",
    b"[DONE]",
]


@given(st.lists(st.integers(min_value=1, max_value=len(STREAM) - 1), max_size=30))
def test_any_cutting_gives_the_same_events(cuts: list[int]) -> None:
    splitter = SseSplitter()
    edges = [0, *sorted(set(cuts)), len(STREAM)]
    events = [event for start, end in pairwise(edges) for event in splitter.feed(STREAM[start:end])]
    assert events == EVENTS


def test_single_bytes_give_the_same_events() -> None:
    splitter = SseSplitter()
    events = [event for byte in STREAM for event in splitter.feed(bytes([byte]))]
    assert events == EVENTS


def test_a_last_event_without_its_empty_line_is_given_at_the_end() -> None:
    for stream in (b"data: a\n\ndata: b", b"data: a\n\ndata: b\n", b"data: a\r\n\r\ndata: b\r\n"):
        splitter = SseSplitter()
        assert splitter.feed(stream) == [b"a"]
        assert splitter.finish() == [b"b"]
        assert splitter.finish() == []


def test_nothing_is_left_after_a_stream_that_ended_well() -> None:
    splitter = SseSplitter()
    splitter.feed(b"data: a\n\n")
    assert splitter.finish() == []


@pytest.mark.parametrize("line", [b"x", b"data: x\n"])
def test_an_event_without_end_is_given_up(line: bytes) -> None:
    splitter = SseSplitter(max_event_bytes=1_000)
    with pytest.raises(EventTooLong):
        _feed_for_ever(splitter, line)


def _feed_for_ever(splitter: SseSplitter, line: bytes) -> None:
    for _ in range(2_000):
        splitter.feed(line)
