"""Access to the console in a browser: which pages may ask, and which browsers have shown the token.

Without a token the address is loopback, and everybody on this machine may look. A web page of another site could still
let its visitor's browser ask there: its Origin differs, and a name of its own that it points at 127.0.0.1 is no Host
that is known here.

With a token a browser shows it once, and gets a cookie in its place: scripts cannot read it, pages of other sites do
not send it, and it ends with this process or after `LOGIN_SECONDS`.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import socket
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

from sprig_tui.http.proxies import is_loopback
from sprig_tui.server.exchange import Exchange
from sprig_tui.server.responses import HTTPRejectionError

LOGIN_SECONDS = 12 * 3600.0
"""Time after which a browser has to show the token again."""
MAX_LOGINS = 100
"""Browsers that are remembered; the oldest is forgotten first."""
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Access:
    """Decides on each request. `token` is empty where none is needed.

    `public_url` is the address that people type, where a proxy in front has another one than this server.
    """

    def __init__(
        self,
        token: str,
        *,
        secure: bool,
        loopback: bool,
        host: str = "",
        public_url: str = "",
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._digest = _digest(token) if token else b""
        self._scheme = "https" if secure else "http"
        self._loopback = loopback
        self._public = origin_of(public_url) if public_url else ""
        self._names = {name.lower() for name in (host, socket.gethostname()) if name} if not public_url else set()
        self._secure_cookie = secure or self._public.startswith("https:")
        self.cookie = "__Host-sprig-tui" if self._secure_cookie else "sprig-tui"
        """Name of the cookie; a browser takes one of this prefix over TLS only, and from no other host."""
        self._logins: OrderedDict[bytes, float] = OrderedDict()
        """Digest of a cookie -> its end (monotonic s)."""
        self._monotonic = monotonic

    @property
    def needs_token(self) -> bool:
        """Whether a browser has to show the token first."""
        return bool(self._digest)

    def check_page(self, exchange: Exchange) -> str:
        """The origin of this server as the browser knows it.

        Raises HTTPRejectionError: 421 for a Host that is not known here, 403 for a page of another origin.
        """
        own = self._own_origin(exchange)
        for origin in exchange.header_values(b"origin"):
            if origin_of(origin) != own:
                raise HTTPRejectionError(403, "pages of other sites are not served here")
        return own

    def check_websocket(self, exchange: Exchange) -> None:
        """The same for a WebSocket, of which every browser names the origin; raises HTTPRejectionError, 401 too."""
        if len(exchange.header_values(b"origin")) != 1:
            raise HTTPRejectionError(403, "an Origin is needed, as browsers send it")
        self.check_page(exchange)
        if not self.is_known(exchange):
            raise HTTPRejectionError(401, "open the page again: this browser has not shown the token")

    def is_known(self, exchange: Exchange) -> bool:
        """Whether the browser may come in: no token is needed, or it has shown it."""
        if not self.needs_token:
            return True
        now = self._monotonic()
        return any(now < self._logins.get(_digest(value), 0.0) for value in self._cookies(exchange))

    def log_in(self, presented: str) -> str | None:
        """The Set-Cookie header for a browser that shows the token; None for a wrong one, in the same time."""
        if not self.needs_token or not hmac.compare_digest(_digest(presented), self._digest):
            return None
        value = secrets.token_urlsafe(32)
        self._logins[_digest(value)] = self._monotonic() + LOGIN_SECONDS
        while len(self._logins) > MAX_LOGINS:
            self._logins.popitem(last=False)
        secure = "; Secure" if self._secure_cookie else ""
        return f"{self.cookie}={value}; Path=/; Max-Age={LOGIN_SECONDS:.0f}; HttpOnly; SameSite=Strict{secure}"

    def _cookies(self, exchange: Exchange) -> Iterator[str]:
        """Values of our cookie; another server on this host may have set one of the same name beside it."""
        for header in exchange.header_values(b"cookie"):
            for pair in header.split(";"):
                name, _, value = pair.strip().partition("=")
                if name == self.cookie:
                    yield value

    def _own_origin(self, exchange: Exchange) -> str:
        target = exchange.head.authority
        hosts = {exchange.header(b"host") or "", *([] if target is None else [target.decode("latin-1")])}
        if len(hosts) == 1:
            origin = origin_of(f"{self._scheme}://{hosts.pop()}")
            if self._public and origin.partition("://")[2] in _hosts_of(self._public):
                return self._public
            if origin and self._is_own_host(urlsplit(origin).hostname or ""):
                return origin
        raise HTTPRejectionError(421, "this Host is not known here; --public-url names the address that people type")

    def _is_own_host(self, host: str) -> bool:
        if is_loopback(host):
            return True
        # a name that somebody else can point at this machine is none of ours, an address is
        return not self._loopback and not self._public and (_is_address(host) or host in self._names)


def origin_of(url: str) -> str:
    """Scheme, host and port of an http or https URL as browsers write an Origin; empty if it is none."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").removesuffix("."), parts.port
    except ValueError:
        return ""
    if parts.scheme not in _DEFAULT_PORTS or not host or parts.username is not None:
        return ""
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + ("" if port in (None, _DEFAULT_PORTS[parts.scheme]) else f":{port}")


def _hosts_of(origin: str) -> tuple[str, ...]:
    """Host as a proxy may hand it on: as it came, or with the port that browsers leave out."""
    scheme, _, authority = origin.partition("://")
    bare = urlsplit(origin).port is None
    return (authority, f"{authority}:{_DEFAULT_PORTS[scheme]}") if bare else (authority,)


def _is_address(host: str) -> bool:
    import ipaddress

    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _digest(text: str) -> bytes:
    # digests all have the same length, so the comparison reveals nothing about a token's length
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
