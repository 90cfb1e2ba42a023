"""Addresses: what is understood, what is refused, what stays on this machine, and which proxy applies."""

import pytest
from glasstape import AsyncClient, Client
from glasstape._proxy import proxy_for
from glasstape.address import Address, Endpoint, parse_host
from glasstape.testing import FakeServer

UNDERSTOOD = [
    ("localhost:50551", "localhost:50551", "dns:///localhost:50551"),
    ("signals.example.com:1", "signals.example.com:1", "dns:///signals.example.com:1"),
    ("my_host:65535", "my_host:65535", "dns:///my_host:65535"),
    ("10.1.2.3:00080", "10.1.2.3:80", "dns:///10.1.2.3:80"),
    ("[::1]:50551", "[::1]:50551", "dns:///[::1]:50551"),
    ("[fe80::1%eth0]:5", "[fe80::1%eth0]:5", "dns:///[fe80::1%25eth0]:5"),
    ("dns:localhost:5", "localhost:5", "dns:///localhost:5"),
    ("DNS:///localhost:5", "localhost:5", "dns:///localhost:5"),
    ("dns:5", "dns:5", "dns:///dns:5"),
    ("ipv4:10.0.0.1:5", "10.0.0.1:5", "dns:///10.0.0.1:5"),
    ("ipv6:[2001:db8::1]:5", "[2001:db8::1]:5", "dns:///[2001:db8::1]:5"),
    ("10.0.0.1:5,10.0.0.2:6", "10.0.0.1:5,10.0.0.2:6", "ipv4:10.0.0.1:5,10.0.0.2:6"),
    ("ipv6:[::1]:5,[::1]:6", "[::1]:5,[::1]:6", "ipv6:[::1]:5,[::1]:6"),
    ("10.0.0.1:5,[2001:db8::1]:6", "10.0.0.1:5,[2001:db8::1]:6", "ipv6:[::ffff:10.0.0.1]:5,[2001:db8::1]:6"),
    ("unix:/run/glass tape.sock", "unix:/run/glass tape.sock", "unix:/run/glass%20tape.sock"),
    ("unix:///run/x.sock", "unix:/run/x.sock", "unix:/run/x.sock"),
    ("unix-abstract:glasstape", "unix-abstract:glasstape", "unix-abstract:glasstape"),
]

REFUSED = [
    ("http://localhost:50551", "without http://"),
    ("https://example.com", "without https://"),
    ("xds:///a:1", "without xds://"),
    ("localhost", "the port is missing"),
    ("[::1]", "the port is missing"),
    ("localhost:", "with a port of 1-65535"),
    ("localhost:0", "with a port of 1-65535"),
    ("localhost:70000", "with a port of 1-65535"),
    ("localhost:+5", "with a port of 1-65535"),
    ("localhost:50551/", "with a port of 1-65535"),
    ("localhost:٥", "in ASCII"),
    (" localhost:50551", "without blanks"),
    ("localhost:50551\n", "without blanks"),
    ("local host:1", "without blanks"),
    ("", "must be host:port"),
    (None, "must be host:port"),
    (50551, "must be host:port"),
    ("::1:50551", "IPv6 in brackets"),
    ("::1", "IPv6 in brackets"),
    ("[localhost]:5", "brackets hold an IPv6 address"),
    ("münchen.example:1", "begin with xn--"),
    ("user@host:1", "no host name"),
    (":50551", "no host name"),
    ("127.1:5", "no host name"),
    ("1.2.3.400:5", "no host name"),
    ("2130706433:5", "no host name"),
    ("0x7f000001:5", "no host name"),
    ("a..b:1", "no host name"),
    ("-a:1", "no host name"),
    ("*:1", "no host name"),
    ("a:1,b:2", "must be IP addresses"),
    ("10.0.0.1:5,b:2", "must be IP addresses"),
    ("ipv4:10.0.0.1:5,[::1]:5", "IPv4 addresses after ipv4:"),
    ("10.0.0.1:5,", "the port is missing"),
    ("ipv4:localhost:5", "IPv4 addresses after ipv4:"),
    ("ipv6:10.0.0.1:5", "IPv6 addresses after ipv6:"),
    ("dns://8.8.8.8/a:5", "dns://SERVER/ is not supported"),
    ("unix:", "must have a path"),
    ("unix:/a,/b", "without a comma"),
    ("unix:/a\n", "printable"),
    ("unix:/" + "x" * 200, "bytes, has 201"),
    ("unix://x", "unix:PATH"),
]


@pytest.mark.parametrize(("text", "printed", "target"), UNDERSTOOD)
def test_an_address_is_printed_in_the_form_that_is_read(text, printed, target):
    address = Address.parse(text)
    assert (str(address), address.target) == (printed, target)
    assert Address.parse(printed) == Address.parse(address) == address


@pytest.mark.parametrize(("text", "rule"), REFUSED)
def test_what_is_no_address_is_refused_with_the_rule_and_the_text(text, rule):
    with pytest.raises(ValueError, match=r"must (be|have)") as caught:
        Address.parse(text)
    assert rule in str(caught.value)
    assert repr(text) in str(caught.value)


@pytest.mark.parametrize(
    ("text", "loopback"),
    [
        ("localhost:1", True),
        ("LocalHost.:1", True),
        ("127.9.8.7:1", True),
        ("[::1]:1", True),
        ("[0:0:0:0:0:0:0:1]:1", True),
        ("[::ffff:127.0.0.1]:1", True),
        ("ipv4:127.0.0.1:1,127.0.0.2:1", True),
        ("unix:/run/x", True),
        ("unix-abstract:x", True),
        ("localhost.example.com:1", False),
        ("127.example.com:1", False),
        ("0.0.0.0:1", False),
        ("[::]:1", False),
        ("[::ffff:10.0.0.1]:1", False),
        ("127.0.0.1:1,10.0.0.1:1", False),
    ],
)
def test_loopback_is_what_stays_on_this_machine(text, loopback):
    assert Address.parse(text).loopback is loopback


@pytest.mark.parametrize("form", ["127.0.0.1:{port},[::1]:9", "[::1]:9,127.0.0.1:{port}"])
async def test_of_addresses_of_both_families_the_first_that_answers_is_used(form):
    with FakeServer() as server:
        address = form.format(port=server.address.rpartition(":")[2])
        with Client(address) as client:
            assert client.models()
        async with AsyncClient(address) as other:
            assert await other.models()


def test_hosts_to_listen_on_have_brackets_or_none():
    hosts = ("::1", "[::1]", "127.0.0.1", "localhost", "0.0.0.0", "::")
    assert [parse_host(host) for host in hosts] == ["::1", "::1", "127.0.0.1", "localhost", "0.0.0.0", "::"]
    assert str(Endpoint("::1", 5)) == "[::1]:5"
    for text in ("", "[::1]:5", "a:5", "[a]", "*", "a b", "http://a"):
        with pytest.raises(ValueError, match="without a port"):
            parse_host(text)


@pytest.mark.parametrize(
    ("address", "environment", "proxy"),
    [
        ("a.example:1", {}, None),
        ("a.example:1", {"http_proxy": "http://p:3128"}, "proxy p:3128 of http_proxy"),
        ("a.example:1", {"https_proxy": "http://p:1", "http_proxy": "http://q:1"}, "proxy p:1 of https_proxy"),
        ("a.example:1", {"grpc_proxy": "http://r:1", "https_proxy": "http://p:1"}, "proxy r:1 of grpc_proxy"),
        ("a.example:1", {"HTTP_PROXY": "p:1"}, None),
        ("a.example:1", {"http_proxy": "http://user:secret@p:1/"}, "proxy p:1 of http_proxy"),
        ("a.example:1", {"http_proxy": "http://p:1", "no_proxy": "b.example, .example"}, None),
        ("a.example:1", {"http_proxy": "http://p:1", "no_proxy": "b.example"}, "proxy p:1 of http_proxy"),
        ("a.example:1", {"http_proxy": "http://p:1", "no_grpc_proxy": "b", "no_proxy": "e"}, "proxy p:1 of http_proxy"),
        ("10.1.2.3:1", {"http_proxy": "http://p:1", "no_proxy": "10.0.0.0/8"}, None),
        ("localhost:1", {"http_proxy": "http://p:1"}, None),
        ("unix:/x", {"grpc_proxy": "http://p:1"}, None),
    ],
)  # fmt: skip
def test_the_proxy_of_an_address_is_the_one_that_grpc_uses(address, environment, proxy):
    found = proxy_for(Address.parse(address), environment)
    assert (None if found is None else str(found)) == proxy
