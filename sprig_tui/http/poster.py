"""Posters: what sends the requests of one client to its URL, with or without a proxy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import aclosing
from typing import Protocol

from sprig_tui.http.client import find_logged_route, make_context, make_transport, read_body
from sprig_tui.http.direct import Answer, DirectPoster
from sprig_tui.http.lean import httpx

_KEEP_ALIVE_S = 15.0
"""Shorter than the idle timeout of load balancers (60 s), so that no request meets a connection being closed."""


class Poster(Protocol):
    """Sends requests with POST to one URL, over a few connections that it keeps."""

    async def post(self, content: Sequence[bytes], headers: Mapping[str, str], answer: Answer) -> None:
        """Send the joined `content`, with these headers more.

        Raises httpx.HTTPError and its like. `answer` keeps what arrived, also of a response that broke off, and at most
        its `max_body_bytes` of a body; the connection of a longer one is dropped.
        """

    async def aclose(self) -> None:
        """Close all connections."""


class HttpxPoster:
    """A poster by httpx, which knows proxies."""

    def __init__(
        self, url: httpx.URL, headers: Mapping[str, str], transport: httpx.AsyncHTTPTransport, timeout_s: float
    ) -> None:
        self._url = url
        self._headers = dict(headers)
        # a client of httpx would add cookies, redirects and authentication, for a quarter of the CPU of a request
        self._transport = transport
        self._extensions = {"timeout": httpx.Timeout(timeout_s).as_dict()}

    async def post(self, content: Sequence[bytes], headers: Mapping[str, str], answer: Answer) -> None:
        """As `Poster.post`."""
        request = httpx.Request(
            "POST",
            self._url,
            headers={**self._headers, **headers},
            content=b"".join(content),
            extensions=self._extensions,
        )
        response = await self._transport.handle_async_request(request)
        answer.status, answer.headers = response.status_code, response.headers
        async with aclosing(response):
            await read_body(response.aiter_raw(), answer.body, answer.max_body_bytes)

    async def aclose(self) -> None:
        """As `Poster.aclose`."""
        await self._transport.aclose()


def make_poster(url: str, headers: Mapping[str, str], *, timeout_s: float, connections: int) -> Poster:
    """A poster to this URL; `timeout_s` is for each phase of a request. The errors are those of `make_transport`."""
    route = find_logged_route(url)
    target = httpx.URL(url)
    if not route.proxy:
        return DirectPoster(
            target,
            headers,
            make_context(url, route) if target.scheme == "https" else None,
            timeout_s=timeout_s,
            connections=connections,
            keep_alive_s=_KEEP_ALIVE_S,
        )
    limits = httpx.Limits(
        max_connections=connections, max_keepalive_connections=connections, keepalive_expiry=_KEEP_ALIVE_S
    )
    return HttpxPoster(target, headers, make_transport(url, limits, route), timeout_s)
