"""HTTP client for one server: the one place where proxies, trust and redirects are settled for all requests of ours."""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from sprig_tui.errors import ConfigError
from sprig_tui.http.proxies import ProxyRoute, find_route

CA_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
"""OpenSSL's two, which count together; else that of Python's requests, or curl's."""


def ca_locations(environ: Mapping[str, str] = os.environ) -> tuple[tuple[str, str], ...]:
    """The variables that count, and the file or folder that each names; none means the list that comes with us."""
    given = [(name, environ[name]) for name in CA_VARIABLES if environ.get(name, "").strip()]
    openssl = [one for one in given if one[0].startswith("SSL_")]
    return tuple(openssl or given[:1])


def make_ssl_context(environ: Mapping[str, str] = os.environ) -> ssl.SSLContext:
    """A context that verifies; raises ConfigError, with the variable, for a file that cannot be used."""
    named = ca_locations(environ)
    if not named:
        import httpx

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
    """What decides whom to believe, for whoever reads that a certificate is not trusted."""
    named = ca_locations(environ)
    if not named:
        return "SSL_CERT_FILE can name the file of your own authority"
    return " and ".join(f"{variable} ({place[:120]})" for variable, place in named) + " names whom to trust"


def _error_text(error: Exception) -> str:
    return getattr(error, "strerror", None) or "not a file name"


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
