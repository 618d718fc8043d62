"""Signatures that others can verify, and what is tried again."""

import hashlib
from base64 import b64decode, b64encode
from datetime import UTC, datetime

import pytest

from app.services.alerts.alert_ports import Posted
from app.services.alerts.webhooks import PAUSES_S, new_secret, signed, verdict

AT = datetime(2021, 2, 25, 15, 2, 10, tzinfo=UTC)


def verify(secret: str, headers: dict[str, str], body: bytes, *, now: int) -> bool:
    """Verify as a receiver does that has read nothing but the specification.

    HMAC by its definition (RFC 2104), without Python's `hmac`.
    """
    key = b64decode(secret.removeprefix("whsec_")).ljust(64, b"\0")
    message_id, stamp = headers["webhook-id"], headers["webhook-timestamp"]
    content = f"{message_id}.{stamp}.".encode() + body
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + content).digest()
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key) + inner).digest()
    ours = f"v1,{b64encode(outer).decode()}"
    return abs(now - int(stamp)) <= 300 and ours in headers["webhook-signature"].split(" ")


def test_the_reference_vector_of_standard_webhooks_is_met() -> None:
    headers = signed(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        message_id="msg_p5jXN8AQM9LWM0D4loKWxJek",
        body=b'{"test": 2432232314}',
        at=datetime.fromtimestamp(1614265330, UTC),
    )
    assert headers == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


def test_a_receiver_verifies_what_was_sent_and_nothing_else() -> None:
    secret, body = new_secret(), '{"wert": "größer als 800"}'.encode()
    headers = signed(secret, message_id="msg_1", body=body, at=AT)
    now = int(AT.timestamp())
    assert verify(secret, headers, body, now=now)
    assert not verify(secret, headers, body + b" ", now=now)
    assert not verify(new_secret(), headers, body, now=now)
    assert not verify(secret, {**headers, "webhook-id": "msg_2"}, body, now=now)
    assert not verify(secret, {**headers, "webhook-timestamp": str(now + 1)}, body, now=now)
    assert not verify(secret, headers, body, now=now + 301)


def test_secrets_are_long_and_never_the_same() -> None:
    made = {new_secret() for _ in range(50)}
    assert len(made) == 50
    assert all(len(b64decode(secret.removeprefix("whsec_"))) == 32 for secret in made)


@pytest.mark.parametrize("status", [200, 201, 202, 204])
def test_what_was_taken_is_delivered(status: int) -> None:
    assert verdict(Posted(status=status), tries=1, jitter=0.5) == ("delivered", None)


@pytest.mark.parametrize("status", [None, 408, 409, 425, 429, 500, 502, 503, 504, 599])
def test_what_says_not_now_is_tried_again_with_growing_pauses(status: int | None) -> None:
    pauses = []
    for tries in range(1, len(PAUSES_S) + 1):
        outcome, pause_s = verdict(Posted(status=status), tries=tries, jitter=0.5)
        assert outcome == "pending"
        assert pause_s is not None
        pauses.append(pause_s)
    assert pauses == pytest.approx(PAUSES_S)
    assert sorted(pauses) == pauses
    assert verdict(Posted(status=status), tries=len(PAUSES_S) + 1, jitter=0.5) == ("failed", None)


@pytest.mark.parametrize("status", [301, 302, 307, 400, 401, 403, 404, 405, 410, 413, 422])
def test_what_will_not_get_better_is_given_up_at_once(status: int) -> None:
    assert verdict(Posted(status=status), tries=1, jitter=0.5) == ("failed", None)


def test_an_address_that_is_refused_is_given_up_at_once() -> None:
    assert verdict(Posted(error="private", refused=True), tries=1, jitter=0.5) == ("failed", None)


def test_a_receiver_may_ask_for_more_patience_within_reason() -> None:
    asked = Posted(status=429, retry_after_s=120)
    assert verdict(asked, tries=1, jitter=0.5) == ("pending", 120)
    asked = Posted(status=503, retry_after_s=10_000_000)
    assert verdict(asked, tries=1, jitter=0.5) == ("pending", 3_600)
    asked = Posted(status=503, retry_after_s=1)
    assert verdict(asked, tries=2, jitter=0.5)[1] == pytest.approx(PAUSES_S[1])


def test_pauses_differ_a_little_so_that_receivers_are_not_stormed() -> None:
    low, high = (verdict(Posted(), tries=3, jitter=jitter)[1] for jitter in (0.0, 1.0))
    assert low == pytest.approx(0.9 * PAUSES_S[2])
    assert high == pytest.approx(1.1 * PAUSES_S[2])
