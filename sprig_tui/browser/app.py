"""Application of the console in a browser: its page, its files, the token, and the WebSocket of each session."""

from __future__ import annotations

import html
from urllib.parse import parse_qs

from msgspec import structs
from prometheus_client import CollectorRegistry

from sprig_tui.browser import assets
from sprig_tui.browser.access import Access
from sprig_tui.browser.session import Sessions
from sprig_tui.server.exchange import Exchange
from sprig_tui.server.limits import ConnectionLimits
from sprig_tui.server.rejections import TrafficMetrics
from sprig_tui.server.responses import HTTPRejectionError, Rejection, Response
from sprig_tui.server.routes import Route, Routes
from sprig_tui.server.websocket import accept_websocket, check_upgrade

BROWSER_LIMITS = ConnectionLimits(connections=100, stop_seconds=1.0)
"""A few browsers, each with a handful of connections."""
MAX_FORM_BYTES = 4_096
"""The form holds one token."""
_HINTS = {404: "there is nothing here; the console is at /", 405: "this is not asked in that way"}
_HEADERS = {
    # xterm.js sets styles of its own, and connects to where the page comes from
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; font-src 'self'; img-src data:;"
        " connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), clipboard-read=(), geolocation=(), microphone=()",
    # without any referrer a browser would post our own form from the origin "null"
    "referrer-policy": "same-origin",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
}


class BrowserConsole:
    """The application, for `server.server.running_server`."""

    def __init__(self, access: Access, sessions: Sessions) -> None:
        self.traffic = TrafficMetrics(CollectorRegistry())
        """Rejections, for `running_server` and the log."""
        self._access = access
        self._sessions = sessions
        routes = (
            Route("/", self._page),
            Route("/login", self._log_in, "POST"),
            Route("/ws", self._websocket),
            Route("/static/*", self._asset),
        )
        self._routes = Routes(routes, _HINTS, self.traffic.record_rejection)

    async def __call__(self, exchange: Exchange) -> Response:
        """The response to a request, with the headers that all have."""
        response = await self._routes(exchange)
        return structs.replace(response, headers=(*response.headers, *_HEADERS.items()))

    async def _page(self, exchange: Exchange) -> Response:
        self._access.check_page(exchange)
        presented = _query(exchange, "token")
        if presented and self._access.needs_token:
            # the address is left at once: history, logs and other sites must not see the token
            return self._enter(exchange, presented)
        if not self._access.is_known(exchange):
            return _login_page("The token of this console:", 401)
        return _html(assets.page("index.html"))

    async def _log_in(self, exchange: Exchange) -> Response:
        self._access.check_page(exchange)
        body = b""
        while part := await exchange.read():
            body += part
            if len(body) > MAX_FORM_BYTES:
                raise HTTPRejectionError(413, "the form is too long")
        return self._enter(exchange, _first(body, "token").strip())

    def _enter(self, exchange: Exchange, presented: str) -> Response:
        cookie = self._access.log_in(presented)
        if cookie is None:
            rejection = Rejection(401, "a wrong token was shown", exchange.head.path, exchange.sender)
            self.traffic.record_rejection(rejection)
            return _login_page("That is not the token of this console. The token:", 401)
        # relative: a proxy may serve the console below a path of its own
        headers = (("location", "./"), ("set-cookie", cookie), ("cache-control", "no-store"))
        return Response(status=303, headers=headers)

    async def _asset(self, exchange: Exchange) -> Response:
        self._access.check_page(exchange)
        name = exchange.path_segment
        if name not in assets.NAMES:
            raise HTTPRejectionError(404, _HINTS[404])
        found = assets.asset(name)
        headers = (("cache-control", "no-cache"), ("etag", found.tag), ("vary", "accept-encoding"))
        if exchange.header(b"if-none-match") == found.tag:
            return Response(status=304, headers=headers)
        if "gzip" in (exchange.header(b"accept-encoding") or ""):
            return Response(found.zipped, 200, found.kind, (*headers, ("content-encoding", "gzip")))
        return Response(found.plain, 200, found.kind, headers)

    async def _websocket(self, exchange: Exchange) -> Response:
        self._access.check_websocket(exchange)
        check_upgrade(exchange)
        width, height = (_number(_query(exchange, name)) for name in ("width", "height"))
        websocket = accept_websocket(exchange, self._sessions.limits.message_bytes)
        if websocket is not None:
            await self._sessions.serve(websocket, width or 80, height or 24)
        return Response()


def _query(exchange: Exchange, name: str) -> str:
    return _first(exchange.head.query, name)


def _first(form: bytes, name: str) -> str:
    """The first value of a name in a form or a query; empty where there is none, and for a crowd of names."""
    try:
        return parse_qs(form.decode("latin-1"), max_num_fields=10).get(name, [""])[0]
    except ValueError:
        return ""


def _number(text: str) -> int:
    return int(text) if text.isdecimal() and text.isascii() and len(text) < 6 else 0


def _html(text: str, status: int = 200) -> Response:
    return Response(text.encode(), status, "text/html; charset=utf-8", (("cache-control", "no-store"),))


def _login_page(message: str, status: int) -> Response:
    return _html(assets.page("login.html").replace("{message}", html.escape(message)), status)
