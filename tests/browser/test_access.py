"""Who may come in: hosts, origins, the token and its cookie."""

from __future__ import annotations

import pytest

from sprig_tui.browser.access import LOGIN_SECONDS, MAX_LOGINS, Access, origin_of
from sprig_tui.server.exchange import Exchange
from sprig_tui.server.framing import RequestHead
from sprig_tui.server.responses import HTTPRejectionError

TOKEN = "0123456789abcdef0123456789abcdef"


def nothing() -> None:
    """No connection waits."""


def request(host: str = "127.0.0.1:8723", origin: str | None = None, cookie: str = "", target: str = "") -> Exchange:
    headers = [(b"host", host.encode())]
    headers += [(b"origin", origin.encode())] if origin is not None else []
    headers += [(b"cookie", cookie.encode())] if cookie else []
    head = RequestHead("GET", "/", b"/", b"", target.encode() or None, "1.1", headers, True, False)
    return Exchange(head, "127.0.0.1", on_continue=nothing, on_body_taken=nothing, connection=None)  # type: ignore[arg-type]


def status(access: Access, asked: Exchange, *, websocket: bool = False) -> int:
    try:
        access.check_websocket(asked) if websocket else access.check_page(asked)
    except HTTPRejectionError as error:
        return error.status
    return 200


LOCAL = {"secure": False, "loopback": True}
OPEN = {"secure": True, "loopback": False}
BEHIND = {"secure": False, "loopback": True, "public_url": "https://sprig.example"}


@pytest.mark.parametrize(
    ("given", "host", "origin", "expected"),
    [
        (LOCAL, "127.0.0.1:8723", None, 200),
        (LOCAL, "localhost:8723", "http://localhost:8723", 200),
        (LOCAL, "[::1]:8723", "http://[::1]:8723", 200),
        # another program's page on this machine, another site's, a page of no origin (a file, a sandbox)
        (LOCAL, "127.0.0.1:8723", "http://127.0.0.1:3000", 403),
        (LOCAL, "localhost:8723", "http://127.0.0.1:8723", 403),
        (LOCAL, "127.0.0.1:8723", "https://127.0.0.1:8723", 403),
        (LOCAL, "127.0.0.1:8723", "http://evil.example", 403),
        (LOCAL, "127.0.0.1:8723", "null", 403),
        # a name that its owner points at 127.0.0.1
        (LOCAL, "evil.example:8723", "http://evil.example:8723", 421),
        (LOCAL, "127.0.0.1.evil.example", None, 421),
        (LOCAL, "evil@127.0.0.1", None, 421),
        (LOCAL, "", None, 421),
        (LOCAL, "192.0.2.7:8723", None, 421),
        (OPEN, "192.0.2.7", "https://192.0.2.7", 200),
        (OPEN, "evil.example", "https://evil.example", 421),
        ({**OPEN, "host": "box.lan"}, "box.lan:8723", "https://box.lan:8723", 200),
        (BEHIND, "sprig.example", "https://sprig.example", 200),
        (BEHIND, "sprig.example:443", "https://sprig.example", 200),
        (BEHIND, "sprig.example", "http://sprig.example", 403),
        (BEHIND, "127.0.0.1:8723", "http://127.0.0.1:8723", 200),
        (BEHIND, "192.0.2.7", None, 421),
    ],
)
def test_only_own_pages_may_ask(given: dict, host: str, origin: str | None, expected: int) -> None:
    assert status(Access("", **given), request(host, origin)) == expected


def test_an_absolute_target_is_no_way_around_the_host() -> None:
    assert status(Access("", **LOCAL), request(target="evil.example")) == 421
    assert status(Access("", **LOCAL), request("evil.example", target="127.0.0.1:8723")) == 421


def test_a_websocket_names_its_origin() -> None:
    access = Access("", **LOCAL)
    assert status(access, request(), websocket=True) == 403
    assert status(access, request(origin="http://127.0.0.1:8723"), websocket=True) == 200


def test_the_token_opens_and_its_cookie_ends() -> None:
    now = [1000.0]
    access = Access(TOKEN, **OPEN, monotonic=lambda: now[0])
    for wrong in ("", TOKEN[:-1], f"{TOKEN}x", TOKEN.upper(), "ü", "\udc80"):
        assert access.log_in(wrong) is None
    header = access.log_in(TOKEN)
    assert header is not None
    cookie, _, attributes = header.partition("; ")
    assert cookie.startswith("__Host-sprig-tui=")
    assert {"Path=/", "HttpOnly", "SameSite=Strict", "Secure"} <= set(attributes.split("; "))
    assert TOKEN not in header
    own = {"host": "192.0.2.7", "origin": "https://192.0.2.7"}
    assert status(access, request(**own), websocket=True) == 401
    assert status(access, request(**own, cookie=f"__Host-sprig-tui={TOKEN}"), websocket=True) == 401
    assert status(access, request(**own, cookie=cookie), websocket=True) == 200
    now[0] += LOGIN_SECONDS + 1
    assert status(access, request(**own, cookie=cookie), websocket=True) == 401


def test_logins_are_bounded() -> None:
    access = Access(TOKEN, **LOCAL)
    cookies = [(access.log_in(TOKEN) or "").partition(";")[0] for _ in range(MAX_LOGINS + 1)]
    known = [access.is_known(request(cookie=cookie)) for cookie in cookies]
    assert known == [False, *[True] * MAX_LOGINS]


def test_no_token_needs_no_cookie_and_gives_none() -> None:
    access = Access("", **LOCAL)
    assert access.is_known(request())
    assert access.log_in("") is None


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("https://Sprig.Example:443/x?y", "https://sprig.example"),
        ("http://sprig.example.:8080", "http://sprig.example:8080"),
        ("ws://sprig.example", ""),
        ("sprig.example", ""),
        ("http://[::1", ""),
        ("http://x:99999", ""),
    ],
)
def test_origin_of_a_url(url: str, origin: str) -> None:
    assert origin_of(url) == origin
