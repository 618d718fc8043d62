"""Bodies and headers of every shape are read without ever failing."""

import errno
import socket
import ssl
from datetime import UTC, datetime

import aiohttp
import pytest
from aiohttp.client_reqrep import ConnectionKey
from hypothesis import given
from hypothesis import strategies as st

from agents.errors import LLMError
from agents.llms.refusals import Refusal, read_refusal, refused, retry_after, unreachable


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


KEY = ConnectionKey("host", 443, False, True, None, None, None)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (
            aiohttp.ClientConnectorError(
                KEY, ConnectionRefusedError(errno.ECONNREFUSED, "Connect call failed ('::1', 1)")
            ),
            "connection refused",
        ),
        (
            aiohttp.ClientConnectorDNSError(KEY, socket.gaierror(-2, "Name or service not known")),
            "its address cannot be found",
        ),
        (
            aiohttp.ClientConnectorCertificateError(KEY, ssl.SSLCertVerificationError(1, "self")),
            "its certificate cannot be trusted",
        ),
        (
            aiohttp.ClientConnectorSSLError(KEY, ssl.SSLError(1, "[SSL] wrong version")),
            "no encrypted connection could be agreed on",
        ),
        (
            aiohttp.ClientConnectorError(KEY, OSError(errno.ENETUNREACH, "x")),
            "there is no way to its network",
        ),
        (aiohttp.ClientConnectorError(KEY, OSError("Multiple")), "the connection failed"),
        (aiohttp.ServerDisconnectedError(), "it closed the connection"),
        (aiohttp.ClientOSError(errno.ECONNRESET, "reset by peer"), "it closed the connection"),
        (aiohttp.ClientPayloadError("not enough"), "the connection failed"),
        (TimeoutError(errno.ETIMEDOUT, "x"), "it did not answer in time"),
    ],
)
def test_people_read_why_nothing_answers_and_no_name_of_code(error: Exception, words: str) -> None:
    assert unreachable(error) == words
