"""Route of requests to one server: directly, or through the proxy that the environment names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies

from sprig_tui.errors import ConfigError
from sprig_tui.http.address import is_this_machine
from sprig_tui.http.no_proxy import parse_no_proxy

PROXY_SCHEMES = ("http", "https", "socks5", "socks5h")
_DEFAULT_PORTS = {"http": 80, "https": 443}
_PROXY_HINT = "write it as http://proxy.example:3128, percent-encode a password, or unset it"


class ProxyRoute(NamedTuple):
    """How one server is asked."""

    proxy: str = ""
    """Its URL, which may hold a password; empty where the server is asked directly."""
    variable: str = ""
    """Where the proxy is named, such as HTTPS_PROXY."""
    warnings: tuple[str, ...] = ()
    """What of NO_PROXY was left out, in words."""

    @property
    def proxy_host(self) -> str:
        """The proxy's host and port; never its user or password."""
        return urlsplit(self.proxy).netloc.rpartition("@")[2]


def find_route(url: str, environ: Mapping[str, str] | None = None) -> ProxyRoute:
    """The route to the server of `url`; raises ConfigError for a proxy that cannot be used.

    Addresses of this machine are asked directly, whatever is named. Without `environ` also the system's own settings
    count (macOS, Windows).
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if is_this_machine(host):
        return ProxyRoute()
    named = getproxies() if environ is None else _proxies_by_scheme(environ)
    scheme = parts.scheme if named.get(parts.scheme) else "all"
    proxy = named.get(scheme, "")
    if not proxy:
        return ProxyRoute()
    direct = parse_no_proxy(named.get("no", ""))
    notes = tuple(f"NO_PROXY: {item[:60]!r} cannot be read, and is left out" for item in direct.invalid_entries)
    if direct.matches(host, parts.port or _DEFAULT_PORTS.get(parts.scheme, 0)):
        return ProxyRoute(warnings=notes)
    variable = _variable_name(scheme, os.environ if environ is None else environ)
    return ProxyRoute(_check_proxy(proxy, variable), variable, notes)


def _proxies_by_scheme(environ: Mapping[str, str]) -> dict[str, str]:
    """Proxies by scheme, as `getproxies` has them: a variable in small letters takes precedence."""
    found = {}
    for variable in sorted(environ):  # capitals first
        kind, proxy, rest = variable.lower().rpartition("_proxy")
        if proxy and not rest:
            found[kind] = environ[variable]
    return found


def _variable_name(scheme: str, environ: Mapping[str, str]) -> str:
    """The name of the variable in use; the system's settings where there is none."""
    for name in (f"{scheme}_proxy", f"{scheme.upper()}_PROXY"):
        if environ.get(name):
            return name
    return next((name for name in environ if name.lower() == f"{scheme}_proxy"), "the system's proxy setting")


def _check_proxy(proxy: str, variable: str) -> str:
    """The proxy's URL; what is wrong with it is said without it, since it may hold a password."""
    whole = proxy.strip() if "://" in proxy else f"http://{proxy.strip()}"
    try:
        parts = urlsplit(whole)
        # an @ behind the host is that of a password which is not percent-encoded
        rest = f"{parts.path}{parts.query}{parts.fragment}"
        usable = bool(parts.hostname) and parts.port != 0 and whole.isprintable() and not {" ", "@"} & set(rest)
    except ValueError:
        usable = False
    if not usable:
        raise ConfigError(f"{variable} holds no address of a proxy", hint=_PROXY_HINT)
    if parts.scheme not in PROXY_SCHEMES:
        raise ConfigError(
            f"{variable} names a proxy of the kind {parts.scheme[:20]!r}, which cannot be used",
            hint=f"use one of {', '.join(PROXY_SCHEMES)}",
        )
    return whole
