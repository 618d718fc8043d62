import pytest

from app.security.origins import AllowedOrigins

LOCAL = AllowedOrigins(host="127.0.0.1", port=8000)
PUBLIC = AllowedOrigins(
    host="0.0.0.0",
    port=8000,
    public_url="https://desk.example.com/",
    listed=["https://Tools.example.com:8443"],
)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://localhost:8000", "localhost:8000"),
        ("http://localhost:8000", "127.0.0.1:8000"),
        ("http://[::1]:8000", "[::1]:8000"),
        ("http://LOCALHOST:8000", "localhost:8000"),
        ("http://localhost:9000", "localhost:9000"),  # a mapped port
        ("http://192.168.1.20:8000", "192.168.1.20:8000"),  # by address, in the local network
    ],
)
def test_our_own_pages_are_allowed(origin: str, host: str) -> None:
    assert LOCAL.allows(origin, host=host)


@pytest.mark.parametrize(
    ("origin", "host"),
    [
        ("", "127.0.0.1:8000"),
        ("null", "127.0.0.1:8000"),
        ("http://evil.example", "127.0.0.1:8000"),
        ("http://evil.example:8000", "evil.example:8000"),  # a rebound name
        ("http://localhost:3000", "localhost:8000"),  # another program on this machine
        ("http://localhost", "localhost:8000"),
        ("https://localhost:443", "localhost:8000"),
        ("http://localhost.evil.example:8000", "localhost:8000"),
        ("http://127.0.0.1.evil.example:8000", "127.0.0.1:8000"),
        ("http://127.0.0.1:8000.evil.example", "127.0.0.1:8000"),
        ("http://evil.example/http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://127.0.0.1:8000@evil.example", "127.0.0.1:8000"),
        ("http://evil.example\\@127.0.0.1:8000", "127.0.0.1:8000"),
        ("http://127.0.0.1:8000, http://evil.example", "127.0.0.1:8000"),
        ("http://127.0.0.1:8000/", "127.0.0.1:8000"),
        ("http://127.0.0.1:8000?x", "127.0.0.1:8000"),
        ("http://127.0.0.1:99999", "127.0.0.1:99999"),
        ("http://loc\u0430lhost:8000", "localhost:8000"),  # a Cyrillic letter
        ("http://192.168.1.20:8000", "192.168.1.21:8000"),
        ("ftp://127.0.0.1:8000", "127.0.0.1:8000"),
        ("file://", "127.0.0.1:8000"),
        ("http://[::1", "127.0.0.1:8000"),
    ],
)
def test_foreign_and_look_alike_pages_are_not(origin: str, host: str) -> None:
    assert not LOCAL.allows(origin, host=host)


@pytest.mark.parametrize(
    ("origin", "allowed"),
    [
        ("https://desk.example.com", True),
        ("https://desk.example.com:443", True),
        ("https://tools.example.com:8443", True),
        ("http://desk.example.com", False),
        ("https://tools.example.com", False),
        ("https://desk.example.com.evil.test", False),
        ("https://app.desk.example.com", False),
        ("https://desk-example.com", False),
    ],
)
def test_listed_origins_are_allowed_exactly(origin: str, allowed: bool) -> None:
    assert PUBLIC.allows(origin, host="10.0.0.5:8000") is allowed


def test_a_known_name_is_believed_when_host_agrees() -> None:
    assert PUBLIC.allows("http://desk.example.com:8000", host="desk.example.com:8000")


@pytest.mark.parametrize("listed", ["desk.example.com", "*", "https://*.example.com/x", ""])
def test_what_is_not_an_origin_cannot_be_listed(listed: str) -> None:
    with pytest.raises(ValueError, match="origin"):
        AllowedOrigins(listed=[listed])
