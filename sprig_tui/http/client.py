"""HTTP client for one server: the one place where proxies, trust and redirects are settled for all requests of ours."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx

from sprig_tui.errors import ConfigError
from sprig_tui.http.route import ProxyRoute, find_route
from sprig_tui.http.trust import make_ssl_context

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

    TLS is verified, redirects are not followed, the route is `find_route`'s. Raises ConfigError where the proxy or the
    certificates that the environment names cannot be used.
    """
    route = find_route(base_url)
    for note in route.warnings:
        if note not in _logged_notes:
            _logged_notes.add(note)
            _log.warning("%s", note)
    believed = (
        make_ssl_context()
        if "https" in (urlsplit(base_url).scheme, urlsplit(route.proxy).scheme)
        else _empty_trust_context()
    )
    try:
        return httpx.AsyncClient(
            headers=headers,
            timeout=timeout,
            limits=limits or httpx.Limits(),
            follow_redirects=False,
            trust_env=False,
            verify=believed,
            proxy=_make_proxy(route, believed),
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
    """Nobody is believed where there is no TLS, which spares reading the list of authorities."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
