"""HTTP client of one server: proxies, trusted certificates, redirects and bounded reading for all requests."""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import sprig_tui
from sprig_tui.errors import ConfigError
from sprig_tui.http.lean import httpx
from sprig_tui.http.proxies import ProxyRoute, find_route

CA_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""OpenSSL's two, which are used together; without them that of Python's requests, or curl's."""


class Revealable(Protocol):
    """Key or token whose repr does not show it."""

    def reveal(self) -> str:
        """The text itself."""
        ...


def ca_locations(environ: Mapping[str, str] = os.environ) -> tuple[tuple[str, str], ...]:
    """The variables in use, each with its file or folder; none means the certificates that httpx brings."""
    given = [(name, environ[name]) for name in CA_VARIABLES if environ.get(name, "").strip()]
    openssl = [(name, location) for name, location in given if name.startswith("SSL_")]
    return tuple(openssl or given[:1])


def make_ssl_context(environ: Mapping[str, str] = os.environ) -> ssl.SSLContext:
    """A context that verifies; raises ConfigError, with the variable, for a file that cannot be used."""
    named = ca_locations(environ)
    if not named:
        return httpx.create_ssl_context(trust_env=False)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for variable, place in named:
        try:
            context.load_verify_locations(**{"capath" if Path(place).is_dir() else "cafile": place})
        except (OSError, ValueError) as error:
            what = "it holds no certificates in PEM form" if isinstance(error, ssl.SSLError) else _error_text(error)
            raise ConfigError(
                f"{variable} names {place[:200]}, which cannot be used: {what}",
                hint=f"name a file of certificates in PEM form, or unset {variable}",
            ) from error
    return context


def ca_hint(environ: Mapping[str, str] = os.environ) -> str:
    """Which variables choose the trusted certificates, for the error of one that is not trusted."""
    named = ca_locations(environ)
    if not named:
        return "SSL_CERT_FILE can name the file of your own authority"
    return " and ".join(f"{variable} ({place[:120]})" for variable, place in named) + " names whom to trust"


def _error_text(error: Exception) -> str:
    return getattr(error, "strerror", None) or "not a file name"


def host_of(url: str, name: str, hint: str) -> str:
    """The host of a base URL; raises ConfigError, which calls it `name`, for one that cannot be used."""
    try:
        parts = urlsplit(url)
        httpx.URL(url)
    except (ValueError, httpx.InvalidURL) as error:
        raise ConfigError(f"{name} is not an address that can be used", hint=hint) from error
    if "@" in parts.netloc:
        raise ConfigError(f"{name} holds a user or password", hint="leave out the part before the @")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ConfigError(f"{name} is not an http or https address", hint=hint)
    return parts.hostname


def user_agent() -> str:
    """Product and version, as each request names them."""
    return f"sprig-tui/{sprig_tui.__version__}"


def bearer_headers(token: str, accept: str) -> dict[str, str]:
    """Headers of a JSON API that takes a Bearer token."""
    return {
        "Authorization": f"Bearer {token}",
        "Accept": accept,
        # gzip alone: its expansion is bounded by the part that is read at once (64 KB, times 1,032)
        "Accept-Encoding": "gzip",
    }


async def read_body(chunks: AsyncIterator[bytes], body: bytearray, max_bytes: int) -> bool:
    """Append at most `max_bytes` of the response to `body`; False if it is longer.

    What arrived before a network error stays in `body`.
    """
    async for chunk in chunks:
        room = max_bytes - len(body)
        body += chunk[:room]
        if len(chunk) > room:
            return False
    return True


def redirect_host(headers: Mapping[str, str], default: str) -> str:
    """The host that a redirect points to; `default` if it names none."""
    try:
        return urlsplit(headers.get("location", "")).hostname or default
    except ValueError:
        return default


_log = logging.getLogger(__name__)
_logged_notes: set[str] = set()


def make_client(
    base_url: str,
    *,
    timeout: float,
    headers: Mapping[str, str] | None = None,
    limits: httpx.Limits | None = None,
) -> httpx.AsyncClient:
    """A client for the server of this URL. `timeout` is seconds for each phase of a request.

    TLS is verified, redirects are not followed, the route is that of `find_route`. Raises ConfigError if the proxy or
    the certificates named by environment variables cannot be used.
    """
    return httpx.AsyncClient(
        headers={"User-Agent": user_agent(), **(headers or {})},
        timeout=timeout,
        follow_redirects=False,
        trust_env=False,
        transport=make_transport(base_url, limits),
    )


def find_logged_route(base_url: str) -> ProxyRoute:
    """The route of `find_route`; each of its warnings is logged once."""
    route = find_route(base_url)
    for note in route.warnings:
        if note not in _logged_notes:
            _logged_notes.add(note)
            _log.warning("%s", note)
    return route


def make_context(base_url: str, route: ProxyRoute) -> ssl.SSLContext:
    """What the connections to this URL trust; nothing where none of them has TLS."""
    return (
        make_ssl_context()
        if "https" in (urlsplit(base_url).scheme, urlsplit(route.proxy).scheme)
        else _empty_trust_context()
    )


def make_transport(
    base_url: str, limits: httpx.Limits | None = None, route: ProxyRoute | None = None
) -> httpx.AsyncHTTPTransport:
    """Connections to the server of this URL, as `make_client` uses them. Raises the same errors."""
    route = find_logged_route(base_url) if route is None else route
    context = make_context(base_url, route)
    try:
        return httpx.AsyncHTTPTransport(
            limits=limits or httpx.Limits(),
            trust_env=False,
            verify=context,
            proxy=_make_proxy(route, context),
        )
    except ImportError:
        raise ConfigError(
            f"{route.variable} names a SOCKS proxy, and the package socksio is not there",
            hint="pip install 'httpx[socks]'",
        ) from None
    except (httpx.InvalidURL, ValueError) as error:
        raise ConfigError(
            f"{route.variable or base_url[:80]} cannot be used ({type(error).__name__})", hint="correct its address"
        ) from None


def _make_proxy(route: ProxyRoute, ssl_context: ssl.SSLContext) -> httpx.Proxy | None:
    if not route.proxy:
        return None
    secure = urlsplit(route.proxy).scheme == "https"
    return httpx.Proxy(route.proxy, ssl_context=ssl_context if secure else None)


def _empty_trust_context() -> ssl.SSLContext:
    """Trusts no certificate: without TLS there is no need to read the list of authorities."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
