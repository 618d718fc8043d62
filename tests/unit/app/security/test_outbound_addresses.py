"""What an address that a stranger chose may look like."""

import ipaddress

import pytest

from app.security.addresses import Allowed, OutboundRefused, is_public, parse_target

NOTHING = Allowed()

HOSTILE = [
    # this machine
    "http://127.0.0.1/",
    "http://127.0.0.1:8080/",
    "http://127.255.255.254/",
    "http://0.0.0.0/",
    "http://0/",
    "http://localhost/",
    "http://LOCALHOST/",
    "http://localhost./",
    "http://a.localhost/",
    "http://[::1]/",
    "http://[::]/",
    "http://[0:0:0:0:0:0:0:1]/",
    # its network
    "http://10.0.0.1/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.168.1.1/",
    "http://100.64.0.1/",
    "http://100.100.100.200/latest/meta-data/",
    "http://169.254.1.1/",
    "http://[fe80::1]/",
    "http://[fe80::1%25eth0]/",
    "http://[fc00::1]/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://[fec0::1]/",
    "http://printer/",
    "http://nas.local/",
    "http://db.internal/",
    "http://router.home.arpa/",
    # what clouds tell about themselves
    "http://169.254.169.254/latest/meta-data/",
    "http://169.254.169.254./latest/",
    "http://metadata.google.internal/computeMetadata/v1/",
    "http://168.63.129.16/metadata/",
    "http://192.0.0.192/opc/v2/instance/",
    # in disguise
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0x7f.0.0.1/",
    "http://0x7f.1/",
    "http://127.1/",
    "http://127.0.1/",
    "http://0177.0.0.1/",
    "http://017700000001/",
    "http://127.0.0.01/",
    "http://127.000.000.001/",
    "http://0xa9fea9fe/",
    "http://2852039166/",
    "http://169.254.43518/",
    "http://4294967296/",
    "http://1.2.3.4.5/",
    "http://example.0x7f/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:7f00:1]/",
    "http://[::ffff:169.254.169.254]/",
    "http://[::127.0.0.1]/",
    "http://[64:ff9b::7f00:1]/",
    "http://[64:ff9b::169.254.169.254]/",
    "http://[64:ff9b:1::7f00:1]/",
    "http://[2002:7f00:1::]/",
    "http://[2002:a9fe:a9fe::1]/",
    "http://[2001:0:7f00:1::]/",
    "http://[2001:db8::1]/",
    # reserved
    "http://192.0.2.1/",
    "http://198.18.0.1/",
    "http://198.51.100.1/",
    "http://203.0.113.1/",
    "http://224.0.0.1/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "http://[ff02::1]/",
    # two readings of one address
    "http://user@example.com/",
    "http://user:secret@example.com/",
    "http://example.com@127.0.0.1/",
    "http://127.0.0.1\\@example.com/",
    "http://example.com\\.evil.test/",
    "http://example.com#@127.0.0.1/",
    "http://example.com%2f@127.0.0.1/",
    "http://example.com%00.evil.test/",
    "http://127%2e0%2e0%2e1/",
    "http://example.com\t/",
    "http://exam\nple.com/",
    "http:// example.com/",
    "http://example.com:80:80/",
    "http://example.com:/",
    "http://example.com:+80/",
    "http://example.com:0/",
    "http://example.com:65536/",
    "http://１２７.0.0.1/",
    "http://①②⑦.0.0.1/",
    "http://ⓛocalhost/",
    "http://127。0。0。1/",
    "http://exаmple.com/",
    "http://[::1/",
    "http://::1/",
    "http:///path",
    "http://",
    "http:example.com",
    "//example.com/",
    "example.com",
    "",
    # other services and schemes
    "http://example.com:22/",
    "http://example.com:25/",
    "http://example.com:5432/",
    "http://example.com:6379/",
    "https://example.com:11211/",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "javascript:alert(1)",
    "data:text/plain,x",
    "unix:///var/run/docker.sock",
    "http://-example.com/",
    "http://example..com/",
    "http://" + "a" * 64 + ".com/",
    "http://example.com/" + "a" * 3000,
]


@pytest.mark.parametrize("url", HOSTILE)
def test_hostile_addresses_are_refused_before_anybody_is_asked(url: str) -> None:
    # One of them hides its second host behind the fragment, which is never sent.
    if url == "http://example.com#@127.0.0.1/":
        assert parse_target(url, NOTHING).host == "example.com"
        return
    with pytest.raises(OutboundRefused):
        parse_target(url, NOTHING)


def test_there_are_enough_hostile_addresses_and_none_twice() -> None:
    assert len(HOSTILE) == len(set(HOSTILE)) >= 60


@pytest.mark.parametrize(
    ("url", "plain", "host", "port"),
    [
        ("https://example.com", "https://example.com/", "example.com", 443),
        ("HTTPS://Example.COM/Path?q=1#part", "https://example.com/Path?q=1", "example.com", 443),
        ("http://example.com:80/x", "http://example.com/x", "example.com", 80),
        ("https://example.com.:8443/", "https://example.com:8443/", "example.com", 8443),
        ("https://8.8.8.8/x", "https://8.8.8.8/x", "8.8.8.8", 443),
        ("https://[2606:4700::1111]/x", "https://[2606:4700::1111]/x", "2606:4700::1111", 443),
        ("https://xn--bcher-kva.example/", "https://xn--bcher-kva.example/",
         "xn--bcher-kva.example", 443),
    ],
)  # fmt: skip
def test_ordinary_addresses_are_taken_in_their_plain_form(
    url: str, plain: str, host: str, port: int
) -> None:
    target = parse_target(url, NOTHING)
    assert (target.url, target.host, target.port) == (plain, host, port)


def test_what_the_operator_lists_is_reachable_there_and_only_there() -> None:
    allowed = Allowed.read(["127.0.0.1:9000", "[::1]:9000", "hooks.internal:*"])
    assert parse_target("http://127.0.0.1:9000/x", allowed).address == "127.0.0.1"
    assert parse_target("http://[::1]:9000/x", allowed).address == "::1"
    assert parse_target("http://hooks.internal:5000/x", allowed).listed
    for other in (
        "http://127.0.0.1:9001/",
        "http://127.0.0.2:9000/",
        "http://0x7f.0.0.1:9000/",
        "http://localhost:9000/",
        "http://user@127.0.0.1:9000/",
        "http://x.hooks.internal:5000/",
    ):
        with pytest.raises(OutboundRefused):
            parse_target(other, allowed)


@pytest.mark.parametrize(
    "entry", ["127.0.0.1", "host:", ":80", "host:0", "host:x", "http://h:80", "u@h:80"]
)
def test_a_list_that_cannot_be_read_is_refused(entry: str) -> None:
    with pytest.raises(ValueError, match=r"is not host:port|give a port"):
        Allowed.read([entry])


def test_no_address_that_python_calls_special_passes_as_public() -> None:
    for network in ("10.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "::1/128", "fc00::/7",
                    "fe80::/10", "ff00::/8", "::ffff:0:0/96", "64:ff9b::/96"):  # fmt: skip
        parsed = ipaddress.ip_network(network)
        assert not is_public(parsed[0])
        assert not is_public(parsed[-1])
