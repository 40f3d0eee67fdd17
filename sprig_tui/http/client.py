"""HTTP client for one server: the one place where proxies, trust and redirects are settled for all requests of ours."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Mapping
from urllib.parse import urlsplit

import httpx

from sprig_tui.errors import ConfigError
from sprig_tui.http.route import Route, route_to
from sprig_tui.http.trust import trust

_log = logging.getLogger(__name__)
_told: set[str] = set()


def http_client(
    base_url: str,
    *,
    timeout: float,
    headers: Mapping[str, str] | None = None,
    limits: httpx.Limits | None = None,
) -> httpx.AsyncClient:
    """A client for the server of this URL. `timeout` is seconds for each phase of a request.

    TLS is verified, redirects are not followed, the route is `route_to`'s. Raises ConfigError where the proxy or the
    certificates that the environment names cannot be used.
    """
    route = route_to(base_url)
    for note in route.notes:
        if note not in _told:
            _told.add(note)
            _log.warning("%s", note)
    believed = trust() if "https" in (urlsplit(base_url).scheme, urlsplit(route.proxy).scheme) else _nobody()
    try:
        return httpx.AsyncClient(
            headers=headers,
            timeout=timeout,
            limits=limits or httpx.Limits(),
            follow_redirects=False,
            trust_env=False,
            verify=believed,
            proxy=_proxy(route, believed),
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


def _proxy(route: Route, believed: ssl.SSLContext) -> httpx.Proxy | None:
    if not route.proxy:
        return None
    secure = urlsplit(route.proxy).scheme == "https"
    return httpx.Proxy(route.proxy, ssl_context=believed if secure else None)


def _nobody() -> ssl.SSLContext:
    """Nobody is believed where there is no TLS, which spares reading the list of authorities."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
