"""Bodies and headers of every shape are read without ever failing."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.errors import LLMError
from agents.llms.refusals import Refusal, read_refusal, refused, retry_after


@pytest.mark.parametrize(
    ("body", "refusal"),
    [
        (b'{"error": {"message": "no", "type": "X", "code": "Y"}}', Refusal("no", "x y")),
        (b'{"error": "just text"}', Refusal("just text")),
        (b'{"error": {"code": 400, "message": "m"}}', Refusal("m", "400", 400)),
        (b'{"detail": "not found"}', Refusal("not found")),
        (b'"text"', Refusal("text")),
        (b"<html>bad gateway</html>", Refusal("<html>bad gateway</html>")),
        (b"", Refusal("")),
    ],
)
def test_a_body_is_read(body: bytes, refusal: Refusal) -> None:
    assert read_refusal(body) == refusal


@given(st.binary(max_size=200), st.integers(300, 599))
def test_any_body_and_status_is_one_of_our_errors(body: bytes, status: int) -> None:
    error = refused("X", read_refusal(body), status=status)
    assert isinstance(error, LLMError)
    error.message.encode()


def test_a_long_message_is_cut() -> None:
    assert len(refused("X", Refusal("y" * 10_000), status=400).message) < 600


@given(st.text())
def test_any_header_is_a_number_or_nothing(value: str) -> None:
    seconds = retry_after({"retry-after": value})
    assert seconds is None or 0 <= seconds < float("inf")


def test_a_date_is_counted_from_now() -> None:
    now = datetime(2015, 10, 21, 7, 27, 30, tzinfo=UTC)
    assert retry_after({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, now=now) == 30
