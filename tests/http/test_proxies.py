"""Proxy selection from environment variables."""

from __future__ import annotations

import pytest

from sprig_tui.errors import ConfigError
from sprig_tui.http.proxies import find_route, parse_no_proxy

PROXY = "http://user:secret@proxy.example:3128"
SEGMENT = "https://api.segment.io"


@pytest.mark.parametrize(
    "own",
    [
        "http://127.0.0.1:9000",
        "http://127.8.8.8",
        "http://localhost:9000",
        "https://Localhost.",
        "http://sink.localhost",
        "http://[::1]:9000",
        "http://[::ffff:127.0.0.1]:9000",
        "http://0.0.0.0:9000",
    ],
)
def test_addresses_of_this_machine_use_no_proxy(own):
    everything = {"HTTP_PROXY": PROXY, "HTTPS_PROXY": PROXY, "ALL_PROXY": PROXY}
    assert find_route(own, everything).proxy == ""


@pytest.mark.parametrize(
    ("environ", "variable"),
    [
        ({"HTTPS_PROXY": PROXY, "ALL_PROXY": "http://other.example"}, "HTTPS_PROXY"),
        ({"https_proxy": PROXY, "HTTPS_PROXY": "http://other.example"}, "https_proxy"),
        ({"ALL_PROXY": PROXY, "HTTP_PROXY": "http://other.example"}, "ALL_PROXY"),
        ({"HTTPS_PROXY": "", "ALL_PROXY": PROXY}, "ALL_PROXY"),
        ({"HTTPS_PROXY": PROXY, "NO_PROXY": "segment.com, api.segment, io"[:-4]}, "HTTPS_PROXY"),
    ],
)
def test_scheme_proxy_takes_precedence_over_all_proxy(environ, variable):
    route = find_route(SEGMENT, environ)
    assert (route.proxy, route.variable, route.proxy_host) == (PROXY, variable, "proxy.example:3128")


def test_proxy_without_a_scheme_is_http():
    assert find_route(SEGMENT, {"HTTPS_PROXY": "proxy.example:3128"}).proxy == "http://proxy.example:3128"


@pytest.mark.parametrize(
    ("no_proxy", "url"),
    [
        ("*", SEGMENT),
        ("segment.io", SEGMENT),
        (".segment.io", SEGMENT),
        ("*.segment.io", SEGMENT),
        ("other.example API.Segment.IO", SEGMENT),
        ("api.segment.io:443", SEGMENT),
        ("https://api.segment.io", SEGMENT),
        ("192.0.2.0/24", "https://192.0.2.7:8443"),
        ("192.0.2.7:8443", "https://192.0.2.7:8443"),
        ("[2001:db8::1]", "https://[2001:db8::1]:8443"),
        ("[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
        ("2001:db8::/32", "https://[2001:db8::1]:8443"),
    ],
)
def test_no_proxy_entry_matches(no_proxy, url):
    assert find_route(url, {"HTTPS_PROXY": PROXY, "NO_PROXY": no_proxy}) == ("", "", ())


@pytest.mark.parametrize("no_proxy", ["egment.io", "api.segment.io:8443", "192.0.2.0/24", "io.segment.api"])
def test_no_proxy_entry_does_not_match_other_hosts(no_proxy):
    assert find_route(SEGMENT, {"HTTPS_PROXY": PROXY, "NO_PROXY": no_proxy}).proxy == PROXY


def test_invalid_no_proxy_entry_is_ignored_with_a_warning():
    found = parse_no_proxy("[::1, 10.0.0.0/99, segment.example, a b/c, x@y, host:99999999, ü[, []")
    assert found.names[0] == ("segment.example", 0)
    assert set(found.invalid_entries) == {"[::1", "10.0.0.0/99", "b/c", "x@y", "host:99999999", "ü[", "[]"}
    route = find_route(SEGMENT, {"HTTPS_PROXY": PROXY, "NO_PROXY": "[::1,segment.example"})
    assert route.proxy == PROXY
    assert route.warnings == ("NO_PROXY: '[::1' cannot be read, and is left out",)


@pytest.mark.parametrize(
    ("proxy", "said"),
    [
        ("http://user:se/cret@proxy.example:3128", "holds no address of a proxy"),
        ("http://user:123/secret@proxy.example:3128", "holds no address of a proxy"),
        ("http://user:se#cret@proxy.example:3128", "holds no address of a proxy"),
        ("http://", "holds no address of a proxy"),
        ("http://secret[", "holds no address of a proxy"),
        ("socks4://secret@proxy.example", "kind 'socks4'"),
    ],
)
def test_invalid_proxy_error_names_only_the_variable(proxy, said):
    with pytest.raises(ConfigError) as caught:
        find_route(SEGMENT, {"HTTPS_PROXY": proxy})
    assert caught.value.message.startswith("HTTPS_PROXY ")
    assert said in caught.value.message
    assert "secret" not in caught.value.message + caught.value.hint
